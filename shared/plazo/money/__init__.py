"""Amounts: rounding, prices, parts of a whole, and how they are written. Pure: integers only, no clock, no I/O."""

from plazo.money.amount import Money, allocate, format_minor
from plazo.money.quantity import (
    format_minutes,
    format_quantity,
    parse_minutes,
    parse_quantity,
)
from plazo.money.rounding import Mode, Rounding, percent_of, price_of, round_to

__all__ = [
    "Mode",
    "Money",
    "Rounding",
    "allocate",
    "format_minor",
    "format_minutes",
    "format_quantity",
    "parse_minutes",
    "parse_quantity",
    "percent_of",
    "price_of",
    "round_to",
]
