"""What happens to a ticket sets off what the matrix orders; its end is announced, and nobody's answer is loud."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from integration.escalation.alone import MONDAY, Desk, shipped

from plazo.events import tickets
from plazo.events.billing import AccountLow
from plazo.events.ticket_life import PlaybookExhausted
from plazo.kernel.ids import new_id
from plazo.policy.handling import Escalation, EscalationRule

DUE = MONDAY + timedelta(hours=1)
LATER = MONDAY + timedelta(hours=2)


async def publish(desk: Desk, **rule: Any) -> None:
    """Publish Expande's policy with one more rule in its matrix."""
    made = EscalationRule.model_validate({"clause": ["EXP-17"]} | rule)
    escalation = shipped("expande").escalation
    await desk.publish("expande", escalation=Escalation(levels=escalation.levels, matrix=(made, *escalation.matrix)))


async def raised(desk: Desk, ticket: UUID) -> list[tuple[str, str]]:
    return [(one["trigger"], one["state"]) for one in await desk.escalations(ticket)]


async def test_a_second_reopening_is_told_and_raises_the_ticket(own_desk: Desk) -> None:
    steps = [{"to_level": 2, "notify": ["manager"]}]
    await publish(own_desk, when={"trigger": "reopened", "reopenings": ">= 2"}, steps=steps)
    ticket = await own_desk.ticket("expande")
    levels = []
    for cycle in (2, 3):
        await own_desk.hear(tickets.TicketResolved(kind="fixed", text="x", by="Ana"), about=ticket, at=DUE)
        await own_desk.hear(tickets.TicketReopened(cycle=cycle, reason="otra vez"), about=ticket, at=LATER)
        levels.append((await own_desk.assignments(ticket))[-1]["level"])

    assert levels == [1, 2]
    assert await raised(own_desk, ticket) == [("reopened", "completed")]
    (told,) = [one for one in await own_desk.messages(ticket) if one["role"] == "manager"]
    assert told["subject"].endswith(": reabierto")


async def test_a_raised_severity_is_told_and_a_lowered_one_not(own_desk: Desk) -> None:
    await publish(
        own_desk, when={"trigger": "severity_raised", "severity": "critical"}, steps=[{"notify": ["manager"]}]
    )
    ticket = await own_desk.ticket("expande", {"severity": "minor"})
    for severity in ("critical", "minor"):
        changed = tickets.TicketFactsChanged(facts={"severity": severity}, changed=("severity",))
        await own_desk.hear(changed, about=ticket, at=DUE)

    assert await raised(own_desk, ticket) == [("severity_raised", "completed")]
    (event,) = await own_desk.events("escalation.raised.v1", about=ticket)
    assert event["occurred_at"] == DUE


async def test_an_exhausted_playbook_moves_the_ticket_unless_the_contract_wants_a_reason(own_desk: Desk) -> None:
    """SKE-03 wants one; another policy may not."""
    await publish(own_desk, when={"trigger": "playbook_exhausted"}, steps=[{"to_level": 2}])
    exhausted = PlaybookExhausted(playbook="possible_solutions", level=1)
    plain, with_reason = await own_desk.ticket("expande"), await own_desk.ticket("skedu")
    for ticket in (plain, with_reason):
        await own_desk.hear(exhausted, about=ticket, at=DUE)

    assert [one["level"] for one in await own_desk.assignments(plain)] == [1, 2]
    assert await own_desk.escalations(with_reason) == []


async def test_the_last_repetition_without_an_answer_is_loud_and_an_acknowledged_one_is_not(own_desk: Desk) -> None:
    steps = [{"notify": ["team_lead"], "repeat": "1h", "times": 2}]
    await publish(own_desk, when={"trigger": "breach"}, steps=steps)
    silent, heard = await own_desk.ticket("expande"), await own_desk.ticket("expande")
    for ticket in (silent, heard):
        await own_desk.breach(ticket, "resolution", at=DUE)
    (running,) = await own_desk.escalations(heard)
    await own_desk.admin.ok("POST", f"/v1/escalations/{running['escalation_id']}/acknowledge")

    await own_desk.fire_timer(silent)

    (unanswered,) = await own_desk.events("escalation.unanswered.v1")
    assert unanswered["aggregate_id"] == silent
    assert unanswered["occurred_at"] == DUE + timedelta(hours=1)
    completed = await own_desk.events("escalation.completed.v1")
    assert {one["aggregate_id"]: one["data"]["acknowledged"] for one in completed} == {silent: False, heard: True}
    loud = [one for one in await own_desk.messages(silent) if "NADIE RESPONDE" in one["subject"]]
    # Nobody has the role, and the policy's team no address: the provider's own hears it.
    assert [(one["event"], one["to"]) for one in loud] == [("escalation.unanswered", shipped("expande").provider.email)]
    assert not [one for one in await own_desk.messages(heard) if "NADIE" in one["subject"]]


async def test_a_share_of_the_promise_counts_on_its_calendar(own_desk: Desk) -> None:
    await publish(own_desk, when={"trigger": "breach"}, steps=[{"overrun_percent": 50, "notify": ["manager"]}])
    ticket = await own_desk.ticket("expande")

    await own_desk.breach(ticket, "resolution", at=DUE)

    (asked,) = await own_desk.events("timer.requested.v1", about=ticket)
    # half of the hour that was promised
    assert (asked["data"]["after"], asked["data"]["start"]) == ("30m", "2026-05-04T14:00:00Z")
    (step,) = (await own_desk.escalations(ticket))[0]["steps"]
    assert step["due_at"] == "2026-05-04T14:30:00Z"


async def test_a_low_balance_escalates_the_open_tickets_of_its_contract(own_desk: Desk) -> None:
    await publish(own_desk, when={"trigger": "low_balance"}, steps=[{"notify": ["manager", "requester"]}])
    contract = new_id()
    signed = tickets.ContractSigned(
        contract_id=contract,
        customer_id=own_desk.customer_id,
        policy=shipped("expande").policy,
        plan=None,
        valid_from=MONDAY.date(),
        valid_until=None,
        arrangement="plan",
    )
    known = tickets.CustomerRegistered(
        customer_id=own_desk.customer_id,
        customer_name="Cines del Sur",
        segment=None,
        timezone=None,
        language="es",
        email="cines@example.com",
    )
    await own_desk.hear(known, about=own_desk.customer_id)
    await own_desk.hear(signed, about=contract)
    one, two = [await own_desk.ticket("expande", contract_id=contract) for _ in range(2)]
    other = await own_desk.ticket("expande", contract_id=new_id())
    low = AccountLow(
        account_id=new_id(),
        contract_id=contract,
        customer_id=own_desk.customer_id,
        account_name="bolsa",
        unit="hour",
        balance=1,
        threshold=5,
        clause=None,
    )

    await own_desk.hear(low, about=low.account_id, at=DUE)

    assert await raised(own_desk, one) == await raised(own_desk, two) == [("low_balance", "completed")]
    assert await raised(own_desk, other) == []
    told = [message for message in await own_desk.messages(one) if message["event"] == "escalation.step_fired"]
    assert {message["role"]: message["subject"].partition(": ")[2] for message in told} == {
        "manager": "saldo bajo",
        "requester": "saldo bajo",
    }
