"""Imports, line by line."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class ImportJob:
    """An import of another desk's tickets; `contract_id` is for lines that name none."""

    import_id: UUID
    source: str
    format: str
    contract_id: UUID | None
    total: int
    started_by: str
    started_at: datetime

    @property
    def foreign_source(self) -> str:
        """Whose references those of the lines are."""
        return f"import:{self.source}"


@dataclass(frozen=True, slots=True)
class Line:
    """A line that waits to become a ticket."""

    line: int
    body: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a line: `created`, `known` from before, or `refused` for its faults."""

    line: int
    state: str
    reference: str | None
    ticket_id: UUID | None = None
    faults: Sequence[dict[str, Any]] = ()


_JOB = "import_id, source, format, contract_id, total, started_by, started_at"
# Any of what waits, across desks; the line itself is claimed in the transaction that makes the ticket.
_WAITING = """
SELECT l.desk_id, l.import_id, l.line, d.clock_at FROM import_line l JOIN desk d USING (desk_id)
WHERE state = 'waiting' ORDER BY l.import_id, l.line LIMIT $1
"""
_HOLD = """
SELECT line, body FROM import_line WHERE import_id = $1 AND line = ANY($2::integer[]) AND state = 'waiting'
ORDER BY line FOR UPDATE SKIP LOCKED
"""
_SETTLE = """
UPDATE import_line SET state = $3, faults = $4, ticket_id = $5, reference = $6,
  body = CASE WHEN $3 = 'refused' THEN body END
WHERE import_id = $1 AND line = $2
"""


async def insert_job(tx: Transaction, job: ImportJob) -> None:
    """Write a new import."""
    await tx.connection.execute(
        f"INSERT INTO import_job (desk_id, {_JOB}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        tx.desk_id,
        job.import_id,
        job.source,
        job.format,
        job.contract_id,
        job.total,
        job.started_by,
        job.started_at,
    )


async def insert_lines(
    tx: Transaction, import_id: UUID, lines: Sequence[tuple[int, dict[str, Any] | None, list[dict[str, Any]]]]
) -> None:
    """Write some lines: number, content, and what is wrong with it already; those with faults are refused at once."""
    await tx.connection.executemany(
        "INSERT INTO import_line (import_id, line, desk_id, body, state, faults) VALUES ($1, $2, $3, $4, $5, $6)",
        [
            (import_id, number, tx.desk_id, body, "refused" if faults else "waiting", faults)
            for number, body, faults in lines
        ],
    )


async def find_job(connection: Connection, import_id: UUID) -> ImportJob | None:
    """Return an import of the desk."""
    row = await connection.fetchrow(f"SELECT {_JOB} FROM import_job WHERE import_id = $1", import_id)
    return None if row is None else ImportJob(**row)


async def list_jobs(connection: Connection, *, after: tuple[datetime, UUID] | None, limit: int) -> list[ImportJob]:
    """Return imports by age, those behind `after`."""
    started_at, import_id = after or (None, None)
    rows = await connection.fetch(
        f"SELECT {_JOB} FROM import_job WHERE ($1::timestamptz IS NULL OR (started_at, import_id) > ($1, $2)) "
        "ORDER BY started_at, import_id LIMIT $3",
        started_at,
        import_id,
        limit,
    )
    return [ImportJob(**row) for row in rows]


async def count_lines(connection: Connection, import_ids: Sequence[UUID]) -> dict[UUID, dict[str, int]]:
    """Return how many lines of some imports are in which state."""
    rows = await connection.fetch(
        "SELECT import_id, state, count(*) AS lines FROM import_line WHERE import_id = ANY($1) GROUP BY 1, 2",
        list(import_ids),
    )
    counts: dict[UUID, dict[str, int]] = {import_id: {} for import_id in import_ids}
    for row in rows:
        counts[row["import_id"]][row["state"]] = row["lines"]
    return counts


async def list_lines(
    connection: Connection, import_id: UUID, *, state: str, after: int | None, limit: int
) -> list[asyncpg.Record]:
    """Return the lines in a state, in order, those behind line `after`."""
    return await connection.fetch(
        "SELECT line, reference, body, faults, ticket_id FROM import_line "
        "WHERE import_id = $1 AND state = $2 AND line > $3 ORDER BY line LIMIT $4",
        import_id,
        state,
        after or 0,
        limit,
    )


async def waiting_lines(pool: asyncpg.Pool, *, limit: int) -> list[asyncpg.Record]:
    """Return some lines of every desk that wait; for the system role."""
    return await pool.fetch(_WAITING, limit)


async def hold_lines(tx: Transaction, import_id: UUID, lines: Sequence[int]) -> list[Line]:
    """Claim waiting lines until the transaction ends, in order; those that another has, or had, are left out."""
    return [Line(**row) for row in await tx.connection.fetch(_HOLD, import_id, list(lines))]


async def settle_lines(tx: Transaction, import_id: UUID, settled: Sequence[Settled]) -> None:
    """Record what became of lines."""
    await tx.connection.executemany(
        _SETTLE,
        [(import_id, one.line, one.state, list(one.faults), one.ticket_id, one.reference) for one in settled],
    )
