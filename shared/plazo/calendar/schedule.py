"""Which windows and which holiday a local date has, from the version in force on it.

Dates are day numbers here: days since 1970-01-01, a Thursday.
"""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import date

from plazo.calendar.model import CalendarVersion, Holiday, Windows

_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


def day_number(day: date) -> int:
    """Count the days from 1970-01-01 to a date."""
    return day.toordinal() - _EPOCH_ORDINAL


class Schedule:
    """The dates of a calendar, looked up one at a time."""

    def __init__(self, versions: Sequence[CalendarVersion]) -> None:
        self.first_date = versions[0].effective_from or date.min
        self._starts = [day_number(version.effective_from or date.min) for version in versions]
        self._hours = [version.hours for version in versions]
        self._holidays = [{day_number(holiday.date): holiday for holiday in version.holidays} for version in versions]
        self._exceptions: list[dict[int, Windows]] = [
            {day_number(holiday.date): () for holiday in version.holidays}
            | {day_number(day): windows for day, windows in version.days}
            for version in versions
        ]

    def windows_on(self, day: int) -> Windows:
        """The windows that start on a date: none before the first version."""
        version = bisect_right(self._starts, day) - 1
        if version < 0:
            return ()
        special = self._exceptions[version].get(day)
        return self._hours[version][(day + 3) % 7] if special is None else special

    def holiday_on(self, day: int) -> Holiday | None:
        """The holiday that keeps a date closed, if one does."""
        version = bisect_right(self._starts, day) - 1
        return None if version < 0 or self.windows_on(day) else self._holidays[version].get(day)
