"""Work as it was logged."""

from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from billing.domain.rating import Work
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_INSERT = """
INSERT INTO work (work_id, desk_id, ticket_id, kind, started_at, minutes, description, facts, appointment, logged_by,
                  recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
"""
_COLUMNS = (
    "w.work_id, w.ticket_id, w.kind, w.started_at, w.minutes, w.description, w.facts, w.appointment, w.logged_by, "
    "w.recorded_at, w.voided_at, w.void_reason"
)
_LIST = f"""
SELECT {_COLUMNS} FROM work w JOIN ticket t USING (ticket_id)
WHERE w.ticket_id = $1 AND ($2::uuid IS NULL OR t.customer_id = $2)
  AND ($3::timestamptz IS NULL OR (w.started_at, w.work_id) > ($3, $4))
ORDER BY w.started_at, w.work_id LIMIT $5
"""


async def insert_work(tx: Transaction, work: Work, *, ticket_id: UUID, description: str, logged_by: str) -> None:
    """Write down a piece of work."""
    await tx.connection.execute(
        _INSERT,
        work.work_id,
        tx.desk_id,
        ticket_id,
        work.kind,
        work.started_at,
        work.minutes,
        description,
        work.facts,
        work.appointment,
        logged_by,
        tx.now,
    )


async def work_of(connection: Connection, ticket_id: UUID) -> tuple[Work, ...]:
    """Return all work of a ticket that stands."""
    rows = await connection.fetch(
        "SELECT work_id, kind, started_at, minutes, facts, appointment FROM work "
        "WHERE ticket_id = $1 AND voided_at IS NULL",
        ticket_id,
    )
    return tuple(Work(**row) for row in rows)


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
