"""The way of a message out of the house: claimed for an attempt, and what the attempt came to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from escalation.domain.delivery import Outcome, Verdict
from escalation.domain.letter import Letter
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

# The claim is a lease: whoever dies with it leaves an attempt without an outcome, and the message is due again later.
_CLAIM = """
WITH due AS (
  SELECT message_id FROM message m
  WHERE state = 'queued' AND next_attempt_at <= $1
    AND NOT EXISTS (SELECT FROM desk d WHERE d.desk_id = m.desk_id AND d.sandbox)
  ORDER BY next_attempt_at LIMIT 1 FOR UPDATE SKIP LOCKED
), claimed AS (
  UPDATE message m SET tries = tries + 1, next_attempt_at = $1::timestamptz + $2::interval
  FROM due WHERE m.message_id = due.message_id
  RETURNING m.*
), attempt AS (
  INSERT INTO message_attempt (desk_id, message_id, number, started_at)
  SELECT c.desk_id, c.message_id,
         1 + (SELECT count(*) FROM message_attempt a WHERE a.message_id = c.message_id), $1
  FROM claimed c RETURNING message_id, number
)
SELECT c.desk_id, c.message_id, c.ticket_id, c.channel, c.role, c.event, c.escalation_id, c.sender, c.address,
       c.subject, c.body, c.html, c.language, c.queued_at, c.tries, a.number AS attempt, t.number AS ticket_number
FROM claimed c JOIN attempt a USING (message_id) LEFT JOIN ticket t USING (ticket_id)
"""
_SETTLE = """
UPDATE message SET state = $3, next_attempt_at = $4, failure = $5,
                   sent_at = CASE WHEN $3 IN ('sent', 'delivered') THEN $6 ELSE sent_at END,
                   delivered_at = CASE WHEN $3 = 'delivered' THEN $6 ELSE delivered_at END
WHERE message_id = $1 AND tries = $2 AND state = 'queued'
"""
_END_ATTEMPT = """
UPDATE message_attempt SET ended_at = $3, outcome = $4, reply = $5 WHERE message_id = $1 AND number = $2
"""
_NEXT_DUE = """
SELECT min(next_attempt_at) FROM message m WHERE state = 'queued' AND next_attempt_at IS NOT NULL
  AND NOT EXISTS (SELECT FROM desk d WHERE d.desk_id = m.desk_id AND d.sandbox)
"""
_REQUEUE = """
UPDATE message m
SET address = $2, tries = 0, failure = NULL, digest_id = NULL, window_id = NULL,
    state = CASE WHEN d.sandbox THEN 'delivered' ELSE 'queued' END,
    next_attempt_at = CASE WHEN d.sandbox THEN NULL ELSE $3::timestamptz END,
    sent_at = CASE WHEN d.sandbox THEN $3::timestamptz END,
    delivered_at = CASE WHEN d.sandbox THEN $3::timestamptz END
FROM desk d WHERE d.desk_id = m.desk_id AND m.message_id = $1
"""
_FAIL = """
UPDATE message SET state = 'failed', failure = $2, next_attempt_at = NULL, delivered_at = NULL WHERE message_id = $1
"""
_ARRIVE = "UPDATE message SET state = 'delivered', delivered_at = $2 WHERE message_id = $1"
_ATTEMPTS = """
SELECT number, started_at, ended_at, outcome, reply FROM message_attempt WHERE message_id = $1 ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Dispatch:
    """A message claimed for an attempt: `tries` counts those of this round, `attempt` all there ever were."""

    desk_id: UUID
    letter: Letter
    channel: str
    role: str
    event: str
    escalation_id: UUID | None
    tries: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt; without an `outcome` it was cut off, or is under way."""

    number: int
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    reply: str | None


async def claim_message(tx: Transaction, *, now: datetime, lease: timedelta) -> Dispatch | None:
    """Claim the message that has been due longest, of any live desk, and note the attempt; None if none is due."""
    row = await tx.connection.fetchrow(_CLAIM, now, lease)
    if row is None:
        return None
    letter = Letter(
        message_id=row["message_id"],
        sender=row["sender"] or "",
        to=row["address"],
        subject=row["subject"],
        body=row["body"],
        language=row["language"],
        queued_at=row["queued_at"],
        html=row["html"],
        ticket_id=row["ticket_id"],
        ticket_number=row["ticket_number"],
    )
    return Dispatch(
        desk_id=row["desk_id"],
        letter=letter,
        channel=row["channel"],
        role=row["role"],
        event=row["event"],
        escalation_id=row["escalation_id"],
        tries=row["tries"],
        attempt=row["attempt"],
    )


async def settle_attempt(
    tx: Transaction, dispatch: Dispatch, *, outcome: Outcome, reply: str, verdict: Verdict, now: datetime
) -> bool:
    """Write what an attempt came to; false if the message has gone another way in the meantime."""
    message_id = dispatch.letter.message_id
    await tx.connection.execute(_END_ATTEMPT, message_id, dispatch.attempt, now, outcome, reply)
    tag = await tx.connection.execute(
        _SETTLE, message_id, dispatch.tries, verdict.state, verdict.next_attempt_at, verdict.failure, now
    )
    return str(tag) == "UPDATE 1"


async def next_due(connection: Connection) -> datetime | None:
    """Return when the next message is due, of any live desk."""
    due: datetime | None = await connection.fetchval(_NEXT_DUE)
    return due


async def requeue_message(tx: Transaction, message_id: UUID, *, address: str) -> None:
    """Let a message be tried anew."""
    await tx.connection.execute(_REQUEUE, message_id, address, tx.now)


async def fail_message(tx: Transaction, message_id: UUID, *, reason: str) -> None:
    """Write that a message did not arrive."""
    await tx.connection.execute(_FAIL, message_id, reason)


async def mark_delivered(tx: Transaction, message_id: UUID) -> None:
    """Write that a message lies in its mailbox."""
    await tx.connection.execute(_ARRIVE, message_id, tx.now)


async def list_attempts(connection: Connection, message_id: UUID) -> Sequence[Attempt]:
    """Return the attempts to send a message, oldest first."""
    return [Attempt(**row) for row in await connection.fetch(_ATTEMPTS, message_id)]
