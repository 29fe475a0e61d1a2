"""What `sla-clock` announces: the only owner of time."""

from datetime import datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from plazo.events.envelope import Event

ClockKind = Literal["acknowledgement", "first_response", "next_reply", "periodic_update", "resolution", "agreed"]
ClockState = Literal["running", "paused", "breached", "met", "missed", "cancelled"]


class ClockCopy(BaseModel):
    """A clock as it stands after the event.

    `due_at` is unknown while the clock is paused, and null of one that runs and is never due. `state` is `breached`
    while it runs on past its due instant, `met` or `missed` once it has stopped. `target` is the duration as the policy
    words it; `clauses` name what set it.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    clock_id: UUID
    kind: ClockKind
    cycle: int
    state: ClockState
    commitment: Literal["objective", "guarantee"]
    target: str | None
    calendar: str | None
    clauses: tuple[str, ...]
    started_at: datetime
    due_at: datetime | None
    stopped_at: datetime | None = None
    breached_at: datetime | None = None


class _SlaClockEvent(Event):
    producer: ClassVar[str] = "sla_clock"


class DeskClockAdvanced(_SlaClockEvent):
    """The time of a sandbox desk moved to `clock_at`. Aggregate: the desk."""

    name: ClassVar[str] = "desk.clock_advanced"

    clock_at: datetime


class ClockEvent(_SlaClockEvent):
    """Aggregate: the ticket."""

    ticket_id: UUID
    clock: ClockCopy


class ClockStarted(ClockEvent):
    """A promise began to count."""

    name: ClassVar[str] = "clock.started"


class ClockRescheduled(ClockEvent):
    """The due instant moved, or became unknown by a pause, `because` of a named fact."""

    name: ClassVar[str] = "clock.rescheduled"

    previous_due_at: datetime | None
    because: str


class ClockWarned(ClockEvent):
    """A warning threshold of the policy (`50%`, `1h before`) was reached."""

    name: ClassVar[str] = "clock.warned"

    threshold: str
    warned_at: datetime


class ClockBreached(ClockEvent):
    """The promise was not kept: at `breached_at`, the due instant. `detected_at` is when the service saw it."""

    name: ClassVar[str] = "clock.breached"

    breached_at: datetime
    detected_at: datetime


class ClockBreachRetracted(ClockEvent):
    """A later learnt fact shows that the promise was kept after all."""

    name: ClassVar[str] = "clock.breach_retracted"

    because: str


class ClockStopped(ClockEvent):
    """What was promised happened; `clock.state` says whether in time (`met`) or not (`missed`)."""

    name: ClassVar[str] = "clock.stopped"


class ClockCancelled(ClockEvent):
    """The promise no longer applies, `because` of a named fact."""

    name: ClassVar[str] = "clock.cancelled"

    because: str


class TimerFired(_SlaClockEvent):
    """An instant that another service asked for has come. Aggregate: the one it was asked for."""

    name: ClassVar[str] = "timer.fired"

    timer_id: UUID
    requested_by: str
    due_at: datetime
    context: dict[str, Any]


EVENTS: tuple[type[Event], ...] = (
    DeskClockAdvanced,
    ClockStarted,
    ClockRescheduled,
    ClockWarned,
    ClockBreached,
    ClockBreachRetracted,
    ClockStopped,
    ClockCancelled,
    TimerFired,
)
