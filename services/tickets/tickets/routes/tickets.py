"""Tickets: opening, reading and what happens to them."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY, STAFF, Role
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from tickets.domain.lifecycle import State
from tickets.repository import tickets as repository
from tickets.schemas.lifecycle import (
    ClosingCreate,
    DateCreate,
    FactsChange,
    ReopeningCreate,
    ReplyCreate,
    ResolutionCreate,
    WaitCreate,
)
from tickets.schemas.quarantine import KeptRequestView
from tickets.schemas.tickets import DecisionView, TicketCreate, TicketView, TimelineEntryView
from tickets.usecases import changes, opening, reading
from tickets.usecases.changes import By

router = APIRouter(prefix="/v1", tags=["tickets"])

StaffCall = Annotated[Call, allow(*STAFF)]
AnyCall = Annotated[Call, allow(*EVERYBODY)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


def _by(call: Call) -> By:
    return By(
        actor=f"{call.principal.role}: {call.principal.label}",
        customer_id=call.principal.customer_id,
        if_match=call.request.headers.get("if-match"),
    )


async def _answer(call: Call, view: TicketView) -> TicketView:
    """Return the ticket; as it stands once all has settled, if the caller prefers to wait for that."""
    if await call.settle(view.ticket_id):
        view = await reading.read_ticket(call.uow(), ticket_id=view.ticket_id, customer_id=call.principal.customer_id)
    call.show_version(view.version)
    return view


@router.post("/tickets", status_code=201)
async def open_ticket(body: TicketCreate, call: AnyCall) -> TicketView:
    """Open a ticket. With `Prefer: wait=5` the answer shows its deadlines."""
    by = _by(call)
    view = await opening.open_ticket(call.uow(status=201), body=body, actor=by.actor, customer_id=by.customer_id)
    call.response.headers["Location"] = f"/v1/tickets/{view.ticket_id}"
    return await _answer(call, view)


@router.get("/tickets")
async def list_tickets(
    call: AnyCall,
    state: State | None = None,
    customer_id: UUID | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Page[TicketView]:
    """List tickets, newest first; a requester sees its own customer's."""
    async with call.uow().read() as connection:
        found = await repository.list_tickets(
            connection,
            after=position(cursor, datetime, UUID),
            customer_id=call.principal.customer_id or customer_id,
            state=state,
            limit=limit + 1,
        )
        page = page_of(found, limit=limit, keys=lambda ticket: (ticket.opened_at, ticket.ticket_id))
        items = await reading.with_announced(connection, page.items)
    return Page(items=items, next_cursor=page.next_cursor)


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
    ticket_id: UUID, call: AnyCall, limit: Limit = 100, cursor: str | None = None
) -> Page[TimelineEntryView]:
    """Return what happened to a ticket, in the order it happened; the customer sees no internal entries."""
    async with call.uow().read() as connection:
        customer_id = call.principal.customer_id
        await reading.visible_ticket(connection, ticket_id, customer_id=customer_id)
        rows = await repository.read_timeline(
            connection,
            ticket_id,
            after=position(cursor, datetime, int),
            with_internal=call.principal.role is not Role.REQUESTER,
            limit=limit + 1,
        )
    entries = [TimelineEntryView(**row) for row in rows]
    return page_of(entries, limit=limit, keys=lambda entry: (entry.occurred_at, entry.seq))


@router.patch("/tickets/{ticket_id}")
async def change_facts(ticket_id: UUID, body: FactsChange, call: StaffCall) -> TicketView:
    """Change stated facts; what depends on them is decided again, and deadlines follow."""
    view = await changes.change_facts(call.uow(), ticket_id=ticket_id, facts=body.facts, by=_by(call))
    return await _answer(call, view)


@router.post("/tickets/{ticket_id}/replies", status_code=201)
async def reply(ticket_id: UUID, body: ReplyCreate, call: AnyCall) -> TicketView:
    """Say something, as the caller's side: the customer's, or the desk's."""
    view = await changes.reply(call.uow(status=201), ticket_id=ticket_id, body=body, by=_by(call))
    return await _answer(call, view)


@router.post("/tickets/{ticket_id}/waits", status_code=201)
async def start_wait(ticket_id: UUID, body: WaitCreate, call: StaffCall) -> TicketView:
    """Begin to wait for the customer, a vendor or an agreed window."""
    view = await changes.start_wait(call.uow(status=201), ticket_id=ticket_id, body=body, by=_by(call))
    return await _answer(call, view)


@router.post("/tickets/{ticket_id}/waits/{cause}/end")
async def end_wait(
    ticket_id: UUID, cause: Literal["customer", "vendor", "agreed_window"], call: StaffCall
) -> TicketView:
    """End a wait."""
    view = await changes.end_wait(call.uow(), ticket_id=ticket_id, cause=cause, by=_by(call))
    return await _answer(call, view)


@router.post("/tickets/{ticket_id}/agreed-dates", status_code=201)
async def agree_date(ticket_id: UUID, body: DateCreate, call: StaffCall) -> TicketView:
    """Record the date by which the work shall be done."""
    view = await changes.agree_date(call.uow(status=201), ticket_id=ticket_id, body=body, by=_by(call))
    return await _answer(call, view)


@router.post("/tickets/{ticket_id}/resolutions", status_code=201)
async def resolve(ticket_id: UUID, body: ResolutionCreate, call: StaffCall) -> TicketView:
    """Say that it is solved, and how."""
    view = await changes.resolve(call.uow(status=201), ticket_id=ticket_id, body=body, by=_by(call))
    return await _answer(call, view)


@router.post("/tickets/{ticket_id}/reopenings", status_code=201)
async def reopen(ticket_id: UUID, body: ReopeningCreate, call: AnyCall) -> TicketView:
    """Reopen: the next cycle begins."""
    view = await changes.reopen(call.uow(status=201), ticket_id=ticket_id, reason=body.reason, by=_by(call))
    return await _answer(call, view)


@router.post("/tickets/{ticket_id}/closings", status_code=201)
async def close(ticket_id: UUID, body: ClosingCreate, call: AnyCall) -> TicketView:
    """Confirm the resolution, or withdraw the request."""
    view = await changes.close(call.uow(status=201), ticket_id=ticket_id, reason=body.reason, by=_by(call))
    return await _answer(call, view)


@router.get("/quarantine")
async def list_kept_requests(call: StaffCall, limit: Limit = 50, cursor: str | None = None) -> Page[KeptRequestView]:
    """List requests that did not become tickets, with the reason and the clause, oldest first."""
    async with call.uow().read() as connection:
        rows = await repository.list_kept_requests(connection, after=position(cursor, datetime, UUID), limit=limit + 1)
    kept = [KeptRequestView(**row) for row in rows]
    return page_of(kept, limit=limit, keys=lambda request: (request.received_at, request.request_id))
