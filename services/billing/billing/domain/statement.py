"""Statements: what a month did to the accounts of a contract, and how a closed one is sealed."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from babel.core import get_global

from billing.domain.accounts import Month, month_of
from plazo.calendar.zone import load_zone

#: What the first statement of a contract follows.
FIRST = "0" * 64

#: How amounts and dates are written: for each country of the contracts, and in English.
LOCALES = ("es_ES", "es_PE", "es_CL", "es_VE", "en")

#: What an entry did: `granted` and `credited` bring, the others take.
Movement = Literal["granted", "used", "held", "expired", "credited"]
BRINGING: tuple[Movement, ...] = ("granted", "credited")
#: Where an entry stands: in the month, or before it and learnt after the month it belongs to was closed.
Place = Literal["month", "late", "after"]


@dataclass(frozen=True, slots=True)
class Sum:
    """What entries of one kind, of one ticket, come to on an account. `amount` is what the account gained."""

    account_id: UUID
    place: Place
    movement: Movement
    ticket_id: UUID | None
    number: str | None
    amount: int
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class TicketUse:
    """What a ticket took from an account."""

    ticket_id: UUID
    number: str
    quantity: int
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Day:
    """What an account held as a local day ended."""

    date: date
    balance: int


@dataclass(frozen=True, slots=True)
class AccountMonth:
    """What happened to an account. `opening + granted - used - held - expired + credited + late = closing`.

    On an account of kind `owed`, `used` is what goes beyond what was bought. `late` is what belongs to closed months.
    """

    account_id: UUID
    name: str
    kind: str
    unit: str
    counted_in: str
    unit_minutes: int
    opening: int
    granted: int
    used: int
    held: int
    expired: int
    credited: int
    late: int
    closing: int
    by_ticket: tuple[TicketUse, ...] = ()
    days: tuple[Day, ...] = ()


@dataclass(frozen=True, slots=True)
class LateEntry:
    """An entry that belongs to a month that was closed before it came. `amount` is what the account gained."""

    entry: int
    month: str
    account_id: UUID
    movement: Movement
    ticket_id: UUID | None
    number: str | None
    amount: int
    effective_at: datetime
    recorded_at: datetime
    clauses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CreditLine:
    """A breached guarantee of the month, and what the provider owes for it."""

    credit_id: UUID
    ticket_id: UUID
    number: str
    kind: str
    breached_at: datetime
    percent: int
    amount: int
    counted_in: str
    clauses: tuple[str, ...]
    explanation: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Statement:
    """A contract's accounts over a month of its policy's zone, by the instants at which things were true.

    What a month's allotment has left at its end expires in that month. `entries` were read, with the hash of all.
    """

    contract_id: UUID
    customer_id: UUID
    policy: str
    plan: str | None
    provider: str
    month: str
    timezone: str
    locale: str
    begins_at: datetime
    ends_at: datetime
    accounts: tuple[AccountMonth, ...]
    late: tuple[LateEntry, ...] = ()
    credits: tuple[CreditLine, ...] = ()
    entries: int = 0
    entries_hash: str = ""


@dataclass(frozen=True, slots=True)
class Closed:
    """A month as it was closed: `number` counts the statements of the contract, `through` is the last entry seen."""

    month: str
    number: int
    through: int
    closed_at: datetime
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AccountNow:
    """An account as it stands now."""

    account_id: UUID
    name: str
    kind: str
    unit: str
    counted_in: str
    unit_minutes: int
    balance: int


class SumsDiffer(Exception):
    """An account of a statement does not add up. It must never be closed."""


@dataclass(slots=True)
class _Totals:
    month: dict[Movement, int] = field(default_factory=dict)
    late: int = 0
    after: int = 0
    tickets: list[TicketUse] = field(default_factory=list)


def account_months(
    accounts: Iterable[AccountNow],
    sums: Iterable[Sum],
    *,
    moved: Mapping[UUID, Mapping[int, int]] | None = None,
    days: tuple[date, ...] = (),
) -> tuple[AccountMonth, ...]:
    """Put each account's month together, from what it holds now and what its entries did since the month began.

    `moved` says what each account gained on each of the `days`, by number from 1.
    """
    totals: dict[UUID, _Totals] = {}
    for one in sums:
        total = totals.setdefault(one.account_id, _Totals())
        if one.place == "after":
            total.after += one.amount
        elif one.place == "late":
            total.late += one.amount
        else:
            total.month[one.movement] = total.month.get(one.movement, 0) + one.amount
            if one.movement == "used" and one.ticket_id is not None and one.number is not None and one.amount:
                total.tickets.append(TicketUse(one.ticket_id, one.number, -one.amount, one.clauses))
    return tuple(
        _account_month(
            account, totals.get(account.account_id, _Totals()), (moved or {}).get(account.account_id, {}), days
        )
        for account in accounts
    )


def _account_month(
    account: AccountNow, total: _Totals, moved: Mapping[int, int], days: tuple[date, ...]
) -> AccountMonth:
    closing = account.balance - total.after
    opening = closing - total.late - sum(total.month.values())
    return AccountMonth(
        account_id=account.account_id,
        name=account.name,
        kind=account.kind,
        unit=account.unit,
        counted_in=account.counted_in,
        unit_minutes=account.unit_minutes,
        opening=opening,
        granted=total.month.get("granted", 0),
        used=-total.month.get("used", 0),
        held=-total.month.get("held", 0),
        expired=-total.month.get("expired", 0),
        credited=total.month.get("credited", 0),
        late=total.late,
        closing=closing,
        by_ticket=tuple(total.tickets),
        days=running_days(opening + total.late, moved, days if account.kind == "prepaid" else ()),
    )


def check_sums(statement: Statement, previous: Statement | None) -> None:
    """Check that every account adds up, that it opens as it closed, and that what is late is told entry by entry.

    :raises SumsDiffer: naming the account
    """
    before = {one.account_id: one.closing for one in previous.accounts} if previous else {}
    late: dict[UUID, int] = {}
    for entry in statement.late:
        late[entry.account_id] = late.get(entry.account_id, 0) + entry.amount
    for one in statement.accounts:
        moved = one.granted - one.used - one.held - one.expired + one.credited + one.late
        name = f"account {one.account_id} in {statement.month}"
        if one.opening + moved != one.closing:
            raise SumsDiffer(f"{name} opens with {one.opening}, moves by {moved} and closes with {one.closing}")
        closed_with = before.get(one.account_id, 0)
        if previous is not None and one.opening != closed_with:
            raise SumsDiffer(f"{name} opens with {one.opening}, {previous.month} closed with {closed_with}")
        if one.late != late.get(one.account_id, 0):
            raise SumsDiffer(f"{name} tells of {one.late} late, its late entries of {late.get(one.account_id, 0)}")
        if one.used != sum(use.quantity for use in one.by_ticket):
            raise SumsDiffer(f"{name} tells of {one.used} used, its tickets of otherwise")


def running_days(opening: int, moved: Mapping[int, int], days: Iterable[date]) -> tuple[Day, ...]:
    """Return what an account held as each day ended; `moved` says what it gained on each, by number from 1."""
    held, running = [], opening
    for number, day in enumerate(days, start=1):
        running += moved.get(number, 0)
        held.append(Day(day, running))
    return tuple(held)


def days_of(month: Month, zone: str) -> tuple[date, ...]:
    """Return the local dates of a month."""
    first = month.start.astimezone(load_zone(zone)).date()
    dates = (first + timedelta(days=number) for number in range(31))
    return tuple(day for day in dates if day.month == first.month)


def month_after(month: Month, zone: str) -> Month:
    """Return the month that follows."""
    return month_of(month.end, zone)


def month_before(month: Month, zone: str) -> Month:
    """Return the month before."""
    return month_of(month.start - timedelta(days=1), zone)


def month_holding(instant: datetime, zone: str, *, is_end: bool) -> Month:
    """Return the month an instant belongs to; what `is_end` belongs to the month it is the end of."""
    return month_of(instant - timedelta(microseconds=1) if is_end else instant, zone)


def locale_for(language: str, timezone: str) -> str:
    """Return how a contract's amounts and dates are written: in its language, as where its zone is."""
    if language == "en":
        return "en"
    territory = get_global("zone_territories").get(timezone)
    locale = f"{language}_{territory}"
    return locale if locale in LOCALES else LOCALES[0]


def statement_hash(previous_hash: str, document: Mapping[str, Any]) -> str:
    """Return the hash that seals a statement (as JSON values) over the one before it."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{previous_hash}\n{text}".encode()).hexdigest()
