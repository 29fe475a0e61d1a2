"""Contacts: the people of customers, and who of them may ask."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from plazo.runtime.call import Call
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from tickets.routes.callers import AnyCall, StaffCall, caller_of
from tickets.schemas.parties import ContactChange, ContactCreate, ContactView, EmailConfirmation
from tickets.usecases import contacts

router = APIRouter(prefix="/v1", tags=["contacts"])

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


async def _answer(call: Call, view: ContactView) -> ContactView:
    await call.settle(view.contact_id)
    call.show_version(view.version)
    return view


@router.post("/contacts", status_code=201)
async def register_contact(body: ContactCreate, call: AnyCall) -> ContactView:
    """Register a person of a customer; its own administrator may, and the desk's people.

    Mail from an address that the customer gives is the contact's once the desk has confirmed that.
    """
    view = await contacts.register_contact(call.uow(status=201), body=body, caller=caller_of(call))
    return await _answer(call, view)


@router.get("/contacts")
async def list_contacts(
    call: AnyCall, customer_id: UUID | None = None, limit: Limit = 50, cursor: str | None = None
) -> Page[ContactView]:
    """List contacts, oldest first; a customer's key sees those of its customer, a person's key that person."""
    views = await contacts.list_contacts(
        call.uow(),
        caller=caller_of(call),
        customer_id=customer_id,
        after=position(cursor, datetime, UUID),
        limit=limit + 1,
    )
    return page_of(
        views,
        limit=limit,
        keys=lambda contact: (contact.created_at, contact.contact_id),
    )


@router.get("/contacts/{contact_id}")
async def read_contact(contact_id: UUID, call: AnyCall) -> ContactView:
    """Return a contact."""
    view = await contacts.read_contact(call.uow(), contact_id=contact_id, caller=caller_of(call))
    call.show_version(view.version)
    return view


@router.patch("/contacts/{contact_id}")
async def change_contact(contact_id: UUID, body: ContactChange, call: AnyCall) -> ContactView:
    """Change a contact's particulars; addresses that its customer adds wait to be confirmed."""
    view = await contacts.change_contact(call.uow(), contact_id=contact_id, body=body, caller=caller_of(call))
    return await _answer(call, view)


@router.post("/contacts/{contact_id}/confirmations", status_code=201)
async def confirm_addresses(contact_id: UUID, body: EmailConfirmation, call: StaffCall) -> ContactView:
    """Confirm that addresses which the customer gave are the contact's: all that wait for it, or those named."""
    view = await contacts.confirm_addresses(
        call.uow(status=201), contact_id=contact_id, body=body, caller=caller_of(call)
    )
    return await _answer(call, view)


@router.post("/contacts/{contact_id}/authorizations", status_code=201)
async def authorize_contact(contact_id: UUID, call: AnyCall) -> ContactView:
    """Let a contact open and answer tickets; the customer's administrator may say so, or the desk's people."""
    view = await contacts.authorize_contact(call.uow(status=201), contact_id=contact_id, caller=caller_of(call))
    return await _answer(call, view)


@router.post("/contacts/{contact_id}/withdrawals", status_code=201)
async def withdraw_authorization(contact_id: UUID, call: AnyCall) -> ContactView:
    """Let a contact no longer open and answer tickets."""
    view = await contacts.withdraw_authorization(call.uow(status=201), contact_id=contact_id, caller=caller_of(call))
    return await _answer(call, view)
