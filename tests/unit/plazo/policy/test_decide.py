"""Deciding: the first rule whose conditions all hold."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plazo.calendar import compile_calendar
from plazo.kernel.errors import NotFound
from plazo.policy import (
    Place,
    calendar_of,
    first_match,
    is_met_by,
    matches,
    place_of,
    policy_from_json,
    reading_of,
    target_for,
)
from plazo.policy.promises import TargetRule


def rule(when: dict, **fields) -> TargetRule:
    return TargetRule(when=when, clause="SMA-10", calendar="elapsed", **fields)


@pytest.mark.parametrize(
    ("when", "facts", "expected"),
    [
        pytest.param({}, {}, True, id="no condition"),
        pytest.param({"plan": "gold"}, {}, False, id="an absent fact"),
        pytest.param({"plan": "gold"}, {"plan": None}, False, id="an unknown fact"),
        pytest.param({"plan": "gold"}, {"plan": "gold", "level": 2}, True, id="a value"),
        pytest.param({"plan": "gold"}, {"plan": "Gold"}, False, id="another value"),
        pytest.param({"plan": ("gold", "iron")}, {"plan": "iron"}, True, id="any of a list"),
        pytest.param({"plan": "gold", "level": 2}, {"plan": "gold", "level": 3}, False, id="all conditions"),
        pytest.param({"severity": 1}, {"severity": "1"}, True, id="a number as text"),
        pytest.param({"severity": 1}, {"severity": True}, False, id="true is not 1"),
        pytest.param({"warranty": True}, {"warranty": "true"}, True, id="true as text"),
        pytest.param({"warranty": False}, {}, False, id="absent is not false"),
        pytest.param({"minutes": "> 45"}, {"minutes": 45}, False, id="45 is not over 45"),
        pytest.param({"minutes": "> 45"}, {"minutes": 46}, True, id="46 is over 45"),
        pytest.param({"minutes": ">= 45"}, {"minutes": "45"}, True, id="at least, as text"),
        pytest.param({"minutes": "< 45"}, {"minutes": -1}, True, id="below"),
        pytest.param({"minutes": "<=45"}, {"minutes": 46}, False, id="at most"),
        pytest.param({"minutes": "> 0"}, {"minutes": True}, False, id="true is no number"),
        pytest.param({"minutes": "> 0"}, {"minutes": "many"}, False, id="words are no number"),
        pytest.param({"minutes": ("< 5", "> 45")}, {"minutes": 46}, True, id="a list of bounds"),
    ],
)
def test_conditions(when, facts, expected):
    assert matches(when, facts) is expected


def test_the_first_match_wins():
    rules = [rule({"plan": "gold"}, resolution="1h"), rule({}, resolution="2h"), rule({}, resolution="3h")]

    assert first_match(rules, {"plan": "gold"}).index == 0
    assert first_match(rules, {"plan": "iron"}).index == 1
    assert first_match(rules[:1], {"plan": "iron"}) is None


@given(
    st.lists(st.dictionaries(st.sampled_from("abc"), st.integers(0, 2), max_size=3)),
    st.dictionaries(st.sampled_from("abc"), st.integers(0, 2)),
)
def test_nothing_before_the_first_match_matches(whens, facts):
    rules = [rule(when, resolution="1h") for when in whens]
    found = first_match(rules, facts)

    before = rules if found is None else rules[: found.index]
    assert not any(matches(one.when, facts) for one in before)
    assert found is None or matches(found.rule.when, facts)


def document(**changes) -> dict:
    return {
        "policy": "small",
        "version": "1",
        "effective_from": "2026-01-01",
        "timezone": "Europe/Madrid",
        "provider": {"name": "Somebody"},
        "clauses": "NEW",
        "calendars": {"elapsed": {"hours": "24x7"}, "office": {"hours": {"mon": ["09:00-10:00"]}}},
    } | changes


def test_each_kind_is_decided_by_the_first_rule_that_mentions_it():
    policy = policy_from_json(
        document(
            targets=[
                {"when": {"type": "question"}, "none": ["resolution"], "clause": "NEW-01"},
                {"first_response": "1h", "calendar": "office", "commitment": "objective", "clause": "NEW-02"},
                {"first_response": "2h", "resolution": "8h", "calendar": "elapsed", "clause": "NEW-03"},
            ]
        )
    )

    question, incident = {"type": "question"}, {"type": "incident"}
    assert target_for(policy, "resolution", question) is None
    assert target_for(policy, "resolution", incident).clause == ("NEW-03",)
    decision = target_for(policy, "first_response", question)
    assert (decision.target, decision.calendar, decision.commitment, decision.index) == ("1h", "office", "objective", 1)
    assert target_for(policy, "next_reply", incident) is None


def test_targets_are_kept_as_written():
    policy = policy_from_json(
        document(targets=[{"resolution": "90m", "calendar": "elapsed", "warn_at": ["1h before"], "clause": "NEW-01"}])
    )

    assert (policy.targets[0].resolution, policy.targets[0].warn_at) == ("90m", ("1h before",))


def test_a_shared_reading_is_looked_up_by_name():
    shared = {"choice": "a", "why": "b", "alternatives": ["c"]}
    policy = policy_from_json(document(readings={"guess": shared}))

    assert reading_of(policy, "guess").model_dump(mode="json") == shared
    assert reading_of(policy, policy.readings["guess"]) is policy.readings["guess"]
    assert reading_of(policy, None) is None


def test_a_calendar_has_the_zone_of_the_document_and_its_layers():
    calendars = {
        "office": {"hours": {"mon-fri": ["09:00-17:00"]}, "holidays": [{"layer": "local"}, "2026-05-05"]},
        "other": {"use": "office"},
    }
    holidays = {"local": {"source": "listed", "dates": {"2026-05-04": "A local day"}}}
    policy = policy_from_json(document(calendars=calendars, holidays=holidays))

    # Sunday 3 May; Monday and Tuesday are holidays: Wednesday 09:00 in Madrid is 07:00Z
    opening = compile_calendar(calendar_of(policy, "other")).next_opening(datetime(2026, 5, 3, tzinfo=UTC))
    assert opening == datetime(2026, 5, 6, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("timezone", "region", "place"),
    [
        pytest.param(None, None, None, id="nothing is known"),
        pytest.param("America/Lima", None, Place("America/Lima"), id="a zone"),
        pytest.param(None, "local", Place("Europe/Madrid", "local"), id="a region is in the policy's zone"),
        pytest.param("America/Lima", "local", Place("America/Lima", "local"), id="both"),
        pytest.param("America/Lima", "other", Place("America/Lima"), id="a region of another policy"),
        pytest.param(None, "other", Place("Europe/Madrid"), id="a region of another policy alone"),
    ],
)
def test_where_a_customer_is(timezone, region, place):
    holidays = {"local": {"source": "listed", "dates": {"2026-05-04": "A local day"}}}
    assert place_of(policy_from_json(document(holidays=holidays)), timezone=timezone, region=region) == place


def test_a_calendar_may_have_versions():
    versions = [
        {"hours": {"mon-fri": ["09:00-17:00"]}, "effective_from": "2026-01-01"},
        {"hours": {"mon-fri": ["08:00-16:00"]}, "effective_from": "2026-06-01"},
    ]
    policy = policy_from_json(document(calendars={"office": {"versions": versions}}))

    compiled = compile_calendar(calendar_of(policy, "office"))
    # 09:00 in Madrid in May is 07:00Z, 08:00 in June 06:00Z
    assert compiled.next_opening(datetime(2026, 5, 4, tzinfo=UTC)).hour == 7
    assert compiled.next_opening(datetime(2026, 6, 1, tzinfo=UTC)).hour == 6


@pytest.mark.parametrize(
    ("kind", "activity", "expected"),
    [
        pytest.param("acknowledgement", "receipt", True, id="a receipt acknowledges"),
        pytest.param("first_response", "call", True, id="a call responds"),
        pytest.param("first_response", "internal_note", False, id="a note does not"),
        pytest.param("resolution", "reply", False, id="a reply does not resolve"),
        pytest.param("next_reply", "call", False, id="the policy's own rule: a call is no reply"),
        pytest.param("next_reply", "reply", True, id="the policy's own rule: a reply is"),
    ],
)
def test_what_meets_a_promise(kind, activity, expected):
    stops = [{"when": {"activity": "reply"}, "kinds": ["next_reply"], "clause": "NEW-01"}]

    assert is_met_by(policy_from_json(document(stops=stops)), kind, {"activity": activity}) is expected


def test_an_unknown_calendar_is_named():
    with pytest.raises(NotFound, match="small 1 has no calendar 'nights'"):
        calendar_of(policy_from_json(document()), "nights")
