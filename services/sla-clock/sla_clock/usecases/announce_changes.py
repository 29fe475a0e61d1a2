"""Folds tickets, announces what differs from what was announced, and arms their next instant."""

import asyncio
from collections.abc import Sequence
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
from plazo.runtime.unit_of_work import Transaction
from sla_clock.domain.clock import Clock
from sla_clock.domain.difference import Announced, Announcement, copy_of, difference, reached_warnings, vanished
from sla_clock.domain.facts import Fact, FactsChanged, Opened, in_order
from sla_clock.domain.fold import fold, next_instant
from sla_clock.repository import clocks, tickets, timers
from sla_clock.repository.clocks import ClockRow
from sla_clock.repository.tickets import Ticket
from sla_clock.usecases.alarm import ring_if_soon

# Folding is pure computing: after so many tickets others in this process get their turn.
_AT_ONCE = 50


async def announce_changes(tx: Transaction, changed: Sequence[Ticket], *, at: datetime) -> int:
    """Bring the clocks of locked tickets up to the instant `at`; return how many warnings and breaches that told.

    Everything known is folded anew, so that a fact learnt late has its effect where it belongs.
    """
    ids = [ticket.ticket_id for ticket in changed]
    facts = await tickets.load_facts(tx.connection, ids)
    known = await clocks.load_announced(tx.connection, ids)
    rows: list[ClockRow] = []
    upcoming: list[tuple[Ticket, datetime | None]] = []
    told = 0
    for place, ticket in enumerate(changed, 1):
        if place % _AT_ONCE == 0:
            await asyncio.sleep(0)
        terms = await tickets.terms_of(tx.connection, ticket)
        happened = facts[ticket.ticket_id]
        later = await tickets.later_terms(tx.connection, ticket, happened)
        folded = fold(ticket.ticket_id, happened, terms, at=at, later=later)
        before = known[ticket.ticket_id]
        for clock in folded:
            news = difference(before.get(clock.clock_id), clock, at=at)
            if news:
                told += _tell(tx, ticket, news, before.get(clock.clock_id))
                rows.append(_row(ticket, clock, happened, before.get(clock.clock_id), at=at))
        gone = before.keys() - {clock.clock_id for clock in folded}
        rows += [row for clock_id in gone if (row := _tell_vanished(tx, ticket, before[clock_id], at=at))]
        upcoming.append((ticket, next_instant(folded, happened, after=at)))
    await clocks.save_clocks(tx.connection, rows)
    await timers.arm_clocks(tx.connection, upcoming)
    ring_if_soon(min((due for _, due in upcoming if due), default=None), now=at)
    return told


def _tell(tx: Transaction, ticket: Ticket, news: Sequence[Announcement], before: Announced | None) -> int:
    revision = before.revision + 1 if before else 1
    for place, one in enumerate(news):
        tx.emit(
            _event(ticket.ticket_id, one, detected_at=tx.now),
            about=ticket.ticket_id,
            occurred_at=one.occurred_at,
            event_id=derived_id("clock", one.clock.clock_id, revision, place),
            desk_id=ticket.desk_id,
        )
    return sum(1 for one in news if one.news in {"warned", "breached"})


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


def _tell_vanished(tx: Transaction, ticket: Ticket, before: Announced, *, at: datetime) -> ClockRow | None:
    """Cancel a clock that, as a late fact shows, never was: what began it had been answered before."""
    copy = vanished(before)
    if copy is None:
        return None
    tx.emit(
        ClockCancelled(ticket_id=ticket.ticket_id, clock=copy, because="never_owed"),
        about=ticket.ticket_id,
        occurred_at=at,
        event_id=derived_id("clock", copy.clock_id, before.revision + 1, 0),
        desk_id=ticket.desk_id,
    )
    return ClockRow(
        desk_id=ticket.desk_id,
        ticket_id=ticket.ticket_id,
        customer_id=ticket.customer_id,
        announced=Announced(copy, before.version, before.warned, before.revision + 1),
        detected_at=None,
        plan=None,
        severity=None,
    )
