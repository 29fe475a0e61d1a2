from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plazo.kernel.errors import InvalidInput
from plazo.kernel.time import (
    Period,
    format_instant,
    from_micros,
    merge,
    merge_spans,
    parse_instant,
    to_micros,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("2026-05-04T09:00:00Z", "2026-05-04T09:00:00Z", id="utc"),
        pytest.param("2026-05-04T09:00:00+02:00", "2026-05-04T07:00:00Z", id="offset"),  # 09 - 2 = 07
        pytest.param("2026-05-04t09:00:00z", "2026-05-04T09:00:00Z", id="lower case, as RFC 3339 allows"),
        pytest.param("2026-05-04T09:00:00.5Z", "2026-05-04T09:00:00.500000Z", id="half a second"),
        pytest.param("2026-05-04T09:00:00.123456789Z", "2026-05-04T09:00:00.123456Z", id="nanoseconds are cut"),
        pytest.param("2026-05-04T09:00:00.000Z", "2026-05-04T09:00:00Z", id="a zero fraction goes away"),
        pytest.param("1969-12-31T23:00:00-01:00", "1970-01-01T00:00:00Z", id="the first instant"),
        pytest.param("2199-12-31T23:59:59.999999Z", "2199-12-31T23:59:59.999999Z", id="the last instant"),
    ],
)
def test_an_instant_is_read_and_written_back_in_utc(text, expected):
    assert format_instant(parse_instant(text)) == expected


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("2026-05-04T09:00:00", "has no offset", id="naive"),
        pytest.param("2026-05-04", "not an RFC 3339 instant", id="a date"),
        pytest.param("2026-05-04 09:00:00Z", "not an RFC 3339 instant", id="blank for T"),
        pytest.param("2026-02-30T09:00:00Z", "does not exist", id="30 February"),
        pytest.param("2026-05-04T09:00:60Z", "does not exist", id="leap second"),
        pytest.param("2026-05-04T09:00:00+25:00", "does not exist", id="offset of 25 hours"),
        pytest.param("1969-12-31T23:59:59Z", "years 1970 to 2199", id="before 1970"),
        pytest.param("2200-01-01T00:00:00Z", "years 1970 to 2199", id="after 2199"),
        pytest.param("0001-01-01T00:00:00+14:00", "does not exist", id="before the first year"),
        pytest.param("", "not an RFC 3339 instant", id="nothing"),
    ],
)
def test_a_wrong_instant_is_refused_with_what_was_expected(text, said):
    with pytest.raises(InvalidInput, match=said) as caught:
        parse_instant(text)

    assert caught.value.faults[0].message == caught.value.message


@settings(deadline=None)  # two shared cores
@given(st.text() | st.from_regex(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(Z|[+-][0-9]{2}:[0-9]{2})"))
def test_any_text_is_an_instant_or_invalid(text):
    try:
        parse_instant(text)
    except InvalidInput:
        return


@settings(deadline=None)  # two shared cores
@given(st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31)))
def test_micros_and_text_are_exact(naive):
    instant = naive.replace(tzinfo=UTC)

    assert from_micros(to_micros(instant)) == instant
    assert parse_instant(format_instant(instant)) == instant


def test_micros_of_an_instant_in_another_offset_are_the_same():
    assert to_micros(datetime(1970, 1, 1, 1, tzinfo=timezone(timedelta(hours=1)))) == 0


@pytest.mark.parametrize(
    "use", [to_micros, format_instant, lambda at: Period(at, at)], ids=["micros", "text", "period"]
)
def test_a_naive_instant_is_refused(use):
    with pytest.raises(InvalidInput, match="has no offset"):
        use(datetime(2026, 5, 4))


def test_a_period_may_be_empty_but_not_backward():
    noon = parse_instant("2026-05-04T12:00:00Z")

    assert Period(noon, noon).length == timedelta(0)
    with pytest.raises(InvalidInput, match="before its start"):
        Period(noon, noon - timedelta(microseconds=1))


@pytest.mark.parametrize(
    ("spans", "united"),
    [
        pytest.param([], [], id="none"),
        pytest.param([(5, 9), (1, 3)], [(1, 3), (5, 9)], id="sorted"),
        pytest.param([(1, 5), (3, 9)], [(1, 9)], id="overlapping"),
        pytest.param([(1, 3), (3, 5)], [(1, 5)], id="touching"),
        pytest.param([(1, 9), (3, 5)], [(1, 9)], id="one in another"),
        pytest.param([(4, 4), (7, 5)], [], id="empty and backward ones"),
    ],
)
def test_spans_are_united(spans, united):
    assert merge_spans(spans) == united


def test_periods_are_united():
    at = [parse_instant(f"2026-05-04T{hour:02}:00:00Z") for hour in range(4)]

    assert merge([Period(at[2], at[3]), Period(at[0], at[1]), Period(at[1], at[2])]) == [Period(at[0], at[3])]
