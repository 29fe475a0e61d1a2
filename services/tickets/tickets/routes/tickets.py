"""Tickets: opening, reading, and the facts that people state."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from plazo.runtime.identity import Role
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from tickets.repository import lifecycle
from tickets.repository import tickets as repository
from tickets.routes.callers import AnyCall, StaffCall, TicketRoute, answer_ticket, by_of
from tickets.schemas.lifecycle import FactsChange
from tickets.schemas.requests import TicketCreate
from tickets.schemas.tickets import DecisionView, TicketView, TimelineEntryView
from tickets.usecases import changes, opening, reading

router = APIRouter(prefix="/v1", tags=["tickets"], route_class=TicketRoute)

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.post("/tickets", status_code=201)
async def open_ticket(body: TicketCreate, call: AnyCall) -> TicketView:
    """Open a ticket. With `Prefer: wait=5` the answer shows its deadlines."""
    by = by_of(call)
    view = await opening.open_ticket(
        call.uow(status=201),
        body=body,
        actor=by.actor,
        customer_id=by.customer_id,
        contact_id=call.principal.contact_id,
    )
    call.response.headers["Location"] = f"/v1/tickets/{view.ticket_id}"
    return await answer_ticket(call, view)


@router.get("/tickets/{ticket_id}")
async def read_ticket(ticket_id: UUID, call: AnyCall) -> TicketView:
    """Return a ticket with its clocks, level and charges."""
    view = await reading.read_ticket(call.uow(), ticket_id=ticket_id, customer_id=call.principal.customer_id)
    call.show_version(view.version)
    return view


@router.get("/tickets/{ticket_id}/decisions")
async def list_decisions(ticket_id: UUID, call: StaffCall) -> list[DecisionView]:
    """List all that the policy's rules decided about a ticket, with rule and clause."""
    async with call.uow().read() as connection:
        await reading.visible_ticket(connection, ticket_id, customer_id=None)
        rows = await repository.list_decisions(connection, ticket_id)
    return [DecisionView(**row) for row in rows]


@router.get("/tickets/{ticket_id}/timeline")
async def read_timeline(
    ticket_id: UUID, call: AnyCall, *, limit: Limit = 100, cursor: str | None = None, merged: bool = False
) -> Page[TimelineEntryView]:
    """Return what happened to a ticket, in the order it happened; the customer sees no internal entries.

    With `merged`, what happened to the tickets that go on in it stands among it.
    """
    async with call.uow().read() as connection:
        customer_id = call.principal.customer_id
        await reading.visible_ticket(connection, ticket_id, customer_id=customer_id)
        sources = await lifecycle.merged_tickets(connection, ticket_id) if merged else []
        entries = [
            TimelineEntryView(**row)
            for one in (ticket_id, *sources)
            for row in await repository.read_timeline(
                connection,
                one,
                after=position(cursor, datetime, int),
                with_internal=call.principal.role is not Role.REQUESTER,
                limit=limit + 1,
            )
        ]
    entries.sort(key=lambda entry: (entry.occurred_at, entry.seq))
    return page_of(entries[: limit + 1], limit=limit, keys=lambda entry: (entry.occurred_at, entry.seq))


@router.patch("/tickets/{ticket_id}")
async def change_facts(ticket_id: UUID, body: FactsChange, call: StaffCall) -> TicketView:
    """Change stated facts; what depends on them is decided again, and deadlines follow."""
    view = await changes.change_facts(call.uow(), ticket_id=ticket_id, facts=body.facts, by=by_of(call))
    return await answer_ticket(call, view)
