"""Accounts: reading them at any instant, and topping them up."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from billing.domain.accounts import MAIN
from billing.domain.funding import Lot
from billing.domain.parties import Account, Contract
from billing.repository import accounts, ledger, parties
from billing.schemas.accounts import AccountDetailView, AccountView, EntryView, GrantCreate, GrantView, LotView
from billing.usecases.admission import reconsider
from billing.usecases.announcing import announce_charges
from billing.usecases.books import Why, add_grant, close_books, open_books
from billing.usecases.settling import settle
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.kernel.time import format_instant
from plazo.money import format_quantity, parse_quantity
from plazo.runtime import policies
from plazo.runtime.database import Connection
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import Transaction, UnitOfWork

Axis = Literal["effective", "recorded"]
_COLUMNS: dict[Axis, Literal["effective_at", "recorded_at"]] = {
    "effective": "effective_at",
    "recorded": "recorded_at",
}


class NotGrantable(PlazoError):
    """Only a prepaid account takes grants."""

    kind = Kind.CONFLICT
    code = "not-grantable"


async def grant(uow: UnitOfWork, *, account_id: UUID, body: GrantCreate) -> GrantView:
    """Top up an account: debts of its kind are paid, and who waited for the balance is let in, oldest first (SMA-14).

    :raises NotFound: if there is no such account
    :raises NotGrantable: if it is not a prepaid one
    :raises InvalidInput: for a quantity of something else, or instants that cannot be
    """
    async with uow.begin() as tx:
        account = await _account(tx.connection, account_id)
        if account.kind != "prepaid":
            raise NotGrantable(f"account {account_id} is of kind {account.kind}; only prepaid accounts take grants")
        effective_at = body.effective_at or tx.now
        quantity = _counted(account, body.quantity)
        _check_instants(body, now=tx.now)
        contract = await parties.find_contract(tx.connection, account.contract_id, lock=True)
        assert contract is not None, "an account always has its contract"
        policy = await policies.policy_in_force(tx.connection, policy=contract.policy, at=tx.now)
        if policy is None:
            raise NotFound(f"no version of policy {contract.policy} is in force on {tx.now.date()}")
        lot = Lot(lot_id=new_id(), effective_from=effective_at, expires_at=body.expires_at, remaining=0)
        why = Why(key=f"grant:{lot.lot_id}", reason=body.reason, at=effective_at)
        books = await open_books(tx, contract, policy)
        main = books.main
        clauses = main.clauses if main is not None and account.name == MAIN else ()
        add_grant(books, account_id=account_id, lot=lot, cause="grant", quantity=quantity, clauses=clauses, why=why)
        settled = await settle(books, why=why, granted={account_id: lot})
        await announce_charges(books, settled, why=why, cause="grant")
        await close_books(books, why)
        await reconsider(tx, contract, why=why)
        shown = await _view(tx.connection, await _account(tx.connection, account_id), at=tx.now)
        view = GrantView(lot_id=lot.lot_id, quantity=quantity, account=shown)
        tx.answer = view.model_dump(mode="json")
    return view


async def list_accounts(
    uow: UnitOfWork, *, contract_id: UUID | None, customer_id: UUID | None, cursor: str | None, limit: int
) -> Page[AccountView]:
    """Return the accounts a customer sees, with the allotment of this month and without what has expired."""
    after = position(cursor, UUID)
    async with uow.begin() as tx:
        contract = await parties.find_contract(tx.connection, contract_id, lock=True) if contract_id else None
        if contract is not None and customer_id in {None, contract.customer_id}:
            await bring_up_to_date(tx, contract)
        rows = await accounts.list_accounts(
            tx.connection,
            contract_id=contract_id,
            customer_id=customer_id,
            after=after[0] if after else None,
            limit=limit + 1,
        )
        views = [await _view(tx.connection, row, at=tx.now) for row in rows]
    return page_of(views, limit=limit, keys=lambda one: (one.account_id,))


async def read_account(
    uow: UnitOfWork, *, account_id: UUID, customer_id: UUID | None, at: datetime | None, by: Axis
) -> AccountDetailView:
    """Return an account as it is now, or as it was `at` an instant by effective or by recording time.

    :raises NotFound: if there is none that the caller may see
    """
    async with uow.begin() as tx:
        account = await _account(tx.connection, account_id, customer_id=customer_id)
        contract = await parties.find_contract(tx.connection, account.contract_id, lock=True)
        assert contract is not None, "an account always has its contract"
        await bring_up_to_date(tx, contract)
        account = await _account(tx.connection, account_id, customer_id=customer_id)
        view = await _view(tx.connection, account, at=tx.now)
        if at is not None:
            balance = await accounts.balance_at(tx.connection, account_id, at=at, axis=_COLUMNS[by])
            available = await _available(tx.connection, account, at=at) if by == "effective" else None
            view = _shown(account, balance=balance, available=available)
        lots = [LotView(**row) for row in await accounts.list_lots(tx.connection, account_id)]
    return AccountDetailView(**view.model_dump(), lots=lots)


async def list_entries(
    uow: UnitOfWork, *, account_id: UUID, customer_id: UUID | None, cursor: str | None, limit: int
) -> Page[EntryView]:
    """Return the entries of an account in the order in which they were written. :raises NotFound:"""
    after = position(cursor, int)
    async with uow.read() as connection:
        await _account(connection, account_id, customer_id=customer_id)
        rows = await ledger.list_entries(
            connection, account_id=account_id, after=after[0] if after else None, limit=limit + 1
        )
    return page_of([EntryView(**row) for row in rows], limit=limit, keys=lambda one: (one.seq,))


async def _account(connection: Connection, account_id: UUID, *, customer_id: UUID | None = None) -> Account:
    account = await accounts.find_account(connection, account_id, customer_id=customer_id)
    if account is None:
        raise NotFound(f"there is no account {account_id}")
    return account


async def bring_up_to_date(tx: Transaction, contract: Contract) -> None:
    """Grant the allotment of this month and take out what has expired: nobody waits for a month to begin."""
    policy = await policies.policy_in_force(tx.connection, policy=contract.policy, at=tx.now)
    if policy is None:
        return
    books = await open_books(tx, contract, policy)
    why = Why(key=f"update:{new_id()}", reason="brought up to date", at=tx.now)
    settled = await settle(books, why=why)
    await announce_charges(books, settled, why=why, cause="allotment")
    await close_books(books, why)


def _counted(account: Account, quantity: int | str) -> int:
    if isinstance(quantity, int):
        return quantity * account.unit_minutes if account.counted_in == "minute" else quantity
    fault = f"expected {account.unit}s: a whole number, or text such as 5 units, 2 workdays, 90m where it fits"
    is_time = not quantity.endswith(("unit", "units"))
    if (account.counted_in == "minute") != is_time or account.unit == "currency":
        raise InvalidInput(fault, faults=[Fault(pointer="/quantity", message=fault)])
    counted = parse_quantity(quantity, unit_minutes=account.unit_minutes if is_time else 1)
    if counted < 1:
        raise InvalidInput(fault, faults=[Fault(pointer="/quantity", message=fault)])
    return counted


def _check_instants(body: GrantCreate, *, now: datetime) -> None:
    faults = []
    if body.effective_at is not None and body.effective_at > now:
        faults.append(Fault(pointer="/effective_at", message=f"expected at most now ({format_instant(now)})"))
    if body.expires_at is not None and body.expires_at <= (body.effective_at or now):
        faults.append(Fault(pointer="/expires_at", message="expected an instant after the grant takes effect"))
    if faults:
        raise InvalidInput("the instants of the grant cannot be", faults=faults)


async def _available(connection: Connection, account: Account, *, at: datetime) -> int | None:
    if account.kind != "prepaid":
        return None
    return await accounts.available_at(connection, account.account_id, at=at)


async def _view(connection: Connection, account: Account, *, at: datetime) -> AccountView:
    return _shown(account, balance=account.balance, available=await _available(connection, account, at=at))


def _shown(account: Account, *, balance: int, available: int | None) -> AccountView:
    workday = account.unit_minutes if account.unit == "workday" else None
    text = {
        language: format_quantity(balance, account.counted_in, language=language, workday_minutes=workday)
        for language in ("es", "en")
    }
    return AccountView(
        account_id=account.account_id,
        contract_id=account.contract_id,
        name=account.name,
        kind=account.kind,
        unit=account.unit,
        counted_in=account.counted_in,
        unit_minutes=account.unit_minutes,
        balance=balance,
        available=available,
        balance_text=text,
    )
