"""Sealing the ledger, verifying it, and giving it away to be verified elsewhere."""

from typing import Any
from uuid import UUID

from billing import schemas
from billing.domain import chain
from billing.repository import seals
from plazo.kernel.errors import NotFound
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import Transaction, UnitOfWork

_MOST = 10_000


async def seal_ledger(uow: UnitOfWork) -> schemas.SealingView:
    """Seal what was written since the last seal, at most 10,000 transactions.

    Writers never wait for it: what commits meanwhile is under the next seal.
    """
    async with uow.begin() as tx:
        await seals.lock_seals(tx)
        view = schemas.SealingView(seal=await _seal(tx))
        tx.answer = view.model_dump(mode="json")
    return view


async def _seal(tx: Transaction) -> schemas.SealView | None:
    transactions = await seals.unsealed(tx.connection, limit=_MOST)
    if not transactions:
        return None
    last = await seals.last_seal(tx.connection)
    number, previous_hash = (last["number"] + 1, last["hash"]) if last else (1, chain.GENESIS)
    hashed = chain.seal_hash(previous_hash, transactions)
    await seals.add_seal(
        tx,
        number=number,
        previous_hash=previous_hash,
        hashed=hashed,
        transaction_ids=[UUID(one["transaction_id"]) for one in transactions],
    )
    return schemas.SealView(
        number=number, transactions=len(transactions), previous_hash=previous_hash, hash=hashed, sealed_at=tx.now
    )


async def list_seals(uow: UnitOfWork, *, cursor: str | None, limit: int) -> Page[schemas.SealView]:
    """Return the seals of the desk, oldest first."""
    after = position(cursor, int)
    async with uow.read() as connection:
        rows = await seals.list_seals(connection, after=after[0] if after else None, limit=limit + 1)
    return page_of([schemas.SealView(**row) for row in rows], limit=limit, keys=lambda one: (one.number,))


async def export_seal(uow: UnitOfWork, *, number: int) -> schemas.SealExportView:
    """Return a seal with the transactions it was made over. :raises NotFound:"""
    async with uow.read() as connection:
        rows = await seals.list_seals(connection, after=number - 1, limit=1)
        if not rows or rows[0]["number"] != number:
            raise NotFound(f"there is no seal {number}")
        transactions: list[dict[str, Any]] = await seals.sealed(connection, number)
    return schemas.SealExportView(**rows[0], content=transactions)


async def verify_ledger(uow: UnitOfWork) -> schemas.VerificationView:
    """Derive everything anew from the entries, and say whether it agrees: seals, sums, balances, what work paid."""
    faults: list[str] = []
    expected, sealed = chain.GENESIS, 0
    async with uow.read() as connection:
        for row in await seals.list_seals(connection, after=None, limit=2**31):
            transactions = await seals.sealed(connection, row["number"])
            faults += chain.seal_faults(
                number=row["number"],
                expected_previous=expected,
                previous_hash=row["previous_hash"],
                sealed=row["hash"],
                transactions=transactions,
            )
            expected, sealed = row["hash"], sealed + len(transactions)
        faults += await seals.disagreements(connection)
        count = await seals.count_transactions(connection)
    return schemas.VerificationView(agrees=not faults, transactions=count, sealed=sealed, faults=faults)
