"""How promises were kept, counted by PostgreSQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.runtime.database import Connection

_GROUPS = """
SELECT plan, severity, kind, commitment,
       count(*) FILTER (WHERE state = 'met') AS met,
       count(*) FILTER (WHERE state IN ('missed', 'breached')) AS missed,
       count(*) FILTER (WHERE state IN ('running', 'paused')) AS running,
       count(*) FILTER (WHERE state = 'cancelled') AS cancelled
FROM clock WHERE started_at >= $1 AND started_at < $2
GROUP BY plan, severity, kind, commitment ORDER BY plan NULLS FIRST, severity NULLS FIRST, kind, commitment
"""
_MISSES = """
SELECT c.plan, c.severity, c.kind, c.commitment, c.clock_id, c.ticket_id, t.number, c.due_at, c.stopped_at, c.clauses,
       r.cause, r.corrective_action
FROM clock c JOIN ticket t USING (ticket_id) LEFT JOIN clock_review r USING (clock_id)
WHERE c.started_at >= $1 AND c.started_at < $2 AND c.state IN ('missed', 'breached')
ORDER BY c.due_at, c.clock_id
"""
_REVIEW = """
INSERT INTO clock_review (clock_id, desk_id, cause, corrective_action, reviewed_by, reviewed_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (clock_id) DO UPDATE SET cause = excluded.cause, corrective_action = excluded.corrective_action,
                                     reviewed_by = excluded.reviewed_by, reviewed_at = excluded.reviewed_at
"""

GroupKey = tuple[str | None, str | None, str, str]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many promises of a group ended how."""

    key: GroupKey
    met: int
    missed: int
    running: int
    cancelled: int


async def count_clocks(connection: Connection, *, start: datetime, until: datetime) -> list[Counts]:
    """Count the clocks that began in `[start, until)` by plan, severity, kind and commitment."""
    rows = await connection.fetch(_GROUPS, start, until)
    return [Counts(_key(row), row["met"], row["missed"], row["running"], row["cancelled"]) for row in rows]


async def list_misses(
    connection: Connection, *, start: datetime, until: datetime
) -> Sequence[tuple[GroupKey, dict[str, Any]]]:
    """Return the broken promises that began in `[start, until)`, each with its group, by due instant."""
    rows = await connection.fetch(_MISSES, start, until)
    return [(_key(row), dict(row)) for row in rows]


async def save_review(
    connection: Connection,
    *,
    clock_id: UUID,
    desk_id: UUID,
    cause: str,
    corrective_action: str,
    reviewed_by: str,
    reviewed_at: datetime,
) -> None:
    """Write what was found out about a broken promise; the newest holds."""
    await connection.execute(_REVIEW, clock_id, desk_id, cause, corrective_action, reviewed_by, reviewed_at)


def _key(row: Any) -> GroupKey:
    return row["plan"], row["severity"], row["kind"], row["commitment"]
