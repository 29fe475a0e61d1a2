"""No cell of a CSV file is a formula."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plazo.kernel.cells import inert


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@A1", "\t=1", "\r=1", "\n=1", "＝1", "＋1", "－1", "＠x", "  =1", "\ufeff=1", "\u00a0=1"],
)
def test_what_might_be_computed_gets_an_apostrophe(text: str):
    assert inert(text) == "'" + text


@pytest.mark.parametrize("value", ["", "a=1", "ñandú", "'=1", "2026-05-04", -7, 0, None, True])
def test_everything_else_stays_as_it_is(value: object):
    assert inert(value) is value


@given(st.text())
def test_twice_is_once(text: str):
    assert inert(inert(text)) == inert(text)
