"""What differs between what was accepted and what the product has become, in words."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from faults.accepted import Exchange
from faults.observe import Observed, ObservedDesk, observe
from faults.offices import Office
from faults.oracle.chain import first_fault
from faults.oracle.clock import Shown
from faults.oracle.desk import DeskStory, TestClock
from faults.oracle.ledger import Lot
from faults.oracle.ticket import Escalation, Moment, TicketStory
from faults.traffic import Traffic

#: What a live desk is told at an instant that nobody can foretell.
_UNTIMED = ("acknowledged", "notified", "notice_sent", "charged")
#: What a live desk may tell too much of, where time came before the news that took its cause away.
_EXCUSED = (
    "clock_warned",
    "clock_breached",
    "clock_breach_retracted",
    "clock_rescheduled",
    "escalated",
    "escalation_step",
    "escalation_stopped",
    "notified",
    "notice_sent",
)
_CAUSES = ("clock_stopped", "clock_cancelled", "clock_rescheduled", "clock_breach_retracted")
_INSTANTS = ("started_at", "due_at", "stopped_at", "breached_at")
_PATIENCE_SECONDS = 60.0


async def differences(
    traffic: Traffic, *, databases: Mapping[str, str] | None = None, seconds: float = _PATIENCE_SECONDS
) -> list[str]:
    """Wait until all desks are at rest and say, in words, what differs from what was accepted; nothing is well.

    A live desk never rests for long: it is asked again until nothing differs, for as long as `seconds`.
    """
    return [one for found, _ in (await look(traffic, seconds=seconds)).values() for one in found]


async def look(traffic: Traffic, *, seconds: float = _PATIENCE_SECONDS) -> dict[str, tuple[list[str], ObservedDesk]]:
    """Return for each desk what differs, and what was observed of it."""
    found = await asyncio.gather(*(_of_desk(traffic, office, seconds=seconds) for office in traffic.offices))
    return {office.name: one for office, one in zip(traffic.offices, found, strict=True)}


async def _of_desk(traffic: Traffic, office: Office, *, seconds: float) -> tuple[list[str], ObservedDesk]:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + (seconds if office.is_live else min(seconds, 5.0))
    if not office.is_live:
        await office.settle()
    while True:
        desk = await observe(office)
        found = compared(traffic, office, desk)
        if not found or loop.time() > deadline:
            return found, desk
        await asyncio.sleep(0.5)


def compared(traffic: Traffic, office: Office, desk: ObservedDesk) -> list[str]:
    """Compare what was observed of a desk with what the oracle makes of its record."""
    watch = Timeline(desk, slack=traffic.slack) if office.is_live else TestClock(office.starts_at)
    story = DeskStory(office.name, office.trade.policy, watch, pace=asdict(traffic.pace))
    for exchange in traffic.accepted.of(office.name):
        story.take(exchange)
    story.finish(desk.observed_at if office.is_live else office.now)
    faults = [*story.faults, *(watch.faults if isinstance(watch, Timeline) else ())]
    faults += [f"desk {office.name}: {one}" for one in _desk_differences(story, desk)]
    for ticket_id, expected in story.tickets.items():
        observed = desk.tickets.get(ticket_id)
        name = f"desk {office.name} ticket {ticket_id}"
        if observed is None:
            faults.append(f"{name}: it was accepted, and is not there")
            continue
        name = f"desk {office.name} ticket {observed.ticket['number']}"
        faults += [f"{name}: {one}" for one in _ticket_differences(expected, observed, is_live=office.is_live)]
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
        for work in books.works.values():
            observed = desk.tickets.get(work.ticket_id)
            logged = [one for one in observed.work if one["work_id"] == work.work_id] if observed else []
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
        shown(_instant(lot["effective_from"]), _instant(lot["expires_at"]), lot["granted"], lot["remaining"])
        for lot in account["lots"]
    )
    if is_live:  # which of two grants pays is the order of their instants, and those nobody was told
        expected, found = _together(expected), _together(found)
    for lot in (expected - found).elements():
        yield f"{name}: no grant (from, until, granted, left) {_words(lot)}"
    for lot in (found - expected).elements():
        yield f"{name}: a grant (from, until, granted, left) {_words(lot)} that nobody made so"
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


# A ticket.


def _ticket_differences(story: TicketStory, observed: Observed, *, is_live: bool) -> Iterator[str]:
    ticket = observed.ticket
    severity, priority = story.contract.grades(story.facts, story.plan)
    is_timed = not is_live
    wanted: dict[str, Any] = {
        "state": story.state,
        "cycle": story.cycle,
        "level": story.level,
        "team": story.team,
        "waits": sorted(story.waits),
        "severity": severity,
        "priority": priority,
        "opened_at": story.opened_at,
        "closed_at": story.closed_at,
        "closed_for": story.closed_for,
        "held for": story.held_for,
        "resolved_at": story.resolved_at,
        "attempts": len(story.attempts),
        "closes_at": story.closes_at,
        "acknowledged_at": story.acknowledged_at if is_timed else story.acknowledged_at is not None,
    }
    found = {
        **{name: ticket.get(name) for name in wanted},
        "waits": sorted(ticket["waits"]),
        "opened_at": _instant(ticket["opened_at"]),
        "closed_at": _instant(ticket["closed_at"]),
        "held for": ticket["hold"]["reason"] if ticket["hold"] else None,
        "resolved_at": _instant(ticket["resolution"]["resolved_at"]) if ticket["resolution"] else None,
        "attempts": ticket["attempts"]["made"],
        "closes_at": _instant(ticket["attempts"]["closes_at"]),
        "acknowledged_at": _instant(ticket["acknowledged_at"]) if is_timed else ticket["acknowledged_at"] is not None,
    }
    for name, value in wanted.items():
        if found[name] != value:
            yield f"{name} {_words(value)} expected, found {_words(found[name])}"
    for where, clocks in (("ticket", ticket["clocks"]), ("sla-clock", observed.clocks)):
        yield from _clock_differences(story, clocks, where=where)
    excuses = _excuses(observed) if is_live else []
    yield from _timeline_differences(story, observed, excuses, is_live=is_live)
    yield from _escalation_differences(story, observed, excuses)
    yield from _message_differences(story, observed, excuses)
    fault = first_fault(story.ticket_id, observed.timeline, observed.head)
    if fault is not None:
        yield f"the chain of its timeline is broken: {fault}"
    told = Counter(entry["data"]["quantity"] for entry in observed.timeline if entry["kind"] == "charged")
    made = Counter(charge["quantity"] for charge in observed.charges)
    if told != made:
        yield f"charges {dict(made)} in billing, {dict(told)} in its timeline"
    shown = Counter(charge["quantity"] for charge in ticket["charges"])
    if shown != made:
        yield f"charges {dict(made)} in billing, {dict(shown)} shown with the ticket"


def _clock_differences(story: TicketStory, clocks: list[dict[str, Any]], *, where: str) -> Iterator[str]:
    found = {
        (one["kind"], one["cycle"]): Shown(
            one["kind"],
            one["cycle"],
            one["state"],
            *(_instant(one[name]) for name in _INSTANTS),  # type: ignore[arg-type]
        )
        for one in clocks
    }
    expected = {(clock.kind, clock.cycle): clock.shown(story.present) for clock in story.clocks}
    if len(found) != len(clocks):
        yield f"{where} shows a clock twice: {sorted((one['kind'], one['cycle']) for one in clocks)}"
    for kind, cycle in sorted(expected.keys() | found.keys()):
        name = f"{kind} clock of cycle {cycle} ({where})"
        wanted, shown = expected.get((kind, cycle)), found.get((kind, cycle))
        if wanted is None:
            yield f"{name}: found, and never promised"
        elif shown is None:
            yield f"{name}: is not there"
        else:
            for field_name in ("state", "started_at", "due_at", "stopped_at", "breached_at"):
                one, other = getattr(wanted, field_name), getattr(shown, field_name)
                if one != other:
                    yield f"{name}: {field_name} {_words(one)} expected, found {_words(other)}"


def _timeline_differences(
    story: TicketStory, observed: Observed, excuses: list["Excuse"], *, is_live: bool
) -> Iterator[str]:
    found = Counter(
        (entry["kind"], _instant(entry["occurred_at"])) for entry in observed.timeline if entry["kind"] != "charged"
    )
    expected: Counter[Any] = Counter({moment: count for moment, count in story.timeline.items() if count})
    if is_live:
        # Nobody can foretell when a message is written; how many there are is told by the messages.
        found = Counter({one: count for one, count in found.items() if one[0] not in _UNTIMED})
        expected = Counter({one: count for one, count in expected.items() if one[0] not in _UNTIMED})
        # One that is held back, to come with others in a digest, does not go out by itself.
        written = Counter(message["message_id"] for message in observed.messages)
        sent = Counter(message["message_id"] for message in observed.messages if message["sent_at"])
        for kind, messages in (("notified", written), ("notice_sent", sent)):
            told = Counter(entry["data"]["message_id"] for entry in observed.timeline if entry["kind"] == kind)
            if told != messages:
                yield f"timeline: {kind} {sum(told.values())} times for {sum(messages.values())} messages"
    for kind, at in sorted((expected - found).elements(), key=str):
        yield f"timeline: {kind} at {_words(at)} is missing"
    for kind, at in sorted((found - expected).elements(), key=str):
        if not (kind in _EXCUSED and any(one.covers(at) for one in excuses)):
            yield f"timeline: {kind} at {_words(at)} too often"
    said = [kind for kind, _ in story.said]
    kinds = {*said}
    order = [entry["kind"] for entry in observed.timeline if entry["kind"] in kinds]
    own = Counter(said)
    if Counter(order) == own and order != said:
        yield f"timeline: said in the order {order}, expected {said}"


def _escalation_differences(story: TicketStory, observed: Observed, excuses: list["Excuse"]) -> Iterator[str]:
    left = [*observed.escalations]
    for wanted in story.escalations:
        same = [one for one in left if _is_same(wanted, one)]
        name = f"escalation by {wanted.trigger} of {wanted.kind} at {_words(wanted.raised_at)}"
        if not same:
            yield f"{name}: is not there"
            continue
        shown = same[0]
        left.remove(shown)
        if (shown["state"], _instant(shown["ended_at"])) != (wanted.state, wanted.ended_at):
            if not excuses:
                yield (
                    f"{name}: {wanted.state} at {_words(wanted.ended_at)} expected, found {shown['state']} at "
                    f"{shown['ended_at']}"
                )
        elif wanted.reasons and shown["end_reason"] not in wanted.reasons:
            yield f"{name}: ended for {wanted.reasons} expected, found {shown['end_reason']}"
        if len(shown["steps"]) != len(wanted.steps):
            yield f"{name}: {len(wanted.steps)} steps expected, found {len(shown['steps'])}"
            continue
        for number, (step, found) in enumerate(zip(wanted.steps, shown["steps"], strict=True), 1):
            state = "planned" if found["state"] == "armed" else found["state"]
            taken = (state, _instant(found["due_at"]), _instant(found["fired_at"]))
            if taken != (step.state, step.due_at, step.fired_at):
                if any(one.covers(_instant(found["fired_at"])) for one in excuses):
                    continue
                yield (
                    f"{name}: step {number} {step.state}, due {_words(step.due_at)}, taken {_words(step.fired_at)} "
                    f"expected, found {found['state']}, {found['due_at']}, {found['fired_at']}"
                )
    for shown in left:
        at = _instant(shown["raised_at"])
        if not any(one.covers(at) for one in excuses):
            yield f"an escalation by {shown['trigger']} of {shown['kind']} at {_words(at)} that nothing set off"


def _is_same(wanted: Escalation, shown: Mapping[str, Any]) -> bool:
    return (wanted.trigger, wanted.kind, wanted.threshold, wanted.raised_at) == (
        shown["trigger"],
        shown["kind"],
        shown["threshold"],
        _instant(shown["raised_at"]),
    )


def _message_differences(story: TicketStory, observed: Observed, excuses: list["Excuse"]) -> Iterator[str]:
    found = Counter(
        (one["event"], one["template"], one["to"]) for one in observed.messages if one["template"] != "digest"
    )
    for event, template, to in (story.messages - found).elements():
        yield f"message {template} of {event} to {to} is missing"
    for event, template, to in (found - story.messages).elements():
        if not (excuses and event.startswith("escalation.")):
            yield f"message {template} of {event} to {to} too often"


# A live desk.


@dataclass(frozen=True, slots=True)
class Excuse:
    """Until when the news of something was on its way: what time brought meanwhile was told in good faith."""

    happened_at: datetime
    learnt_at: datetime

    def covers(self, at: datetime | None) -> bool:
        """Whether something at an instant was told before the news came."""
        return at is not None and self.happened_at <= at <= self.learnt_at


def _excuses(observed: Observed) -> list[Excuse]:
    return [
        Excuse(occurred, recorded)
        for entry in observed.timeline
        if entry["kind"] in _CAUSES
        and (occurred := _instant(entry["occurred_at"])) is not None
        and (recorded := _instant(entry["recorded_at"])) is not None
    ]


@dataclass
class Timeline:
    """The watch of a live desk: its dossier says when an accepted request took effect, within the time it took."""

    desk: ObservedDesk
    slack: timedelta
    faults: list[str] = field(default_factory=list)
    _left: dict[str, list[Moment]] = field(default_factory=dict)

    def at(self, exchange: Exchange, ticket_id: str, kind: str) -> datetime:
        """Return when the next thing of a kind was done to a ticket."""
        left = self._of(ticket_id)
        return next((at for what, at in left if what == kind), exchange.answered_at)

    def done(self, exchange: Exchange, ticket_id: str, moments: list[Moment]) -> None:
        """Look for what was done, and whether it is dated within the request."""
        left = self._of(ticket_id)
        for moment in moments:
            if moment not in left:
                self.faults.append(f"{exchange}: {moment[0]} is not in the dossier")
                continue
            left.remove(moment)
            if not exchange.sent_at - self.slack <= moment[1] <= exchange.answered_at + self.slack:
                self.faults.append(
                    f"{exchange}: {moment[0]} is dated {_words(moment[1])}, between {_words(exchange.sent_at)} and "
                    f"{_words(exchange.answered_at)} expected"
                )

    def _of(self, ticket_id: str) -> list[Moment]:
        if ticket_id not in self._left:
            observed = self.desk.tickets.get(ticket_id)
            entries = observed.timeline if observed else []
            self._left[ticket_id] = [
                (entry["kind"], at) for entry in entries if (at := _instant(entry["occurred_at"])) is not None
            ]
        return self._left[ticket_id]


_BEGINNING = datetime(2000, 1, 1, tzinfo=UTC)
_NOTHING = Exchange(0, "", "", "", "", "", None, None, 0, None, (), _BEGINNING, _BEGINNING)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _words(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, tuple):
        return "(" + ", ".join(_words(one) for one in value) + ")"
    return str(value)
