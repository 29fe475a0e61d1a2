"""Service credits in the ledger and on the statement."""

from datetime import UTC, datetime, timedelta

import pytest

from billing.usecases import service_credits, statements, verification
from plazo.kernel.ids import new_id
from plazo.policies import policy_text
from plazo.policy import Policy, load_policy
from plazo.runtime.inbox import NotYet

FEE = {"reference": "anexo", "monthly_fee": {"minor": 450_000, "currency": "PEN"}}


def promising():
    """Return the policy of Prodequa, but that it credits 10 % of the fee for each breach, up to 15 % a month."""
    policy = load_policy(policy_text("prodequa")).model_dump(mode="json")
    policy["billing"]["service_credits"] = [
        {"when": {"cause": ["customer"]}, "percent": 0, "clause": ["PRO-14"]},
        {"when": {}, "percent": 10, "cap_percent": 15, "clause": ["PRO-14"]},
    ]
    return Policy.model_validate(policy)


@pytest.fixture
async def desk_of_one(ledgers):
    await ledgers.publish(promising())
    contract = await ledgers.sign(plan="basic", agreed=FEE)
    return contract, await ledgers.open_ticket(contract)


async def breach(ledgers, ticket, *, clock_id=None, hours_ago=3, is_guarantee=True):
    clock_id = clock_id or new_id()
    await service_credits.note_breach(
        ledgers.uow(),
        ticket_id=ticket.ticket_id,
        clock_id=clock_id,
        kind="resolution",
        is_guarantee=is_guarantee,
        breached_at=ledgers.now - timedelta(hours=hours_ago),
        why=ledgers.why(),
    )
    return clock_id


async def retract(ledgers, ticket, clock_id):
    await service_credits.retract_breach(
        ledgers.uow(), ticket_id=ticket.ticket_id, clock_id=clock_id, why=ledgers.why()
    )


async def owed(ledgers, contract):
    rows = await ledgers.house.fetch(
        "billing",
        "SELECT counted_in, balance FROM account WHERE contract_id = $1 AND kind = 'credited'",
        contract.contract_id,
    )
    return {row["counted_in"]: row["balance"] for row in rows}


async def announced(ledgers):
    events = await ledgers.events("service_credit.granted.v1", "service_credit.reversed.v1")
    return [(one["type"].split(".")[1], one["amount"], one["total"]) for one in events]


async def test_a_breach_is_credited_and_taken_back(ledgers, desk_of_one):
    contract, ticket = desk_of_one
    first = await breach(ledgers, ticket, hours_ago=3)
    await breach(ledgers, ticket, hours_ago=2)
    assert await owed(ledgers, contract) == {"PEN": 67_500}  # 10 % and, of 15 %, 5 % of 4500.00

    await retract(ledgers, ticket, first)

    assert await owed(ledgers, contract) == {"PEN": 45_000}
    assert await announced(ledgers) == [
        ("granted", 45_000, 45_000),
        ("granted", 22_500, 22_500),
        ("reversed", 45_000, 0),
        ("granted", 22_500, 45_000),
    ]
    page = await service_credits.list_credits(
        ledgers.uow(), contract_id=None, ticket_id=ticket.ticket_id, customer_id=None, cursor=None, limit=5
    )
    assert [(one.amount, one.reason, one.clauses) for one in page.items] == [
        (0, "retracted", []),
        (45_000, None, ["PRO-14"]),
    ]
    assert (await verification.verify_ledger(ledgers.uow())).faults == []
    assert await ledgers.sums() == []


async def test_learnt_twice_and_out_of_order(ledgers, desk_of_one):
    contract, ticket = desk_of_one
    late = await breach(ledgers, ticket, hours_ago=1)
    await breach(ledgers, ticket, hours_ago=2)
    await breach(ledgers, ticket, clock_id=late, hours_ago=1)
    assert await owed(ledgers, contract) == {"PEN": 67_500}
    # the earlier one has its 10 %, the later one what is left of 15 %
    assert (await announced(ledgers))[1:] == [("granted", 45_000, 45_000), ("reversed", 22_500, 22_500)]


async def test_an_objective_is_never_credited(ledgers, desk_of_one):
    contract, ticket = desk_of_one
    await breach(ledgers, ticket, is_guarantee=False)
    assert await owed(ledgers, contract) == {}


async def test_a_cause_found_later_excludes_it(ledgers, desk_of_one):
    contract, ticket = desk_of_one
    await breach(ledgers, ticket)
    await ledgers.change_facts(ticket, cause="customer")
    assert await owed(ledgers, contract) == {"PEN": 0}
    assert (await announced(ledgers))[-1] == ("reversed", 45_000, 0)


async def test_a_ticket_that_is_not_known_yet(ledgers, desk_of_one):
    with pytest.raises(NotYet):
        await service_credits.retract_breach(ledgers.uow(), ticket_id=new_id(), clock_id=new_id(), why=ledgers.why())


async def test_credits_stand_on_the_statement_and_late_reversals_on_the_next(ledgers, desk_of_one):
    contract, ticket = desk_of_one
    clock_id = await breach(ledgers, ticket)
    ledgers.now = datetime(2026, 6, 2, 13, tzinfo=UTC)

    async def read(month):
        view = await statements.read_statement(
            ledgers.uow(), contract_id=contract.contract_id, month=month, customer_id=None
        )
        one = next(one for one in view.accounts if one.kind == "credited")
        return view, (one.opening, one.credited, one.late, one.closing)

    may, totals = await read("2026-05")
    await retract(ledgers, ticket, clock_id)
    june, after = await read("2026-06")

    assert totals == (0, 45_000, 0, 45_000)
    assert [(one.number, one.amount, one.percent) for one in may.credits] == [("T-1", 45_000, 10)]
    assert after == (45_000, 0, -45_000, 0)
    assert [(one.month, one.movement, one.amount) for one in june.late] == [("2026-05", "credited", -45_000)]
    lines = await statements.list_lines(
        ledgers.uow(), contract_id=contract.contract_id, month="2026-05", customer_id=None, locale=None
    )
    assert [(one.amount_minor, one.currency, one.billable) for one in lines if one.kind == "credited"] == [
        (-45_000, "PEN", True)
    ]
