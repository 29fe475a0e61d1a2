"""One calendar, said in the words of everybody who is compared.

Madrid, Monday to Thursday 09:00-17:30, Friday 09:00-14:00, closed on the fourteen holidays a year that fall on it: the
national and regional ones of each year and two local days.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import businesstimedelta
import holidays
import pytz
from bizdurr import BusinessDuration
from opening_hours import OpeningHours, State
from worktimecalc.calc import WorkTimeCalculator

from plazo.calendar import WorkingTime, compile_calendar, parse_calendar

ZONE = ZoneInfo("Europe/Madrid")
YEARS = range(2024, 2032)
LONG, SHORT = (time(9), time(17, 30)), (time(9), time(14))
WEEK = (LONG, LONG, LONG, LONG, SHORT, None, None)
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday")
_LOCAL = ((5, 15), (11, 9))
HOLIDAYS: tuple[date, ...] = tuple(
    sorted(
        {*holidays.country_holidays("ES", subdiv="MD", years=YEARS)}
        | {date(year, month, day) for year in YEARS for month, day in _LOCAL}
    )
)


@dataclass(frozen=True, slots=True)
class Peer:
    """Somebody else's arithmetic. `express` puts an instant as it wants it, `read` takes it back.

    `add` takes a start and hours of working time; `between` gives seconds. None where it has no such operation.
    """

    name: str
    express: Callable[[datetime], Any]
    add: Callable[[Any, int], Any] | None = None
    between: Callable[[Any, Any], float] | None = None
    read: Callable[[Any], datetime] = lambda answer: answer.astimezone(UTC)


def our_calendar() -> WorkingTime:
    """Return the calendar as Plazo compiles it."""
    hours = {day[:3]: [f"{slot[0]:%H:%M}-{slot[1]:%H:%M}"] for day, slot in zip(_DAYS, WEEK, strict=False) if slot}
    closed = [day.isoformat() for day in HOLIDAYS]
    return compile_calendar(parse_calendar({"timezone": ZONE.key, "hours": hours, "holidays": closed}))


def peers() -> list[Peer]:
    """Return the Python packages that can say this calendar and do at least one of the two operations."""
    return [
        _opening_hours("opening-hours-py, best wording + walk", _shortest_wording()),
        _opening_hours("opening-hours-py, dated holidays + walk", _dated_wording(HOLIDAYS)),
        _businesstimedelta(),
        _worktimecalc(),
        _bizdurr(),
    ]


def _opening_hours(name: str, holiday_wording: str) -> Peer:
    """A Rust core that lists opening intervals; the walk over them is ours, as its users have to write it."""
    opening = OpeningHours(f"Mo-Th 09:00-17:30; Fr 09:00-14:00; {holiday_wording} off", timezone=ZONE)

    def add(start: datetime, hours: int) -> datetime:
        left = timedelta(hours=hours)
        for opens, closes, state, _ in opening.intervals(start):
            if state == State.OPEN:
                if closes - opens >= left:
                    answer: datetime = opens + left
                    return answer
                left -= closes - opens
        raise AssertionError("the intervals ended")

    def between(start: datetime, until: datetime) -> float:
        spans = (closes - opens for opens, closes, state, _ in opening.intervals(start, until) if state == State.OPEN)
        return sum(spans, timedelta()).total_seconds()

    return Peer(name, lambda instant: instant.astimezone(ZONE), add, between)


def _dated_wording(days: Sequence[date]) -> str:
    return ",".join(f"{day:%Y %b %d}" for day in days)


def _shortest_wording() -> str:
    """Name a holiday once for all years where that is right: it is kept each year, or falls on a weekend."""
    closed = set(HOLIDAYS)
    yearly = {
        (day.month, day.day)
        for day in HOLIDAYS
        if all((other := day.replace(year=year)) in closed or other.weekday() >= 5 for year in YEARS)
    }
    once = [day for day in HOLIDAYS if (day.month, day.day) not in yearly and day.weekday() < 5]
    return ",".join([*(f"{date(2024, month, day):%b %d}" for month, day in sorted(yearly)), _dated_wording(once)])


def _businesstimedelta() -> Peer:
    zone = pytz.timezone(ZONE.key)
    rules = businesstimedelta.Rules(
        [
            businesstimedelta.WorkDayRule(start_time=LONG[0], end_time=LONG[1], working_days=[0, 1, 2, 3], tz=zone),
            businesstimedelta.WorkDayRule(start_time=SHORT[0], end_time=SHORT[1], working_days=[4], tz=zone),
            businesstimedelta.HolidayRule(set(HOLIDAYS), tz=zone),
        ]
    )

    def add(start: datetime, hours: int) -> datetime:
        answer: datetime = start + businesstimedelta.BusinessTimeDelta(rules, hours=hours)
        return answer

    def between(start: datetime, until: datetime) -> float:
        answer: float = rules.difference(start, until).timedelta.total_seconds()
        return answer

    return Peer("businesstimedelta", lambda instant: instant.astimezone(zone), add, between)


def _worktimecalc() -> Peer:
    """It knows no zones: it is given local readings, whose conversion is not timed."""
    calculator = WorkTimeCalculator(detail=[*WEEK], holidays=[*HOLIDAYS])

    def between(start: datetime, until: datetime) -> float:
        answer: float = calculator(start, until).total_seconds()
        return answer

    def express(instant: datetime) -> datetime:
        return instant.astimezone(ZONE).replace(tzinfo=None)

    return Peer("worktimecalc (naive local)", express, between=between)


def _bizdurr() -> Peer:
    hours = {
        day: {"start": f"{slot[0]:%H:%M}", "end": f"{slot[1]:%H:%M}"}
        for day, slot in zip(_DAYS, WEEK, strict=False)
        if slot
    }
    duration = BusinessDuration(business_hours=hours, business_timezone=ZONE.key, holidays=[*HOLIDAYS])

    def between(start: datetime, until: datetime) -> float:
        answer: float = duration.calculate(start, until).total_seconds()
        return answer

    return Peer("bizdurr", lambda instant: instant.astimezone(ZONE), between=between)
