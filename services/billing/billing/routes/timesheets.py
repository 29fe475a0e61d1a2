"""Timers and imports of work."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from billing.schemas.timesheets import (
    ImportCreate,
    ImportView,
    StoppedTimerView,
    TimerCreate,
    TimerStop,
    WorkTimerView,
)
from billing.usecases import importing, timing
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import STAFF, Role
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1/work", tags=["work"])

StaffCall = Annotated[Call, allow(*STAFF)]
ImporterCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR, Role.INTEGRATION)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


def _actor(call: Call) -> str:
    return f"{call.principal.role}: {call.principal.label}"


@router.post("/timers", status_code=201)
async def start_timer(body: TimerCreate, call: StaffCall) -> WorkTimerView:
    """Start a timer of the caller on a ticket; one runs at a time for each."""
    return await timing.start_timer(call.uow(status=201), body=body, agent=_actor(call))


@router.get("/timers")
async def list_timers(
    call: StaffCall,
    ticket: UUID | None = None,
    state: Literal["running", "stopped"] | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Page[WorkTimerView]:
    """List timers, the oldest first. One that has run for more than twelve hours is `forgotten`."""
    return await timing.list_timers(call.uow(), ticket_id=ticket, state=state, cursor=cursor, limit=limit)


@router.post("/timers/{timer_id}/stop")
async def stop_timer(timer_id: UUID, body: TimerStop, call: StaffCall) -> StoppedTimerView:
    """Stop a timer and log what it counted, or what it should have, as work of its agent."""
    view = await timing.stop_timer(call.uow(), timer_id=timer_id, body=body)
    await call.settle(view.timer.ticket_id)
    return view


@router.post("/timers/{timer_id}/discard")
async def discard_timer(timer_id: UUID, call: StaffCall) -> WorkTimerView:
    """Stop a timer that counted no work."""
    return await timing.discard_timer(call.uow(), timer_id=timer_id)


@router.post("/imports", status_code=202)
async def begin_import(body: ImportCreate, call: ImporterCall) -> ImportView:
    """Import work. The answer comes at once; the import shows how far it is, and which lines were refused and why.

    A line whose reference is known is not logged again. An import that was broken off goes on by itself.
    """
    return await importing.begin_import(call.uow(status=202), body=body, imported_by=_actor(call))


@router.get("/imports/{import_id}")
async def read_import(import_id: UUID, call: ImporterCall) -> ImportView:
    """Return an import as far as it is."""
    return await importing.read_import(call.uow(), import_id=import_id)
