"""What is known of a contact: to hand it over, and to forget it. The dossier's structure and chain stay."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from plazo.events.ticket_dossier import ContactErased
from plazo.events.tickets import KeyRevoked
from plazo.kernel.errors import NotFound
from plazo.kernel.forgetting import Person
from plazo.runtime import forgetting
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.erasure import is_said_by
from tickets.repository import dossier, personal_data, tickets, timeline
from tickets.repository.objects import give_up_objects
from tickets.repository.timeline import Entry
from tickets.schemas.dossier import ContactExport, ErasureView
from tickets.usecases.attachments import attachment_view
from tickets.usecases.reading import ticket_view


async def export_contact(uow: UnitOfWork, *, contact_id: UUID) -> ContactExport:
    """Return everything about a contact, as it stands. :raises NotFound:"""
    async with uow.read() as connection:
        contact, person = await _find(connection, contact_id)
        own = await personal_data.tickets_of(connection, contact, contact_id)
        found = [ticket for one in own if (ticket := await tickets.find_ticket(connection, one)) is not None]
        files = [file for one in own for file in await dossier.list_attachments(connection, one, with_internal=False)]
        entries: list[dict[str, Any]] = []
        for ticket_id in await personal_data.tickets_of_customer(connection, contact["customer_id"]):
            rows = await personal_data.read_entries(connection, ticket_id)
            entries += [dict(row) for row in rows if _concerns(person, row, is_own_ticket=ticket_id in own)]
        requests = await personal_data.read_requests(connection, contact, contact_id)
    return ContactExport(
        made_at=uow.now,
        contact=contact["contact"]
        | {"emails": list(contact["addresses"]), "unconfirmed_emails": list(contact["unconfirmed"])},
        tickets=[ticket_view(ticket).model_dump(mode="json") for ticket in found],
        entries=entries,
        attachments=[attachment_view(file) for file in files if file.from_customer],
        requests=[dict(row) for row in requests],
    )


async def erase_contact(uow: UnitOfWork, *, contact_id: UUID, reason: str, actor: str) -> ErasureView:
    """Forget a contact for good: its particulars, what it said, its files, its requests, and every copy kept here.

    What happened, when, and the chain over it stay, and each of its tickets notes the erasure. Whoever acts in its name
    holds its row: what they write is erased with the rest, or refused. A second time, what was said since goes too.

    :raises NotFound:
    """
    async with uow.begin() as tx:
        contact, person = await _find(tx.connection, contact_id, lock=True)
        keys = await forgetting.forget_keys(tx, contact_id)
        own = await personal_data.tickets_of(tx.connection, contact, contact_id, lock=True)
        objects = await personal_data.forget_attachments(tx, own, contact_id)
        await give_up_objects(tx, objects)
        entries: dict[UUID, int] = {}
        for ticket_id in await personal_data.tickets_of_customer(tx.connection, contact["customer_id"]):
            is_own = ticket_id in own
            found = await _find_entries(tx, ticket_id, person, is_own_ticket=is_own)
            if found or is_own:
                await personal_data.forget_ticket(tx, ticket_id, person, is_own=is_own)
                entries[ticket_id] = await _erase_entries(tx, ticket_id, found, person, actor=actor, reason=reason)
        requests = await personal_data.read_requests(tx.connection, contact, contact_id)
        request_ids = [row["request_id"] for row in requests]
        await personal_data.forget_requests(tx, requests, person)
        await personal_data.forget_intake(tx, own, contact["addresses"], person)
        theirs = {*own, *request_ids, contact_id}
        others = (contact_id, contact["customer_id"], *request_ids)
        await personal_data.forget_copies(tx, list(entries), person, own=theirs, others=others)
        await personal_data.forget_labels(tx, contact_id, person, list(keys))
        await forgetting.forget_answers(tx, person, keys=keys)
        await forgetting.forget_inbox(tx, person, own=theirs)
        await personal_data.forget_contact(tx, contact_id, marks=person.to_marks())
        for key_id in keys:
            tx.emit(KeyRevoked(key_id=key_id), about=tx.desk_id, occurred_at=tx.now)
        erased = ContactErased(
            contact_id=contact_id,
            customer_id=contact["customer_id"],
            tickets=tuple(own),
            requests=tuple(request_ids),
            known_by=person.to_marks(),
            announced=await personal_data.announced_so_far(tx.connection, [tx.desk_id, *entries, *request_ids]),
        )
        tx.emit(erased, about=contact_id, occurred_at=tx.now)
        view = ErasureView(
            contact_id=contact_id,
            erased_at=tx.now,
            tickets=len(own),
            entries=sum(entries.values()),
            attachments=len(objects),
            requests=len(requests),
        )
        tx.answer = view.model_dump(mode="json")
    return view


async def _find(connection: Connection, contact_id: UUID, *, lock: bool = False) -> tuple[Any, Person]:
    contact = await personal_data.find_contact(connection, contact_id, lock=lock)
    if contact is None:
        raise NotFound(f"there is no contact {contact_id}")
    if contact["known_by"] is not None:
        # By the labels of its keys others may act by now.
        return contact, replace(Person.marked(contact_id, contact["known_by"]), acts_as=frozenset())
    # Nobody is known to write from an unconfirmed address, so no mail is the contact's for it; it may be mentioned.
    addresses = (*contact["addresses"], *contact["unconfirmed"])
    person = Person.of(
        contact_id=contact_id,
        name=contact["name"],
        addresses=addresses,
        phone=contact["phone"],
        acts_as=await personal_data.actors_of(connection, contact, contact_id),
    )
    return contact, person


async def _find_entries(tx: Transaction, ticket_id: UUID, person: Person, *, is_own_ticket: bool) -> list[Any]:
    rows = await personal_data.read_entries(tx.connection, ticket_id)
    return [row for row in rows if row["erased_at"] is None and _concerns(person, row, is_own_ticket=is_own_ticket)]


async def _erase_entries(
    tx: Transaction, ticket_id: UUID, rows: list[Any], person: Person, *, actor: str, reason: str
) -> int:
    said_by = [row["actor"] for row in rows if person.is_in(row["actor"]) or row["actor"].startswith("requester")]
    positions = [row["position"] for row in rows]
    erased = await timeline.erase_words(tx, ticket_id, positions, actors=said_by)
    note = Entry(
        kind="personal_data_erased",
        actor=actor,
        occurred_at=tx.now,
        text=reason,
        internal=True,
        data={"entries": positions},
    )
    await timeline.add_entries(tx, ticket_id, [note])
    return erased


def _concerns(person: Person, row: Any, *, is_own_ticket: bool) -> bool:
    return is_said_by(
        person, kind=row["kind"], actor=row["actor"], words=(row["text"], row["data"]), is_own_ticket=is_own_ticket
    )
