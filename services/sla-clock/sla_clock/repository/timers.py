"""Timers: rows are the truth, written only under the lock of their ticket.

Whoever takes a timer before its ticket skips what is locked, so that none waits for another.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.events.envelope import Envelope
from plazo.kernel.time import format_instant
from plazo.runtime.database import Connection
from plazo.runtime.outbox import ANNOUNCE
from sla_clock.repository.clocks import SAVE_PLANNED
from sla_clock.repository.tickets import Ticket, row_to_ticket

BATCH = 500
PLANNED_AT_ONCE = 50

_ARM = """
INSERT INTO timer AS t (timer_id, desk_id, ticket_id, purpose, due_at, live, state)
SELECT ticket_id, desk_id, ticket_id, 'clocks', due_at, live, 'armed'
FROM unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::boolean[]) AS a (ticket_id, desk_id, due_at, live)
WHERE due_at IS NOT NULL
ON CONFLICT (timer_id) DO UPDATE SET due_at = excluded.due_at, state = 'armed', plan = NULL
WHERE (t.due_at, t.state) IS DISTINCT FROM (excluded.due_at, 'armed') OR t.plan IS NOT NULL
"""
_REST = "UPDATE timer SET state = 'fired', plan = NULL WHERE timer_id = ANY($1) AND state = 'armed'"
_FAIL = "UPDATE timer SET state = 'failed' WHERE timer_id = $1 AND state = 'armed'"
_REQUEST = """
INSERT INTO timer (timer_id, desk_id, ticket_id, purpose, due_at, live, state, requested_by, context)
VALUES ($1, $2, $3, 'request', $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING RETURNING true
"""
_WITHDRAW = "UPDATE timer SET state = 'withdrawn' WHERE timer_id = $1 AND purpose = 'request' AND state = 'armed'"
# The present is asked for as a query of its own: not knowing it, PostgreSQL walks the index in its order, and does not
# sort all that is due for the sake of the first.
_OLDEST = """
FROM timer WHERE state = 'armed' AND live AND due_at <= (SELECT $1::timestamptz)
ORDER BY due_at, timer_id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_TIMER = "t.timer_id, t.due_at, t.requested_by, t.context, k.*"
# Any replica takes what no other has taken. The oldest are taken before their tickets are looked up: joined first, all
# that is due would be.
_CLAIM_LIVE = f"""
SELECT {_TIMER} FROM (SELECT * {_OLDEST}) t JOIN ticket k USING (ticket_id)
ORDER BY t.due_at, t.timer_id FOR UPDATE OF k SKIP LOCKED
"""
# The one who moves a desk's clock takes all of that desk, in order.
_CLAIM_DESK = f"""
SELECT {_TIMER} FROM timer t JOIN ticket k USING (ticket_id)
WHERE t.state = 'armed' AND NOT t.live AND t.due_at <= $1
ORDER BY t.due_at, t.timer_id LIMIT $2 FOR UPDATE OF k, t
"""
_CLAIM_UNPLANNED = f"""
SELECT {_TIMER} FROM (
  SELECT * FROM timer
  WHERE state = 'armed' AND live AND purpose = 'clocks' AND plan IS NULL AND due_at > $1 AND due_at <= $2
    AND (timer_id, due_at) NOT IN (SELECT * FROM unnest($4::uuid[], $5::timestamptz[]))
  ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED
) t JOIN ticket k USING (ticket_id) FOR UPDATE OF k SKIP LOCKED
"""
_SAVE_PLANS = """
UPDATE timer t SET plan = p.plan FROM unnest($1::uuid[], $2::jsonb[]) AS p (timer_id, plan)
WHERE t.timer_id = p.timer_id
"""
# Carries out the plans of the oldest due timers. A ticket with a due timer that has no plan, or whose terms are being
# changed just then, is left to those who fold.
_CARRY_OUT = f"""
WITH taken AS MATERIALIZED (
  SELECT timer_id, ticket_id, desk_id, due_at, plan {_OLDEST}
), held AS MATERIALIZED (
  SELECT t.*, EXISTS (
    SELECT FROM recomputation r
    WHERE r.desk_id = k.desk_id AND r.policy = k.policy AND r.state IN ('running', 'undoing')
  ) AS is_in_doubt
  FROM taken t JOIN ticket k USING (ticket_id) FOR UPDATE OF k SKIP LOCKED
), sorted AS MATERIALIZED (
  SELECT *, bool_and(plan IS NOT NULL AND NOT is_in_doubt) OVER (PARTITION BY ticket_id) AS is_planned,
         row_number() OVER (ORDER BY due_at, timer_id) AS n
  FROM held
), due AS MATERIALIZED (
  SELECT * FROM sorted WHERE is_planned
), moved AS (
  UPDATE timer t SET plan = NULL, due_at = coalesce((d.plan->>'next_due_at')::timestamptz, t.due_at),
                     state = CASE WHEN d.plan->>'next_due_at' IS NULL THEN 'fired' ELSE 'armed' END
  FROM due d WHERE t.timer_id = d.timer_id
), saved AS (
  {SAVE_PLANNED}
), event AS (
  SELECT (e->>'id')::uuid AS id, d.desk_id, d.ticket_id AS aggregate_id, e->>'type' AS type,
         (e->>'occurred_at')::timestamptz AS occurred_at, $1::timestamptz AS recorded_at,
         (e->>'correlation_id')::uuid AS correlation_id, NULL::uuid AS causation_id, NULL::text AS traceparent,
         CASE WHEN e->'data' ? 'detected_at' THEN jsonb_set(e->'data', '{{detected_at}}', to_jsonb($3::text))
              ELSE e->'data' END AS data,
         row_number() OVER (ORDER BY d.n, o) AS n
  FROM due d CROSS JOIN LATERAL jsonb_array_elements(d.plan->'events') WITH ORDINALITY AS a (e, o)
), {ANNOUNCE}
SELECT (SELECT coalesce(array_agg(due_at), '{{}}') FROM due) AS fired,
       (SELECT count(*) FROM sorted WHERE NOT is_planned) AS unplanned,
       (SELECT min((plan->>'next_due_at')::timestamptz) FROM due) AS rearmed_for,
       (SELECT min(due_at) FROM timer WHERE state = 'armed' AND live AND due_at > $1) AS next_due_at,
       (SELECT count(*) FROM taken) = $2 AS is_full,
       (SELECT count(*) FROM taken) < $2 AND EXISTS (
          SELECT FROM timer WHERE state = 'armed' AND live AND due_at <= $1
             AND timer_id NOT IN (SELECT timer_id FROM held)
       ) AS is_busy
"""
_NEXT_OF_DESK = "SELECT min(due_at) FROM timer WHERE state = 'armed' AND NOT live AND due_at <= $1"
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
class Plan:
    """What the instant of a timer will bring: what becomes of clocks, and events; and the timer's next instant."""

    timer_id: UUID
    clocks: Sequence[dict[str, Any]]
    events: Sequence[Envelope]
    next_due_at: datetime | None

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept; who it is about, and the present of its firing, are the row's."""
        return {
            "clocks": self.clocks,
            "events": [
                {
                    "id": event.id,
                    "type": event.type,
                    "occurred_at": event.occurred_at,
                    "correlation_id": event.correlation_id,
                    "data": event.data,
                }
                for event in self.events
            ],
            "next_due_at": self.next_due_at,
        }


@dataclass(frozen=True, slots=True)
class CarriedOut:
    """What came of the plans of due timers.

    The instants fired, how many due timers have no plan, and the next instant. `is_full`: there may be more; `is_busy`:
    others are in someone else's hands.
    """

    fired: Sequence[datetime]
    unplanned: int
    next_due_at: datetime | None
    is_full: bool
    is_busy: bool


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


async def claim_unplanned(
    connection: Connection, *, after: datetime, until: datetime, but: Mapping[UUID, datetime], at_most: int
) -> list[DueTimer]:
    """Take timers of live desks that fall due between two instants and have no plan, soonest first.

    Those in `but` are left where their instant is the one named there.
    """
    rows = await connection.fetch(_CLAIM_UNPLANNED, after, until, at_most, list(but), list(but.values()))
    return [_row_to_due(row) for row in rows]


async def save_plans(connection: Connection, plans: Sequence[Plan]) -> None:
    """Write what claimed timers will bring."""
    await connection.execute(_SAVE_PLANS, [plan.timer_id for plan in plans], [plan.as_json() for plan in plans])


async def carry_out_plans(connection: Connection, *, now: datetime) -> CarriedOut:
    """Fire the oldest due timers of all live desks that have a plan and that no one else has taken: one statement."""
    row = await connection.fetchrow(_CARRY_OUT, now, BATCH, format_instant(now))
    assert row is not None
    ahead = [instant for instant in (row["rearmed_for"], row["next_due_at"]) if instant is not None]
    return CarriedOut(row["fired"], row["unplanned"], min(ahead, default=None), row["is_full"], row["is_busy"])


async def count_past_due(connection: Connection, *, now: datetime) -> int:
    """Count the live timers of all desks that are past due and not fired, for whatever reason."""
    count: int = await connection.fetchval(_PAST_DUE, now)
    return count


def _row_to_due(row: Any) -> DueTimer:
    return DueTimer(row["timer_id"], row_to_ticket(row), row["due_at"], row["requested_by"], row["context"])
