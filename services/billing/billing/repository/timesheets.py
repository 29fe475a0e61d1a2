"""Timers and imports of work."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from plazo.kernel.ids import new_id
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_TIMER = "SELECT timer_id, ticket_id, agent, note, started_at, stopped_at, work_id FROM work_timer"
_IMPORT = "SELECT import_id, total, logged, known, refusals, imported_by, begun_at, ended_at FROM work_import"


async def start_timer(tx: Transaction, *, ticket_id: UUID, agent: str, note: str | None) -> UUID | None:
    """Start a timer; None if the agent has one running on the ticket."""
    timer_id: UUID | None = await tx.connection.fetchval(
        "INSERT INTO work_timer (timer_id, desk_id, ticket_id, agent, note, started_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING timer_id",
        new_id(),
        tx.desk_id,
        ticket_id,
        agent,
        note,
        tx.now,
    )
    return timer_id


async def find_timer(connection: Connection, timer_id: UUID, *, lock: bool = False) -> dict[str, Any] | None:
    """Return a timer."""
    row = await connection.fetchrow(f"{_TIMER} WHERE timer_id = $1{' FOR UPDATE' if lock else ''}", timer_id)
    return None if row is None else dict(row)


async def stop_timer(tx: Transaction, timer_id: UUID, *, at: datetime, work_id: UUID | None) -> None:
    """Stop a timer; `work_id` is the work it became, if any."""
    await tx.connection.execute(
        "UPDATE work_timer SET stopped_at = $2, work_id = $3 WHERE timer_id = $1", timer_id, at, work_id
    )


async def list_timers(
    connection: Connection,
    *,
    ticket_id: UUID | None,
    state: Literal["running", "stopped"] | None,
    after: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return timers, the oldest first."""
    rows = await connection.fetch(
        f"{_TIMER} WHERE ($1::uuid IS NULL OR ticket_id = $1) "
        "AND ($2::text IS NULL OR (stopped_at IS NULL) = ($2 = 'running')) "
        "AND ($3::uuid IS NULL OR timer_id > $3) ORDER BY timer_id LIMIT $4",
        ticket_id,
        state,
        after,
        limit,
    )
    return [dict(row) for row in rows]


async def begin_import(tx: Transaction, *, total: int, imported_by: str) -> UUID:
    """Write down that an import has begun."""
    import_id = new_id()
    await tx.connection.execute(
        "INSERT INTO work_import (import_id, desk_id, total, logged, known, refusals, imported_by, begun_at) "
        "VALUES ($1, $2, $3, 0, 0, '[]', $4, $5)",
        import_id,
        tx.desk_id,
        total,
        imported_by,
        tx.now,
    )
    return import_id


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
    row = await connection.fetchrow(f"{_IMPORT} WHERE import_id = $1", import_id)
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
