"""What comes in over HTTP is taken as it is or refused, never guessed at."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from plazo.runtime.inputs import Fact, Input, Instant, Line, Name, Prose


class Body(Input):
    text: Line
    count: int = 0


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"text": "a", "more": 1}, id="unknown field"),
        pytest.param({"text": 1}, id="number for text"),
        pytest.param({"text": "a", "count": "1"}, id="text for a number"),
        pytest.param({"text": "a", "count": True}, id="true for a number"),
        pytest.param({"text": "a", "count": 1.0}, id="fraction for a number"),
        pytest.param({"text": "  "}, id="blank"),
        pytest.param({"text": "a\x00b"}, id="NUL"),
        pytest.param({"text": "a" * 501}, id="too long"),
        pytest.param({}, id="missing"),
    ],
)
def test_input_refuses(body: dict[str, Any]):
    with pytest.raises(ValidationError):
        Body.model_validate(body)


HEAP = {f"f{number}": 1 for number in range(60_000)}


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(HEAP, "the 2 fields", id="of unknown fields"),
        pytest.param({"text": "a", "facts": HEAP}, "facts: expected at most 1000 entries", id="in an object"),
        pytest.param({"text": "a", "facts": [{}] * 60_000}, "facts: expected at most 10000 entries", id="in a list"),
    ],
)
def test_heap_is_one_fault(body: dict[str, Any], told: str):
    with pytest.raises(ValidationError) as refused:
        Body.model_validate(body)
    assert refused.value.error_count() == 1
    assert told in str(refused.value)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        pytest.param("2026-05-04T09:00:00Z", datetime(2026, 5, 4, 9, tzinfo=UTC), id="UTC"),
        pytest.param("2026-05-04T09:00:00-05:00", datetime(2026, 5, 4, 14, tzinfo=UTC), id="an offset"),
        pytest.param("2026-05-04T09:00:00.000001Z", datetime(2026, 5, 4, 9, 0, 0, 1, tzinfo=UTC), id="microseconds"),
    ],
)
def test_reads_instants(text: str, instant: datetime):
    assert TypeAdapter(Instant).validate_python(text) == instant


@pytest.mark.parametrize(
    "value",
    [
        "2026-05-04T09:00:00",
        "2026-05-04",
        "9999-12-31T23:59:59Z",
        "0001-01-01T00:00:00+14:00",
        "2026-02-30T00:00:00Z",
        "2026-05-04T24:00:01Z",
        "now",
        "",
        1_777_885_200,
        None,
        True,
        [],
    ],
)
def test_refuses_what_is_no_instant(value: Any):
    with pytest.raises(ValidationError):
        TypeAdapter(Instant).validate_python(value)


@pytest.mark.parametrize("value", [True, False, 0, 1, -(10**12), 10**12, "x", "x" * 500])
def test_a_fact_keeps_its_type(value: Any):
    read = TypeAdapter(Fact).validate_python(value)
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize("value", [None, 1.5, 10**12 + 1, "", "x" * 501, "a\x00", [], {}, float("nan")])
def test_refuses_what_is_no_fact(value: Any):
    with pytest.raises(ValidationError):
        TypeAdapter(Fact).validate_python(value)


@pytest.mark.parametrize("value", ["", "-a", "a b", "ñ", "a/b", "a\n", "a" * 101])
def test_refuses_what_is_no_name(value: str):
    with pytest.raises(ValidationError):
        TypeAdapter(Name).validate_python(value)


@given(st.text(max_size=600))
def test_prose_is_kept_to_the_letter(text: str):
    adapter = TypeAdapter(Prose)
    if text and "\x00" not in text:
        assert adapter.validate_python(text) == text
    else:
        with pytest.raises(ValidationError):
            adapter.validate_python(text)
