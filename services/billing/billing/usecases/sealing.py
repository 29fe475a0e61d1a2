"""Sealing the ledger: when asked, and by itself behind whoever writes."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from billing.domain import chain
from billing.repository import seals
from billing.schemas.ledger import SealExportView, SealingView, SealView
from plazo.kernel.errors import NotFound
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import SystemWork, Transaction, UnitOfWork

_MOST = 10_000


async def seal_ledger(uow: UnitOfWork) -> SealingView:
    """Seal what was written since the last seal, at most 10,000 transactions.

    Writers never wait for it: what commits meanwhile is under the next seal.
    """
    async with uow.begin() as tx:
        await seals.lock_seals(tx)
        view = SealingView(seal=await _seal(tx))
        tx.answer = view.model_dump(mode="json")
    return view


async def seal_behind_writers(work: SystemWork, open_desk: Callable[[UUID], UnitOfWork]) -> int:
    """Seal what waits in every desk, unless somebody else is at it; return how many transactions that were."""
    count = 0
    for desk_id in await seals.desks_to_seal(work):
        while (sealed := await _seal_desk(open_desk(desk_id))) > 0:
            count += sealed
            if sealed < _MOST:
                break
    return count


async def _seal_desk(uow: UnitOfWork) -> int:
    async with uow.begin() as tx:
        if not await seals.try_lock_seals(tx):
            return 0
        tx.now = await seals.present_of(tx.connection) or tx.now
        seal = await _seal(tx)
    return seal.transactions if seal else 0


async def _seal(tx: Transaction) -> SealView | None:
    transactions = await seals.unsealed(tx.connection, limit=_MOST)
    if not transactions:
        return None
    last = await seals.last_seal(tx.connection)
    number, previous_hash = (last["number"] + 1, last["hash"]) if last else (1, chain.GENESIS)
    hashed, links = chain.seal_hash(previous_hash, transactions)
    await seals.add_seal(
        tx,
        number=number,
        previous_hash=previous_hash,
        hashed=hashed,
        transaction_ids=[UUID(one["transaction_id"]) for one in transactions],
        links=links,
    )
    return SealView(
        number=number, transactions=len(transactions), previous_hash=previous_hash, hash=hashed, sealed_at=tx.now
    )


async def list_seals(uow: UnitOfWork, *, cursor: str | None, limit: int) -> Page[SealView]:
    """Return the seals of the desk, oldest first."""
    after = position(cursor, int)
    async with uow.read() as connection:
        rows = await seals.list_seals(connection, after=after[0] if after else None, limit=limit + 1)
    return page_of([SealView(**row) for row in rows], limit=limit, keys=lambda one: (one.number,))


async def show_seal(uow: UnitOfWork, *, number: int) -> SealExportView:
    """Return a seal with the transactions it was made over. :raises NotFound:"""
    async with uow.read() as connection:
        rows = await seals.list_seals(connection, after=number - 1, limit=1)
        if not rows or rows[0]["number"] != number:
            raise NotFound(f"there is no seal {number}")
        content: list[dict[str, Any]] = [
            {**transaction, "links": links.hex() if links is not None else None}
            for transaction, links in await seals.sealed(connection, number)
        ]
    return SealExportView(**rows[0], content=content)
