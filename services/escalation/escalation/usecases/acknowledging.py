"""Acknowledging by what a message brought: its link, or a reply to it."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from escalation.domain.addressees import is_asked
from escalation.domain.links import Link, check_expiry
from escalation.repository import escalations, messages
from escalation.repository.escalations import Escalation
from escalation.repository.messages import Message
from escalation.schemas.messages import AcknowledgementView
from escalation.usecases.escalating import acknowledge
from plazo.kernel.errors import Kind, NotFound, PlazoError
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


class NotTheAddressee(PlazoError):
    """The reply comes from somebody the message was not for."""

    kind = Kind.FORBIDDEN
    code = "not-the-addressee"


async def read_by_link(uow: UnitOfWork, link: Link) -> AcknowledgementView:
    """Return what a link acknowledges, and who did. Changes nothing.

    :raises LinkExpired: if it is too late, by the present of the desk
    :raises NotFound: if there is no such message
    """
    async with uow.read() as connection:
        check_expiry(link, now=await _present(connection, uow.now))
        message = await _message(connection, link.message_id)
        return _view(message, await _behind(connection, message))


async def acknowledge_by_link(uow: UnitOfWork, link: Link) -> AcknowledgementView:
    """Acknowledge, for the addressee of a message, what it tells of; once. A digest stands for all that is in it.

    :raises LinkExpired: if it is too late, by the present of the desk
    :raises NotFound: if there is no such message
    """
    async with uow.begin() as tx:
        tx.now = await _present(tx.connection, tx.now)
        check_expiry(link, now=tx.now)
        return await _acknowledge(tx, await _message(tx.connection, link.message_id))


async def acknowledge_by_reply(uow: UnitOfWork, message_id: UUID, *, sender: str) -> AcknowledgementView:
    """Acknowledge what a message tells of because its addressee replied to it.

    :raises NotFound: if the desk has no such message
    :raises NotTheAddressee: if somebody else replied
    """
    async with uow.begin() as tx:
        message = await _message(tx.connection, message_id)
        if sender.casefold() != (message.address or "").casefold():
            raise NotTheAddressee(f"message {message_id} was for somebody else; only its addressee can acknowledge it")
        view = await _acknowledge(tx, message)
        tx.answer = view.model_dump(mode="json")
        return view


async def acknowledge_by_mail(uow: UnitOfWork, message_id: UUID, *, sender: str) -> None:
    """Acknowledge what a message tells of, if it was its addressee whose reply has come in by e-mail."""
    async with uow.begin() as tx:
        message = await messages.find_message(tx.connection, message_id)
        if message is not None and sender.casefold() == (message.address or "").casefold():
            await _acknowledge(tx, message)


async def _acknowledge(tx: Transaction, message: Message) -> AcknowledgementView:
    behind = await _behind(tx.connection, message)
    done = [one for one in behind if await acknowledge(tx, one, by=message.address or message.role)]
    return _view(message, await _behind(tx.connection, message), acknowledged_now=len(done))


async def _present(connection: Connection, now: datetime) -> datetime:
    """Return the present of the desk: whoever follows a link has no key that would say it."""
    clock_at: datetime | None = await connection.fetchval("SELECT clock_at FROM desk")
    return clock_at or now


async def _message(connection: Connection, message_id: UUID) -> Message:
    message = await messages.find_message(connection, message_id)
    if message is None:
        raise NotFound(f"there is no message {message_id}")
    return message


async def _behind(connection: Connection, message: Message) -> Sequence[Escalation]:
    """Return the escalations that a message tells of, in the order in which their tickets are locked."""
    told = await messages.digested_in(connection, message.message_id) if message.event == "digest" else [message]
    ids = {one.escalation_id for one in told if one.escalation_id and is_asked(one.role, escalates=True)}
    found = await escalations.find_escalations(connection, sorted(ids))
    return sorted(found, key=lambda one: (one.ticket_id, one.escalation_id))


def _view(message: Message, behind: Sequence[Escalation], *, acknowledged_now: int = 0) -> AcknowledgementView:
    first = next((one for one in behind if one.acknowledged_at), None)
    return AcknowledgementView(
        message_id=message.message_id,
        subject=message.subject,
        language=message.language,
        escalations=[one.escalation_id for one in behind],
        open=sum(one.acknowledged_at is None for one in behind),
        acknowledged_now=acknowledged_now,
        acknowledged_at=first.acknowledged_at if first else None,
        acknowledged_by=first.acknowledged_by if first else None,
    )
