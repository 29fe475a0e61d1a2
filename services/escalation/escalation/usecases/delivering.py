"""Messages on their way out of the house, and what comes back: attempts, bounces, what is sent again."""

from datetime import datetime, timedelta
from uuid import UUID

from escalation.domain.delivery import Reply, judge
from escalation.domain.letter import read_message_id
from escalation.repository import delivery, messages
from escalation.repository.delivery import Dispatch
from escalation.repository.messages import Message
from escalation.schemas.messages import AttemptView, MessageView
from escalation.usecases.digesting import announce_sent
from escalation.usecases.reading import message_view
from plazo.events.escalation import MessageFailed
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.runtime.unit_of_work import SystemWork, Transaction, UnitOfWork

# Longer than any attempt may take: a message whose process died with it is tried again after this.
LEASE = timedelta(minutes=10)


class NotUndelivered(PlazoError):
    """The message is on its way, or has arrived: sending it again would tell somebody twice."""

    kind = Kind.CONFLICT
    code = "message-not-undelivered"


class NotSent(PlazoError):
    """Nothing can be known of how a message arrived that was not sent."""

    kind = Kind.CONFLICT
    code = "message-not-sent"


async def claim_next(work: SystemWork) -> Dispatch | None:
    """Take on the message that has been due longest; None if none is."""
    async with work.begin() as tx:
        return await delivery.claim_message(tx, now=tx.now, lease=LEASE)


async def next_due(work: SystemWork) -> datetime | None:
    """Return when the next message is due; None if none waits."""
    async with work.begin() as tx:
        return await delivery.next_due(tx.connection)


async def settle(work: SystemWork, dispatch: Dispatch, reply: Reply) -> None:
    """Write what an attempt came to, and tell the ticket of a message that has gone out or never will."""
    letter = dispatch.letter
    async with work.begin() as tx:
        verdict = judge(reply, tries=dispatch.tries, message_id=letter.message_id, now=tx.now)
        is_current = await delivery.settle_attempt(
            tx, dispatch, outcome=reply.outcome, reply=reply.text, verdict=verdict, now=tx.now
        )
        if not is_current or verdict.state == "queued":
            return
        told = await _told_by(tx, letter.message_id)
        if verdict.state in ("sent", "delivered"):
            announce_sent(tx, told, attempt=dispatch.attempt, desk_id=dispatch.desk_id)
            return
        for message in told:
            _announce_failed(
                tx,
                message,
                reason=verdict.failure or "",
                permanent=verdict.state == "failed",
                desk_id=dispatch.desk_id,
            )


async def _told_by(tx: Transaction, message_id: UUID) -> list[Message]:
    """Return a message, or those that it stands for as their digest."""
    message = await messages.find_message(tx.connection, message_id)
    if message is None:
        return []
    return await messages.digested_in(tx.connection, message_id) if message.event == "digest" else [message]


def _announce_failed(
    tx: Transaction, message: Message, *, reason: str, permanent: bool, desk_id: UUID | None = None
) -> None:
    if message.ticket_id is not None:
        tx.emit(
            MessageFailed(
                ticket_id=message.ticket_id,
                message_id=message.message_id,
                channel=message.channel,
                to=message.address,
                reason=reason,
                permanent=permanent,
            ),
            about=message.ticket_id,
            occurred_at=tx.now,
            desk_id=desk_id,
        )


async def resend_message(uow: UnitOfWork, message_id: UUID, *, to: str | None) -> MessageView:
    """Send a message that did not arrive again, to another address if one is given. It keeps its id.

    :raises NotFound: if the desk has none of that id
    :raises NotUndelivered: unless it failed or was given up
    :raises InvalidInput: if no address is known
    """
    async with uow.begin() as tx:
        message = await _message(tx, message_id)
        if message.state not in ("failed", "dead"):
            raise NotUndelivered(
                f"message {message_id} is {message.state}; only one that failed or is dead is sent again"
            )
        address = to or message.address
        if address is None:
            text = f"expected the address to send to: none is known for the {message.role}"
            raise InvalidInput(text, faults=[Fault("/to", text)])
        await delivery.requeue_message(tx, message_id, address=address)
        after = await _message(tx, message_id)
        if after.state == "delivered":
            announce_sent(tx, [after], attempt=1)
        view = message_view(after)
        tx.answer = view.model_dump(mode="json")
        return view


async def report_bounce(uow: UnitOfWork, message_id: str, *, reason: str) -> MessageView:
    """Note that a message came back after it had been sent. A second report changes nothing.

    :raises NotFound: if the desk has no message that `message_id` (an id, or a Message-ID of ours) names
    :raises NotSent: if it has not been sent
    """
    async with uow.begin() as tx:
        message = await _reported(tx, message_id)
        if message.state in ("sent", "delivered"):
            await delivery.fail_message(tx, message.message_id, reason=reason)
            for told in await _told_by(tx, message.message_id):
                _announce_failed(tx, told, reason=reason, permanent=True)
        elif message.state != "failed":
            raise NotSent(f"message {message.message_id} is {message.state}; only one that was sent can come back")
        return await _answer(tx, message.message_id)


async def report_delivery(uow: UnitOfWork, message_id: str) -> MessageView:
    """Note that a message is known to lie in its mailbox.

    :raises NotFound: if the desk has no message that `message_id` (an id, or a Message-ID of ours) names
    :raises NotSent: if it has not been sent
    """
    async with uow.begin() as tx:
        message = await _reported(tx, message_id)
        if message.state == "sent":
            await delivery.mark_delivered(tx, message.message_id)
        elif message.state != "delivered":
            raise NotSent(f"message {message.message_id} is {message.state}; only one that was sent can arrive")
        return await _answer(tx, message.message_id)


async def _reported(tx: Transaction, text: str) -> Message:
    message_id = read_message_id(text)
    if message_id is None:
        raise NotFound(f"{text!r} is no message of ours; expected its id or its Message-ID")
    return await _message(tx, message_id)


async def _message(tx: Transaction, message_id: UUID) -> Message:
    message = await messages.find_message(tx.connection, message_id, lock=True)
    if message is None:
        raise NotFound(f"there is no message {message_id}")
    return message


async def _answer(tx: Transaction, message_id: UUID) -> MessageView:
    view = message_view(await _message(tx, message_id))
    tx.answer = view.model_dump(mode="json")
    return view


async def read_attempts(uow: UnitOfWork, message_id: UUID) -> list[AttemptView]:
    """Return the attempts to send a message, oldest first. :raises NotFound: if the desk has none of that id"""
    async with uow.read() as connection:
        if await messages.find_message(connection, message_id) is None:
            raise NotFound(f"there is no message {message_id}")
        found = await delivery.list_attempts(connection, message_id)
    return [AttemptView(**{name: getattr(one, name) for name in AttemptView.model_fields}) for one in found]
