"""Calendars as documents: the JSON form they have in policies and requests, and its inverse."""

import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any

from plazo.calendar.model import (
    DAY_MINUTES,
    WEEKDAYS,
    WHOLE_DAY,
    Calendar,
    CalendarVersion,
    Holiday,
    HolidayLayer,
    Window,
    Windows,
)
from plazo.calendar.schedule import Schedule, day_number
from plazo.calendar.zone import load_zone
from plazo.kernel.errors import Fault, InvalidInput
from plazo.kernel.time import FIRST_YEAR, LAST_YEAR

_VERSION_FIELDS = ("hours", "holidays", "days", "effective_from")
MOST_WINDOWS = 12  # of a day: each costs memory for every day of the years that are asked about
_WINDOW = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-(?:([01][0-9]|2[0-3]):([0-5][0-9])|24:00)")
_NO_LAYERS: Mapping[str, HolidayLayer] = {}


def parse_calendar(document: Mapping[str, Any], *, layers: Mapping[str, HolidayLayer] = _NO_LAYERS) -> Calendar:
    """Read a calendar document; `layers` are the holiday layers it may refer to by name.

    :raises InvalidInput: with every fault of the document, each at its JSON pointer
    """
    reader = _Reader(layers)
    calendar = reader.read_calendar(document)
    if reader.faults:
        count = len(reader.faults)
        summary = reader.faults[0].message if count == 1 else f"the calendar has {count} faults"
        raise InvalidInput(summary, faults=reader.faults)
    return calendar


def calendar_document(calendar: Calendar) -> dict[str, Any]:
    """Write the canonical document of a calendar: layers are resolved into dates that keep their source."""
    versions = [_version_document(version) for version in calendar.versions]
    if len(versions) == 1:
        return {"timezone": calendar.timezone, **versions[0]}
    return {"timezone": calendar.timezone, "versions": versions}


def _version_document(version: CalendarVersion) -> dict[str, Any]:
    week = zip(WEEKDAYS, version.hours, strict=True)
    document: dict[str, Any] = {
        "hours": "24x7"
        if version.hours == (WHOLE_DAY,) * 7
        else {day: [str(window) for window in windows] for day, windows in week if windows}
    }
    if version.holidays:
        document["holidays"] = [
            {"date": holiday.date.isoformat()}
            | ({"name": holiday.name} if holiday.name else {})
            | ({"source": holiday.source} if holiday.source else {})
            for holiday in version.holidays
        ]
    if version.days:
        document["days"] = {day.isoformat(): [str(window) for window in windows] for day, windows in version.days}
    if version.effective_from:
        document["effective_from"] = version.effective_from.isoformat()
    return document


class _Reader:
    """Reads one document and collects what is wrong with it; after a fault it goes on with a harmless value."""

    def __init__(self, layers: Mapping[str, HolidayLayer]) -> None:
        self.layers = layers
        self.faults: list[Fault] = []

    def read_calendar(self, document: object) -> Calendar:
        if not isinstance(document, Mapping):
            self._fault("", f"expected a calendar object, not {_shown(document)}")
            return Calendar("UTC", ())
        versioned = "versions" in document
        self._refuse_unknown(document, ("timezone", "versions") if versioned else ("timezone", *_VERSION_FIELDS), "")
        zone = self._read_zone(document)
        if versioned:
            return Calendar(zone, self._read_versions(document["versions"]))
        return Calendar(zone, (self._read_version(document, ""),))

    def _read_zone(self, document: Mapping[str, Any]) -> str:
        name = document.get("timezone")
        if not isinstance(name, str):
            self._fault("/timezone", f"expected a time zone such as Europe/Madrid or -04:00, not {_shown(name)}")
            return "UTC"
        try:
            load_zone(name)
        except ValueError as error:
            self._fault("/timezone", str(error))
        return name

    def _read_versions(self, value: object) -> tuple[CalendarVersion, ...]:
        if not isinstance(value, list | tuple) or not value:
            self._fault("/versions", f"expected a list of at least one version, not {_shown(value)}")
            return ()
        versions: list[CalendarVersion] = []
        for index, item in enumerate(value):
            at = f"/versions/{index}"
            if not isinstance(item, Mapping):
                self._fault(at, f"expected a version object, not {_shown(item)}")
                continue
            self._refuse_unknown(item, _VERSION_FIELDS, at)
            if index and "effective_from" not in item:
                self._fault(
                    f"{at}/effective_from", "expected the date this version takes effect; only the first may omit it"
                )
            version = self._read_version(item, at)
            if versions and (version.effective_from or date.max) <= (versions[-1].effective_from or date.min):
                self._fault(f"{at}/effective_from", "expected a date later than the one of the version before it")
            versions.append(version)
        return tuple(versions)

    def _read_version(self, document: Mapping[str, Any], at: str) -> CalendarVersion:
        before = len(self.faults)
        effective_from = None
        if document.get("effective_from") is not None:
            effective_from = self._read_date(document["effective_from"], f"{at}/effective_from")
        version = CalendarVersion(
            hours=self._read_hours(document.get("hours"), f"{at}/hours"),
            holidays=self._read_holidays(document.get("holidays", []), f"{at}/holidays"),
            days=self._read_days(document.get("days", {}), f"{at}/days"),
            effective_from=effective_from,
        )
        if len(self.faults) == before:
            self._check_version(version, at)
        return version

    def _check_version(self, version: CalendarVersion, at: str) -> None:
        if not any(version.hours) and not any(windows for _, windows in version.days):
            self._fault(f"{at}/hours", "this calendar never opens: expected a window on some day")
        schedule = Schedule((version,))
        for day, _ in version.days:
            number = day_number(day)
            for first in (number - 1, number):
                if _overlaps_next(schedule.windows_on(first), schedule.windows_on(first + 1)):
                    evening = day - timedelta(days=number - first)
                    self._fault(
                        f"{at}/days/{day.isoformat()}",
                        f"the window over midnight of {evening.isoformat()} overlaps the next day's",
                    )

    def _read_hours(self, value: object, at: str) -> tuple[Windows, ...]:
        if value == "24x7":
            return (WHOLE_DAY,) * 7
        if not isinstance(value, Mapping):
            self._fault(at, f'expected "24x7" or an object from days to windows, not {_shown(value)}')
            return ((),) * 7
        week: list[Windows] = [()] * 7
        pointers: dict[int, str] = {}
        for key, windows in value.items():
            pointer = f"{at}/{_escape(str(key))}"
            read = self._read_windows(windows, pointer)
            for weekday in self._read_weekdays(key, pointer):
                if weekday in pointers:
                    self._fault(pointer, f"{WEEKDAYS[weekday]} is given more than once")
                else:
                    week[weekday], pointers[weekday] = read, pointer
        for weekday, windows in enumerate(week):
            following = (weekday + 1) % 7
            if _overlaps_next(windows, week[following]):
                self._fault(
                    pointers[following],
                    f"{week[following][0]} on {WEEKDAYS[following]} overlaps {windows[-1]} of {WEEKDAYS[weekday]}",
                )
        return tuple(week)

    def _read_weekdays(self, key: object, at: str) -> list[int]:
        weekdays: list[int] = []
        for part in str(key).split(","):
            first, _, last = part.strip().partition("-")
            if first not in WEEKDAYS or (last or first) not in WEEKDAYS or part.strip().endswith("-"):
                self._fault(at, f"unknown day {part.strip()[:60]!r}: expected mon to sun, or a range such as tue-thu")
                continue
            start, end = WEEKDAYS.index(first), WEEKDAYS.index(last or first)
            weekdays += [day % 7 for day in range(start, end + 1 if start <= end else end + 8)]
        return weekdays

    def _read_windows(self, value: object, at: str) -> Windows:
        if not isinstance(value, list | tuple):
            self._fault(at, f'expected a list of windows such as ["09:00-13:00"], not {_shown(value)}')
            return ()
        if len(value) > MOST_WINDOWS:
            self._fault(at, f"expected at most {MOST_WINDOWS} windows a day, not {len(value)}")
            return ()
        read = [
            (window, index) for index, item in enumerate(value) if (window := self._read_window(item, f"{at}/{index}"))
        ]
        read.sort()
        for (earlier, _), (later, index) in pairwise(read):
            if later.opens < earlier.closes:
                self._fault(f"{at}/{index}", f"{later} overlaps {earlier}")
        return tuple(window for window, _ in read)

    def _read_window(self, value: object, at: str) -> Window | None:
        match = _WINDOW.fullmatch(value) if isinstance(value, str) else None
        if match is None:
            self._fault(at, f"expected a window such as 09:00-17:30, not {_shown(value)}")
            return None
        opens = int(match[1]) * 60 + int(match[2])
        closes = DAY_MINUTES if match[3] is None else int(match[3]) * 60 + int(match[4])
        if closes == opens:
            self._fault(at, f"the window {value} has no length: a whole day is 00:00-24:00")
            return None
        return Window(opens, closes if closes > opens else closes + DAY_MINUTES)

    def _read_holidays(self, value: object, at: str) -> tuple[Holiday, ...]:
        if not isinstance(value, list | tuple):
            self._fault(at, f"expected a list of holidays, not {_shown(value)}")
            return ()
        found: dict[date, Holiday] = {}
        for index, item in enumerate(value):
            for holiday in self._read_holiday(item, f"{at}/{index}"):
                if holiday.date not in found or not found[holiday.date].name:
                    found[holiday.date] = holiday
        return tuple(found[day] for day in sorted(found))

    def _read_holiday(self, value: object, at: str) -> Sequence[Holiday]:
        if not isinstance(value, Mapping):
            day = self._read_date(value, at)
            return [Holiday(day)] if day else []
        if "layer" in value:
            self._refuse_unknown(value, ("layer",), at)
            layer = self.layers.get(str(value["layer"]))
            if layer is None:
                known = ", ".join(sorted(self.layers)) or "none is defined"
                self._fault(
                    f"{at}/layer", f"unknown holiday layer {_shown(value['layer'])}: expected one of them: {known}"
                )
                return []
            return [Holiday(day, name, layer.source) for day, name in layer.dates.items()]
        self._refuse_unknown(value, ("date", "name", "source"), at)
        texts = {key: value.get(key) or "" for key in ("name", "source")}
        for key, text in texts.items():
            if not isinstance(text, str):
                self._fault(f"{at}/{key}", f"expected text, not {_shown(text)}")
        day = self._read_date(value.get("date"), f"{at}/date")
        return [Holiday(day, **texts)] if day else []

    def _read_days(self, value: object, at: str) -> tuple[tuple[date, Windows], ...]:
        if not isinstance(value, Mapping):
            self._fault(at, f"expected an object from dates to windows, not {_shown(value)}")
            return ()
        days: dict[date, Windows] = {}
        for key, windows in value.items():
            pointer = f"{at}/{_escape(str(key))}"
            day, read = self._read_date(key, pointer), self._read_windows(windows, pointer)
            if day:
                days[day] = read
        return tuple(sorted(days.items()))

    def _read_date(self, value: object, at: str) -> date | None:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
            try:
                value = date.fromisoformat(value)
            except ValueError:
                self._fault(at, f"the date {value} does not exist")
                return None
        if not isinstance(value, date) or isinstance(value, datetime):
            self._fault(at, f"expected a date such as 2026-12-25, not {_shown(value)}")
            return None
        if not FIRST_YEAR <= value.year <= LAST_YEAR:
            self._fault(at, f"the date {value} is outside the years {FIRST_YEAR} to {LAST_YEAR}")
            return None
        return value

    def _refuse_unknown(self, value: Mapping[str, Any], known: Sequence[str], at: str) -> None:
        for key in value:
            if key not in known:
                self._fault(f"{at}/{_escape(str(key))}", f"unknown field: expected one of {', '.join(known)}")

    def _fault(self, pointer: str, message: str) -> None:
        self.faults.append(Fault(pointer, message))


def _overlaps_next(windows: Windows, following: Windows) -> bool:
    return bool(windows and following) and windows[-1].closes - DAY_MINUTES > following[0].opens


def _shown(value: object) -> str:
    return "nothing" if value is None else repr(value)[:60]


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
