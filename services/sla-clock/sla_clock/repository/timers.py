"""Timers: rows are the truth, touched only under the lock of their ticket, so that none waits for another."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.runtime.database import Connection
from sla_clock.repository.tickets import Ticket, row_to_ticket

BATCH = 500

_ARM = """
INSERT INTO timer AS t (timer_id, desk_id, ticket_id, purpose, due_at, live, state)
SELECT ticket_id, desk_id, ticket_id, 'clocks', due_at, live, 'armed'
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::boolean[]) AS a (ticket_id, desk_id, due_at, live)
WHERE due_at IS NOT NULL
ON CONFLICT (timer_id) DO UPDATE SET due_at = excluded.due_at, state = 'armed'
WHERE (t.due_at, t.state) IS DISTINCT FROM (excluded.due_at, 'armed')
"""
_REST = "UPDATE timer SET state = 'fired' WHERE timer_id = ANY($1) AND state = 'armed'"
_FAIL = "UPDATE timer SET state = 'failed' WHERE timer_id = $1 AND state = 'armed'"
_REQUEST = """
INSERT INTO timer (timer_id, desk_id, ticket_id, purpose, due_at, live, state, requested_by, context)
VALUES ($1, $2, $3, 'request', $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING true
"""
_WITHDRAW = "UPDATE timer SET state = 'withdrawn' WHERE timer_id = $1 AND purpose = 'request' AND state = 'armed'"
_CLAIM = """
SELECT t.timer_id, t.purpose, t.due_at, t.requested_by, t.context, k.*
FROM timer t JOIN ticket k USING (ticket_id)
WHERE t.state = 'armed' AND {scope} AND t.due_at <= $1
ORDER BY t.due_at, t.timer_id LIMIT $2 FOR UPDATE OF k, t {waiting}
"""
# Any replica takes what no other has taken.
_CLAIM_LIVE = _CLAIM.format(scope="t.live", waiting="SKIP LOCKED")
# The one who moves a desk's clock takes all of that desk, in order.
_CLAIM_DESK = _CLAIM.format(scope="NOT t.live", waiting="")
_NEXT_OF_DESK = "SELECT min(due_at) FROM timer WHERE state = 'armed' AND due_at <= $1"
_OUTLOOK = """
SELECT (SELECT min(due_at) FROM timer WHERE state = 'armed' AND live) AS next_due_at,
       (SELECT count(*) FROM timer WHERE state = 'armed' AND live AND due_at <= $1) AS past_due
"""
_PAST_DUE = """
SELECT (SELECT count(*) FROM timer WHERE state = 'armed' AND live AND due_at <= $1)
     + (SELECT count(*) FROM timer WHERE state = 'failed' AND live)
"""


@dataclass(frozen=True, slots=True)
class DueTimer:
    """A timer whose instant has come, with its ticket; `requested_by` is None for a ticket's own clocks."""

    timer_id: UUID
    ticket: Ticket
    due_at: datetime
    requested_by: str | None
    context: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Outlook:
    """What the live timers hold: the next due instant, and how many are past it unfired."""

    next_due_at: datetime | None
    past_due: int


async def arm_clocks(connection: Connection, upcoming: Sequence[tuple[Ticket, datetime | None]]) -> None:
    """Set for each ticket the next instant at which its clocks change by themselves; None for never."""
    if not upcoming:
        return
    await connection.execute(
        _ARM,
        [ticket.ticket_id for ticket, _ in upcoming],
        [ticket.desk_id for ticket, _ in upcoming],
        [due_at for _, due_at in upcoming],
        [ticket.live for ticket, _ in upcoming],
    )
    if resting := [ticket.ticket_id for ticket, due_at in upcoming if due_at is None]:
        await connection.execute(_REST, resting)


async def insert_request(
    connection: Connection,
    ticket: Ticket,
    *,
    timer_id: UUID,
    due_at: datetime,
    state: str,
    requested_by: str,
    context: dict[str, Any],
) -> bool:
    """Write the timer that another service asked for; false if it did so before."""
    fresh = await connection.fetchval(
        _REQUEST, timer_id, ticket.desk_id, ticket.ticket_id, due_at, ticket.live, state, requested_by, context
    )
    return bool(fresh)


async def withdraw_request(connection: Connection, timer_id: UUID) -> None:
    """Take back a requested timer, if it has not fired."""
    await connection.execute(_WITHDRAW, timer_id)


async def mark_fired(connection: Connection, timer_ids: Sequence[UUID]) -> None:
    """Note that timers have fired."""
    if timer_ids:
        await connection.execute(_REST, timer_ids)


async def mark_failed(connection: Connection, timer_id: UUID) -> None:
    """Set a timer aside that cannot be fired, so that it does not stand before the others."""
    await connection.execute(_FAIL, timer_id)


async def claim_live(connection: Connection, *, now: datetime, limit: int) -> list[DueTimer]:
    """Take the oldest due timers of all live desks that no one else has taken, with their tickets."""
    return [_row_to_due(row) for row in await connection.fetch(_CLAIM_LIVE, now, limit)]


async def claim_of_desk(connection: Connection, *, until: datetime) -> list[DueTimer]:
    """Take the due timers of the transaction's sandbox desk, oldest first; a batch at most."""
    return [_row_to_due(row) for row in await connection.fetch(_CLAIM_DESK, until, BATCH)]


async def next_of_desk(connection: Connection, *, until: datetime) -> datetime | None:
    """Return the first armed instant of the transaction's desk that is not after `until`."""
    instant: datetime | None = await connection.fetchval(_NEXT_OF_DESK, until)
    return instant


async def outlook(connection: Connection, *, now: datetime) -> Outlook:
    """Look at the live timers of all desks."""
    row = await connection.fetchrow(_OUTLOOK, now)
    assert row is not None
    return Outlook(row["next_due_at"], row["past_due"])


async def count_past_due(connection: Connection, *, now: datetime) -> int:
    """Count the live timers of all desks that are past due and not fired, for whatever reason."""
    count: int = await connection.fetchval(_PAST_DUE, now)
    return count


def _row_to_due(row: Any) -> DueTimer:
    return DueTimer(row["timer_id"], row_to_ticket(row), row["due_at"], row["requested_by"], row["context"])
