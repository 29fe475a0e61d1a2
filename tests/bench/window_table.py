"""The bare limit: the same calendar as numpy arrays of seconds, without versions, pauses, checks or growth.

It is built by nothing but zoneinfo, so that it also tells whether Plazo's answers are right.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from bench.office import HOLIDAYS, WEEK, YEARS, ZONE

Seconds = NDArray[np.int64]
_SHIFT = 12  # buckets of 68 minutes: no two windows begin in one


@dataclass(frozen=True)
class WindowTable:
    """Opening windows and two tables that lead from a bucket of time, or of work, to the window that matters."""

    first: int
    starts: Seconds
    ends: Seconds
    lag: Seconds
    worked: Seconds
    by_time: Seconds
    by_work: Seconds

    def due(self, start: Seconds, target: int) -> Seconds:
        """Add `target` seconds, above zero, of working time."""
        index = self.by_time[(start - self.first) >> _SHIFT]
        index += self.ends[index] <= start
        goal = np.maximum(start, self.starts[index]) - self.lag[index] + target
        index = self.by_work[(goal - 1) >> _SHIFT]
        index += self.worked[index] < goal
        answer: Seconds = goal + self.lag[index]
        return answer

    def walk_due(self, start: int, target: int) -> int:
        """Do the same window by window."""
        for opens, closes in zip(self.starts.tolist(), self.ends.tolist(), strict=True):
            begin = max(opens, start)
            if closes > begin:
                if closes - begin >= target:
                    return int(begin + target)
                target -= closes - begin
        raise AssertionError("the windows ended")

    def walk_between(self, start: int, until: int) -> int:
        """Sum up the open seconds window by window."""
        return int(np.maximum(np.minimum(self.ends, until) - np.maximum(self.starts, start), 0).sum())


def build_window_table() -> WindowTable:
    """Lay out the windows of all years."""
    closed = set(HOLIDAYS)
    day, last = date(YEARS[0], 1, 1), date(YEARS[-1], 12, 31)
    windows: list[tuple[int, int]] = []
    while day <= last:
        slot = WEEK[day.weekday()]
        if slot and day not in closed:
            opens, closes = (int(datetime.combine(day, reading, ZONE).timestamp()) for reading in slot)
            windows.append((opens, closes))
        day += timedelta(days=1)
    starts, ends = (np.array(column, dtype=np.int64) for column in zip(*windows, strict=True))
    worked = np.cumsum(ends - starts)
    first = int(datetime(YEARS[0], 1, 1, tzinfo=UTC).timestamp())
    time_buckets = first + (np.arange(((ends[-1] - first) >> _SHIFT) + 1) << _SHIFT)
    work_buckets = np.arange((worked[-1] >> _SHIFT) + 1) << _SHIFT
    return WindowTable(
        first=first,
        starts=starts,
        ends=ends,
        lag=ends - worked,
        worked=worked,
        by_time=np.searchsorted(ends, time_buckets, side="right"),
        by_work=np.searchsorted(worked, work_buckets, side="right"),
    )
