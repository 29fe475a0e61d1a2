"""Targets that no instant ends: promised in a calendar that does not hold that much time before its years are over."""

from collections.abc import Iterator
from datetime import UTC, datetime

from plazo.calendar import Calendar, HolidayLayer, NeverDue, Target, TargetKind, compile_calendar, parse_calendar
from plazo.calendar import parse_target as read_target
from plazo.calendar.zone import first_reading, load_zone
from plazo.kernel.errors import Fault
from plazo.kernel.time import LAST_YEAR, from_micros
from plazo.policy.decide import calendar_entry, calendar_form, calendar_of
from plazo.policy.document import Policy
from plazo.policy.promises import TARGET_KINDS, TargetRule

# A target may ask for a hundred years. A test desk may stand later than that lets it: it is the policy that is tried.
_LATEST = datetime(LAST_YEAR - 99, 1, 1, tzinfo=UTC)
# What so many ordinary weeks hold is there whatever holidays there are; no contract has more of them.
_PLAIN_WEEKS = 1000
# To count to the last year takes some hundredths of a second.
_MOST_TRIALS = 20


def never_due(policy: Policy, *, now: datetime) -> Iterator[Fault]:
    """List the targets that are never due, counted from `now`: no ticket under the policy could keep or break them.

    `now` is the present of whoever publishes; a calendar that takes effect later is counted from there. A calendar of
    the customer's place is that of a customer without one.
    """
    layers = {name: HolidayLayer(name, layer.source, {}) for name, layer in policy.holidays.items()}
    calendars: dict[str, Calendar] = {}
    found: dict[tuple[str, str], str | None] = {}
    trials = 0
    for pointer, name, text in _targets(policy.targets):
        if (name, text) not in found:
            target = read_target(text)
            if name not in calendars:
                calendars[name] = _plain_calendar(policy, name, layers)
            if target.kind is TargetKind.DAYS or _is_plainly_held(target, calendars[name]):
                found[name, text] = None
            elif trials == _MOST_TRIALS:
                yield Fault(
                    "/targets", f"more than {_MOST_TRIALS} targets take years of their calendars; expected less"
                )
                return
            else:
                trials += 1
                found[name, text] = _complaint(policy, name, target, now=now)
        if (complaint := found[name, text]) is not None:
            yield Fault(pointer, complaint)


def _targets(rules: tuple[TargetRule, ...]) -> Iterator[tuple[str, str, str]]:
    for index, rule in enumerate(rules):
        for kind in TARGET_KINDS:
            if (text := rule.target(kind)) is not None and rule.calendar is not None:
                yield f"/targets/{index}/{kind}", rule.calendar, text


def _plain_calendar(policy: Policy, name: str, layers: dict[str, HolidayLayer]) -> Calendar:
    """Return a calendar without the dates of its layers: thousands would be read again for each that names them."""
    entry = calendar_entry(policy, name)
    document = entry.model_dump(mode="json", exclude={"use", "clause", "reading"}, exclude_defaults=True)
    return parse_calendar(calendar_form(document, timezone=policy.timezone), layers=layers)


def _is_plainly_held(target: Target, calendar: Calendar) -> bool:
    """Tell whether the ordinary weeks of each version of a calendar hold a target, without counting day by day."""
    if target.kind is TargetKind.BUSINESS_DAYS:
        weekly = min(sum(1 for windows in version.hours if windows) for version in calendar.versions)
    else:
        weekly = 60 * min(
            sum(window.closes - window.opens for windows in version.hours for window in windows)
            for version in calendar.versions
        )
    return target.amount <= weekly * _PLAIN_WEEKS


def _complaint(policy: Policy, name: str, target: Target, *, now: datetime) -> str | None:
    """Say that a target is never due, by counting; None if it is."""
    calendar = calendar_of(policy, name)
    in_force = calendar.versions[0].effective_from
    start = min(now, _LATEST)
    if in_force is not None:
        start = max(start, from_micros(first_reading(load_zone(calendar.timezone), in_force)))
    try:
        compile_calendar(calendar).due(start, target)
    except NeverDue as never:
        return f"{target} of calendar {name!r} is never due: {never}; expected a time that it holds"
    return None
