"""Instants and periods. Below the edge an instant is an aware UTC datetime, or an integer: microseconds since 1970."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from plazo.kernel.errors import Fault, InvalidInput

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST_YEAR = 1970
LAST_YEAR = 2199
SECOND = 1_000_000  # in microseconds, like every integer time in Plazo
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR

_MICROSECOND = timedelta(microseconds=1)
_RFC3339 = re.compile(
    r"(?P<whole>(?P<year>[0-9]{4})-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(?:\.(?P<fraction>[0-9]{1,18}))?(?P<offset>[Zz]|[+-][0-9]{2}:[0-9]{2})?"
)


def parse_instant(text: str) -> datetime:
    """Read an RFC 3339 instant as aware UTC; digits beyond the microsecond are dropped.

    :raises InvalidInput: if it is no such instant, has no offset, or lies outside the years 1970 to 2199
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise _invalid(f"{text[:60]!r} is not an RFC 3339 instant such as 2026-05-04T09:00:00Z")
    if match["offset"] is None:
        raise _invalid(f"{text!r} has no offset: expected Z or one such as -05:00 at the end")
    fraction = (match["fraction"] or "")[:6].ljust(6, "0")
    offset = match["offset"].upper()
    try:
        instant = datetime.fromisoformat(f"{match['whole'].upper()}.{fraction}{offset}").astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise _invalid(f"{text!r} does not exist: {error}") from error
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise _invalid(f"{text!r} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return instant


def format_instant(instant: datetime) -> str:
    """Write an instant as RFC 3339 in UTC, with microseconds only where they are not zero.

    :raises InvalidInput: if it is naive
    """
    if instant.utcoffset() is None:
        raise _naive(instant)
    return instant.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def to_micros(instant: datetime) -> int:
    """Count the microseconds from 1970-01-01T00:00:00Z to an aware instant.

    :raises InvalidInput: if it is naive
    """
    try:
        elapsed = instant - EPOCH
    except TypeError as error:
        raise _naive(instant) from error
    return (elapsed.days * 86_400 + elapsed.seconds) * SECOND + elapsed.microseconds


def from_micros(micros: int) -> datetime:
    """Give the aware UTC instant that many microseconds after 1970-01-01T00:00:00Z."""
    return EPOCH + timedelta(microseconds=micros)


def micros_of(length: timedelta) -> int:
    """Count the microseconds of a length of time."""
    return length // _MICROSECOND


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open stretch of time `[start, end)`; it may be empty.

    :raises InvalidInput: if an instant is naive or the end lies before the start
    """

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if to_micros(self.end) < to_micros(self.start):
            raise _invalid(
                f"the period ends at {format_instant(self.end)}, before its start {format_instant(self.start)}"
            )

    @property
    def length(self) -> timedelta:
        """The time between start and end."""
        return self.end - self.start


def merge_spans(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Unite half-open integer spans: sorted, disjoint, none touching the next, none empty."""
    united: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if end <= start:
            continue
        if united and start <= united[-1][1]:
            united[-1] = (united[-1][0], max(united[-1][1], end))
        else:
            united.append((start, end))
    return united


def merge(periods: Iterable[Period]) -> list[Period]:
    """Unite periods that overlap or touch: sorted, disjoint, none empty."""
    spans = merge_spans((to_micros(period.start), to_micros(period.end)) for period in periods)
    return [Period(from_micros(start), from_micros(end)) for start, end in spans]


def _naive(instant: datetime) -> InvalidInput:
    return _invalid(f"{instant.isoformat()} has no offset: expected an aware instant")


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(message, faults=(Fault("", message),))
