"""What a ticket's work costs: a function of all of it, in the order in which it was done.

Minutes are summed over the scope that the rule names before they are rounded (SMA-17), so a piece of work is charged
what it adds to the sum: the first takes the minimum, one that fits in a started hour takes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from billing.domain.accounts import MAIN, Terms
from plazo.calendar.zone import load_zone
from plazo.money import Rounding, parse_minutes, parse_quantity, percent_of, price_of
from plazo.policy.charging import Billing, NoShow, Rate, WorkRule
from plazo.policy.decide import Facts, first_match

WorkKind = Literal["work", "no_show"]


@dataclass(frozen=True, slots=True)
class Work:
    """Something done, or in vain begun, for a ticket. `facts` are its own, beside the ticket's.

    `appointment` names the scheduled activity from which the customer was absent (SMA-19).
    """

    work_id: UUID
    kind: WorkKind
    started_at: datetime
    minutes: int
    facts: Facts
    appointment: str | None = None

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
    kind: WorkKind
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

    worked: int = 0
    counted: int = 0
    rounded: int = 0
    charged: int = 0
    quantity: int = 0


def rate(
    billing: Billing, *, facts: Facts, accounts: Mapping[str, Terms], zone: str, work: Iterable[Work]
) -> tuple[Line, ...]:
    """Charge all work of a ticket by the first work rule that matches each piece.

    `facts` are the ticket's, the newest ones: what turns out to be the cause is the cause of all of it. `accounts`
    are the contract's prepaid ones; `zone` is where a day or a month of scope begins.
    """
    sums: dict[tuple[object, ...], _Sum] = {}
    absent_from: set[str | None] = set()
    lines = []
    for one in sorted(work, key=lambda one: one.place):
        if one.kind == "no_show":
            lines.append(_no_show_line(billing.no_show, one, accounts, is_repeated=one.appointment in absent_from))
            absent_from.add(one.appointment)
            continue
        found = first_match(billing.work, {**facts, **one.facts})
        if found is None:
            lines.append(_free_line(one, reason="not_chargeable", clauses=()))
        elif not found.rule.charge:
            lines.append(_free_line(one, reason=found.rule.reason or "not_chargeable", clauses=found.rule.clause))
        else:
            key = (found.index, *_scope_of(found.rule, one, zone))
            lines.append(_charged_line(found.rule, one, {**facts, **one.facts}, accounts, sums.setdefault(key, _Sum())))
    return tuple(lines)


def _scope_of(rule: WorkRule, work: Work, zone: str) -> tuple[object, ...]:
    local = work.started_at.astimezone(load_zone(zone))
    match rule.scope:
        case "entry":
            return (work.work_id,)
        case "day":
            return (local.date(),)
        case "month":
            return (local.year, local.month)
        case _:
            return ()


def _charged_line(rule: WorkRule, work: Work, facts: Facts, accounts: Mapping[str, Terms], total: _Sum) -> Line:
    terms = accounts.get(rule.account or MAIN)
    unit_minutes = terms.unit_minutes if terms else 60
    minimum = parse_quantity(rule.minimum, unit_minutes=unit_minutes) if rule.minimum else 0
    rounding = Rounding(increment=parse_minutes(rule.increment), mode=rule.rounding, minimum=minimum)
    multiplier = first_match(rule.multipliers, facts)
    clauses = rule.clause + (multiplier.rule.clause if multiplier else ())

    counted = total.counted + (percent_of(work.minutes, multiplier.rule.percent) if multiplier else work.minutes)
    account, counted_in, quantity = _quantity(rounding.charged(counted), rule.rate, terms)
    after = _Sum(
        worked=total.worked + work.minutes,
        counted=counted,
        rounded=rounding.rounded(counted),
        charged=rounding.charged(counted),
        quantity=quantity,
    )
    line = Line(
        work_id=work.work_id,
        kind=work.kind,
        at=work.started_at,
        worked=work.minutes,
        rounded=after.rounded - total.rounded,
        charged=after.charged - total.charged,
        quantity=after.quantity - total.quantity,
        counted_in=counted_in,
        account=account,
        reason=None,
        clauses=clauses,
        rate=rule.rate if counted_in == _currency_of(rule.rate) else None,
    )
    total.worked, total.counted, total.rounded = after.worked, after.counted, after.rounded
    total.charged, total.quantity = after.charged, after.quantity
    return line


def _currency_of(rate: Rate | None) -> str | None:
    return rate.currency if rate else None


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
