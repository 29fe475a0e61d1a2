"""The books of a contract, held open under its lock: what was drawn, what pays for it, and posting the difference.

Everything here runs inside the transaction of a use case that has locked the contract.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from billing.domain import accounts as chart_of
from billing.domain import funding, ledger
from billing.domain.accounts import MAIN, Month, Terms
from billing.domain.funding import Draw, Lot
from billing.domain.ledger import Chart, Entry, Posting, StoredDraw
from billing.domain.parties import Account, Contract
from billing.repository import accounts
from billing.repository import ledger as ledger_repository
from plazo.events.billing import AccountChanged
from plazo.kernel.ids import derived_id
from plazo.kernel.time import EPOCH
from plazo.policy.document import Policy
from plazo.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Why:
    """What makes an entry in the books: `key` is one per cause, `at` the instant the cause was true."""

    key: str
    reason: str
    at: datetime


@dataclass(slots=True)
class Books:
    """The open books of one contract under one policy version."""

    tx: Transaction
    contract: Contract
    policy: Policy
    terms: dict[str, Terms]
    chart: Chart
    moved: dict[UUID, int] = field(default_factory=dict)

    @property
    def main(self) -> Terms | None:
        """The terms of the main account."""
        return self.terms.get(MAIN)

    def prepaid_id(self, name: str) -> UUID:
        """Return the id of a prepaid account."""
        terms = self.terms[name]
        return chart_of.account_id(self.contract.contract_id, terms.name, terms.counted_in)


@dataclass(frozen=True, slots=True)
class Settled:
    """What settling changed: the draws that are paid for otherwise than before, as they were and as they are."""

    before: dict[UUID, StoredDraw]
    after: dict[UUID, StoredDraw]


async def open_books(tx: Transaction, contract: Contract, policy: Policy) -> Books:
    """Open the books of a contract, and the accounts that the policy gives it. The contract is locked."""
    terms = chart_of.prepaid_terms(policy.billing, contract.facts())
    known = await accounts.accounts_of(tx.connection, contract.contract_id)
    chart = Chart(contract_id=contract.contract_id, accounts=known)
    books = Books(tx=tx, contract=contract, policy=policy, terms=terms, chart=chart)
    for one in terms.values():
        account = _prepaid_account(contract, one)
        if account.account_id not in known:
            known[account.account_id] = account
            chart.missing.append(account)
    await _open_missing(books)
    return books


def _prepaid_account(contract: Contract, terms: Terms) -> Account:
    return Account(
        account_id=chart_of.account_id(contract.contract_id, terms.name, terms.counted_in),
        contract_id=contract.contract_id,
        name=terms.name,
        kind="prepaid",
        unit=terms.unit,
        counted_in=terms.counted_in,
        unit_minutes=terms.unit_minutes,
        lower_limit=0,
    )


async def _open_missing(books: Books) -> None:
    await accounts.open_accounts(books.tx, books.chart.missing)
    books.chart.missing.clear()


async def add_grant(
    books: Books, *, account_id: UUID, lot: Lot, cause: str, quantity: int, clauses: tuple[str, ...], why: Why
) -> bool:
    """Grant a lot; false if it was granted before. What it changes is settled by :func:`settle`."""
    if not await accounts.add_lot(
        books.tx, lot, account_id=account_id, cause=cause, reason=why.reason, granted=quantity
    ):
        return False
    counted_in = books.chart.accounts[account_id].counted_in
    await _post(
        books,
        [
            Posting(
                cause="grant",
                reason=why.reason,
                clauses=clauses,
                ticket_id=None,
                work_id=None,
                effective_at=lot.effective_from,
                idempotency_key=why.key,
                entries=(
                    Entry(account_id, lot.lot_id, counted_in, quantity),
                    Entry(books.chart.need("funding", counted_in), None, counted_in, -quantity),
                ),
            )
        ],
    )
    return True


async def settle(
    books: Books,
    *,
    why: Why,
    drawn: Iterable[StoredDraw] = (),
    dropped: Collection[StoredDraw] = (),
    granted: Mapping[UUID, Lot] | None = None,
) -> Settled:
    """Bring the books up to date: `drawn` are new or changed draws, `dropped` are no more.

    `granted` are new lots by the account that holds them. Months that were reached get their allotment, lots past
    their end expire, and every draw from the first change on is paid for anew; the difference is posted.
    """
    tx, contract_id = books.tx, books.contract.contract_id
    changed = {stored.draw.draw_id: stored for stored in drawn}
    touched: dict[UUID, datetime] = {}
    for stored in (*changed.values(), *dropped):
        if stored.account_id is not None:
            _touch(touched, stored.account_id, stored.draw.at)
    instants = {stored.draw.at for stored in changed.values()} | {tx.now}
    new_lots = [*(granted or {}).items(), *await _grant_allotments(books, instants)]
    for account_id, lot in new_lots:
        _touch(touched, account_id, await _first_to_gain(books, account_id, lot))
    for account_id, lot in await accounts.lots_to_expire(tx.connection, contract_id, now=tx.now):
        changed[lot.lot_id] = _expiry(books, account_id, lot)
        assert lot.expires_at is not None
        _touch(touched, account_id, lot.expires_at)

    before = {stored.draw.draw_id: stored for stored in (*dropped, *await _stored(books, changed))}
    # A new draw only takes; what gives something back lets earlier debts be paid.
    gives_back = bool(before or new_lots)
    for stored in before.values():
        if stored.account_id is not None:
            _touch(touched, stored.account_id, stored.draw.at)
    for account_id, at in touched.items():
        owed_at = await ledger_repository.first_owed_at(tx.connection, account_id) if gives_back else None
        since = min(at, owed_at) if owed_at else at
        before |= {
            stored.draw.draw_id: stored
            for stored in await ledger_repository.draws_from(tx.connection, account_id, at=since)
        }
    gone = {stored.draw.draw_id for stored in dropped}
    after = {draw_id: stored for draw_id, stored in {**before, **changed}.items() if draw_id not in gone}
    after = await _funded(books, before, after, touched)

    postings = list(ledger.postings(before, after, books.chart, cause=why.key, reason=why.reason))
    await _post(books, postings)
    different = {
        draw_id: stored
        for draw_id, stored in after.items()
        if draw_id in changed or stored.funding != before[draw_id].funding
    }
    await ledger_repository.drop_draws(tx, gone)
    await ledger_repository.save_draws(tx, contract_id, different.values())
    concerned = different.keys() | gone
    return Settled(before={key: one for key, one in before.items() if key in concerned}, after=different)


def _touch(touched: dict[UUID, datetime], account_id: UUID, at: datetime) -> None:
    touched[account_id] = min(at, touched.get(account_id, at))


async def _stored(books: Books, changed: dict[UUID, StoredDraw]) -> list[StoredDraw]:
    ticket_ids = {stored.ticket_id for stored in changed.values() if stored.ticket_id is not None}
    if not ticket_ids:
        return []
    stored = await ledger_repository.draws_of(books.tx.connection, ticket_ids)
    return [one for one in stored if one.draw.draw_id in changed]


async def _funded(
    books: Books, before: dict[UUID, StoredDraw], after: dict[UUID, StoredDraw], touched: Collection[UUID]
) -> dict[UUID, StoredDraw]:
    """Pay for all draws of the accounts touched, with what is left in their lots once their old draws let go of it."""
    released: dict[UUID, int] = {}
    for stored in before.values():
        for part in stored.funding:
            if part.lot_id is not None:
                released[part.lot_id] = released.get(part.lot_id, 0) + part.quantity
    lots = await accounts.lots_of(books.tx.connection, touched)
    paid: dict[UUID, funding.Funding] = {}
    for account_id in (*touched, None):
        free = [
            replace(lot, remaining=lot.remaining + released.get(lot.lot_id, 0))
            for lot in (lots[account_id] if account_id else ())
        ]
        paid |= funding.fund(free, [one.draw for one in after.values() if one.account_id == account_id])
    return {draw_id: replace(stored, funding=paid[draw_id]) for draw_id, stored in after.items()}


def _expiry(books: Books, account_id: UUID, lot: Lot) -> StoredDraw:
    assert lot.expires_at is not None
    counted_in = books.chart.accounts[account_id].counted_in
    draw = Draw(draw_id=lot.lot_id, kind="expiry", at=lot.expires_at, quantity=lot.remaining, counted_in=counted_in)
    return StoredDraw(draw=draw, account_id=account_id, ticket_id=None, clauses=())


async def _first_to_gain(books: Books, account_id: UUID, lot: Lot) -> datetime:
    """Return from when on a new lot may pay: from its start, or from the first debt if it goes before a later lot."""
    lots = await accounts.lots_of(books.tx.connection, [account_id])
    goes_before = any(other.effective_from > lot.effective_from for other in lots[account_id])
    return EPOCH if goes_before else lot.effective_from


async def _grant_allotments(books: Books, instants: set[datetime]) -> list[tuple[UUID, Lot]]:
    """Grant what the plan includes in each month reached (PRO-05), unless the contract is not valid in it.

    Returns the lots that are new, with their account.
    """
    contract, main = books.contract, books.main
    allotment = chart_of.allotment_of(books.policy.billing, contract.facts())
    if allotment is None or main is None or allotment.amount == 0:
        return []
    zone = books.policy.timezone
    starts = chart_of.midnight(contract.valid_from, zone)
    ends = chart_of.midnight(contract.valid_until, zone) if contract.valid_until else None
    account_id = books.prepaid_id(MAIN)
    new_lots = []
    for month in sorted({chart_of.month_of(at, zone) for at in instants}, key=lambda month: month.start):
        if month.end <= starts or (ends is not None and ends <= month.start):
            continue
        lot = Lot(
            lot_id=derived_id("allotment", account_id, month.name),
            effective_from=max(month.start, starts),
            expires_at=_expires_at(month, ends, rolls_over=allotment.rollover),
            remaining=0,
        )
        is_new = await add_grant(
            books,
            account_id=account_id,
            lot=lot,
            cause="allotment",
            quantity=main.in_counted(allotment.amount),
            clauses=allotment.clause,
            why=Why(key=f"allotment:{lot.lot_id}", reason=f"allotment {month.name}", at=lot.effective_from),
        )
        if is_new:
            new_lots.append((account_id, lot))
    return new_lots


def _expires_at(month: Month, ends: datetime | None, *, rolls_over: bool) -> datetime | None:
    """The rest of a month's allotment ends with the month, or with the contract if it rolls over."""
    if rolls_over:
        return ends
    return min(month.end, ends) if ends else month.end


async def _post(books: Books, postings: list[Posting]) -> None:
    await _open_missing(books)
    await ledger_repository.post(books.tx, books.contract.contract_id, postings)
    for account_id, amount in ledger.balances(entry for one in postings for entry in one.entries).items():
        books.moved[account_id] = books.moved.get(account_id, 0) + amount


def announce_balances(books: Books, why: Why) -> None:
    """Announce the customer's accounts whose balance moved since the books were opened."""
    for account_id, amount in books.moved.items():
        account = books.chart.accounts[account_id]
        if amount and account.kind in {"prepaid", "owed"}:
            books.tx.emit(
                AccountChanged(
                    account_id=account_id,
                    contract_id=account.contract_id,
                    unit=account.counted_in,
                    balance=account.balance + amount,
                ),
                about=account_id,
                occurred_at=why.at,
            )
