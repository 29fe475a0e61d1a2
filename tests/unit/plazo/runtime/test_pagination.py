"""Cursors: what stands in one comes back, and nothing else is taken for one."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plazo.kernel.errors import InvalidInput
from plazo.runtime.pagination import encode_cursor, page_of, position

KEYS = (datetime(2026, 5, 4, 13, tzinfo=UTC), UUID(int=7))


INSTANTS = st.datetimes(datetime(1970, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))


@given(INSTANTS, st.uuids())
def test_position_is_what_was_encoded(instant: datetime, identifier: UUID):
    assert position(encode_cursor((instant, identifier)), datetime, UUID) == (instant, identifier)


def test_no_cursor_is_the_beginning():
    assert position(None, datetime, UUID) is None


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("!", id="no base64"),
        pytest.param("ñ", id="no ASCII"),
        pytest.param("AAAA", id="no JSON"),
        pytest.param(encode_cursor(KEYS)[:-4], id="cut off"),
        pytest.param(encode_cursor((KEYS[0], 7)), id="of another list"),
        pytest.param(encode_cursor(KEYS[:1]), id="too short"),
        pytest.param(encode_cursor((*KEYS, 1)), id="too long"),
        pytest.param(encode_cursor((datetime(2026, 5, 4), KEYS[1])), id="a naive instant"),
        pytest.param(encode_cursor((datetime(1, 1, 1, tzinfo=UTC), KEYS[1])), id="an instant out of range"),
    ],
)
def test_refuses_what_is_no_cursor_of_the_list(cursor: str):
    with pytest.raises(InvalidInput):
        position(cursor, datetime, UUID)


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**40])
def test_refuses_a_number_beyond_the_database(number: int):
    with pytest.raises(InvalidInput):
        position(encode_cursor((KEYS[0], number)), datetime, int)


@given(st.lists(st.integers(), max_size=20), st.integers(1, 5))
def test_pages_hold_each_item_once(items: list[int], limit: int):
    rows = sorted(set(items))
    seen: list[int] = []
    after = None
    while True:
        rest = [row for row in rows if after is None or row > after]
        page = page_of(rest[: limit + 1], limit=limit, keys=lambda row: (row,))
        seen += page.items
        if page.next_cursor is None:
            break
        assert len(page.items) == limit
        after = page.items[-1]
    assert seen == rows
