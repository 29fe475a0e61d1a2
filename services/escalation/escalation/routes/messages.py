"""Messages: what people were told, whether it arrived, and what comes back."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from escalation.schemas.messages import (
    AcknowledgementView,
    Arrival,
    AttemptsView,
    Bounce,
    ChannelChange,
    ChannelView,
    MessageView,
    Reply,
    Resend,
)
from escalation.schemas.words import MessageState
from escalation.usecases import acknowledging, delivering, digesting, reading
from escalation.usecases.linking import acknowledge_path
from plazo.policy.handling import ChannelName
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import STAFF, Role
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1", tags=["messages"])

Staff = Annotated[Call, allow(*STAFF)]
Lead = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]
Mail = Annotated[Call, allow(Role.INTEGRATION, Role.MANAGER, Role.ADMINISTRATOR, recorded=False)]  # machines call it
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.get("/messages")
async def list_messages(
    call: Staff,
    ticket: UUID | None = None,
    state: MessageState | None = None,
    to: Annotated[str | None, Query(max_length=254)] = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> Page[MessageView]:
    """List messages, oldest first. `state=dead` are those that were given up."""
    page = await reading.read_messages(call.uow(), ticket_id=ticket, state=state, to=to, cursor=cursor, limit=limit)
    return Page(items=[_shown(call, one) for one in page.items], next_cursor=page.next_cursor)


@router.post("/messages/bounces")
async def report_bounce(call: Mail, body: Bounce) -> MessageView:
    """Say that a message came back: it is failed from now on, for that reason."""
    return await delivering.report_bounce(call.uow(), body.message_id, reason=body.reason)


@router.post("/messages/arrivals")
async def report_arrival(call: Mail, body: Arrival) -> MessageView:
    """Say that a message that was sent is known to lie in its mailbox."""
    return await delivering.report_delivery(call.uow(), body.message_id)


@router.get("/messages/{message_id}")
async def read_message(call: Staff, message_id: UUID) -> MessageView:
    """Read a message."""
    return _shown(call, await reading.read_message(call.uow(), message_id))


@router.get("/messages/{message_id}/attempts")
async def list_attempts(call: Staff, message_id: UUID) -> AttemptsView:
    """List the attempts to send a message, with what the receiving side replied."""
    return AttemptsView(items=await delivering.read_attempts(call.uow(), message_id))


@router.post("/messages/{message_id}/resend")
async def resend_message(call: Lead, message_id: UUID, body: Resend | None = None) -> MessageView:
    """Send a message that failed or was given up again; it keeps its id."""
    message = await delivering.resend_message(call.uow(), message_id, to=body.to if body else None)
    call.runtime.outbox_wake.set()  # nothing was announced that would wake the delivery
    return message


@router.post("/messages/{message_id}/replies")
async def reply_to_message(call: Mail, message_id: UUID, body: Reply) -> AcknowledgementView:
    """Take in a reply by e-mail: from the addressee it acknowledges the escalation that the message told of."""
    return await acknowledging.acknowledge_by_reply(call.uow(), message_id, sender=body.sender)


@router.get("/channels/{channel}")
async def read_channel(call: Staff, channel: ChannelName) -> ChannelView:
    """Read what a channel does in a storm of messages, where a policy says nothing."""
    return await digesting.read_channel(call.uow(), channel)


@router.put("/channels/{channel}")
async def set_channel(call: Lead, channel: ChannelName, body: ChannelChange) -> ChannelView:
    """Set what a channel does in a storm of messages, where a policy says nothing."""
    return await digesting.set_channel(call.uow(), channel, body, by=call.principal.label)


def _shown(call: Call, message: MessageView) -> MessageView:
    """Show the link too where nothing is sent: there this is the mailbox. It acknowledges, so not who may only read."""
    is_sent = call.runtime.settings.smtp_url is not None and not call.principal.sandbox
    if is_sent or not call.principal.has_scope(call.runtime.service.name, "write"):
        return message
    path = acknowledge_path(
        call.runtime.settings,
        desk_id=call.desk_id,
        message_id=message.message_id,
        queued_at=message.queued_at,
        role=message.role,
        event=message.event,
        escalation_id=message.escalation_id,
    )
    return message.model_copy(update={"acknowledge_path": path}) if path else message
