"""Hooks, and what was delivered to them."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Hook:
    """Where another system posts. `secrets` are encrypted, the newest first; an older one counts until its `until`."""

    hook_id: UUID
    desk_id: UUID
    name: str
    kind: str
    scheme: str
    mapping: dict[str, Any]
    contract_id: UUID | None
    tolerance_seconds: int
    secrets: list[dict[str, Any]]
    created_at: datetime
    disabled_at: datetime | None = None

    @property
    def source(self) -> str:
        """Under which its references are known."""
        return f"hook:{self.hook_id}"


_COLUMNS = ", ".join(field.name for field in fields(Hook))
_QUALIFIED = ", ".join(f"h.{field.name}" for field in fields(Hook))
_LOOK_UP = f"SELECT {_QUALIFIED}, d.clock_at FROM hook h JOIN desk d USING (desk_id) WHERE hook_id = $1"
_CLAIM = """
INSERT INTO hook_delivery (hook_id, delivery_id, desk_id, received_at)
SELECT $1, delivery_id, $2, $4 FROM unnest($3::text[]) AS given (delivery_id) ORDER BY delivery_id
ON CONFLICT DO NOTHING RETURNING delivery_id
"""


async def insert_hook(tx: Transaction, hook: Hook) -> None:
    """Write a new hook."""
    values = [getattr(hook, field.name) for field in fields(Hook)]
    await tx.connection.execute(
        f"INSERT INTO hook ({_COLUMNS}) VALUES ({', '.join(f'${n + 1}' for n in range(len(values)))})", *values
    )


async def update_hook(tx: Transaction, hook: Hook) -> None:
    """Write what may change about a hook."""
    await tx.connection.execute(
        "UPDATE hook SET name = $2, mapping = $3, contract_id = $4, tolerance_seconds = $5, secrets = $6, "
        "disabled_at = $7 WHERE hook_id = $1",
        hook.hook_id,
        hook.name,
        hook.mapping,
        hook.contract_id,
        hook.tolerance_seconds,
        hook.secrets,
        hook.disabled_at,
    )


async def find_hook(connection: Connection, hook_id: UUID, *, lock: bool = False) -> Hook | None:
    """Return a hook of the desk."""
    suffix = " FOR UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM hook WHERE hook_id = $1{suffix}", hook_id)
    return None if row is None else Hook(**row)


async def look_up_hook(pool: asyncpg.Pool, hook_id: UUID) -> tuple[Hook, datetime | None] | None:
    """Return a hook of any desk, and the present of its desk if that is a sandbox; for the system role."""
    row = await pool.fetchrow(_LOOK_UP, hook_id)
    if row is None:
        return None
    known = dict(row)
    clock_at = known.pop("clock_at")
    return Hook(**known), clock_at


async def list_hooks(connection: Connection, *, after: tuple[datetime, UUID] | None, limit: int) -> list[Hook]:
    """Return hooks by age, those behind `after`."""
    created_at, hook_id = after or (None, None)
    rows = await connection.fetch(
        f"SELECT {_COLUMNS} FROM hook WHERE ($1::timestamptz IS NULL OR (created_at, hook_id) > ($1, $2)) "
        "ORDER BY created_at, hook_id LIMIT $3",
        created_at,
        hook_id,
        limit,
    )
    return [Hook(**row) for row in rows]


async def claim_delivery(tx: Transaction, hook_id: UUID, ids: Sequence[str]) -> bool:
    """Take hold of a delivery by all its ids; false if one of them came before. A second one waits for the first."""
    rows = await tx.connection.fetch(_CLAIM, hook_id, tx.desk_id, sorted(set(ids)), tx.now)
    return len(rows) == len(set(ids))


async def settle_delivery(tx: Transaction, hook_id: UUID, ids: Sequence[str], answer: dict[str, Any]) -> None:
    """Keep what a delivery was answered."""
    await tx.connection.execute(
        "UPDATE hook_delivery SET answer = $3 WHERE hook_id = $1 AND delivery_id = ANY($2)", hook_id, list(ids), answer
    )


async def recall_delivery(connection: Connection, hook_id: UUID, ids: Sequence[str]) -> dict[str, Any]:
    """Return what a known delivery was answered."""
    answer: dict[str, Any] | None = await connection.fetchval(
        "SELECT answer FROM hook_delivery WHERE hook_id = $1 AND delivery_id = ANY($2) AND answer IS NOT NULL LIMIT 1",
        hook_id,
        list(ids),
    )
    return answer or {}
