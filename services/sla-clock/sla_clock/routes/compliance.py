"""How promises were kept."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import STAFF
from plazo.runtime.pagination import Page, page_of, position
from sla_clock.repository.compliance import Wanted
from sla_clock.schemas.compliance import Compliance, CountedPromise, Review, ReviewInput
from sla_clock.usecases import report_compliance as usecase

router = APIRouter(prefix="/v1", tags=["compliance"])

_MOST_PROMISES = 10_000

StaffCall = Annotated[Call, allow(*STAFF)]
Start = Annotated[date, Query(alias="from", description="first date, in the desk's zone")]
Until = Annotated[date, Query(description="the date after the last")]


@router.get(
    "/compliance",
    response_model=Compliance,
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def report_compliance(
    call: StaffCall,
    start: Start,
    until: Until,
    accept: Annotated[str, Header()] = "application/json",
) -> Compliance | Response:
    """Count the promises that began in a period by plan, severity, kind and commitment, with each that was broken.

    JSON, or with `Accept: text/csv` the counts as CSV.
    """
    report = await usecase.report_compliance(call.uow(), desk_id=call.desk_id, start=start, until=until)
    if accept.startswith("text/csv"):
        return Response(usecase.compliance_csv(report), media_type="text/csv; charset=utf-8")
    return report


@router.get(
    "/compliance/promises",
    response_model=Page[CountedPromise],
    responses={200: {"content": {"text/csv": {"schema": {"type": "string"}}}}},
)
async def list_promises(
    call: StaffCall,
    start: Start,
    until: Until,
    outcome: Literal["met", "missed", "running", "cancelled"] | None = None,
    plan: Annotated[str | None, Query(description="empty for none")] = None,
    severity: Annotated[str | None, Query(description="empty for none")] = None,
    kind: str | None = None,
    commitment: Literal["objective", "guarantee"] | None = None,
    limit: Annotated[int, Query(ge=1, le=_MOST_PROMISES)] = 50,
    cursor: str | None = None,
    accept: Annotated[str, Header()] = "application/json",
) -> Page[CountedPromise] | Response:
    """List the promises behind a number of the report, by start, with cause and corrective action of those broken.

    JSON, or with `Accept: text/csv` as CSV; the cursor of the next page is then in the header `Next-Cursor`.
    """
    found = await usecase.list_promises(
        call.uow(),
        desk_id=call.desk_id,
        start=start,
        until=until,
        wanted=Wanted(outcome, plan, severity, kind, commitment),
        after=position(cursor, datetime, UUID),
        limit=limit + 1,
    )
    page = page_of(found, limit=limit, keys=lambda one: (one.started_at, one.clock_id))
    if accept.startswith("text/csv"):
        headers = {"Next-Cursor": page.next_cursor} if page.next_cursor else {}
        return Response(usecase.promises_csv(page.items), media_type="text/csv; charset=utf-8", headers=headers)
    return page


@router.post("/clocks/{clock_id}/review", status_code=201)
async def review_miss(clock_id: UUID, body: ReviewInput, call: StaffCall) -> Review:
    """Say why a promise was broken and what is done about it; it appears in the report."""
    return await usecase.review_miss(
        call.uow(status=201),
        clock_id=clock_id,
        body=body,
        reviewed_by=f"{call.principal.role}: {call.principal.label}",
    )
