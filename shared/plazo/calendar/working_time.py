"""Working time: adding it to an instant and measuring it between two.

An instant is open exactly when its local wall-clock reading lies in a window; working time is elapsed time over open
instants. So a 01:00-04:00 window lasts two hours when clocks go forward and four when they go back.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import lru_cache
from threading import Lock
from weakref import WeakKeyDictionary

import numpy as np

from plazo.calendar.model import ELAPSED, Calendar
from plazo.calendar.pause import Pause, Span, pause_spans
from plazo.calendar.schedule import Schedule
from plazo.calendar.segments import Segment, cut_segments
from plazo.calendar.target import Target, TargetKind
from plazo.calendar.timetable import SHIFT, Micros, Timetable, build_timetable
from plazo.calendar.zone import first_reading, load_zone
from plazo.kernel.errors import Fault, InvalidInput
from plazo.kernel.time import (
    DAY,
    FIRST_YEAR,
    LAST_YEAR,
    SECOND,
    Period,
    format_instant,
    from_micros,
    merge_spans,
    micros_of,
    to_micros,
)

_NOTHING = Timetable(0, 0, [], [], [], [], [], [], [], 0)
_MOST_SEGMENTS = 1_000_000  # that all calendars of a process keep compiled, of some 200 bytes each


class NotInForce(InvalidInput):
    """The question is about an instant before the calendar's first version takes effect."""

    code = "calendar-not-in-force"


class NeverDue(InvalidInput):
    """The calendar does not hold that much working time before the year 2200."""

    code = "never-due"


class WorkingTime:
    """A compiled calendar. Made by :func:`compile_calendar`; never changes its answers, safe to share.

    Instants are aware datetimes from 1970 to 2199 and come back in UTC. The `_micros` forms take microseconds since
    1970 and pauses as integer spans; the `_batch` forms take int64 arrays of them. The years asked about are compiled
    on the first question and kept, so a question costs the same whatever the span it covers. All calendars of a process
    keep a million segments together; what was compiled longest ago is dropped, and compiled again when asked about.

    A calendar is closed before its first version takes effect: what is asked for earlier counts from there.

    Every method raises :class:`~plazo.kernel.errors.InvalidInput` for an instant that is naive or outside those years.
    """

    def __init__(self, calendar: Calendar) -> None:
        self.calendar = calendar
        self.zone: tzinfo = load_zone(calendar.timezone)
        self._schedule = Schedule(calendar.versions)
        self._in_force_from = first_reading(self.zone, self._schedule.first_date)
        self._table = _NOTHING

    def is_in_force(self, at: datetime) -> bool:
        """Whether a version of the calendar holds at an instant; before the first it is closed."""
        return to_micros(at) >= self._in_force_from

    def require_in_force(self, at: datetime) -> None:
        """Insist that the calendar says something of an instant. :raises NotInForce: before its first version"""
        if not self.is_in_force(at):
            raise _fault(
                NotInForce,
                f"the calendar takes effect on {self._schedule.first_date} ({self.calendar.timezone}): "
                f"expected no instant before {format_instant(from_micros(self._in_force_from))}, "
                f"not {format_instant(at)}",
            )

    def due(self, start: datetime, target: Target | timedelta, pauses: Iterable[Pause | Period] = ()) -> datetime:
        """Give the earliest instant from `start` on by which the target has passed, pauses left out.

        A target used up exactly at closing time is due at closing time; one of zero is due at its start. A timedelta
        is working time. `days` are elapsed time, whatever the calendar says. `n business_days` end with the service
        (the last closing) of the n-th business day after the one the start belongs to, the first whose service is
        not over (SKE-11); pauses add the working time they took from between. A business day is a date on which a
        window opens.

        :raises InvalidInput: if the target is negative or a pause is still running
        :raises NeverDue: if that much working time is not left before the year 2200
        """
        begin, spans = to_micros(start), pause_spans(pauses)
        if isinstance(target, timedelta):
            return from_micros(self.due_micros(begin, micros_of(target), spans))
        if target.kind is TargetKind.WORKING:
            return from_micros(self.due_micros(begin, target.amount * SECOND, spans))
        if target.kind is TargetKind.DAYS:
            return from_micros(compile_calendar(ELAPSED).due_micros(begin, target.amount * DAY, spans))
        end = self._end_of_service(begin, target.amount) if target.amount else begin
        return from_micros(self.due_micros(begin, self.working_micros(begin, end), spans) if spans else end)

    def working_time(self, start: datetime, until: datetime, pauses: Iterable[Pause | Period] = ()) -> timedelta:
        """Measure the open time in `[start, until)` outside the pauses; zero if `until` is not after `start`.

        A pause still running counts as lasting to `until`.
        """
        end = to_micros(until)
        return timedelta(microseconds=self.working_micros(to_micros(start), end, pause_spans(pauses, until=end)))

    def is_open(self, at: datetime) -> bool:
        """Whether there is service at an instant."""
        micros = to_micros(at)
        table = self._cover(micros, micros)
        return table.starts[table.segment_after(micros)] <= micros

    def next_opening(self, at: datetime) -> datetime:
        """Give the first open instant from `at` on: `at` itself if it is open.

        :raises NeverDue: if there is none before the year 2200
        """
        micros = to_micros(at)
        table = self._cover(micros, micros)
        while (index := table.segment_after(micros)) == len(table.starts) - 1:
            table = self._lengthen(table, micros)
        return from_micros(max(micros, table.starts[index]))

    def windows(self, start: datetime, until: datetime) -> list[Period]:
        """List the open periods within `[start, until)` in UTC; two that touch are one."""
        return [Period(from_micros(a), from_micros(b)) for a, b in self._open_spans(to_micros(start), to_micros(until))]

    def explain(self, start: datetime, until: datetime, pauses: Iterable[Pause | Period] = ()) -> list[Segment]:
        """Account for all of `[start, until)`: what counted, what a pause took away, when the service was closed.

        Only open time can be paused: a pause over a closed night shows as closed. The counted segments add up to
        :meth:`working_time`.
        """
        begin, end = to_micros(start), to_micros(until)
        return cut_segments(
            self._open_spans(begin, end), pauses, span=(begin, end), schedule=self._schedule, zone=self.zone
        )

    def due_micros(self, start: int, target: int, pauses: Sequence[Span] = ()) -> int:
        """Do what :meth:`due` does, for a target of working time in microseconds."""
        table = self._table
        if not table.first <= start < table.last:
            table = self._cover(start, start)
        if target <= 0:
            _refuse_negative(target)
            return start
        if pauses:
            target = self._stretch(start, target, pauses)
        index = table.by_time[(start - table.first) >> SHIFT]
        ends = table.ends
        while ends[index] <= start:
            index += 1
        opens, lag = table.starts[index], table.lag
        goal = (opens if opens > start else start) - lag[index] + target  # noqa: FURB136  # `max` costs a tenth of it
        if goal > table.total:
            self._lengthen(table, start)
            return self.due_micros(start, target)
        index = table.by_work[(goal - 1) >> SHIFT]
        worked = table.worked
        while worked[index] < goal:
            index += 1
        return goal + lag[index]

    def working_micros(self, start: int, until: int, pauses: Sequence[Span] = ()) -> int:
        """Do what :meth:`working_time` does, in microseconds."""
        if until <= start:
            return 0
        table = self._table
        if not (table.first <= start and until < table.last):
            table = self._cover(start, until)
        first, by_time, starts, ends, lag = table.first, table.by_time, table.starts, table.ends, table.lag
        index = by_time[(start - first) >> SHIFT]
        while ends[index] <= start:
            index += 1
        opens = starts[index]
        before = (opens if opens > start else start) - lag[index]  # noqa: FURB136  # as above
        index = by_time[(until - first) >> SHIFT]
        while ends[index] <= until:
            index += 1
        opens = starts[index]
        work = (opens if opens > until else until) - lag[index] - before  # noqa: FURB136  # as above
        if pauses:
            for pause_start, pause_end in merge_spans(pauses):
                work -= self.working_micros(max(pause_start, start), min(pause_end, until))
        return work

    def due_batch(self, starts: Micros, targets: Micros | int) -> Micros:
        """Answer :meth:`due_micros` for arrays of starts and working-time targets, without pauses."""
        begin = np.asarray(starts, dtype=np.int64)
        length = np.asarray(targets, dtype=np.int64)
        if begin.size == 0:
            return begin.copy()
        _refuse_negative(int(length.min()))
        table = self._cover(int(begin.min()), int(begin.max()))
        goal = table.work_at(begin) + length
        while goal.max() > table.total:
            table = self._lengthen(table, int(begin.max()))
            goal = table.work_at(begin) + length
        arrays = table.arrays
        index = arrays.by_work[np.maximum(goal - 1, 0) >> SHIFT]
        for _ in range(arrays.work_steps):
            index += arrays.worked[index] < goal
        return np.where(length == 0, begin, goal + arrays.lag[index])

    def working_batch(self, starts: Micros, untils: Micros) -> Micros:
        """Answer :meth:`working_micros` for arrays of starts and ends, without pauses."""
        begin, end = np.broadcast_arrays(np.asarray(starts, np.int64), np.asarray(untils, np.int64))
        if begin.size == 0:
            return begin.copy()
        table = self._cover(int(min(begin.min(), end.min())), int(max(begin.max(), end.max())))
        work: Micros = np.maximum(table.work_at(end) - table.work_at(begin), 0)
        return work

    def _stretch(self, start: int, target: int, pauses: Sequence[Span]) -> int:
        """Add to a target the working time of every pause that begins before it is used up."""
        for pause_start, pause_end in merge_spans(pauses):
            begin = max(pause_start, start)
            if self.working_micros(start, begin) >= target:
                break
            target += self.working_micros(begin, pause_end)
        return target

    def _end_of_service(self, start: int, days: int) -> int:
        table = self._cover(start, start)
        while (index := bisect_right(table.closings, start) + days) >= len(table.closings):
            table = self._lengthen(table, start)
        return table.closings[index]

    def _open_spans(self, start: int, until: int) -> list[Span]:
        if until <= start:
            return []
        table = self._cover(start, until)
        inside = range(table.segment_after(start), table.segment_after(until) + 1)
        spans = ((max(table.starts[index], start), min(table.ends[index], until)) for index in inside)
        return [(opens, closes) for opens, closes in spans if opens < closes]

    def _cover(self, low: int, high: int) -> Timetable:
        """Give a timetable that holds both instants, compiling more years if need be.

        A new timetable replaces the old one in a single assignment: a thread that still reads the old one gets the
        same answers from it.
        """
        table = self._table
        if table.first <= low and high < table.last:
            return table
        if low < 0 or high >= _new_year(LAST_YEAR + 1):
            message = f"expected instants in the years {FIRST_YEAR} to {LAST_YEAR}, not {low} to {high} µs"
            raise _fault(InvalidInput, message)
        first_year, last_year = from_micros(low).year - 1, from_micros(high).year + 4
        if table.last:
            begun, ended = from_micros(table.first).year, from_micros(table.last).year
            grown = ended + (ended - begun) if high >= table.last else ended
            first_year, last_year = min(first_year, begun), max(last_year, grown)
        table = build_timetable(
            self._schedule,
            self.zone,
            first=_new_year(max(first_year, FIRST_YEAR)),
            last=_new_year(min(last_year, LAST_YEAR + 1)),
        )
        self._keep(table)
        return table

    def _keep(self, table: Timetable) -> None:
        with _keeping:
            self._table = table
            _kept.pop(self, None)
            _kept[self] = len(table.starts)
            excess = sum(_kept.values()) - _MOST_SEGMENTS
            for oldest, segments in list(_kept.items())[:-1]:  # never the newest, however large
                if excess <= 0:
                    break
                excess -= segments
                del _kept[oldest]
                oldest._table = _NOTHING  # noqa: SLF001  # one of its own kind

    def _lengthen(self, table: Timetable, start: int) -> Timetable:
        if table.last >= _new_year(LAST_YEAR + 1):
            raise _fault(
                NeverDue,
                f"the calendar has not enough open time between {format_instant(from_micros(start))} "
                f"and the year {LAST_YEAR + 1}",
            )
        return self._cover(table.first, table.last)


_kept: WeakKeyDictionary[WorkingTime, int] = WeakKeyDictionary()  # segments, those compiled longest ago first
_keeping = Lock()


@lru_cache(maxsize=256)
def compile_calendar(calendar: Calendar) -> WorkingTime:
    """Compile a calendar; equal calendars share one compiled form."""
    return WorkingTime(calendar)


def _new_year(year: int) -> int:
    return to_micros(datetime(year, 1, 1, tzinfo=UTC))


def _refuse_negative(target: int) -> None:
    if target < 0:
        raise _fault(InvalidInput, f"expected a target of zero or more, not {target} µs")


def _fault(kind: type[InvalidInput], message: str) -> InvalidInput:
    return kind(message, faults=(Fault("", message),))
