"""Waits for the customer, a vendor or an agreed window; and the dates that people agree on."""

from dataclasses import replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from plazo.events.tickets import TicketDateAgreed, TicketWaitEnded, TicketWaitStarted, TimerRequested, TimerWithdrawn
from plazo.kernel.errors import Fault, InvalidInput, Kind, PlazoError
from plazo.kernel.ids import new_id
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain.lifecycle import Action
from tickets.domain.ticket import Wait
from tickets.schemas.lifecycle import DateCreate, WaitCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases.attempts import reset_attempts
from tickets.usecases.changes import By, Change, changing

Cause = Literal["customer", "vendor", "agreed_window"]
WAIT = "wait"
TIME = By(actor="time", customer_id=None)


class NothingToEnd(PlazoError):
    """The ticket does not wait for that."""

    kind = Kind.CONFLICT
    code = "no-such-wait"


async def start_wait(uow: UnitOfWork, *, ticket_id: UUID, body: WaitCreate, by: By) -> TicketView:
    """Begin to wait for somebody, until an instant if one is given; asking twice is one wait.

    :raises IllegalTransition:
    :raises InvalidInput: for an instant that has passed
    """
    async with changing(uow, ticket_id, by) as change:
        if body.until is not None:
            require_future(body.until, now=change.now, pointer="/until")
        begin_wait(change, body.cause, reason=body.reason, until=body.until, by=by)
    return change.done()


def begin_wait(change: Change, cause: Cause, *, reason: str, by: By, until: datetime | None = None) -> None:
    """Begin a wait, unless that one has begun; one with an end ends by itself. :raises IllegalTransition:"""
    change.act(Action.WAIT)
    if cause in change.after.waits:
        return
    timer_id = None if until is None else new_id()
    wait = Wait(cause=cause, reason=reason, since=change.now, started_by=by.actor, until=until, timer_id=timer_id)
    change.after = replace(change.after, waiting=(*change.after.waiting, wait))
    change.note("wait_started", by, text=reason, cause=cause, until=until)
    change.announce(TicketWaitStarted(cause=cause, reason=reason, until=until))
    if until is not None and timer_id is not None:
        change.announce(
            TimerRequested(
                ticket_id=change.after.ticket_id,
                timer_id=timer_id,
                start=until,
                after="0m",
                calendar=None,
                context={"purpose": WAIT},
            )
        )


async def end_wait(uow: UnitOfWork, *, ticket_id: UUID, cause: Cause, by: By) -> TicketView:
    """End one wait; the ticket goes on when it waits for nobody else. :raises NothingToEnd:"""
    async with changing(uow, ticket_id, by) as change:
        if cause not in change.before.waits:
            waits = ", ".join(change.before.waits) or "nobody"
            raise NothingToEnd(f"the ticket does not wait for {cause}; it waits for {waits}")
        finish_wait(change, cause, by)
    return change.done()


async def end_wait_in_time(uow: UnitOfWork, *, ticket_id: UUID, timer_id: UUID, due_at: datetime) -> None:
    """End the wait whose time is over, if it goes on still."""
    async with changing(uow, ticket_id, TIME, at=due_at) as change:
        wait = next((one for one in change.before.waiting if one.timer_id == timer_id), None)
        if wait is not None:
            finish_wait(change, wait.cause, TIME, is_over=True)


def finish_wait(change: Change, cause: str, by: By, *, is_over: bool = False) -> None:
    """End a wait that goes on, and go on if it was the last; `is_over` where its time has come."""
    left = tuple(wait for wait in change.after.waiting if wait.cause != cause)
    for wait in change.after.waiting:
        if wait.cause == cause:
            _tell_end(change, wait, by, is_over=is_over)
    if left:
        change.after = replace(change.after, waiting=left)
    else:
        change.act(Action.END_WAIT, waiting=())
    if cause == "customer":
        reset_attempts(change)


def drop_waits(change: Change, by: By) -> None:
    """End all waits of a ticket that is about to be over."""
    for wait in change.after.waiting:
        _tell_end(change, wait, by)
    change.after = replace(change.after, waiting=())


def _tell_end(change: Change, wait: Wait, by: By, *, is_over: bool = False) -> None:
    change.note("wait_ended", by, cause=wait.cause)
    change.announce(TicketWaitEnded(cause=wait.cause))
    if wait.timer_id is not None and not is_over:
        change.announce(TimerWithdrawn(ticket_id=change.after.ticket_id, timer_id=wait.timer_id))


async def agree_date(uow: UnitOfWork, *, ticket_id: UUID, body: DateCreate, by: By) -> TicketView:
    """Record the date by which the work shall be done; it arms a clock of its own (PRO-16, SKE-06).

    :raises InvalidInput: for a date that has passed
    """
    async with changing(uow, ticket_id, by) as change:
        set_date(change, body.due_at, by)
    return change.done()


def set_date(change: Change, due_at: datetime, by: By) -> None:
    """Set the agreed date. :raises InvalidInput: for one that has passed"""
    require_future(due_at, now=change.now, pointer="/due_at")
    change.act(Action.AGREE_DATE)
    change.note("date_agreed", by, due_at=due_at)
    change.announce(TicketDateAgreed(due_at=due_at, by=by.actor))


def require_future(instant: datetime, *, now: datetime, pointer: str) -> None:
    """Insist on an instant to come. :raises InvalidInput:"""
    if instant <= now:
        fault = Fault(pointer=pointer, message=f"expected an instant after the present, {now.isoformat()}")
        raise InvalidInput("the instant has passed", faults=[fault])
