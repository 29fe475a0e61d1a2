"""Explanations as text, in Spanish and English, fit to be annexed to a complaint."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Literal

from plazo.calendar.segments import Segment, SegmentKind
from plazo.calendar.target import Target, TargetKind
from plazo.calendar.zone import load_zone, local_days
from plazo.kernel.time import DAY, HOUR, MINUTE, SECOND, micros_of, to_micros

Language = Literal["es", "en"]


@dataclass(frozen=True, slots=True)
class _Words:
    weekdays: tuple[str, ...]
    months: tuple[str, ...]
    date: str
    kinds: dict[SegmentKind, str]
    holiday: str
    heading: str
    counted: str
    paused: str
    working: str
    days: tuple[str, str]
    business_days: tuple[str, str]


_WORDS: dict[Language, _Words] = {
    "es": _Words(
        weekdays=("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
        months=(
            "enero", "febrero", "marzo", "abril", "mayo", "junio",
            "julio", "agosto", "septiembre", "octubre", "noviembre", "diciembre",
        ),
        date="{weekday} {day} de {month} de {year}",
        kinds={SegmentKind.COUNTED: "cuenta", SegmentKind.PAUSED: "en pausa", SegmentKind.CLOSED: "cerrado"},
        holiday="festivo",
        heading="Hora local: {zone}",
        counted="Tiempo contado: {length}",
        paused="Tiempo en pausa: {length}",
        working="{length} de tiempo hábil",
        days=("1 día natural", "{count} días naturales"),
        business_days=("1 día hábil", "{count} días hábiles"),
    ),
    "en": _Words(
        weekdays=("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
        months=(
            "January", "February", "March", "April", "May", "June",
            "July", "August", "September", "October", "November", "December",
        ),
        date="{weekday} {day} {month} {year}",
        kinds={SegmentKind.COUNTED: "counted", SegmentKind.PAUSED: "paused", SegmentKind.CLOSED: "closed"},
        holiday="holiday",
        heading="Local time: {zone}",
        counted="Time counted: {length}",
        paused="Time paused: {length}",
        working="{length} of business time",
        days=("1 calendar day", "{count} calendar days"),
        business_days=("1 business day", "{count} business days"),
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Entry:
    """A segment's part in one local day; times are microseconds after the midnight that begins the day."""

    day: int
    opens: int
    closes: int
    offset: int
    segment: Segment


def render(segments: Iterable[Segment], *, language: Language, timezone: str) -> str:
    """Write segments as lines grouped by local day, then the totals.

    On a day the clocks change, each time says its offset from UTC, so that an hour read twice is told apart.

    :raises ValueError: if there is no such time zone
    """
    words = _WORDS[language]
    listed = list(segments)
    lines = [words.heading.format(zone=timezone)]
    for day, group in groupby(_entries(listed, timezone), key=lambda entry: entry.day):
        entries = list(group)
        changes = len({entry.offset for entry in entries}) > 1
        lines.append(_date_text(day, words))
        lines += [_entry_text(entry, words, has_offset=changes) for entry in entries]
    lines.append(words.counted.format(length=length_text(_total(listed, SegmentKind.COUNTED))))
    if paused := _total(listed, SegmentKind.PAUSED):
        lines.append(words.paused.format(length=length_text(paused)))
    return "\n".join(lines) + "\n"


def describe_target(target: Target, language: Language) -> str:
    """Say a target in words: `4 h de tiempo hábil`, `1 business day`."""
    words = _WORDS[language]
    if target.kind is TargetKind.WORKING:
        return words.working.format(length=length_text(target.length))
    one, many = words.days if target.kind is TargetKind.DAYS else words.business_days
    return one if target.amount == 1 else many.format(count=target.amount)


def length_text(length: timedelta) -> str:
    """Write a length of time in hours, minutes and seconds: `1 h 30 min`; the units read the same in both languages."""
    micros = micros_of(length)
    hours, minutes, seconds = micros // HOUR, micros % HOUR // MINUTE, micros % MINUTE
    parts = [f"{hours} h"] if hours else []
    parts += [f"{minutes} min"] if minutes else []
    parts += [f"{_seconds_text(seconds).lstrip('0') or '0'} s".replace(" .", " 0.")] if seconds else []
    return " ".join(parts) or "0 min"


def _entries(segments: Iterable[Segment], timezone: str) -> Iterator[_Entry]:
    zone = load_zone(timezone)
    for segment in segments:
        for start, end, day, offset in local_days(zone, to_micros(segment.start), to_micros(segment.end)):
            midnight = day * DAY - offset
            yield _Entry(day, start - midnight, end - midnight, offset, segment)


def _total(segments: Iterable[Segment], kind: SegmentKind) -> timedelta:
    return sum((segment.length for segment in segments if segment.kind is kind), timedelta())


def _date_text(day: int, words: _Words) -> str:
    local = date(1970, 1, 1) + timedelta(days=day)
    return words.date.format(
        weekday=words.weekdays[local.weekday()], day=local.day, month=words.months[local.month - 1], year=local.year
    )


def _entry_text(entry: _Entry, words: _Words, *, has_offset: bool) -> str:
    kind, reason = entry.segment.kind, entry.segment.reason
    is_holiday = kind is SegmentKind.CLOSED and reason is not None
    said = words.holiday if is_holiday else words.kinds[kind]
    text = f"  {_clock_text(entry.opens)}–{_clock_text(entry.closes)}"
    text += f" ({_offset_text(entry.offset)})" if has_offset else ""
    text += f"  {said}: {reason}" if reason else f"  {said}"
    if kind is SegmentKind.CLOSED:
        return text
    return f"{text} ({length_text(timedelta(microseconds=entry.closes - entry.opens))})"


def _clock_text(micros: int) -> str:
    seconds = micros % MINUTE
    return f"{micros // HOUR:02}:{micros % HOUR // MINUTE:02}" + (f":{_seconds_text(seconds)}" if seconds else "")


def _seconds_text(micros: int) -> str:
    whole, fraction = divmod(micros, SECOND)
    return f"{whole:02}.{fraction:06}".rstrip("0") if fraction else f"{whole:02}"


def _offset_text(offset: int) -> str:
    minutes = abs(offset) // MINUTE
    return f"UTC{'-' if offset < 0 else '+'}{minutes // 60:02}:{minutes % 60:02}"
