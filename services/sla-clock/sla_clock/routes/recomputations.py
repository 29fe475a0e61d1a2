"""Counting open tickets by another version of their policy."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import STAFF, Role
from plazo.runtime.pagination import MAX_LIMIT, Page, encode_cursor, page_of, position
from sla_clock.schemas.recomputation import ClockChange, DryRunPage, RecomputationInput, RecomputationView
from sla_clock.usecases import recompute_tickets as usecase

router = APIRouter(prefix="/v1/recomputations", tags=["recomputations"])

StaffCall = Annotated[Call, allow(*STAFF)]
ManagerCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="tickets a page")]


@router.post("", status_code=201, responses={200: {"model": DryRunPage, "description": "a page of the dry run"}})
async def recompute_tickets(
    body: RecomputationInput, call: ManagerCall, limit: Limit = 50, cursor: str | None = None
) -> RecomputationView | DryRunPage:
    """Count open tickets by another version of their policy, in the background; closed ones are never rewritten.

    With `dry_run` nothing is changed: the answer is a page of clocks before and after (200).
    """
    if not body.dry_run:
        return await usecase.start_recomputation(
            call.uow(status=201), body=body, requested_by=f"{call.principal.role}: {call.principal.label}"
        )
    after = position(cursor, UUID)
    found = await usecase.try_recomputation(call.uow(), body=body, after=after[0] if after else None, limit=limit)
    call.response.status_code = 200
    next_cursor = encode_cursor([found.seen]) if found.seen else None
    return DryRunPage(total=found.total, items=found.items, next_cursor=next_cursor)


@router.get("")
async def list_recomputations(call: StaffCall, limit: Limit = 50, cursor: str | None = None) -> Page[RecomputationView]:
    """List recomputations, newest first."""
    before = position(cursor, UUID)
    found = await usecase.list_recomputations(call.uow(), before=before[0] if before else None, limit=limit + 1)
    return page_of(found, limit=limit, keys=lambda one: (one.recomputation_id,))


@router.get("/{recomputation_id}")
async def read_recomputation(recomputation_id: UUID, call: StaffCall) -> RecomputationView:
    """Return a recomputation and how far it has come."""
    return await usecase.read_recomputation(call.uow(), recomputation_id)


@router.get("/{recomputation_id}/clocks")
async def list_changes(
    recomputation_id: UUID, call: StaffCall, limit: Limit = 50, cursor: str | None = None
) -> Page[ClockChange]:
    """List the clocks that a recomputation changed, before and after, by ticket."""
    after = position(cursor, UUID)
    found = await usecase.list_changes(call.uow(), recomputation_id, after=after[0] if after else None, limit=limit + 1)
    pages = page_of(found, limit=limit, keys=lambda one: (one[0],))
    return Page(items=[clock for _, clocks in pages.items for clock in clocks], next_cursor=pages.next_cursor)


@router.post("/{recomputation_id}/undo", status_code=202)
async def undo_recomputation(recomputation_id: UUID, call: ManagerCall) -> RecomputationView:
    """Take a recomputation back, in the background: the versions that held before hold again.

    A ticket that was closed or recomputed otherwise since stays as it is.
    """
    return await usecase.undo_recomputation(call.uow(status=202), recomputation_id)
