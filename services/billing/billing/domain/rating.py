"""What a ticket's work costs: a function of all of it, in the order in which it was done.

Minutes are summed over the scope that the rule names before they are rounded (SMA-17), so a piece of work is charged
what it adds to the sum: the first takes the minimum, one that fits in a started hour takes nothing. An entry and a
ticket are summed by themselves; a day and a month are the contract's, over all its tickets (IRE-05). Where a rule names
a calendar, work over the edge of its hours is split there, and each side counts by its own multiplier.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from billing.domain.accounts import MAIN, Terms
from plazo.calendar import SegmentKind, WorkingTime
from plazo.calendar.zone import load_zone
from plazo.money import Rounding, parse_minutes, parse_quantity, percent_of, price_of
from plazo.policy.charging import Billing, NoShow, Rate, WorkRule
from plazo.policy.decide import Facts, first_match

#: `no_show` and `late_cancellation` are appointments that came to nothing; `extra` is what a quote adds (SMA-18).
WorkKind = Literal["work", "no_show", "late_cancellation"]
LineKind = Literal["work", "no_show", "late_cancellation", "extra"]
#: How much of a piece of work passed under which conditions.
Portion = tuple[int, Facts]
#: What is summed over all tickets of a contract.
SHARED_SCOPES = frozenset({"day", "month"})
#: The agreed price of work that no rule gives a name of its own.
WORK_RATE = "work"

EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Work:
    """Something done, or in vain begun, for a ticket. `facts` are its own, beside the ticket's.

    `appointment` names the scheduled activity from which the customer was absent (SMA-19), `quote_id` the quote that
    the work was done under.
    """

    work_id: UUID
    kind: WorkKind
    started_at: datetime
    minutes: int
    facts: Facts
    appointment: str | None = None
    quote_id: UUID | None = None

    @property
    def place(self) -> tuple[datetime, UUID]:
        """Where it stands in the order of the ticket's work."""
        return self.started_at, self.work_id


@dataclass(frozen=True, slots=True)
class Line:
    """What one piece of work costs.

    `worked`, `rounded` and `charged` are minutes: as they passed, to the increment, and with the minimum. `quantity`
    counts `counted_in` of the account `account`; without an account it is owed. `reason` says why nothing is charged.
    `rate` is what a currency quantity was priced at.
    """

    work_id: UUID
    kind: LineKind
    at: datetime
    worked: int
    rounded: int
    charged: int
    quantity: int
    counted_in: str
    account: str | None
    reason: str | None
    clauses: tuple[str, ...]
    rate: Rate | None = None


@dataclass(slots=True)
class _Sum:
    """What a scope has come to so far."""

    minutes: dict[int, int] = field(default_factory=dict)
    rounded: int = 0
    charged: int = 0
    quantity: int = 0


@dataclass(frozen=True, slots=True)
class Case:
    """Work of one ticket. `facts` are the ticket's, the newest: what turns out to be the cause is the cause of all.

    `rates` are the prices agreed in the contract, which go before those of the policy. Of a case that `is_beside`
    only that is charged which is summed over a day or a month: these are the contract's, not the ticket's.
    """

    ticket_id: UUID
    facts: Facts
    work: Iterable[Work]
    rates: Mapping[str, Rate] = field(default_factory=dict)
    is_beside: bool = False


def rate(
    billing: Billing,
    cases: Iterable[Case],
    *,
    accounts: Mapping[str, Terms],
    zone: str,
    calendars: Mapping[str, WorkingTime] = EMPTY,
) -> dict[UUID, tuple[Line, ...]]:
    """Charge work of tickets of one contract by the first work rule that matches each piece; returns it by ticket.

    `accounts` are the contract's prepaid ones; `zone` is where a day or a month of scope begins. `calendars` are those
    that rules name.
    """
    sums: dict[tuple[object, ...], _Sum] = {}
    absent_from: set[tuple[UUID, str | None]] = set()
    lines: dict[UUID, list[Line]] = {case.ticket_id: [] for case in cases}
    every = ((one, case) for case in cases for one in case.work)
    for one, case in sorted(every, key=lambda pair: pair[0].place):
        found = first_match(billing.work, {**case.facts, **one.facts}) if one.kind == "work" else None
        rule = found.rule if found else None
        if case.is_beside and not (rule and rule.charge and rule.scope in SHARED_SCOPES):
            continue
        if one.kind != "work":
            appointment = (case.ticket_id, one.appointment)
            line = _no_show_line(billing.no_show, one, accounts, is_repeated=appointment in absent_from)
            absent_from.add(appointment)
        elif found is None or rule is None:
            line = _free_line(one, reason="not_chargeable", clauses=())
        elif not rule.charge:
            line = _free_line(one, reason=rule.reason or "not_chargeable", clauses=rule.clause)
        else:
            price = case.rates.get(rule.account or WORK_RATE, rule.rate)
            total = sums.setdefault((found.index, price, *_scope_of(rule, one, zone, case.ticket_id)), _Sum())
            portions = [
                (minutes, {**case.facts, **here, **one.facts})
                for minutes, here in _portions(one, calendars[rule.calendar] if rule.calendar else None)
            ]
            line = _charged_line(rule, one, portions, accounts, total, price)
        lines[case.ticket_id].append(line)
    return {ticket_id: tuple(found) for ticket_id, found in lines.items()}


def _portions(work: Work, calendar: WorkingTime | None) -> list[Portion]:
    """Split work at the edges of service hours and of holidays; a minute belongs to the side on which it ends."""
    if calendar is None:
        return [(work.minutes, {})]
    totals: dict[tuple[str, bool], int] = {}
    passed = 0
    for segment in calendar.explain(work.started_at, work.started_at + timedelta(minutes=work.minutes)):
        ends = (segment.end - work.started_at) // timedelta(minutes=1)
        key = ("in" if segment.kind is SegmentKind.COUNTED else "out", segment.reason is not None)
        totals[key] = totals.get(key, 0) + ends - passed
        passed = ends
    return [(minutes, {"hours": hours, "holiday": holiday}) for (hours, holiday), minutes in totals.items() if minutes]


def _scope_of(rule: WorkRule, work: Work, zone: str, ticket_id: UUID) -> tuple[object, ...]:
    local = work.started_at.astimezone(load_zone(zone))
    match rule.scope:
        case "entry":
            return (work.work_id,)
        case "day":
            return (local.date(),)
        case "month":
            return (local.year, local.month)
        case "ticket":
            return (ticket_id,)


def _charged_line(
    rule: WorkRule,
    work: Work,
    portions: Iterable[Portion],
    accounts: Mapping[str, Terms],
    total: _Sum,
    price: Rate | None,
) -> Line:
    terms = accounts.get(rule.account or MAIN)
    unit_minutes = terms.unit_minutes if terms else 60
    minimum = parse_quantity(rule.minimum, unit_minutes=unit_minutes) if rule.minimum else 0
    rounding = Rounding(increment=parse_minutes(rule.increment), mode=rule.rounding, minimum=minimum)
    clauses = list(rule.clause)
    for minutes, facts in portions:
        multiplier = first_match(rule.multipliers, facts)
        percent = multiplier.rule.percent if multiplier else 100
        if rule.multiply == "before":
            total.minutes[100] = total.minutes.get(100, 0) + percent_of(minutes, percent)
        else:
            total.minutes[percent] = total.minutes.get(percent, 0) + minutes
        clauses += [clause for clause in (multiplier.rule.clause if multiplier else ()) if clause not in clauses]

    rounded = sum(percent_of(rounding.rounded(minutes), percent) for percent, minutes in total.minutes.items())
    charged = max(minimum, rounded) if any(total.minutes.values()) else 0
    account, counted_in, quantity = _quantity(charged, price, terms)
    line = Line(
        work_id=work.work_id,
        kind=work.kind,
        at=work.started_at,
        worked=work.minutes,
        rounded=rounded - total.rounded,
        charged=charged - total.charged,
        quantity=quantity - total.quantity,
        counted_in=counted_in,
        account=account,
        reason=None,
        clauses=tuple(clauses),
        rate=price if price is not None and counted_in == price.currency else None,
    )
    total.rounded, total.charged, total.quantity = rounded, charged, quantity
    return line


def _quantity(charged: int, rate: Rate | None, terms: Terms | None) -> tuple[str | None, str, int]:
    """Return the account, what it counts, and how many of it some charged minutes are.

    Where the account counts a currency and no rate gives one, the minutes are owed: they are priced elsewhere.
    """
    if terms is not None and terms.counted_in == "minute":
        return terms.name, "minute", charged
    if terms is not None and terms.counted_in == "credit_unit":
        return terms.name, "credit_unit", -(-charged // terms.unit_minutes)
    if rate is not None:
        account = terms.name if terms is not None and terms.counted_in == rate.currency else None
        price = price_of(charged, minor=rate.minor, per_minutes=parse_minutes(rate.per))
        return account, rate.currency, price
    return None, "minute", charged


def _free_line(work: Work, *, reason: str, clauses: tuple[str, ...]) -> Line:
    return Line(
        work_id=work.work_id,
        kind=work.kind,
        at=work.started_at,
        worked=work.minutes,
        rounded=0,
        charged=0,
        quantity=0,
        counted_in="minute",
        account=None,
        reason=reason,
        clauses=clauses,
    )


def _no_show_line(rule: NoShow | None, work: Work, accounts: Mapping[str, Terms], *, is_repeated: bool) -> Line:
    if rule is None:
        return _free_line(work, reason="not_chargeable", clauses=())
    if is_repeated:
        return _free_line(work, reason="already_charged", clauses=rule.clause)
    terms = accounts.get(MAIN)
    charged = parse_quantity(rule.charge, unit_minutes=terms.unit_minutes if terms else 60)
    account, counted_in, quantity = _quantity(charged, None, terms)
    return Line(
        work_id=work.work_id,
        kind=work.kind,
        at=work.started_at,
        worked=work.minutes,
        rounded=charged,
        charged=charged,
        quantity=quantity,
        counted_in=counted_in,
        account=account,
        reason=None,
        clauses=rule.clause,
    )
