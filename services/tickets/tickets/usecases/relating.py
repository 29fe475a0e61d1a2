"""That a ticket has to do with another one."""

from plazo.events.ticket_life import TicketLinked
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.ticket import Ticket
from tickets.repository import lifecycle, tickets
from tickets.repository.tickets import Entry


async def relate_ticket(tx: Transaction, ticket: Ticket, other: Ticket, *, kind: str, actor: str) -> list[Entry]:
    """Say that a ticket is `kind` of another one; return what its timeline shall say, nothing if that was known."""
    if not await lifecycle.insert_link(tx, ticket.ticket_id, other.ticket_id, kind=kind, by=actor, at=tx.now):
        return []
    linked = TicketLinked(
        other_id=other.ticket_id,
        other_number=other.number,
        kind=kind,
        by=actor,
        other_customer_id=None if other.customer_id == ticket.customer_id else other.customer_id,
    )
    tx.emit(linked, about=ticket.ticket_id, occurred_at=tx.now)
    return [_entry("linked", ticket, other, relation=kind, actor=actor, tx=tx)]


async def follow_ticket(tx: Transaction, ticket: Ticket, source: Ticket, *, kind: str, actor: str) -> None:
    """Say of both that a new ticket is `kind` of another one, whose row the caller holds."""
    linked = await relate_ticket(tx, ticket, source, kind=kind, actor=actor)
    await tickets.add_entries(tx, ticket.ticket_id, linked)
    await tickets.add_entries(
        tx, source.ticket_id, [_entry("followed", source, ticket, relation=kind, actor=actor, tx=tx)] if linked else []
    )


def _entry(kind: str, ticket: Ticket, other: Ticket, *, relation: str, actor: str, tx: Transaction) -> Entry:
    """Return what a ticket's timeline says of another one; a customer is not told of another customer's."""
    data = {"ticket_id": other.ticket_id, "number": other.number, "relation": relation}
    is_shared = other.customer_id == ticket.customer_id
    return Entry(kind=kind, actor=actor, occurred_at=tx.now, data=data, internal=not is_shared)
