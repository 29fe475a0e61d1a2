"""Timers of agents."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from plazo.kernel.ids import new_id
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_TIMER = "SELECT timer_id, ticket_id, agent, note, started_at, stopped_at, work_id FROM work_timer"


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
