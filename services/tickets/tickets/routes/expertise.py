"""The steps that a level follows, and what an expert says of a ticket."""

from uuid import UUID

from fastapi import APIRouter

from tickets.routes.callers import StaffCall, TicketRoute, answer_ticket, by_of
from tickets.schemas.lifecycle import AssessmentCreate, AssessmentView, PlaybookView, TickCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases import assessments, playbooks

router = APIRouter(prefix="/v1/tickets/{ticket_id}", tags=["expertise"], route_class=TicketRoute)


@router.get("/playbook")
async def read_playbook(ticket_id: UUID, call: StaffCall) -> PlaybookView:
    """Return the document of possible solutions that a ticket follows, and which steps were taken."""
    return await playbooks.read_playbook(call.uow(), ticket_id=ticket_id)


@router.post("/playbook/{step}", status_code=201)
async def tick_step(ticket_id: UUID, step: str, body: TickCreate, call: StaffCall) -> TicketView:
    """Record how a step went; when all were taken and none solved it, the playbook is exhausted."""
    view = await playbooks.tick_step(call.uow(status=201), ticket_id=ticket_id, step=step, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.post("/assessments", status_code=201)
async def assess(ticket_id: UUID, body: AssessmentCreate, call: StaffCall) -> TicketView:
    """Say whether it can be solved, by when, and what information is missing for that."""
    view = await assessments.assess(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await answer_ticket(call, view)


@router.get("/assessments")
async def list_assessments(ticket_id: UUID, call: StaffCall) -> list[AssessmentView]:
    """List the assessments of a ticket, oldest first."""
    return await assessments.list_assessments(call.uow(), ticket_id=ticket_id)
