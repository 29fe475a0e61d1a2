"""Quotes."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from billing.schemas.quotes import AcceptanceCreate, QuoteCreate, QuoteView
from billing.usecases import quotes
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY, STAFF
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1", tags=["quotes"])

StaffCall = Annotated[Call, allow(*STAFF)]
AnyCall = Annotated[Call, allow(*EVERYBODY)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


def _actor(call: Call) -> str:
    return f"{call.principal.role}: {call.principal.label}"


@router.post("/quotes", status_code=201)
async def offer_quote(body: QuoteCreate, call: StaffCall) -> QuoteView:
    """Price work by the path that charges it, and offer it to the customer."""
    view = await quotes.offer_quote(call.uow(status=201), body=body, quoted_by=_actor(call))
    await call.settle(view.ticket_id or view.contract_id)
    return view


@router.get("/quotes")
async def list_quotes(
    call: AnyCall,
    ticket: UUID | None = None,
    contract: UUID | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Page[QuoteView]:
    """List quotes, the newest first; a requester sees its own customer's."""
    return await quotes.list_quotes(
        call.uow(),
        ticket_id=ticket,
        contract_id=contract,
        customer_id=call.principal.customer_id,
        cursor=cursor,
        limit=limit,
    )


@router.get("/quotes/{quote_id}")
async def read_quote(quote_id: UUID, call: AnyCall) -> QuoteView:
    """Return a quote."""
    return await quotes.read_quote(call.uow(), quote_id=quote_id, customer_id=call.principal.customer_id)


@router.post("/quotes/{quote_id}/accept")
async def accept_quote(quote_id: UUID, call: AnyCall, body: AcceptanceCreate | None = None) -> QuoteView:
    """Accept a quote: what it takes is set aside until work is done under it, it is released, or it expires."""
    view = await quotes.accept_quote(
        call.uow(),
        quote_id=quote_id,
        body=body or AcceptanceCreate(),
        customer_id=call.principal.customer_id,
        by=_actor(call),
        contact_id=call.principal.contact_id,
    )
    await call.settle(view.ticket_id or view.contract_id)
    return view


@router.post("/quotes/{quote_id}/decline")
async def decline_quote(quote_id: UUID, call: AnyCall) -> QuoteView:
    """Decline a quote."""
    return await quotes.decline_quote(
        call.uow(),
        quote_id=quote_id,
        customer_id=call.principal.customer_id,
        by=_actor(call),
        contact_id=call.principal.contact_id,
    )


@router.post("/quotes/{quote_id}/release")
async def release_quote(quote_id: UUID, call: StaffCall) -> QuoteView:
    """Free what an accepted quote still sets aside."""
    view = await quotes.release_quote(call.uow(), quote_id=quote_id, by=_actor(call))
    await call.settle(view.ticket_id or view.contract_id)
    return view
