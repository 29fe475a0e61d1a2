"""Rounding has one home. Everything is a non-negative whole number: minutes, units, minor currency."""

from dataclasses import dataclass
from typing import Literal

Mode = Literal["up", "down", "nearest"]


def round_to(value: int, increment: int, mode: Mode) -> int:
    """Round to a multiple of `increment`; `nearest` rounds a half up.

    :raises ValueError: for a negative value or an increment below 1
    """
    if value < 0 or increment < 1:
        raise ValueError(f"expected a value of at least 0 and an increment of at least 1, got {value} and {increment}")
    whole, rest = divmod(value, increment)
    if (mode == "up" and rest) or (mode == "nearest" and 2 * rest >= increment):
        whole += 1
    return whole * increment


@dataclass(frozen=True, slots=True)
class Rounding:
    """How minutes become chargeable minutes. `minimum` holds for anything at all, never for nothing."""

    increment: int = 1
    mode: Mode = "up"
    minimum: int = 0

    def rounded(self, minutes: int) -> int:
        """Round minutes to the increment, leaving the minimum aside."""
        return round_to(minutes, self.increment, self.mode)

    def charged(self, minutes: int) -> int:
        """Round minutes to the increment and raise them to the minimum."""
        return max(self.minimum, self.rounded(minutes)) if minutes else 0


def price_of(minutes: int, *, minor: int, per_minutes: int) -> int:
    """Price minutes at `minor` currency units for each `per_minutes`; half a minor unit rounds up."""
    return round_to(minutes * minor, per_minutes, "nearest") // per_minutes


def percent_of(value: int, percent: int) -> int:
    """Take a percentage of a value; a fraction rounds up."""
    return round_to(value * percent, 100, "up") // 100
