"""Imports of work, and the lines of them that wait."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import asyncpg

from billing.domain.work_lines import WorkLine
from plazo.kernel.ids import new_id
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_COLUMNS = "import_id, total, logged, known, refusals, imported_by, begun_at, ended_at"
# Of any desk: the line itself is claimed in the transaction that logs it.
_WAITING = """
SELECT l.desk_id, l.import_id, d.clock_at FROM work_import_line l JOIN desk d USING (desk_id)
GROUP BY l.desk_id, l.import_id, d.clock_at ORDER BY l.import_id LIMIT 1
"""
_TAKE = """
DELETE FROM work_import_line WHERE (import_id, number) = (
  SELECT import_id, number FROM work_import_line WHERE import_id = $1 AND ($2::int IS NULL OR number = $2)
  ORDER BY number LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING number, content, fault
"""


async def insert_import(tx: Transaction, lines: Sequence[WorkLine], *, imported_by: str) -> UUID:
    """Write down an import with its lines, all of which wait."""
    import_id = new_id()
    await tx.connection.execute(
        "INSERT INTO work_import (import_id, desk_id, total, logged, known, refusals, imported_by, begun_at) "
        "VALUES ($1, $2, $3, 0, 0, '[]', $4, $5)",
        import_id,
        tx.desk_id,
        len(lines),
        imported_by,
        tx.now,
    )
    await tx.connection.executemany(
        "INSERT INTO work_import_line (import_id, number, desk_id, content, fault) VALUES ($1, $2, $3, $4, $5)",
        [(import_id, line.number, tx.desk_id, line.values, line.fault) for line in lines],
    )
    return import_id


async def next_waiting(pool: asyncpg.Pool) -> asyncpg.Record | None:
    """Return an import of any desk that has lines that wait; for the system role."""
    return await pool.fetchrow(_WAITING)


async def take_line(tx: Transaction, import_id: UUID, *, number: int | None = None) -> WorkLine | None:
    """Take a line, the next or a certain one, out of those that wait; None if there is none that nobody else has.

    It waits again if the transaction fails.
    """
    row = await tx.connection.fetchrow(_TAKE, import_id, number)
    return None if row is None else WorkLine(row["number"], row["content"], row["fault"])


async def count_line(
    tx: Transaction, import_id: UUID, *, logged: int = 0, known: int = 0, refusal: dict[str, Any] | None = None
) -> None:
    """Count a line of an import; with the last one it has ended."""
    await tx.connection.execute(
        "UPDATE work_import SET logged = logged + $2, known = known + $3, refusals = refusals || $4, "
        "ended_at = CASE WHEN logged + known + jsonb_array_length(refusals) + 1 = total THEN $5::timestamptz END "
        "WHERE import_id = $1",
        import_id,
        logged,
        known,
        [] if refusal is None else [refusal],
        tx.now,
    )


async def find_import(connection: Connection, import_id: UUID) -> dict[str, Any] | None:
    """Return an import."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM work_import WHERE import_id = $1", import_id)
    return None if row is None else dict(row)


async def is_reference_known(connection: Connection, reference: str) -> bool:
    """Tell whether work was logged under a reference before."""
    known: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM work WHERE reference = $1)", reference)
    return known


async def find_ticket_named(connection: Connection, name: str) -> UUID | None:
    """Return a ticket by its number or id."""
    found: UUID | None = await connection.fetchval(
        "SELECT ticket_id FROM ticket WHERE number = $1 OR ticket_id::text = lower($1) LIMIT 1", name
    )
    return found
