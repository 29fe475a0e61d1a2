"""Accounts and lots, and what they hold at any instant."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from billing.domain.funding import Lot
from billing.domain.parties import Account
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_ACCOUNT = """
SELECT account_id, contract_id, name, kind, unit, counted_in, unit_minutes, lower_limit, balance FROM account
"""
_OPEN = """
INSERT INTO account (account_id, desk_id, contract_id, name, kind, unit, counted_in, unit_minutes, lower_limit)
SELECT * FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[], $8::int[],
                     $9::bigint[])
ON CONFLICT DO NOTHING
"""
_ADD_LOT = """
INSERT INTO lot (lot_id, desk_id, account_id, cause, reason, effective_from, expires_at, granted)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING true
"""
_EXPIRED = """
SELECT l.account_id, l.lot_id, l.effective_from, l.expires_at, l.remaining FROM lot l JOIN account a USING (account_id)
WHERE a.contract_id = $1 AND l.expires_at <= $2
  AND NOT EXISTS (SELECT FROM draw d WHERE d.draw_id = l.lot_id)
"""
# What is valid at an instant is what is left now, with all that was taken later put back.
_AVAILABLE = """
SELECT coalesce(sum(l.remaining - coalesce(
  (SELECT sum(e.amount) FROM ledger_entry e WHERE e.lot_id = l.lot_id AND e.effective_at > $2), 0)), 0)::bigint
FROM lot l WHERE l.account_id = $1 AND l.effective_from <= $2 AND (l.expires_at IS NULL OR l.expires_at > $2)
"""
_BALANCE_AT = """
SELECT a.balance - coalesce(
  (SELECT sum(e.amount) FROM ledger_entry e WHERE e.account_id = a.account_id AND e.{axis} > $2), 0)::bigint
FROM account a WHERE a.account_id = $1
"""
_LIST = (
    _ACCOUNT
    + """
WHERE contract_id IN (SELECT contract_id FROM contract WHERE ($1::uuid IS NULL OR contract_id = $1)
                      AND ($2::uuid IS NULL OR customer_id = $2))
  AND kind IN ('prepaid', 'owed', 'reserved')
  AND ($3::uuid IS NULL OR account_id > $3) ORDER BY account_id LIMIT $4
"""
)


async def open_accounts(tx: Transaction, accounts: Sequence[Account]) -> None:
    """Open accounts where they are not open."""
    if accounts:
        await tx.connection.execute(
            _OPEN,
            [one.account_id for one in accounts],
            [tx.desk_id] * len(accounts),
            [one.contract_id for one in accounts],
            [one.name for one in accounts],
            [one.kind for one in accounts],
            [one.unit for one in accounts],
            [one.counted_in for one in accounts],
            [one.unit_minutes for one in accounts],
            [one.lower_limit for one in accounts],
        )


async def accounts_of(connection: Connection, contract_id: UUID) -> dict[UUID, Account]:
    """Return all accounts of a contract."""
    rows = await connection.fetch(f"{_ACCOUNT} WHERE contract_id = $1", contract_id)
    return {row["account_id"]: Account(**row) for row in rows}


async def find_account(connection: Connection, account_id: UUID, *, customer_id: UUID | None = None) -> Account | None:
    """Return an account; `customer_id` confines to what that customer may see."""
    row = await connection.fetchrow(
        f"{_ACCOUNT} WHERE account_id = $1 AND ($2::uuid IS NULL OR (kind IN ('prepaid', 'owed', 'reserved') "
        "AND contract_id IN (SELECT contract_id FROM contract WHERE customer_id = $2)))",
        account_id,
        customer_id,
    )
    return None if row is None else Account(**row)


async def list_accounts(
    connection: Connection, *, contract_id: UUID | None, customer_id: UUID | None, after: UUID | None, limit: int
) -> list[Account]:
    """Return the accounts that a customer sees, those behind `after`."""
    rows = await connection.fetch(_LIST, contract_id, customer_id, after, limit)
    return [Account(**row) for row in rows]


async def available_at(connection: Connection, account_id: UUID, *, at: datetime) -> int:
    """Return what an account could be drawn on for at an instant, by effective time."""
    available: int = await connection.fetchval(_AVAILABLE, account_id, at)
    return available


async def balance_at(
    connection: Connection, account_id: UUID, *, at: datetime, axis: Literal["effective_at", "recorded_at"]
) -> int:
    """Return the balance of an account at an instant: as it was, or as it was known."""
    balance: int = await connection.fetchval(_BALANCE_AT.format(axis=axis), account_id, at)
    return balance


async def add_lot(tx: Transaction, lot: Lot, *, account_id: UUID, cause: str, reason: str, granted: int) -> bool:
    """Make a lot, empty until its grant is posted; false if it exists."""
    fresh: bool | None = await tx.connection.fetchval(
        _ADD_LOT, lot.lot_id, tx.desk_id, account_id, cause, reason, lot.effective_from, lot.expires_at, granted
    )
    return bool(fresh)


async def lots_of(connection: Connection, account_ids: Collection[UUID]) -> dict[UUID, list[Lot]]:
    """Return the lots of accounts, by account."""
    rows = await connection.fetch(
        "SELECT account_id, lot_id, effective_from, expires_at, remaining FROM lot WHERE account_id = ANY($1)",
        list(account_ids),
    )
    lots: dict[UUID, list[Lot]] = {account_id: [] for account_id in account_ids}
    for row in rows:
        lots[row["account_id"]].append(_row_to_lot(row))
    return lots


async def list_lots(connection: Connection, account_id: UUID) -> list[asyncpg.Record]:
    """Return the lots of an account as they were granted, oldest first."""
    return await connection.fetch(
        "SELECT lot_id, cause, reason, effective_from, expires_at, granted, remaining FROM lot WHERE account_id = $1 "
        "ORDER BY effective_from, lot_id",
        account_id,
    )


async def lots_to_expire(connection: Connection, contract_id: UUID, *, now: datetime) -> list[tuple[UUID, Lot]]:
    """Return lots past their end whose rest has not been taken out, with their accounts."""
    rows = await connection.fetch(_EXPIRED, contract_id, now)
    return [(row["account_id"], _row_to_lot(row)) for row in rows]


async def expiries_of(connection: Connection, lot_ids: Collection[UUID]) -> dict[UUID, datetime | None]:
    """Return until when lots are valid."""
    rows = await connection.fetch("SELECT lot_id, expires_at FROM lot WHERE lot_id = ANY($1)", list(lot_ids))
    return {row["lot_id"]: row["expires_at"] for row in rows}


def _row_to_lot(row: asyncpg.Record) -> Lot:
    return Lot(
        lot_id=row["lot_id"],
        effective_from=row["effective_from"],
        expires_at=row["expires_at"],
        remaining=row["remaining"],
    )
