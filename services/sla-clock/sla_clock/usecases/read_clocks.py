"""Reading clocks: as last announced, at any instant, and with the reasons."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from plazo.calendar.explanation import Language
from plazo.kernel.errors import NotFound
from plazo.runtime.unit_of_work import UnitOfWork
from sla_clock.domain.clock import Clock
from sla_clock.domain.difference import copy_of
from sla_clock.domain.explanation import Explanation, explain, explanation_text, seconds_of
from sla_clock.domain.fold import fold
from sla_clock.repository import clocks, tickets
from sla_clock.repository.clocks import ListedClock
from sla_clock.schemas.clock import (
    ClockView,
    DueChangeView,
    ExplanationView,
    HistoryView,
    PauseView,
    ReadingView,
    SegmentView,
    VerdictView,
)


@dataclass(frozen=True, slots=True)
class _Folded:
    """A clock folded for an instant; `listed` is how it was last announced."""

    clock: Clock
    listed: ListedClock


async def list_clocks(
    uow: UnitOfWork,
    *,
    ticket_id: UUID | None,
    state: str | None,
    customer_id: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[ClockView]:
    """Return clocks by start, as last announced; `customer_id` confines them to one customer's."""
    async with uow.read() as connection:
        found = await clocks.list_clocks(
            connection, ticket_id=ticket_id, state=state, customer_id=customer_id, after=after, limit=limit
        )
    return [ClockView.of(one.ticket_id, one.clock, one.detected_at) for one in found]


async def read_clock(uow: UnitOfWork, *, clock_id: UUID, customer_id: UUID | None, at: datetime | None) -> ClockView:
    """Return a clock as last announced, or as it stood `at` an instant by all that is known now.

    :raises NotFound: if there is no such clock that the customer may see, or was none then
    """
    if at is not None:
        folded = await _fold(uow, clock_id=clock_id, customer_id=customer_id, at=at)
        return _view_of(folded)
    async with uow.read() as connection:
        listed = await clocks.find_clock(connection, clock_id, customer_id=customer_id)
    if listed is None:
        raise _not_found(clock_id)
    return ClockView.of(listed.ticket_id, listed.clock, listed.detected_at)


async def read_history(uow: UnitOfWork, *, clock_id: UUID, customer_id: UUID | None) -> HistoryView:
    """Return how the due instant of a clock came to be. :raises NotFound: as :func:`read_clock`"""
    clock = (await _fold(uow, clock_id=clock_id, customer_id=customer_id, at=uow.now)).clock
    return HistoryView(
        clock_id=clock_id,
        changes=_changes(clock),
        pauses=[PauseView(start=pause.start, end=pause.end, cause=pause.cause) for pause in clock.pauses],
    )


async def explain_clock(
    uow: UnitOfWork, *, clock_id: UUID, customer_id: UUID | None, at: datetime | None, language: Language | None
) -> ExplanationView:
    """Return why a clock is due when it is, in a language or the policy's. :raises NotFound: as :func:`read_clock`"""
    at = at or uow.now
    folded = await _fold(uow, clock_id=clock_id, customer_id=customer_id, at=at)
    explanation = explain(folded.clock, at=at)
    return _explanation_view(explanation, folded, language or folded.clock.terms.policy.language)


async def _fold(uow: UnitOfWork, *, clock_id: UUID, customer_id: UUID | None, at: datetime) -> _Folded:
    async with uow.read() as connection:
        listed = await clocks.find_clock(connection, clock_id, customer_id=customer_id)
        ticket = None if listed is None else await tickets.find_ticket(connection, listed.ticket_id)
        if listed is None or ticket is None:
            raise _not_found(clock_id)
        facts = await tickets.load_facts(connection, [ticket.ticket_id])
        happened = facts[ticket.ticket_id]
        terms = await tickets.terms_of(connection, ticket)
        later = await tickets.later_terms(connection, ticket, happened)
    for clock in fold(ticket.ticket_id, happened, terms, at=at, later=later):
        if clock.clock_id == clock_id:
            return _Folded(clock, listed)
    raise _not_found(clock_id)


def _view_of(folded: _Folded) -> ClockView:
    detected_at = folded.listed.detected_at if folded.clock.breached_at else None
    return ClockView.of(folded.listed.ticket_id, copy_of(folded.clock), detected_at)


def segment_view(start: datetime, end: datetime, kind: str, reason: str | None) -> SegmentView:
    """Show a stretch of time."""
    return SegmentView(start=start, end=end, kind=kind, reason=reason, seconds=seconds_of(end - start))


def _changes(clock: Clock) -> list[DueChangeView]:
    return [
        DueChangeView(
            at=change.at, previous_due_at=change.previous_due_at, due_at=change.due_at, because=change.because
        )
        for change in clock.history
    ]


def _explanation_view(explanation: Explanation, folded: _Folded, language: Language) -> ExplanationView:
    reading = explanation.reading
    return ExplanationView(
        clock=_view_of(folded),
        source=explanation.source,
        decided_by=[VerdictView(about=one.about, by=one.by, source=one.source) for one in explanation.verdicts],
        timezone=explanation.timezone,
        reading=None if reading is None else ReadingView(**reading.model_dump()),
        counted_from=explanation.counted_from,
        until=explanation.until,
        credited_seconds=seconds_of(explanation.credited),
        counted_seconds=seconds_of(explanation.counted),
        paused_seconds=seconds_of(explanation.paused),
        segments=[segment_view(one.start, one.end, one.kind.value, one.reason) for one in explanation.segments],
        history=_changes(explanation.clock),
        language=language,
        text=explanation_text(explanation, language),
    )


def _not_found(clock_id: UUID) -> NotFound:
    return NotFound(f"there is no clock {clock_id} here, or was none then")
