"""What a policy decides about given facts: the first rule that matches, and what it says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from plazo.calendar import Calendar, HolidayLayer, parse_calendar
from plazo.kernel.errors import NotFound
from plazo.policy.document import CUSTOMER, CalendarEntry, Policy
from plazo.policy.intake import AcceptanceRule
from plazo.policy.promises import PauseRule, StopRule, TargetRule
from plazo.policy.rules import ClockKind, Reading, ReadingOrName, Rule, TargetKind, parse_bound, text_of

FactValue: TypeAlias = bool | int | str
Facts = Mapping[str, FactValue | None]
R = TypeVar("R", bound=Rule)
KindRule = TypeVar("KindRule", StopRule, PauseRule)


#: What meets a promise of a kind that no stop rule names.
USUAL_STOPS: Mapping[ClockKind, tuple[str, ...]] = {
    "acknowledgement": ("receipt",),
    "first_response": ("reply", "call"),
    "next_reply": ("reply", "call"),
    "periodic_update": ("reply", "call"),
}


@dataclass(frozen=True, slots=True)
class Match(Generic[R]):
    """The rule that decides, and its place in its table."""

    index: int
    rule: R


@dataclass(frozen=True, slots=True)
class TargetDecision:
    """What is promised for one kind of clock, in the document's words, and who says so."""

    kind: TargetKind
    target: str
    calendar: str
    commitment: Literal["objective", "guarantee"]
    warn_at: tuple[str, ...]
    on_change: Literal["retroactive", "carry_over"]
    clause: tuple[str, ...]
    index: int
    reading: Reading | None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a customer is: its time zone, and the name of the layer with its holidays. EXP-16"""

    timezone: str
    holiday_layer: str | None = None


def place_of(policy: Policy, *, timezone: str | None, region: str | None) -> Place | None:
    """Say where a customer is, as a policy sees it; None for one of whom neither zone nor region is known. EXP-16

    Without a zone of its own the customer is in the policy's. A region that the policy has no holidays for has none:
    the customer may be under another policy that does.
    """
    if timezone is None and region is None:
        return None
    return Place(timezone or policy.timezone, region if region in policy.holidays else None)


def matches(when: Mapping[str, Any], facts: Facts) -> bool:
    """Tell whether every condition holds. A fact that is absent never meets a condition on it."""
    for name, condition in when.items():
        value = facts.get(name)
        if value is None or not holds(condition, value):
            return False
    return True


def holds(condition: object, value: FactValue) -> bool:
    """Tell whether one value meets one condition: a value, any of a list, or a bound on a whole number."""
    if isinstance(condition, tuple | list):
        return any(holds(one, value) for one in condition)
    if isinstance(condition, str) and condition[:1] in "<>" and (bound := parse_bound(condition)):
        number = number_of(value)
        return number is not None and bound.holds(number)
    return condition == value if type(condition) is type(value) else text_of(condition) == text_of(value)


def number_of(value: FactValue) -> int | None:
    """Read a fact's value as a whole number, where it is one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        return int(value) if len(value) < 16 and value.removeprefix("-").isdecimal() else None
    return value


def first_match(rules: Sequence[R], facts: Facts) -> Match[R] | None:
    """Find the first rule whose conditions all hold."""
    for index, rule in enumerate(rules):
        if matches(rule.when, facts):
            return Match(index, rule)
    return None


def first_for_kind(rules: Sequence[KindRule], kind: ClockKind, facts: Facts) -> Match[KindRule] | None:
    """Find the first stop or pause rule that names the kind of clock and whose conditions all hold."""
    for index, rule in enumerate(rules):
        if kind in rule.kinds and matches(rule.when, facts):
            return Match(index, rule)
    return None


def rule_against_unauthorized(policy: Policy, facts: Facts) -> AcceptanceRule | None:
    """Find the rule that takes nothing from who is not authorized, where it is taken from who is. EXP-01

    By the channel of `facts`, or else by the portal's, or else by mail's rule: a channel that anybody may use, as
    monitoring does, or that the policy does not offer gives nobody a right.
    """
    return _rule_against(policy, facts, lacking="authorized")


def rule_against_unordered(policy: Policy, facts: Facts) -> AcceptanceRule | None:
    """Find the rule that takes no request without a purchase order, where it is taken with one. PRO-05

    A ticket that is there already is an order for itself alone. Where the channel of `facts` takes nothing either way,
    the portal's or mail's rule says whether an order is needed.
    """
    asked = {**facts, "existing_ticket": False}
    found = first_match(policy.intake.acceptance, asked)
    if facts.get("purchase_order") is True or found is None or found.rule.accept is True:
        return None
    return _rule_against(policy, asked, lacking="purchase_order")


def _rule_against(policy: Policy, facts: Facts, *, lacking: str) -> AcceptanceRule | None:
    """Find the rule that refuses for want of one fact alone, by the first channel that has such a rule."""
    rules = policy.intake.acceptance
    for channel in dict.fromkeys((facts.get("channel"), "portal", "email")):
        asked = {**facts, "channel": channel}
        refused = first_match(rules, {**asked, lacking: False})
        if refused is None or refused.rule.accept is True:
            continue
        taken = first_match(rules, {**asked, lacking: True})
        if taken is None or taken.rule.accept is True:
            return refused.rule
    return None


def is_met_by(policy: Policy, kind: ClockKind, facts: Facts) -> bool:
    """Tell whether what the fact `activity` names meets a promise: by the policy's rules, or as is usual."""
    if any(kind in rule.kinds for rule in policy.stops):
        return first_for_kind(policy.stops, kind, facts) is not None
    return facts.get("activity") in USUAL_STOPS.get(kind, ())


def target_rule(policy: Policy, kind: TargetKind, facts: Facts) -> Match[TargetRule] | None:
    """Find the first target rule that mentions `kind`, with a target or with none, and whose conditions hold."""
    for index, rule in enumerate(policy.targets):
        if rule.mentions(kind) and matches(rule.when, facts):
            return Match(index, rule)
    return None


def target_for(policy: Policy, kind: TargetKind, facts: Facts) -> TargetDecision | None:
    """Decide the target of one kind of clock; None where nothing is promised (:func:`target_rule` says why)."""
    found = target_rule(policy, kind, facts)
    if found is None:
        return None
    rule, target = found.rule, found.rule.target(kind)
    if target is None or rule.calendar is None:
        return None
    return TargetDecision(
        kind=kind,
        target=target,
        calendar=rule.calendar,
        commitment=rule.commitment,
        warn_at=rule.warn_at,
        on_change=rule.on_change,
        clause=rule.clause,
        index=found.index,
        reading=reading_of(policy, rule.reading),
    )


def reading_of(policy: Policy, reading: ReadingOrName) -> Reading | None:
    """Look up a reading that is given by name; one given in place is itself."""
    return policy.readings.get(reading) if isinstance(reading, str) else reading


def calendar_of(policy: Policy, name: str, *, customer: Place | None = None) -> Calendar:
    """Build a calendar of the policy with its holiday layers, in the customer's place where it says so.

    A calendar of the customer's place, without a `customer`, falls back on the policy's zone and no public holidays.

    :raises NotFound: if the policy has no calendar of that name
    :raises InvalidInput: if the calendar is not sound
    """
    entry = calendar_entry(policy, name)
    document = entry.model_dump(mode="json", exclude={"use", "clause", "reading"}, exclude_defaults=True)
    return parse_calendar(
        calendar_form(document, timezone=policy.timezone, customer=customer), layers=holiday_layers(policy)
    )


def calendar_entry(policy: Policy, name: str) -> CalendarEntry:
    """Find a calendar by name, following `use`.

    :raises NotFound: if there is none, or the names go round in circles
    """
    asked, seen = name, set[str]()
    while name not in seen and (entry := policy.calendars.get(name)):
        if entry.use is None:
            return entry
        seen.add(name)
        name = entry.use
    raise NotFound(f"policy {policy.policy} {policy.version} has no calendar {asked!r}")


def holiday_layers(policy: Policy) -> dict[str, HolidayLayer]:
    """Give the policy's holiday layers by name."""
    return {
        name: HolidayLayer(name=name, source=layer.source, dates=dict(layer.dates))
        for name, layer in policy.holidays.items()
    }


def calendar_form(document: Mapping[str, Any], *, timezone: str, customer: Place | None = None) -> dict[str, Any]:
    """Turn a calendar of a policy document into the form :func:`plazo.calendar.parse_calendar` reads.

    The zone is the policy's `timezone` where none is given; `customer` zones and layers become the customer's.
    """
    form: dict[str, Any] = {"timezone": timezone}
    form |= {key: value for key, value in document.items() if key not in {"use", "clause", "reading"}}
    if form["timezone"] == CUSTOMER:
        form["timezone"] = customer.timezone if customer else timezone
    layer = customer.holiday_layer if customer else None
    if isinstance(versions := form.get("versions"), list):
        form["versions"] = [_with_layer(one, layer) if isinstance(one, dict) else one for one in versions]
    return _with_layer(form, layer)


def _with_layer(form: dict[str, Any], layer: str | None) -> dict[str, Any]:
    """Put the customer's holiday layer, or nothing, where the form says `customer`."""
    holidays, of_customer = form.get("holidays"), {"layer": CUSTOMER}
    if not isinstance(holidays, list) or of_customer not in holidays:
        return form
    own = [{"layer": layer}] if layer else []
    return form | {"holidays": [one for one in holidays if one != of_customer] + own}
