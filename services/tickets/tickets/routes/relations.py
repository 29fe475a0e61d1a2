"""Tickets that have to do with each other: links, further requests, splits and merges; and vendors."""

from uuid import UUID

from fastapi import APIRouter

from plazo.runtime.call import Call
from tickets.routes.callers import AnyCall, StaffCall, TicketRoute, answer_ticket, by_of
from tickets.schemas.lifecycle import (
    AdditionalRequestCreate,
    LinkCreate,
    LinkView,
    MergeCreate,
    PartCreate,
    VendorAnswerCreate,
    VendorReferenceCreate,
    VendorReferenceView,
    VendorReleaseCreate,
)
from tickets.schemas.tickets import TicketView
from tickets.usecases import linking, vendors

router = APIRouter(prefix="/v1/tickets/{ticket_id}", tags=["relations of a ticket"], route_class=TicketRoute)


async def _answer_new(call: Call, view: TicketView) -> TicketView:
    call.response.headers["Location"] = f"/v1/tickets/{view.ticket_id}"
    return await answer_ticket(call, view)


@router.post("/links", status_code=201)
async def link(ticket_id: UUID, body: LinkCreate, call: StaffCall) -> TicketView:
    """Say what a ticket has to do with another one."""
    view = await linking.link_ticket(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.get("/links")
async def list_links(ticket_id: UUID, call: AnyCall) -> list[LinkView]:
    """List the tickets that one is linked with, either way; a requester sees its own customer's."""
    return await linking.list_links(call.uow(), ticket_id=ticket_id, customer_id=call.principal.customer_id)


@router.post("/additional-requests", status_code=201)
async def request_more(ticket_id: UUID, body: AdditionalRequestCreate, call: AnyCall) -> TicketView:
    """Open a further request, linked to a ticket, with clocks and charges of its own."""
    view = await linking.request_more(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await _answer_new(call, view)


@router.post("/splits", status_code=201)
async def split(ticket_id: UUID, body: PartCreate, call: StaffCall) -> TicketView:
    """Make a part of a ticket one of its own; work stays where it was logged."""
    view = await linking.split_ticket(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await _answer_new(call, view)


@router.post("/merges", status_code=201)
async def merge(ticket_id: UUID, body: MergeCreate, call: StaffCall) -> TicketView:
    """Let a ticket go on in another one of the same customer; it is over itself."""
    view = await linking.merge_ticket(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.post("/vendor-references", status_code=201)
async def refer_to_vendor(ticket_id: UUID, body: VendorReferenceCreate, call: StaffCall) -> TicketView:
    """Record what a vendor knows the request by."""
    view = await vendors.refer_to_vendor(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.get("/vendor-references")
async def list_vendor_references(ticket_id: UUID, call: AnyCall) -> list[VendorReferenceView]:
    """List the vendors that a request was passed to, with their answers."""
    return await vendors.list_vendor_references(call.uow(), ticket_id=ticket_id, customer_id=call.principal.customer_id)


@router.post("/vendor-answers", status_code=201)
async def record_vendor_answer(ticket_id: UUID, body: VendorAnswerCreate, call: StaffCall) -> TicketView:
    """Record what the vendor answered; the customer is told where the policy says so."""
    view = await vendors.record_vendor_answer(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.post("/vendor-releases", status_code=201)
async def record_vendor_release(ticket_id: UUID, body: VendorReleaseCreate, call: StaffCall) -> TicketView:
    """Record that what was asked of the vendor is available."""
    view = await vendors.record_vendor_release(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)
