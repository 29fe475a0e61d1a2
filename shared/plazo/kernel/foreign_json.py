"""JSON from strangers: read into data that a database keeps and that recursion over it can bear, or refused."""

import json
import math
import re
from typing import Any, NoReturn

DEEPEST = 60
# Control characters that no text needs, and halves of characters; PostgreSQL keeps neither U+0000 nor a half.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def read_foreign_json(text: str | bytes) -> Any:
    """Return what a JSON text says, its texts without control characters.

    :raises ValueError: if it is no JSON, deeper than 60 levels, or has a number that is none or has no end
    """
    try:
        value = json.loads(text, parse_float=_read_float, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError(f"expected at most {DEEPEST} levels of nesting") from error
    return _kept(value, DEEPEST)


def without_controls(text: str) -> str:
    """Return a text without control characters other than tab and line ends, and without halves of characters."""
    return _CONTROLS.sub("", text)


def _read_float(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"expected numbers that have an end, got {text[:40]}")
    return number


def _refuse_constant(text: str) -> NoReturn:
    raise ValueError(f"expected JSON, which has no {text}")


def _kept(value: Any, levels: int) -> Any:
    if isinstance(value, str):
        return without_controls(value)
    if not isinstance(value, dict | list):
        return value
    if levels == 0:
        raise ValueError(f"expected at most {DEEPEST} levels of nesting")
    if isinstance(value, dict):
        return {without_controls(name): _kept(one, levels - 1) for name, one in value.items()}
    return [_kept(one, levels - 1) for one in value]
