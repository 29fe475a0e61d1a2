"""Requests that did not become tickets, and what became of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class KeptRequest:
    """A request that did not become a ticket. `body` is the request as it was understood, `original` what arrived."""

    request_id: UUID
    outcome: str
    state: str
    reason: str
    note: dict[str, str]
    clauses: tuple[str, ...]
    channel: str
    sender: str | None
    customer_id: UUID | None
    contact_id: UUID | None
    body: dict[str, Any]
    original: dict[str, Any]
    received_at: datetime
    ticket_id: UUID | None = None
    settled_by: str | None = None
    settled_for: str | None = None
    settled_at: datetime | None = None


_COLUMNS = (
    "request_id, outcome, state, reason, note, clauses, channel, sender, customer_id, contact_id, body, original, "
    "received_at, ticket_id, settled_by, settled_for, settled_at"
)
_INSERT = f"""
INSERT INTO kept_request (desk_id, {_COLUMNS})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""
_SETTLE = """
UPDATE kept_request SET state = $2, ticket_id = $3, settled_by = $4, settled_for = $5, settled_at = $6
WHERE request_id = $1
"""
_LIST = f"""
SELECT {_COLUMNS} FROM kept_request
WHERE ($1::timestamptz IS NULL OR (received_at, request_id) > ($1, $2))
  AND ($3::text IS NULL OR state = $3) AND ($4::text IS NULL OR outcome = $4)
  AND ($5::uuid IS NULL OR customer_id = $5)
ORDER BY received_at, request_id LIMIT $6
"""


def _kept(row: asyncpg.Record) -> KeptRequest:
    return KeptRequest(**{**row, "clauses": tuple(row["clauses"])})


async def insert_kept(tx: Transaction, kept: KeptRequest) -> None:
    """Write a request that is kept."""
    await tx.connection.execute(
        _INSERT,
        tx.desk_id,
        kept.request_id,
        kept.outcome,
        kept.state,
        kept.reason,
        kept.note,
        kept.clauses,
        kept.channel,
        kept.sender,
        kept.customer_id,
        kept.contact_id,
        kept.body,
        kept.original,
        kept.received_at,
        kept.ticket_id,
        kept.settled_by,
        kept.settled_for,
        kept.settled_at,
    )


async def settle_kept(tx: Transaction, kept: KeptRequest) -> None:
    """Write what became of a request."""
    await tx.connection.execute(
        _SETTLE,
        kept.request_id,
        kept.state,
        kept.ticket_id,
        kept.settled_by,
        kept.settled_for,
        kept.settled_at,
    )


async def find_kept(connection: Connection, request_id: UUID, *, lock: bool = False) -> KeptRequest | None:
    """Return a kept request of the desk; `lock` holds its row until the end of the transaction."""
    suffix = " FOR UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM kept_request WHERE request_id = $1{suffix}", request_id)
    return None if row is None else _kept(row)


async def list_kept(
    connection: Connection,
    *,
    after: tuple[datetime, UUID] | None,
    state: str | None,
    outcome: str | None,
    customer_id: UUID | None,
    limit: int,
) -> list[KeptRequest]:
    """Return kept requests, oldest first, those behind `after`; of one customer if given."""
    received_at, request_id = after or (None, None)
    rows = await connection.fetch(_LIST, received_at, request_id, state, outcome, customer_id, limit)
    return [_kept(row) for row in rows]
