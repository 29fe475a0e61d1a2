"""Requests that are passed to a vendor: its reference, its answer, its release. IRE-17"""

from collections.abc import Sequence
from dataclasses import asdict, replace
from uuid import UUID

from plazo.events.ticket_life import VendorAnswered, VendorReferred, VendorReleased
from plazo.kernel.errors import Kind, PlazoError
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain.lifecycle import State
from tickets.repository import lifecycle
from tickets.repository.lifecycle import VendorReference
from tickets.schemas.lifecycle import (
    VendorAnswerCreate,
    VendorReferenceCreate,
    VendorReferenceView,
    VendorReleaseCreate,
)
from tickets.schemas.tickets import TicketView
from tickets.usecases.changes import By, changing
from tickets.usecases.reading import visible_ticket
from tickets.usecases.waits import finish_wait


class NoVendorReference(PlazoError):
    """Nothing says which vendor, and what it knows the request by."""

    kind = Kind.CONFLICT
    code = "no-vendor-reference"


class TicketOver(PlazoError):
    """The ticket is closed; nothing more is asked of a vendor for it."""

    kind = Kind.CONFLICT
    code = "ticket-over"


async def refer_to_vendor(uow: UnitOfWork, *, ticket_id: UUID, body: VendorReferenceCreate, by: By) -> TicketView:
    """Record what a vendor knows the request by; the newest reference holds. :raises TicketOver:"""
    async with changing(uow, ticket_id, by) as change:
        if change.before.state is State.CLOSED:
            raise TicketOver(f"{change.before.number} is closed")
        known = await lifecycle.list_vendor_references(change.tx.connection, ticket_id)
        before = next((one for one in known if one.vendor == body.vendor), None)
        reference = VendorReference(vendor=body.vendor, reference=body.reference, referred_at=change.now)
        if before is not None:
            reference = replace(before, reference=body.reference)
        await lifecycle.save_vendor_reference(change.tx, ticket_id, reference)
        change.note("vendor_referred", by, vendor=body.vendor, reference=body.reference)
        change.announce(VendorReferred(vendor=body.vendor, vendor_reference=body.reference, by=by.actor))
    return change.done()


async def record_vendor_answer(uow: UnitOfWork, *, ticket_id: UUID, body: VendorAnswerCreate, by: By) -> TicketView:
    """Record what the vendor answered; it ends the wait for it, and the customer is told. :raises NoVendorReference:"""
    async with changing(uow, ticket_id, by) as change:
        known = await lifecycle.list_vendor_references(change.tx.connection, ticket_id)
        chosen = _choose(known, body.vendor)
        answered = replace(chosen, answer=body.text, answered_at=change.now)
        await lifecycle.save_vendor_reference(change.tx, ticket_id, answered)
        change.note("vendor_answered", by, text=body.text, vendor=chosen.vendor, reference=chosen.reference)
        change.announce(VendorAnswered(vendor=chosen.vendor, vendor_reference=chosen.reference, text=body.text))
        if "vendor" in change.after.waits:
            finish_wait(change, "vendor", by)
    return change.done()


async def record_vendor_release(uow: UnitOfWork, *, ticket_id: UUID, body: VendorReleaseCreate, by: By) -> TicketView:
    """Record that what was asked for is available; the customer is told. :raises NoVendorReference:"""
    async with changing(uow, ticket_id, by) as change:
        known = await lifecycle.list_vendor_references(change.tx.connection, ticket_id)
        chosen = _choose(known, body.vendor)
        released = replace(chosen, released_version=body.version, released_at=change.now)
        await lifecycle.save_vendor_reference(change.tx, ticket_id, released)
        change.note("vendor_released", by, text=body.text, vendor=chosen.vendor, version=body.version)
        change.announce(
            VendorReleased(
                vendor=chosen.vendor, vendor_reference=chosen.reference, released_version=body.version, text=body.text
            )
        )
    return change.done()


async def list_vendor_references(
    uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None
) -> list[VendorReferenceView]:
    """Return the vendors that a request was passed to. :raises NoSuchTicket:"""
    async with uow.read() as connection:
        await visible_ticket(connection, ticket_id, customer_id=customer_id)
        known = await lifecycle.list_vendor_references(connection, ticket_id)
    return [VendorReferenceView(**asdict(one)) for one in known]


def _choose(known: Sequence[VendorReference], vendor: str | None) -> VendorReference:
    fitting = [one for one in known if vendor in (None, one.vendor)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(one.vendor for one in known) or "no vendor"
    raise NoVendorReference(f"say which vendor; the request was passed to {names}")
