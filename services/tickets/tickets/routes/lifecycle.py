"""What happens to a ticket, from its receipt to its end."""

from uuid import UUID

from fastapi import APIRouter

from tickets.routes.callers import AnyCall, StaffCall, TicketRoute, answer_ticket, by_of
from tickets.schemas.lifecycle import (
    AcknowledgementCreate,
    AttemptCreate,
    AttemptView,
    Cause,
    ClosingCreate,
    DateCreate,
    ReopeningCreate,
    ReplyCreate,
    ResolutionCreate,
    WaitCreate,
)
from tickets.schemas.tickets import TicketView
from tickets.usecases import attempts, linking, replies, resolving, waits

router = APIRouter(prefix="/v1/tickets/{ticket_id}", tags=["life of a ticket"], route_class=TicketRoute)


@router.post("/acknowledgements", status_code=201)
async def acknowledge(ticket_id: UUID, body: AcknowledgementCreate, call: StaffCall) -> TicketView:
    """Take a ticket that nobody answered yet; or confirm its receipt, by a channel."""
    view = await replies.acknowledge(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.post("/replies", status_code=201)
async def reply(ticket_id: UUID, body: ReplyCreate, call: AnyCall) -> TicketView:
    """Say something, as the caller's side: the customer's, or the desk's. A merged ticket's goes where that goes on."""
    view = await replies.reply(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.post("/waits", status_code=201)
async def start_wait(ticket_id: UUID, body: WaitCreate, call: StaffCall) -> TicketView:
    """Begin to wait for the customer, a vendor or an agreed window; with `until` the wait ends by itself."""
    view = await waits.start_wait(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.post("/waits/{cause}/end")
async def end_wait(ticket_id: UUID, cause: Cause, call: StaffCall) -> TicketView:
    """End a wait."""
    view = await waits.end_wait(call.uow(), ticket_id=ticket_id, cause=cause, by=by_of(call))
    return await answer_ticket(call, view)


@router.post("/attempts", status_code=201)
async def attempt_contact(ticket_id: UUID, body: AttemptCreate, call: StaffCall) -> TicketView:
    """Record an attempt to reach the customer; the policy says which count, and when the ticket is abandoned."""
    view = await attempts.attempt_contact(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.get("/attempts")
async def list_attempts(ticket_id: UUID, call: StaffCall) -> list[AttemptView]:
    """List all attempts to reach the customer, those that do not count with the reason."""
    return await attempts.list_attempts(call.uow(), ticket_id=ticket_id)


@router.post("/agreed-dates", status_code=201)
async def agree_date(ticket_id: UUID, body: DateCreate, call: StaffCall) -> TicketView:
    """Record the date by which the work shall be done."""
    view = await waits.agree_date(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.post("/resolutions", status_code=201)
async def resolve(ticket_id: UUID, body: ResolutionCreate, call: StaffCall) -> TicketView:
    """Say that it is solved, and how."""
    view = await resolving.resolve(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.post("/reopenings", status_code=201)
async def reopen(ticket_id: UUID, body: ReopeningCreate, call: AnyCall) -> TicketView:
    """Reopen: the next cycle begins. For another cause a further request is opened instead, and answered with."""
    uow = call.uow(status=201)
    if body.same_cause:
        view = await resolving.reopen(uow, ticket_id=ticket_id, reason=body.reason, by=by_of(call))
    else:
        view = await linking.reopen_for_other_cause(
            uow, ticket_id=ticket_id, reason=body.reason, purchase_order=body.purchase_order, by=by_of(call)
        )
        call.response.headers["Location"] = f"/v1/tickets/{view.ticket_id}"
    return await answer_ticket(call, view)


@router.post("/closings", status_code=201)
async def close(ticket_id: UUID, body: ClosingCreate, call: AnyCall) -> TicketView:
    """Confirm the resolution, withdraw the request, or say that the customer does not answer any more."""
    view = await resolving.close(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)
