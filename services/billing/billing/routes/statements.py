"""Statements of a contract."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from billing import schemas
from billing.usecases import statements
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY

router = APIRouter(prefix="/v1", tags=["statements"])

AnyCall = Annotated[Call, allow(*EVERYBODY)]
MonthName = Annotated[str, Query(pattern=r"^(19[7-9]\d|20\d\d|21\d\d)-(0[1-9]|1[0-2])$", examples=["2026-05"])]


@router.get("/statements")
async def read_statement(contract: UUID, month: MonthName, call: AnyCall) -> schemas.StatementView:
    """Return what happened to a contract's accounts in a month: balances at both ends, grants, what expired, use."""
    return await statements.read_statement(
        call.uow(), contract_id=contract, month=month, customer_id=call.principal.customer_id
    )
