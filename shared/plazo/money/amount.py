"""Amounts of a currency, in its minor unit, and their parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self

#: Digits after the point where they are not two (ISO 4217).
_DIGITS = MappingProxyType({"CLP": 0, "JPY": 0, "KRW": 0, "PYG": 0, "UYI": 0, "CLF": 4, "BHD": 3, "KWD": 3, "TND": 3})


def format_minor(minor: int, currency: str) -> str:
    """Write minor units of a currency with its ISO code: `45.00 PEN`."""
    digits = _DIGITS.get(currency, 2)
    sign, minor = ("-", -minor) if minor < 0 else ("", minor)
    whole, fraction = divmod(minor, 10**digits)
    return f"{sign}{whole}.{fraction:0{digits}d} {currency}" if digits else f"{sign}{whole} {currency}"


@dataclass(frozen=True, slots=True)
class Money:
    """An amount of a currency. Amounts of two currencies do not add up."""

    minor: int
    currency: str

    def __add__(self, other: Self) -> "Money":
        return Money(self.minor + self._minor_of(other), self.currency)

    def __sub__(self, other: Self) -> "Money":
        return Money(self.minor - self._minor_of(other), self.currency)

    def __neg__(self) -> "Money":
        return Money(-self.minor, self.currency)

    def __str__(self) -> str:
        return format_minor(self.minor, self.currency)

    def allocate(self, weights: Sequence[int]) -> tuple["Money", ...]:
        """Split into parts that add up to the whole; see :func:`allocate`."""
        return tuple(Money(part, self.currency) for part in allocate(self.minor, weights))

    def _minor_of(self, other: "Money") -> int:
        if other.currency != self.currency:
            raise ValueError(f"{self.currency} and {other.currency} do not add up")
        return other.minor


def allocate(total: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Split `total` by `weights` into whole parts that add up to it, by largest remainder; ties go to the first.

    :raises ValueError: if a weight is negative or all are zero
    """
    whole = sum(weights)
    if whole <= 0 or min(weights) < 0:
        raise ValueError(f"expected weights of at least 0 with a sum above 0, got {list(weights)}")
    sign, size = (-1, -total) if total < 0 else (1, total)
    parts = [size * weight // whole for weight in weights]
    remainders = [size * weight % whole for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda index: (-remainders[index], index))
    for index in by_remainder[: size - sum(parts)]:
        parts[index] += 1
    return tuple(sign * part for part in parts)
