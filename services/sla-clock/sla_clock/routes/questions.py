"""Questions about time that need no ticket."""

import asyncio
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from plazo.calendar.ics import export_calendar
from plazo.kernel.errors import Fault, InvalidInput
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY
from plazo.runtime.inputs import Instant
from sla_clock.schemas.preview import Preview, PreviewInput
from sla_clock.schemas.question import Batch, DeadlineQuestion, HoursView, PauseInput, Published, WorkingTimeQuestion
from sla_clock.usecases import answer_questions, preview_ticket
from sla_clock.usecases.read_clocks import segment_view

router = APIRouter(prefix="/v1", tags=["questions"])

AnyCall = Annotated[Call, allow(*EVERYBODY)]

_LONGEST_HOURS = timedelta(days=366 * 2)


def _one_or_many(question: type[DeadlineQuestion | WorkingTimeQuestion]) -> dict[str, Any]:
    """Describe a body that is one question or a batch of them."""
    schema = question.model_json_schema()
    pause = schema.pop("$defs")[PauseInput.__name__]
    schema["properties"]["pauses"]["items"] = pause
    one_of = [schema, Batch.model_json_schema()]
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": {"anyOf": one_of}}}}}


@router.post("/deadlines", openapi_extra=_one_or_many(DeadlineQuestion))
async def answer_deadlines(body: Annotated[Any, Body()], call: AnyCall) -> Any:
    """Answer when `target` of working time has passed since `start`: `{"due_at"}`, and with `explain` the segments.

    Up to 10,000 questions at once as `{"items": […]}`; each is answered in its place, or has a `problem` of its own.
    """
    return await answer_questions.answer_deadlines(call.uow(), body, customer_id=call.principal.customer_id)


@router.post("/working-times", openapi_extra=_one_or_many(WorkingTimeQuestion))
async def answer_working_times(body: Annotated[Any, Body()], call: AnyCall) -> Any:
    """Answer how much working time there is in `[from, until)`: `{"seconds"}`, exact to the microsecond.

    Many at once as for deadlines.
    """
    return await answer_questions.answer_working_times(call.uow(), body, customer_id=call.principal.customer_id)


@router.post("/previews")
async def preview(body: PreviewInput, call: AnyCall) -> Preview:
    """Show every deadline, escalation instant and the minimum charge of a ticket before it exists.

    A customer may ask about the policies that its contracts are under.
    """
    return await preview_ticket.preview_ticket(call.uow(), body=body, customer_id=call.principal.customer_id)


@router.get("/calendars/{policy}/{name}/hours")
async def read_hours(
    policy: str,
    name: str,
    call: AnyCall,
    start: Annotated[Instant, Query(alias="from")],
    until: Instant,
    version: str | None = None,
) -> HoursView:
    """Return when a calendar of a published policy is open, in `[from, until)`; to a customer, of its contracts'."""
    _check_span(start, until)
    wanted = answer_questions.read_input(Published, {"policy": policy, "version": version, "calendar": name})
    calendar = await answer_questions.published_calendar(call.uow(), wanted, customer_id=call.principal.customer_id)
    windows = await asyncio.to_thread(calendar.windows, start, until)
    return HoursView(
        timezone=calendar.calendar.timezone,
        items=[segment_view(window.start, window.end, "open", None) for window in windows],
    )


@router.get(
    "/calendars/{policy}/{name}.ics",
    response_class=Response,
    responses={200: {"content": {"text/calendar": {"schema": {"type": "string"}}}}},
)
async def export_hours(
    policy: str,
    name: str,
    call: AnyCall,
    start: Annotated[Instant | None, Query(alias="from")] = None,
    until: Instant | None = None,
    version: str | None = None,
) -> Response:
    """Return when a calendar of a published policy is open, as iCalendar; a year from now unless told.

    A customer may ask about the policies that its contracts are under.
    """
    start = start or call.now
    until = until or start + timedelta(days=365)
    _check_span(start, until)
    wanted = answer_questions.read_input(Published, {"policy": policy, "version": version, "calendar": name})
    calendar = await answer_questions.published_calendar(call.uow(), wanted, customer_id=call.principal.customer_id)
    feed = await asyncio.to_thread(export_calendar, calendar, start, until)
    return Response(feed, media_type="text/calendar; charset=utf-8")


def _check_span(start: Instant, until: Instant) -> None:
    if not timedelta() <= until - start <= _LONGEST_HOURS:
        message = f"expected `until` from `from` to {_LONGEST_HOURS.days} days later"
        raise InvalidInput(message, faults=[Fault("", f"until: {message}")])
