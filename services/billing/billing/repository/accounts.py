"""Accounts and lots, and what they hold at any instant."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import asyncpg

from billing.domain.parties import Account
from plazo.runtime.database import Connection

_ACCOUNT = """
SELECT account_id, contract_id, name, kind, unit, counted_in, unit_minutes, lower_limit, balance FROM account
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


async def list_lots(connection: Connection, account_id: UUID) -> list[asyncpg.Record]:
    """Return the lots of an account as they were granted, oldest first."""
    return await connection.fetch(
        "SELECT lot_id, cause, reason, effective_from, expires_at, granted, remaining FROM lot WHERE account_id = $1 "
        "ORDER BY effective_from, lot_id",
        account_id,
    )
