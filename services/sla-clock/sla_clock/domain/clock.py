"""A clock as it stands at an instant."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from plazo.calendar import Pause
from plazo.events.sla_clock import ClockKind, ClockState
from sla_clock.domain.counting import Course
from sla_clock.domain.terms import Promise, Terms

Because = Literal[
    "started",
    "facts_changed",
    "terms_changed",
    "wait_started",
    "wait_ended",
    "date_agreed",
    "stopped",
    "held",
    "coverage",
    "closed",
]


@dataclass(frozen=True, slots=True)
class DueChange:
    """The due instant moved at `at`, or became unknown or never (None), `because` of a kind of fact."""

    at: datetime
    previous_due_at: datetime | None
    due_at: datetime | None
    because: Because


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning threshold of the `version`-th promise, and the instant at which it is reached."""

    version: int
    threshold: str
    at: datetime

    @property
    def key(self) -> str:
        """What it is told apart by, within its clock: it is announced once."""
        return f"{self.version}:{self.threshold}"


@dataclass(frozen=True, slots=True)
class Clock:
    """One promise about one ticket, as of the instant it was folded for.

    `due_at` is None while it is paused or once it is cancelled, and of one that runs if its calendar does not hold that
    much time: then it is never due. `breached_at` is the due instant once that has passed unkept. `version` counts
    changes of the promise itself; `terms` are those that decided it last.
    """

    clock_id: UUID
    kind: ClockKind
    cycle: int
    state: ClockState
    promise: Promise
    version: int
    started_at: datetime
    due_at: datetime | None
    stopped_at: datetime | None
    breached_at: datetime | None
    cancelled_at: datetime | None
    because: Because
    changed_at: datetime
    history: tuple[DueChange, ...]
    pauses: tuple[Pause, ...]
    warnings: tuple[Warned, ...]
    course: Course
    terms: Terms

    @property
    def is_running(self) -> bool:
        """Whether what was promised is still owed."""
        return self.state in {"running", "paused", "breached"}

    def next_instant(self, *, after: datetime) -> datetime | None:
        """Return the next instant at which it changes by itself."""
        if not self.is_running:
            return None
        instants = [warned.at for warned in self.warnings if warned.at > after]
        if self.due_at is not None and self.due_at > after:
            instants.append(self.due_at)
        return min(instants, default=None)
