"""The dossier: whether it is what was recorded, evidence to take away, and what is known of a person."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import Role
from tickets.routes.callers import AnyCall, StaffCall, by_of
from tickets.schemas.dossier import ContactExport, ErasureCreate, ErasureView, EvidenceView, VerificationView
from tickets.usecases import evidence, personal_data

router = APIRouter(prefix="/v1", tags=["dossier"])

ResponsibleCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]


@router.get("/tickets/{ticket_id}/timeline/verification")
async def verify_timeline(ticket_id: UUID, call: AnyCall) -> VerificationView:
    """Check the whole timeline against its chain: nothing altered, nothing missing, nothing put in between."""
    return await evidence.verify_timeline(call.uow(), ticket_id=ticket_id, customer_id=call.principal.customer_id)


@router.get("/tickets/{ticket_id}/evidence")
async def collect_evidence(ticket_id: UUID, call: StaffCall) -> EvidenceView:
    """Return all that this service knows of a ticket, with what it takes to verify it elsewhere: `plazo evidence`."""
    return await evidence.collect_evidence(call.uow(), ticket_id=ticket_id)


@router.get("/contacts/{contact_id}/export")
async def export_contact(contact_id: UUID, call: ResponsibleCall) -> ContactExport:
    """Return everything about a contact."""
    return await personal_data.export_contact(call.uow(), contact_id=contact_id)


@router.post("/contacts/{contact_id}/erasure")
async def erase_contact(contact_id: UUID, body: ErasureCreate, call: ResponsibleCall) -> ErasureView:
    """Forget a contact for good. What happened, when, and the chain over it stay."""
    return await personal_data.erase_contact(
        call.uow(), contact_id=contact_id, reason=body.reason, actor=by_of(call).actor
    )
