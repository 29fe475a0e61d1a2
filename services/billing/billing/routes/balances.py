"""Balances at any past instant, by when things were true and by when they were known."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from billing.schemas.ledger import BalanceView
from billing.usecases import balances
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY
from plazo.runtime.inputs import Instant

router = APIRouter(prefix="/v1", tags=["accounts"])

AnyCall = Annotated[Call, allow(*EVERYBODY)]


@router.get("/accounts/{account_id}/balance")
async def read_balance(
    account_id: UUID,
    call: AnyCall,
    at: Annotated[Instant | None, Query(description="when it was so; now by default")] = None,
    known_at: Annotated[Instant | None, Query(description="when that was known; now by default")] = None,
) -> BalanceView:
    """Return what an account held at an instant, by what had been recorded at another."""
    return await balances.read_balance(
        call.uow(), account_id=account_id, customer_id=call.principal.customer_id, at=at, known_at=known_at
    )
