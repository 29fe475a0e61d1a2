"""Another service asks to be told when an instant has come, or takes that back."""

from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from plazo.calendar import parse_target
from plazo.events.sla_clock import TimerFired
from plazo.kernel.errors import InvalidInput
from plazo.kernel.ids import derived_id
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from sla_clock.repository import desks, tickets, timers
from sla_clock.repository.timers import DueTimer
from sla_clock.usecases.alarm import ring_if_soon

log = structlog.get_logger(__name__)


async def request_timer(
    uow: UnitOfWork,
    *,
    timer_id: UUID,
    ticket_id: UUID,
    start: datetime,
    after: str,
    calendar: str | None,
    requested_by: str,
    context: dict[str, Any],
) -> None:
    """Arm a timer for when `after` has passed since `start`; one that is due already fires at once.

    An instant that its calendar does not reach never comes, so there is nothing to arm.

    :raises NotYet: if the ticket is not known yet
    :raises NotFound: if the ticket's policy has no such calendar
    """
    async with uow.begin() as tx:
        tx.now = await desks.hold_present(tx.connection, tx.desk_id) or tx.now
        ticket = await tickets.lock_ticket(tx.connection, ticket_id)
        terms = await tickets.terms_of(tx.connection, ticket, version=ticket.terms_version)
        working = terms.working_time(calendar)
        try:
            due_at = working.due(start, parse_target(after))
        except InvalidInput as never:  # there is not that much time before the year 2200, or `start` is after it
            log.info("timer_never_due", timer_id=str(timer_id), requested_by=requested_by, reason=str(never))
            return
        is_due = due_at <= tx.now
        is_new = await timers.insert_request(
            tx.connection,
            ticket,
            timer_id=timer_id,
            due_at=due_at,
            state="fired" if is_due else "armed",
            requested_by=requested_by,
            context=context,
        )
        if is_new and is_due:
            announce_timer(tx, DueTimer(timer_id, ticket, due_at, requested_by, context))
        elif is_new:
            ring_if_soon(due_at, now=tx.now)


async def withdraw_timer(uow: UnitOfWork, *, timer_id: UUID) -> None:
    """Disarm a requested timer; one that has fired stays fired."""
    async with uow.begin() as tx:
        await timers.withdraw_request(tx.connection, timer_id)


def announce_timer(tx: Transaction, timer: DueTimer) -> None:
    """Tell who asked that the instant has come. A timer fires once, so its event has its id."""
    assert timer.requested_by is not None
    tx.emit(
        TimerFired(
            timer_id=timer.timer_id,
            requested_by=timer.requested_by,
            due_at=timer.due_at,
            context=timer.context or {},
        ),
        about=timer.ticket.ticket_id,
        occurred_at=timer.due_at,
        event_id=derived_id("timer-fired", timer.timer_id),
        desk_id=timer.ticket.desk_id,
    )
