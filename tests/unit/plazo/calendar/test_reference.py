"""The compiled calendar against a slow reference that walks minute by minute and shares no code with it.

The quick run takes a few hundred random cases; `PLAZO_REFERENCE_CASES` sets another number.
"""

import os
import random
from datetime import UTC, date, datetime, timedelta, timezone
from importlib import resources
from zoneinfo import ZoneInfo

import pytest

from plazo.calendar import Pause, compile_calendar, parse_calendar

CASES = int(os.environ.get("PLAZO_REFERENCE_CASES", "300"))
BATCH = 25
MINUTE = timedelta(minutes=1)
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
# A zone with the UTC dates around which its clocks do something odd.
ZONES = {
    "Europe/Madrid": ["2026-03-29", "2026-10-25", "2024-03-31", "2027-10-31"],
    "America/Santiago": ["2026-04-05", "2026-09-06", "2019-04-07", "2022-09-11"],  # at midnight
    "Australia/Lord_Howe": ["2026-04-04", "2026-10-03", "2020-04-04", "2021-10-02"],  # by half an hour
    "Africa/Casablanca": ["2026-02-15", "2026-03-22", "2025-02-23", "2025-04-06"],  # around Ramadan
    "Pacific/Apia": ["2011-12-30", "2011-12-29", "2011-09-24", "2012-03-31"],  # a date that never was
    "America/St_Johns": ["2006-10-29", "2007-03-11", "2010-11-07", "2011-03-13"],  # at one past midnight
    "America/Caracas": ["2007-12-09", "2016-05-01"],  # by half an hour, for good
    "-04:00": ["2026-04-05"],
    "+05:45": ["2026-01-01"],
}


def load(name):
    if name[0] in "+-":
        sign = -1 if name[0] == "-" else 1
        return timezone(sign * timedelta(hours=int(name[1:3]), minutes=int(name[4:])))
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        return ZoneInfo.from_file(file, key=name)


class Reference:
    """A calendar as plain minutes of the day, asked one instant at a time."""

    def __init__(self, zone, week, holidays, days):
        self.zone, self.week, self.holidays, self.days = load(zone), week, holidays, days

    def windows_on(self, day):
        if day in self.days:
            return self.days[day]
        return [] if day in self.holidays else self.week[day.weekday()]

    def is_open(self, at):
        reading = at.astimezone(self.zone)
        minute, today = reading.hour * 60 + reading.minute, reading.date()
        return any(opens <= minute < closes for opens, closes in self.windows_on(today)) or any(
            opens <= minute + 1440 < closes for opens, closes in self.windows_on(today - timedelta(days=1))
        )

    def counted_minutes(self, start, until, pauses):
        """Yield each counted stretch of at most a minute; pauses begin and end on whole minutes."""
        cell = start.replace(second=0, microsecond=0)
        while cell < until:
            if self.is_open(cell) and not any(begin <= cell < end for begin, end in pauses):
                yield max(cell, start), min(cell + MINUTE, until)
            cell += MINUTE


def random_windows(rng):
    match rng.randrange(8):
        case 0:
            return []
        case 1:
            return [(0, 1440)]
        case 2:
            return [(9 * 60, 13 * 60), (14 * 60, 17 * 60 + 30)]
        case 3:
            return [(60, 240)]
        case 4:
            return [(0, rng.randrange(1, 200)), (rng.randrange(1300, 1440), 1440)]
        case _:
            cuts = sorted(rng.sample(range(1441), 2 * rng.randrange(1, 4)))
            return list(zip(cuts[::2], cuts[1::2], strict=True))


def random_week(rng):
    week = [random_windows(rng) for _ in range(7)]
    for weekday, windows in enumerate(week):  # some windows over midnight, as far as the next day leaves room
        following = week[(weekday + 1) % 7]
        room = min((opens for opens, _ in following), default=1440)
        if windows and windows[-1][0] > 720 and room > 0 and rng.random() < 0.4:
            windows[-1] = (windows[-1][0], 1440 + rng.randrange(1, min(room, windows[-1][0] - 1) + 1))
    return week


def text(window):
    opens, closes = window
    closes = closes - 1440 if closes > 1440 else closes
    return f"{opens // 60:02}:{opens % 60:02}-{closes // 60:02}:{closes % 60:02}"


def random_case(rng):
    zone = rng.choice(list(ZONES))
    if rng.random() < 0.7:
        around = datetime.fromisoformat(rng.choice(ZONES[zone])).replace(tzinfo=UTC) - timedelta(days=1)
        start = around + timedelta(seconds=rng.randrange(3 * 86_400))
    else:
        start = datetime(2000, 1, 1, tzinfo=UTC) + timedelta(seconds=rng.randrange(35 * 365 * 86_400))
    if rng.random() < 0.3:
        start += timedelta(microseconds=rng.randrange(1_000_000))
    week = random_week(rng)
    near = [start.date() + timedelta(days=offset) for offset in range(-2, 6)]
    holidays = set(rng.sample(near, rng.randrange(3)))
    plain = [day for day in near if all(closes <= 1440 for _, closes in week[day.weekday() - 1])]
    days = {day: random_windows(rng) for day in rng.sample(plain, min(len(plain), rng.randrange(2)))}
    document = {
        "timezone": zone,
        "hours": {day: [text(window) for window in windows] for day, windows in zip(WEEKDAYS, week, strict=True)},
        "holidays": sorted(day.isoformat() for day in holidays),
        "days": {day.isoformat(): [text(window) for window in windows] for day, windows in days.items()},
    }
    target = timedelta(seconds=rng.choice([60, 3600, 7200, rng.randrange(1, 12 * 3600)]))
    whole = start.replace(second=0, microsecond=0)
    pauses = []
    for _ in range(rng.choice([0, 0, 1, 2, 4])):
        begin = whole + timedelta(minutes=rng.randrange(-300, 3000))
        pauses.append((begin, begin + timedelta(minutes=rng.randrange(1200))))
    return document, Reference(zone, week, holidays, days), start, target, pauses


def check_case(seed):
    rng = random.Random(seed)
    document, reference, start, target, pauses = random_case(rng)
    if not any(document["hours"].values()) and not any(document["days"].values()):
        return
    compiled = compile_calendar(parse_calendar(document))
    until = start + timedelta(days=rng.choice([1, 3, 5]))

    stretches = list(reference.counted_minutes(start, until, pauses))
    expected = sum((end - begin for begin, end in stretches), timedelta())
    given = [Pause(begin, end, "waiting") for begin, end in pauses]
    assert compiled.working_time(start, until, given) == expected, (seed, document)
    counted = [segment for segment in compiled.explain(start, until, given) if segment.kind == "counted"]
    assert sum((segment.length for segment in counted), timedelta()) == expected, (seed, document)
    assert compiled.is_open(start) == reference.is_open(start), (seed, document)

    if expected < target:
        if sum((end - begin for begin, end in reference.counted_minutes(start, until, ())), timedelta()) > target:
            assert compiled.due(start, target, given) > until, (seed, document)
        return
    left = target
    for begin, end in stretches:
        if left <= end - begin:
            assert compiled.due(start, target, given) == begin + left, (seed, document)
            return
        left -= end - begin


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_agrees_with_a_minute_by_minute_walk(first):
    for seed in range(first, min(first + BATCH, CASES)):
        check_case(seed)


def test_the_reference_reads_a_short_and_a_long_night():
    nightly = Reference("Europe/Madrid", [[(60, 240)]] * 7, set(), {})

    def minutes(day):
        start = datetime.combine(date.fromisoformat(day), datetime.min.time(), UTC) - timedelta(hours=6)
        return len(list(nightly.counted_minutes(start, start + timedelta(hours=18), ())))

    assert minutes("2026-03-29") == 120  # 02:00 to 03:00 is never read
    assert minutes("2026-03-30") == 180
    assert minutes("2026-10-25") == 240  # and is read twice here
