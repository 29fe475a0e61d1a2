"""Work as it was logged."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_COLUMNS = (
    "w.work_id, w.ticket_id, w.kind, w.started_at, w.minutes, w.description, w.facts, w.appointment, w.logged_by, "
    "w.recorded_at, w.voided_at, w.void_reason, w.quote_id, w.reference"
)
_LIST = f"""
SELECT {_COLUMNS} FROM work w JOIN ticket t USING (ticket_id)
WHERE w.ticket_id = $1 AND ($2::uuid IS NULL OR t.customer_id = $2)
  AND ($3::timestamptz IS NULL OR (w.started_at, w.work_id) > ($3, $4))
ORDER BY w.started_at, w.work_id LIMIT $5
"""


async def find_work(connection: Connection, work_id: UUID) -> asyncpg.Record | None:
    """Return a piece of work as it was logged."""
    return await connection.fetchrow(f"SELECT {_COLUMNS} FROM work w WHERE work_id = $1", work_id)


async def void_work(tx: Transaction, work_id: UUID, *, reason: str) -> bool:
    """Mark a piece of work as not done; false if it was before."""
    tag = await tx.connection.execute(
        "UPDATE work SET voided_at = $2, void_reason = $3 WHERE work_id = $1 AND voided_at IS NULL",
        work_id,
        tx.now,
        reason,
    )
    return str(tag) == "UPDATE 1"


async def list_work(
    connection: Connection,
    *,
    ticket_id: UUID,
    customer_id: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return work of a ticket in the order in which it was done, voided work too."""
    started_at, work_id = after or (None, None)
    rows = await connection.fetch(_LIST, ticket_id, customer_id, started_at, work_id, limit)
    return [dict(row) for row in rows]
