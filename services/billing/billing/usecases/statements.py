"""Statements: what happened to a contract's accounts in a month, and closing it for good."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from uuid import UUID

from billing.domain.accounts import Month, midnight, month_named, month_of
from billing.domain.parties import Contract
from billing.domain.statement import (
    FIRST,
    Closed,
    LateEntry,
    Statement,
    account_months,
    check_sums,
    days_of,
    locale_for,
    month_after,
    month_before,
    month_holding,
    statement_hash,
)
from billing.domain.statement_lines import StatementLine, statement_lines
from billing.domain.statement_words import Wording
from billing.repository import parties, statements
from billing.repository.statements import Span
from billing.schemas.statements import ClosedMonthView, StatementView
from billing.usecases.accounts import bring_up_to_date
from billing.usecases.statement_page import render_page
from plazo.calendar.zone import load_zone
from plazo.events.billing import StatementClosed
from plazo.kernel.errors import Kind, NotFound, PlazoError
from plazo.kernel.time import format_instant
from plazo.policy.document import Policy
from plazo.runtime import policies
from plazo.runtime.database import Connection
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


class MonthOpen(PlazoError):
    """The month has not ended, or nothing was entered in it or before it."""

    kind = Kind.CONFLICT
    code = "month-open"


class NoStatement(PlazoError):
    """There is no statement of that month: it lies before the first one that was closed."""

    kind = Kind.NOT_FOUND
    code = "no-statement"


@dataclass(frozen=True, slots=True)
class _Book:
    """A contract whose statements are asked for, locked, with its policy of now."""

    contract: Contract
    policy: Policy

    @property
    def zone(self) -> str:
        """Where its months begin."""
        return self.policy.timezone

    def month(self, name: str) -> Month:
        """Return a month by its name."""
        return month_named(name, self.zone)

    def closes_by_itself_at(self, month: Month) -> datetime:
        """Return from when on the first reading closes a month."""
        day = month.end.astimezone(load_zone(self.zone)).date()
        return midnight(day + timedelta(days=self.policy.billing.statements.closes_after_days), self.zone)


async def read_statement(uow: UnitOfWork, *, contract_id: UUID, month: str, customer_id: UUID | None) -> StatementView:
    """Return the statement of a contract for a month of its policy's zone.

    A month that has ended is closed first, with those before it, once the days have passed that the policy leaves for
    it. One that has not is as it is known now.

    :raises NotFound: for a contract that the caller may not see, or whose policy is not in force
    :raises NoStatement: for a month before the first closed one
    """
    return _view(*await _find(uow, contract_id=contract_id, month=month, customer_id=customer_id))


async def print_statement(
    uow: UnitOfWork, *, contract_id: UUID, month: str, customer_id: UUID | None, locale: str | None
) -> str:
    """Return a statement as a page, written as in a locale, the contract's by default. Raises as reading it does."""
    statement, closed = await _find(uow, contract_id=contract_id, month=month, customer_id=customer_id)
    return render_page(statement, closed, Wording(locale or statement.locale, statement.timezone))


async def list_lines(
    uow: UnitOfWork,
    *,
    contract_id: UUID,
    month: str,
    customer_id: UUID | None,
    locale: str | None,
    with_balances: bool = False,
) -> tuple[StatementLine, ...]:
    """Return a statement line by line. Raises as reading it does."""
    statement, closed = await _find(uow, contract_id=contract_id, month=month, customer_id=customer_id)
    words = Wording(locale or statement.locale, statement.timezone)
    return statement_lines(
        statement, number=closed.number if closed else None, words=words, with_balances=with_balances
    )


async def _find(
    uow: UnitOfWork, *, contract_id: UUID, month: str, customer_id: UUID | None
) -> tuple[Statement, Closed | None]:
    async with uow.begin() as tx:
        book = await _open(tx, contract_id, customer_id=customer_id)
        await _close_what_is_due(tx, book)
        return await _read(tx.connection, book, book.month(month))


async def close_statement(uow: UnitOfWork, *, contract_id: UUID, month: str) -> StatementView:
    """Close a month that has ended, and those before it, for good; closing it again answers the same.

    :raises NotFound: if there is no such contract, or its policy is not in force
    :raises MonthOpen: if it has not ended, or there is nothing to state
    :raises NoStatement: for a month before the first closed one
    """
    async with uow.begin() as tx:
        book = await _open(tx, contract_id, customer_id=None)
        wanted = book.month(month)
        if wanted.end > tx.now:
            raise MonthOpen(f"{month} ends at {format_instant(wanted.end)} where the contract is; it is not over yet")
        await _close_through(tx, book, wanted)
        statement, closed = await _read(tx.connection, book, wanted)
        if closed is None:
            raise MonthOpen(f"nothing was entered for the contract in {month} or before; there is nothing to close")
        view = _view(statement, closed)
        tx.answer = view.model_dump(mode="json")
    return view


async def list_statements(
    uow: UnitOfWork, *, contract_id: UUID, customer_id: UUID | None, cursor: str | None, limit: int
) -> Page[ClosedMonthView]:
    """Return the closed months of a contract, newest first. :raises NotFound:"""
    before = position(cursor, int)
    async with uow.read() as connection:
        contract = await parties.find_contract(connection, contract_id)
        if contract is None or customer_id not in {None, contract.customer_id}:
            raise NotFound(f"there is no contract {contract_id}")
        rows = await statements.list_closed(
            connection, contract_id, before=before[0] if before else None, limit=limit + 1
        )
    views = [
        ClosedMonthView(
            contract_id=contract_id,
            month=one.month,
            number=one.number,
            closed_at=one.closed_at,
            previous_hash=one.previous_hash,
            hash=one.hash,
        )
        for one in rows
    ]
    return page_of(views, limit=limit, keys=lambda one: (one.number,))


async def _open(tx: Transaction, contract_id: UUID, *, customer_id: UUID | None) -> _Book:
    contract = await parties.find_contract(tx.connection, contract_id, lock=True)
    if contract is None or customer_id not in {None, contract.customer_id}:
        raise NotFound(f"there is no contract {contract_id}")
    policy = await policies.policy_in_force(tx.connection, policy=contract.policy, at=tx.now)
    if policy is None:
        raise NotFound(f"no version of policy {contract.policy} is in force on {tx.now.date()}")
    await bring_up_to_date(tx, contract)
    return _Book(contract, policy)


async def _close_what_is_due(tx: Transaction, book: _Book) -> None:
    month = month_of(tx.now, book.zone)
    # At most two months are over and not due, however long a policy waits.
    for _ in range(3):
        month = month_before(month, book.zone)
        if book.closes_by_itself_at(month) <= tx.now:
            await _close_through(tx, book, month)
            return


async def _close_through(tx: Transaction, book: _Book, last: Month) -> None:
    """Close every month that is open, the oldest first, until `last`."""
    closed = await statements.last_closed(tx.connection, book.contract.contract_id)
    if closed is not None:
        month = month_after(book.month(closed.month), book.zone)
    else:
        first = await statements.first_effective_at(tx.connection, book.contract.contract_id)
        if first is None:
            return
        month = month_of(first, book.zone)
    while month.end <= last.end:
        closed = await _close(tx, book, month, closed)
        month = month_after(month, book.zone)


async def _close(tx: Transaction, book: _Book, month: Month, previous: Closed | None) -> Closed:
    statement = await _compose(tx.connection, book, month, previous=previous)
    before = None
    if previous is not None:
        found = await statements.find_closed(tx.connection, book.contract.contract_id, previous.month)
        before = found[1] if found else None
    check_sums(statement, before)
    previous_hash = previous.hash if previous else FIRST
    closed = Closed(
        month=month.name,
        number=previous.number + 1 if previous else 1,
        through=await statements.last_entry(tx.connection),
        closed_at=tx.now,
        previous_hash=previous_hash,
        hash=statement_hash(previous_hash, statements.document_of(statement)),
    )
    await statements.close_month(tx, statement, closed)
    tx.emit(
        StatementClosed(
            contract_id=statement.contract_id,
            customer_id=statement.customer_id,
            month=closed.month,
            number=closed.number,
            hash=closed.hash,
            closed_at=closed.closed_at,
        ),
        about=statement.contract_id,
        occurred_at=tx.now,
    )
    return closed


async def _read(connection: Connection, book: _Book, month: Month) -> tuple[Statement, Closed | None]:
    contract_id = book.contract.contract_id
    if (found := await statements.find_closed(connection, contract_id, month.name)) is not None:
        return found[1], found[0]
    last = await statements.last_closed(connection, contract_id)
    if last is not None and month.name < last.month:
        raise NoStatement(f"the statements of the contract begin after {month.name}")
    # What comes before an open month is late only once the month before is closed.
    follows = last is not None and month_after(book.month(last.month), book.zone).name == month.name
    return await _compose(connection, book, month, previous=last if follows else None), None


async def _compose(connection: Connection, book: _Book, month: Month, *, previous: Closed | None) -> Statement:
    contract, policy, zone = book.contract, book.policy, book.zone
    span = Span(
        contract.contract_id,
        month.start,
        month.end,
        previous.through if previous else None,
        previous.closed_at if previous else None,
    )
    days = days_of(month, zone)
    read = await statements.read_month(connection, span, day_starts=[midnight(day, zone) for day in days])
    return Statement(
        contract_id=contract.contract_id,
        customer_id=contract.customer_id,
        policy=policy.policy,
        plan=contract.plan,
        provider=policy.provider.name,
        month=month.name,
        timezone=zone,
        locale=policy.billing.statements.locale or locale_for(policy.language, zone),
        begins_at=month.start,
        ends_at=month.end,
        accounts=account_months(
            await statements.list_accounts(connection, contract.contract_id),
            read.sums,
            moved=read.days,
            days=days,
        ),
        late=tuple(
            LateEntry(**one, month=month_holding(one["effective_at"], zone, is_end=one["movement"] == "expired").name)
            for one in read.late
        ),
        credits=tuple(await statements.list_credits(connection, contract.contract_id, month.name)),
        entries=read.entries,
        entries_hash=read.entries_hash,
    )


def _view(statement: Statement, closed: Closed | None) -> StatementView:
    return StatementView(
        state="closed" if closed else "open",
        number=closed.number if closed else None,
        closed_at=closed.closed_at if closed else None,
        previous_hash=closed.previous_hash if closed else None,
        hash=closed.hash if closed else None,
        **{one.name: getattr(statement, one.name) for one in fields(statement)},
    )
