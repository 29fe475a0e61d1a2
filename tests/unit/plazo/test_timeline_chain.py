"""The chain of a timeline: what was recorded verifies, and nothing else does."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from plazo.kernel.timeline_chain import Link, Sealed, Words, canonical, chain, first_hash, verify, words_digest

TICKET = UUID("0198f0a0-0000-7000-8000-000000000011")
AT = datetime(2026, 5, 4, 13, tzinfo=UTC)
SALT = bytes(16)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def entries(*texts: str | None) -> list[Sealed]:
    """Return chained entries, one a minute."""
    words = [Words(actor="agent: Luz", text=text, data={"n": number}) for number, text in enumerate(texts)]
    links = [
        Link(
            position=number,
            occurred_at=AT + timedelta(minutes=number),
            recorded_at=AT + timedelta(minutes=number),
            kind="reply",
            internal=False,
            digest=words_digest(said, salt=SALT),
        )
        for number, said in enumerate(words, 1)
    ]
    hashes = chain(first_hash(TICKET), links)
    return [
        Sealed(link=link, hash=hash_, words=said, salt=SALT)
        for link, hash_, said in zip(links, hashes, words, strict=True)
    ]


def test_what_was_recorded_verifies():
    made = entries("uno", None, "tres")
    verdict = verify(TICKET, made, head=made[-1].hash)
    assert (verdict.is_intact, verdict.entries, verdict.head) == (True, 3, made[-1].hash)
    assert verify(TICKET, []).is_intact


def test_another_ticket_s_chain_does_not():
    assert not verify(UUID(int=1), entries("uno")).is_intact


@pytest.mark.parametrize(
    ("place", "forged"),
    [
        pytest.param(2, lambda one: replace(one, words=replace(one.words, text="dos.")), id="text"),
        pytest.param(2, lambda one: replace(one, words=replace(one.words, actor="agent: Ana")), id="actor"),
        pytest.param(2, lambda one: replace(one, words=replace(one.words, data={"n": 9})), id="data"),
        pytest.param(3, lambda one: replace(one, link=replace(one.link, kind="call")), id="kind"),
        pytest.param(3, lambda one: replace(one, link=replace(one.link, internal=True)), id="internal"),
        pytest.param(
            1, lambda one: replace(one, link=replace(one.link, occurred_at=AT + timedelta(microseconds=1))), id="when"
        ),
        pytest.param(1, lambda one: replace(one, link=replace(one.link, recorded_at=AT)), id="when learnt"),
        pytest.param(2, lambda one: replace(one, salt=None), id="words hidden, not erased"),
    ],
)
def test_a_forged_entry_is_named(place: int, forged: Any):
    made = entries("uno", "dos", "tres")
    made[place - 1] = forged(made[place - 1])
    assert verify(TICKET, made).position == place


@pytest.mark.parametrize(
    ("left", "place"),
    [
        pytest.param([1, 2], 1, id="first gone"),
        pytest.param([0, 2], 2, id="second gone"),
        pytest.param([0, 1], 3, id="last gone"),
    ],
)
def test_a_missing_entry_is_named(left: list[int], place: int):
    made = entries("uno", "dos", "tres")
    verdict = verify(TICKET, [made[number] for number in left], head=made[-1].hash)
    assert verdict.position == place


def test_erased_words_leave_the_chain_whole():
    made = entries("uno", "me llamo Ana", "tres")
    made[1] = replace(made[1], words=Words(actor="[erased]", text="[erased]", data={}), salt=None, erased_at=AT)
    verdict = verify(TICKET, made, head=made[-1].hash)
    assert (verdict.is_intact, verdict.erased) == (True, 1)


@given(json_values)
def test_the_digest_survives_storage(value: Any):
    """What goes into a jsonb column and a JSON file comes back as the same canonical bytes."""
    assert canonical(json.loads(json.dumps(value))) == canonical(value)
    assert canonical(from_json(to_json(value))) == canonical(value)


def test_whole_numbers_are_one_however_they_are_written():
    # jsonb keeps 50.0 as written, JSON of other languages does not.
    assert canonical({"a": [50.0, 1e3]}) == canonical({"a": [50, 1000]}) == b'{"a":[50,1000]}'


def test_who_knows_the_digest_can_not_guess_the_words():
    said = Words(actor="requester: Ana", text="sí", data={})
    assert words_digest(said, salt=SALT) != words_digest(said, salt=b"1" * 16)
