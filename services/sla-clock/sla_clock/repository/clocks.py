"""Clocks as last announced."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.events.sla_clock import ClockCopy
from plazo.runtime.database import Connection
from sla_clock.domain.difference import Announced

_COPY = (
    "clock_id, kind, cycle, state, commitment, target, calendar, clauses, started_at, due_at, stopped_at, breached_at"
)
_ANNOUNCED = f"SELECT ticket_id, {_COPY}, version, revision, warned FROM clock WHERE ticket_id = ANY($1)"
_COLUMNS = f"desk_id, ticket_id, customer_id, {_COPY}, detected_at, version, revision, warned, plan, severity"
_SAVE = f"""
INSERT INTO clock AS c ({_COLUMNS}) {{source}}
ON CONFLICT (clock_id) DO UPDATE SET
  state = excluded.state, commitment = excluded.commitment, target = excluded.target, calendar = excluded.calendar,
  clauses = excluded.clauses, started_at = excluded.started_at, due_at = excluded.due_at,
  stopped_at = excluded.stopped_at, breached_at = excluded.breached_at,
  detected_at = CASE WHEN excluded.breached_at IS NULL THEN NULL ELSE coalesce(c.detected_at, excluded.detected_at) END,
  version = excluded.version, revision = excluded.revision, warned = excluded.warned,
  plan = excluded.plan, severity = excluded.severity
"""
_SAVE_ROW = _SAVE.format(source=f"VALUES ({', '.join(f'${n}' for n, _ in enumerate(_COLUMNS.split(', '), 1))})")
# For a statement whose CTE `due` has plans; `$1` is the present.
SAVE_PLANNED = """
UPDATE clock c SET state = n.state, breached_at = n.breached_at, warned = n.warned, revision = n.revision,
                   detected_at = CASE WHEN n.breached_at IS NOT NULL THEN coalesce(c.detected_at, $1::timestamptz) END
FROM due d CROSS JOIN LATERAL jsonb_to_recordset(d.plan->'clocks')
  AS n (clock_id uuid, state text, breached_at timestamptz, warned text[], revision integer)
WHERE c.clock_id = n.clock_id
"""
_LIST = f"""
SELECT ticket_id, {_COPY}, detected_at FROM clock
WHERE ($1::uuid IS NULL OR ticket_id = $1) AND ($2::text IS NULL OR state = $2)
  AND ($3::uuid IS NULL OR customer_id = $3)
  AND ($4::timestamptz IS NULL OR (started_at, clock_id) > ($4, $5::uuid))
ORDER BY started_at, clock_id LIMIT $6
"""
_FIND = f"SELECT ticket_id, customer_id, {_COPY}, detected_at FROM clock WHERE clock_id = $1"


@dataclass(frozen=True, slots=True)
class ClockRow:
    """A clock to be saved: as it stands, whose it is, and what was announced of it."""

    desk_id: UUID
    ticket_id: UUID
    customer_id: UUID
    announced: Announced
    detected_at: datetime | None
    plan: str | None
    severity: str | None


@dataclass(frozen=True, slots=True)
class ListedClock:
    """A clock as it is listed."""

    ticket_id: UUID
    clock: ClockCopy
    detected_at: datetime | None


def _row_to_copy(row: Any) -> ClockCopy:
    return ClockCopy.model_validate({name: row[name] for name in ClockCopy.model_fields})


async def load_announced(connection: Connection, ticket_ids: Sequence[UUID]) -> dict[UUID, dict[UUID, Announced]]:
    """Return the clocks of tickets as they were last announced."""
    announced: dict[UUID, dict[UUID, Announced]] = defaultdict(dict)
    for row in await connection.fetch(_ANNOUNCED, ticket_ids):
        announced[row["ticket_id"]][row["clock_id"]] = Announced(
            clock=_row_to_copy(row), version=row["version"], warned=frozenset(row["warned"]), revision=row["revision"]
        )
    return announced


async def save_clocks(connection: Connection, rows: Sequence[ClockRow]) -> None:
    """Write clocks as they are being announced."""
    if rows:
        await connection.executemany(_SAVE_ROW, [_to_columns(row) for row in rows])


def plan_of(row: ClockRow) -> dict[str, Any]:
    """Return what time alone changes about a clock, as JSON for the plan of a timer."""
    clock, announced = row.announced.clock, row.announced
    return {
        "clock_id": clock.clock_id,
        "state": clock.state,
        "breached_at": clock.breached_at,
        "warned": sorted(announced.warned),
        "revision": announced.revision,
    }


def _to_columns(row: ClockRow) -> tuple[Any, ...]:
    clock, announced = row.announced.clock, row.announced
    return (
        row.desk_id,
        row.ticket_id,
        row.customer_id,
        clock.clock_id,
        clock.kind,
        clock.cycle,
        clock.state,
        clock.commitment,
        clock.target,
        clock.calendar,
        clock.clauses,
        clock.started_at,
        clock.due_at,
        clock.stopped_at,
        clock.breached_at,
        row.detected_at,
        announced.version,
        announced.revision,
        sorted(announced.warned),
        row.plan,
        row.severity,
    )


async def list_clocks(
    connection: Connection,
    *,
    ticket_id: UUID | None,
    state: str | None,
    customer_id: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[ListedClock]:
    """Return clocks by start; `customer_id` confines them to one customer's."""
    started_at, clock_id = after or (None, None)
    rows = await connection.fetch(_LIST, ticket_id, state, customer_id, started_at, clock_id, limit)
    return [ListedClock(row["ticket_id"], _row_to_copy(row), row["detected_at"]) for row in rows]


async def find_clock(connection: Connection, clock_id: UUID, *, customer_id: UUID | None) -> ListedClock | None:
    """Return a clock as last announced, None if there is no such that the customer may see."""
    row = await connection.fetchrow(_FIND, clock_id)
    if row is None or customer_id not in {None, row["customer_id"]}:
        return None
    return ListedClock(row["ticket_id"], _row_to_copy(row), row["detected_at"])
