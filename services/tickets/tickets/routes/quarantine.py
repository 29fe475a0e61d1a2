"""Requests that did not become tickets, and what completes those that did."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from tickets.routes.callers import AnyCall, StaffCall, TicketRoute, answer_ticket, by_of, caller_of
from tickets.schemas.quarantine import DismissalCreate, KeptRequestView, ReleaseCreate
from tickets.schemas.requests import AnswersCreate, ConfirmationCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases import completing, quarantine

router = APIRouter(prefix="/v1", tags=["intake"], route_class=TicketRoute)

# Whoever decides what the contract refused answers for it.
DecidingCall = Annotated[Call, allow(*EVERYBODY, recorded=True)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.get("/quarantine")
async def list_kept_requests(
    call: AnyCall,
    state: Literal["kept", "released", "dismissed"] | None = None,
    outcome: Literal["refused", "quarantined"] | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Page[KeptRequestView]:
    """List requests that did not become tickets, oldest first; a customer's administrator sees its own."""
    views = await quarantine.list_kept(
        call.uow(),
        caller=caller_of(call),
        after=position(cursor, datetime, UUID),
        state=state,
        outcome=outcome,
        limit=limit + 1,
    )
    return page_of(views, limit=limit, keys=lambda request: (request.received_at, request.request_id))


@router.get("/quarantine/{request_id}")
async def read_kept_request(request_id: UUID, call: AnyCall) -> KeptRequestView:
    """Return a request that did not become a ticket, with what arrived."""
    return await quarantine.read_kept(call.uow(), request_id=request_id, caller=caller_of(call))


@router.post("/quarantine/{request_id}/release")
async def release_request(request_id: UUID, body: ReleaseCreate, call: DecidingCall) -> KeptRequestView:
    """Open the ticket that a kept request asked for; the customer's administrator may, or the desk's people."""
    view = await quarantine.release(call.uow(), request_id=request_id, body=body, caller=caller_of(call))
    if view.ticket_id is not None:
        await call.settle(view.ticket_id)
    return view


@router.post("/quarantine/{request_id}/dismiss")
async def dismiss_request(request_id: UUID, body: DismissalCreate, call: DecidingCall) -> KeptRequestView:
    """Say that a kept request does not become a ticket, and why."""
    return await quarantine.dismiss(call.uow(), request_id=request_id, body=body, caller=caller_of(call))


@router.post("/tickets/{ticket_id}/completions", status_code=201)
async def complete_request(ticket_id: UUID, body: AnswersCreate, call: AnyCall) -> TicketView:
    """Add what was missing: parts of the description, steps tried since."""
    view = await completing.complete_request(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.post("/tickets/{ticket_id}/confirmations", status_code=201)
async def confirm_severity(ticket_id: UUID, body: ConfirmationCreate, call: StaffCall) -> TicketView:
    """Record that the severity was confirmed by another channel, or what it is by the facts told then."""
    view = await completing.confirm_severity(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)
