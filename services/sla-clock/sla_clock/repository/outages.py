"""Outages: when something was out of service, by whoever reported it."""

from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.runtime.database import Connection
from sla_clock.domain.availability import Outage

_COLUMNS = (
    "outage_id, contract_id, component, cause, planned, summary, fingerprint, started_at, ended_at, reported_by, "
    "recorded_at, revision"
)
_INSERT = f"""
INSERT INTO outage ({_COLUMNS}, desk_id) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1, $12)
ON CONFLICT (outage_id) DO NOTHING RETURNING {_COLUMNS}
"""
_FIND = f"SELECT {_COLUMNS} FROM outage WHERE outage_id = $1"
_LOCK = f"{_FIND} FOR UPDATE"
_OPEN_ALERT = f"""
SELECT {_COLUMNS} FROM outage WHERE fingerprint = $1 AND ended_at IS NULL ORDER BY started_at LIMIT 1 FOR UPDATE
"""
_SAVE = f"""
UPDATE outage SET ended_at = $2, cause = $3, planned = $4, summary = $5, revision = revision + 1
WHERE outage_id = $1 RETURNING {_COLUMNS}
"""
_LIST = f"""
SELECT {_COLUMNS} FROM outage
WHERE ($1::uuid IS NULL OR contract_id = $1) AND ($2::boolean IS NULL OR (ended_at IS NULL) = $2)
  AND ($3::timestamptz IS NULL OR (started_at, outage_id) > ($3, $4::uuid))
ORDER BY started_at, outage_id LIMIT $5
"""
# Of a contract as a whole: whatever is its own, and the shared components that an availability is agreed for. Of a
# component of it: what is that component's, and what is the whole contract's.
_TOUCHING = f"""
SELECT {_COLUMNS} FROM outage
WHERE started_at < $4 AND (ended_at IS NULL OR ended_at > $3) AND CASE
  WHEN $2::text IS NOT NULL THEN coalesce(component, $2) = $2 AND coalesce(contract_id, $1) = $1
  ELSE contract_id = $1 OR (contract_id IS NULL AND component IN (
    SELECT component FROM availability_agreement WHERE contract_id = $1))
END
ORDER BY started_at, outage_id
"""


async def insert_outage(connection: Connection, outage: Outage, *, desk_id: UUID) -> bool:
    """Write a new outage; false if it is known."""
    row = await connection.fetchrow(
        _INSERT,
        outage.outage_id,
        outage.contract_id,
        outage.component,
        outage.cause,
        outage.planned,
        outage.summary,
        outage.fingerprint,
        outage.started_at,
        outage.ended_at,
        outage.reported_by,
        outage.recorded_at,
        desk_id,
    )
    return row is not None


async def find_outage(connection: Connection, outage_id: UUID) -> Outage | None:
    """Return an outage, None if there is no such."""
    return _row_to_outage(await connection.fetchrow(_FIND, outage_id))


async def lock_outage(connection: Connection, outage_id: UUID) -> Outage | None:
    """Return an outage, locked to the end of the transaction."""
    return _row_to_outage(await connection.fetchrow(_LOCK, outage_id))


async def lock_open_alert(connection: Connection, fingerprint: str) -> Outage | None:
    """Return the oldest outage of an alert that lasts, locked."""
    return _row_to_outage(await connection.fetchrow(_OPEN_ALERT, fingerprint))


async def save_outage(
    connection: Connection,
    outage_id: UUID,
    *,
    ended_at: datetime | None,
    cause: str | None,
    planned: bool,
    summary: str | None,
) -> Outage:
    """Write what has become known of a locked outage."""
    saved = _row_to_outage(await connection.fetchrow(_SAVE, outage_id, ended_at, cause, planned, summary))
    assert saved is not None
    return saved


async def list_outages(
    connection: Connection,
    *,
    contract_id: UUID | None,
    is_open: bool | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Outage]:
    """Return outages by start."""
    started_at, outage_id = after or (None, None)
    rows = await connection.fetch(_LIST, contract_id, is_open, started_at, outage_id, limit)
    return [Outage(**dict(row)) for row in rows]


async def list_touching(
    connection: Connection, *, contract_id: UUID, component: str | None, start: datetime, until: datetime
) -> list[Outage]:
    """Return the outages that touched a contract, or a component of it, in `[start, until)`, by start."""
    rows = await connection.fetch(_TOUCHING, contract_id, component, start, until)
    return [Outage(**dict(row)) for row in rows]


def _row_to_outage(row: Any) -> Outage | None:
    return None if row is None else Outage(**dict(row))
