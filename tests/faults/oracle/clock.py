"""A clock: something promised, counted from an instant, and what has been announced about it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from faults.oracle.contracts import Promise
from faults.oracle.hours import Span

#: What happened to a clock: the word, the instant, the threshold of a warning.
News = tuple[str, datetime, str | None]


@dataclass(frozen=True, slots=True)
class Shown:
    """A clock as it can be read."""

    kind: str
    cycle: int
    state: str
    started_at: datetime
    due_at: datetime | None
    stopped_at: datetime | None
    breached_at: datetime | None


@dataclass(slots=True)
class Clock:
    """A promise about a ticket; `base` is where the counting of its present terms began."""

    kind: str
    cycle: int
    started_at: datetime
    promise: Promise
    base: datetime
    total: timedelta
    changed_at: datetime
    version: int = 1
    stopped_at: datetime | None = None
    cancelled_at: datetime | None = None
    _ended: list[Span] = field(default_factory=list)
    _pauses: dict[str, datetime] = field(default_factory=dict)
    _told: Shown | None = None
    _told_version: int = 0
    _warned: set[tuple[int, str]] = field(default_factory=set)

    @classmethod
    def begin(cls, kind: str, cycle: int, promise: Promise, at: datetime) -> "Clock":
        """Begin to count."""
        return cls(kind, cycle, at, promise, at, promise.total(at), at)

    @property
    def is_open(self) -> bool:
        """Whether it is still owed."""
        return self.stopped_at is None and self.cancelled_at is None

    def due(self) -> datetime | None:
        """Return when it is due; None while a pause keeps that open."""
        return None if self.cancelled_at else self._reached(self.total)

    def _reached(self, amount: timedelta) -> datetime | None:
        base = self.base
        ended = [(max(base, start), end) for start, end in self._ended if end > base and end > max(base, start)]
        since = min((max(base, start) for start in self._pauses.values()), default=None)
        if since is None:
            return self.promise.after(base, amount, ended)
        at = self.promise.after(base, amount, [span for span in ended if span[0] < since])
        return at if at <= since else None

    def is_broken_by(self, at: datetime) -> bool:
        """Whether its time had run out before an instant."""
        due = self.due()
        return due is not None and due < at

    def is_broken_at(self, at: datetime) -> bool:
        """Whether its time has run out for who looks at an instant."""
        due = self.due()
        return due is not None and due <= at

    def change(self, promise: Promise, at: datetime) -> None:
        """Let another promise hold: an agreed date from now on, others from the start."""
        if promise == self.promise:
            return
        self.promise = promise
        self.version += 1
        self.base = at if promise.until is not None else self.started_at
        self.total = promise.total(self.base)
        self.changed_at = at

    def pause(self, cause: str, at: datetime) -> None:
        """Stop counting."""
        if cause not in self._pauses:
            self._pauses[cause] = at
            self.changed_at = at

    def resume(self, cause: str, at: datetime) -> None:
        """Go on counting, as far as that cause goes."""
        if (start := self._pauses.pop(cause, None)) is not None:
            self._ended.append((start, at))
            self.changed_at = at

    def stop(self, at: datetime) -> None:
        """What was promised was done."""
        self._end_pauses(at)
        self.stopped_at = self.changed_at = at

    def abandon(self, at: datetime) -> None:
        """It is not owed any more; what was broken stays broken."""
        if self.is_broken_by(at):
            self.stop(at)
            return
        self._end_pauses(at)
        self.cancelled_at = self.changed_at = at

    def _end_pauses(self, at: datetime) -> None:
        self._ended += [(start, at) for start in self._pauses.values()]
        self._pauses.clear()

    def warnings(self) -> list[tuple[str, datetime]]:
        """Return each warning with its instant, as far as that is known."""
        if self.cancelled_at:
            return []
        of = [(one, self._reached(self.promise.threshold(one, self.total))) for one in self.promise.warn]
        return [(one, at) for one, at in of if at is not None and (self.stopped_at is None or at < self.stopped_at)]

    def shown(self, at: datetime) -> Shown:
        """Return it as it stands at an instant."""
        due = self.due()
        broken = due is not None and (due < self.stopped_at if self.stopped_at else due <= at)
        if self.cancelled_at:
            state = "cancelled"
        elif self.stopped_at:
            state = "missed" if broken else "met"
        else:
            state = "breached" if broken else "paused" if due is None else "running"
        return Shown(self.kind, self.cycle, state, self.started_at, due, self.stopped_at, due if broken else None)

    def next_instant(self, after: datetime) -> datetime | None:
        """Return the next instant at which it changes of itself."""
        if not self.is_open:
            return None
        due = self.due()
        instants = [at for _, at in self.warnings()] + ([due] if due else [])
        return min((at for at in instants if at > after), default=None)

    def tell(self, at: datetime, hear: Callable[["Clock", News], None]) -> None:
        """Announce what is different from what was announced before."""
        now, before = self.shown(at), self._told
        news: list[News] = []
        if before is None or (before.state == "cancelled" and now.state != "cancelled"):
            if now.state == "cancelled":
                return
            news.append(("clock_started", self.started_at, None))
            news += self._new_warnings(at)
            if now.breached_at:
                news.append(("clock_breached", now.breached_at, None))
            if now.stopped_at:
                news.append(("clock_stopped", now.stopped_at, None))
        else:
            news += self._differences(before, now, at)
        self._told, self._told_version = now, self.version
        for one in news:
            hear(self, one)

    def _differences(self, before: Shown, now: Shown, at: datetime) -> list[News]:
        news: list[News] = []
        elsewhen = before.breached_at != now.breached_at
        is_running, was_running = _runs(now), _runs(before)
        if before.breached_at and elsewhen:
            news.append(("clock_breach_retracted", self.changed_at, None))
        moved = self.version != self._told_version or _unbroken(before) != _unbroken(now)
        if is_running and (moved or not was_running):
            news.append(("clock_rescheduled", self.changed_at, None))
        if is_running or was_running:
            news += self._new_warnings(at)
        if now.breached_at and elsewhen:
            news.append(("clock_breached", now.breached_at, None))
        if now.stopped_at and now != before:
            news.append(("clock_stopped", now.stopped_at, None))
        if self.cancelled_at and now != before:
            news.append(("clock_cancelled", self.cancelled_at, None))
        return news

    def _new_warnings(self, at: datetime) -> list[News]:
        fresh = [(one, when) for one, when in self.warnings() if when <= at and (self.version, one) not in self._warned]
        self._warned |= {(self.version, one) for one, _ in fresh}
        return [("clock_warned", when, one) for one, when in sorted(fresh, key=lambda pair: pair[1])]


def _runs(shown: Shown) -> bool:
    return shown.state in ("running", "paused", "breached")


def _unbroken(shown: Shown) -> tuple[object, ...]:
    return shown.started_at, shown.due_at, shown.stopped_at
