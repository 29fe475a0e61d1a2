"""How promises were kept, counted by PostgreSQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from plazo.runtime.database import Connection

_GROUPS = """
SELECT plan, severity, kind, commitment,
       count(*) FILTER (WHERE state = 'met') AS met,
       count(*) FILTER (WHERE state IN ('missed', 'breached')) AS missed,
       count(*) FILTER (WHERE state IN ('running', 'paused')) AS running,
       count(*) FILTER (WHERE state = 'cancelled') AS cancelled,
       avg(stopped_at - started_at) AS average, max(stopped_at - started_at) AS longest
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
_PROMISES = """
SELECT c.plan, c.severity, c.kind, c.commitment, c.clock_id, c.ticket_id, t.number, c.state, c.started_at, c.due_at,
       c.stopped_at, c.clauses, r.cause, r.corrective_action
FROM clock c JOIN ticket t USING (ticket_id) LEFT JOIN clock_review r USING (clock_id)
WHERE c.started_at >= $1 AND c.started_at < $2 AND ($3::text[] IS NULL OR c.state = ANY($3))
  AND ($4::text IS NULL OR coalesce(c.plan, '') = $4) AND ($5::text IS NULL OR coalesce(c.severity, '') = $5)
  AND ($6::text IS NULL OR c.kind = $6) AND ($7::text IS NULL OR c.commitment = $7)
  AND ($8::timestamptz IS NULL OR (c.started_at, c.clock_id) > ($8, $9::uuid))
ORDER BY c.started_at, c.clock_id LIMIT $10
"""
_REVIEW = """
INSERT INTO clock_review (clock_id, desk_id, cause, corrective_action, reviewed_by, reviewed_at)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (clock_id) DO UPDATE SET cause = excluded.cause, corrective_action = excluded.corrective_action,
                                     reviewed_by = excluded.reviewed_by, reviewed_at = excluded.reviewed_at
"""

# What each number of a report counts.
OUTCOMES: Mapping[str, tuple[str, ...]] = {
    "met": ("met",),
    "missed": ("missed", "breached"),
    "running": ("running", "paused"),
    "cancelled": ("cancelled",),
}

GroupKey = tuple[str | None, str | None, str, str]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many promises of a group ended how, and how long those took that were done, in elapsed time."""

    key: GroupKey
    met: int
    missed: int
    running: int
    cancelled: int
    average: timedelta | None
    longest: timedelta | None


async def count_clocks(connection: Connection, *, start: datetime, until: datetime) -> list[Counts]:
    """Count the clocks that began in `[start, until)` by plan, severity, kind and commitment."""
    rows = await connection.fetch(_GROUPS, start, until)
    names = ("met", "missed", "running", "cancelled", "average", "longest")
    return [Counts(_key(row), **{name: row[name] for name in names}) for row in rows]


async def list_misses(
    connection: Connection, *, start: datetime, until: datetime
) -> Sequence[tuple[GroupKey, dict[str, Any]]]:
    """Return the broken promises that began in `[start, until)`, each with its group, by due instant."""
    rows = await connection.fetch(_MISSES, start, until)
    return [(_key(row), dict(row)) for row in rows]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which promises of a period are meant; None for all, an empty plan or severity for none."""

    outcome: str | None = None
    plan: str | None = None
    severity: str | None = None
    kind: str | None = None
    commitment: str | None = None


async def list_promises(
    connection: Connection,
    *,
    start: datetime,
    until: datetime,
    wanted: Wanted,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return the promises that began in `[start, until)`, by start: what a number of the report counts."""
    rows = await connection.fetch(
        _PROMISES,
        start,
        until,
        OUTCOMES[wanted.outcome] if wanted.outcome else None,
        wanted.plan,
        wanted.severity,
        wanted.kind,
        wanted.commitment,
        *(after or (None, None)),
        limit,
    )
    return [dict(row) for row in rows]


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
