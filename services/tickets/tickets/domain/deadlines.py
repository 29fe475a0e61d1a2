"""When something ends that a policy gives a length of time, in one of its calendars or elapsed."""

from datetime import UTC, datetime, time, timedelta

from plazo.calendar import ELAPSED, NeverDue, WorkingTime, compile_calendar, parse_target
from plazo.policy.decide import Place, calendar_of
from plazo.policy.document import Policy


def working_time_of(policy: Policy, calendar: str | None, *, place: Place | None = None) -> WorkingTime:
    """Return a calendar of the policy, or elapsed time where none is named."""
    return compile_calendar(ELAPSED if calendar is None else calendar_of(policy, calendar, customer=place))


def is_open_day(working: WorkingTime, at: datetime) -> bool:
    """Tell whether there is any service on the local date of an instant."""
    midnight = datetime.combine(at.astimezone(working.zone).date(), time.min, working.zone)
    next_midnight = datetime.combine(midnight.date() + timedelta(days=1), time.min, working.zone)
    return bool(working.windows(midnight.astimezone(UTC), next_midnight.astimezone(UTC)))


def due_after(working: WorkingTime, start: datetime, after: str) -> datetime | None:
    """Return when `after`, as policies word it, has passed since `start`; None if it never has."""
    try:
        return working.due(start, parse_target(after))
    except NeverDue:
        return None
