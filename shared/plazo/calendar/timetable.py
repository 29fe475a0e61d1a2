"""A calendar flattened to integers for a stretch of years, so that no answer depends on the length of a span.

Two coordinates: *time*, UTC microseconds since 1970, and *work*, the open microseconds since the timetable's first
instant. Open segment `i` is `[starts[i], ends[i])`; `lag[i]` is time minus work inside it, `worked[i]` the work at its
end. The look-up tables hold, for each bucket of 2**32 microseconds (71.6 minutes) of time or work, the first segment
that can matter; a step or two on from there is the one that does.
"""

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from plazo.calendar.schedule import Schedule
from plazo.calendar.zone import offset_spans
from plazo.kernel.time import DAY, MINUTE

Micros = NDArray[np.int64]

SHIFT = 32
NEVER = 1 << 62  # a last segment of no length at this instant ends every search

_MARGIN = 3 * DAY  # a window may lie this far from its own date in UTC: offset, length and clock change together


@dataclass(frozen=True)
class Timetable:
    """The open segments of `[first, last)` and the closing times of its business days.

    `closings` holds the last closing of each business day that closes in `(first, last]`.
    """

    first: int
    last: int
    starts: list[int]
    ends: list[int]
    lag: list[int]
    worked: list[int]
    by_time: Sequence[int]
    by_work: Sequence[int]
    closings: list[int]
    total: int

    def segment_after(self, at: int) -> int:
        """Find the first segment that ends after an instant of `[first, last)`."""
        index = self.by_time[(at - self.first) >> SHIFT]
        while self.ends[index] <= at:
            index += 1
        return index

    def work_at(self, at: Micros) -> Micros:
        """Convert instants of `[first, last)` to work."""
        arrays = self.arrays
        index = arrays.by_time[(at - self.first) >> SHIFT]
        for _ in range(arrays.time_steps):
            index += arrays.ends[index] <= at
        work: Micros = np.maximum(at, arrays.starts[index]) - arrays.lag[index]
        return work

    @cached_property
    def arrays(self) -> "TimetableArrays":
        """The same as numpy arrays, for batches."""
        return TimetableArrays.of(self)


@dataclass(frozen=True)
class TimetableArrays:
    """A timetable as int64 arrays; the steps say how many segments at most share a bucket."""

    starts: Micros
    ends: Micros
    lag: Micros
    worked: Micros
    by_time: Micros
    by_work: Micros
    time_steps: int
    work_steps: int

    @classmethod
    def of(cls, table: Timetable) -> "TimetableArrays":
        """Convert the lists of a timetable."""
        starts, ends, lag, worked, by_time, by_work = (
            np.array(values, dtype=np.int64)
            for values in (table.starts, table.ends, table.lag, table.worked, table.by_time, table.by_work)
        )
        return cls(
            starts, ends, lag, worked, by_time, by_work,
            time_steps=int(np.diff(by_time).max(initial=1)),
            work_steps=int(np.diff(by_work).max(initial=1)),
        )  # fmt: skip


def build_timetable(schedule: Schedule, zone: tzinfo, *, first: int, last: int) -> Timetable:
    """Compile the dates of a schedule over the UTC span `[first, last)`, in microseconds."""
    starts: list[int] = []
    ends: list[int] = []
    closing_of: dict[int, int] = {}
    for start, end, day in _dated_segments(schedule, zone, first - _MARGIN, last + _MARGIN):
        closing_of[day] = end
        opens, closes = max(start, first), min(end, last)
        if opens >= closes:
            continue
        if ends and opens <= ends[-1]:
            ends[-1] = max(ends[-1], closes)
        else:
            starts.append(opens)
            ends.append(closes)
    lag: list[int] = []
    worked: list[int] = []
    work = 0
    for opens, closes in zip(starts, ends, strict=True):
        lag.append(opens - work)
        work += closes - opens
        worked.append(work)
    by_time = _first_above(ends, base=first, extent=last - first)
    by_work = _first_above(worked, base=0, extent=work)
    return Timetable(
        first=first,
        last=last,
        starts=[*starts, NEVER],
        ends=[*ends, NEVER],
        lag=[*lag, NEVER - work],
        worked=[*worked, NEVER],
        by_time=by_time,
        by_work=by_work,
        closings=sorted(closing for closing in closing_of.values() if first < closing <= last),
        total=work,
    )


def _dated_segments(schedule: Schedule, zone: tzinfo, first: int, last: int) -> Iterator[tuple[int, int, int]]:
    """Cut the windows of every date where the clocks change: (start, end, day number), ascending.

    Between two changes wall-clock readings are UTC plus a constant, so the instants whose reading lies in a window
    are one shifted copy of it, cut to that stretch. A window read twice yields two segments, one never read none.
    """
    for start, end, offset in offset_spans(zone, first, last):
        for day in range((start + offset) // DAY - 1, (end + offset) // DAY + 1):
            midnight = day * DAY - offset
            for window in schedule.windows_on(day):
                opens = max(midnight + window.opens * MINUTE, start)
                closes = min(midnight + window.closes * MINUTE, end)
                if opens < closes:
                    yield opens, closes, day


def _first_above(bounds: list[int], *, base: int, extent: int) -> Sequence[int]:
    """For each bucket of the extent, give the index of the first bound above the bucket's beginning."""
    buckets = (extent >> SHIFT) + 2
    table = array("i")
    for index, bound in enumerate(bounds):
        beginning_below = -((base - bound) >> SHIFT)
        table.extend(array("i", [index]) * (beginning_below - len(table)))
    table.extend(array("i", [len(bounds)]) * (buckets - len(table)))
    return table
