"""What work would cost."""

from typing import Annotated

from fastapi import APIRouter

from billing.schemas.quotes import PreviewCreate, PreviewView
from billing.usecases import pricing
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import STAFF

router = APIRouter(prefix="/v1/work/previews", tags=["work"])

StaffCall = Annotated[Call, allow(*STAFF)]


@router.post("")
async def preview_work(body: PreviewCreate, call: StaffCall) -> PreviewView:
    """Say what work would cost if it were logged, and what it takes of what there is. Nothing is kept."""
    return await pricing.preview_work(call.uow(), body=body)
