"""An agent's timer on a ticket: started, stopped, and then work."""

from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from billing.repository import parties, timesheets
from billing.schemas.timesheets import StoppedTimerView, TimerCreate, TimerStop, WorkTimerView
from billing.schemas.work import WorkCreate
from billing.usecases.work import charge_work
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.time import format_instant
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import Transaction, UnitOfWork

State = Literal["running", "stopped"]
#: Nobody works that long on end.
FORGOTTEN_AFTER = timedelta(hours=12)


class TimerRunning(PlazoError):
    """The agent has a timer running on this ticket."""

    kind = Kind.CONFLICT
    code = "timer-running"


class TimerStopped(PlazoError):
    """The timer does not run any more."""

    kind = Kind.CONFLICT
    code = "timer-stopped"


async def start_timer(uow: UnitOfWork, *, body: TimerCreate, agent: str) -> WorkTimerView:
    """Start an agent's timer on a ticket; one runs at a time for each.

    :raises NotFound: if there is no such ticket
    :raises TimerRunning: if the agent has one running on it
    """
    async with uow.begin() as tx:
        ticket = await parties.find_ticket(tx.connection, body.ticket_id)
        if ticket is None:
            raise NotFound(f"there is no ticket {body.ticket_id}")
        timer_id = await timesheets.start_timer(tx, ticket_id=ticket.ticket_id, agent=agent, note=body.note)
        if timer_id is None:
            raise TimerRunning(f"{agent} has a timer running on ticket {ticket.number}; stop that first")
        view = await _view(tx, timer_id)
        tx.answer = view.model_dump(mode="json")
    return view


async def stop_timer(uow: UnitOfWork, *, timer_id: UUID, body: TimerStop) -> StoppedTimerView:
    """Stop a timer and log what it counted as work of its agent; a started minute is one.

    :raises NotFound: if there is no such timer
    :raises TimerStopped: if it does not run any more
    :raises InvalidInput: for an end before its start or after now; and whatever logging work raises
    """
    async with uow.begin() as tx:
        timer = await _running(tx, timer_id)
        stopped_at = body.stopped_at or tx.now
        if not timer["started_at"] < stopped_at <= tx.now:
            message = (
                f"expected an instant after the start ({format_instant(timer['started_at'])}), "
                f"at most now ({format_instant(tx.now)})"
            )
            raise InvalidInput("the timer cannot end then", faults=[Fault("/stopped_at", message)])
        work = WorkCreate(
            ticket_id=timer["ticket_id"],
            started_at=timer["started_at"],
            minutes=-((timer["started_at"] - stopped_at) // timedelta(minutes=1)),
            description=body.description,
            facts=body.facts,
            quote_id=body.quote_id,
        )
        logged = await charge_work(tx, work, logged_by=timer["agent"])
        await timesheets.stop_timer(tx, timer_id, at=stopped_at, work_id=logged.work.work_id)
        view = StoppedTimerView(timer=await _view(tx, timer_id), logged=logged)
        tx.answer = view.model_dump(mode="json")
    return view


async def discard_timer(uow: UnitOfWork, *, timer_id: UUID) -> WorkTimerView:
    """Stop a timer that counted no work. :raises NotFound: :raises TimerStopped: if it does not run any more"""
    async with uow.begin() as tx:
        await _running(tx, timer_id)
        await timesheets.stop_timer(tx, timer_id, at=tx.now, work_id=None)
        view = await _view(tx, timer_id)
        tx.answer = view.model_dump(mode="json")
    return view


async def list_timers(
    uow: UnitOfWork, *, ticket_id: UUID | None, state: State | None, cursor: str | None, limit: int
) -> Page[WorkTimerView]:
    """Return timers, the oldest first."""
    after = position(cursor, UUID)
    async with uow.begin() as tx:
        rows = await timesheets.list_timers(
            tx.connection, ticket_id=ticket_id, state=state, after=after[0] if after else None, limit=limit + 1
        )
        views = [_shown(row, now=tx.now) for row in rows]
    return page_of(views, limit=limit, keys=lambda one: (one.timer_id,))


async def _running(tx: Transaction, timer_id: UUID) -> dict[str, Any]:
    timer = await timesheets.find_timer(tx.connection, timer_id, lock=True)
    if timer is None:
        raise NotFound(f"there is no timer {timer_id}")
    if timer["stopped_at"] is not None:
        raise TimerStopped(f"the timer was stopped at {format_instant(timer['stopped_at'])}")
    return timer


async def _view(tx: Transaction, timer_id: UUID) -> WorkTimerView:
    timer = await timesheets.find_timer(tx.connection, timer_id)
    assert timer is not None, "it was written in this transaction"
    return _shown(timer, now=tx.now)


def _shown(timer: dict[str, Any], *, now: datetime) -> WorkTimerView:
    is_running = timer["stopped_at"] is None
    return WorkTimerView(**timer, forgotten=is_running and now - timer["started_at"] > FORGOTTEN_AFTER)
