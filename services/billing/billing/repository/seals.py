"""Seals over the ledger, and what verifies it."""

from typing import Any
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_LOCK = 0x7365616C  # "seal": one seal at a time in a desk

_TRANSACTION = """
SELECT jsonb_build_object(
  'transaction_id', t.transaction_id, 'contract_id', t.contract_id, 'cause', t.cause, 'reason', t.reason,
  'clauses', t.clauses, 'ticket_id', t.ticket_id, 'work_id', t.work_id, 'idempotency_key', t.idempotency_key,
  'effective_at', extract(epoch FROM t.effective_at)::text, 'recorded_at', extract(epoch FROM t.recorded_at)::text,
  'entries', (SELECT jsonb_agg(jsonb_build_object('account_id', e.account_id, 'lot_id', e.lot_id,
                'counted_in', e.counted_in, 'amount', e.amount) ORDER BY e.seq)
              FROM ledger_entry e WHERE e.transaction_id = t.transaction_id)) AS transaction
FROM ledger_transaction t
"""
_UNSEALED = (
    _TRANSACTION
    + """
WHERE NOT EXISTS (SELECT FROM sealed_transaction s WHERE s.transaction_id = t.transaction_id)
ORDER BY t.recorded_at, t.transaction_id LIMIT $1
"""
)
_SEALED = _TRANSACTION + "JOIN sealed_transaction s USING (transaction_id) WHERE s.number = $1 ORDER BY s.place"
_MARK = """
INSERT INTO sealed_transaction (transaction_id, desk_id, number, place)
SELECT id, $2, $3, n FROM unnest($1::uuid[]) WITH ORDINALITY AS s (id, n)
"""
_DISAGREEMENTS = """
SELECT 'account ' || a.account_id || ' says ' || a.balance || ', its entries ' || coalesce(s.amount, 0) AS fault
FROM account a LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM ledger_entry GROUP BY 1) s USING (account_id)
WHERE a.balance <> coalesce(s.amount, 0)
UNION ALL
SELECT 'lot ' || l.lot_id || ' says ' || l.remaining || ', its entries ' || coalesce(s.amount, 0)
FROM lot l LEFT JOIN (SELECT lot_id, sum(amount) AS amount FROM ledger_entry GROUP BY 1) s USING (lot_id)
WHERE l.remaining <> coalesce(s.amount, 0)
UNION ALL
SELECT 'work ' || coalesce(d.draw_id, p.draw_id) || ' is paid ' || coalesce(d.quantity, 0) || ' ' || counted_in ||
       ', its entries say ' || coalesce(p.quantity, 0)
FROM (SELECT draw_id, part->>2 AS counted_in, sum((part->>3)::bigint) AS quantity
      FROM draw, jsonb_array_elements(funding) part WHERE kind IN ('work', 'no_show') GROUP BY 1, 2) d
FULL JOIN (SELECT t.work_id AS draw_id, e.counted_in, sum(e.amount) AS quantity
      FROM ledger_entry e JOIN ledger_transaction t USING (transaction_id) JOIN account a USING (account_id)
      WHERE a.kind = 'income' GROUP BY 1, 2) p USING (draw_id, counted_in)
WHERE coalesce(d.quantity, 0) <> coalesce(p.quantity, 0)
LIMIT 100
"""


async def lock_seals(tx: Transaction) -> None:
    """Be the only one to seal in this desk until the transaction ends."""
    await tx.connection.execute("SELECT pg_advisory_xact_lock($1, hashtext($2))", _LOCK, str(tx.desk_id))


async def last_seal(connection: Connection) -> asyncpg.Record | None:
    """Return the newest seal of the desk."""
    return await connection.fetchrow("SELECT number, hash FROM seal ORDER BY number DESC LIMIT 1")


async def unsealed(connection: Connection, *, limit: int) -> list[dict[str, Any]]:
    """Return transactions that are not sealed yet, oldest first, as they are sealed."""
    return [row["transaction"] for row in await connection.fetch(_UNSEALED, limit)]


async def sealed(connection: Connection, number: int) -> list[dict[str, Any]]:
    """Return the transactions under a seal, in its order, as they were sealed."""
    return [row["transaction"] for row in await connection.fetch(_SEALED, number)]


async def add_seal(
    tx: Transaction, *, number: int, previous_hash: str, hashed: str, transaction_ids: list[UUID]
) -> None:
    """Write down a seal and what is under it."""
    await tx.connection.execute(
        "INSERT INTO seal (desk_id, number, transactions, previous_hash, hash, sealed_at) "
        "VALUES ($1, $2, $3, $4, $5, $6)",
        tx.desk_id,
        number,
        len(transaction_ids),
        previous_hash,
        hashed,
        tx.now,
    )
    await tx.connection.execute(_MARK, transaction_ids, tx.desk_id, number)


async def list_seals(connection: Connection, *, after: int | None, limit: int) -> list[asyncpg.Record]:
    """Return the seals of the desk, oldest first."""
    return await connection.fetch(
        "SELECT number, transactions, previous_hash, hash, sealed_at FROM seal "
        "WHERE $1::bigint IS NULL OR number > $1 ORDER BY number LIMIT $2",
        after,
        limit,
    )


async def count_transactions(connection: Connection) -> int:
    """Return how many transactions the desk's ledger has."""
    count: int = await connection.fetchval("SELECT count(*) FROM ledger_transaction")
    return count


async def disagreements(connection: Connection) -> list[str]:
    """Return where balances, lots or what work was paid do not follow from the entries; the first hundred."""
    return [row["fault"] for row in await connection.fetch(_DISAGREEMENTS)]
