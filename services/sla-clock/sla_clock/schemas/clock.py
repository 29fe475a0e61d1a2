"""Clocks, over HTTP."""

from datetime import datetime
from typing import Literal, Self
from uuid import UUID

from pydantic import Field

from plazo.events.sla_clock import ClockCopy
from plazo.runtime.inputs import View


class ClockView(View):
    """One promise about a ticket, as it stands."""

    clock_id: UUID
    ticket_id: UUID
    kind: str
    cycle: int
    state: str
    commitment: str
    target: str | None
    calendar: str | None
    clauses: tuple[str, ...]
    started_at: datetime
    due_at: datetime | None = Field(description="null while the clock is paused, and of a promise that is never due")
    stopped_at: datetime | None
    breached_at: datetime | None
    detected_at: datetime | None = Field(default=None, description="when the service saw the breach")

    @classmethod
    def of(cls, ticket_id: UUID, clock: ClockCopy, detected_at: datetime | None = None) -> Self:
        """Show a clock."""
        return cls(ticket_id=ticket_id, detected_at=detected_at, **clock.model_dump())


class DueChangeView(View):
    """The due instant moved, or became unknown, because of something that happened."""

    at: datetime
    previous_due_at: datetime | None
    due_at: datetime | None
    because: str


class PauseView(View):
    """A stretch of time that did not count; `until` is null while it lasts."""

    start: datetime = Field(serialization_alias="from")
    end: datetime | None = Field(serialization_alias="until")
    cause: str | None


class HistoryView(View):
    """How the due instant of a clock came to be, oldest first."""

    clock_id: UUID
    changes: list[DueChangeView]
    pauses: list[PauseView]


class SegmentView(View):
    """A stretch of time: `counted`, `paused` for a cause, or `closed`, on a holiday with its name."""

    start: datetime = Field(serialization_alias="from")
    end: datetime = Field(serialization_alias="until")
    kind: str
    reason: str | None
    seconds: int | float


class ReadingView(View):
    """How the contract was read where it is silent."""

    choice: str
    why: str
    alternatives: tuple[str, ...]


class VerdictView(View):
    """Which document decides the target, what keeps the promise, what pauses it, and where in it. SKE-12"""

    about: Literal["target", "stop", "pause"]
    by: Literal["contract", "policy", "defaults", "agreement"]
    source: str


class ExplanationView(View):
    """Why a clock is due when it is. `text` says it all in words, in the language asked for."""

    clock: ClockView
    source: str
    decided_by: list[VerdictView]
    timezone: str
    reading: ReadingView | None
    counted_from: datetime
    until: datetime
    credited_seconds: int | float
    counted_seconds: int | float
    paused_seconds: int | float
    segments: list[SegmentView]
    history: list[DueChangeView]
    language: Literal["es", "en"]
    text: str
