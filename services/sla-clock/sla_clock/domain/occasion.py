"""An occasion on which something is owed to the customer, whether or not anything was promised for it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from plazo.calendar import Pause
from plazo.events.sla_clock import ClockKind, ClockState
from plazo.kernel.ids import derived_id
from plazo.kernel.time import from_micros
from sla_clock.domain.clock import Because, Clock, DueChange, Warned
from sla_clock.domain.counting import Course, begin, carry_over, recount
from sla_clock.domain.facts import FactValue
from sla_clock.domain.terms import Promise, Terms


@dataclass(slots=True)
class Occasion:
    """What is owed from `started_at` on, while the fold walks over the facts.

    It becomes a clock once there is a promise for it; `course` is how the last promise was counted, `facts` are those
    that decided it, `lapsed_at` says since when it does not hold any more.
    """

    terms: Terms
    kind: ClockKind
    cycle: int
    started_at: datetime
    course: Course | None = None
    facts: Mapping[str, FactValue] = field(default_factory=dict)
    lapsed_at: datetime | None = None
    stopped_at: datetime | None = None
    cancelled_at: datetime | None = None
    because: Because = "started"
    changed_at: datetime | None = None
    _closed: list[Pause] = field(default_factory=list)
    _open: dict[str, datetime] = field(default_factory=dict)
    _history: list[DueChange] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        """Whether it is still owed."""
        return self.stopped_at is None and self.cancelled_at is None

    @property
    def is_promised(self) -> bool:
        """Whether a promise holds for it."""
        return self.course is not None and self.lapsed_at is None

    @property
    def pauses(self) -> list[Pause]:
        """What is left out, oldest first; those still running have no end."""
        running = [Pause(start, None, cause) for cause, start in self._open.items()]
        return sorted([*self._closed, *running], key=lambda pause: pause.start)

    def due_at(self) -> datetime | None:
        """Return when it is due as things stand; None while that is open, if it never is, or nothing is promised."""
        if self.course is None or self.lapsed_at or self.cancelled_at:
            return None
        due = self.course.due(self.pauses)
        return None if due is None else from_micros(due)

    def is_due_by(self, at: datetime) -> bool:
        """Tell whether the promise had been broken by an instant."""
        due = self.due_at()
        return due is not None and due < at

    def is_broken_at(self, at: datetime) -> bool:
        """Tell whether the promise is broken for who looks at an instant: at its due instant it is."""
        due = self.due_at()
        return due is not None and due <= at

    def promise(
        self, promise: Promise | None, *, facts: Mapping[str, FactValue], at: datetime, because: Because
    ) -> None:
        """Let `promise` hold from `at` on, as `facts` decide; nothing happens if it is the one that holds already."""
        old = self.course
        if promise == (old.promise if old and not self.lapsed_at else None):
            self.facts = facts
            return
        self.lapsed_at = at if promise is None else None
        if promise is not None:
            self.course = self._begin(promise, old, at=at, because=because)
        if promise is None or self.course is not old:
            self.facts = facts
        self._note(at, because)

    def _begin(self, promise: Promise, old: Course | None, *, at: datetime, because: Because) -> Course:
        version = old.version + 1 if old else 1
        if promise.until is not None:
            return begin(self.terms, promise, start=at, version=version)
        if promise.on_change == "retroactive" or because != "facts_changed":
            return begin(self.terms, promise, start=self.started_at, version=version)
        if old is None:
            return begin(self.terms, promise, start=at)
        if self.is_due_by(at):
            return old  # all of it was used: a new target cannot give anything back
        return carry_over(self.terms, old, promise, at=at, pauses=self.pauses)

    def change_terms(self, terms: Terms, promise: Promise | None, *, at: datetime) -> None:
        """Let other terms hold from `at` on, for all of its time: it is counted by them from where it was before."""
        self.terms = terms
        old = self.course
        if old is None or promise is None or self.lapsed_at:
            self.promise(promise, facts=self.facts, at=at, because="terms_changed")
            return
        self.course = recount(terms, old, promise, pauses=self.pauses)
        if self.course.version != old.version:
            self._note(at, "terms_changed")

    def pause(self, cause: str, *, at: datetime) -> None:
        """Stop counting for `cause`."""
        if cause not in self._open:
            self._open[cause] = at
            self._note(at, "wait_started")

    def resume(self, cause: str, *, at: datetime) -> None:
        """End the pause for `cause`; others may go on."""
        if (start := self._open.pop(cause, None)) is not None:
            self._closed.append(Pause(start, at, cause))
            self._note(at, "wait_ended")

    def stop(self, at: datetime) -> None:
        """What was owed was done."""
        self._end_pauses(at)
        self.stopped_at = at
        self._note(at, "stopped")

    def abandon(self, at: datetime, *, because: Because) -> None:
        """It is not owed any more; what was broken by then stays broken."""
        if self.is_due_by(at):
            self.stop(at)
            return
        self._end_pauses(at)
        self.cancelled_at = at
        self._note(at, because)

    def clock(self, ticket_id: UUID, *, at: datetime) -> Clock | None:
        """Return the clock it is at an instant; None if nothing was ever promised."""
        course = self.course
        if course is None or self.changed_at is None:
            return None
        pauses, due = self.pauses, self.due_at()
        broken = due is not None and (due < self.stopped_at if self.stopped_at else due <= at)
        cancelled_at = self.lapsed_at or self.cancelled_at
        warnings = [] if cancelled_at else course.warnings(pauses)
        return Clock(
            clock_id=derived_id("clock", ticket_id, self.kind, self.cycle),
            kind=self.kind,
            cycle=self.cycle,
            state=self._state(due, is_broken=broken),
            promise=course.promise,
            version=course.version,
            started_at=self.started_at,
            due_at=due,
            stopped_at=self.stopped_at,
            breached_at=due if broken else None,
            cancelled_at=cancelled_at,
            because=self.because,
            changed_at=self.changed_at,
            history=tuple(self._history),
            pauses=tuple(pauses),
            warnings=tuple(
                Warned(course.version, threshold, from_micros(reached))
                for threshold, reached in warnings
                if self.stopped_at is None or from_micros(reached) < self.stopped_at
            ),
            course=course,
            terms=self.terms,
        )

    def _state(self, due: datetime | None, *, is_broken: bool) -> ClockState:
        if self.cancelled_at or self.lapsed_at:
            return "cancelled"
        if self.stopped_at:
            return "missed" if is_broken else "met"
        if is_broken:
            return "breached"
        return "paused" if due is None and self._open else "running"

    def _end_pauses(self, at: datetime) -> None:
        self._closed += [Pause(start, at, cause) for cause, start in self._open.items()]
        self._open.clear()

    def _note(self, at: datetime, because: Because) -> None:
        """Keep what moved the due instant, and why."""
        if self.course is None:
            return
        due = self.due_at()
        previous = self._history[-1].due_at if self._history else None
        if not self._history or due != previous:
            self._history.append(DueChange(at, previous, due, because))
        self.because, self.changed_at = because, at
