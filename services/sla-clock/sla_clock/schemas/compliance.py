"""How promises were kept, over HTTP."""

from datetime import date, datetime
from uuid import UUID

from pydantic import Field

from plazo.runtime.inputs import Input, Line, View


class ReviewInput(Input):
    """What was found out about a broken promise, and the measure taken."""

    cause: Line
    corrective_action: Line


class Review(View):
    """What was found out about a broken promise, and the measure taken."""

    clock_id: UUID
    cause: str
    corrective_action: str
    reviewed_by: str
    reviewed_at: datetime


class Miss(View):
    """A promise that was broken, with what was found out about it."""

    clock_id: UUID
    ticket_id: UUID
    number: str
    due_at: datetime
    stopped_at: datetime | None
    clauses: tuple[str, ...]
    cause: str | None
    corrective_action: str | None


class CountedPromise(View):
    """A promise behind a number of the report, with what was found out about it if it was broken."""

    plan: str | None
    severity: str | None
    kind: str
    commitment: str
    clock_id: UUID
    ticket_id: UUID
    number: str
    state: str
    started_at: datetime
    due_at: datetime | None
    stopped_at: datetime | None
    clauses: tuple[str, ...]
    cause: str | None
    corrective_action: str | None


class ComplianceGroup(View):
    """Promises of one kind that began in the period. `percentage` is `met` of `met` and `missed`, null for neither."""

    plan: str | None
    severity: str | None
    kind: str
    commitment: str
    met: int
    missed: int = Field(description="broken, done late or not yet")
    running: int = Field(description="not due yet, or paused; not in the percentage")
    cancelled: int = Field(description="no longer applies; not in the percentage")
    decided: int = Field(description="met and missed: the denominator of the percentage")
    percentage: float | None
    average_seconds: int | float | None = Field(description="from start to done, elapsed; null while none is done")
    longest_seconds: int | float | None
    promises: dict[str, str] = Field(description="where the promises behind each number are listed")
    misses: list[Miss]


class Compliance(View):
    """How the promises were kept that began in `[from, until)`, dates in the desk's zone."""

    start: date = Field(serialization_alias="from")
    until: date
    timezone: str
    denominator: str
    groups: list[ComplianceGroup]
