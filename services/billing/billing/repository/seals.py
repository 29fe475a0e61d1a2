"""Seals over the ledger, and the ledger as it is read to verify it or to give it away."""

from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import SystemWork, Transaction

_LOCK = 0x7365616C  # "seal": one seal at a time in a desk

# Instants as numbers: their text does not depend on a setting of the session.
_TRANSACTION = """
SELECT jsonb_build_object(
  'transaction_id', t.transaction_id, 'contract_id', t.contract_id, 'cause', t.cause, 'reason', t.reason,
  'clauses', t.clauses, 'ticket_id', t.ticket_id, 'work_id', t.work_id, 'idempotency_key', t.idempotency_key,
  'effective_at', extract(epoch FROM t.effective_at)::text, 'recorded_at', extract(epoch FROM t.recorded_at)::text,
  'entries', (SELECT coalesce(jsonb_agg(jsonb_build_object('seq', e.seq, 'account_id', e.account_id,
                'lot_id', e.lot_id, 'counted_in', e.counted_in, 'amount', e.amount,
                'effective_at', extract(epoch FROM e.effective_at)::text,
                'recorded_at', extract(epoch FROM e.recorded_at)::text) ORDER BY e.seq), '[]')
              FROM ledger_entry e WHERE e.transaction_id = t.transaction_id)) AS transaction
"""
_UNSEALED = f"""
{_TRANSACTION} FROM (SELECT transaction_id FROM unsealed ORDER BY desk_id, transaction_id LIMIT $1) u
JOIN ledger_transaction t USING (transaction_id) ORDER BY t.transaction_id
"""
_SEALED = f"""
{_TRANSACTION}, s.links FROM sealed_transaction s JOIN ledger_transaction t USING (transaction_id)
WHERE s.number = $1 ORDER BY s.place
"""
_MARK = """
WITH marked AS (
  INSERT INTO sealed_transaction (transaction_id, desk_id, number, place, links)
  SELECT id, $2, $3, n, links FROM unnest($1::uuid[], $4::bytea[]) WITH ORDINALITY AS s (id, links, n)
)
DELETE FROM unsealed WHERE desk_id = $2 AND transaction_id = ANY($1)
"""
_DESKS = """
SELECT desk_id FROM (SELECT DISTINCT desk_id FROM unsealed) u LIMIT 1000
"""
_LOST = """
SELECT 'transaction ' || t.transaction_id || ' is under no seal and does not wait for one' AS fault
FROM ledger_transaction t
WHERE NOT EXISTS (SELECT FROM sealed_transaction s WHERE s.transaction_id = t.transaction_id)
  AND NOT EXISTS (SELECT FROM unsealed u WHERE u.desk_id = t.desk_id AND u.transaction_id = t.transaction_id)
UNION ALL
SELECT 'entry ' || e.seq || ' belongs to no transaction'
FROM ledger_entry e
WHERE NOT EXISTS (SELECT FROM ledger_transaction t WHERE t.transaction_id = e.transaction_id)
LIMIT 100
"""
_PLACES = """
SELECT 'the transactions under seal ' || number || ' are not in the places 1 to ' || count(*) AS fault
FROM sealed_transaction GROUP BY number
HAVING min(place) <> 1 OR max(place) <> count(*) OR count(DISTINCT place) <> count(*)
LIMIT 100
"""
_PAID = """
SELECT 'work ' || coalesce(d.draw_id, p.draw_id) || ' is paid ' || coalesce(d.quantity, 0) || ' ' || counted_in ||
       ', its entries say ' || coalesce(p.quantity, 0) AS fault
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


async def try_lock_seals(tx: Transaction) -> bool:
    """Be the only one to seal in this desk until the transaction ends; false if somebody else is."""
    ours: bool = await tx.connection.fetchval(
        "SELECT pg_try_advisory_xact_lock($1, hashtext($2))", _LOCK, str(tx.desk_id)
    )
    return ours


async def desks_to_seal(work: SystemWork) -> list[UUID]:
    """Return the desks in which something waits for a seal."""
    rows = await work.database.system.fetch(_DESKS)
    return [row["desk_id"] for row in rows]


async def presents(work: SystemWork) -> dict[UUID, Any]:
    """Return every desk with its present, where it is a sandbox."""
    rows = await work.database.system.fetch("SELECT desk_id, clock_at FROM desk ORDER BY desk_id")
    return {row["desk_id"]: row["clock_at"] for row in rows}


async def present_of(connection: Connection) -> Any:
    """Return the present of the desk that the transaction names, where it is a sandbox."""
    return await connection.fetchval("SELECT clock_at FROM desk")


async def last_seal(connection: Connection) -> asyncpg.Record | None:
    """Return the newest seal of the desk."""
    return await connection.fetchrow("SELECT number, hash FROM seal ORDER BY number DESC LIMIT 1")


async def unsealed(connection: Connection, *, limit: int | None = None) -> list[dict[str, Any]]:
    """Return transactions that are under no seal yet, in the order of their ids, as they are sealed."""
    return [row["transaction"] for row in await connection.fetch(_UNSEALED, limit)]


async def count_unsealed(connection: Connection) -> int:
    """Return how many transactions wait for a seal."""
    count: int = await connection.fetchval("SELECT count(*) FROM unsealed")
    return count


async def sealed(connection: Connection, number: int) -> list[tuple[dict[str, Any], bytes | None]]:
    """Return the transactions under a seal, in its order, as they were sealed, with their links."""
    return [(row["transaction"], row["links"]) for row in await connection.fetch(_SEALED, number)]


async def add_seal(
    tx: Transaction,
    *,
    number: int,
    previous_hash: str,
    hashed: str,
    transaction_ids: list[UUID],
    links: Sequence[bytes],
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
    await tx.connection.execute(_MARK, transaction_ids, tx.desk_id, number, links)


async def list_seals(connection: Connection, *, after: int | None, limit: int) -> list[asyncpg.Record]:
    """Return the seals of the desk, oldest first."""
    return await connection.fetch(
        "SELECT number, transactions, previous_hash, hash, sealed_at FROM seal "
        "WHERE $1::bigint IS NULL OR number > $1 ORDER BY number LIMIT $2",
        after,
        limit,
    )


async def all_seals(connection: Connection) -> AsyncIterator[asyncpg.Record]:
    """Give all seals of the desk, oldest first."""
    after: int | None = None
    while rows := await list_seals(connection, after=after, limit=1000):
        for row in rows:
            yield row
        after = rows[-1]["number"]


async def holdings(connection: Connection) -> tuple[dict[str, int], dict[str, int]]:
    """Return what accounts and lots say they hold."""
    accounts = await connection.fetch("SELECT account_id::text AS id, balance AS holds FROM account ORDER BY 1")
    lots = await connection.fetch("SELECT lot_id::text AS id, remaining AS holds FROM lot ORDER BY 1")
    return {row["id"]: row["holds"] for row in accounts}, {row["id"]: row["holds"] for row in lots}


async def disagreements(connection: Connection) -> list[str]:
    """Return what is under no seal or in no place of one, stands alone, or paid otherwise than its entries say."""
    return [row["fault"] for query in (_LOST, _PLACES, _PAID) for row in await connection.fetch(query)]
