"""What goes in and out over HTTP."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints, model_validator

from plazo.calendar import Target, TargetKind, parse_target
from plazo.events.sla_clock import ClockCopy
from plazo.kernel.errors import PlazoError
from plazo.runtime.inputs import Fact, Input, Instant, Line, Name, View

MOST_ITEMS = 10_000
MOST_PAUSES = 1_000


def _read_target(value: Any) -> Target:
    if isinstance(value, Target):
        return value
    if not isinstance(value, str):
        raise ValueError("expected a length of time such as 30m, 4h, 2 days or 1 business_day")  # noqa: TRY004
    try:
        return parse_target(value)
    except PlazoError as error:
        raise ValueError(error.message) from error


TargetText = Annotated[
    Target, BeforeValidator(_read_target, json_schema_input_type=str), Field(examples=["4h", "1 business_day"])
]


class ClockMove(Input):
    """Where the clock of a sandbox desk shall go: `to` an instant, or on by `advance`, in elapsed time."""

    to: Instant | None = None
    advance: TargetText | None = None

    @model_validator(mode="after")
    def _say_one_thing(self) -> Self:
        if (self.to is None) == (self.advance is None):
            raise ValueError("expected either `to`, an instant, or `advance`, such as 4h or 2 days")
        if self.advance is not None and self.advance.kind is TargetKind.BUSINESS_DAYS:
            raise ValueError("`advance` is elapsed time: expected such as 4h or 2 days, not business days")
        return self

    @property
    def length(self) -> timedelta:
        """How far `advance` goes."""
        return self.advance.length if self.advance else timedelta()


class DeskClock(View):
    """The present of a desk."""

    desk_id: UUID
    sandbox: bool
    clock_at: datetime


class ClockMoved(View):
    """Where the clock stands; `fired` counts the warnings, breaches and requested instants told on the way."""

    desk_id: UUID
    clock_at: datetime
    fired: int


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
    due_at: datetime | None = Field(description="null while the clock is paused")
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


class ExplanationView(View):
    """Why a clock is due when it is. `text` says it all in words, in the language asked for."""

    clock: ClockView
    source: str
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


class Published(Input):
    """A calendar of a published policy version; without a `version`, the one in force."""

    policy: Name
    version: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None
    calendar: Name


CalendarInput = Annotated[
    dict[str, Any],
    Field(
        description='a calendar, or a published one: {"policy", "version", "calendar"}',
        examples=[{"timezone": "Europe/Madrid", "hours": {"mon-fri": ["09:00-13:00", "14:00-17:30"]}}],
    ),
]


class PauseInput(Input):
    """A stretch of time `[from, until)` that does not count."""

    start: Instant = Field(alias="from")
    end: Instant = Field(alias="until")
    cause: Line | None = None

    @model_validator(mode="after")
    def _end_after_start(self) -> Self:
        if self.end < self.start:
            raise ValueError("the pause ends before it starts: expected `until` at or after `from`")
        return self


Pauses = Annotated[tuple[PauseInput, ...], Field(max_length=MOST_PAUSES, strict=False)]


class DeadlineQuestion(Input):
    """When has `target` of working time passed since `start`?"""

    calendar: CalendarInput | None = None
    start: Instant
    target: TargetText
    pauses: Pauses = ()
    explain: bool = False


class WorkingTimeQuestion(Input):
    """How much working time is there in `[from, until)`?"""

    calendar: CalendarInput | None = None
    start: Instant = Field(alias="from")
    until: Instant
    pauses: Pauses = ()
    explain: bool = False


class DeadlineAnswer(View):
    """When it is due; `segments` account for the time until then, if that was asked for."""

    due_at: datetime
    segments: list[SegmentView] | None = None


class WorkingTimeAnswer(View):
    """How much, in seconds, exact to the microsecond."""

    seconds: int | float
    segments: list[SegmentView] | None = None


class Batch(Input):
    """Many questions at once; `calendar` is that of each item that names none."""

    calendar: CalendarInput | None = None
    items: Annotated[list[Any], Field(min_length=1, max_length=MOST_ITEMS)]


class PreviewInput(Input):
    """A ticket that might be opened, under a published policy or the text of one."""

    policy: Name | None = None
    version: Annotated[str, StringConstraints(min_length=1, max_length=32)] | None = None
    document: Annotated[str, StringConstraints(min_length=1, max_length=1_048_576)] | None = None
    facts: dict[Name, Fact] = Field(default_factory=dict, max_length=100)
    opened_at: Instant
    customer_timezone: Annotated[str, StringConstraints(max_length=64)] | None = None
    customer_region: Name | None = None

    @model_validator(mode="after")
    def _say_one_thing(self) -> Self:
        if (self.policy is None) == (self.document is None):
            raise ValueError("expected either `policy`, the name of a published one, or `document`, the text of one")
        return self


class PreviewDeadline(View):
    """One promise that would be made."""

    kind: str
    due_at: datetime | None
    target: str | None
    calendar: str | None
    commitment: str
    clauses: tuple[str, ...]
    source: str
    warnings: dict[str, datetime]


class PreviewStep(View):
    """A step that escalation would take if nothing happened, and when."""

    trigger: str
    kind: str
    step: int
    at: datetime
    to_level: int | None
    notify: tuple[str, ...]
    clauses: tuple[str, ...]


class PreviewCharge(View):
    """The least that work on it would cost, as the policy words it."""

    charge: bool
    reason: str | None
    minimum: str | None
    clauses: tuple[str, ...]


class Preview(View):
    """Every deadline, escalation and the minimum charge, before a ticket exists."""

    policy: str
    version: str
    covered: bool
    coverage_clauses: tuple[str, ...]
    deadlines: list[PreviewDeadline]
    escalations: list[PreviewStep]
    minimum_charge: PreviewCharge | None


class HoursView(View):
    """The open periods of a calendar."""

    timezone: str
    items: list[SegmentView]


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
    percentage: float | None
    misses: list[Miss]


class Compliance(View):
    """How the promises were kept that began in `[from, until)`, dates in the desk's zone."""

    start: date = Field(serialization_alias="from")
    until: date
    timezone: str
    denominator: str
    groups: list[ComplianceGroup]
