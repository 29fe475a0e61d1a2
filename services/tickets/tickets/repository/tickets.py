"""Tickets, their decisions and their timeline."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.lifecycle import State
from tickets.domain.ticket import Ticket

# Columns a change may touch, in the order of _UPDATE; the others are written once.
_CHANGING = (
    "version",
    "state",
    "cycle",
    "given",
    "facts",
    "covered",
    "clocks",
    "admission",
    "waits",
    "held_for",
    "held_clause",
    "team",
    "level",
    "assignee",
    "resolution_kind",
    "resolution_text",
    "resolved_at",
    "closed_at",
    "closed_for",
)
_FIXED = (
    "ticket_id",
    "number",
    "subject",
    "description",
    "channel",
    "customer_id",
    "customer_name",
    "contact_name",
    "contact_email",
    "contract_id",
    "policy",
    "policy_version",
    "language",
    "opened_at",
)
_COLUMNS = ", ".join((*_FIXED, *_CHANGING))
_INSERT = (
    f"INSERT INTO ticket (desk_id, {_COLUMNS}) "
    f"VALUES ($1, {', '.join(f'${n + 2}' for n in range(len(_FIXED) + len(_CHANGING)))})"
)
_UPDATE = (
    "UPDATE ticket SET "
    + ", ".join(f"{column} = ${n + 2}" for n, column in enumerate(_CHANGING))
    + " WHERE ticket_id = $1"
)
_NEXT_NUMBER = """
INSERT INTO ticket_number AS n (desk_id, last_number) VALUES ($1, 1)
ON CONFLICT (desk_id) DO UPDATE SET last_number = n.last_number + 1 RETURNING last_number
"""
_LIST = f"""
SELECT {_COLUMNS} FROM ticket
WHERE ($1::timestamptz IS NULL OR (opened_at, ticket_id) < ($1, $2))
  AND ($3::uuid IS NULL OR customer_id = $3)
  AND ($4::text IS NULL OR state = $4)
ORDER BY opened_at DESC, ticket_id DESC LIMIT $5
"""
_TIMELINE = """
SELECT seq, occurred_at, recorded_at, kind, actor, internal, text, data FROM timeline_entry
WHERE ticket_id = $1 AND ($2::timestamptz IS NULL OR (occurred_at, seq) > ($2, $3)) AND ($4 OR NOT internal)
ORDER BY occurred_at, seq LIMIT $5
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to a ticket, for its timeline. Internal entries are never shown to the customer."""

    kind: str
    actor: str
    occurred_at: datetime
    text: str | None = None
    internal: bool = False
    data: dict[str, Any] = field(default_factory=dict)


def _row_to_ticket(row: asyncpg.Record) -> Ticket:
    return Ticket(**{**row, "state": State(row["state"]), "waits": tuple(row["waits"])})


async def next_number(tx: Transaction) -> int:
    """Take the desk's next ticket number: unique, in order, not without gaps."""
    number: int = await tx.connection.fetchval(_NEXT_NUMBER, tx.desk_id)
    return number


async def insert_ticket(tx: Transaction, ticket: Ticket) -> None:
    """Write a new ticket and what was decided about it."""
    await tx.connection.execute(_INSERT, tx.desk_id, *(getattr(ticket, column) for column in (*_FIXED, *_CHANGING)))
    await insert_decisions(tx, ticket)


async def update_ticket(tx: Transaction, ticket: Ticket) -> None:
    """Write a changed ticket; the caller holds its row."""
    await tx.connection.execute(_UPDATE, ticket.ticket_id, *(getattr(ticket, column) for column in _CHANGING))


async def insert_decisions(tx: Transaction, ticket: Ticket) -> None:
    """Keep the decisions that a version of the ticket brought."""
    await tx.connection.executemany(
        "INSERT INTO ticket_decision (ticket_id, version, about, desk_id, value, rule, clauses, decided_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            (ticket.ticket_id, ticket.version, one.about, tx.desk_id, one.value, one.rule, one.clauses, tx.now)
            for one in ticket.decisions
        ],
    )


async def find_ticket(connection: Connection, ticket_id: UUID, *, lock: bool = False) -> Ticket | None:
    """Return a ticket of the desk; `lock` holds its row until the end of the transaction."""
    suffix = " FOR UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM ticket WHERE ticket_id = $1{suffix}", ticket_id)
    return None if row is None else _row_to_ticket(row)


async def list_tickets(
    connection: Connection,
    *,
    after: tuple[datetime, UUID] | None,
    customer_id: UUID | None,
    state: str | None,
    limit: int,
) -> list[Ticket]:
    """Return tickets, newest first, those behind `after`."""
    opened_at, ticket_id = after or (None, None)
    rows = await connection.fetch(_LIST, opened_at, ticket_id, customer_id, state, limit)
    return [_row_to_ticket(row) for row in rows]


async def list_decisions(connection: Connection, ticket_id: UUID) -> list[asyncpg.Record]:
    """Return all that was ever decided about a ticket, oldest first."""
    return await connection.fetch(
        "SELECT version, about, value, rule, clauses, decided_at FROM ticket_decision WHERE ticket_id = $1 "
        "ORDER BY version, about",
        ticket_id,
    )


async def add_entries(tx: Transaction, ticket_id: UUID, entries: Sequence[Entry]) -> None:
    """Append to the timeline of a ticket."""
    await tx.connection.executemany(
        "INSERT INTO timeline_entry (desk_id, ticket_id, occurred_at, recorded_at, kind, actor, internal, text, data) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        [
            (tx.desk_id, ticket_id, one.occurred_at, tx.now, one.kind, one.actor, one.internal, one.text, one.data)
            for one in entries
        ],
    )


async def read_timeline(
    connection: Connection,
    ticket_id: UUID,
    *,
    after: tuple[datetime, int] | None,
    with_internal: bool,
    limit: int,
) -> list[asyncpg.Record]:
    """Return the timeline in the order things happened, entries behind `after`."""
    occurred_at, seq = after or (None, None)
    return await connection.fetch(_TIMELINE, ticket_id, occurred_at, seq, with_internal, limit)


async def keep_request(
    tx: Transaction, *, request_id: UUID, outcome: str, reason: str, clauses: Sequence[str], body: dict[str, Any]
) -> None:
    """Keep a request that may not become a ticket."""
    await tx.connection.execute(
        "INSERT INTO kept_request (request_id, desk_id, outcome, reason, clauses, body, received_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        request_id,
        tx.desk_id,
        outcome,
        reason,
        list(clauses),
        body,
        tx.now,
    )


_LIST_KEPT = """
SELECT request_id, outcome, reason, clauses, body, received_at FROM kept_request
WHERE ($1::timestamptz IS NULL OR (received_at, request_id) > ($1, $2)) ORDER BY received_at, request_id LIMIT $3
"""


async def list_kept_requests(
    connection: Connection, *, after: tuple[datetime, UUID] | None, limit: int
) -> list[asyncpg.Record]:
    """Return requests that did not become tickets, oldest first."""
    received_at, request_id = after or (None, None)
    return await connection.fetch(_LIST_KEPT, received_at, request_id, limit)
