"""Server-sent events: what happens in a desk, as it happens."""

from collections.abc import AsyncIterator
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query
from fastapi.sse import EventSourceResponse, ServerSentEvent

from plazo.runtime.identity import Role
from tickets.routes.callers import AnyCall
from tickets.usecases import streaming
from tickets.usecases.streaming import Cursor

router = APIRouter(prefix="/v1", tags=["stream"])


def _behind(
    cursor: Annotated[str | None, Query(max_length=50, description="the id of the last event that was seen")] = None,
    last_event_id: Annotated[str | None, Header(max_length=50, description="as `cursor`; browsers send it")] = None,
) -> Cursor | None:
    """Return where to resume: known before the stream begins, so that a wrong one is refused."""
    behind = last_event_id or cursor
    return Cursor.parse(behind) if behind else None


def _hold(call: AnyCall) -> None:
    """Take a place among the open streams: before this one begins, so that one too many is refused."""
    call.hold_stream()


@router.get("/stream", response_class=EventSourceResponse, dependencies=[Depends(_hold)])
async def follow_timelines(
    call: AnyCall,
    behind: Annotated[Cursor | None, Depends(_behind)],
    ticket_id: UUID | None = None,
    customer_id: UUID | None = None,
) -> AsyncIterator[ServerSentEvent]:
    """Follow what happens to tickets; the customer's side sees its own, and nothing internal.

    Each event is named for the kind of timeline entry, and its id is the cursor behind it. The first, `ready`, has the
    cursor to begin from. A stream that is resumed with the last id loses nothing and repeats nothing.
    """
    growth = streaming.follow_timelines(
        call.uow(),
        call.runtime,
        reader=call.principal,
        cursor=behind,
        ticket_id=ticket_id,
        customer_id=call.principal.customer_id or customer_id,
        with_internal=call.principal.role is not Role.REQUESTER,
    )
    async for one in growth:
        yield ServerSentEvent(event=one.kind, id=str(one.cursor), data=one.data)
