"""Accounts over the months: what rolls over, what is capped, what is running low."""

from datetime import UTC, date, datetime, timedelta

import pytest

from billing.usecases import verification
from plazo.policies import policy_text
from plazo.policy import Policy, load_policy


def prodequa(*, account=None, **allotment):
    """Return Prodequa's policy with other terms for its basic plan's hours."""
    policy = load_policy(policy_text("prodequa")).model_dump(mode="json")
    policy["billing"]["allotments"][0] |= allotment
    policy["billing"]["account"] |= account or {}
    return Policy.model_validate(policy)


@pytest.mark.parametrize(
    ("allotment", "minutes"),
    [
        pytest.param({}, 1200, id="expires with the month"),
        pytest.param({"rollover": True}, 4 * 1200 - 300, id="rolls over"),
        # February's is gone with March's end; its 300 minutes of work were paid from it
        pytest.param({"rollover": True, "rollover_months": 1}, 2 * 1200, id="for one month"),
        pytest.param({"rollover": True, "cap": 30}, 1800, id="up to a cap"),
    ],
)
async def test_what_rolls_over(ledgers, allotment, minutes):
    """20 h a month from February; 5 h were worked in February, learnt of in May."""
    await ledgers.publish(prodequa(**allotment))
    contract = await ledgers.sign(plan="basic", valid_from=date(2026, 2, 1))
    ticket = await ledgers.open_ticket(contract, at=datetime(2026, 2, 3, tzinfo=UTC))
    assert (await ledgers.accounts(contract))["main", "minute"].balance >= 1200

    await ledgers.log(ticket, 300, hours_ago=24 * 89)

    assert (await ledgers.accounts(contract))["main", "minute"].balance == minutes
    assert (await verification.verify_ledger(ledgers.uow())).faults == []


async def test_a_balance_that_runs_low_is_told_once_each_time(ledgers):
    await ledgers.publish(prodequa(account={"warn_below": 5}))
    contract = await ledgers.sign(plan="basic")
    ticket = await ledgers.open_ticket(contract)

    await ledgers.log(ticket, 900, hours_ago=30)  # 20 h - 15 h: not below
    assert await ledgers.events("account.low.v1") == []
    done = await ledgers.log(ticket, 1, hours_ago=4)
    await ledgers.log(ticket, 60, hours_ago=3)
    await ledgers.void(done)
    await ledgers.top_up(contract, 10, effective_at=ledgers.now - timedelta(hours=10))
    await ledgers.log(ticket, 600, hours_ago=2)

    told = await ledgers.events("account.low.v1")
    # 5 h - 1 min; 5 h - 1 h + 10 h - 10 h
    assert [(one["balance"], one["threshold"], one["clause"]) for one in told] == [
        (299, 300, "PRO-05"),
        (240, 300, "PRO-05"),
    ]


async def test_several_bags_are_drawn_soonest_to_expire_first(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    for quantity, days in ((2, 60), (2, 30), (5, None)):
        expires_at = ledgers.now + timedelta(days=days) if days else None
        await ledgers.top_up(contract, quantity, expires_at=expires_at)
    ticket = await ledgers.open_ticket(contract)

    (charge,) = (await ledgers.log(ticket, 300)).charges

    # now is 4 May: two that expire in 30 days, two in 60, one that never does
    assert "2 units from the account (expires 2026-06-03), 2 units" in charge.explanation["en"]
    ledgers.now += timedelta(days=61)
    assert await ledgers.balances(contract) == {"main credit_unit": 4}


async def test_smartcloud_tells_when_a_request_more_would_be_held(ledgers):
    """SMA-14: of three units one is left."""
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 3)
    await ledgers.log(await ledgers.open_ticket(contract), 61)

    (told,) = await ledgers.events("account.low.v1")

    assert (told["balance"], told["threshold"], told["clause"]) == (1, 2, "SMA-14")
