"""Cells of a CSV file: no text is taken for a formula by the spreadsheet that opens it (CWE-1236)."""

from typing import TypeVar

T = TypeVar("T")

# With these a spreadsheet takes a text for a formula, in either width; blanks before them are skipped.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def inert(value: T) -> T | str:
    """Return a cell that is shown as it is: a text that a spreadsheet might compute gets an apostrophe before it."""
    if isinstance(value, str) and (value.startswith(_FORMULA) or value.lstrip(" \u00a0\ufeff").startswith(_FORMULA)):
        return f"'{value}"
    return value
