"""From another system's JSON to matters of ours, by configuration; what is missing is named."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tickets.domain.mapping import Choice, Item, PostMapping, Unmapped, read_post
from tickets.schemas.intake import MappingInput
from tickets.usecases.hooks import PRESETS, preset

PAYLOAD = {"a": {"b": ["x", {"c": 7}], "html": "<p>uno</p><p>dos</p>", "null": None, "yes": True}, "top": "T"}


def mapping(**fields: Any) -> PostMapping:
    """Return a mapping that needs nothing of the payload."""
    return PostMapping(**{"thread": "t", "subject": "s", "description": "d", "action": [Choice("open")]} | fields)


def one(**fields: Any) -> Item | Unmapped:
    """Read the one matter of the payload."""
    (read,) = read_post(mapping(**fields), PAYLOAD)
    return read


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        pytest.param("{a.b.0}", "x", id="a path"),
        pytest.param("{a.b.1.c} de {top}", "7 de T", id="two, and text"),
        pytest.param("{a.zero|a.b.0}", "x", id="the first that is there"),
        pytest.param("{a.zero|'nada'}", "nada", id="a text if none is"),
        pytest.param("<{a.zero?}>", "<>", id="may be absent"),
        pytest.param("{a.null?}-", "-", id="null is absent"),
        pytest.param("{a.html:plain}", "uno\n\ndos", id="the text of HTML"),
        pytest.param("{a.yes}", "true", id="true"),
        pytest.param("{$.top}", "T", id="from the whole payload"),
    ],
)
def test_templates(template: str, filled: str) -> None:
    read = one(description=template)
    assert isinstance(read, Item)
    assert read.description == filled


@pytest.mark.parametrize(
    ("said", "address"),
    [
        pytest.param(" Ana@Example.com ", "ana@example.com", id="an address"),
        pytest.param("Ana", None, id="a name"),
        pytest.param("a@example.com, b@example.com", None, id="two"),
        pytest.param("a@example.com\nBcc: b@example.com", None, id="a header behind it"),
        pytest.param("a" * 250 + "@example.com", None, id="too long"),
    ],
)
def test_what_is_no_address_is_none(said: str, address: str | None) -> None:
    read = one(contact_email=said)
    assert isinstance(read, Item)
    assert read.contact_email == address


def test_everything_missing_is_told_at_once() -> None:
    read = one(subject="{a.no}", description="{nor.this|nor.that}")
    assert isinstance(read, Unmapped)
    assert [(fault.pointer, fault.message) for fault in read.faults] == [
        ("/a/no", "subject: the payload has nothing at a.no"),
        ("/nor/this", "description: the payload has nothing at nor.this"),
    ]


def test_actions_are_chosen_in_order_and_facts_by_value() -> None:
    read = one(
        action=[Choice("{a.b.0}", {"y": "reply"}), Choice("{a.b.1.c}", {"7": "resolve"}), Choice("open")],
        facts={
            "severity": Choice("{a.b.0}", {"x": 2}, 3),
            "product": Choice("{top}"),
            "none": Choice("{a.zero?}", {"x": 1}),
        },
        channel=Choice("{top}", {"T": "email"}),
    )
    assert isinstance(read, Item)
    assert (read.action, read.channel) == ("resolve", "email")
    assert read.facts == {"severity": 2, "product": "T"}
    assert read_post(mapping(action=[Choice("{top}", {"no": "open"})]), PAYLOAD) == []


def test_items_and_match() -> None:
    payload = {"list": [{"n": "1", "k": "a"}, {"n": "2", "k": "b"}, {"n": "3"}], "all": "A"}
    read = read_post(mapping(items="list", thread="{n}/{$.all}", match={"k": ["a"]}), payload)
    assert [item.thread for item in read if isinstance(item, Item)] == ["1/A"]
    (wrong,) = read_post(mapping(items="nothing"), payload)
    assert isinstance(wrong, Unmapped)
    (many,) = read_post(mapping(items="list"), {"list": [1] * 201})
    assert isinstance(many, Unmapped)


_KEYS = st.sampled_from(["ticket", "article", "alerts", "issue", "item", "status", "fields", "a"])
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(payload=_JSON, kind=st.sampled_from(PRESETS))
def test_no_payload_makes_it_fail(payload: Any, kind: str) -> None:
    read_post(MappingInput.model_validate(preset(kind).mapping).mapping(), payload)
