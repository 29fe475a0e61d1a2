"""The books of a contract, held open under its lock: what was drawn, what pays for it, and posting the difference.

Everything here runs inside the transaction of a use case that has locked the contract. The books are read once as they
are opened, changed in memory, and written once as they are closed.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.domain import accounts as chart_of
from billing.domain.accounts import MAIN, Terms
from billing.domain.funding import Lot
from billing.domain.ledger import Chart, Entry, Posting
from billing.domain.parties import Account, Contract
from billing.repository.books import Held, NewLot, Unwritten, read_held, read_tickets, write_books
from plazo.events.billing import AccountChanged, AccountLow, ChargeAccrued
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
    held: Held
    chart: Chart
    unwritten: Unwritten
    moved: dict[UUID, int] = field(default_factory=dict)

    @property
    def main(self) -> Terms | None:
        """The terms of the main account."""
        return self.terms.get(MAIN)

    def prepaid_id(self, name: str) -> UUID:
        """Return the id of a prepaid account."""
        terms = self.terms[name]
        return chart_of.account_id(self.contract.contract_id, terms.name, terms.counted_in)

    async def read_tickets(self, ticket_ids: Collection[UUID]) -> None:
        """Read the work and draws of tickets that were not read yet."""
        if missing := set(ticket_ids) - self.held.tickets:
            changed = dict(self.held.draws)
            await read_tickets(self.tx.connection, self.held, missing)
            self.held.draws |= changed


async def open_books(
    tx: Transaction,
    contract: Contract,
    policy: Policy,
    *,
    ticket_ids: Collection[UUID] = (),
    since: datetime | None = None,
) -> Books:
    """Open the books of a contract, and the accounts that the policy gives it. The contract is locked.

    `ticket_ids` are those whose work will be rated; nothing before `since`, where given, is going to change.
    """
    terms = chart_of.prepaid_terms(policy.billing, contract.facts())
    held = await read_held(tx.connection, contract.contract_id, ticket_ids=ticket_ids, since=since)
    unwritten = Unwritten()
    chart = Chart(contract_id=contract.contract_id, accounts=held.accounts, missing=unwritten.accounts)
    books = Books(tx=tx, contract=contract, policy=policy, terms=terms, held=held, chart=chart, unwritten=unwritten)
    for one in terms.values():
        account = _prepaid_account(contract, one)
        if account.account_id not in held.accounts:
            held.accounts[account.account_id] = account
            held.lots[account.account_id] = {}
            unwritten.accounts.append(account)
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


async def write(books: Books) -> None:
    """Write what has changed so far, and announce its charges; what reads the database after it sees it."""
    if books.unwritten:
        for charge in books.unwritten.charges:
            _announce_charge(books.tx, charge)
        await write_books(books.tx, books.contract.contract_id, books.unwritten)
        books.unwritten = Unwritten()
        books.chart.missing = books.unwritten.accounts


async def close_books(books: Books, why: Why) -> None:
    """Write what has changed, and announce the customer's accounts whose balance moved."""
    await write(books)
    warn_below = {books.prepaid_id(name): terms for name, terms in books.terms.items() if terms.warn_below is not None}
    for account_id, amount in books.moved.items():
        account = books.held.accounts[account_id]
        if not amount or account.kind not in {"prepaid", "owed"}:
            continue
        changed = AccountChanged(
            account_id=account_id,
            contract_id=account.contract_id,
            unit=account.counted_in,
            balance=account.balance + amount,
        )
        books.tx.emit(changed, about=account_id, occurred_at=why.at)
        if (terms := warn_below.get(account_id)) is not None:
            _warn_of_low_balance(books, account, terms, why)


def _announce_charge(tx: Transaction, charge: Mapping[str, Any]) -> None:
    fields = ChargeAccrued.model_fields.keys()
    tx.emit(
        ChargeAccrued(**{name: value for name, value in charge.items() if name in fields}),
        about=charge["ticket_id"],
        occurred_at=charge["charged_at"],
    )


def _warn_of_low_balance(books: Books, account: Account, terms: Terms, why: Why) -> None:
    """Announce, once each time, that a balance fell below what the policy names."""
    threshold = terms.in_counted(terms.warn_below or 0)
    balance = account.balance + books.moved[account.account_id]
    if balance < threshold <= account.balance:
        low = AccountLow(
            account_id=account.account_id,
            contract_id=account.contract_id,
            customer_id=books.contract.customer_id,
            account_name=account.name,
            unit=account.counted_in,
            balance=balance,
            threshold=threshold,
            clause=next(iter(terms.clauses), None),
        )
        books.tx.emit(low, about=account.account_id, occurred_at=why.at)


def add_grant(
    books: Books, *, account_id: UUID, lot: Lot, cause: str, quantity: int, clauses: tuple[str, ...], why: Why
) -> None:
    """Grant a lot. What it changes is settled by :func:`settle`."""
    books.held.lots[account_id][lot.lot_id] = lot
    books.unwritten.lots.append(NewLot(lot, account_id, cause=cause, reason=why.reason, granted=quantity))
    counted_in = books.held.accounts[account_id].counted_in
    post(
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


def post(books: Books, postings: Iterable[Posting]) -> None:
    """Post transactions to the open books."""
    for posting in postings:
        books.unwritten.postings.append(posting)
        for entry in posting.entries:
            books.moved[entry.account_id] = books.moved.get(entry.account_id, 0) + entry.amount
            if entry.lot_id is not None:
                lots = books.held.lots[entry.account_id]
                lot = lots[entry.lot_id]
                lots[entry.lot_id] = replace(lot, remaining=lot.remaining + entry.amount)
