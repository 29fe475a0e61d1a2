"""Clocks: what was promised for a ticket, how it stands, and why."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Response

from plazo.calendar.explanation import Language
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY
from plazo.runtime.inputs import Instant
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from sla_clock.schemas.clock import ClockView, ExplanationView, HistoryView
from sla_clock.usecases import read_clocks as usecase

router = APIRouter(prefix="/v1/clocks", tags=["clocks"])

AnyCall = Annotated[Call, allow(*EVERYBODY)]
State = Literal["running", "paused", "breached", "met", "missed", "cancelled"]


@router.get("")
async def list_clocks(
    call: AnyCall,
    ticket: UUID | None = None,
    state: State | None = None,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 50,
    cursor: str | None = None,
) -> Page[ClockView]:
    """List clocks by start; a requester sees its own customer's."""
    found = await usecase.list_clocks(
        call.uow(),
        ticket_id=ticket,
        state=state,
        customer_id=call.principal.customer_id,
        after=position(cursor, datetime, UUID),
        limit=limit + 1,
    )
    return page_of(found, limit=limit, keys=lambda clock: (clock.started_at, clock.clock_id))


@router.get("/{clock_id}")
async def read_clock(
    clock_id: UUID,
    call: AnyCall,
    at: Annotated[Instant | None, Query(description="as it stood then, by all that is known now")] = None,
) -> ClockView:
    """Return a clock, now or at any instant."""
    return await usecase.read_clock(call.uow(), clock_id=clock_id, customer_id=call.principal.customer_id, at=at)


@router.get("/{clock_id}/history")
async def read_history(clock_id: UUID, call: AnyCall) -> HistoryView:
    """Return every due instant that a clock had, why it changed, and its pauses."""
    return await usecase.read_history(call.uow(), clock_id=clock_id, customer_id=call.principal.customer_id)


@router.get(
    "/{clock_id}/explanation",
    response_model=ExplanationView,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def explain_clock(
    clock_id: UUID,
    call: AnyCall,
    at: Instant | None = None,
    language: Language | None = None,
    accept: Annotated[str, Header()] = "application/json",
    accept_language: Annotated[str, Header()] = "",
) -> ExplanationView | Response:
    """Return why a clock is due when it is: every stretch of time counted, paused and closed, with clauses.

    JSON, or with `Accept: text/plain` a text fit to be annexed to a complaint. In Spanish or English, by `language`,
    else by `Accept-Language`, else as the policy.
    """
    view = await usecase.explain_clock(
        call.uow(),
        clock_id=clock_id,
        customer_id=call.principal.customer_id,
        at=at,
        language=language or _preferred(accept_language),
    )
    if accept.split(",")[0].strip().startswith("text/plain"):
        return Response(view.text, media_type="text/plain; charset=utf-8", headers={"Content-Language": view.language})
    return view


def _preferred(accept_language: str) -> Language | None:
    """Return the first of our languages that the header names."""
    for part in accept_language.split(","):
        match part.strip()[:2].lower():
            case "es":
                return "es"
            case "en":
                return "en"
    return None
