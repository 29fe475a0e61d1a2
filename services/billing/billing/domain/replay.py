"""Replaying a contract: its ledger made anew in memory from what was put in, by the functions that made it.

What was put in are grants, the draws that work, holds and expiries are, and breaches. What should come out is every
balance and what pays for each draw.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from uuid import UUID

from billing.domain import funding, ledger
from billing.domain.funding import Lot
from billing.domain.ledger import Chart, Entry, StoredDraw
from billing.domain.parties import Account


@dataclass(frozen=True, slots=True)
class Grant:
    """A lot as it was granted: full."""

    account_id: UUID
    lot: Lot
    counted_in: str


@dataclass(frozen=True, slots=True)
class Owed:
    """What a breach should be credited."""

    counted_in: str
    amount: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a contract. `accounts` say what they hold."""

    contract_id: UUID
    accounts: Mapping[UUID, Account]
    grants: tuple[Grant, ...]
    draws: tuple[StoredDraw, ...]
    owed: tuple[Owed, ...] = ()


def replay_faults(kept: Kept) -> Iterator[str]:
    """Say which draws are paid otherwise than they should be, and which accounts do not hold what they should."""
    chart = Chart(contract_id=kept.contract_id, accounts=dict(kept.accounts))
    paid = _paid_anew(kept)
    for stored in kept.draws:
        should = paid[stored.draw.draw_id]
        if funding.difference(stored.funding, should.funding):
            what = f"{stored.draw.kind} {stored.draw.draw_id}"
            yield f"{what} is paid by {_words(stored)}, replayed it is paid by {_words(should)}"
    should_hold = ledger.balances(
        [
            *_grant_entries(kept.grants, chart),
            *_credit_entries(kept.owed, chart),
            *(entry for one in ledger.postings({}, paid, chart, cause="", reason="") for entry in one.entries),
        ]
    )
    for account_id in should_hold.keys() | kept.accounts.keys():
        account, should_be = kept.accounts.get(account_id), should_hold.get(account_id, 0)
        holds = account.balance if account is not None else 0
        if holds != should_be:
            yield f"account {account_id} holds {holds}, replayed it holds {should_be}"


def _paid_anew(kept: Kept) -> dict[UUID, StoredDraw]:
    paid: dict[UUID, funding.Funding] = {}
    for account_id in {stored.account_id for stored in kept.draws}:
        lots = [grant.lot for grant in kept.grants if grant.account_id == account_id]
        paid |= funding.fund(lots, [stored.draw for stored in kept.draws if stored.account_id == account_id])
    return {stored.draw.draw_id: replace(stored, funding=paid[stored.draw.draw_id]) for stored in kept.draws}


def _grant_entries(grants: Iterable[Grant], chart: Chart) -> Iterator[Entry]:
    for grant in grants:
        amount, unit = grant.lot.remaining, grant.counted_in
        yield Entry(grant.account_id, grant.lot.lot_id, unit, amount)
        yield Entry(chart.need("funding", unit), None, unit, -amount)


def _credit_entries(owed: Iterable[Owed], chart: Chart) -> Iterator[Entry]:
    for one in owed:
        yield Entry(chart.need("credited", one.counted_in), None, one.counted_in, one.amount)
        yield Entry(chart.need("penalty", one.counted_in), None, one.counted_in, -one.amount)


def _words(stored: StoredDraw) -> str:
    parts = [f"{part.quantity} {part.counted_in} of {part.lot_id or part.source}" for part in stored.funding]
    return ", ".join(parts) or "nothing"
