"""iCalendar (RFC 5545): holidays read from a feed, open windows written as one."""

import hashlib
from calendar import monthrange
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

import icalendar

from plazo.calendar.model import HolidayLayer
from plazo.calendar.working_time import WorkingTime
from plazo.kernel.errors import Fault, InvalidInput
from plazo.kernel.time import FIRST_YEAR, LAST_YEAR

LAST_HOLIDAY = date(2050, 12, 31)
_LONGEST_TEXT = 1 << 20
_LONGEST_EVENT = timedelta(days=366)
_MOST_DATES = 10_000
_MOST_EVENTS = 1_000
_MOST_LOOKED_AT = 500_000  # days that rules may make us look at
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_RULE_PARTS = {"FREQ", "INTERVAL", "COUNT", "UNTIL", "BYMONTH", "BYMONTHDAY", "BYDAY", "WKST"}
_ONE_DAY = timedelta(days=1)


def import_holidays(text: str, *, last: date = LAST_HOLIDAY) -> HolidayLayer:
    """Read the all-day events of an iCalendar text as holidays, yearly ones repeated up to the date `last`.

    The layer is named after the feed (X-WR-CALNAME) and its source is the feed's PRODID. Canceled events are left
    out; where two fall on one date the first that has a summary names it.

    :raises InvalidInput: with every event that is not a holiday: timed, repeated other than yearly, without a date
    """
    calendar = _read(text)
    faults: list[Fault] = []
    dates: dict[date, str] = {}
    read = looked_at = 0
    events = calendar.walk("VEVENT")
    if len(events) > _MOST_EVENTS:
        raise _invalid(f"the calendar has {len(events)} events: expected at most {_MOST_EVENTS}")
    for index, event in enumerate(events):
        if str(event.get("STATUS", "")).upper() == "CANCELLED":
            continue
        summary = str(event.get("SUMMARY", "")).strip()
        looked_at += _days_to_look_at(event, last)
        if looked_at > _MOST_LOOKED_AT:
            raise _invalid("the rules of the calendar name too many months: expected fewer repeated events")
        try:
            for day in _event_dates(event, last):
                dates[day] = dates.get(day) or summary
                read += 1
                if read > _MOST_DATES:
                    raise _invalid(f"the calendar has too many days: expected at most {_MOST_DATES}")
        except (ValueError, TypeError, AttributeError) as error:  # a broken property raises the last two
            faults.append(Fault(f"/events/{index}", f"event {summary[:60]!r}: {error}"))
    if faults:
        raise InvalidInput(f"{len(faults)} events of the calendar are no holidays", faults=faults)
    if not dates:
        raise _invalid("the calendar has no all-day event")
    name = str(calendar.get("X-WR-CALNAME", "")).strip() or "iCalendar"
    source = str(calendar.get("PRODID", "")).strip() or "iCalendar"
    return HolidayLayer(name, source, {day: dates[day] for day in sorted(dates)})


def export_calendar(compiled: WorkingTime, start: datetime, until: datetime) -> str:
    """Write the open windows within `[start, until)` as iCalendar events in UTC; the same input gives the same text.

    :raises InvalidInput: if an instant is naive or out of range
    """
    digest = hashlib.sha256(repr(compiled.calendar.versions).encode()).hexdigest()[:16]
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Plazo//working time//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-timezone", compiled.calendar.timezone)
    for window in compiled.windows(start, until):
        event = icalendar.Event()
        event.add("uid", f"{window.start:%Y%m%dT%H%M%SZ}-{digest}@plazo.example.com")
        event.add("dtstamp", start)
        event.add("dtstart", window.start)
        event.add("dtend", window.end)
        event.add("summary", "Open")
        calendar.add_component(event)
    return str(calendar.to_ical().decode())


def _read(text: str) -> Any:
    if len(text) > _LONGEST_TEXT:
        raise _invalid(f"the iCalendar text has {len(text)} characters: expected at most {_LONGEST_TEXT}")
    try:
        text.encode()  # halves of characters are refused here: the library fails later, in its own way
        return icalendar.Calendar.from_ical(text)
    except (ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        raise _invalid(f"not an iCalendar text: {str(error)[:120]}") from error


def _event_dates(event: Any, last: date) -> Iterator[date]:
    start = _all_day(event, "DTSTART")
    if "RECURRENCE-ID" in event or "RDATE" in event:
        raise ValueError("single changed or added occurrences are not supported: expected plain events")
    if "DTEND" in event:
        length = _all_day(event, "DTEND") - start
    else:
        duration = getattr(event.get("DURATION"), "dt", _ONE_DAY)
        length = duration if isinstance(duration, timedelta) else _ONE_DAY
    if not _ONE_DAY <= length <= _LONGEST_EVENT or length % _ONE_DAY:
        raise ValueError("expected an event of one to 366 whole days")
    excluded = _excluded_dates(event)
    for first in _occurrences(event, start, last):
        for day in (first + timedelta(days=offset) for offset in range(length.days)):
            if first not in excluded and FIRST_YEAR <= day.year <= LAST_YEAR:
                yield day


def _days_to_look_at(event: Any, last: date) -> int:
    """Return about how many days a repeated event makes us look at: whole months of each year."""
    rule = event.get("RRULE")
    months = rule.get("BYMONTH", [1]) if isinstance(rule, dict) else []
    return len(set(map(str, months))) * 31 * (last.year - FIRST_YEAR) if isinstance(months, list) else 0


def _all_day(event: Any, name: str) -> date:
    value = getattr(event.get(name), "dt", None)
    if not isinstance(value, date) or isinstance(value, datetime):
        raise TypeError(f"expected an all-day event: {name} must be a date such as {name};VALUE=DATE:20261225")
    if not FIRST_YEAR <= value.year <= LAST_YEAR:
        raise ValueError(f"{name} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
    return value


def _occurrences(event: Any, start: date, last: date) -> Iterator[date]:
    rule = event.get("RRULE")
    if rule is None:
        yield start
        return
    parts = {} if isinstance(rule, list) else {str(key).upper(): value for key, value in rule.items()}
    if [str(value).upper() for value in parts.get("FREQ", [])] != ["YEARLY"] or not parts.keys() <= _RULE_PARTS:
        expected = ", ".join(sorted(_RULE_PARTS))
        raise ValueError(f"expected at most one RRULE, with FREQ=YEARLY and no parts but {expected}")
    if ("BYDAY" in parts or "BYMONTHDAY" in parts) and "BYMONTH" not in parts:
        raise ValueError("expected BYMONTH beside BYDAY or BYMONTHDAY")
    interval, count = (
        int(parts.get(name, [default])[0]) for name, default in (("INTERVAL", 1), ("COUNT", _MOST_DATES))
    )
    if interval < 1 or count < 1:
        raise ValueError("expected INTERVAL and COUNT of one or more")
    for until in parts.get("UNTIL", []):
        last = min(last, until.date() if isinstance(until, datetime) else until)
    days = (day for year in range(start.year, last.year + 1, interval) for day in _days_of_year(parts, start, year))
    yield from islice((day for day in days if start <= day <= last), count)


def _days_of_year(parts: dict[str, Any], start: date, year: int) -> Iterator[date]:
    """Give the days of a year that a yearly rule names, in order."""
    weekdays = {str(value).upper() for value in parts.get("BYDAY", [])}
    month_days = {int(value) for value in parts.get("BYMONTHDAY", [] if weekdays else [start.day])}
    for month in sorted({int(value) for value in parts.get("BYMONTH", [start.month])}):
        length = monthrange(year, month)[1]
        for number in range(1, length + 1):
            day = date(year, month, number)
            name, nth, nth_last = _WEEKDAYS[day.weekday()], (number + 6) // 7, (length - number + 7) // 7
            if weekdays and weekdays.isdisjoint({name, f"{nth}{name}", f"+{nth}{name}", f"-{nth_last}{name}"}):
                continue
            if month_days and month_days.isdisjoint({number, number - length - 1}):
                continue
            yield day


def _excluded_dates(event: Any) -> set[date]:
    entries = event.get("EXDATE", [])
    entries = entries if isinstance(entries, list) else [entries]
    values = [value.dt for entry in entries for value in entry.dts]
    return {value.date() if isinstance(value, datetime) else value for value in values}


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(message, faults=(Fault("", message),))
