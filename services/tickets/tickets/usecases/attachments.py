"""Files of a ticket. The content goes to the object store first; row, timeline and event follow when it is whole."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog

from plazo.events.ticket_dossier import AttachmentAdded
from plazo.kernel.errors import NotFound
from plazo.kernel.ids import new_id
from plazo.runtime.database import OUTAGE
from plazo.runtime.service import Runtime
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.attachments import Limits, TicketFull
from tickets.domain.secrecy import Cipher
from tickets.repository import dossier, objects, tickets
from tickets.repository.objects import Chunks, Files, StoreAway, Stored, files_of
from tickets.repository.timeline import Entry, add_entries
from tickets.schemas.dossier import AttachmentView
from tickets.usecases.changes import By, hold_person, require_authorized
from tickets.usecases.reading import visible_ticket
from tickets.usecases.redacting import redact_texts

__all__ = ["Files", "Stored", "attach", "files_of", "store"]

log = structlog.get_logger(__name__)

_SWEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Content:
    """An attachment that is read: its description and its bytes, as a stream."""

    attachment: AttachmentView
    chunks: AsyncIterator[bytes]


async def require_recipient(uow: UnitOfWork, *, ticket_id: UUID, by: By) -> None:
    """See that a caller may attach to a ticket, before anything is uploaded.

    :raises NoSuchTicket: also for one that it may not know of
    :raises NotAuthorized: for a person of the customer that may not answer (EXP-01)
    """
    async with uow.read() as connection:
        ticket = await visible_ticket(connection, ticket_id, customer_id=by.customer_id)
        await require_authorized(connection, ticket, by.contact_id)


async def store(files: Files, *, desk_id: UUID, name: str | None, declared_type: str | None, chunks: Chunks) -> Stored:
    """Stream a file into the store. What is not attached within the hour is removed again.

    :raises TypeRefused: for a program or a type that is not taken
    :raises FileTooLarge: as soon as it is
    :raises StoreAway: if the store does not take it
    """
    return await files.put(chunks, desk_id=desk_id, name=name, declared_type=declared_type)


async def attach(
    tx: Transaction,
    *,
    ticket_id: UUID,
    stored: Stored,
    actor: str,
    from_customer: bool,
    internal: bool,
    limits: Limits,
    contact_id: UUID | None = None,
) -> AttachmentView:
    """Give a stored file to a ticket of this transaction, and announce it. The ticket's row is held by the caller.

    :raises TicketFull: if the ticket's files together are too large
    :raises StoreAway: if the upload took so long that its content was swept
    """
    there = await dossier.attached_bytes(tx.connection, ticket_id)
    if there + stored.size > limits.ticket_bytes:
        raise TicketFull(
            f"{stored.name!r} has {stored.size} bytes and the ticket {there} already; "
            f"all its files together may have {limits.ticket_bytes}"
        )
    if not await objects.claim_object(tx, stored.object_key):
        raise StoreAway("the upload took too long and its content was removed; send it again")
    attachment = dossier.Attachment(
        attachment_id=new_id(),
        ticket_id=ticket_id,
        object_key=stored.object_key,
        name=stored.name,
        size=stored.size,
        sha256=stored.sha256,
        declared_type=stored.type.declared,
        found_type=stored.type.found,
        is_suspect=stored.type.is_suspect,
        internal=internal,
        from_customer=from_customer,
        contact_id=contact_id,
        added_by=actor,
        added_at=tx.now,
    )
    await dossier.insert_attachment(tx, attachment)
    view = attachment_view(attachment)
    data = view.model_dump(mode="json", include={"attachment_id", "size", "sha256", "declared_type", "is_suspect"})
    await add_entries(
        tx,
        ticket_id,
        [
            Entry(
                kind="attachment_added",
                actor=actor,
                occurred_at=tx.now,
                text=stored.name,
                internal=internal,
                data=data | {"contact_id": str(contact_id)} if contact_id else data,
            )
        ],
    )
    tx.emit(
        AttachmentAdded(
            attachment_id=attachment.attachment_id,
            file_name=attachment.name,
            size=attachment.size,
            sha256=attachment.sha256,
            media_type=attachment.declared_type,
            is_suspect=attachment.is_suspect,
            internal=internal,
            by=actor,
        ),
        about=ticket_id,
        occurred_at=tx.now,
    )
    return view


async def add_attachment(
    uow: UnitOfWork,
    *,
    ticket_id: UUID,
    stored: Stored,
    by: By,
    internal: bool,
    limits: Limits,
    contact_id: UUID | None,
    cipher: Cipher | None = None,
) -> AttachmentView:
    """Attach a stored file. What the customer attaches is never internal.

    `cipher` knows the credentials of tickets, which the name must not repeat.

    :raises NoSuchTicket:
    :raises NotAuthorized: for a person of the customer that may not answer (EXP-01)
    :raises TicketFull:
    """
    async with uow.begin() as tx:
        await hold_person(tx, by.contact_id)
        ticket = await visible_ticket(tx.connection, ticket_id, customer_id=by.customer_id, lock=True)
        await require_authorized(tx.connection, ticket, by.contact_id)
        if cipher is not None:
            (name,) = await redact_texts(
                tx, cipher, ticket_id=ticket_id, texts=[stored.name], by_customer=by.is_customer
            )
            stored = replace(stored, name=name)
        view = await attach(
            tx,
            ticket_id=ticket_id,
            stored=stored,
            actor=by.actor,
            from_customer=by.is_customer,
            internal=internal and not by.is_customer,
            limits=limits,
            contact_id=contact_id,
        )
        tx.answer = view.model_dump(mode="json")
    return view


async def list_attachments(
    uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None, after: tuple[datetime, UUID] | None, limit: int
) -> list[AttachmentView]:
    """Return the files of a ticket, oldest first; the customer sees no internal ones. :raises NoSuchTicket:"""
    async with uow.read() as connection:
        await visible_ticket(connection, ticket_id, customer_id=customer_id)
        found = await dossier.list_attachments(
            connection, ticket_id, with_internal=customer_id is None, after=after, limit=limit
        )
    return [attachment_view(attachment) for attachment in found]


async def read_content(uow: UnitOfWork, files: Files, *, attachment_id: UUID, customer_id: UUID | None) -> Content:
    """Return a file with its content. :raises NotFound: also for an erased one, or one the caller may not know of"""
    async with uow.read() as connection:
        found = await dossier.find_attachment(connection, attachment_id)
        ticket = None if found is None else await tickets.find_ticket(connection, found.ticket_id)
    hidden = customer_id is not None and (
        found is None or found.internal or ticket is None or ticket.customer_id != customer_id
    )
    if found is None or hidden:
        raise NotFound(f"there is no attachment {attachment_id}")
    if found.erased_at is not None:
        raise NotFound(f"the content of attachment {attachment_id} was erased at {found.erased_at.isoformat()}")
    return Content(attachment=attachment_view(found), chunks=await files.get(found.object_key))


def attachment_view(attachment: dossier.Attachment) -> AttachmentView:
    """Return an attachment as it is shown."""
    return AttachmentView.model_validate(attachment, from_attributes=True)


async def sweep_objects(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Remove objects that nobody needs any more, once a minute, until told to stop."""
    while not stopping.is_set():
        if runtime.settings.attachments_url is not None:
            try:
                while await files_of(runtime).sweep():
                    pass
            except (*OUTAGE, StoreAway) as error:
                log.info("object_sweep_waits", error=str(error) or type(error).__name__)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SWEEP_SECONDS):
                await stopping.wait()
