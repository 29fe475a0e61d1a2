"""What has to be told: the difference between the clocks as last announced and as they are folded now."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from plazo.events.sla_clock import ClockCopy
from sla_clock.domain.clock import Clock, Warned

News = Literal["started", "rescheduled", "warned", "breached", "breach_retracted", "stopped", "cancelled"]


@dataclass(frozen=True, slots=True)
class Announced:
    """A clock as it was last announced. `warned` are the thresholds that were, see :attr:`Warned.key`.

    `version` counts its promises, `revision` its announcements.
    """

    clock: ClockCopy
    version: int
    warned: frozenset[str]
    revision: int

    @property
    def is_running(self) -> bool:
        """Whether what was promised was still owed."""
        return self.clock.state in {"running", "paused", "breached"}


@dataclass(frozen=True, slots=True)
class Announcement:
    """One thing to tell about a clock: the clock as it stands after it, and the instant at which it was true."""

    news: News
    clock: Clock
    occurred_at: datetime
    previous_due_at: datetime | None = None
    threshold: str | None = None


def difference(before: Announced | None, clock: Clock, *, at: datetime) -> list[Announcement]:
    """Return what is to be told about a clock as of the instant `at`, in order."""
    if before is None or (before.clock.state == "cancelled" and clock.state != "cancelled"):
        return [] if clock.state == "cancelled" else list(_beginning(clock, at=at))
    return list(_changes(before, clock, at=at))


def is_by_time(before: Announced | None, clock: Clock) -> bool:
    """Tell whether time alone makes a clock differ from how it was announced: thresholds passed, a promise broken."""
    return (
        before is not None and before.version == clock.version and _unbroken(copy_of(clock)) == _unbroken(before.clock)
    )


def vanished(before: Announced) -> ClockCopy | None:
    """Return how to announce a clock that, as is known by now, never was; None if it was cancelled before."""
    if before.clock.state == "cancelled":
        return None
    return before.clock.model_copy(update={"state": "cancelled", "due_at": None, "breached_at": None})


def reached_warnings(clock: Clock, *, at: datetime) -> list[Warned]:
    """Return the warning thresholds that a clock has passed by the instant `at`, oldest first."""
    return sorted((warned for warned in clock.warnings if warned.at <= at), key=lambda warned: warned.at)


def copy_of(clock: Clock) -> ClockCopy:
    """Return a clock as other services keep it."""
    return ClockCopy(
        clock_id=clock.clock_id,
        kind=clock.kind,
        cycle=clock.cycle,
        state=clock.state,
        commitment=clock.promise.commitment,
        target=clock.promise.target,
        calendar=clock.promise.calendar,
        clauses=clock.promise.clauses,
        started_at=clock.started_at,
        due_at=clock.due_at,
        stopped_at=clock.stopped_at,
        breached_at=clock.breached_at,
    )


def _beginning(clock: Clock, *, at: datetime) -> Iterator[Announcement]:
    yield Announcement("started", _alive(clock), clock.started_at)
    yield from _warnings(clock, _alive(clock), frozenset(), at=at)
    if clock.breached_at is not None:
        yield _breach(clock, clock.breached_at)
    if clock.stopped_at is not None:
        yield Announcement("stopped", clock, clock.stopped_at)


def _changes(before: Announced, clock: Clock, *, at: datetime) -> Iterator[Announcement]:
    was = before.clock
    broken_elsewhen = was.breached_at != clock.breached_at
    alive = _alive(clock) if broken_elsewhen or not clock.is_running else clock
    if was.breached_at is not None and broken_elsewhen:
        yield Announcement("breach_retracted", alive, clock.changed_at)
    if _is_rescheduled(before, clock):
        yield Announcement("rescheduled", alive, clock.changed_at, previous_due_at=was.due_at)
    if clock.is_running or before.is_running:
        yield from _warnings(clock, alive, before.warned, at=at)
    if clock.breached_at is not None and broken_elsewhen:
        yield _breach(clock, clock.breached_at)
    if clock.stopped_at is not None and was != copy_of(clock):
        yield Announcement("stopped", clock, clock.stopped_at)
    if clock.cancelled_at is not None and was != copy_of(clock):
        yield Announcement("cancelled", clock, clock.cancelled_at)


def _warnings(clock: Clock, alive: Clock, told: frozenset[str], *, at: datetime) -> Iterator[Announcement]:
    for warned in reached_warnings(clock, at=at):
        if warned.key not in told:
            yield Announcement("warned", alive, warned.at, threshold=warned.threshold)


def _breach(clock: Clock, breached_at: datetime) -> Announcement:
    broken = replace(_alive(clock), state="breached", breached_at=breached_at)
    return Announcement("breached", broken, breached_at)


def _alive(clock: Clock) -> Clock:
    """Return a clock as it was before it was broken or ended."""
    if clock.state == "paused":
        return clock
    return replace(clock, state="running", stopped_at=None, breached_at=None, cancelled_at=None)


def _is_rescheduled(before: Announced, clock: Clock) -> bool:
    """Whether a running clock is due at another instant than announced, or by another promise."""
    if not clock.is_running:
        return False
    moved = clock.version != before.version or _unbroken(copy_of(clock)) != _unbroken(before.clock)
    return moved or not before.is_running


def _unbroken(copy: ClockCopy) -> ClockCopy:
    # The end of a pause is news even where the due instant stays as it was: unknown, and now never.
    state = "paused" if copy.state == "paused" else "running"
    return copy.model_copy(update={"state": state, "breached_at": None})
