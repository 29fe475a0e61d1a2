"""The test clock of a sandbox desk."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY, Role
from sla_clock.schemas.desk_clock import ClockMove, ClockMoved, DeskClock
from sla_clock.usecases import move_desk_clock as usecase

router = APIRouter(prefix="/v1", tags=["test clock"])


@router.get("/desks/{desk_id}/clock")
async def read_desk_clock(desk_id: UUID, call: Annotated[Call, allow(*EVERYBODY)]) -> DeskClock:
    """Return the present of the caller's desk: the machine's time, or where its test clock stands."""
    return await usecase.read_desk_clock(call.uow(), desk_id=desk_id)


@router.post("/desks/{desk_id}/clock")
async def move_desk_clock(
    desk_id: UUID, body: ClockMove, call: Annotated[Call, allow(Role.ADMINISTRATOR, recorded=False)]
) -> ClockMoved:
    """Move the clock of a sandbox desk forward.

    Timers fire in order on the way, and the answer comes when all four services have settled at each of them. After a
    503 repeat the request: what was reached stays reached. After a 409 `desk-has-dead-letters` see to those first.
    """
    await usecase.read_desk_clock(call.uow(), desk_id=desk_id)
    return await usecase.move_desk_clock(
        call.runtime,
        desk_id=desk_id,
        now=call.now,
        body=body,
        caller=call.principal.key_id,
        key=call.idempotency_key,
        request_hash=call.idempotency_hash,
    )
