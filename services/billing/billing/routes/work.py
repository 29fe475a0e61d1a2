"""Work and what it is charged."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from billing.schemas.work import ChargedWorkView, ChargeView, VoidCreate, WorkCreate, WorkView
from billing.usecases import work
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY, STAFF
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1", tags=["work"])

StaffCall = Annotated[Call, allow(*STAFF)]
AnyCall = Annotated[Call, allow(*EVERYBODY)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


def _actor(call: Call) -> str:
    return f"{call.principal.role}: {call.principal.label}"


@router.post("/work", status_code=201)
async def log_work(body: WorkCreate, call: StaffCall) -> ChargedWorkView:
    """Log work on a ticket; the answer shows what it was charged and why."""
    view = await work.log_work(call.uow(status=201), body=body, logged_by=_actor(call))
    await call.settle(body.ticket_id)
    return view


@router.post("/work/{work_id}/void", status_code=201)
async def void_work(work_id: UUID, body: VoidCreate, call: StaffCall) -> ChargedWorkView:
    """Take work back; what it changed is compensated by new entries."""
    view = await work.void_work(call.uow(status=201), work_id=work_id, body=body)
    await call.settle(view.work.ticket_id)
    return view


@router.get("/work")
async def list_work(call: StaffCall, ticket: UUID, limit: Limit = 50, cursor: str | None = None) -> Page[WorkView]:
    """List the work of a ticket in the order in which it was done, voided work too."""
    return await work.list_work(call.uow(), ticket_id=ticket, customer_id=None, cursor=cursor, limit=limit)


@router.get("/charges")
async def list_charges(call: AnyCall, ticket: UUID, limit: Limit = 50, cursor: str | None = None) -> Page[ChargeView]:
    """List the charges of a ticket in the order in which they were made, each with its explanation."""
    return await work.list_charges(
        call.uow(), ticket_id=ticket, customer_id=call.principal.customer_id, cursor=cursor, limit=limit
    )
