"""The ledger as a whole: seals and verification."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from billing import schemas
from billing.usecases import ledger
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import Role
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])

TreasurerCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR, Role.INTEGRATION)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.post("/seals", status_code=201)
async def seal_ledger(call: TreasurerCall) -> schemas.SealingView:
    """Seal what was written since the last seal."""
    return await ledger.seal_ledger(call.uow(status=201))


@router.get("/seals")
async def list_seals(call: TreasurerCall, limit: Limit = 50, cursor: str | None = None) -> Page[schemas.SealView]:
    """List the seals, oldest first."""
    return await ledger.list_seals(call.uow(), cursor=cursor, limit=limit)


@router.get("/seals/{number}")
async def export_seal(number: Annotated[int, Path(ge=1, le=10**15)], call: TreasurerCall) -> schemas.SealExportView:
    """Return a seal with the transactions it was made over, to be verified elsewhere."""
    return await ledger.export_seal(call.uow(), number=number)


@router.get("/verification")
async def verify_ledger(call: TreasurerCall) -> schemas.VerificationView:
    """Derive everything anew from the entries and say whether it agrees."""
    return await ledger.verify_ledger(call.uow())
