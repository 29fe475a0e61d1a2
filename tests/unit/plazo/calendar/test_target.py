from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plazo.calendar import Target, TargetKind, parse_target
from plazo.calendar.explanation import describe_target
from plazo.kernel.errors import InvalidInput


@pytest.mark.parametrize(
    ("text", "kind", "amount", "canonical"),
    [
        pytest.param("30m", "working", 1_800, "30m", id="minutes"),  # 30 x 60
        pytest.param("4h", "working", 14_400, "4h", id="hours"),  # 4 x 3600
        pytest.param("90s", "working", 90, "1m30s", id="seconds"),
        pytest.param("1h30m", "working", 5_400, "1h30m", id="hours and minutes"),
        pytest.param("36h", "working", 129_600, "36h", id="more than a day stays hours"),
        pytest.param("0m", "working", 0, "0m", id="zero"),
        pytest.param("2 days", "days", 2, "2 days", id="elapsed days"),
        pytest.param("1 day", "days", 1, "1 day", id="one elapsed day"),
        pytest.param("1 business_day", "business_days", 1, "1 business_day", id="a business day"),
        pytest.param("3 business_days", "business_days", 3, "3 business_days", id="business days"),
        pytest.param("36525 days", "days", 36_525, "36525 days", id="a hundred years"),
    ],
)
def test_a_target_is_read_and_written_back(text, kind, amount, canonical):
    target = parse_target(text)

    assert target == Target(TargetKind(kind), amount)
    assert str(target) == canonical
    assert parse_target(canonical) == target


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", "not a target", id="nothing"),
        pytest.param("  ", "not a target", id="blank"),
        pytest.param("-4h", "not a target", id="negative"),
        pytest.param("4", "not a target", id="no unit"),
        pytest.param("1.5h", "not a target", id="fraction"),
        pytest.param("30m1h", "not a target", id="units out of order"),
        pytest.param("2 weeks", "not a target", id="unknown unit"),
        pytest.param("٤h", "not a target", id="digits of another script"),
        pytest.param("36526 days", "a hundred years", id="a day over a hundred years"),
        pytest.param("8766000h", "a hundred years", id="a thousand years"),  # 1000 x 365.25 x 24
        pytest.param("365250 business_days", "a hundred years", id="a thousand years of business days"),
    ],
)
def test_a_wrong_target_is_refused(text, said):
    with pytest.raises(InvalidInput, match=said):
        parse_target(text)


@settings(deadline=None)  # two shared cores
@given(st.text() | st.from_regex(r"[0-9]{0,14}(h|m|s| days| business_day)"))
def test_any_text_is_a_target_that_round_trips_or_invalid(text):
    try:
        target = parse_target(text)
    except InvalidInput:
        return
    assert parse_target(str(target)) == target


def test_the_length_of_business_days_is_unknown_without_a_calendar():
    assert parse_target("2 days").length == timedelta(days=2)
    assert parse_target("90m").length == timedelta(minutes=90)
    with pytest.raises(ValueError, match="depends on the calendar"):
        _ = parse_target("1 business_day").length


@pytest.mark.parametrize(
    ("text", "es", "en"),
    [
        ("4h", "4 h de tiempo hábil", "4 h of business time"),
        ("1h30m", "1 h 30 min de tiempo hábil", "1 h 30 min of business time"),
        ("1 day", "1 día natural", "1 calendar day"),
        ("2 days", "2 días naturales", "2 calendar days"),
        ("1 business_day", "1 día hábil", "1 business day"),
        ("3 business_days", "3 días hábiles", "3 business days"),
    ],
)
def test_a_target_is_said_in_both_languages(text, es, en):
    assert describe_target(parse_target(text), "es") == es
    assert describe_target(parse_target(text), "en") == en
