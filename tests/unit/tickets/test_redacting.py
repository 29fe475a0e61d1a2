"""Every way to say something of a ticket takes its credentials out (PRO-22)."""

import base64
import inspect
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from tickets.app import SERVICE
from tickets.domain.erasure import Retold, Value, is_from_customer
from tickets.domain.secrecy import Cipher, Mark, looks_like_credential, parse_keys
from tickets.schemas.lifecycle import ClosingCreate, MergeCreate, ReplyCreate
from tickets.schemas.requests import AnswersCreate
from tickets.usecases.redacting import _is_text

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def endpoints() -> dict[str, Any]:
    """Return the path operations about a ticket that take something in."""
    routes = [route for router in SERVICE.routers for route in router.routes]
    return {
        f"{min(route.methods)} {route.path}": route.endpoint  # type: ignore[attr-defined]
        for route in routes
        if {"ticket_id", "body"} <= inspect.signature(route.endpoint).parameters.keys()  # type: ignore[attr-defined]
    }


def test_of_a_ticket_take_credentials_out():
    found = endpoints()
    entrusting = found.pop("POST /v1/tickets/{ticket_id}/secrets")
    assert not hasattr(entrusting, "__wrapped__")
    assert len(found) > 15
    assert [name for name, endpoint in found.items() if not hasattr(endpoint, "__wrapped__")] == []


@pytest.mark.parametrize(
    ("model", "field", "expected"),
    [
        pytest.param(ReplyCreate, "text", True, id="prose"),
        pytest.param(ReplyCreate, "channel", False, id="a choice"),
        pytest.param(ReplyCreate, "internal", False, id="yes or no"),
        pytest.param(ClosingCreate, "confirmed_by", True, id="a line that may be absent"),
        pytest.param(ClosingCreate, "channel", False, id="a choice that may be absent"),
        pytest.param(MergeCreate, "into", False, id="a ticket"),
        pytest.param(AnswersCreate, "parts", True, id="texts by name"),
    ],
)
def test_only_what_is_free_to_say_is_text(model: type[BaseModel], field: str, expected: bool):
    assert _is_text(model.model_fields[field].annotation) is expected


TICKET, DESK = UUID(int=1), UUID(int=2)


def mark(cipher: Cipher, value: str, shown: str, *, known: str) -> Mark:
    """Return what is kept of a secret that was not shown yet, was shown, or was shown under an earlier version."""
    sealed = cipher.seal(value, desk_id=DESK, ticket_id=TICKET, secret_id=UUID(int=3))
    assert sealed.mark is not None
    trace = None if known == "earlier" else sealed.trace
    return Mark(TICKET, sealed.mark, len(value), shown, trace=trace, value=value if known == "open" else None)


@pytest.mark.parametrize("known", ["open", "shown", "earlier"])
def test_several_secrets_of_several_lengths_are_found_wherever_they_are(known: str):
    cipher = parse_keys(f"a:{KEY}")
    values = (("[1]", "abcd"), ("[2]", "abcdef"), ("[3]", "wxyz"))
    marks = [mark(cipher, value, shown, known=known) for shown, value in values]
    # The longer one first: "abcdef" has "abcd" in it.
    assert cipher.redact("abcdef abcd xabcdx wxyz", marks=marks) == "[2] [1] x[1]x [3]"
    assert cipher.redact("abcabcd" + "abcd", marks=marks) == "abc[1][1]"
    assert cipher.redact("", marks=marks) == ""
    elsewhere = [replace(one, ticket_id=UUID(int=7)) for one in marks]
    assert cipher.redact("abcdef", marks=elsewhere) == ("[2]" if known == "open" else "abcdef")
    assert cipher.redact("abcdef wxyz", marks=[*elsewhere[:2], marks[2]]).endswith(" [3]")


def test_secrets_that_overlap_go_together():
    cipher = parse_keys(f"a:{KEY}")
    marks = [
        mark(cipher, value, shown, known=known)
        for shown, value, known in (("[1]", "one-two", "open"), ("[2]", "two-three", "shown"), ("[3]", "tour", "shown"))
    ]
    # What stands in the place of one is not searched for another.
    assert cipher.redact("a one-two-three b", marks=marks) == "a [1] b"
    nested = mark(cipher, "[1] b", "[4]", known="open")
    assert cipher.redact("one-two b", marks=[*marks, nested]) == "[1] b"


def test_a_secret_is_found_by_any_key():
    old, both = parse_keys(f"a:{KEY}"), parse_keys(f"b:{base64.b64encode(bytes(32)).decode()},a:{KEY}")
    kept = mark(old, "s3cr3t-1", "[1]", known="shown")
    assert both.redact("con s3cr3t-1", marks=[kept]) == "con [1]"


@given(
    values=st.lists(st.text("ab", min_size=4, max_size=7), min_size=1, max_size=4),
    text=st.text("ab", max_size=60),
)
def test_however_a_secret_is_known_the_same_is_left(values: list[str], text: str):
    cipher = parse_keys(f"a:{KEY}")
    left = {
        known: cipher.redact(text, marks=[mark(cipher, one, "[]", known=known) for one in values])
        for known in ("open", "shown", "earlier")
    }
    assert len(set(left.values())) == 1
    assert not any(value in left["open"] for value in values)


class Counting(Cipher):
    """Counts how many marks it makes."""

    marked = 0

    def _mark(self, key_id: str, ticket_id: UUID, value: str) -> bytes:
        self.marked += 1
        return super()._mark(key_id, ticket_id, value)


@pytest.mark.parametrize("known", ["open", "shown"])
@pytest.mark.parametrize("text", ["a" * 20_000, "z" * 20_000, "az" * 10_000])
def test_marks_are_compared_where_a_secret_is_and_nowhere_else(known: str, text: str):
    cipher = Counting({"a": base64.b64decode(KEY)})
    marks = [mark(cipher, "z" * length, "[]", known=known) for length in range(4000, 4020)]
    cipher.marked = 0
    left = cipher.redact(text, marks=marks)
    assert ("z" * 4000 in text) == (left != text)
    assert cipher.marked <= 20 * 5


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        pytest.param("Tr0ub4dor&3-ñandú", True, id="a password"),
        pytest.param("abcd1234", True, id="letters and digits, just long enough"),
        pytest.param("abc1234", False, id="too short"),
        pytest.param("antes del 31/12", False, id="a phrase"),
        pytest.param("resolution", False, id="a word"),
        pytest.param("¡Resuelto!", False, id="a word and its marks"),
        pytest.param("2026-12-31", False, id="a day"),
        pytest.param("1.000.000", False, id="an amount"),
        pytest.param("abcd 1234", False, id="a space that does not look like one"),
    ],
)
def test_what_nobody_writes_by_chance_looks_like_a_credential(value: str, expected: bool):
    assert looks_like_credential(value) is expected


def test_a_value_goes_and_the_rest_stays():
    value = Value("s3cret", label="VPN")
    document = {"text": "con s3cret", "parts": ["s3crets", 1, None], "deep": {"a": "b"}}
    assert value.is_in(document)
    assert value.forgotten(document) == {"text": "con [VPN]", "parts": ["[VPN]s", 1, None], "deep": {"a": "b"}}
    assert not value.is_in(value.forgotten(document))
    assert not Value("abc", label="x").is_searchable


def test_a_value_that_is_a_word_of_ours_leaves_what_a_document_is_made_of():
    document = {
        "waiting": [{"cause": "vendor", "since": "2026-05-04T13:00:00Z", "reason": "vendor 2026-05"}],
        "answers": {"parts": {"password": "vendor"}},
        "subject": "vendor",
        "facts": {"component": ["vendor", None]},
    }
    assert Value("vendor", label="secret 1").forgotten(document) == {
        "waiting": [{"cause": "vendor", "since": "2026-05-04T13:00:00Z", "reason": "[secret 1] 2026-05"}],
        "answers": {"parts": {"password": "[secret 1]"}},
        "subject": "[secret 1]",
        "facts": {"component": ["vendor", None]},
    }
    assert Value("2026", label="x").forgotten(document)["waiting"][0]["since"] == "2026-05-04T13:00:00Z"
    assert Value("vendor", label="x").forgotten(["vendor"]) == ["[x]"]


def test_a_text_is_told_anew_only_where_it_stands_whole():
    retold = Retold({"con s3cret": "con [VPN]"})
    document = {"text": "con s3cret", "parts": ["con s3cret, sí", 1, None], "deep": {"a": ["con s3cret"]}}
    left = {"text": "con [VPN]", "parts": ["con s3cret, sí", 1, None], "deep": {"a": ["con [VPN]"]}}
    assert retold.forgotten(document) == left


@pytest.mark.parametrize(
    ("kind", "actor", "internal", "expected"),
    [
        ("customer_reply", "webhook: Zammad", False, True),
        ("opened", "requester: Ana", False, True),
        ("opened", "email: ana@example.com", False, True),
        ("opened", "agent: Luz", False, False),
        ("reply", "agent: requester: Ana", False, False),
        ("internal_note", "email: luz@example.com", True, False),
        ("decided_severity", "policy expande 2026-01", False, False),
    ],
)
def test_what_the_customer_s_side_wrote_is_known_by_who_wrote_it(kind: str, actor: str, internal: bool, expected: bool):
    assert is_from_customer(kind=kind, actor=actor, internal=internal) is expected
