"""Differences between two versions, in the words of the contract."""

import pytest

from plazo.policies import policy_names, policy_text
from plazo.policy import diff_policies, load_policy


def changes(*replacements: tuple[str, str], name: str = "smartcloud") -> list[str]:
    old = new = policy_text(name)
    for before, after in replacements:
        assert before in new
        new = new.replace(before, after, 1)
    return [str(change) for change in diff_policies(load_policy(old), load_policy(new))]


@pytest.mark.parametrize("name", policy_names())
def test_a_policy_does_not_differ_from_itself(name):
    assert changes(name=name) == []


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        pytest.param("first_response: 4h", "first_response: 2h", ["P1 first_response 4h → 2h (SMA-10)"], id="a target"),
        pytest.param(
            "first_response: 48h",
            "first_response: 36h",
            ["P3 first_response 48h → 36h (SMA-10)", "P4 first_response 48h → 36h (SMA-10)"],
            id="a rule for two",
        ),
        pytest.param(
            "minimum_balance: 2",
            "minimum_balance: 3",
            ["billing account minimum_balance 2 → 3 (SMA-14)"],
            id="an amount",
        ),
        pytest.param(
            "hours: 24x7",
            'hours: {mon-fri: ["08:00-17:00"]}',
            ["calendars elapsed hours 24x7 → mon-fri 08:00-17:00 (SMA-10)"],
            id="hours",
        ),
        pytest.param('version: "2024-01"', 'version: "2024-02"', ["version 2024-01 → 2024-02"], id="the version"),
        pytest.param(
            "  no_show: {charge: 1 unit, clause: SMA-19}\n",
            "",
            ["billing no_show removed: charge 1 unit (SMA-19)"],
            id="a part gone",
        ),
        pytest.param(
            "{value: agreed,", "{value: P4,", ["priority any ticket value agreed → P4 (SMA-09)"], id="a default"
        ),
        pytest.param(
            '  - {name: P4, text: {es: "Prioridad 4, baja"',
            '  - {name: P4, text: {es: "Prioridad 4"',
            ["priorities P4 text es Prioridad 4, baja → Prioridad 4 (SMA-08)"],
            id="a named part",
        ),
    ],
)
def test_a_change_is_said_in_words(before, after, expected):
    assert changes((before, after)) == expected


def test_rules_are_matched_by_what_they_decide():
    lines = policy_text("smartcloud").splitlines(keepends=True)
    together = next(line for line in lines if "{priority: [P3, P4]}" in line)
    apart = together.replace("[P3, P4]", "P4") + together.replace("[P3, P4]", "P3")

    assert changes((together, apart)) == []


def test_a_new_rule_and_a_lost_one_are_told_by_their_case():
    assert changes(("{when: {priority: P2}, first", "{when: {priority: P2, channel: adviser}, first")) == [
        "P2 removed: first_response 24h, resolution 48h, calendar elapsed, warn_at 80% (SMA-10)",
        "channel adviser P2 added: first_response 24h, resolution 48h, calendar elapsed, warn_at 80% (SMA-10)",
    ]


def test_rules_that_change_places_are_told_where_it_matters():
    first = "  - {when: {shared_responsibility: true}, value: agreed, clause: SMA-09}\n"
    second = "  - {when: {business_impact: slight}, value: P4, clause: [SMA-06, SMA-08]}\n"

    now_later = "shared_responsibility yes (SMA-06, SMA-08)"
    assert changes((first, ""), (second, second + first)) == [
        f"priority: business_impact {impact} is now decided before {now_later}"
        for impact in ("material", "important", "moderate", "slight")
    ]


def test_rules_that_never_meet_may_change_places():
    first = "  - {when: {suggested_priority: P1}, value: P1, clause: SMA-06}\n"
    second = "  - {when: {suggested_priority: P2}, value: P2, clause: SMA-06}\n"

    assert changes((first + second, second + first)) == []


def test_a_holiday_added_is_told_with_its_layer():
    found = changes(("      2026-05-15: San Isidro\n", ""), name="ireo")

    assert found == ["holidays madrid-city dates 2026-05-15 removed: San Isidro"]
