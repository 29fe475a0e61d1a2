"""What differs between what was accepted and what the product has become, in words."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from faults.accepted import Exchange
from faults.dossiers import ticket_differences
from faults.live import Timeline
from faults.observe import ObservedDesk, observe
from faults.offices import Office
from faults.oracle.desk import DeskStory, TestClock
from faults.oracle.ledger import Lot
from faults.posts import post_differences
from faults.stored import stored_faults
from faults.traffic import Traffic
from faults.words import instant, words

_PATIENCE_SECONDS = 60.0
#: Whoever was killed while it posted has its turn for two minutes more, and a refusal is tried again a minute later.
_UNDER_WAY_SECONDS = 240.0


async def differences(
    traffic: Traffic, *, databases: Mapping[str, str] | None = None, seconds: float = _PATIENCE_SECONDS
) -> list[str]:
    """Wait until all desks are at rest and say, in words, what differs from what was accepted; nothing is well.

    A live desk never rests for long: it is asked again until nothing differs, for as long as `seconds`.
    """
    looked = await look(traffic, databases=databases, seconds=seconds)
    return [one for found, _ in looked.values() for one in found]


async def look(
    traffic: Traffic, *, databases: Mapping[str, str] | None = None, seconds: float = _PATIENCE_SECONDS
) -> dict[str, tuple[list[str], ObservedDesk]]:
    """Return for each desk what differs, and what was observed of it."""
    found = await asyncio.gather(
        *(_of_desk(traffic, office, databases=databases or {}, seconds=seconds) for office in traffic.offices)
    )
    return {office.name: one for office, one in zip(traffic.offices, found, strict=True)}


async def _of_desk(
    traffic: Traffic, office: Office, *, databases: Mapping[str, str], seconds: float
) -> tuple[list[str], ObservedDesk]:
    loop = asyncio.get_running_loop()
    if not office.is_live:
        await office.settle()
    deadline = loop.time() + (seconds if office.is_live else min(seconds, 5.0))
    await _delivered(office)
    while True:
        desk = await observe(office)
        found = compared(traffic, office, desk)
        found += [
            f"desk {office.name}: {one}" for one in await stored_faults(databases, office.desk_id, present=office.now)
        ]
        if not found or loop.time() > deadline:
            return found, desk
        await asyncio.sleep(0.5)


async def _delivered(office: Office) -> None:
    """Wait until nothing is under way to the partner any more; what stays is found in the database."""
    if office.receiver is None:
        return
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _UNDER_WAY_SECONDS
    path = f"/v1/subscriptions/{office.subscription['subscription_id']}/deliveries"
    while loop.time() < deadline:
        page = await office.sender.read(path, token=office.admin, state="queued", limit=1)
        if not page["items"]:
            return
        await asyncio.sleep(0.1)


def compared(traffic: Traffic, office: Office, desk: ObservedDesk) -> list[str]:
    """Compare what was observed of a desk with what the oracle makes of its record."""
    watch = Timeline(desk, slack=traffic.slack) if office.is_live else TestClock(office.starts_at)
    story = DeskStory(office.name, office.trade.policy, watch, pace=asdict(traffic.pace))
    for exchange in traffic.accepted.of(office.name):
        story.take(exchange)
    story.finish(desk.observed_at if office.is_live else office.now)
    faults = [*story.faults, *(watch.faults if isinstance(watch, Timeline) else ())]
    faults += [f"{one}: was answered with 500" for one in traffic.accepted.crashed() if one.desk == office.name]
    faults += [f"desk {office.name}: {one}" for one in _desk_differences(story, desk)]
    timelines = {ticket_id: one.timeline for ticket_id, one in desk.tickets.items()}
    if office.receiver is not None:
        lows = Counter((contract_id, low) for contract_id, books in story.books.items() for low in books.lows)
        sent = post_differences(desk.posts, office.subscription["secret"], timelines, lows)
        faults += [f"desk {office.name}: {one}" for one in sent]
    for ticket_id, expected in story.tickets.items():
        observed = desk.tickets.get(ticket_id)
        name = f"desk {office.name} ticket {ticket_id}"
        if observed is None:
            faults.append(f"{name}: it was accepted, and is not there")
            continue
        name = f"desk {office.name} ticket {observed.ticket['number']}"
        faults += [f"{name}: {one}" for one in ticket_differences(expected, observed, is_live=office.is_live)]
    return faults


# A desk.


def _desk_differences(story: DeskStory, desk: ObservedDesk) -> Iterator[str]:
    for ticket_id in desk.tickets.keys() - story.tickets.keys():
        yield f"ticket {desk.tickets[ticket_id].ticket['number']} is there, and nobody was told that it was accepted"
    for letter in desk.dead_letters:
        yield f"dead letter in {letter}"
    for kept in desk.kept:
        yield f"a request is kept that was refused: {kept}"
    if not desk.ledger["agrees"]:
        yield f"the ledger does not agree with itself: {desk.ledger['faults']}"
    yield from _ledger_differences(story, desk)
    expected = Counter({story.customer_of(contract_id): len(books.lows) for contract_id, books in story.books.items()})
    found = Counter(one["to"] for one in desk.warnings)
    for address in (expected - found) + (found - expected):
        yield f"{address} was warned of a low balance {found[address]} times, expected {expected[address]}"


def _ledger_differences(story: DeskStory, desk: ObservedDesk) -> Iterator[str]:
    for contract_id, books in story.books.items():
        lots, charged = books.settle(desk.observed_at if story.is_live else story.watch.at(_NOTHING, "", ""))
        accounts = [one for one in desk.accounts.values() if one["contract_id"] == contract_id]
        prepaid = [one for one in accounts if one["name"] == "main" and one["kind"] == "prepaid"]
        if books.rule in ("units", "minutes") and len(prepaid) != 1:
            yield f"contract {contract_id}: {len(prepaid)} prepaid accounts, expected one"
        for account in prepaid:
            yield from _account_differences(lots, account, desk.entries[account["account_id"]], is_live=story.is_live)
        for ticket_id in story.tickets_of(contract_id):
            observed, total = desk.tickets.get(ticket_id), charged.get(ticket_id, 0)
            told = sum(one["quantity"] for one in observed.charges) if observed else 0
            if told != total:
                yield f"ticket {ticket_id}: charged {told}, expected {total}"
        for quote in books.quotes.values():
            shown = desk.quotes.get(quote.quote_id, {})
            if (shown.get("state"), shown.get("quantity")) != (quote.state, quote.quantity):
                yield f"quote of {quote.quantity} {quote.state} expected, found {shown}"
        for work in books.works.values():
            observed = desk.tickets.get(work.ticket_id)
            own = observed.work if observed else []
            logged = [one for one in own if work.work_id in (one["work_id"], one["appointment"])]
            if [(one["minutes"], one["voided_at"]) for one in logged] != [(work.minutes, None)]:
                yield f"work {work.work_id} of {work.minutes} min: {logged}"


def _account_differences(
    lots: list[Lot], account: dict[str, Any], entries: list[dict[str, Any]], *, is_live: bool
) -> Iterator[str]:
    name = f"account {account['account_id']}"

    def shown(effective: datetime | None, expires: datetime | None, granted: int, left: int) -> tuple[object, ...]:
        return (None if is_live else effective, expires, granted, left)

    expected = Counter(shown(lot.effective_from, lot.expires_at, lot.granted, lot.remaining) for lot in lots)
    found = Counter(
        shown(instant(lot["effective_from"]), instant(lot["expires_at"]), lot["granted"], lot["remaining"])
        for lot in account["lots"]
    )
    if is_live:  # which of two grants pays is the order of their instants, and those nobody was told
        expected, found = _together(expected), _together(found)
    for lot in (expected - found).elements():
        yield f"{name}: no grant (from, until, granted, left) {words(lot)}"
    for lot in (found - expected).elements():
        yield f"{name}: a grant (from, until, granted, left) {words(lot)} that nobody made so"
    balance = sum(lot.remaining for lot in lots)
    if account["balance"] != balance:
        yield f"{name}: a balance of {account['balance']}, expected {balance}"
    total = sum(entry["amount"] for entry in entries)
    if total != account["balance"]:
        yield f"{name}: its entries come to {total}, its balance is {account['balance']}"


def _together(lots: Counter[Any]) -> Counter[Any]:
    granted, left = Counter[Any](), 0
    for (_, expires, quantity, remaining), count in lots.items():
        granted[None, expires, quantity, 0] += count
        left += remaining * count
    granted["left in all", left] = 1
    return granted


_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_NOTHING = Exchange(0, "", "", "", "", "", None, None, 0, None, (), _BEGINNING, _BEGINNING)
