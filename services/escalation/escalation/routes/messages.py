"""The captured mailbox: what people were told."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from escalation.schemas import MessageState, MessageView
from escalation.usecases import reading
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import STAFF
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1/messages", tags=["messages"])

Staff = Annotated[Call, allow(*STAFF)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.get("")
async def list_messages(
    call: Staff,
    ticket: UUID | None = None,
    state: MessageState | None = None,
    to: Annotated[str | None, Query(max_length=254)] = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> Page[MessageView]:
    """List messages, oldest first."""
    return await reading.read_messages(call.uow(), ticket_id=ticket, state=state, to=to, cursor=cursor, limit=limit)


@router.get("/{message_id}")
async def read_message(call: Staff, message_id: UUID) -> MessageView:
    """Read a message."""
    return await reading.read_message(call.uow(), message_id)
