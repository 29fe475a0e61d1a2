"""Outages: when something was out of service."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import STAFF, Role
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from sla_clock.schemas.availability import (
    AlertGroup,
    AlertOutcomes,
    OutageChange,
    OutageClose,
    OutageInput,
    OutageView,
)
from sla_clock.usecases import report_outages as usecase

router = APIRouter(prefix="/v1/outages", tags=["availability"])

StaffCall = Annotated[Call, allow(*STAFF)]
MonitoringCall = Annotated[Call, allow(Role.INTEGRATION, Role.ADMINISTRATOR, recorded=False)]  # machines call it


@router.post("", status_code=201)
async def open_outage(body: OutageInput, call: StaffCall) -> OutageView:
    """Report an outage, or planned maintenance, of a contract or a component."""
    view = await usecase.open_outage(call.uow(status=201), body=body, reported_by=_name(call))
    call.show_version(view.revision)
    return view


@router.post("/webhook")
async def take_alerts(body: AlertGroup, call: MonitoringCall) -> AlertOutcomes:
    """Take in what Alertmanager posts: a firing alert opens an outage, a resolved one closes it, by its fingerprint.

    Labels say what is out of service (`contract_id`, `component`) and may say why (`cause`, `planned`). Each alert is
    answered in its place; 422 if none could be taken in.
    """
    return await usecase.take_alerts(call.uow(), body=body, reported_by=_name(call))


@router.get("")
async def list_outages(
    call: StaffCall,
    contract: UUID | None = None,
    is_open: Annotated[bool | None, Query(alias="open", description="those that last, or those that are over")] = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    cursor: str | None = None,
) -> Page[OutageView]:
    """List outages by start."""
    found = await usecase.list_outages(
        call.uow(),
        contract_id=contract,
        is_open=is_open,
        after=position(cursor, datetime, UUID),
        limit=limit + 1,
    )
    return page_of(found, limit=limit, keys=lambda outage: (outage.started_at, outage.outage_id))


@router.get("/{outage_id}")
async def read_outage(outage_id: UUID, call: StaffCall) -> OutageView:
    """Return an outage."""
    view = await usecase.read_outage(call.uow(), outage_id)
    call.show_version(view.revision)
    return view


@router.patch("/{outage_id}")
async def change_outage(
    outage_id: UUID, body: OutageChange, call: StaffCall, if_match: Annotated[str | None, Header()] = None
) -> OutageView:
    """Say what was found out about an outage: its cause, or that it was planned."""
    view = await usecase.change_outage(call.uow(), outage_id, body=body, if_match=if_match)
    call.show_version(view.revision)
    return view


@router.post("/{outage_id}/close")
async def close_outage(outage_id: UUID, body: OutageClose, call: StaffCall) -> OutageView:
    """End an outage, now unless told."""
    view = await usecase.close_outage(call.uow(), outage_id, body=body)
    call.show_version(view.revision)
    return view


def _name(call: Call) -> str:
    return f"{call.principal.role}: {call.principal.label}"
