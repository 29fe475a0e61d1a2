"""The ways in which work reaches the books beside one by one: timers and imports."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from billing.schemas.words import Reference, Stated
from billing.schemas.work import ChargedWorkView
from plazo.runtime.inputs import Input, Instant, Line, Prose, View


class TimerCreate(Input):
    """Start of an agent's timer on a ticket."""

    ticket_id: Reference
    note: Line | None = None


class TimerStop(Input):
    """End of a timer: what was done until `stopped_at`, or until now."""

    description: Prose
    stopped_at: Instant | None = None
    facts: Stated = Field(default_factory=dict)
    quote_id: Reference | None = None


class WorkTimerView(View):
    """An agent's timer. One that is `forgotten` has been running longer than anybody works."""

    timer_id: UUID
    ticket_id: UUID
    agent: str
    note: str | None
    started_at: datetime
    stopped_at: datetime | None
    work_id: UUID | None
    forgotten: bool


class StoppedTimerView(View):
    """A timer that was stopped, and the work it became."""

    timer: WorkTimerView
    logged: ChargedWorkView


class ImportCreate(Input):
    """Work to import: JSON, one object a line, or CSV with a header. Each line has a `reference` of its own, by which
    a repetition is known, a `ticket` (its number or id), `started_at`, `minutes` and `description`."""

    format: Literal["csv", "jsonl"]
    content: Annotated[str, Field(min_length=1, max_length=4_000_000)]


class RefusalView(View):
    """A line that was not taken, and everything that is wrong with it."""

    line: int
    reference: str | None
    code: str
    faults: list[str]


class ImportView(View):
    """An import: how many of its lines were logged now, were `known` from before, or refused."""

    import_id: UUID
    state: Literal["running", "done"]
    total: int
    logged: int
    known: int
    refused: int
    refusals: list[RefusalView]
    imported_by: str
    begun_at: datetime
    ended_at: datetime | None
