"""Quotes: offered, accepted and set aside, done under, released, expired. SMA-18"""

import asyncio
from datetime import timedelta

import pytest

from billing.schemas.quotes import AcceptanceCreate, AmountInput, QuoteCreate
from billing.usecases import quotes, verification
from billing.usecases.quotes import QuoteDecided, UnitsTaken
from billing.usecases.work import QuoteNotAccepted, QuoteRequired
from plazo.kernel.errors import InvalidInput, NotFound
from plazo.policies import policy_text
from plazo.policy import Policy, load_policy

ON_SITE = {"location": "on_site"}


async def offer(ledgers, ticket, minutes, **more):
    body = QuoteCreate(
        **{
            "ticket_id": ticket.ticket_id,
            "minutes": minutes,
            "description": "visit",
            "valid_until": ledgers.now + timedelta(days=7),
        }
        | more
    )
    return await quotes.offer_quote(ledgers.uow(), body=body, quoted_by="agent")


async def accept(ledgers, quote, **more):
    return await quotes.accept_quote(
        ledgers.uow(),
        quote_id=quote.quote_id,
        **{"body": AcceptanceCreate(), "customer_id": None, "by": "customer"} | more,
    )


async def a_ticket(ledgers, *, units=7):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, units)
    return contract, await ledgers.open_ticket(contract)


def reserving():
    """Return SmartCloud's policy, but that no minimum is asked and accounts reserve."""
    policy = load_policy(policy_text("smartcloud"))
    account = policy.billing.account.model_copy(update={"minimum_balance": 0, "on_minimum": "reserve"})
    billing = policy.billing.model_copy(update={"account": account})
    return Policy.model_validate(policy.model_copy(update={"billing": billing}).model_dump(mode="json"))


async def test_units_are_set_aside_until_the_work_is_done(ledgers):
    contract, ticket = await a_ticket(ledgers)

    # 90 minutes are two started hours
    quote = await offer(ledgers, ticket, 90, facts=ON_SITE, extra=AmountInput(minor=4500, currency="USD"))
    assert quote.explanation["en"].startswith("2 of your 7 units; 1 h 30 min worked → 2 h by SMA-18")
    assert quote.explanation["es"].startswith("2 de sus 7 unidades")
    assert await ledgers.balances(contract) == {"main credit_unit": 7}

    await accept(ledgers, quote)
    assert await ledgers.balances(contract) == {"main credit_unit": 5, "reserved credit_unit": 2}

    ledgers.now += timedelta(days=1)
    # 130 minutes are three units: two were set aside, one more is taken
    done = await ledgers.log(ticket, 130, facts=ON_SITE, quote_id=quote.quote_id)
    assert await ledgers.balances(contract) == {"main credit_unit": 4, "owed USD": -4500}
    assert {(one.unit, one.quantity) for one in done.charges} == {("credit_unit", 3), ("USD", 4500)}
    assert "charge agreed in the quote → by SMA-18 → 45.00 USD owed" in done.charges[0].explanation["en"]

    assert (await verification.verify_ledger(ledgers.uow())).faults == []

    await ledgers.void(done)
    assert await ledgers.balances(contract) == {"main credit_unit": 5, "reserved credit_unit": 2}
    assert await ledgers.sums() == []


async def test_on_site_work_takes_an_accepted_quote(ledgers):
    _, ticket = await a_ticket(ledgers)
    quote = await offer(ledgers, ticket, 60, facts=ON_SITE)

    with pytest.raises(QuoteRequired) as refused:
        await ledgers.log(ticket, 60, facts=ON_SITE)
    assert refused.value.clause == "SMA-18"
    with pytest.raises(QuoteNotAccepted):
        await ledgers.log(ticket, 60, facts=ON_SITE, quote_id=quote.quote_id)
    with pytest.raises(InvalidInput) as stated:
        await ledgers.log(ticket, 60, facts=ON_SITE | {"quote_accepted": True})
    assert [fault.pointer for fault in stated.value.faults] == ["/facts/quote_accepted"]
    await accept(ledgers, quote)

    done = await ledgers.log(ticket, 60, facts=ON_SITE, quote_id=quote.quote_id)

    assert (done.charges[0].quantity, done.charges[0].clauses) == (1, ["SMA-18"])


@pytest.mark.parametrize(("policy", "accepted"), [("smartcloud", 2), (reserving(), 1)], ids=["check", "reserve"])
async def test_two_quotes_race_for_the_last_two_units(ledgers, policy, accepted):
    await ledgers.publish(policy)
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 2)
    offers = [await offer(ledgers, await ledgers.open_ticket(contract), 120) for _ in range(2)]

    outcomes = await asyncio.gather(*(accept(ledgers, one) for one in offers), return_exceptions=True)

    assert sum(not isinstance(one, BaseException) for one in outcomes) == accepted
    assert all(isinstance(one, UnitsTaken) for one in outcomes if isinstance(one, BaseException))
    assert await ledgers.balances(contract) == {"reserved credit_unit": 2}


@pytest.mark.parametrize("end", ["release", "expire", "close"])
async def test_what_is_not_used_is_free_again(ledgers, end):
    contract, ticket = await a_ticket(ledgers)
    quote = await offer(ledgers, ticket, 120)
    await accept(ledgers, quote)

    if end == "release":
        view = await quotes.release_quote(ledgers.uow(), quote_id=quote.quote_id, by="agent")
        assert view.state == "released"
    elif end == "expire":
        await quotes.expire_quote(ledgers.uow(), quote_id=quote.quote_id)
        await quotes.expire_quote(ledgers.uow(), quote_id=quote.quote_id)
    else:
        await ledgers.close(ticket)

    assert await ledgers.balances(contract) == {"main credit_unit": 7}


async def test_a_quote_is_decided_once_and_in_time(ledgers):
    contract, ticket = await a_ticket(ledgers)
    accepted, declined, late = [await offer(ledgers, ticket, 60) for _ in range(3)]
    await accept(ledgers, accepted)
    await quotes.decline_quote(ledgers.uow(), quote_id=declined.quote_id, customer_id=None, by="customer")

    for one in (accepted, declined):
        with pytest.raises(QuoteDecided):
            await accept(ledgers, one)
    with pytest.raises(NotFound):
        await accept(ledgers, late, customer_id=contract.contract_id)
    ledgers.now += timedelta(days=7)
    with pytest.raises(QuoteDecided, match="until"):
        await accept(ledgers, late)
    with pytest.raises(InvalidInput):
        await offer(ledgers, ticket, 60, valid_until=ledgers.now)


async def test_a_quote_under_a_contract_waits_for_its_ticket(ledgers):
    contract, ticket = await a_ticket(ledgers)
    quote = await offer(ledgers, ticket, 61, ticket_id=None, contract_id=contract.contract_id)
    assert (quote.quantity, quote.ticket_id) == (2, None)

    with pytest.raises(InvalidInput):
        await accept(ledgers, quote)
    view = await accept(ledgers, quote, body=AcceptanceCreate(ticket_id=ticket.ticket_id))

    assert view.ticket_id == ticket.ticket_id
    assert await ledgers.balances(contract) == {"main credit_unit": 5, "reserved credit_unit": 2}
    assert [one["state"] for one in await ledgers.events("quote.changed.v1")] == ["offered", "accepted"]
