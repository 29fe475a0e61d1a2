"""Documents that people write: policies, calendars, templates. Each is taken, or refused with its faults, at once."""

import pytest
from fuzz.bounds import LONG, damaged, examples, outcome, peak_memory
from hypothesis import given
from hypothesis import strategies as st

from escalation.domain.templates import OwnWords, RenderFailed, check_template, fill_words
from plazo.calendar.ics import import_holidays
from plazo.kernel.errors import InvalidInput
from plazo.policies import policy_names, policy_text
from plazo.policy import load_policy
from plazo.policy.load import PolicyInvalid
from plazo.policy.read_yaml import DEEPEST, read_yaml

YAML = st.sampled_from(
    [
        b"&a ",
        b"*a",
        b"!!python/object:os.system ",
        b"? ",
        b"- ",
        b"{",
        b"[",
        b"}",
        b"|\n",
        b">\n",
        b"---\n",
        b"...\n",
        b"<<: *a\n",
        b"%YAML 9.9\n",
        b"\t",
        b"\xff",
        b"\x00",
        b"\xed\xa0\x80",
        b"'",
        b'"',
        b"#",
        b"1e999",
        b": ",
        b"\n  ",
        b"9" * 5000,
        b"=",
        b"~",
        b"\xe2\x80\xa8",
    ]
)


@st.composite
def policies(draw: st.DrawFn) -> bytes:
    """A real policy document without its holidays, which are long, damaged in a few places."""
    text = policy_text(draw(st.sampled_from(policy_names()))).split("\nholidays:")[0].encode()
    start = draw(st.integers(0, len(text) - 1))
    return damaged(draw, text[: start + 3000], YAML)


@examples(12)
@given(policies() | st.binary(max_size=200))
def test_policy_is_read_or_refused_with_lines(raw: bytes):
    text = raw.decode("utf-8", "surrogateescape")
    parsed = read_yaml(text)
    assert all(fault.message for fault in parsed.faults)
    policy = outcome(lambda: load_policy(text), PolicyInvalid, seconds=4)
    if policy is not None:
        assert policy.model_validate(policy.model_dump(mode="json")) == policy


MANY = 90_000 if LONG else 2_000
BOMBS = {
    "aliases": "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(f"b{n}: &b{n} [*a,*a,*a,*a,*a,*a,*a,*a]\n" for n in range(99)),
    "depth of lists": "[" * MANY,
    "depth of mappings": "".join(" " * n + "a:\n" for n in range(300)),
    "depth of braces": "{a: " * MANY,
    "width": "a: [" + "1," * MANY + "]",
    "names": "".join(f"k{n}: 1\n" for n in range(MANY)),
    "one name": "a: 1\n" * MANY,
    "a number": "a: " + "9" * 500_000,
    "escapes": 'a: "' + "\\x41" * MANY + '"',
    "tags": "- !x 1\n" * MANY,
    "size": "x" * (1 << 20 | 1),
}


@pytest.mark.parametrize("bomb", BOMBS, ids=str)
def test_policy_bomb_is_refused_in_time(bomb: str):
    text = BOMBS[bomb]
    assert outcome(lambda: load_policy(text), PolicyInvalid, seconds=8) is None


@pytest.mark.parametrize("bomb", ["aliases", "depth of braces", "tags"])
def test_policy_bomb_takes_no_memory(bomb: str):
    text = BOMBS[bomb][:10_000]
    assert peak_memory(lambda: read_yaml(text)) < 8_000_000


def test_number_of_values_is_bounded(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("plazo.policy.read_yaml.MOST_VALUES", 100)
    assert read_yaml("- 1\n" * 99).faults == []
    assert "values" in read_yaml("- 1\n" * 101).faults[0].message


def test_depth_is_the_one_that_is_said():
    assert read_yaml("[" * DEEPEST + "]" * DEEPEST).faults == []
    assert "levels" in read_yaml("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1)).faults[0].message


ICS = st.sampled_from(
    [
        b"RRULE:FREQ=YEARLY;BYMONTH=1,2;BYDAY=6MO\r\n",
        b"RRULE:FREQ=SECONDLY\r\n",
        b"RRULE:FREQ=YEARLY;INTERVAL=",
        b"9" * 5000,
        b"RRULE:FREQ=YEARLY;COUNT=0\r\n",
        b";UNTIL=99991231",
        b";BYMONTH=13",
        b";BYMONTHDAY=-32",
        b"EXDATE;VALUE=DATE:",
        b"DTSTART;TZID=Nowhere:20260101T000000\r\n",
        b"DTSTART;VALUE=DATE:00010101\r\n",
        b"DTEND;VALUE=DATE:99991231\r\n",
        b"DURATION:P99999999W\r\n",
        b"BEGIN:VEVENT\r\n",
        b"END:VEVENT\r\n",
        b"BEGIN:VTIMEZONE\r\n",
        b"\r\n ",
        b';X="',
        b"\xff",
        b"\x00",
    ]
)
FEED = (
    b"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//x//EN\r\nX-WR-CALNAME:Fiestas\r\n"
    b"BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Navidad\r\nDTSTART;VALUE=DATE:20261225\r\nDTEND;VALUE=DATE:20261226\r\n"
    b"RRULE:FREQ=YEARLY;BYMONTH=12\r\nEND:VEVENT\r\n"
    b"BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:Lunes\r\nDTSTART;VALUE=DATE:20260504\r\nEXDATE;VALUE=DATE:20270504\r\n"
    b"RRULE:FREQ=YEARLY;BYMONTH=5;BYDAY=1MO;COUNT=3\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


@examples(40)
@given(st.data())
def test_feed_is_read_or_refused(data: st.DataObject):
    text = damaged(data.draw, FEED, ICS).decode("utf-8", "surrogateescape")
    layer = outcome(lambda: import_holidays(text), InvalidInput, seconds=3)
    if layer is not None:
        assert layer.dates
        assert list(layer.dates) == sorted(layer.dates)


MOST = 1000 if LONG else 20


def event(*lines: str) -> str:
    return (
        "BEGIN:VEVENT\r\nDTSTART;VALUE=DATE:19700101\r\n" + "".join(f"{line}\r\n" for line in lines) + "END:VEVENT\r\n"
    )


EVERY_MONTH = "BYMONTH=" + ",".join(map(str, range(1, 13)))
ICS_BOMBS = {
    "rules that name no day": event(f"RRULE:FREQ=YEARLY;{EVERY_MONTH};BYDAY=6MO") * MOST,
    "rules that name every day": event(f"RRULE:FREQ=YEARLY;{EVERY_MONTH};BYDAY=MO,TU,WE,TH,FR,SA,SU") * MOST,
    "long events every year": event("DTEND;VALUE=DATE:19710101", "RRULE:FREQ=YEARLY") * MOST,
    "a rule without end": event("RRULE:FREQ=YEARLY;COUNT=" + "9" * 4000, "RRULE:FREQ=YEARLY;UNTIL=99991231"),
    "every second": event("RRULE:FREQ=SECONDLY"),
    "nesting": "BEGIN:VEVENT\r\n" * MANY,
    "events": event() * 1_001,
}


@pytest.mark.parametrize("bomb", ICS_BOMBS, ids=str)
def test_feed_bomb_is_refused_in_time(bomb: str):
    text = f"BEGIN:VCALENDAR\r\nPRODID:x\r\n{ICS_BOMBS[bomb]}END:VCALENDAR\r\n"[: 1 << 20]
    assert outcome(lambda: import_holidays(text), InvalidInput, seconds=10 if LONG else 4) is None


TEMPLATE = st.sampled_from(
    [
        "{{ ",
        " }}",
        "{% if role %}",
        "{% endif %}",
        "{% else %}",
        "{% for x in y %}",
        "{% set x = 1 %}",
        "{# ",
        " #}",
        "role",
        "customer",
        "ticket",
        "x",
        "()",
        ".__class__",
        "[0]",
        "|upper",
        "|truncate(9999999999)",
        "|default('x')",
        "|attr('x')",
        "|trim(1)",
        " ~ ",
        " not ",
        " and ",
        " == ",
        " if role else ",
        "'a'",
        "9" * 4400,
        "1e999",
        "%",
        "{",
        "}}",
        "\n",
        "ñ",
        "\ud800",
    ]
)


@examples(40)
@given(st.lists(TEMPLATE, max_size=12).map("".join) | st.text(max_size=60))
def test_template_is_refused_or_can_be_filled_in(source: str):
    faults = outcome(lambda: check_template(source, pointer="/body"))
    assert faults is not None
    assert all(fault.message and fault.pointer == "/body" for fault in faults)
    if not faults:
        words = OwnWords(subject=source, body=source, html=source)
        outcome(lambda: fill_words(words, {"role": "<b>{{ customer }}</b>"}), RenderFailed)


TEMPLATE_BOMBS = {
    "conditions": "{% if role %}" * 900 + "{% endif %}" * 900,
    "negations": "{{ " + "not " * 900 + "role }}",
    "filters": "{{ role" + "|upper" * 900 + " }}",
    "alternatives": "{{ " + "role if role else " * 200 + "role }}",
    "parentheses": "{{ " + "(" * 900 + "role" + ")" * 900 + " }}",
    "junctions": "{{ role" + " and role" * 1500 + " }}",
    "a number": "{{ " + "9" * 5000 + " }}",
}


@pytest.mark.parametrize("bomb", TEMPLATE_BOMBS, ids=str)
def test_template_bomb_is_refused_in_time(bomb: str):
    assert outcome(lambda: check_template(TEMPLATE_BOMBS[bomb], pointer="/body"), seconds=2)


def test_result_of_a_template_is_bounded():
    words = OwnWords(subject="x", body="{{ customer }}" * 1400)
    assert outcome(lambda: fill_words(words, {"customer": "x" * 5000}), RenderFailed) is None
