"""Loading: all the faults of a document at once, each with its line, its pointer and what was expected."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plazo.kernel.errors import InvalidInput
from plazo.policies import policy_names, policy_text
from plazo.policy import Policy, PolicyInvalid, load_policy, policy_from_json

SOUND = """\
policy: sound
version: "1"
effective_from: 2026-01-01
timezone: Europe/Madrid
provider: {name: Somebody}
clauses: SMA
calendars:
  elapsed: {hours: 24x7}
severities:
  - {name: 1, text: {es: Uno, en: One}, clause: SMA-08}
targets:
  - {resolution: 4h, calendar: elapsed, clause: SMA-10}
"""

TEN_FAULTS = """\
policy: faulty
version: "1"
effective_from: soon
timezone: Europe/Madird
provider: {name: Somebody}
clauses: SMA
calendars:
  service:
    hours: {mon-fri: ["09:00-25:00"]}
  elapsed: {hours: 24x7}
plans:
  gold: {text: {es: Oro, en: Gold}, clause: SMA-99}
coulour: green
severities:
  - {name: 1, text: {es: Uno, en: One}, clause: SMA-08}
targets:
  - {when: {plan: silver}, resolution: 4h, calendar: elapsed, clause: SMA-10}
  - {when: {severity: 1}, resolution: 4 horas, calendar: elapsed, clause: SMA-10}
  - {resolution: 4h, calendar: office, clause: SMA-10}
routing:
  teams:
    support: {text: {es: Soporte, en: Support}}
  rules:
    - {team: suport, clause: SMA-01}
notifications:
  - {when: {event: ticket.opened}, template: receipt, to: [requester], clause: SMA-05}
"""


def faults_of(text: str) -> list[tuple[int | None, str, str]]:
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(text)
    return [(fault.line, fault.pointer, fault.message) for fault in caught.value.faults]


def loaded(load: Callable[[], Policy]) -> Policy | None:
    """Load, or see that it was refused with faults that say something."""
    try:
        return load()
    except PolicyInvalid as invalid:
        if not invalid.faults or not all(fault.message for fault in invalid.faults):
            raise
        return None


def test_a_sound_document_loads():
    policy = load_policy(SOUND)

    assert (policy.policy, policy.targets[0].resolution, policy.severities[0].name) == ("sound", "4h", "1")


def test_ten_faults_are_ten_faults():
    found = faults_of(TEN_FAULTS)

    assert [(line, pointer) for line, pointer, _ in found] == [
        (3, "/effective_from"),
        (4, "/timezone"),
        (9, "/calendars/service/hours/mon-fri/0"),
        (12, "/plans/gold/clause"),
        (13, "/coulour"),
        (17, "/targets/0/when/plan"),
        (18, "/targets/1/resolution"),
        (19, "/targets/2/calendar"),
        (24, "/routing/rules/0/team"),
        (26, "/notifications/0/template"),
    ]
    assert all("expected" in message for _, _, message in found), found


def test_the_message_names_the_file_the_line_and_how_many_more():
    with pytest.raises(PolicyInvalid, match=r"^faulty.yaml, line 3: /effective_from: .* \(and 9 more faults\)$"):
        load_policy(TEN_FAULTS, source="faulty.yaml")


@pytest.mark.parametrize(
    ("line", "instead", "expected"),
    [
        pytest.param("version: &v", "", (2, "", "anchor &v"), id="anchor"),
        pytest.param("version: !!python/object x", "", (2, "", "tag "), id="tag"),
        pytest.param(
            "policy: again", "", (2, "/policy", "'policy' is given twice; the first is on line 1"), id="key twice"
        ),
        pytest.param('version: "1"\n---', "", (3, "", "a second document begins"), id="two documents"),
        pytest.param("version: [", "", (4, "", "not readable as YAML"), id="broken flow"),
        pytest.param("version: {" + "a: {" * 40, "", (2, None, "more than 30 levels"), id="too deep"),
        pytest.param("version: \x00", "", (None, "", "not readable as YAML"), id="control character"),
        pytest.param(
            "versoin: '1'", "", (2, "/versoin", "unknown field 'versoin'; expected one of "), id="unknown field"
        ),
        pytest.param("", "", (None, "/version", "version is missing"), id="missing field"),
        pytest.param("version: 1", "", (2, "/version", "expected a valid string"), id="number for text"),
    ],
)
def test_the_text_itself_is_checked(line, instead, expected):
    found = faults_of(SOUND.replace('version: "1"', line))
    number, pointer, message = expected

    assert any(
        number in (None, one[0]) and pointer in (None, one[1]) and one[2].startswith(message) for one in found
    ), found


def test_an_alias_is_refused():
    text = SOUND.replace('version: "1"', "version: &v one").replace("name: Somebody", "name: *v")

    assert [(line, message[:9]) for line, _, message in faults_of(text)][:2] == [(2, "anchor &v"), (5, "alias *v;")]


def test_reading_ends_at_a_hundred_faults():
    found = faults_of("a: 1\n" * 10_000)
    assert [one[2] for one in found[-2:]] == [
        "'a' is given twice; the first is on line 1",
        "100 faults so far; the rest was not read",
    ]
    assert len(found) == 101


def test_a_large_document_is_refused():
    assert faults_of(SOUND + "#" * (1 << 20))[0] == (1, "", "the document is larger than 1 MiB; expected less")


@pytest.mark.parametrize(
    ("before", "after", "pointer", "message"),
    [
        pytest.param("24x7", "{mon: []}", "/calendars/elapsed/hours", "never opens", id="never opens"),
        pytest.param(
            "{hours: 24x7}", "{use: elapsed}", "/calendars/elapsed/use", "leads back to itself", id="circular"
        ),
        pytest.param(
            "{hours: 24x7}", "{use: other}", "/calendars/elapsed/use", "unknown use 'other'", id="no calendar"
        ),
        pytest.param("{hours: 24x7}", "{}", "/calendars/elapsed/hours", 'expected "24x7"', id="no hours"),
        pytest.param("resolution: 4h,", "", "/targets/0", "expected a target", id="a target without targets"),
        pytest.param("calendar: elapsed,", "", "/targets/0", "expected `calendar`", id="no calendar named"),
        pytest.param(
            "resolution: 4h", "resolution: 4h, none: [resolution]", "/targets/0", "one or the other", id="both"
        ),
        pytest.param(
            "resolution: 4h", "when: {mood: bad}, resolution: 4h", "/targets/0/when/mood", "unknown fact", id="fact"
        ),
        pytest.param(
            "resolution: 4h", "when: {level: x}, resolution: 4h", "/targets/0/when/level", "whole number", id="level"
        ),
        pytest.param(
            "resolution: 4h", "when: {level: '> x'}, resolution: 4h", "/targets/0/when/level", "not a bound", id="bound"
        ),
        pytest.param(
            "resolution: 4h",
            "when: {severity: 2}, resolution: 4h",
            "/targets/0/when/severity",
            "expected one of 1",
            id="severity",
        ),
        pytest.param(
            "resolution: 4h",
            "when: {channel: fax}, resolution: 4h",
            "/targets/0/when/channel",
            "unknown channel",
            id="channel",
        ),
        pytest.param(
            "resolution: 4h",
            "when: {plan: []}, resolution: 4h",
            "/targets/0/when/plan",
            "at least one",
            id="empty list",
        ),
        pytest.param(
            "resolution: 4h", "resolution: 4h, reading: guess", "/targets/0/reading", "unknown reading", id="reading"
        ),
        pytest.param(
            "calendars:",
            "severity: [{value: 9, clause: SMA-08}]\ncalendars:",
            "/severity/0/value",
            "expected one of 1",
            id="grade",
        ),
        pytest.param("2026-01-01", "2026-02-30", "/effective_from", "a date that exists", id="no such date"),
        pytest.param("2026-01-01", "20260101", "/effective_from", "a date such as", id="a number for a date"),
        pytest.param("24x7", "{mon: [7]}", "/calendars/elapsed/hours/mon/0", "string", id="a window"),
        pytest.param(
            "elapsed: {",
            "both: {use: elapsed, hours: 24x7}\n  elapsed: {",
            "/calendars/both",
            "`use` alone",
            id="two in one",
        ),
        pytest.param(
            "24x7",
            "24x7, holidays: [{date: soon}]",
            "/calendars/elapsed/holidays/0/date",
            "a date such as",
            id="holiday",
        ),
        pytest.param(
            "24x7",
            "24x7, holidays: [{layer: no}]",
            "/calendars/elapsed/holidays/0/layer",
            "unknown holiday layer",
            id="layer",
        ),
        pytest.param(
            "resolution: 4h", "resolution: 4h, none: [speed]", "/targets/0/none/0", "'acknowledgement'", id="kind"
        ),
        pytest.param(
            "resolution: 4h",
            "resolution: 4h, reading: {choice: a, why: b}",
            "/targets/0/reading/alternatives",
            "missing",
            id="half a reading",
        ),
        pytest.param("SMA-10", "PRO-14", "/targets/0/clause", "not of this contract", id="another's clause"),
        pytest.param(
            "SMA-10", "[SMA-10, SMA-99]", "/targets/0/clause/1", "unknown clause 'SMA-99'", id="clause in a list"
        ),
        pytest.param(", clause: SMA-10", "", "/targets/0/clause", "clause is missing", id="no clause"),
    ],
)
def test_meaning_is_checked(before, after, pointer, message):
    found = faults_of(SOUND.replace(before, after, 1))

    assert len(found) == 1, found
    assert found[0][1] == pointer
    assert message in found[0][2]


def test_a_rule_that_says_nothing_still_has_its_names_checked():
    found = faults_of(SOUND.replace("resolution: 4h, ", "when: {plan: gold, mood: bad}, "))

    assert [pointer for _, pointer, _ in found] == ["/targets/0", "/targets/0/when/mood"]


def test_what_is_missing_is_on_the_line_of_what_lacks_it():
    assert faults_of(SOUND.replace(", clause: SMA-10", "")) == [
        (12, "/targets/0/clause", "clause is missing; expected a value")
    ]


def test_a_contract_outside_the_register_may_number_its_own_clauses():
    assert load_policy(SOUND.replace("SMA", "NEW")).targets[0].clause == ("NEW-10",)


def test_faults_of_json_have_pointers_and_no_lines():
    document = load_policy(SOUND).model_dump(mode="json")
    document["targets"][0]["calendar"] = "office"

    with pytest.raises(PolicyInvalid) as caught:
        policy_from_json(document)

    assert [(fault.line, fault.pointer) for fault in caught.value.faults] == [(None, "/targets/0/calendar")]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("- a", id="a list"),
        pytest.param("? [a]: b", id="a list as a name"),
        pytest.param("*a : b", id="an alias as a name"),
        pytest.param("2024-13-45", id="a date that does not exist"),
        pytest.param("a: " + "9" * 5000, id="a very long number"),
        pytest.param("%YAML 3.7\n---\na: b", id="another version of YAML"),
        pytest.param("\ud800", id="half a character"),
    ],
)
def test_no_text_is_an_unhandled_error(text):
    with pytest.raises(InvalidInput):
        load_policy(text)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from("abz09-:,{}[]&*!|>'\"%@`#? \n\t~/.\\é\u2028\x85"), max_size=40))
def test_random_text_gives_a_policy_or_faults(text):
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(text)
    assert caught.value.faults


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(sorted(Policy.model_fields)) | st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(Policy.model_fields)), JSON, max_size=6))
def test_any_data_in_any_section_gives_a_policy_or_faults(changes):
    document = load_policy(SOUND).model_dump(mode="json") | changes
    policy = loaded(lambda: policy_from_json(document))

    if policy is not None:
        assert Policy.model_validate(policy.model_dump(mode="json")) == policy


@settings(max_examples=40, deadline=None)
@given(name=st.sampled_from(policy_names()), data=st.data())
def test_a_damaged_contract_gives_a_policy_or_faults(name, data):
    # The holidays are the long tail of every file: cut before them to keep the run short.
    lines = policy_text(name).split("\nholidays:")[0].splitlines()
    at = data.draw(st.integers(0, len(lines) - 1))
    lines[at] = data.draw(
        st.sampled_from(
            [
                "",
                lines[at][1:],
                lines[at].replace(":", " "),
                lines[at].replace("{", "["),
                "- x",
                lines[at].replace("e", "3"),
            ]
        )
    )
    loaded(lambda: load_policy("\n".join(lines)))
