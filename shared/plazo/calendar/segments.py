"""Accounting for a span of time, segment by segment."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from itertools import pairwise

from plazo.calendar.pause import Pause, Span
from plazo.calendar.schedule import Schedule
from plazo.calendar.zone import local_days
from plazo.kernel.time import Period, from_micros, to_micros


class SegmentKind(StrEnum):
    """What became of a stretch of time."""

    COUNTED = "counted"
    PAUSED = "paused"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Segment:
    """A half-open stretch `[start, end)` with one kind and reason.

    `reason` is the cause of the pause (several are joined by "; ") or the name of the holiday, which may be empty;
    None where there is nothing to say.
    """

    start: datetime
    end: datetime
    kind: SegmentKind
    reason: str | None = None

    @property
    def length(self) -> timedelta:
        """The time between start and end."""
        return self.end - self.start


def cut_segments(
    open_spans: Sequence[Span],
    pauses: Iterable[Pause | Period],
    *,
    span: Span,
    schedule: Schedule,
    zone: tzinfo,
) -> list[Segment]:
    """Label every instant of a span, given its open stretches in ascending order."""
    causes = [_clipped(pause, span) for pause in pauses]
    pieces: list[tuple[int, int, SegmentKind, str | None]] = []
    for start, end, kind, reason in _pieces(open_spans, causes, span, schedule, zone):
        goes_on = pieces and pieces[-1][1:] == (start, kind, reason)
        pieces.append((pieces.pop()[0] if goes_on else start, end, kind, reason))
    return [Segment(from_micros(start), from_micros(end), kind, reason) for start, end, kind, reason in pieces]


def _pieces(
    open_spans: Sequence[Span],
    causes: Sequence[tuple[int, int, str | None]],
    span: Span,
    schedule: Schedule,
    zone: tzinfo,
) -> Iterator[tuple[int, int, SegmentKind, str | None]]:
    at, until = span
    for opens, closes in (*open_spans, (until, until)):
        for start, end, day, _ in local_days(zone, at, opens):
            holiday = schedule.holiday_on(day)
            yield start, end, SegmentKind.CLOSED, holiday.name if holiday else None
        inside = [cause for cause in causes if cause[0] < closes and opens < cause[1]]
        cuts = {opens, closes, *(cut for cause in inside for cut in cause[:2] if opens < cut < closes)}
        for start, end in pairwise(sorted(cuts)):
            active = [cause for first, last, cause in inside if first <= start < last]
            named = "; ".join(dict.fromkeys(cause for cause in active if cause))
            yield start, end, SegmentKind.PAUSED if active else SegmentKind.COUNTED, named or None
        at = closes


def _clipped(pause: Pause | Period, span: Span) -> tuple[int, int, str | None]:
    end = span[1] if pause.end is None else to_micros(pause.end)
    return max(to_micros(pause.start), span[0]), min(end, span[1]), pause.cause if isinstance(pause, Pause) else None
