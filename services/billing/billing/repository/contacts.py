"""Who may answer for a customer."""

from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_PUT = """
INSERT INTO contact (contact_id, desk_id, may_ask) VALUES ($1, $2, $3)
ON CONFLICT (contact_id) DO UPDATE SET may_ask = excluded.may_ask
"""
# A version of this service that kept no contacts has passed over what was announced of them.
_FORGET_PASSED_OVER = """
WITH forgotten AS (
  UPDATE inbox_position p SET version = 0
  WHERE p.producer = 'tickets' AND p.version > 0
    AND p.aggregate_id IN (SELECT contact_id FROM api_key WHERE revoked_at IS NULL)
    AND NOT EXISTS (SELECT FROM contact c WHERE c.contact_id = p.aggregate_id)
  RETURNING 1
), compare AS (
  UPDATE inbox_stream SET seen_at = '-infinity' WHERE producer = 'tickets' AND EXISTS (SELECT FROM forgotten)
)
SELECT count(*) FROM forgotten
"""


async def put_contact(tx: Transaction, contact_id: UUID, *, may_ask: bool) -> None:
    """Keep whether a contact may answer."""
    await tx.connection.execute(_PUT, contact_id, tx.desk_id, may_ask)


async def may_ask(connection: Connection, contact_id: UUID) -> bool | None:
    """Tell whether a contact may answer; None for one that nothing is known of."""
    known: bool | None = await connection.fetchval("SELECT may_ask FROM contact WHERE contact_id = $1", contact_id)
    return known


async def forget_passed_over(pool: asyncpg.Pool) -> int:
    """Let what was announced of contacts with keys, and is not kept, be fetched once more; return of how many.

    For the system role.
    """
    count: int = await pool.fetchval(_FORGET_PASSED_OVER)
    return count
