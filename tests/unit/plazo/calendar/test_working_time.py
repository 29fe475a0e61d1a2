"""Deadlines as the contracts word them, each with its sum."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from plazo.calendar import (
    ELAPSED,
    NeverDue,
    NotInForce,
    Pause,
    Period,
    Segment,
    WorkingTime,
    compile_calendar,
    parse_calendar,
    parse_target,
    working_time,
)
from plazo.kernel.errors import InvalidInput
from plazo.kernel.time import HOUR, format_instant, parse_instant, to_micros

MADRID = {
    "timezone": "Europe/Madrid",
    "hours": {"mon-thu": ["09:00-17:30"], "fri": ["09:00-14:00"]},
    "holidays": [{"date": "2026-05-15", "name": "San Isidro"}, {"date": "2026-12-25", "name": "Navidad"}],
    "days": {"2026-12-24": ["09:00-12:00"], "2026-05-16": ["10:00-12:00"]},
}
LIMA = {"timezone": "America/Lima", "hours": {"mon-fri": ["00:00-24:00"]}, "holidays": ["2026-07-28", "2026-07-29"]}
CHILE = {"timezone": "-04:00", "hours": {"mon-fri": ["09:00-18:00"]}, "holidays": ["2026-09-18"]}
NIGHT = {"timezone": "Europe/Madrid", "hours": {"fri": ["22:00-06:00"]}}
SMALL_HOURS = {"timezone": "Europe/Madrid", "hours": {"mon-sun": ["01:00-04:00"]}}
CHANGING = {
    "timezone": "Europe/Madrid",
    "versions": [
        {"effective_from": "2026-01-01", "hours": {"mon-fri": ["09:00-17:00"]}},
        {"effective_from": "2026-07-01", "hours": {"mon-fri": ["08:00-15:00"]}},
    ],
}


def compiled(document):
    return compile_calendar(parse_calendar(document))


def due(document, start, target, pauses=()):
    return format_instant(compiled(document).due(parse_instant(start), parse_target(target), pauses))


def pause(start, end, cause="espera al cliente"):
    return Pause(parse_instant(start), end and parse_instant(end), cause)


@pytest.mark.parametrize(
    ("document", "start", "target", "expected"),
    [
        # Mon 16:30 + 1 h = 17:30 local, used up exactly at closing
        pytest.param(MADRID, "2026-05-04T14:30:00Z", "1h", "2026-05-04T15:30:00Z", id="due at closing"),
        # 1 h to closing, then 1 s from Tue 09:00 local
        pytest.param(MADRID, "2026-05-04T14:30:00Z", "3601s", "2026-05-05T07:00:01Z", id="a second more is tomorrow"),
        # Sat 16 May is an extra working day 10-12: 2 h; Fri 15 is San Isidro; Thu 14 leaves 1 h; 4 - 1 - 2 = 1 h on Mon
        pytest.param(MADRID, "2026-05-14T14:30:00Z", "4h", "2026-05-18T08:00:00Z", id="holiday, extra working day"),
        # Thu 24 Dec is a half day 09-12 (CET): 3 h; Fri 25 Navidad; 4 - 3 = 1 h on Mon 28
        pytest.param(MADRID, "2026-12-24T08:00:00Z", "4h", "2026-12-28T09:00:00Z", id="half day"),
        pytest.param(
            MADRID, "2026-05-09T10:00:00Z", "0m", "2026-05-09T10:00:00Z", id="zero is due at its closed start"
        ),
        pytest.param(MADRID, "2026-05-09T10:00:00Z", "30m", "2026-05-11T07:30:00Z", id="Saturday waits for Monday"),
        # all 24 hours of a business day count: Fri 20:00 local + 4 h = Sat 00:00, then Mon
        pytest.param(LIMA, "2026-07-25T01:00:00Z", "4h", "2026-07-25T05:00:00Z", id="PRO-14 severity 1 up to midnight"),
        # Fri 20:00 + 4 h; Mon 24 h; Tue 28 and Wed 29 holidays; 8 h left on Thu 30 from 00:00 = 08:00 local
        pytest.param(LIMA, "2026-07-25T01:00:00Z", "36h", "2026-07-30T13:00:00Z", id="PRO-14 severity 4 over holidays"),
        pytest.param(NIGHT, "2026-05-09T00:00:00Z", "3h", "2026-05-09T03:00:00Z", id="inside a window over midnight"),
        # Sat 05:00 leaves 1 h; the next window starts on Fri 22:00 local
        pytest.param(NIGHT, "2026-05-09T03:00:00Z", "90m", "2026-05-15T20:30:00Z", id="the next night is a week away"),
        # Sun 29 Mar: 01:00-04:00 lasts 2 h (00:00Z-02:00Z); 1 h left on Mon 01:00 CEST
        pytest.param(SMALL_HOURS, "2026-03-29T00:00:00Z", "3h", "2026-03-30T00:00:00Z", id="a short night"),
        # Sun 25 Oct: 01:00 CEST-04:00 CET lasts 4 h (23:00Z-03:00Z)
        pytest.param(SMALL_HOURS, "2026-10-24T23:00:00Z", "4h", "2026-10-25T03:00:00Z", id="a long night"),
        # Sat noon to Sun 13:00 local is 24 h when clocks go back... and elapsed days ignore the calendar
        pytest.param(MADRID, "2026-10-24T10:00:00Z", "2 days", "2026-10-26T10:00:00Z", id="days are elapsed"),
        # Tue 30 Jun 16:00: 1 h under the old hours, then from Wed 08:00
        pytest.param(CHANGING, "2026-06-30T14:00:00Z", "2h", "2026-07-01T07:00:00Z", id="over a change of hours"),
    ],
)
def test_due(document, start, target, expected):
    assert due(document, start, target) == expected


@pytest.mark.parametrize(
    ("start", "target", "expected"),
    [
        pytest.param("2026-05-04T15:00:00Z", "1 business_day", "2026-05-05T22:00:00Z", id="Mon 11:00 -> Tue 18:00"),
        pytest.param("2026-05-04T12:00:00Z", "1 business_day", "2026-05-05T22:00:00Z", id="Mon 08:00 -> Tue 18:00"),
        pytest.param("2026-05-04T22:00:00Z", "1 business_day", "2026-05-06T22:00:00Z", id="Mon 18:00 counts as Tue"),
        pytest.param("2026-05-08T15:00:00Z", "1 business_day", "2026-05-11T22:00:00Z", id="Fri -> Mon 18:00"),
        pytest.param("2026-05-09T15:00:00Z", "1 business_day", "2026-05-12T22:00:00Z", id="Sat counts as Mon"),
        pytest.param("2026-09-17T15:00:00Z", "1 business_day", "2026-09-21T22:00:00Z", id="over a holiday Friday"),
        pytest.param("2026-05-04T15:00:00Z", "3 business_days", "2026-05-07T22:00:00Z", id="three of them"),
        pytest.param("2026-05-09T15:00:00Z", "0 business_days", "2026-05-09T15:00:00Z", id="none is due at its start"),
        # no shift in September, when Chile's own clocks change (SKE-10)
        pytest.param("2026-09-04T15:00:00Z", "1 business_day", "2026-09-07T22:00:00Z", id="no daylight saving"),
    ],
)
def test_business_days_end_with_the_service(start, target, expected):
    assert due(CHILE, start, target) == expected


def test_a_business_day_over_midnight_is_the_date_it_starts_on():
    # Sat 02:00 local belongs to Friday's service; one business day later is the end of the next Friday's
    assert due(NIGHT, "2026-05-09T00:00:00Z", "1 business_day") == "2026-05-16T04:00:00Z"


@pytest.mark.parametrize(
    ("pauses", "expected"),
    [
        # Mon 09:00 local + 4 h = 13:00 without pauses
        pytest.param([], "2026-05-04T11:00:00Z", id="none"),
        pytest.param([("08:00", "09:00")], "2026-05-04T12:00:00Z", id="an hour later"),
        pytest.param([("08:00", "09:00"), ("08:30", "09:30")], "2026-05-04T12:30:00Z", id="overlapping: 1.5 h"),
        pytest.param([("10:00", "10:30"), ("08:00", "08:30")], "2026-05-04T12:00:00Z", id="out of order: 2 x 0.5 h"),
        pytest.param([("04:00", "07:00")], "2026-05-04T11:00:00Z", id="before opening"),
        pytest.param([("06:00", "08:00")], "2026-05-04T12:00:00Z", id="over the start: 1 h of it is open"),
        pytest.param([("11:00", "12:00")], "2026-05-04T11:00:00Z", id="beginning when it is due"),
        pytest.param([("10:59", "23:00")], "2026-05-05T07:01:00Z", id="to the next day: 1 min left"),
        pytest.param([("09:00", "09:00")], "2026-05-04T11:00:00Z", id="empty"),
    ],
)
def test_pauses_are_subtracted_in_working_time(pauses, expected):
    given = [pause(f"2026-05-04T{start}:00Z", f"2026-05-04T{end}:00Z") for start, end in pauses]

    assert due(MADRID, "2026-05-04T07:00:00Z", "4h", given) == expected


def test_a_weekend_pause_costs_only_the_hours_it_took():
    # Fri 13:00 to Mon 10:00 local is 69 h on the wall and 2 working hours; Fri 12:00 + 4 h: 1 h, then Mon 10:00-13:00
    friday_to_monday = pause("2026-05-08T11:00:00Z", "2026-05-11T08:00:00Z")

    assert due(MADRID, "2026-05-08T10:00:00Z", "4h", [friday_to_monday]) == "2026-05-11T11:00:00Z"


def test_a_pause_stretches_elapsed_and_business_days_by_what_it_took():
    night = pause("2026-05-04T23:00:00Z", "2026-05-05T01:00:00Z")  # 2 h elapsed, none of it open in Chile
    morning = pause("2026-05-05T13:00:00Z", "2026-05-05T15:00:00Z")  # 2 working hours in Chile

    assert due(CHILE, "2026-05-04T15:00:00Z", "1 day", [night]) == "2026-05-05T17:00:00Z"
    assert due(CHILE, "2026-05-04T15:00:00Z", "1 business_day", [night]) == "2026-05-05T22:00:00Z"
    # two hours of service after Tue 18:00 local end on Wed 11:00
    assert due(CHILE, "2026-05-04T15:00:00Z", "1 business_day", [morning]) == "2026-05-06T15:00:00Z"


def test_nothing_is_due_while_a_pause_is_running_but_time_is_measured():
    running = pause("2026-05-04T08:00:00Z", None)

    with pytest.raises(InvalidInput, match="nothing is due while a pause is running") as caught:
        due(MADRID, "2026-05-04T07:00:00Z", "4h", [pause("2026-05-04T07:00:00Z", "2026-05-04T07:30:00Z"), running])
    measured = compiled(MADRID).working_time(
        parse_instant("2026-05-04T07:00:00Z"), parse_instant("2026-05-05T15:30:00Z"), [running]
    )

    assert [fault.pointer for fault in caught.value.faults] == ["/pauses/1/end"]
    assert measured == timedelta(hours=1)


def test_a_pause_that_ends_before_it_starts_is_a_fault():
    with pytest.raises(InvalidInput, match="before its start"):
        pause("2026-05-04T08:00:00Z", "2026-05-04T07:00:00Z")


@pytest.mark.parametrize(
    ("document", "start", "until", "hours"),
    [
        pytest.param(MADRID, "2026-05-04T07:00:00Z", "2026-05-04T15:30:00Z", 8.5, id="a whole day"),
        pytest.param(MADRID, "2026-05-04T07:00:00Z", "2026-05-11T07:00:00Z", 39, id="a week: 4 x 8.5 + 5"),
        pytest.param(MADRID, "2026-05-04T15:30:00Z", "2026-05-04T07:00:00Z", 0, id="backward"),
        pytest.param(SMALL_HOURS, "2026-03-28T12:00:00Z", "2026-03-29T12:00:00Z", 2, id="a short night"),
        pytest.param(SMALL_HOURS, "2026-10-24T12:00:00Z", "2026-10-25T12:00:00Z", 4, id="a long night"),
        pytest.param({"timezone": "Pacific/Apia", "hours": "24x7"}, "2011-12-30T00:00:00Z", "2011-12-31T00:00:00Z", 24,
                     id="24x7 is elapsed over a date that never was"),
        pytest.param({"timezone": "Pacific/Apia", "hours": {"fri": ["00:00-24:00"]}}, "2011-12-24T10:00:00Z",
                     "2012-01-02T00:00:00Z", 0, id="the Friday that never was"),
        pytest.param({"timezone": "Australia/Lord_Howe", "hours": {"sun": ["01:00-03:00"]}}, "2026-04-04T00:00:00Z",
                     "2026-04-05T00:00:00Z", 2.5, id="half an hour read twice"),
        pytest.param({"timezone": "America/Santiago", "hours": {"sat": ["22:00-24:00"]}}, "2026-04-04T12:00:00Z",
                     "2026-04-05T12:00:00Z", 3, id="the hour before midnight read twice"),
    ],
)  # fmt: skip
def test_working_time(document, start, until, hours):
    measured = compiled(document).working_time(parse_instant(start), parse_instant(until))

    assert measured == timedelta(hours=hours)


def test_opening_is_half_open():
    madrid = compiled(MADRID)
    opening, closing = parse_instant("2026-05-04T07:00:00Z"), parse_instant("2026-05-04T15:30:00Z")

    assert madrid.is_open(opening)
    assert not madrid.is_open(closing)
    assert madrid.next_opening(opening) == opening
    assert madrid.next_opening(closing) == parse_instant("2026-05-05T07:00:00Z")
    assert madrid.windows(opening, parse_instant("2026-05-05T08:00:00Z")) == [
        Period(opening, closing),
        Period(parse_instant("2026-05-05T07:00:00Z"), parse_instant("2026-05-05T08:00:00Z")),
    ]


def test_the_explanation_names_pauses_and_holidays():
    madrid = compiled(MADRID)
    at = [parse_instant(f"2026-{text}:00Z") for text in (
        "05-14T14:30", "05-14T15:00", "05-14T15:30", "05-14T22:00", "05-15T22:00", "05-16T08:00", "05-16T09:00",
    )]  # fmt: skip

    segments = madrid.explain(at[0], at[6], [Pause(at[1], at[4], "cliente"), Pause(at[1], at[2], "tercero")])

    assert segments == [
        Segment(at[0], at[1], "counted"),
        Segment(at[1], at[2], "paused", "cliente; tercero"),
        Segment(at[2], at[3], "closed"),
        Segment(at[3], at[4], "closed", "San Isidro"),
        Segment(at[4], at[5], "closed"),
        Segment(at[5], at[6], "counted"),
    ]


@pytest.mark.parametrize("before", ["1970-01-01T00:00:00Z", "2023-06-01T10:00:00Z", "2025-12-31T22:59:59Z"])
def test_before_its_first_version_a_calendar_is_closed(before: str):
    calendar, at = compiled(CHANGING), parse_instant(before)
    in_force = parse_instant("2025-12-31T23:00:00Z")  # 1 January, 00:00 in Madrid
    opening = parse_instant("2026-01-01T08:00:00Z")  # Thursday, 09:00

    assert not calendar.is_open(at)
    assert calendar.next_opening(at) == opening
    assert due(CHANGING, before, "1h") == due(CHANGING, "2025-12-31T23:00:00Z", "1h") == "2026-01-01T09:00:00Z"
    assert due(CHANGING, before, "1 business_day") == "2026-01-02T16:00:00Z"  # the first ends Thursday, 17:00
    assert calendar.due_batch(np.array([to_micros(at)]), HOUR) == [to_micros(opening) + HOUR]
    assert calendar.working_time(at, opening + timedelta(hours=2)) == timedelta(hours=2)
    assert calendar.working_time(at, in_force) == timedelta(0)
    assert [str(one.kind) for one in calendar.explain(at, opening + timedelta(hours=2))] == ["closed", "counted"]
    assert calendar.windows(at, opening) == []


def test_whether_a_calendar_is_in_force_is_another_question():
    calendar = compiled(CHANGING)
    calendar.require_in_force(parse_instant("2025-12-31T23:00:00Z"))
    with pytest.raises(NotInForce, match="takes effect on 2026-01-01"):
        calendar.require_in_force(parse_instant("2025-12-31T22:59:59Z"))


def test_what_is_never_due_is_an_error_and_not_a_loop():
    once = {"timezone": "Europe/Madrid", "hours": {}, "days": {"2026-05-04": ["09:00-13:00"]}}

    assert due(once, "2026-01-01T00:00:00Z", "4h") == "2026-05-04T11:00:00Z"
    with pytest.raises(NeverDue, match="not enough open time"):
        due(once, "2026-01-01T00:00:00Z", "241m")
    with pytest.raises(NeverDue):
        due(once, "2026-05-05T00:00:00Z", "1 business_day")
    with pytest.raises(NeverDue):
        compiled(once).next_opening(parse_instant("2026-05-05T00:00:00Z"))
    with pytest.raises(NeverDue):
        compiled(once).due_batch(np.array([to_micros(parse_instant("2026-05-05T00:00:00Z"))]), HOUR)


def test_negative_targets_naive_and_far_instants_are_refused():
    madrid, start = compiled(MADRID), parse_instant("2026-05-04T07:00:00Z")

    with pytest.raises(InvalidInput, match="zero or more"):
        madrid.due(start, timedelta(seconds=-1))
    with pytest.raises(InvalidInput, match="zero or more"):
        madrid.due_batch(np.array([to_micros(start)]), -1)
    with pytest.raises(InvalidInput, match="has no offset"):
        madrid.due(datetime(2026, 5, 4), timedelta(hours=1))
    with pytest.raises(InvalidInput, match="1970 to 2199"):
        madrid.is_open(parse_instant("2199-12-31T23:59:59Z") + timedelta(seconds=1))
    with pytest.raises(InvalidInput, match="1970 to 2199"):
        madrid.is_open(parse_instant("1970-01-01T00:00:00Z") - timedelta(seconds=1))


def test_far_questions_agree_whatever_was_asked_before():
    early, late = parse_instant("1971-03-01T00:00:00Z"), parse_instant("2198-11-30T00:00:00Z")
    grown, direct = WorkingTime(parse_calendar(MADRID)), WorkingTime(parse_calendar(MADRID))
    for year in (2026, 2020, 2040, 1990, 2100):
        grown.is_open(parse_instant(f"{year}-05-04T07:00:00Z"))

    assert grown.working_time(early, late) == direct.working_time(early, late)
    assert grown.due(early, timedelta(hours=300_000)) == direct.due(early, timedelta(hours=300_000))
    assert compile_calendar(ELAPSED).working_time(early, late) == late - early


def test_business_days_do_not_notice_where_the_compiled_years_end():
    nightly = {"timezone": "UTC", "hours": {"mon-sun": ["22:00-06:00"]}}
    for year in (2028, 2029, 2030, 2031):
        days = (datetime(year, 12, 31) - datetime(2026, 5, 4)).days

        # the service of 31 December ends on 1 January at 06:00
        assert due(nightly, "2026-05-04T12:00:00Z", f"{days} business_days") == f"{year + 1}-01-01T06:00:00Z"


def test_a_closing_that_falls_on_a_bucket_of_the_table_is_still_the_closing():
    daily = compiled({"timezone": "UTC", "hours": {"mon-sun": ["00:00-17:04"]}})  # 1,024 minutes a day
    start = parse_instant("1970-01-01T00:00:00Z")

    # 2**24 minutes are the first whole minutes that are whole buckets of 2**32 microseconds: 16,384 days of 1,024
    expected = start + timedelta(days=16_383, hours=17, minutes=4)
    assert daily.due(start, timedelta(minutes=2**24)) == expected
    assert daily.due_batch(np.array([0]), 2**24 * 60_000_000).tolist() == [to_micros(expected)]


def test_threads_share_a_compiled_calendar():
    shared = WorkingTime(parse_calendar(MADRID))
    starts = [parse_instant(f"{year}-05-04T07:00:00Z") for year in range(1980, 2150, 20)] * 4
    expected = [WorkingTime(parse_calendar(MADRID)).due(start, timedelta(hours=2000)) for start in starts[:9]] * 4

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda start: shared.due(start, timedelta(hours=2000)), starts)) == expected


def test_equal_calendars_compile_once_and_empty_batches_are_empty():
    assert compiled(MADRID) is compiled(dict(MADRID))
    assert compiled(MADRID).due_batch(np.array([], dtype=np.int64), HOUR).size == 0
    assert compiled(MADRID).working_batch(np.array([], dtype=np.int64), np.array([], dtype=np.int64)).size == 0


def test_what_all_calendars_keep_compiled_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(working_time, "_MOST_SEGMENTS", 5_000)
    made = [
        compile_calendar(parse_calendar({"timezone": "UTC", "hours": {"mon-sun": [f"09:{minute:02}-17:00"]}}))
        for minute in range(4)
    ]
    start, until = datetime(2026, 5, 4, tzinfo=UTC), datetime(2026, 5, 5, tzinfo=UTC)
    for calendar in made:  # six years each: 2,191 days, and the end; two fit into 5,000
        calendar.working_time(start, until)
    assert [bool(calendar._table.starts) for calendar in made] == [False, False, True, True]
    again = [calendar.working_time(start, until) for calendar in made]
    assert again == [timedelta(hours=8, minutes=-minute) for minute in range(4)]
    assert sum(len(calendar._table.starts) for calendar in made) <= 5_000
