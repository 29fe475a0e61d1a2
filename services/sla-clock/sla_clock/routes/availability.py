"""Availability per contract and month, against what was agreed."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY, STAFF, Role
from plazo.runtime.inputs import Name
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from sla_clock.schemas.availability import AgreementInput, AgreementView, AvailabilityView, Month
from sla_clock.usecases import measure_availability as usecase

router = APIRouter(prefix="/v1/availability", tags=["availability"])


@router.get("")
async def measure_availability(
    call: Annotated[Call, allow(*EVERYBODY)],
    contract: UUID,
    month: Annotated[Month, Query(description="such as 2026-05, in the policy's zone")],
    component: Name | None = None,
) -> AvailabilityView:
    """Return the availability of a contract, or of a component of it, in a month; a requester sees its customer's.

    Overlapping outages count once; planned maintenance and the causes that the policy excludes do not count.
    """
    return await usecase.measure_availability(
        call.uow(),
        contract_id=contract,
        component=component,
        month=month,
        customer_id=call.principal.customer_id,
    )


@router.put("/agreements")
async def agree_availability(
    body: AgreementInput, call: Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]
) -> AgreementView:
    """Keep the availability that a contract states, from a month on; saying the same again changes nothing."""
    return await usecase.agree_availability(
        call.uow(), body=body, agreed_by=f"{call.principal.role}: {call.principal.label}"
    )


@router.get("/agreements")
async def list_agreements(
    call: Annotated[Call, allow(*STAFF)],
    contract: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    cursor: str | None = None,
) -> Page[AgreementView]:
    """List agreements by contract, component and month."""
    found = await usecase.list_agreements(
        call.uow(), contract_id=contract, after=position(cursor, UUID, str, date), limit=limit + 1
    )
    return page_of(found, limit=limit, keys=lambda one: (one.contract_id, one.component or "", f"{one.since}-01"))
