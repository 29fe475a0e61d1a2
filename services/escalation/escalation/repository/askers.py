"""Who may ask for a customer."""

from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_PUT = """
INSERT INTO asker (contact_id, desk_id, customer_id, may_ask) VALUES ($1, $2, $3, $4)
ON CONFLICT (contact_id) DO UPDATE SET customer_id = excluded.customer_id, may_ask = excluded.may_ask
"""
# Of whom nothing is announced yet, the key it was given says that `tickets` knows it; an access token says nothing.
_MAY_ASK = """
SELECT coalesce(
  (SELECT may_ask AND customer_id = $2 FROM asker WHERE contact_id = $1),
  EXISTS (SELECT FROM api_key WHERE contact_id = $1 AND customer_id = $2)
)
"""
# A version of this service that kept only administrators has passed over what was announced of the others.
_FORGET_PASSED_OVER = """
WITH forgotten AS (
  UPDATE inbox_position p SET version = 0
  WHERE p.producer = 'tickets' AND p.version > 0
    AND p.aggregate_id IN (SELECT contact_id FROM api_key WHERE revoked_at IS NULL)
    AND NOT EXISTS (SELECT FROM asker a WHERE a.contact_id = p.aggregate_id)
  RETURNING 1
), compare AS (
  UPDATE inbox_stream SET seen_at = '-infinity' WHERE producer = 'tickets' AND EXISTS (SELECT FROM forgotten)
)
SELECT count(*) FROM forgotten
"""


async def put_asker(tx: Transaction, contact_id: UUID, *, customer_id: UUID, may_ask: bool) -> None:
    """Keep whose person a contact is, and whether it may ask."""
    await tx.connection.execute(_PUT, contact_id, tx.desk_id, customer_id, may_ask)


async def may_ask(connection: Connection, contact_id: UUID, *, customer_id: UUID) -> bool:
    """Tell whether a contact may ask for a customer; nobody else's may, nor one that is not known."""
    known: bool = await connection.fetchval(_MAY_ASK, contact_id, customer_id)
    return known


async def forget_passed_over(pool: asyncpg.Pool) -> int:
    """Let what was announced of contacts with keys, and is not kept, be fetched once more; return of how many.

    For the system role.
    """
    count: int = await pool.fetchval(_FORGET_PASSED_OVER)
    return count
