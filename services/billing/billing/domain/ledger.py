"""Postings: what must be written so that every draw is paid for as it should be."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from billing.domain.accounts import Kind, Unit, account_id
from billing.domain.funding import Draw, DrawKind, Funding, difference
from billing.domain.parties import Account
from billing.domain.rating import Line

Cause = Literal["grant", "post", "reserve", "expire", "correct", "penalty", "reversal"]
_CAUSES: Mapping[DrawKind, Cause] = {
    "work": "post",
    "no_show": "post",
    "hold": "reserve",
    "expiry": "expire",
    "cap": "expire",
}
_OTHER_SIDE: Mapping[DrawKind, Kind] = {
    "work": "income",
    "no_show": "income",
    "hold": "reserved",
    "expiry": "expired",
    "cap": "expired",
}
_UNITS: Mapping[str, Unit] = {"minute": "hour", "credit_unit": "credit_unit", "percent": "percent"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a transaction; what an account gains is positive."""

    account_id: UUID
    lot_id: UUID | None
    counted_in: str
    amount: int


@dataclass(frozen=True, slots=True)
class Posting:
    """A transaction to write. Its entries add up to zero for whatever they count.

    `idempotency_key` follows from the event and the rule, so that the same cause is posted once.
    """

    cause: Cause
    reason: str
    clauses: tuple[str, ...]
    ticket_id: UUID | None
    work_id: UUID | None
    effective_at: datetime
    idempotency_key: str
    entries: tuple[Entry, ...]


@dataclass(frozen=True, slots=True)
class StoredDraw:
    """A draw with what it is for, and what pays for it. `line` is what a piece of work was rated at."""

    draw: Draw
    account_id: UUID | None
    ticket_id: UUID | None
    clauses: tuple[str, ...]
    line: Line | None = None
    funding: Funding = ()

    @property
    def owed(self) -> int:
        """What nothing pays for yet, in what the account counts."""
        return sum(part.quantity for part in self.funding if part.source in {"owed", "refused"})


@dataclass(slots=True)
class Chart:
    """The accounts of a contract; those that a posting needs and are not open yet are gathered in `missing`."""

    contract_id: UUID
    accounts: dict[UUID, Account]
    missing: list[Account] = field(default_factory=list)

    def need(self, kind: Kind, counted_in: str) -> UUID:
        """Return the account of a kind that counts something; only prepaid ones have names of their own."""
        wanted = account_id(self.contract_id, kind, counted_in)
        if wanted not in self.accounts:
            account = Account(
                account_id=wanted,
                contract_id=self.contract_id,
                name=kind,
                kind=kind,
                unit=_UNITS.get(counted_in, "currency"),
                counted_in=counted_in,
                unit_minutes=60,
                lower_limit=0 if kind in {"reserved", "credited"} else None,
            )
            self.accounts[wanted] = account
            self.missing.append(account)
        return wanted


def postings(
    before: Mapping[UUID, StoredDraw], after: Mapping[UUID, StoredDraw], chart: Chart, *, cause: str, reason: str
) -> Iterator[Posting]:
    """Give what must be posted to get from one state of some draws to another.

    A draw that had been paid for is corrected by a transaction of its own, at the instant it is about. `cause` names
    what made it necessary.
    """
    for draw_id in dict.fromkeys((*before, *after)):
        old, new = before.get(draw_id), after.get(draw_id)
        shown = new or old
        assert shown is not None
        entries = tuple(_entries(old, new, chart))
        if not entries:
            continue
        kind = shown.draw.kind
        yield Posting(
            cause="correct" if old is not None and old.funding else _CAUSES[kind],
            reason=reason,
            clauses=shown.clauses,
            ticket_id=shown.ticket_id,
            work_id=shown.line.work_id if shown.line else None,
            effective_at=(old or shown).draw.at,
            idempotency_key=f"{cause}/{draw_id}",
            entries=entries,
        )


def _entries(old: StoredDraw | None, new: StoredDraw | None, chart: Chart) -> Iterator[Entry]:
    shown = new or old
    assert shown is not None
    kind = shown.draw.kind
    changes = difference(old.funding if old else (), new.funding if new else ())
    totals: dict[str, int] = {}
    for change in changes:
        if change.lot_id is None:
            source = chart.need("owed", change.counted_in)
        else:
            # An old draw may have drawn on another account; a lot knows its own.
            holder = new if new is not None and _pays(new, change.lot_id) else old
            assert holder is not None
            assert holder.account_id is not None
            source = holder.account_id
        yield Entry(source, change.lot_id, change.counted_in, -change.quantity)
        totals[change.counted_in] = totals.get(change.counted_in, 0) + change.quantity
    for counted_in, total in totals.items():
        if total:
            yield Entry(chart.need(_OTHER_SIDE[kind], counted_in), None, counted_in, total)


def _pays(stored: StoredDraw, lot_id: UUID) -> bool:
    return any(part.lot_id == lot_id for part in stored.funding)


def balances(entries: Iterable[Entry]) -> dict[UUID, int]:
    """Return by how much each account moves."""
    moved: dict[UUID, int] = {}
    for entry in entries:
        moved[entry.account_id] = moved.get(entry.account_id, 0) + entry.amount
    return moved
