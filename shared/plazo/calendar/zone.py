"""Time zones, from the tzdata package only: the same answer on every machine, whatever zone files it carries."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import cache, lru_cache
from importlib import metadata, resources
from itertools import pairwise
from zoneinfo import ZoneInfo

from plazo.kernel.time import DAY, FIRST_YEAR, SECOND, from_micros, to_micros

TZ_VERSION = metadata.version("tzdata")
_FIXED = re.compile(r"([+-])(0[0-9]|1[0-4]):([0-5][0-9])")
_PROBE = timedelta(days=3)  # since 1970 no zone changes twice within six days


@cache
def zone_names() -> frozenset[str]:
    """Name every IANA zone of the tzdata package."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def load_zone(name: str) -> tzinfo:
    """Load an IANA zone such as Europe/Madrid, or a fixed offset such as -04:00.

    :raises ValueError: if there is none of that name
    """
    if fixed := _FIXED.fullmatch(name):
        offset = timedelta(hours=int(fixed[2]), minutes=int(fixed[3]))
        return timezone(-offset if fixed[1] == "-" else offset, name)
    if name not in zone_names():
        raise ValueError(f"unknown time zone {name[:60]!r}: expected one such as Europe/Madrid or -04:00")
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


def offset_spans(zone: tzinfo, first: int, last: int) -> list[tuple[int, int, int]]:
    """Cut the UTC span `[first, last)` where the zone changes its clocks: (start, end, offset), microseconds."""
    changes = [
        change
        for year in range(from_micros(first).year, from_micros(last).year + 1)
        for change in _changes_in(zone, year)
        if first < change < last
    ]
    return [(start, end, _offset_at(zone, start)) for start, end in pairwise((first, *changes, last))]


def local_days(zone: tzinfo, first: int, last: int) -> Iterator[tuple[int, int, int, int]]:
    """Cut the UTC span `[first, last)` at local midnights and clock changes: (start, end, day number, offset)."""
    if first >= last:
        return
    for start, end, offset in offset_spans(zone, first, last):
        at = start
        while at < end:
            day = (at + offset) // DAY
            midnight = min((day + 1) * DAY - offset, end)
            yield at, midnight, day, offset
            at = midnight


def first_reading(zone: tzinfo, day: date) -> int:
    """Find the first instant, from 1970 on, whose local reading is on or after the midnight that begins a date."""
    if day.year < FIRST_YEAR:
        return 0
    midnight = to_micros(datetime(day.year, day.month, day.day, tzinfo=UTC))
    spans = offset_spans(zone, midnight - 2 * DAY, midnight + 2 * DAY)
    return max(0, next(max(start, midnight - offset) for start, end, offset in spans if midnight - offset < end))


@lru_cache(maxsize=4096)
def _changes_in(zone: tzinfo, year: int) -> tuple[int, ...]:
    """Find the instants of a UTC year at which the zone's offset becomes another one."""
    if zone.utcoffset(None) is not None:
        return ()
    changes = []
    before, end = datetime(year, 1, 1, tzinfo=UTC) - _PROBE, datetime(year + 1, 1, 1, tzinfo=UTC)
    while before < end:
        after = before + _PROBE
        if _offset_at(zone, to_micros(before)) != _offset_at(zone, to_micros(after)):
            changes.append(_change_between(zone, to_micros(before), to_micros(after)))
        before = after
    return tuple(change for change in changes if from_micros(change).year == year)


def _change_between(zone: tzinfo, before: int, after: int) -> int:
    old = _offset_at(zone, before)
    while after - before > SECOND:
        middle = (before + after) // 2 // SECOND * SECOND
        if _offset_at(zone, middle) == old:
            before = middle
        else:
            after = middle
    return after


def _offset_at(zone: tzinfo, at: int) -> int:
    offset = from_micros(at).astimezone(zone).utcoffset()
    assert offset is not None
    return (offset.days * DAY) + offset.seconds * SECOND
