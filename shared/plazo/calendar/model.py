"""The value of a calendar: what the contract says about its hours, with nothing computed from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """Opening hours `[opens, closes)` in wall-clock minutes after the midnight that begins their date.

    A window over midnight closes after minute 1440: it belongs to the date it starts on.
    """

    opens: int
    closes: int

    def __str__(self) -> str:
        closes = self.closes - DAY_MINUTES if self.closes > DAY_MINUTES else self.closes
        return f"{self.opens // 60:02}:{self.opens % 60:02}-{closes // 60:02}:{closes % 60:02}"


Windows = tuple[Window, ...]
WHOLE_DAY: Windows = (Window(0, DAY_MINUTES),)


@dataclass(frozen=True, slots=True)
class Holiday:
    """A date without service; `name` and `source` are empty where the document gives none."""

    date: date
    name: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class HolidayLayer:
    """Named holidays frozen with the source they were taken from: `dates` maps each date to its name."""

    name: str
    source: str
    dates: Mapping[date, str]


@dataclass(frozen=True, slots=True)
class CalendarVersion:
    """The hours in force from the local date `effective_from` on (None: always) until the next version.

    `hours` holds the windows of Monday to Sunday. `days` replaces the windows of single dates: half days and extra
    working days. A date both in `holidays` and in `days` follows `days`.
    """

    hours: tuple[Windows, ...]
    holidays: tuple[Holiday, ...] = ()
    days: tuple[tuple[date, Windows], ...] = ()
    effective_from: date | None = None


@dataclass(frozen=True)
class Calendar:
    """The working hours of a contract: a zone and one or more versions, by `effective_from`.

    Made by :func:`plazo.calendar.parse_calendar`, which is what guarantees that it is sound.
    """

    timezone: str
    versions: tuple[CalendarVersion, ...] = field(repr=False)

    @cached_property
    def _hash(self) -> int:
        return hash((self.timezone, self.versions))

    def __hash__(self) -> int:  # asked at every look-up of the compiled form, and holidays are many
        return self._hash


ELAPSED = Calendar("UTC", (CalendarVersion((WHOLE_DAY,) * 7),))
