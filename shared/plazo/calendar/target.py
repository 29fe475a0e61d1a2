"""Targets: the lengths of time a contract promises, in the units it words them in."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from plazo.kernel.errors import Fault, InvalidInput

_LONGEST_DAYS = 36_525  # a hundred years
_WORKING = re.compile(r"(?:([0-9]{1,12})h)? ?(?:([0-9]{1,12})m)? ?(?:([0-9]{1,12})s)?")
_COUNTED = re.compile(r"([0-9]{1,12}) ?(business_day|day)s?")


class TargetKind(StrEnum):
    """How a target is counted."""

    WORKING = "working"  # seconds of open time
    DAYS = "days"  # 24 hours of elapsed time each, whatever the calendar says
    BUSINESS_DAYS = "business_days"  # to the end of service, days later


@dataclass(frozen=True, slots=True)
class Target:
    """A promised length: `amount` is seconds for working time, a count for the two kinds of day.

    `str` of it is canonical text that :func:`parse_target` reads back to an equal target.
    """

    kind: TargetKind
    amount: int

    @property
    def length(self) -> timedelta:
        """The time it asks for, where that is known without a calendar.

        :raises ValueError: for business days, which only a calendar can measure
        """
        if self.kind is TargetKind.BUSINESS_DAYS:
            raise ValueError("the length of business days depends on the calendar and the start")
        return timedelta(seconds=self.amount) if self.kind is TargetKind.WORKING else timedelta(days=self.amount)

    def __str__(self) -> str:
        if self.kind is TargetKind.WORKING:
            parts = zip((*divmod(self.amount // 60, 60), self.amount % 60), "hms", strict=True)
            return "".join(f"{count}{unit}" for count, unit in parts if count) or "0m"
        unit = "day" if self.kind is TargetKind.DAYS else "business_day"
        return f"{self.amount} {unit}" if self.amount == 1 else f"{self.amount} {unit}s"


def parse_target(text: str) -> Target:
    """Read `30m`, `4h`, `90s`, `1h30m` (open time), `2 days` (elapsed) or `1 business_day`.

    :raises InvalidInput: if it is none of these, or longer than a hundred years
    """
    stripped = text.strip()
    if counted := _COUNTED.fullmatch(stripped):
        kind = TargetKind.DAYS if counted[2] == "day" else TargetKind.BUSINESS_DAYS
        target, days = Target(kind, int(counted[1])), int(counted[1])
    elif stripped and (working := _WORKING.fullmatch(stripped)):
        hours, minutes, seconds = (int(part or 0) for part in working.groups())
        target = Target(TargetKind.WORKING, (hours * 60 + minutes) * 60 + seconds)
        days = -(-target.amount // 86_400)
    else:
        raise _invalid(
            f"{text[:60]!r} is not a target: expected one such as 30m, 4h, 90s, 1h30m, 2 days or 1 business_day"
        )
    if days > _LONGEST_DAYS:
        raise _invalid(f"{text[:60]!r} is longer than a hundred years")
    return target


def _invalid(message: str) -> InvalidInput:
    return InvalidInput(message, faults=(Fault("", message),))
