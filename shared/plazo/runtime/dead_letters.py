"""Events that could not be handled: list, replay, discard. Every service answers these for its own."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from plazo.events.envelope import Envelope
from plazo.kernel.errors import Kind as ErrorKind
from plazo.kernel.errors import NotFound, PlazoError
from plazo.runtime import inbox
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import Role
from plazo.runtime.inbox import NotYet
from plazo.runtime.inputs import View
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position

router = APIRouter(prefix="/v1/dead-letters", tags=["operations"])

AdministratorCall = Annotated[Call, allow(Role.ADMINISTRATOR)]

_LIST = """
SELECT event_id, producer, aggregate_id, aggregate_version, type, reason, failures, state, failed_at, settled_at
FROM dead_letter WHERE state = $1 AND ($2::timestamptz IS NULL OR (failed_at, event_id) > ($2, $3))
ORDER BY failed_at, event_id LIMIT $4
"""


class DeadLetterView(View):
    """An event that could not be handled, and why. Later events of its aggregate wait behind it."""

    event_id: UUID
    producer: str
    type: str
    aggregate_id: UUID
    aggregate_version: int
    reason: str
    failures: int
    state: str
    failed_at: datetime
    settled_at: datetime | None


class StillFailing(PlazoError):
    """The event was tried again, and failed again."""

    kind = ErrorKind.CONFLICT
    code = "dead-letter-still-failing"


@router.get("")
async def list_dead_letters(
    call: AdministratorCall,
    state: Literal["open", "replayed", "discarded"] = "open",
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    cursor: str | None = None,
) -> Page[DeadLetterView]:
    """List the events that this service could not handle, oldest first."""
    failed_at, event_id = position(cursor, datetime, UUID) or (None, None)
    async with call.uow().read() as connection:
        rows = await connection.fetch(_LIST, state, failed_at, event_id, limit + 1)
    letters = [DeadLetterView(**row) for row in rows]
    return page_of(letters, limit=limit, keys=lambda letter: (letter.failed_at, letter.event_id))


@router.post("/{event_id}/replay")
async def replay_dead_letter(call: AdministratorCall, event_id: UUID) -> dict[str, str]:
    """Try the event again, and those that waited behind it."""
    async with call.uow().read() as connection:
        envelope: dict[str, Any] | None = await connection.fetchval(
            "SELECT envelope FROM dead_letter WHERE event_id = $1 AND state = 'open'", event_id
        )
    if envelope is None:
        raise NotFound(f"there is no open dead letter {event_id}")
    event = Envelope.model_validate(envelope)
    try:
        await call.runtime.consumers[event.producer].handle(event)
    except (NotYet, PlazoError, ArithmeticError, LookupError, TypeError, ValueError) as error:
        raise StillFailing(f"{type(error).__name__}: {error}") from error
    async with call.uow().begin() as tx:  # one that had taken effect before is not handled again, but settled
        await inbox.mark_replayed(tx, event_id)
    return {"state": "replayed"}


@router.post("/{event_id}/discard")
async def discard_dead_letter(call: AdministratorCall, event_id: UUID) -> dict[str, str]:
    """Give the event up: its effect never happens here, and its aggregate goes on without it."""
    async with call.uow().begin() as tx:
        event = await inbox.discard(tx, event_id)
        if event is None:
            raise NotFound(f"there is no open dead letter {event_id}")
        tx.answer = {"state": "discarded"}
    return {"state": "discarded"}
