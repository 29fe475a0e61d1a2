"""Links that may be followed without a key."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.domain.links import Link, LinkExpired, LinkInvalid, check_expiry, read_link, sign_link

KEY = b"k" * 32
UNTIL = datetime(2026, 5, 11, 13, 0, tzinfo=UTC)
LINK = Link(desk_id=UUID(int=1), message_id=UUID(int=2), expires_at=UNTIL)


def test_a_link_is_read_as_it_was_signed() -> None:
    assert read_link(sign_link(LINK, key=KEY), key=KEY) == LINK


@given(position=st.integers(0, 200), letter=st.sampled_from("ABCabc019-_"))
def test_a_changed_link_is_refused(position: int, letter: str) -> None:
    token = sign_link(LINK, key=KEY)
    position %= len(token)
    changed = token[:position] + letter + token[position + 1 :]
    if changed == token:
        return

    # The last letter holds bits that stand for nothing; any other change is seen.
    if position < len(token) - 1:
        with pytest.raises(LinkInvalid):
            read_link(changed, key=KEY)


@pytest.mark.parametrize("token", ["", "x", "é", "A" * 4000, "!!!!", "AAAA"])
def test_what_is_no_link_is_refused(token: str) -> None:
    with pytest.raises(LinkInvalid):
        read_link(token, key=KEY)


def test_another_key_is_refused() -> None:
    with pytest.raises(LinkInvalid):
        read_link(sign_link(LINK, key=b"other" * 8), key=KEY)


def test_a_link_is_good_until_its_instant() -> None:
    check_expiry(LINK, now=UNTIL - timedelta(microseconds=1))
    with pytest.raises(LinkExpired, match="2026-05-11 13:00 UTC"):
        check_expiry(LINK, now=UNTIL)
