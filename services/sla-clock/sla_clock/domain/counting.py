"""How the time of one promise is counted: from where, how much of it, and which stretches are left out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from plazo.calendar import NeverDue, Pause, WorkingTime, parse_target
from plazo.kernel.time import SECOND, from_micros, to_micros
from sla_clock.domain.terms import Promise, Terms

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Course:
    """A promise being counted: `total` microseconds of working time from `base` on.

    `carried` is the share of it that had been used before, as a fraction, so that it can be carried over again
    without a loss. `version` counts the promises that held one after another; a change begins the next.
    """

    promise: Promise
    version: int
    working: WorkingTime
    base: int
    total: int
    carried: tuple[int, int] = (0, 1)

    @property
    def credit(self) -> int:
        """How much of the total had been used before `base`, in microseconds."""
        used, of = self.carried
        return self.total * used // of

    @property
    def counted_from(self) -> datetime:
        """The instant from which it is counted."""
        return from_micros(self.base)

    def due(self, pauses: Iterable[Pause]) -> int | None:
        """Return when the promise is due; None while a pause keeps that open, or where it never is."""
        if self.promise.until is not None and self.total == 0:
            return to_micros(self.promise.until)  # agreed for an instant already past
        return self.reached(self.total, pauses)

    def reached(self, amount: int, pauses: Iterable[Pause]) -> int | None:
        """Return when `amount` of the total has been used; None while a pause keeps that open.

        What was reached before a running pause began is not moved by it. None too where the calendar does not hold
        that much before its end: no instant comes by which it would be used, and what else is owed does not mind.
        """
        closed, since = _spans(pauses, self.base)
        rest = max(0, amount - self.credit)
        counted = closed if since is None else [span for span in closed if span[0] < since]
        try:
            at = self.working.due_micros(self.base, rest, counted)
        except NeverDue:
            return None
        return at if since is None or at <= since else None

    def used(self, at: int, pauses: Iterable[Pause]) -> int:
        """Return how much of the total has been used at an instant."""
        closed, since = _spans(pauses, self.base)
        if since is not None:
            closed = [*closed, (since, max(since, at))]
        return self.credit + self.working.working_micros(self.base, at, closed)

    def warnings(self, pauses: Sequence[Pause]) -> list[tuple[str, int]]:
        """Return each warning threshold with the instant at which it is reached, where that is known."""
        reached = ((threshold, self.reached(self._amount(threshold), pauses)) for threshold in self.promise.warn_at)
        return [(threshold, at) for threshold, at in reached if at is not None]

    def _amount(self, threshold: str) -> int:
        """Return how much of the total a threshold stands for; `1h before` is an hour of the same working time."""
        if threshold.endswith("%"):
            return self.total * int(threshold[:-1]) // 100
        before = parse_target(threshold.removesuffix(" before"))
        return max(0, self.total - before.amount * SECOND)


def begin(terms: Terms, promise: Promise, *, start: datetime, version: int = 1) -> Course:
    """Count a promise from `start`."""
    base = to_micros(start)
    working, total = terms.measure(promise, base)
    return Course(promise, version, working, base, total)


def carry_over(terms: Terms, old: Course, promise: Promise, *, at: datetime, pauses: Sequence[Pause]) -> Course:
    """Count a new promise from `at`, with the share of the old one that was used by then taken as used."""
    base = to_micros(at)
    working, total = terms.measure(promise, base)
    carried = (min(old.used(base, pauses), old.total), old.total) if old.total else (1, 1)
    return Course(promise, old.version + 1, working, base, total, carried)


def recount(terms: Terms, old: Course, promise: Promise, *, pauses: Sequence[Pause]) -> Course:
    """Count by other terms from where it was counted before; it stays the same promise if nothing comes of that."""
    working, total = terms.measure(promise, old.base)
    new = Course(promise, old.version, working, old.base, total, old.carried)
    is_same = replace(promise, rule=None) == replace(old.promise, rule=None) and total == old.total
    if is_same and new.due(pauses) == old.due(pauses) and new.warnings(pauses) == old.warnings(pauses):
        return new
    return replace(new, version=old.version + 1)


def _spans(pauses: Iterable[Pause], base: int) -> tuple[list[Span], int | None]:
    """Return the closed pauses from `base` on as spans, and since when one has been running."""
    closed: list[Span] = []
    since: int | None = None
    for pause in pauses:
        start = max(base, to_micros(pause.start))
        if pause.end is None:
            since = start if since is None else min(since, start)
        elif (end := to_micros(pause.end)) > start:
            closed.append((start, end))
    return closed, since
