"""Who is let in, when, and what is set aside for whom. SMA-02, SMA-14"""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from pydantic_core import to_jsonable_python

from plazo.policies import policy_text
from plazo.policy import load_policy

NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)


def reserving():
    """Return the policy of SmartCloud, but that the minimum is set aside for each ticket."""
    policy = load_policy(policy_text("smartcloud"))
    account = policy.billing.account.model_copy(update={"on_minimum": "reserve"})
    return policy.model_copy(update={"billing": policy.billing.model_copy(update={"account": account})})


async def decisions(ledgers, *tickets):
    """Return the last decision on each ticket."""
    events = await ledgers.events("admission.granted.v1", "admission.withheld.v1")
    last = {one["ticket_id"]: one.get("reason", "granted") for one in events}
    return [last[to_jsonable_python(ticket.ticket_id)] for ticket in tickets]


async def test_two_units_are_needed_to_begin(ledgers):
    """SMA-14: a top-up lets in who waited, oldest first, from the instant of the top-up."""
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 1)
    younger = await ledgers.open_ticket(contract, at=NOW)
    older = await ledgers.open_ticket(contract, at=NOW - timedelta(hours=1))
    assert await decisions(ledgers, older, younger) == ["awaiting_credit"] * 2

    ledgers.now = NOW + timedelta(hours=3)
    await ledgers.top_up(contract, 1)

    granted = await ledgers.events("admission.granted.v1")
    assert [one["ticket_id"] for one in granted] == [str(older.ticket_id), str(younger.ticket_id)]
    assert {one["occurred_at"] for one in granted} == {ledgers.now}


async def test_the_balance_of_the_opening_decides_not_that_of_the_decision(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 2)

    before = await ledgers.open_ticket(contract, at=NOW - timedelta(hours=1))

    assert await decisions(ledgers, before) == ["awaiting_credit"]


async def test_an_overdue_contract_waits_for_the_payment(ledgers):
    """SMA-02."""
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 5)
    await ledgers.set_standing(contract, "overdue")
    ticket = await ledgers.open_ticket(contract)
    assert await decisions(ledgers, ticket) == ["overdue"]

    await ledgers.set_standing(contract, "blocked")
    assert await decisions(ledgers, ticket) == ["overdue"]
    await ledgers.set_standing(contract, "good")

    assert await decisions(ledgers, ticket) == ["granted"]
    changes = await ledgers.events("account.standing_changed.v1")
    assert [one["standing"] for one in changes] == ["overdue", "blocked", "good"]


async def test_the_reason_changes_with_what_is_missing(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.set_standing(contract, "overdue")
    ticket = await ledgers.open_ticket(contract)

    await ledgers.set_standing(contract, "good")

    assert await decisions(ledgers, ticket) == ["awaiting_credit"]


async def test_a_ticket_that_is_over_is_not_let_in(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    ticket = await ledgers.open_ticket(contract)
    await ledgers.close(ticket)

    await ledgers.top_up(contract, 5)

    assert await decisions(ledgers, ticket) == ["awaiting_credit"]


@pytest.mark.parametrize(
    ("policy", "let_in"), [pytest.param(reserving, 1, id="reserve"), pytest.param(lambda: "smartcloud", 2, id="check")]
)
async def test_two_tickets_race_for_the_last_two_units(ledgers, policy, let_in):
    await ledgers.publish(policy())
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 2)

    tickets = await asyncio.gather(*(ledgers.open_ticket(contract) for _ in range(2)))

    assert (await decisions(ledgers, *tickets)).count("granted") == let_in


async def test_what_is_set_aside_is_used_by_the_work_and_freed_at_the_end(ledgers):
    await ledgers.publish(reserving())
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 2)
    first = await ledgers.open_ticket(contract)
    second = await ledgers.open_ticket(contract)
    assert await ledgers.balances(contract) == {"reserved credit_unit": 2}

    await ledgers.log(first, 5, hours_ago=0)
    assert await ledgers.balances(contract) == {"reserved credit_unit": 1}
    assert await decisions(ledgers, first, second) == ["granted", "awaiting_credit"]
    await ledgers.top_up(contract, 1)
    assert await decisions(ledgers, second) == ["awaiting_credit"]  # 1 free, 2 are needed
    await ledgers.close(first)

    # what the first had left is free again: 1 + 1 make the second's minimum
    assert await decisions(ledgers, second) == ["granted"]
    assert await ledgers.balances(contract) == {"reserved credit_unit": 2}
    assert await ledgers.sums() == []
