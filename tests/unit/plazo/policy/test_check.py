"""Checking: what no rule covers, what is never reached, what nothing uses."""

from datetime import UTC, datetime
from itertools import product
from time import process_time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plazo.policies import policy_text
from plazo.policy import check_policy, check_text, horizon, load_policy, matches
from plazo.policy.check import checked_policy
from plazo.policy.facts import Fact
from plazo.policy.tables import ANY_OTHER, describe, examine

NOW = datetime(2026, 5, 4, tzinfo=UTC)


def findings(before: str, after: str, *, name: str = "smartcloud") -> list[tuple[str, str, str]]:
    text = policy_text(name)
    assert before in text
    found = check_text(text.replace(before, after, 1), now=NOW)
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
    assert [(one.kind, one.pointer) for one in check_text(text, now=NOW) if one.severity == "error"] == [
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

    assert [one.line for one in check_text(text, now=NOW) if one.pointer == "/targets/1"] == [line]
    assert {one.line for one in check_policy(load_policy(text), now=NOW)} == {None}


P1 = "{when: {priority: P1}, first_response: 4h, resolution: 24h, calendar: elapsed"
A_MINUTE_A_WEEK = ("hours: 24x7", 'hours: {mon: ["09:00-09:01"]}')


def smartcloud(*changes: tuple[str, str]) -> str:
    text = policy_text("smartcloud")
    for before, after in changes:
        assert before in text
        text = text.replace(before, after, 1)
    return text


def never_due(*changes: tuple[str, str], now: datetime = NOW) -> list[tuple[str, str]]:
    found = check_text(smartcloud(*changes), now=now)
    return [(one.pointer, one.message) for one in found if one.kind == "never_due" and one.severity == "error"]


def test_a_target_that_its_calendar_never_holds_is_found_with_its_line():
    # a minute a week is 52 minutes a year, and 900 h are 54,000 minutes: a thousand years
    changes = (A_MINUTE_A_WEEK, (P1, P1.replace("24h", "900h")))
    [(pointer, message)] = never_due(*changes)
    assert pointer == "/targets/1/resolution"
    assert "900h of calendar 'elapsed' is never due" in message
    text = smartcloud(*changes)
    line = next(number for number, words in enumerate(text.splitlines(), 1) if "resolution: 900h" in words)
    assert [one.line for one in check_text(text, now=NOW) if one.kind == "never_due"] == [line]
    assert [one.line for one in checked_policy(text, now=NOW)[1] if one.kind == "never_due"] == [line]


@pytest.mark.parametrize(
    ("target", "now", "is_found"),
    [
        # 1,440 weeks from 2026 end in 2053
        pytest.param("24h", NOW, False, id="decades"),
        # 150 h are 9,000 Mondays: from 2026 they end in 2198, from 2050 there are 7,827
        pytest.param("150h", NOW, False, id="more than a century"),
        pytest.param("150h", datetime(2050, 1, 1, tzinfo=UTC), True, id="the same, later"),
        pytest.param("9000 business_days", NOW, False, id="business days"),
        pytest.param("9200 business_days", NOW, True, id="business days that do not come"),
        # elapsed, whatever the calendar says
        pytest.param("36525 days", NOW, False, id="a hundred years"),
        pytest.param("36525 days", datetime(2199, 12, 31, tzinfo=UTC), False, id="in a desk at the end of time"),
        pytest.param("4h", datetime(2199, 12, 31, tzinfo=UTC), False, id="nothing odd at the end of time"),
    ],
)
def test_a_target_is_tried_from_the_present(target, now, is_found):
    found = never_due(A_MINUTE_A_WEEK, (P1, P1.replace("24h", target)), now=now)
    assert [pointer for pointer, _ in found] == ["/targets/1/resolution"] * is_found


FROM_2030 = ("hours: 24x7", 'versions: [{effective_from: 2030-01-01, hours: {mon: ["09:00-09:01"]}}]')
POLICY_FROM_2030 = ("effective_from: 2024-01-01", "effective_from: 2030-01-01")


def test_a_calendar_that_takes_effect_with_its_policy_is_tried_from_there():
    assert never_due(FROM_2030, POLICY_FROM_2030) == []
    assert len(never_due(FROM_2030, POLICY_FROM_2030, (P1, P1.replace("24h", "900h")))) == 1


def test_a_calendar_that_takes_effect_after_its_policy_is_found_until_it_has():
    pointer, message = never_due(FROM_2030)[0]
    assert pointer == "/targets/1/first_response"
    assert message == "calendar 'elapsed' takes effect on 2030-01-01: expected one in force from 2024-01-01, as this"
    assert never_due(FROM_2030, now=datetime(2029, 12, 30, tzinfo=UTC))
    assert never_due(FROM_2030, now=datetime(2030, 1, 2, tzinfo=UTC)) == []


PAST = ("calendars:\n", 'calendars:\n  past: {hours: {}, days: {2025-12-24: ["10:00-11:00"]}, clause: SMA-10}\n')
ABANDONED = ("calendar: elapsed, wait: 0m", "calendar: past, wait: 1h")
REOPENED = ("reopening: {clause", "reopening: {window: 1h, calendar: past, clause")
ELSEWHERE = """channels: {email: {quiet: {calendar: past}}}
escalation:
  matrix:
    - when: {trigger: breach}
      steps: [{calendar: past, notify: [assignee]}, {after: 2h, calendar: past, notify: [team_lead]}]
      clause: SMA-10
"""


def test_steps_waits_and_quiet_hours_that_never_come_are_found():
    found = [one for one in never_due(PAST, ABANDONED, REOPENED) if "calendar 'past' is never due" in one[1]]
    changed = smartcloud(PAST, ABANDONED, REOPENED).split("routing:\n")
    text = changed[0] + ELSEWHERE + "routing:\n" + changed[1]
    pointers = [one.pointer for one in check_text(text, now=NOW) if one.kind == "never_due"]
    assert pointers == [
        "/escalation/matrix/0/steps/1/after",
        "/channels/email/quiet/calendar",
        "/lifecycle/abandonment/wait",
        "/lifecycle/reopening/window",
    ]
    assert [pointer for pointer, _ in found] == pointers[2:]
    before = datetime(2025, 12, 1, tzinfo=UTC)
    assert [one.pointer for one in check_text(text, now=before) if one.kind == "never_due"] == pointers[:1]


@pytest.mark.parametrize(
    ("amount", "unit_minutes", "is_found"),
    [
        # 2,760 months of them are 2.76e18 minutes, of 9.2e18 that can be counted
        pytest.param(1_000_000_000, 1_000_000, False, id="as much as can be"),
        pytest.param(1_000_000_000, 1_000_000_000, True, id="a billion billions of minutes a month"),
    ],
)
def test_an_allotment_that_no_balance_holds_is_found(amount, unit_minutes, is_found):
    account = f"  account: {{unit: workday, unit_minutes: {unit_minutes}, clause: SMA-16}}\n"
    allotments = f"  allotments: [{{unit: workday, amount: {amount}, rollover: true, clause: SMA-16}}]\n"
    text = policy_text("smartcloud")
    head, before, rest = text.partition("  account: {unit: credit_unit")
    assert before
    found = check_text(head + account + allotments + rest.partition("\n")[2], now=NOW)
    errors = [(one.kind, one.pointer) for one in found if one.severity == "error"]
    assert errors == [("uncountable", "/billing/allotments/0/amount")] * is_found


def test_thousands_of_targets_at_the_end_of_time_do_not_take_minutes():
    hours = [f'["09:00-09:{n % 50 + 10}"]' for n in range(900)]
    calendars = "".join(f"  c{n}: {{hours: {{mon: {window}}}, clause: SMA-10}}\n" for n, window in enumerate(hours))
    rules = "".join(f"  - {{resolution: 9000h, calendar: c{n}, clause: SMA-10}}\n" for n in range(900))
    changes = (("calendars:\n", "calendars:\n" + calendars), ("targets:\n", "targets:\n" + rules))
    policy = load_policy(smartcloud(*changes))
    begun = process_time()
    found = [fault.message for fault in horizon.never_due(policy, now=NOW)]
    assert found[-1] == "more than 20 times take years of their calendars; expected less"
    assert process_time() - begun < 5


def test_readings_are_listed():
    found = [one for one in check_text(policy_text("prodequa"), now=NOW) if one.kind == "reading"]

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
