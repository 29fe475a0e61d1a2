"""What must hold of every calendar, start, target and pause."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from plazo.calendar import (
    Pause,
    Period,
    SegmentKind,
    calendar_document,
    compile_calendar,
    parse_calendar,
    parse_target,
)
from plazo.kernel.time import from_micros, to_micros

DOCUMENTS = [
    {"timezone": "Europe/Madrid", "hours": {"mon-fri": ["09:00-13:00", "14:00-17:30"]}, "holidays": ["2026-10-12"]},
    {"timezone": "Europe/Madrid", "hours": {"mon-sun": ["01:00-04:00"]}},
    {"timezone": "America/Santiago", "hours": {"mon-sun": ["22:00-02:30"]}, "days": {"2026-09-06": ["03:00-04:00"]}},
    {"timezone": "America/Santiago", "hours": "24x7", "holidays": ["2026-04-04", "2026-09-06"]},
    {"timezone": "Australia/Lord_Howe", "hours": {"mon-sun": ["01:30-02:10", "02:20-03:00", "18:00-24:00"]}},
    {"timezone": "Africa/Casablanca", "hours": {"mon-thu": ["08:30-16:30"], "sun": ["00:00-24:00"]}},
    {"timezone": "Pacific/Apia", "hours": {"thu-sat": ["22:00-06:00"], "mon": ["09:00-18:00"]}},
    {"timezone": "-04:00", "hours": {"mon-fri": ["09:00-18:00"]}},
    {
        "timezone": "Europe/Madrid",
        "versions": [
            {"hours": {"mon-fri": ["09:00-18:00"]}},
            {"hours": {"mon-fri": ["08:00-15:00"]}, "effective_from": "2026-07-01"},
        ],
    },
]
NIGHTS = ["2011-12-30", "2026-03-29", "2026-04-05", "2026-07-01", "2026-09-06", "2026-10-04", "2026-10-25"]

patient = settings(deadline=None, max_examples=40)  # the first question compiles years of a calendar
calendars = st.sampled_from([compile_calendar(parse_calendar(document)) for document in DOCUMENTS])
near_nights = st.builds(
    lambda night, seconds: datetime.fromisoformat(night).replace(tzinfo=UTC) + timedelta(seconds=seconds),
    st.sampled_from(NIGHTS),
    st.integers(-3 * 86_400, 3 * 86_400),
)
anywhere = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1)).map(lambda at: at.replace(tzinfo=UTC))
instants = near_nights | anywhere
targets = st.timedeltas(timedelta(0), timedelta(days=8)) | st.integers(0, 200).map(lambda n: timedelta(minutes=30 * n))
lengths = st.timedeltas(timedelta(0), timedelta(days=5))


@st.composite
def paused_starts(draw):
    """A start, with pauses around it that may overlap and come in any order."""
    start = draw(instants)
    offsets = st.timedeltas(timedelta(days=-2), timedelta(days=6))
    drawn = draw(st.lists(st.tuples(offsets, lengths), max_size=4))
    return start, [Pause(start + offset, start + offset + length, "waiting") for offset, length in drawn]


@patient
@given(calendars, paused_starts(), targets)
def test_working_time_up_to_what_is_due_is_the_target(calendar, paused, target):
    start, pauses = paused

    due = calendar.due(start, target, pauses)

    assert due >= start
    assert calendar.working_time(start, due, pauses) == target


@patient
@given(calendars, paused_starts(), targets.filter(bool))
def test_due_is_the_earliest_such_instant(calendar, paused, target):
    start, pauses = paused

    just_before = calendar.due(start, target, pauses) - timedelta(microseconds=1)

    assert calendar.working_time(start, just_before, pauses) < target


@patient
@given(calendars, paused_starts(), targets, targets, lengths)
def test_due_never_comes_earlier_for_more_work_or_a_later_start(calendar, paused, target, more, later):
    start, pauses = paused
    assume(target or not later)  # a target of zero is due at its start, wherever that is

    assert calendar.due(start, target, pauses) <= calendar.due(start, target + more, pauses)
    assert calendar.due(start, target, pauses) <= calendar.due(start + later, target, pauses)


@patient
@given(calendars, paused_starts(), lengths, lengths)
def test_working_time_adds_up_across_any_split(calendar, paused, first, second):
    start, pauses = paused
    middle, end = start + first, start + first + second

    whole = calendar.working_time(start, end, pauses)

    assert whole == calendar.working_time(start, middle, pauses) + calendar.working_time(middle, end, pauses)


@patient
@given(calendars, paused_starts(), targets.filter(bool), st.randoms(use_true_random=False))
def test_the_order_and_the_cutting_of_pauses_do_not_matter(calendar, paused, target, rng):
    start, pauses = paused
    cut = []
    for pause in pauses:
        middle = pause.start + (pause.end - pause.start) / 2
        cut += [Pause(pause.start, middle), Period(middle, pause.end)]
    rng.shuffle(cut)

    assert calendar.due(start, target, cut) == calendar.due(start, target, pauses)


@patient
@given(calendars, instants, targets.filter(bool))
def test_a_pause_outside_hours_changes_nothing(calendar, start, target):
    span = Period(start, start + timedelta(days=10))
    closed = [
        Pause(segment.start, segment.end, "waiting")
        for segment in calendar.explain(span.start, span.end)
        if segment.kind is SegmentKind.CLOSED
    ]

    assert calendar.due(start, target, closed) == calendar.due(start, target)
    assert calendar.working_time(span.start, span.end, closed) == calendar.working_time(span.start, span.end)


@patient
@given(calendars, paused_starts(), lengths)
def test_the_explanation_accounts_for_every_instant_once(calendar, paused, length):
    start, pauses = paused
    end = start + length

    segments = calendar.explain(start, end, pauses)

    assert [segment.start for segment in segments] + [end] == [start] + [
        segment.end for segment in segments
    ] or not length
    assert all(segment.start < segment.end for segment in segments)
    total = {kind: timedelta() for kind in SegmentKind}
    for segment in segments:
        total[segment.kind] += segment.length
    assert total[SegmentKind.COUNTED] == calendar.working_time(start, end, pauses)
    assert total[SegmentKind.COUNTED] + total[SegmentKind.PAUSED] == calendar.working_time(start, end)


@patient
@given(calendars, instants, lengths)
def test_windows_are_disjoint_and_hold_all_working_time(calendar, start, length):
    windows = calendar.windows(start, start + length)

    assert all(earlier.end < later.start for earlier, later in pairwise(windows))
    assert all(calendar.is_open(window.start) for window in windows)
    assert sum((window.length for window in windows), timedelta()) == calendar.working_time(start, start + length)


@patient
@given(calendars, instants)
def test_the_next_opening_is_open_with_nothing_open_before_it(calendar, at):
    opening = calendar.next_opening(at)

    assert calendar.is_open(opening)
    assert calendar.working_time(at, opening) == timedelta(0)


@patient
@given(calendars, instants, lengths, st.integers(1, 9))
def test_business_days_end_with_the_service_and_never_go_back(calendar, start, later, count):
    target = parse_target(f"{count} business_days")

    due = calendar.due(start, target)

    assert calendar.is_open(due - timedelta(microseconds=1))
    assert due <= calendar.due(start + later, target)
    assert due < calendar.due(start, parse_target(f"{count + 1} business_days"))


@patient
@given(calendars, st.lists(st.tuples(instants, targets), max_size=20))
def test_a_batch_answers_what_single_questions_answer(calendar, questions):
    starts = np.array([to_micros(start) for start, _ in questions], dtype=np.int64)
    lengths_us = np.array([target // timedelta(microseconds=1) for _, target in questions], dtype=np.int64)

    due = calendar.due_batch(starts, lengths_us)

    assert [from_micros(int(at)) for at in due] == [calendar.due(start, target) for start, target in questions]
    assert calendar.working_batch(starts, due).tolist() == lengths_us.tolist()


@patient
@given(calendars, instants, targets)
def test_a_freshly_compiled_calendar_answers_the_same(calendar, start, target):
    fresh = type(calendar)(parse_calendar(calendar_document(calendar.calendar)))

    assert fresh.calendar == calendar.calendar
    assert fresh.due(start, target) == calendar.due(start, target)
    assert fresh.is_open(start) == calendar.is_open(start)
