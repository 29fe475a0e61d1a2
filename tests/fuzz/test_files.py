"""Files and posts of other systems: tickets and work line by line. What is wrong with a line is that line's fault."""

import csv
import io
import json
from typing import Any

import pytest
from fuzz.bounds import damaged, examples, outcome, peak_memory
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from billing.domain.export import NotAnExport, verify_lines
from billing.domain.work_lines import read_lines as read_work
from plazo.kernel.cells import inert
from plazo.kernel.foreign_json import DEEPEST, read_foreign_json
from tickets.domain.import_file import read_lines as read_tickets
from tickets.domain.mapping import ACTIONS, CHANNELS, MOST_ITEMS, Choice, Item, PostMapping, Unmapped, read_post

PIECES = st.sampled_from(
    [
        b'"',
        b'""',
        b",",
        b"\r\n",
        b"\n",
        b"\r",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
        b";",
        b"{",
        b"}",
        b"[",
        b"]",
        b":",
        b"NaN",
        b"Infinity",
        b"1e999",
        b'"\\ud800"',
        b'"\\u0000"',
        b"9" * 5000,
        b"-9",
        b"true",
        b"null",
        b"facts",
        b"facts.a",
        b"[" * 300,
        b'{"a":' * 200,
        b"=1+1",
        "²".encode(),
        b"\xe2\x80\xa8",
    ]
)
TICKETS = {
    "csv": b"reference,subject,opened_at,state,facts.server_down,replies\r\n"
    b'A-1,"No arranca, hoy",2026-05-04T09:00:00Z,open,true,'
    b'"[{""at"": ""2026-05-04T10:00:00Z"", ""by"": ""desk"", ""text"": ""Hola""}]"\r\nA-2,"x\ny",,,,\r\n',
    "jsonl": b'{"reference": "A-1", "subject": "No", "facts": {"server_down": true}, "replies": [{"by": "desk"}]}\n'
    b'{"a": 1}\n',
}
WORK = {
    "csv": b"reference,ticket,started_at,minutes,description,location\r\n"
    b"W-1,T-1,2026-05-04T10:00:00Z,45,rojo,on_site\r\n",
    "jsonl": b'{"reference": "W-1", "ticket": "T-1", "minutes": 45, "facts": {"urgent": true}}\n',
}


@examples(40)
@given(st.sampled_from(["csv", "jsonl"]), st.data())
def test_file_of_tickets_is_read_line_by_line(form: str, data: st.DataObject):
    raw = damaged(data.draw, TICKETS[form], PIECES)
    text = io.TextIOWrapper(io.BytesIO(raw), encoding="utf-8-sig", errors="replace", newline="")
    lines = outcome(lambda: list(read_tickets(text, form)))
    assert lines is not None
    for number, row, faults in lines:
        assert number >= 1
        assert (row is None) == bool(faults)
        to_json([row, faults], inf_nan_mode="strings")
        assert not {"NaN", "Infinity", "-Infinity"} & numbers_of(row)


@examples(40)
@given(st.sampled_from(["csv", "jsonl"]), st.data())
def test_file_of_work_is_read_line_by_line(form: Any, data: st.DataObject):
    content = damaged(data.draw, WORK[form], PIECES).decode("utf-8", "surrogateescape")
    lines = outcome(lambda: list(read_work(content, form)))
    assert lines is not None
    for line in lines:
        assert line.fault != ""
        kept = to_json([line.values, line.fault])
        assert b"\\u0000" not in kept.replace(b"\\\\", b"")
        assert not {"NaN", "Infinity", "-Infinity"} & numbers_of(line.values)


def numbers_of(value: Any) -> set[str]:
    """Return the numbers of a value that are not whole, as JSON writes them."""
    if isinstance(value, dict | list):
        return set().union(*map(numbers_of, value.values() if isinstance(value, dict) else value))
    return {json.dumps(value)} if isinstance(value, float) else set()


LINES = {
    "depth": '{"a":' * 100_000,
    "depth that ends": '{"a":' * 900 + "1" + "}" * 900,
    "lists that end": '{"a":' + "[" * 900 + "]" * 900 + "}",
    "a number": '{"minutes": ' + "9" * 100_000 + "}",
    "a cell": "minutes\n" + "9" * 100_000,
    "a quote without end": 'a,"' + "x,\n" * 10_000,
    "columns": ",".join(f"c{n}" for n in range(20_000)) + "\n" + "1," * 19_999 + "1",
    "rows": "a\n" * 5_000,
}


@pytest.mark.parametrize("bomb", LINES, ids=str)
@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_bomb_is_read_in_time(form: Any, bomb: str):
    text = LINES[bomb]
    for read in (lambda: list(read_work(text, form)), lambda: list(read_tickets(io.StringIO(text, newline=""), form))):
        assert outcome(read, seconds=3) is not None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@examples(40)
@given(JSON)
def test_foreign_json_is_what_a_database_keeps(value: Any):
    read = outcome(lambda: read_foreign_json(json.dumps(value)), ValueError)
    if read is not None:
        text = to_json(read)
        assert b"\\u0000" not in text
        assert read_foreign_json(text) == read


def test_depth_is_the_one_that_is_said():
    assert read_foreign_json("[" * DEEPEST + "]" * DEEPEST)
    with pytest.raises(ValueError, match="at most 60 levels"):
        read_foreign_json("[" * (DEEPEST + 1) + "]" * (DEEPEST + 1))


@examples(40)
@given(st.lists(st.text(max_size=8).map(lambda text: text.replace("\x00", "")), min_size=1, max_size=4))
def test_cell_comes_back_as_text_and_is_no_formula(cells: list[str]):
    file = io.StringIO(newline="")
    csv.writer(file).writerow([inert(cell) for cell in cells])
    [read] = list(csv.reader(io.StringIO(file.getvalue(), newline="")))
    for cell, before in zip(read, cells, strict=True):
        assert cell in (before, f"'{before}")
        assert not cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))


LEDGER = (
    '{"ledger":{"desk_id":"x","exported_at":"y","format":"plazo-ledger/1"}}\n'
    '{"manifest":{"lines":{"ledger":1},"sha256":"0"}}\n'
)


@examples(60)
@given(st.data())
def test_altered_export_is_none(data: st.DataObject):
    text = damaged(data.draw, LEDGER.encode(), PIECES | st.binary(max_size=5)).decode("utf-8", "replace")
    audit = outcome(lambda: verify_lines(text.splitlines(keepends=True)), NotAnExport)
    assert audit is None or audit.faults


PATHS = st.sampled_from(
    ["a", "a.b", "a.0", "$.a", "a?", "a:plain", "a.b|'x'", "$.list", "a|b?", "0", "a..b", "'", "|", "?:"]
)
TEMPLATES = st.lists(PATHS.map("{{{}}}".format) | st.sampled_from(["x", "{", "}", "{}", " "]), max_size=4).map("".join)
PAYLOADS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("<p>a&#99999999999;</p>"),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "list", "0"]), inner, max_size=4)
    ),
    max_leaves=10,
)


@examples(60)
@given(
    templates=st.tuples(TEMPLATES, TEMPLATES, TEMPLATES),
    action=st.sampled_from(sorted(ACTIONS)) | TEMPLATES,
    items=st.none() | st.sampled_from(["list", "$.list", "a.0", "a.b"]),
    payload=PAYLOADS,
)
def test_any_post_is_items_or_faults(templates: tuple[str, str, str], action: str, items: str | None, payload: Any):
    thread, subject, description = templates
    mapping = PostMapping(
        thread=thread,
        subject=subject,
        description=description,
        action=[Choice(action)],
        items=items,
        contact_email=subject,
        occurred_at=thread,
        contract=Choice(thread),
        channel=Choice(subject),
        facts={"f": Choice(thread)},
    )
    read = outcome(lambda: read_post(mapping, payload))
    assert read is not None
    for one in read:
        if isinstance(one, Unmapped):
            assert all(fault.message for fault in one.faults)
        else:
            assert one.thread
            assert one.action in ACTIONS
            assert one.channel in CHANNELS
            (one.subject + one.description + one.said).encode()


WHOLE = PostMapping(
    thread="{n}", subject="{a}" * 200, description="{a}" * 1000 + "{a:plain}" * 300, action=[Choice("open")]
)
POSTS: dict[str, Any] = {
    "a long text": {"n": 1, "a": "x" * 900_000},
    "markup without end": {"n": 1, "a": "<!--" * 200_000},
    "long lists": {"n": 1, "a": ["x" * 100] * 3_000},
    "many names": {"n": 1, "a": {str(n): n for n in range(9_000)}},
    "depth": {"n": 1, "a": json.loads("[" * 400 + "]" * 400)},
}


@pytest.mark.parametrize("bomb", POSTS, ids=str)
def test_post_bomb_is_read_in_time_and_little_memory(bomb: str):
    payload = POSTS[bomb]
    read = outcome(lambda: read_post(WHOLE, payload), seconds=3)
    assert read is not None
    [one] = read
    assert isinstance(one, Item)
    assert len(one.description) <= 90_000
    assert peak_memory(lambda: read_post(WHOLE, payload)) < 40_000_000


def test_number_of_items_is_bounded():
    mapping = PostMapping(thread="{n}", subject="x", description="x", action=[Choice("open")], items="list")
    [read] = read_post(mapping, {"list": [{"n": n} for n in range(MOST_ITEMS + 1)]})
    assert isinstance(read, Unmapped)
