"""Deadlines and working times without a ticket: one question, or thousands at once."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from http import HTTPStatus
from time import thread_time
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json, to_json

from plazo.calendar import Pause, WorkingTime, compile_calendar, parse_calendar
from plazo.kernel.errors import Fault, InvalidInput, PlazoError
from plazo.kernel.time import DAY, micros_of
from plazo.policy import calendar_of
from plazo.runtime.problems import STATUS, TYPE_PREFIX, Problem, listed
from plazo.runtime.unit_of_work import UnitOfWork
from sla_clock.domain.explanation import seconds_of
from sla_clock.schemas.clock import SegmentView
from sla_clock.schemas.question import (
    Batch,
    DeadlineAnswer,
    DeadlineQuestion,
    PauseInput,
    Published,
    WorkingTimeAnswer,
    WorkingTimeQuestion,
)
from sla_clock.usecases.find_policy import find_published

M = TypeVar("M", bound=BaseModel)
Question = TypeVar("Question", DeadlineQuestion, WorkingTimeQuestion)
Answer = DeadlineAnswer | WorkingTimeAnswer
Calendars = Mapping[bytes, WorkingTime | PlazoError]

_LONGEST_EXPLANATION_DAYS = 366 * 5
_LARGEST_CALENDAR = 200_000  # bytes; hundreds are kept at hand
_MOST_SEGMENTS = 100_000  # in the explanations of a request together
_LONGEST_SECONDS = 10.0  # of the processor, for a request
_SOLVERS = ThreadPoolExecutor(2, "questions")  # of their own, so that other work never waits for ten thousand answers


@dataclass(slots=True)
class _Effort:
    """What a request has taken so far, in the thread that answers it."""

    since: float
    segments: int = 0

    def require_time(self) -> None:
        """Go on. :raises InvalidInput: if the request has had its share of the processor"""
        if thread_time() - self.since > _LONGEST_SECONDS:
            raise InvalidInput(f"the request takes more than {_LONGEST_SECONDS:g} s: ask fewer questions at once")

    def add(self, segments: int) -> None:
        """Count what is explained. :raises InvalidInput: if it is too much for one answer"""
        self.segments += segments
        if self.segments > _MOST_SEGMENTS:
            message = f"expected explanations of at most {_MOST_SEGMENTS} segments in a request: ask for fewer at once"
            raise InvalidInput(message, faults=[Fault("/explain", message)])


async def answer_deadlines(uow: UnitOfWork, body: Any, *, customer_id: UUID | None) -> Any:
    """Answer when targets are due, to a customer by the published calendars of its own contracts.

    :raises InvalidInput: with the faults of a single question, or of the batch
    """
    return await _answer(uow, body, DeadlineQuestion, _deadline, customer_id)


async def answer_working_times(uow: UnitOfWork, body: Any, *, customer_id: UUID | None) -> Any:
    """Answer how much working time there is. :raises InvalidInput: as :func:`answer_deadlines`"""
    return await _answer(uow, body, WorkingTimeQuestion, _working_time, customer_id)


def read_input(model: type[M], data: Any) -> M:
    """Read a part of a request. :raises InvalidInput: with all its faults"""
    try:
        return model.model_validate(data)
    except ValidationError as invalid:
        faults = [
            Fault("".join(f"/{part}" for part in error["loc"]), str(error["msg"]).removeprefix("Value error, "))
            for error in invalid.errors(include_url=False, include_context=False, include_input=False)
        ]
        summary = faults[0].message if len(faults) == 1 else "the request has faults; each is listed under errors"
        raise InvalidInput(summary, faults=faults) from None


async def published_calendar(uow: UnitOfWork, wanted: Published, *, customer_id: UUID | None) -> WorkingTime:
    """Compile a calendar of a published policy, for a customer one of its own contracts.

    :raises NotFound: if there is no such policy, version or calendar for the caller
    """
    policy = await find_published(
        uow, policy=wanted.policy, version=wanted.version, at=uow.now, customer_id=customer_id
    )
    return compile_calendar(calendar_of(policy, wanted.calendar))


async def _answer(
    uow: UnitOfWork,
    body: Any,
    model: type[Question],
    solve: Callable[[Question, WorkingTime, _Effort], Answer],
    customer_id: UUID | None,
) -> Any:
    loop = asyncio.get_running_loop()
    if not (isinstance(body, dict) and "items" in body):
        calendars = await _published(uow, [body.get("calendar") if isinstance(body, dict) else None], customer_id)
        # A calendar may have to be compiled to the end of the century; other requests go on meanwhile.
        return await loop.run_in_executor(
            _SOLVERS, lambda: _shown(solve(*_read_question(model, body, None, calendars), _Effort(thread_time())))
        )
    batch = read_input(Batch, body)
    named: list[Any] = [item.get("calendar") for item in batch.items if isinstance(item, dict)]
    calendars = await _published(uow, [batch.calendar, *named], customer_id)

    def answer_one(item: Any, effort: _Effort) -> Any:
        try:
            effort.require_time()
            return _shown(solve(*_read_question(model, item, batch.calendar, calendars), effort))
        except PlazoError as error:
            return {"problem": _problem(error)}

    def answer_all() -> list[Any]:
        effort = _Effort(thread_time())
        return [answer_one(item, effort) for item in batch.items]

    # Ten thousand answers take a while; other requests go on meanwhile.
    return {"items": await loop.run_in_executor(_SOLVERS, answer_all)}


def _read_question(
    model: type[Question], data: Any, default: dict[str, Any] | None, published: Calendars
) -> tuple[Question, WorkingTime]:
    """Read a question and its calendar. :raises InvalidInput: with the faults of both"""
    try:
        question = read_input(model, data)
    except InvalidInput as invalid:
        raise _with_calendar_faults(invalid, data, default, published) from None
    return question, _calendar(question.calendar or default, published)


def _with_calendar_faults(
    invalid: InvalidInput, data: Any, default: dict[str, Any] | None, published: Calendars
) -> InvalidInput:
    document = data.get("calendar", default) if isinstance(data, dict) else None
    try:
        if isinstance(document, dict):
            _calendar(document, published)
    except InvalidInput as unsound:
        message = "the request has faults; each is listed under errors"
        return InvalidInput(message, faults=(*invalid.faults, *unsound.faults))
    return invalid


async def _published(
    uow: UnitOfWork, documents: list[Any], customer_id: UUID | None
) -> dict[bytes, WorkingTime | PlazoError]:
    """Look up the published calendars that a request names, each once."""
    found: dict[bytes, WorkingTime | PlazoError] = {}
    for document in documents:
        if isinstance(document, dict) and "policy" in document and (key := to_json(document)) not in found:
            try:
                wanted = read_input(Published, document)
                found[key] = await published_calendar(uow, wanted, customer_id=customer_id)
            except PlazoError as error:
                found[key] = _at("/calendar", error)
    return found


def _calendar(document: dict[str, Any] | None, published: Calendars) -> WorkingTime:
    if document is None:
        message = 'expected `calendar`: one such as {"timezone": "UTC", "hours": "24x7"}, or a published one'
        raise InvalidInput(message, faults=[Fault("/calendar", message)])
    key = to_json(document)
    known = published.get(key)
    if isinstance(known, PlazoError):
        raise known
    if known is not None:
        return known
    try:
        if len(key) > _LARGEST_CALENDAR:
            message = f"expected a calendar of at most {_LARGEST_CALENDAR} bytes: publish it, and ask by its name"
            raise InvalidInput(message, faults=[Fault("", message)])
        return _compile(key)
    except PlazoError as error:
        raise _at("/calendar", error) from None


@lru_cache(maxsize=256)
def _compile(document: bytes) -> WorkingTime:
    return compile_calendar(parse_calendar(from_json(document)))


def _at(pointer: str, error: PlazoError) -> PlazoError:
    """Return an error with its faults placed within the request."""
    error.faults = tuple(Fault(pointer + fault.pointer, fault.message) for fault in error.faults)
    return error


def _deadline(question: DeadlineQuestion, calendar: WorkingTime, effort: _Effort) -> DeadlineAnswer:
    calendar.require_in_force(question.start)
    pauses = _pauses(question.pauses)
    due_at = calendar.due(question.start, question.target, pauses)
    segments = _segments(question, calendar, due_at, pauses, effort) if question.explain else None
    return DeadlineAnswer(due_at=due_at, segments=segments)


def _working_time(question: WorkingTimeQuestion, calendar: WorkingTime, effort: _Effort) -> WorkingTimeAnswer:
    calendar.require_in_force(question.start)
    pauses = _pauses(question.pauses)
    seconds = seconds_of(calendar.working_time(question.start, question.until, pauses))
    segments = _segments(question, calendar, question.until, pauses, effort) if question.explain else None
    return WorkingTimeAnswer(seconds=seconds, segments=segments)


def _pauses(pauses: tuple[PauseInput, ...]) -> list[Pause]:
    return [Pause(pause.start, pause.end, pause.cause) for pause in pauses]


def _segments(
    question: DeadlineQuestion | WorkingTimeQuestion,
    calendar: WorkingTime,
    until: datetime,
    pauses: list[Pause],
    effort: _Effort,
) -> list[SegmentView]:
    if micros_of(until - question.start) > _LONGEST_EXPLANATION_DAYS * DAY:
        message = f"expected at most {_LONGEST_EXPLANATION_DAYS} days to be explained, from {question.start} to {until}"
        raise InvalidInput(message, faults=[Fault("/explain", message)])
    explained = calendar.explain(question.start, until, pauses)
    effort.add(len(explained))
    return [
        SegmentView(
            start=one.start, end=one.end, kind=one.kind.value, reason=one.reason, seconds=seconds_of(one.length)
        )
        for one in explained
    ]


def _shown(answer: Answer) -> dict[str, Any]:
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True)


def _problem(error: PlazoError) -> dict[str, Any]:
    status = STATUS[error.kind]
    return Problem(
        type=TYPE_PREFIX + error.code,
        title=HTTPStatus(status).phrase,
        status=status,
        detail=error.message,
        errors=listed(error.faults, most=10),
    ).model_dump(exclude_none=True)
