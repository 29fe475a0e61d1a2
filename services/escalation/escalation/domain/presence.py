"""When an agent is there: not away, and in the hours of their calendar."""

from collections.abc import Sequence
from datetime import datetime

from escalation.domain.ticket import Absence
from plazo.calendar import NeverDue, WorkingTime


def is_present(absences: Sequence[Absence], hours: WorkingTime | None, *, at: datetime) -> bool:
    """Whether somebody with these absences and hours (none: always) is there at an instant."""
    return not any(one.covers(at) for one in absences) and (hours is None or hours.is_open(at))


def next_presence(absences: Sequence[Absence], hours: WorkingTime | None, *, at: datetime) -> datetime | None:
    """Return the first instant from `at` on at which somebody is there; None if that cannot be told."""
    instant = at
    # Each round steps over an absence or to an opening, and an absence is stepped over once.
    for _ in range(2 * len(absences) + 2):
        away = next((one for one in absences if one.covers(instant)), None)
        if away is not None:
            if away.ends_at is None:
                return None
            instant = away.ends_at
            continue
        if hours is None or hours.is_open(instant):
            return instant
        try:
            instant = hours.next_opening(instant)
        except NeverDue:
            return None
    return None


def next_absence(absences: Sequence[Absence], *, after: datetime) -> datetime | None:
    """Return when somebody is away next; None if nothing is planned."""
    return min((one.starts_at for one in absences if one.starts_at > after), default=None)
