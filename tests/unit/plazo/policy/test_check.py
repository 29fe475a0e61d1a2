"""Checking: what no rule covers, what is never reached, what nothing uses."""

from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plazo.policies import policy_text
from plazo.policy import check_policy, check_text, load_policy, matches
from plazo.policy.facts import Fact
from plazo.policy.tables import ANY_OTHER, describe, examine


def findings(before: str, after: str, *, name: str = "smartcloud") -> list[tuple[str, str, str]]:
    text = policy_text(name)
    assert before in text
    found = check_text(text.replace(before, after, 1))
    return [(one.kind, one.pointer, one.message) for one in found if one.severity != "info"]


P2 = next(line for line in policy_text("smartcloud").splitlines(keepends=True) if "{priority: P2}, first" in line)


def test_a_priority_without_a_target_is_a_gap_for_each_kind():
    assert findings(P2, "") == [
        ("gap", "/targets", "no rule gives first_response, or none, for priority P2"),
        ("gap", "/targets", "no rule gives resolution, or none, for priority P2"),
    ]


def test_a_table_without_a_default_has_a_gap():
    found = findings("  - {value: agreed, clause: SMA-09}\n", "")

    assert {(kind, pointer) for kind, pointer, _ in found} == {("gap", "/priority")}
    assert "no suggested_priority" in found[-1][2]


def test_a_bound_leaves_a_gap_on_its_other_side():
    found = findings(
        "  - {value: minor, clause: EXP-03}\n",
        '  - {when: {blocked_process_minutes: "<= 40"}, value: minor, clause: EXP-03}\n',
        name="expande",
    )

    assert any(
        "blocked_process_minutes 41" in message or "blocked_process_minutes 45" in message for _, _, message in found
    )


@pytest.mark.parametrize(
    ("before", "after", "pointer"),
    [
        pytest.param(
            "{when: {priority: P2}, first",
            "{when: {priority: [P1, agreed]}, first",
            "/targets/2",
            id="covered by two rules",
        ),
        pytest.param("    - {when: {category: project}, team", "    - {team", "/routing/rules/1", id="after a default"),
        pytest.param(
            "    - when: {standing: overdue}", "    - when: {below_minimum: true}", "/billing/gates/1", id="twice"
        ),
        pytest.param("{when: {priority: agreed}, none", "{none", "/targets/1", id="after none"),
    ],
)
def test_a_rule_that_is_never_reached_is_found(before, after, pointer):
    assert ("unreached", pointer) in [(kind, where) for kind, where, _ in findings(before, after)]


def test_a_bound_behind_a_wider_bound_is_never_reached():
    found = findings(
        '{partial_interruption_minutes: "> 45"}, value',
        '{partial_interruption_minutes: [46, "> 46"]}, value',
        name="expande",
    )
    assert found == []

    text = policy_text("expande").replace(
        '  - {when: {partial_interruption_minutes: "> 45"}, value: semi_critical, clause: EXP-03}\n',
        '  - {when: {partial_interruption_minutes: "> 45"}, value: semi_critical, clause: EXP-03}\n'
        '  - {when: {partial_interruption_minutes: ">= 60"}, value: critical, clause: EXP-03}\n',
    )
    assert [(one.kind, one.pointer) for one in check_text(text) if one.severity == "error"] == [
        ("unreached", "/severity/6")
    ]


def test_what_nothing_uses_and_nobody_cites_is_a_warning():
    found = findings("  no_show: {charge: 1 unit, clause: SMA-19}\n", "")
    assert [(kind, message[:21]) for kind, _, message in found] == [("uncited", "SMA-19 is cited nowhe")]

    found = findings("    support: {text", "    spare: {text: {es: Otro, en: Spare}}\n    support: {text")
    assert found == [("unused", "/routing/teams/spare", "nothing refers to 'spare'")]


def test_findings_have_lines_where_there_is_a_file():
    text = policy_text("smartcloud").replace("{when: {priority: agreed}, none", "{none", 1)
    line = next(number for number, words in enumerate(text.splitlines(), 1) if "{when: {priority: P1}" in words)

    assert [one.line for one in check_text(text) if one.pointer == "/targets/1"] == [line]
    assert {one.line for one in check_policy(load_policy(text))} == {None}


def test_readings_are_listed():
    found = [one for one in check_text(policy_text("prodequa")) if one.kind == "reading"]

    assert any(one.pointer == "/calendars/response/reading" and "use: service" in one.message for one in found)


FACTS = {
    "boolean": Fact("boolean", ("false", "true")),
    "grade": Fact("choice", ("1", "2", "3"), always_known=True),
    "open": Fact("text"),
    "number": Fact("integer"),
}
CONDITIONS = {
    "boolean": st.booleans(),
    "grade": st.sampled_from(["1", 2, "3", ("1", "2"), ("2", "3")]),
    "open": st.sampled_from(["x", "y", ("x", "y")]),
    "number": st.sampled_from(["> 1", ">= 1", "< 3", "<= 3", 2, ("< 0", "> 4")]),
}
# Every value that could make a difference, written down by hand.
VALUES = {
    "boolean": [None, True, False],
    "grade": [1, 2, 3],
    "open": [None, "x", "y", "z"],
    "number": [None, *range(-2, 8)],
}


@settings(max_examples=120, deadline=None)
@given(st.lists(st.fixed_dictionaries({}, optional=CONDITIONS), max_size=6))
def test_the_examination_agrees_with_trying_everything(whens):
    first = [
        next((index for index, when in enumerate(whens) if matches(when, facts)), None)
        for facts in (dict(zip(VALUES, values, strict=True)) for values in product(*VALUES.values()))
    ]

    found = examine(whens, FACTS)

    if whens:
        assert bool(found.gaps) == (None in first)
    assert set(found.unreached) == set(range(len(whens))) - set(first)
    for gap in found.gaps:
        assert not any(matches(when, gap) for when in whens if when.keys() <= gap.keys())


def test_two_bounds_cover_every_number():
    facts = {"number": Fact("integer", always_known=True)}

    assert examine([{"number": "< 3"}, {"number": ">= 3"}], facts).gaps == ()
    assert examine([{"number": "< 3"}, {"number": "> 3"}], facts).gaps == ({"number": 3},)


def test_a_combination_is_said_in_words():
    assert (
        describe({"severity": "3", "language": ANY_OTHER, "cause": None}) == "severity 3, any other language, no cause"
    )
