"""Files that come with a mail: stored before the transaction, given to the ticket in it, kept with a kept request."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from plazo.kernel.errors import PlazoError
from plazo.runtime.service import Runtime
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.attachments import Limits, TicketFull
from tickets.domain.email import MailAttachment
from tickets.repository import objects, tickets
from tickets.repository.contacts import Contact
from tickets.repository.objects import Stored
from tickets.repository.tickets import Entry
from tickets.usecases import attachments

_NO_LIMITS = Limits(file_bytes=sys.maxsize, ticket_bytes=sys.maxsize, refused=(), taken=())
_STORED: TypeAdapter[Stored] = TypeAdapter(Stored)


@dataclass(frozen=True, slots=True)
class MailFiles:
    """The files of a mail: those in the store, and those that were not taken, by name with the reason."""

    stored: tuple[Stored, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    limits: Limits | None = None

    def listed(self) -> list[dict[str, Any]]:
        """Return those in the store as data, for a request that is kept with them."""
        return [_STORED.dump_python(one, mode="json") for one in self.stored]


async def store_files(runtime: Runtime, *, desk_id: UUID, files: Sequence[MailAttachment]) -> MailFiles:
    """Put the files of a mail into the store. One that is not taken does not keep the mail from being taken."""
    if not files:
        return MailFiles()
    try:
        store = attachments.files_of(runtime)
    except PlazoError as error:
        return MailFiles(refused=tuple((one.name, error.message) for one in files))
    stored: list[Stored] = []
    refused: list[tuple[str, str]] = []
    for one in files:
        try:
            stored.append(
                await attachments.store(
                    store, desk_id=desk_id, name=one.name, declared_type=one.declared_type, chunks=[one.content]
                )
            )
        except objects.StoreAway:
            raise  # come back later: nothing of the mail is lost
        except PlazoError as error:
            refused.append((one.name, error.message))
    return MailFiles(stored=tuple(stored), refused=tuple(refused), limits=store.limits)


async def attach_files(
    tx: Transaction, files: MailFiles, *, ticket_id: UUID, actor: str, contact: Contact | None
) -> None:
    """Give a mail's files to the ticket whose row the transaction holds; what is not taken is noted."""
    refused = list(files.refused)
    for stored in files.stored:
        assert files.limits is not None, "what is stored has limits"
        try:
            await attachments.attach(
                tx,
                ticket_id=ticket_id,
                stored=stored,
                actor=actor,
                from_customer=True,
                internal=False,
                limits=files.limits,
                contact_id=contact.contact_id if contact else None,
            )
        except TicketFull as error:
            refused.append((stored.name, error.message))
    entries = [
        Entry(kind="attachment_refused", actor=actor, occurred_at=tx.now, text=f"{name}: {reason}", internal=True)
        for name, reason in refused
    ]
    await tickets.add_entries(tx, ticket_id, entries)


async def keep_files(tx: Transaction, files: MailFiles) -> None:
    """Keep a mail's files in the store with the request that is kept."""
    for stored in files.stored:
        await objects.claim_object(tx, stored.object_key)


async def attach_kept_files(
    tx: Transaction, listed: Sequence[dict[str, Any]], *, ticket_id: UUID, actor: str, contact_id: UUID | None
) -> None:
    """Give the files that a request was kept with to the ticket it became: they were within the limits then."""
    for one in listed:
        stored = _STORED.validate_python(one)
        await objects.give_up_objects(tx, [stored.object_key])
        await attachments.attach(
            tx,
            ticket_id=ticket_id,
            stored=stored,
            actor=actor,
            from_customer=True,
            internal=False,
            limits=_NO_LIMITS,
            contact_id=contact_id,
        )
