"""The accounts of a contract: what each counts, and what a policy says of those that customers draw on."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from uuid import UUID

from plazo.calendar.zone import load_zone
from plazo.kernel.ids import derived_id
from plazo.policy.charging import Account, Allotment, Billing
from plazo.policy.decide import Facts, first_match, matches

MAIN = "main"

Unit = Literal["credit_unit", "hour", "workday", "currency", "percent"]
#: `prepaid` is drawn on and never passes its floor; `owed` is what the customer owes beyond it, as a negative
#: balance; `credited` is what the provider owes; the others are the other side of each entry.
Kind = Literal["prepaid", "owed", "income", "funding", "reserved", "expired", "credited", "penalty"]


@dataclass(frozen=True, slots=True)
class Terms:
    """What a prepaid account counts.

    `counted_in` is `credit_unit`, `minute` (hours and workdays) or an ISO currency; `unit_minutes` is the work that a
    credit unit or a workday is worth.
    """

    name: str
    unit: Unit
    counted_in: str
    unit_minutes: int
    minimum_balance: int
    on_minimum: Literal["check", "reserve"]
    clauses: tuple[str, ...]
    warn_below: int | None = None

    @property
    def floor_to_begin(self) -> int:
        """The minimum balance in what the account counts."""
        return self.in_counted(self.minimum_balance)

    def in_counted(self, units: int) -> int:
        """Turn whole units (hours, workdays, credit units, minor currency) into what the account counts."""
        return units * self.unit_minutes if self.counted_in == "minute" else units


def prepaid_terms(billing: Billing, facts: Facts) -> dict[str, Terms]:
    """Return the prepaid accounts a contract with these facts has: the main one, and bags that its plan gives it.

    An allotment without an account of its own makes the main one.
    """
    terms = {}
    allotment = allotment_of(billing, facts)
    if billing.account is not None:
        terms[MAIN] = _terms(MAIN, billing.account)
    elif allotment is not None:
        terms[MAIN] = Terms(
            name=MAIN,
            unit=allotment.unit,
            counted_in="minute" if allotment.unit in {"hour", "workday"} else allotment.unit,
            unit_minutes=60,
            minimum_balance=0,
            on_minimum="check",
            clauses=allotment.clause,
        )
    for bag in billing.bags:
        if matches(bag.when, facts):
            terms[bag.name] = _terms(bag.name, bag)
    return terms


def _terms(name: str, account: Account) -> Terms:
    counted_in = {"credit_unit": "credit_unit", "currency": account.currency or ""}.get(account.unit, "minute")
    return Terms(
        name=name,
        unit=account.unit,
        counted_in=counted_in,
        # An hour has sixty minutes whatever a document says of its units.
        unit_minutes=60 if account.unit == "hour" else account.unit_minutes,
        minimum_balance=account.minimum_balance,
        on_minimum=account.on_minimum,
        clauses=account.clause,
        warn_below=account.warn_below,
    )


def allotment_of(billing: Billing, facts: Facts) -> Allotment | None:
    """Return what the plan includes each month, if anything. PRO-05"""
    found = first_match(billing.allotments, facts)
    return found.rule if found else None


@lru_cache(maxsize=10_000)
def account_id(contract_id: UUID, name: str, counted_in: str) -> UUID:
    """Return the id of an account: one per contract, name and what it counts."""
    return derived_id("account", contract_id, name, counted_in)


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month of a zone, half-open."""

    name: str
    start: datetime
    end: datetime


def month_of(instant: datetime, zone: str) -> Month:
    """Return the month in which an instant lies where `zone` is."""
    local = instant.astimezone(load_zone(zone))
    first = date(local.year, local.month, 1)
    following = (first + timedelta(days=32)).replace(day=1)
    return Month(name=first.strftime("%Y-%m"), start=midnight(first, zone), end=midnight(following, zone))


def months_between(start: datetime, until: datetime, zone: str) -> Iterator[Month]:
    """Give the months from that of one instant to that of another, both included."""
    month = month_of(start, zone)
    while month.start <= until:
        yield month
        month = month_of(month.end, zone)


def months_after(month: Month, count: int, zone: str) -> Month:
    """Return the month that comes so many months later."""
    for _ in range(count):
        month = month_of(month.end, zone)
    return month


def midnight(day: date, zone: str) -> datetime:
    """Return the UTC instant at which a local date begins."""
    return datetime(day.year, day.month, day.day, tzinfo=load_zone(zone)).astimezone(UTC)


def month_named(name: str, zone: str) -> Month:
    """Return a month by its name, such as 2026-05. :raises ValueError: if there is none"""
    first = date.fromisoformat(f"{name}-01")
    return month_of(midnight(first, zone), zone)
