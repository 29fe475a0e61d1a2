"""Folds tickets, announces what differs from what was announced, and arms their next instant."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from plazo.events.envelope import Event
from plazo.events.sla_clock import (
    ClockBreached,
    ClockBreachRetracted,
    ClockCancelled,
    ClockRescheduled,
    ClockStarted,
    ClockStopped,
    ClockWarned,
)
from plazo.kernel.ids import derived_id
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction
from sla_clock.domain.clock import Clock
from sla_clock.domain.difference import (
    Announced,
    Announcement,
    copy_of,
    difference,
    is_by_time,
    reached_warnings,
    vanished,
)
from sla_clock.domain.facts import Fact, FactsChanged, Opened, in_order
from sla_clock.domain.fold import fold, next_instant
from sla_clock.repository import clocks, tickets, timers
from sla_clock.repository.clocks import ClockRow
from sla_clock.repository.tickets import Ticket
from sla_clock.usecases.alarm import ring_if_soon

# Folding is pure computing: after so many tickets others in this process get their turn.
_AT_ONCE = 50


@dataclass(frozen=True, slots=True)
class News:
    """An event to announce about a ticket, as of an instant; its id follows from the clock and its revision."""

    event: Event
    event_id: UUID
    occurred_at: datetime


@dataclass(slots=True)
class Changes:
    """What a ticket's clocks come to at an instant: the clocks to save, what is told, the next instant."""

    ticket: Ticket
    before: Mapping[UUID, Announced]
    after: Sequence[Clock]
    rows: list[ClockRow] = field(default_factory=list)
    news: list[News] = field(default_factory=list)
    told: int = 0
    next_due_at: datetime | None = None
    is_by_time: bool = True  # whether nothing but the passing of time has changed them


async def announce_changes(tx: Transaction, changed: Sequence[Ticket], *, at: datetime) -> int:
    """Bring the clocks of locked tickets up to the instant `at`; return how many warnings and breaches that told.

    Everything known is folded anew, so that a fact learnt late has its effect where it belongs.
    """
    found = await find_changes(tx.connection, [(ticket, at) for ticket in changed], detected_at=tx.now)
    return await tell_changes(tx, found, at=at)


async def tell_changes(tx: Transaction, found: Sequence[Changes], *, at: datetime) -> int:
    """Announce and save what was found about locked tickets; return how many warnings and breaches that told."""
    for changes in found:
        for one in changes.news:
            tx.emit(
                one.event,
                about=changes.ticket.ticket_id,
                occurred_at=one.occurred_at,
                event_id=one.event_id,
                desk_id=changes.ticket.desk_id,
            )
    await clocks.save_clocks(tx.connection, [row for changes in found for row in changes.rows])
    await timers.arm_clocks(tx.connection, [(changes.ticket, changes.next_due_at) for changes in found])
    ring_if_soon(min((changes.next_due_at for changes in found if changes.next_due_at), default=None), now=at)
    return sum(changes.told for changes in found)


async def find_changes(
    connection: Connection, asked: Sequence[tuple[Ticket, datetime]], *, detected_at: datetime
) -> list[Changes]:
    """Fold tickets, each up to its instant, and compare with what was last announced; nothing is written."""
    ids = [ticket.ticket_id for ticket, _ in asked]
    facts = await tickets.load_facts(connection, ids)
    known = await clocks.load_announced(connection, ids)
    found: list[Changes] = []
    for place, (ticket, at) in enumerate(asked, 1):
        if place % _AT_ONCE == 0:
            await asyncio.sleep(0)
        terms = await tickets.terms_of(connection, ticket)
        happened, before = facts[ticket.ticket_id], known[ticket.ticket_id]
        later = await tickets.later_terms(connection, ticket, happened)
        folded = fold(ticket.ticket_id, happened, terms, at=at, later=later)
        changes = Changes(ticket, before, folded, next_due_at=next_instant(folded, happened, after=at))
        for clock in folded:
            if news := difference(before.get(clock.clock_id), clock, at=at):
                _tell(changes, news, before.get(clock.clock_id), detected_at=detected_at)
                changes.rows.append(_row(ticket, clock, happened, before.get(clock.clock_id), at=at))
                changes.is_by_time &= is_by_time(before.get(clock.clock_id), clock)
        for clock_id in before.keys() - {clock.clock_id for clock in folded}:
            _tell_vanished(changes, before[clock_id], at=at)
            changes.is_by_time = False
        found.append(changes)
    return found


def _tell(changes: Changes, news: Sequence[Announcement], before: Announced | None, *, detected_at: datetime) -> None:
    revision = before.revision + 1 if before else 1
    for place, one in enumerate(news):
        event = _event(changes.ticket.ticket_id, one, detected_at=detected_at)
        changes.news.append(News(event, derived_id("clock", one.clock.clock_id, revision, place), one.occurred_at))
        changes.told += one.news in {"warned", "breached"}


def _event(ticket_id: UUID, one: Announcement, *, detected_at: datetime) -> Event:  # noqa: PLR0911  # one for each news
    copy, because = copy_of(one.clock), one.clock.because
    match one.news:
        case "started":
            return ClockStarted(ticket_id=ticket_id, clock=copy)
        case "rescheduled":
            return ClockRescheduled(
                ticket_id=ticket_id, clock=copy, previous_due_at=one.previous_due_at, because=because
            )
        case "warned":
            assert one.threshold is not None
            return ClockWarned(ticket_id=ticket_id, clock=copy, threshold=one.threshold, warned_at=one.occurred_at)
        case "breached":
            return ClockBreached(ticket_id=ticket_id, clock=copy, breached_at=one.occurred_at, detected_at=detected_at)
        case "breach_retracted":
            return ClockBreachRetracted(ticket_id=ticket_id, clock=copy, because=because)
        case "stopped":
            return ClockStopped(ticket_id=ticket_id, clock=copy)
        case "cancelled":
            return ClockCancelled(ticket_id=ticket_id, clock=copy, because=because)


def _row(ticket: Ticket, clock: Clock, facts: Sequence[Fact], before: Announced | None, *, at: datetime) -> ClockRow:
    warned = {warned.key for warned in reached_warnings(clock, at=at)}
    if before is not None and before.clock.state != "cancelled":
        warned |= before.warned
    announced = Announced(copy_of(clock), clock.version, frozenset(warned), before.revision + 1 if before else 1)
    named = _named_facts(facts, at=at)
    return ClockRow(
        desk_id=ticket.desk_id,
        ticket_id=ticket.ticket_id,
        customer_id=ticket.customer_id,
        announced=announced,
        detected_at=at if clock.breached_at else None,
        plan=named.get("plan"),
        severity=named.get("severity") or named.get("priority"),
    )


def _named_facts(facts: Sequence[Fact], *, at: datetime) -> dict[str, str]:
    """Return the named facts that hold at an instant, as text."""
    named: dict[str, str] = {}
    for fact in in_order(facts, at=at):
        if isinstance(fact.what, Opened | FactsChanged):
            named = {name: str(value) for name, value in fact.what.facts.items()}
    return named


def _tell_vanished(changes: Changes, before: Announced, *, at: datetime) -> None:
    """Cancel a clock that, as a late fact shows, never was: what began it had been answered before."""
    copy, ticket = vanished(before), changes.ticket
    if copy is None:
        return
    event = ClockCancelled(ticket_id=ticket.ticket_id, clock=copy, because="never_owed")
    changes.news.append(News(event, derived_id("clock", copy.clock_id, before.revision + 1, 0), at))
    changes.rows.append(
        ClockRow(
            desk_id=ticket.desk_id,
            ticket_id=ticket.ticket_id,
            customer_id=ticket.customer_id,
            announced=Announced(copy, before.version, before.warned, before.revision + 1),
            detected_at=None,
            plan=None,
            severity=None,
        )
    )
