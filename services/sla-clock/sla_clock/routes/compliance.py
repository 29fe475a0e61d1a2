"""How promises were kept."""

from datetime import date
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import STAFF
from sla_clock.schemas import Compliance, Review, ReviewInput
from sla_clock.usecases import report_compliance as usecase

router = APIRouter(prefix="/v1", tags=["compliance"])

StaffCall = Annotated[Call, allow(*STAFF)]


@router.get(
    "/compliance",
    response_model=Compliance,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def report_compliance(
    call: StaffCall,
    start: Annotated[date, Query(alias="from", description="first date, in the desk's zone")],
    until: Annotated[date, Query(description="the date after the last")],
    accept: Annotated[str, Header()] = "application/json",
) -> Compliance | Response:
    """Count the promises that began in a period by plan, severity, kind and commitment, with each that was broken.

    JSON, or with `Accept: text/csv` the counts as CSV.
    """
    report = await usecase.report_compliance(call.uow(), desk_id=call.desk_id, start=start, until=until)
    if accept.startswith("text/csv"):
        return Response(usecase.compliance_csv(report), media_type="text/csv; charset=utf-8")
    return report


@router.post("/clocks/{clock_id}/review", status_code=201)
async def review_miss(clock_id: UUID, body: ReviewInput, call: StaffCall) -> Review:
    """Say why a promise was broken and what is done about it; it appears in the report."""
    return await usecase.review_miss(
        call.uow(status=201),
        clock_id=clock_id,
        body=body,
        reviewed_by=f"{call.principal.role}: {call.principal.label}",
    )
