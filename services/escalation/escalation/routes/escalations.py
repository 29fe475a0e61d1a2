"""Escalations."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from escalation.schemas.escalations import EscalationRequest, EscalationView
from escalation.schemas.words import EscalationState
from escalation.usecases import escalating, reading
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY, STAFF, Forbidden, Role
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1/escalations", tags=["escalations"])

Staff = Annotated[Call, allow(*STAFF)]
Anybody = Annotated[Call, allow(*EVERYBODY)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


def _by(call: Call) -> str:
    return f"{call.principal.role}: {call.principal.label}"


@router.post("", status_code=201)
async def request_escalation(call: Anybody, body: EscalationRequest) -> EscalationView:
    """Ask for the next step that the contract gives; a customer asks for its own tickets. PRO-18, SKE-03

    A step that would leave out another is refused with 409 and the clause. A customer is not told who of the desk did
    something or was told, nor why.
    """
    customer_id = None
    if call.principal.role is Role.REQUESTER:
        if body.trigger != "customer_request":
            raise Forbidden("a requester may ask with the trigger customer_request only")
        customer_id = call.principal.customer_id
    view = await escalating.request_escalation(
        call.uow(status=201), body, by=_by(call), customer_id=customer_id, contact_id=call.principal.contact_id
    )
    await call.settle(body.ticket_id)
    return view


@router.get("")
async def list_escalations(
    call: Staff,
    ticket: UUID | None = None,
    state: EscalationState | None = None,
    cursor: str | None = None,
    limit: Limit = 50,
) -> Page[EscalationView]:
    """List escalations in the order they were raised."""
    return await reading.read_escalations(call.uow(), ticket_id=ticket, state=state, cursor=cursor, limit=limit)


@router.get("/{escalation_id}")
async def read_escalation(call: Staff, escalation_id: UUID) -> EscalationView:
    """Read an escalation: each step, when it was due and taken, who was told by what."""
    return await reading.read_escalation(call.uow(), escalation_id)


@router.post("/{escalation_id}/acknowledge")
async def acknowledge_escalation(call: Staff, escalation_id: UUID) -> EscalationView:
    """Take notice of an escalation: its repetitions end."""
    view = await escalating.acknowledge_escalation(call.uow(), escalation_id, by=_by(call))
    await call.settle(view.ticket_id)
    return view
