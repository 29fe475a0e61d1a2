"""What is kept at hand is bounded by its size."""

import pytest

from plazo.kernel.kept import Kept


def test_what_was_used_longest_ago_goes_first():
    made: list[str] = []
    kept = Kept(lambda text: made.append(text) or text.upper(), most=6)
    # 2 + 2 + 2 fit; "aa" is used again, so that "dd" drops "bb"
    assert [kept(text) for text in ("aa", "bb", "cc", "aa", "dd", "aa", "bb")] == [
        "AA", "BB", "CC", "AA", "DD", "AA", "BB",
    ]  # fmt: skip
    assert made == ["aa", "bb", "cc", "dd", "bb"]
    kept("x" * 7)  # larger than all there is room for
    assert (kept._weight, len(kept._found)) == (0, 0)


def test_what_fails_is_not_kept():
    kept = Kept(int, most=100)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            kept("no number")
    assert kept._weight == 0
