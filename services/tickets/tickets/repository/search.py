"""Lists of tickets: filtered, in the order of the queue, by words. Each page costs the same wherever it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from tickets.domain.ticket import Ticket
from tickets.repository.tickets import select_tickets

Order = Literal["newest", "queue", "due"]
COUNTED = ("state", "team", "level", "assignee", "severity", "priority", "plan", "breached", "customer_id")
MOST_COUNTED = 10_000


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which tickets; None does not matter."""

    state: Sequence[str] | None = None
    level: int | None = None
    team: str | None = None
    assignee: str | None = None
    customer_id: UUID | None = None
    severity: str | None = None
    priority: str | None = None
    plan: str | None = None
    flag: str | None = None
    breached: bool | None = None
    held: bool | None = None
    due_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Ordering:
    """An order, how a page behind a row begins, and which tickets have a place in it."""

    by: str
    behind: str
    only: tuple[str, ...] = ()


_OPEN = "closed_at IS NULL"
_ORDERINGS: dict[Order, _Ordering] = {
    "newest": _Ordering(
        by="opened_at DESC, ticket_id DESC", behind="(opened_at, ticket_id) < ({0}::timestamptz, {1}::uuid)"
    ),
    "queue": _Ordering(
        by="queue_rank, next_due_at, ticket_id",
        behind="(queue_rank, next_due_at, ticket_id) > ({0}::integer, {1}::timestamptz, {2}::uuid)",
        only=(_OPEN,),
    ),
    "due": _Ordering(
        by="next_due_at, ticket_id",
        behind="(next_due_at, ticket_id) > ({0}::timestamptz, {1}::uuid)",
        only=(_OPEN,),
    ),
}
# A filter that is not given leaves no trace in the statement, so that the planner sees what is asked and no more.
_CONDITIONS = {
    "state": "state = ANY({}::text[])",
    "level": "level = {}",
    "team": "team = {}",
    "assignee": "assignee = {}",
    "customer_id": "customer_id = {}",
    "severity": "severity = {}",
    "priority": "priority = {}",
    "plan": "plan = {}",
    "flag": "{} = ANY(flags)",
    "breached": "breached = {}",
    "held": "(state = 'held') = {}::boolean",
    "due_before": "next_due_at < {}",
}
_FEED = """
SELECT e.seq, e.transaction_id, e.ticket_id, t.number, t.customer_id, e.occurred_at, e.recorded_at, e.kind, e.actor,
       e.internal, e.text, e.data,
       e.transaction_id < pg_snapshot_xmin(pg_current_snapshot())::text::bigint + transaction_offset() AS is_settled
FROM timeline_entry e JOIN ticket t USING (ticket_id)
WHERE (e.transaction_id, e.seq) > ($1::bigint, $2::bigint)
  AND ($3::uuid IS NULL OR e.ticket_id = $3) AND ($4::uuid IS NULL OR t.customer_id = $4) AND ($5 OR NOT e.internal)
ORDER BY e.transaction_id, e.seq LIMIT $6
"""
_HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint + transaction_offset()"


class _Statement:
    """Conditions put together from our own constants; values always go as parameters."""

    def __init__(self, wanted: Wanted) -> None:
        self.values: list[Any] = []
        self.conditions: list[str] = []
        for name, condition in _CONDITIONS.items():
            value = getattr(wanted, name)
            if value is not None:
                self.conditions.append(condition.format(self.place(value)))

    def place(self, value: Any) -> str:
        self.values.append(list(value) if isinstance(value, tuple) else value)
        return f"${len(self.values)}"

    @property
    def where(self) -> str:
        return f"WHERE {' AND '.join(self.conditions)}" if self.conditions else ""


async def list_tickets(
    connection: Connection, wanted: Wanted, *, order: Order, after: Sequence[Any] | None, limit: int
) -> list[Ticket]:
    """Return tickets in an order, those behind the sort keys `after`."""
    ordering, statement = _ORDERINGS[order], _Statement(wanted)
    statement.conditions += ordering.only
    if after is not None:
        statement.conditions.append(ordering.behind.format(*map(statement.place, after)))
    rest = f"{statement.where} ORDER BY {ordering.by} LIMIT {statement.place(limit)}"
    return await select_tickets(connection, rest, *statement.values)


async def due_instants(connection: Connection, tickets: Sequence[Ticket]) -> dict[UUID, datetime]:
    """Return the instants by which tickets stand in the queue."""
    rows = await connection.fetch(
        "SELECT ticket_id, next_due_at FROM ticket WHERE ticket_id = ANY($1::uuid[])",
        [ticket.ticket_id for ticket in tickets],
    )
    return {row["ticket_id"]: row["next_due_at"] for row in rows}


async def count_by(connection: Connection, wanted: Wanted, *, by: str) -> list[asyncpg.Record]:
    """Return how many tickets there are of each value of a column, the most first."""
    assert by in COUNTED, "a name from outside was let through"
    statement = _Statement(wanted)
    return await connection.fetch(
        f"SELECT {by}::text AS value, count(*) AS count FROM ticket {statement.where} "
        "GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 500",
        *statement.values,
    )


async def count_tickets(connection: Connection, wanted: Wanted) -> int:
    """Return how many tickets there are, counting 10,000 at most."""
    statement = _Statement(wanted)
    count: int = await connection.fetchval(
        f"SELECT count(*) FROM (SELECT FROM ticket {statement.where} LIMIT {MOST_COUNTED}) AS found", *statement.values
    )
    return count


async def search_tickets(
    connection: Connection, words: str, *, customer_id: UUID | None, with_internal: bool, limit: int
) -> list[tuple[Ticket, str]]:
    """Return the tickets that have the words in number, subject or texts, best first, each with a snippet."""
    hits = await connection.fetch(
        "SELECT ticket_id, snippet FROM search_tickets($1, $2, $3, $4)", words, customer_id, with_internal, limit
    )
    found = await select_tickets(connection, "WHERE ticket_id = ANY($1::uuid[])", [hit["ticket_id"] for hit in hits])
    by_id = {ticket.ticket_id: ticket for ticket in found}
    return [(by_id[hit["ticket_id"]], hit["snippet"]) for hit in hits if hit["ticket_id"] in by_id]


async def read_feed(
    connection: Connection,
    *,
    after: tuple[int, int],
    ticket_id: UUID | None,
    customer_id: UUID | None,
    with_internal: bool,
    limit: int,
) -> list[asyncpg.Record]:
    """Return what timelines grew by, behind a transaction and an entry of it.

    Transactions are numbered as they begin and are seen as they commit. Those at and behind the first row that is not
    settled may still be preceded by one that is under way.
    """
    return await connection.fetch(_FEED, *after, ticket_id, customer_id, with_internal, limit)


async def read_horizon(connection: Connection) -> int:
    """Return the first transaction that may still be under way: all before it are over."""
    horizon: int = await connection.fetchval(_HORIZON)
    return horizon
