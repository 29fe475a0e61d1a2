"""Working time by brute force: every quarter of an hour is asked what the clock on the wall says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo

Span = tuple[datetime, datetime]
_QUARTER = timedelta(minutes=15)
_FURTHEST = timedelta(days=400)


@dataclass(frozen=True)
class Hours:
    """A week of opening hours in a zone, each day's as minutes of the day, without the holidays."""

    zone: tzinfo
    week: Mapping[int, Sequence[tuple[int, int]]]
    holidays: frozenset[date] = frozenset()
    _days: dict[date, tuple[Span, ...]] = field(default_factory=dict, compare=False, repr=False)

    def is_open(self, at: datetime) -> bool:
        """Whether the clock on the wall shows an opening hour."""
        local = at.astimezone(self.zone)
        if local.date() in self.holidays:
            return False
        minute = local.hour * 60 + local.minute
        return any(opens <= minute < closes for opens, closes in self.week.get(local.weekday(), ()))

    def spans(self, start: datetime) -> Iterator[Span]:
        """Return the open stretches from an instant on."""
        day, last = start.astimezone(UTC).date(), start.astimezone(UTC).date() + _FURTHEST
        while day < last:
            for opens, closes in self._of(day):
                if closes > start:
                    yield max(opens, start), closes
            day += timedelta(days=1)

    def _of(self, day: date) -> tuple[Span, ...]:
        if day not in self._days:
            midnight = datetime.combine(day, time.min, UTC)
            quarters = [midnight + number * _QUARTER for number in range(96)]
            found: list[Span] = []
            for quarter in filter(self.is_open, quarters):
                if found and found[-1][1] == quarter:
                    found[-1] = (found[-1][0], quarter + _QUARTER)
                else:
                    found.append((quarter, quarter + _QUARTER))
            self._days[day] = tuple(found)
        return self._days[day]

    def after(self, start: datetime, length: timedelta, left_out: Sequence[Span] = ()) -> datetime:
        """Return the earliest instant by which so much open time has passed, without what is left out."""
        if length <= timedelta(0):
            return start
        for opens, closes in self.spans(start):
            for begin, end in _without(opens, closes, left_out):
                if length <= end - begin:
                    return begin + length
                length -= end - begin
        raise AssertionError(f"not within {_FURTHEST}")

    def between(self, start: datetime, end: datetime) -> timedelta:
        """Measure the open time between two instants."""
        total = timedelta(0)
        for opens, closes in self.spans(start):
            if opens >= end:
                break
            total += min(closes, end) - opens
        return total

    def is_business_day(self, day: date) -> bool:
        """Whether there is any service on a date."""
        return day not in self.holidays and bool(self.week.get(day.weekday()))

    def end_of_business_day(self, start: datetime, count: int) -> datetime:
        """Return the end of service of the `count`-th business day after the one that an instant belongs to."""
        day = start.astimezone(self.zone).date()
        while not self.is_business_day(day) or self._closing(day) <= start:
            day += timedelta(days=1)
        for _ in range(count):
            day += timedelta(days=1)
            while not self.is_business_day(day):
                day += timedelta(days=1)
        return self._closing(day)

    def _closing(self, day: date) -> datetime:
        minute = max(closes for _, closes in self.week[day.weekday()])
        midnight = datetime.combine(day + timedelta(days=minute // 1440), time.min, self.zone)
        return (midnight + timedelta(minutes=minute % 1440)).astimezone(UTC)


def _without(begin: datetime, end: datetime, left_out: Sequence[Span]) -> Iterator[Span]:
    for start, until in sorted(left_out):
        if until <= begin:
            continue
        if start >= end:
            break
        if start > begin:
            yield begin, start
        begin = max(begin, until)
    if begin < end:
        yield begin, end
