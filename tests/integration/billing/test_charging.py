"""What work costs under the shipped contracts, on the real database."""

from datetime import UTC, date, datetime, timedelta

import pytest

from billing.schemas.quotes import PreviewCreate
from billing.usecases import appointments, pricing, verification
from billing.usecases.accounts import read_account
from billing.usecases.statements import read_statement
from billing.usecases.work import AlreadyVoided, TicketHeld
from plazo.kernel.errors import InvalidInput, NotFound
from plazo.kernel.ids import new_id

NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)


@pytest.mark.parametrize(
    ("minutes", "units"),
    [
        pytest.param([5], 1, id="SMA-16"),
        pytest.param([60], 1, id="60 → 1"),
        pytest.param([61], 2, id="61 → 2"),
        pytest.param([119], 2, id="119 → 2"),
        pytest.param([60, 60], 2, id="120 in two → 2"),
        pytest.param([5, 60, 56], 3, id="121 in three → 3, not rounded per entry"),
    ],
)
async def test_units_are_summed_over_the_request(ledgers, minutes, units):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 10)
    ticket = await ledgers.open_ticket(contract)

    for ago, some in enumerate(minutes):
        done = await ledgers.log(ticket, some, hours_ago=ago + 1)

    assert done.charges[0].total == units
    assert await ledgers.balances(contract) == {"main credit_unit": 10 - units}
    assert await ledgers.sums() == []


async def test_a_charge_explains_itself(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 2, expires_at=datetime(2026, 12, 31, 4, tzinfo=UTC))  # midnight in Caracas
    ticket = await ledgers.open_ticket(contract)

    charges = (await ledgers.log(ticket, 125)).charges

    assert [(one.quantity, one.total) for one in charges] == [(2, 2), (1, 3)]
    assert charges[0].explanation == {
        "es": "2 h 05 min trabajados → 3 h según SMA-16, SMA-17 → 2 unidades de la cuenta (vence el 2026-12-31), "
        "1 unidad por pagar",
        "en": "2 h 05 min worked → 3 h by SMA-16, SMA-17 → 2 units from the account (expires 2026-12-31), 1 unit owed",
    }
    assert await ledgers.balances(contract) == {"owed credit_unit": -1}

    await ledgers.top_up(contract, 10)  # a debt of units ends with the next grant

    assert await ledgers.balances(contract) == {"main credit_unit": 9}
    assert [one.cause for one in await ledgers.charges(ticket)][-2:] == ["grant", "grant"]


async def test_voiding_restores(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 10)
    ticket = await ledgers.open_ticket(contract)
    first = await ledgers.log(ticket, 5, hours_ago=2)
    await ledgers.log(ticket, 61, hours_ago=1)

    voided = await ledgers.void(first)

    # 5 + 61 = 66 → 2; 61 alone → 2: the first unit moves to the second entry
    assert [one.quantity for one in voided.charges] == [0]
    assert await ledgers.balances(contract) == {"main credit_unit": 8}
    with pytest.raises(AlreadyVoided):
        await ledgers.void(first)
    assert await ledgers.sums() == []


async def test_a_no_show_is_charged_once_for_each_appointment(ledgers):
    """SMA-19."""
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 10)
    ticket = await ledgers.open_ticket(contract)

    for appointment in ("visit-1", "visit-1", "visit-2"):
        await ledgers.log(ticket, 0, kind="no_show", appointment=appointment)

    assert await ledgers.balances(contract) == {"main credit_unit": 8}
    assert (await ledgers.charges(ticket))[1].quantity == 0


async def test_an_appointment_that_came_to_nothing_is_charged_once_whoever_says_so(ledgers):
    """SMA-19."""
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 10)
    ticket = await ledgers.open_ticket(contract)
    late, missed = new_id(), new_id()

    for kind, appointment_id in (("late_cancellation", late), ("no_show", late), ("no_show", missed)):
        await appointments.charge_appointment(
            ledgers.uow(),
            ticket_id=ticket.ticket_id,
            appointment_id=appointment_id,
            kind=kind,
            at=ledgers.now,
            why=ledgers.why(),
        )

    assert await ledgers.balances(contract) == {"main credit_unit": 8}
    explanation = (await ledgers.charges(ticket))[-1].explanation["en"]
    assert "appointment cancelled late by the customer → 1 h by SMA-19 → 1 unit from the account" in explanation
    assert "customer absent from an appointment → 1 h by SMA-19 → 1 unit from the account" in explanation


async def test_a_preview_is_the_charge_and_leaves_nothing(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 10)
    ticket = await ledgers.open_ticket(contract)

    body = PreviewCreate(ticket_id=ticket.ticket_id, minutes=61, at=ledgers.now - timedelta(hours=5))
    preview = await pricing.preview_work(ledgers.uow(), body=body)

    assert [(one.account, one.quantity) for one in preview.costs] == [("main", 2)]
    assert preview.share == {"es": "2 de sus 10 unidades", "en": "2 of your 10 units"}
    assert await ledgers.balances(contract) == {"main credit_unit": 10}
    assert await ledgers.charges(ticket) == []
    assert preview.explanation == (await ledgers.log(ticket, 61)).charges[0].explanation


async def test_work_that_cannot_be(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    held = await ledgers.open_ticket(contract)

    with pytest.raises(TicketHeld, match="awaiting_credit") as refused:
        await ledgers.log(held, 5)
    assert refused.value.clause == "SMA-14"
    with pytest.raises(InvalidInput, match="future"):
        await ledgers.log(held, 5, hours_ago=-1)
    with pytest.raises(NotFound):
        await ledgers.log(held, 5, ticket_id=contract.contract_id)
    await ledgers.top_up(contract, 2)
    with pytest.raises(InvalidInput) as unknown:
        await ledgers.log(held, 5, facts={"mood": "bad", "location": "remote", "weather": "fine"})
    assert [fault.pointer for fault in unknown.value.faults] == ["/facts/mood", "/facts/weather"]


class TestProdequa:
    """Hours of a month, overage by the started hour, warranty and causes."""

    async def test_the_allotment_and_overage(self, ledgers):
        """PRO-05, PRO-07."""
        await ledgers.publish("prodequa")
        contract = await ledgers.sign(plan="basic")
        ticket = await ledgers.open_ticket(contract)
        assert (await ledgers.accounts(contract))["main", "minute"].balance == 20 * 60

        await ledgers.log(ticket, 19 * 60 + 30, hours_ago=40)
        charges = (await ledgers.log(ticket, 45, hours_ago=2)).charges

        # 30 minutes are left of 20 h; 15 more are one started hour
        assert [(one.quantity, one.unit) for one in charges] == [(30, "minute"), (60, "minute")]
        assert await ledgers.balances(contract) == {"owed minute": -60}
        assert "PRO-07" in charges[0].clauses
        assert charges[0].explanation["en"].endswith("1 h overage")

    async def test_late_work_moves_the_overage_to_what_was_done_after_it(self, ledgers):
        await ledgers.publish("prodequa")
        contract = await ledgers.sign(plan="basic")
        early, late = await ledgers.open_ticket(contract), await ledgers.open_ticket(contract)
        await ledgers.log(late, 20 * 60, hours_ago=30)
        assert await ledgers.balances(contract) == {}

        charges = (await ledgers.log(early, 60, hours_ago=40)).charges

        # the early hour takes the first of the 20; the late ticket keeps 19 and goes over by one
        by_ticket = [(one.ticket_id == early.ticket_id, one.quantity) for one in charges]
        assert by_ticket == [(True, 60), (False, -60), (False, 60)]
        assert await ledgers.balances(contract) == {"owed minute": -60}
        assert await ledgers.sums() == []

    async def test_each_month_has_its_hours_and_loses_the_rest(self, ledgers):
        await ledgers.publish("prodequa")
        contract = await ledgers.sign(plan="enterprise")
        ticket = await ledgers.open_ticket(contract)
        await ledgers.log(ticket, 60)

        ledgers.now = datetime(2026, 6, 2, 13, tzinfo=UTC)

        account = (await ledgers.accounts(contract))["main", "minute"]
        assert account.balance == account.available == 40 * 60
        # work of May that is logged in June draws on May's hours, which had expired
        await ledgers.log(ticket, 120, hours_ago=24 * 10)
        assert (await ledgers.accounts(contract))["main", "minute"].balance == 40 * 60
        assert await ledgers.sums() == []

    async def test_an_update_takes_three_hours(self, ledgers):
        """PRO-05."""
        await ledgers.publish("prodequa")
        contract = await ledgers.sign(plan="per_event", arrangement="per_event")
        ticket = await ledgers.open_ticket(contract, facts={"type": "update"})

        charge = (await ledgers.log(ticket, 40)).charges[0]

        assert (charge.worked_minutes, charge.rounded_minutes, charge.charged_minutes) == (40, 60, 180)
        assert await ledgers.balances(contract) == {"owed minute": -180}

    async def test_warranty_is_free_until_the_cause_is_misuse(self, ledgers):
        """PRO-03, PRO-04."""
        await ledgers.publish("prodequa")
        contract = await ledgers.sign(plan="basic")
        ticket = await ledgers.open_ticket(contract, facts={"warranty": True})

        charge = (await ledgers.log(ticket, 40)).charges[0]
        assert (charge.quantity, charge.reason, charge.clauses) == (0, "warranty", ["PRO-03"])
        await ledgers.change_facts(ticket, cause="misuse")

        charge = (await ledgers.charges(ticket))[-1]
        assert (charge.quantity, charge.cause, charge.clauses) == (40, "facts_changed", ["PRO-04"])
        await ledgers.change_facts(ticket)
        assert (await ledgers.charges(ticket))[-1].total == 0

    async def test_a_ticket_without_a_plan_in_force_waits_for_the_renewal(self, ledgers):
        """PRO-09."""
        await ledgers.publish("prodequa")
        contract = await ledgers.sign(plan="basic", valid_until=date(2026, 1, 1))
        ticket = await ledgers.open_ticket(contract, facts={"plan_in_force": False})
        assert [one["reason"] for one in await ledgers.events("admission.withheld.v1")] == ["no_contract"]

        await ledgers.renew(contract, valid_until=date(2027, 1, 1))

        granted = await ledgers.events("admission.granted.v1")
        assert [one["ticket_id"] for one in granted] == [str(ticket.ticket_id)]


async def test_a_bag_of_hours_and_a_package_of_workdays(ledgers):
    """IRE-05."""
    await ledgers.publish("ireo")
    contract = await ledgers.sign(plan="vip")
    await ledgers.top_up(contract, 10, name="preventive_hours")
    await ledgers.top_up(contract, "3 workdays", name="preventive_workdays")
    ticket = await ledgers.open_ticket(contract, facts={"category": "preventive_consulting"})

    await ledgers.log(ticket, 90, hours_ago=2)
    charge = (await ledgers.log(ticket, 200, hours_ago=1, facts={"consulting_in": "workdays"})).charges[0]

    assert await ledgers.balances(contract) == {
        "preventive_hours minute": 8 * 60,
        "preventive_workdays minute": 2 * 480,
    }
    assert "1 workday from preventive_workdays" in charge.explanation["en"]


async def test_support_that_the_customer_did_not_first_try(ledgers):
    """EXP-08: owed in minutes, since the price is the contract's."""
    await ledgers.publish("expande")
    contract = await ledgers.sign()
    facts = {"cause": "customer_configuration", "checklist": "incomplete"}
    ticket = await ledgers.open_ticket(contract, facts=facts)

    await ledgers.log(ticket, 61)
    assert await ledgers.balances(contract) == {"owed minute": -120}
    await ledgers.change_facts(ticket, checklist="complete")

    assert await ledgers.balances(contract) == {}
    assert (await ledgers.charges(ticket))[-1].reason == "self_diagnosis_complete"


async def test_balances_at_past_instants(ledgers):
    """By effective time work counts when it was done, by recording time when it was logged."""
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 10, effective_at=NOW - timedelta(days=3))
    ticket = await ledgers.open_ticket(contract)
    await ledgers.log(ticket, 60, hours_ago=24)
    account = (await ledgers.accounts(contract))["main", "credit_unit"]

    assert await ledgers.available(contract, at=NOW - timedelta(hours=25)) == 10
    assert await ledgers.available(contract, at=NOW - timedelta(hours=24)) == 9
    assert await ledgers.available(contract, at=NOW - timedelta(days=4)) == 0
    by_recording = await read_account(
        ledgers.uow(),
        account_id=account.account_id,
        customer_id=None,
        at=NOW - timedelta(hours=1),
        by="recorded",
    )
    assert by_recording.balance == 0


async def test_a_statement_of_each_month(ledgers):
    await ledgers.publish("prodequa")
    contract = await ledgers.sign(plan="basic", valid_from=date(2026, 5, 1))
    ticket = await ledgers.open_ticket(contract)
    await ledgers.log(ticket, 90, hours_ago=1)
    ledgers.now = datetime(2026, 6, 2, 13, tzinfo=UTC)
    await ledgers.log(ticket, 21 * 60, hours_ago=24)  # 1 June: 20 h of the month, one over

    async def statement(month):
        view = await read_statement(ledgers.uow(), contract_id=contract.contract_id, month=month, customer_id=None)
        columns = ("opening", "granted", "expired", "used", "closing")
        return {one.name: tuple(getattr(one, column) for column in columns) for one in view.accounts}, view

    may, view = await statement("2026-05")
    assert may == {"main": (0, 1200, 1110, 90, 0), "owed": (0, 0, 0, 0, 0)}
    assert [(one.number, one.quantity) for one in view.accounts[0].by_ticket] == [("T-1", 90)]
    # what was left of May ended with it
    june, _ = await statement("2026-06")
    assert june == {"main": (0, 1200, 0, 1200, 0), "owed": (0, 0, 0, 60, -60)}


async def test_a_day_is_the_contracts_over_all_its_tickets(ledgers):
    """IRE-05: two tickets of one day take one workday: that of whichever was worked on first."""
    await ledgers.publish("ireo")
    contract = await ledgers.sign(plan="vip")
    await ledgers.top_up(contract, 5, name="preventive_workdays")
    facts = {"category": "preventive_consulting", "consulting_in": "workdays"}
    first, second = [await ledgers.open_ticket(contract, facts=facts) for _ in range(2)]

    late = await ledgers.log(first, 100, hours_ago=2)
    early = await ledgers.log(second, 100, hours_ago=4)  # earlier that day: it takes the workday, the other lets go

    assert await ledgers.balances(contract) == {"preventive_workdays minute": 4 * 480}
    assert [one.quantity for one in late.charges] == [480]
    assert sorted(one.quantity for one in early.charges) == [-480, 480]
    await ledgers.void(early)
    assert [one.quantity for one in await ledgers.charges(first)] == [480, -480, 480]
    assert await ledgers.balances(contract) == {"preventive_workdays minute": 4 * 480}
    assert (await verification.verify_ledger(ledgers.uow())).faults == []


async def test_facts_of_work_that_cannot_be_so(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 2)
    ticket = await ledgers.open_ticket(contract)

    with pytest.raises(InvalidInput) as refused:
        await ledgers.log(ticket, 5, facts={"location": "moon", "shared_responsibility": "yes", "category": True})

    assert [fault.pointer for fault in refused.value.faults] == [
        "/facts/location",
        "/facts/shared_responsibility",
        "/facts/category",
    ]
