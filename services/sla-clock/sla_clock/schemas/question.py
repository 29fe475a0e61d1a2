"""Questions about time without a ticket, over HTTP."""

from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import Field, StringConstraints, model_validator

from plazo.runtime.inputs import Input, Instant, Line, Name, View
from sla_clock.schemas.clock import SegmentView
from sla_clock.schemas.field import TargetText

MOST_ITEMS = 10_000
MOST_PAUSES = 1_000


class Published(Input):
    """A calendar of a published policy version; without a `version`, the one in force."""

    policy: Name
    version: Annotated[Line, StringConstraints(max_length=32)] | None = None
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


class HoursView(View):
    """The open periods of a calendar."""

    timezone: str
    items: list[SegmentView]
