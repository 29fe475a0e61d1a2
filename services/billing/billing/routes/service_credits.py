"""Service credits: what the provider owes for guarantees that were not kept."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from billing.schemas.service_credits import ServiceCreditView
from billing.usecases import service_credits
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1", tags=["service credits"])

AnyCall = Annotated[Call, allow(*EVERYBODY)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.get("/service-credits")
async def list_service_credits(
    call: AnyCall,
    contract: UUID | None = None,
    ticket: UUID | None = None,
    limit: Limit = 50,
    cursor: str | None = None,
) -> Page[ServiceCreditView]:
    """List breached guarantees with what is owed for each, in the order in which they happened."""
    return await service_credits.list_credits(
        call.uow(),
        contract_id=contract,
        ticket_id=ticket,
        customer_id=call.principal.customer_id,
        cursor=cursor,
        limit=limit,
    )
