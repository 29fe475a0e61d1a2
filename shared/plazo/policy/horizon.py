"""Times that no instant ends: given in a calendar that does not hold that much before its years are over."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import chain

from plazo.calendar import Calendar, HolidayLayer, NeverDue, Target, TargetKind, compile_calendar, parse_calendar
from plazo.calendar import parse_target as read_target
from plazo.kernel.errors import Fault
from plazo.kernel.time import FIRST_YEAR, LAST_YEAR
from plazo.policy.decide import calendar_entry, calendar_form, calendar_of
from plazo.policy.document import Policy
from plazo.policy.promises import TARGET_KINDS, TargetRule

# A target may ask for a hundred years. A test desk may stand later than that lets it: it is the policy that is tried.
_LATEST = datetime(LAST_YEAR - 99, 1, 1, tzinfo=UTC)
# What so many ordinary weeks hold is there whatever holidays there are; no contract has more of them.
_PLAIN_WEEKS = 1000
# To count to the last year takes some hundredths of a second.
_MOST_TRIALS = 20
# What the database counts balances in, and how many months there are to grant.
_LARGEST = 2**63 - 1
_MONTHS = 12 * (LAST_YEAR + 1 - FIRST_YEAR)


def never_due(policy: Policy, *, now: datetime) -> Iterator[Fault]:
    """List the targets, steps, waits and quiet hours that are never due or over, counted from `now`.

    So are those of a calendar that takes effect neither with the policy nor by now. `now` is the present of whoever
    publishes. A calendar of the customer's place is that of a customer without one.
    """
    return _tried(policy, chain(_targets(policy.targets), _others(policy)), now=now)


def targets_never_due(policy: Policy, *, now: datetime) -> Iterator[Fault]:
    """List the targets of :func:`never_due` alone."""
    return _tried(policy, _targets(policy.targets), now=now)


def uncountable(policy: Policy) -> Iterator[Fault]:
    """List the allotments that a contract could be granted so often that its balance is beyond counting."""
    account = policy.billing.account
    minutes = account.unit_minutes if account is not None and account.unit == "workday" else 60
    most = _LARGEST // (minutes * _MONTHS)
    for index, allotment in enumerate(policy.billing.allotments):
        if allotment.amount > most:
            message = (
                f"{allotment.amount} a month, of {minutes} minutes each, can not be counted; expected at most {most}"
            )
            yield Fault(f"/billing/allotments/{index}/amount", message)


def _tried(policy: Policy, lengths: Iterable[tuple[str, str, str]], *, now: datetime) -> Iterator[Fault]:
    layers = {name: HolidayLayer(name, layer.source, {}) for name, layer in policy.holidays.items()}
    calendars: dict[str, Calendar] = {}
    found: dict[tuple[str, str], str | None] = {}
    trials = 0
    for pointer, name, text in lengths:
        if (name, text) not in found:
            target = read_target(text)
            if name not in calendars:
                calendars[name] = _plain_calendar(policy, name, layers)
            if (late := _late_start(policy, name, calendars[name], now=now)) is not None:
                found[name, text] = late
            elif target.kind is TargetKind.DAYS or _is_plainly_held(target, calendars[name]):
                found[name, text] = None
            elif trials == _MOST_TRIALS:
                yield Fault(pointer, f"more than {_MOST_TRIALS} times take years of their calendars; expected less")
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


def _others(policy: Policy) -> Iterator[tuple[str, str, str]]:
    """Give what else has a time in a calendar. Quiet hours are over with the first second of theirs."""
    for index, rule in enumerate(policy.escalation.matrix):
        for number, step in enumerate(rule.steps):
            if step.calendar is not None:
                yield f"/escalation/matrix/{index}/steps/{number}/after", step.calendar, step.after
    for name, channel in policy.channels.items():
        if channel.quiet is not None:
            yield f"/channels/{name}/quiet/calendar", channel.quiet.calendar, "1s"
    lifecycle = policy.lifecycle
    if lifecycle and (abandonment := lifecycle.abandonment):
        yield "/lifecycle/abandonment/wait", abandonment.calendar, abandonment.wait
    if lifecycle and (reopening := lifecycle.reopening) and reopening.calendar and reopening.window:
        yield "/lifecycle/reopening/window", reopening.calendar, reopening.window


def _late_start(policy: Policy, name: str, calendar: Calendar, *, now: datetime) -> str | None:
    """Say that a calendar is not in force when the policy is; None if it is, or has come to be since."""
    in_force = calendar.versions[0].effective_from
    if in_force is None or in_force <= policy.effective_from or compile_calendar(calendar).is_in_force(now):
        return None
    return f"calendar {name!r} takes effect on {in_force}: expected one in force from {policy.effective_from}, as this"


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
    try:
        compile_calendar(calendar_of(policy, name)).due(min(now, _LATEST), target)
    except NeverDue as never:
        return f"{target} of calendar {name!r} is never due: {never}; expected a time that it holds"
    return None
