"""The ledger as a whole: seals, verification and export."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.responses import StreamingResponse

from billing.schemas.ledger import SealExportView, SealingView, SealView, VerificationView
from billing.usecases import sealing, verification
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import Role
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1/ledger", tags=["ledger"])

TreasurerCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR, Role.INTEGRATION)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.post("/seals", status_code=201)
async def seal_ledger(call: TreasurerCall) -> SealingView:
    """Seal what was written since the last seal; without being asked that is done about a second after."""
    return await sealing.seal_ledger(call.uow(status=201))


@router.get("/seals")
async def list_seals(call: TreasurerCall, limit: Limit = 50, cursor: str | None = None) -> Page[SealView]:
    """List the seals, oldest first."""
    return await sealing.list_seals(call.uow(), cursor=cursor, limit=limit)


@router.get("/seals/{number}")
async def show_seal(number: Annotated[int, Path(ge=1, le=10**15)], call: TreasurerCall) -> SealExportView:
    """Return a seal with the transactions it was made over and their links, to be verified elsewhere."""
    return await sealing.show_seal(call.uow(), number=number)


@router.get("/verification")
async def verify_ledger(call: TreasurerCall) -> VerificationView:
    """Derive everything anew, from the entries and from what was put in, and say whether it agrees."""
    return await verification.verify_ledger(call.uow())


@router.get("/export", response_class=StreamingResponse, responses={200: {"content": {"application/jsonl": {}}}})
async def export_ledger(call: TreasurerCall) -> StreamingResponse:
    """Return the ledger as JSON lines with a manifest; `plazo ledger verify FILE` needs nothing else."""
    return StreamingResponse(
        verification.export_ledger(call.uow()),
        media_type="application/jsonl",
        headers={"Content-Disposition": f'attachment; filename="ledger-{call.desk_id}.jsonl"'},
    )
