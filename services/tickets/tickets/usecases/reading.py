"""Reading tickets: each from one snapshot, with what the other services announced about it."""

from collections.abc import Sequence
from uuid import UUID

from plazo.kernel.errors import NotFound
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain.ticket import Ticket
from tickets.repository import tickets, views
from tickets.repository.views import Announced
from tickets.schemas.tickets import AttemptsView, CoverageView, HoldView, ResolutionView, TicketView, WaitView


class NoSuchTicket(NotFound):
    """There is no such ticket, or the caller may not know of it."""

    code = "no-such-ticket"


def ticket_view(ticket: Ticket, announced: Announced | None = None) -> TicketView:
    """Return a ticket as it is shown."""
    announced = announced or Announced(clocks=(), charges=(), escalations=())
    facts = ticket.facts
    return TicketView(
        ticket_id=ticket.ticket_id,
        number=ticket.number,
        version=ticket.version,
        state=ticket.state,
        cycle=ticket.cycle,
        subject=ticket.subject,
        description=ticket.description,
        channel=ticket.channel,
        customer_id=ticket.customer_id,
        customer_name=ticket.customer_name,
        contact_name=ticket.contact_name,
        contact_email=ticket.contact_email,
        contact_id=ticket.contact_id,
        contract_id=ticket.contract_id,
        policy=ticket.policy,
        policy_version=ticket.policy_version,
        language=ticket.language,
        facts=facts,
        severity=None if facts.get("severity") is None else str(facts["severity"]),
        priority=None if facts.get("priority") is None else str(facts["priority"]),
        severity_confirmed=ticket.severity_confirmed,
        covered=ticket.covered,
        coverage=CoverageView(
            covered=ticket.covered,
            note=dict(ticket.coverage.note),
            clauses=list(ticket.coverage.clauses),
            route=ticket.coverage.route,
        ),
        flags=list(ticket.flags),
        parts=dict(ticket.answers.parts),
        checklist=dict(ticket.answers.checklist),
        admission=ticket.admission,
        hold=HoldView(reason=ticket.held_for, clause=ticket.held_clause) if ticket.held_for else None,
        waits=list(ticket.waits),
        waiting=[
            WaitView(cause=one.cause, reason=one.reason, since=one.since, until=one.until) for one in ticket.waiting
        ],
        attempts=AttemptsView(made=ticket.attempts.made, closes_at=ticket.attempts.closes_at),
        team=ticket.team,
        level=ticket.level,
        assignee=ticket.assignee,
        resolution=ResolutionView(
            kind=ticket.resolution_kind or "", text=ticket.resolution_text or "", resolved_at=ticket.resolved_at
        )
        if ticket.resolved_at
        else None,
        received_at=ticket.received_at,
        opened_at=ticket.opened_at,
        closed_at=ticket.closed_at,
        closed_for=ticket.closed_for,
        acknowledged_at=ticket.acknowledged_at,
        merged_into=ticket.merged_into,
        next_due_at=announced.next_due_at,
        breached=announced.is_breached,
        clocks=list(announced.clocks),
        escalations=list(announced.escalations),
        charges=list(announced.charges),
    )


async def visible_ticket(
    connection: Connection, ticket_id: UUID, *, customer_id: UUID | None, lock: bool = False
) -> Ticket:
    """Return a ticket that the caller may know of; `customer_id` confines a requester to its own.

    :raises NoSuchTicket: for one that is not there, or another customer's: the two are not told apart
    """
    ticket = await tickets.find_ticket(connection, ticket_id, lock=lock)
    if ticket is None or (customer_id is not None and ticket.customer_id != customer_id):
        raise NoSuchTicket(f"there is no ticket {ticket_id}")
    return ticket


async def read_ticket(uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None) -> TicketView:
    """Return a ticket with its clocks, escalations and charges. :raises NoSuchTicket:"""
    async with uow.read() as connection:
        ticket = await visible_ticket(connection, ticket_id, customer_id=customer_id)
        announced = await views.read_announced(connection, [ticket_id])
    return ticket_view(ticket, announced[ticket_id])


async def with_announced(connection: Connection, found: Sequence[Ticket]) -> list[TicketView]:
    """Return several tickets as they are shown."""
    announced = await views.read_announced(connection, [ticket.ticket_id for ticket in found])
    return [ticket_view(ticket, announced[ticket.ticket_id]) for ticket in found]
