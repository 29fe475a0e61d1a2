"""The way of an event to a partner system: its lane claimed for an attempt, and what the attempt came to."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from escalation.domain.posting import Answer, Health, Verdict
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

# The claim is a lease: whoever dies with it leaves an attempt without an end, and the lane is free again later. The
# delivery is changed before the lane, and the lane only with it: if another process has just sent it, neither is.
_CLAIM = """
WITH due AS (
  SELECT l.subscription_id, l.aggregate_id
  FROM webhook_lane l JOIN subscription s USING (subscription_id)
  WHERE l.next_attempt_at <= $1 AND (l.busy_until IS NULL OR l.busy_until <= $1) AND s.state = 'active'
    AND l.subscription_id <> ALL($3::uuid[])
  ORDER BY l.next_attempt_at LIMIT 1 FOR UPDATE OF l SKIP LOCKED
), claimed AS (
  UPDATE webhook_delivery d SET tries = d.tries + 1
  FROM due
  WHERE d.state = 'queued' AND d.delivery_id = (
    SELECT q.delivery_id FROM webhook_delivery q
    WHERE q.subscription_id = due.subscription_id AND q.aggregate_id = due.aggregate_id AND q.state = 'queued'
    ORDER BY q.delivery_id LIMIT 1)
  RETURNING d.*
), leased AS (
  UPDATE webhook_lane l SET busy_until = $1::timestamptz + $2::interval
  FROM claimed c WHERE l.subscription_id = c.subscription_id AND l.aggregate_id = c.aggregate_id
), attempt AS (
  INSERT INTO webhook_attempt (desk_id, delivery_id, number, started_at)
  SELECT c.desk_id, c.delivery_id,
         1 + (SELECT count(*) FROM webhook_attempt a WHERE a.delivery_id = c.delivery_id), $1
  FROM claimed c RETURNING number
)
SELECT c.delivery_id, c.subscription_id, c.desk_id, c.event_id, c.producer, c.type, c.aggregate_id, c.occurred_at,
       c.recorded_at, c.data, c.tries, a.number AS attempt, s.url, s.secret,
       (SELECT clock_at FROM desk k WHERE k.desk_id = c.desk_id) AS desk_clock_at,
       CASE WHEN s.previous_until > $1 THEN s.previous_secret END AS previous_secret
FROM claimed c CROSS JOIN attempt a JOIN subscription s USING (subscription_id)
"""
_END_ATTEMPT = """
UPDATE webhook_attempt SET ended_at = $3, status = $4, milliseconds = $5, excerpt = $6, failure = $7
WHERE delivery_id = $1 AND number = $2
"""
_SETTLE = """
UPDATE webhook_delivery SET state = $3, delivered_at = $4 WHERE delivery_id = $1 AND tries = $2 AND state = 'queued'
"""
_LOCK_LANE = "SELECT FROM webhook_lane WHERE subscription_id = $1 AND aggregate_id = $2 FOR UPDATE"
# Asked under the lock of the lane: whoever queues an event holds it until the commit.
_FREE_LANE = """
UPDATE webhook_lane l
SET busy_until = NULL,
    next_attempt_at = CASE WHEN EXISTS (SELECT FROM webhook_delivery d WHERE d.subscription_id = $1
                                        AND d.aggregate_id = $2 AND d.state = 'queued')
                                AND (SELECT state = 'active' FROM subscription WHERE subscription_id = $1)
                           THEN $3::timestamptz END
WHERE subscription_id = $1 AND aggregate_id = $2
"""
_HEALTH = "SELECT failures, failing_since FROM subscription WHERE subscription_id = $1 FOR NO KEY UPDATE"
_SET_HEALTH = "UPDATE subscription SET failures = $2, failing_since = $3 WHERE subscription_id = $1"
_NEXT_DUE = """
SELECT min(greatest(l.next_attempt_at, l.busy_until)) FROM webhook_lane l JOIN subscription s USING (subscription_id)
WHERE l.next_attempt_at IS NOT NULL AND s.state = 'active'
"""
# An event that was queued while its subscription was being switched on has nobody else to wake its lane.
_WAKE_IDLE = """
UPDATE webhook_lane l SET next_attempt_at = $1
FROM subscription s
WHERE s.subscription_id = l.subscription_id AND s.state = 'active' AND l.next_attempt_at IS NULL
  AND EXISTS (SELECT FROM webhook_delivery d WHERE d.subscription_id = l.subscription_id
              AND d.aggregate_id = l.aggregate_id AND d.state = 'queued')
"""
_FORGET = """
DELETE FROM webhook_delivery WHERE delivery_id IN (
  SELECT delivery_id FROM webhook_delivery WHERE queued_at < $1 ORDER BY queued_at LIMIT 5000)
"""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """An event claimed for an attempt: `tries` counts those of this round, `attempt` all there ever were."""

    delivery_id: int
    subscription_id: UUID
    desk_id: UUID
    event_id: UUID
    producer: str
    type: str
    aggregate_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    data: dict[str, Any]
    tries: int
    attempt: int
    url: str
    secret: str
    previous_secret: str | None
    desk_clock_at: datetime | None


async def claim_delivery(
    tx: Transaction, *, now: datetime, lease: timedelta, passing_over: frozenset[UUID]
) -> Dispatch | None:
    """Claim the first event of the lane that has been due longest, of any desk; None if none is due.

    The subscriptions `passing_over` have as many attempts under way as they may.
    """
    row = await tx.connection.fetchrow(_CLAIM, now, lease, list(passing_over))
    return None if row is None else Dispatch(**row)


async def settle_attempt(
    tx: Transaction, dispatch: Dispatch, answer: Answer, verdict: Verdict, *, now: datetime
) -> None:
    """Write what an attempt came to, and let the lane go on: at once, or after the pause of what failed."""
    lane = (dispatch.subscription_id, dispatch.aggregate_id)
    await tx.connection.execute(_LOCK_LANE, *lane)
    await tx.connection.execute(
        _END_ATTEMPT,
        dispatch.delivery_id,
        dispatch.attempt,
        now,
        answer.status,
        answer.milliseconds,
        answer.excerpt or None,
        answer.failure,
    )
    # A replay may have put the event back in the meantime: then it is sent again.
    tag = await tx.connection.execute(
        _SETTLE,
        dispatch.delivery_id,
        dispatch.tries,
        verdict.state,
        now if verdict.state == "delivered" else None,
    )
    is_current = str(tag) == "UPDATE 1"
    await tx.connection.execute(_FREE_LANE, *lane, (verdict.next_attempt_at if is_current else None) or now)


async def lock_health(tx: Transaction, subscription_id: UUID) -> Health:
    """Return how a subscription is; nobody else changes it until the commit."""
    row = await tx.connection.fetchrow(_HEALTH, subscription_id)
    assert row is not None
    return Health(**row)


async def set_health(tx: Transaction, subscription_id: UUID, health: Health) -> None:
    """Write how a subscription is."""
    await tx.connection.execute(_SET_HEALTH, subscription_id, health.failures, health.failing_since)


async def next_due(connection: Connection) -> datetime | None:
    """Return when the next lane is due, of any desk."""
    due: datetime | None = await connection.fetchval(_NEXT_DUE)
    return due


async def wake_idle_lanes(tx: Transaction, *, now: datetime) -> None:
    """Let lanes go on in which something waits for nothing."""
    await tx.connection.execute(_WAKE_IDLE, now)


async def forget_before(tx: Transaction, instant: datetime) -> None:
    """Delete what was queued before an instant, some thousands at most: sent, given up, or kept for nobody."""
    await tx.connection.execute(_FORGET, instant)
