"""Messages: somebody told of something, once."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_MESSAGE = (
    "message_id, ticket_id, customer_id, escalation_id, position, event, template, role, channel, address, language, "
    "subject, body, clauses, state, failure, dedupe_key, queued_at, sent_at, sender, html, note, tries, "
    "next_attempt_at, delivered_at, window_id, digest_id"
)
# Nothing leaves a sandbox, and only e-mail leaves the house: the rest lies where it is read.
_INSERT = """
WITH new AS (SELECT $16::text = 'queued' AND $22::uuid IS NULL
                    AND ($11::text <> 'email' OR (SELECT sandbox FROM desk WHERE desk_id = $1)) AS is_captured)
INSERT INTO message (desk_id, message_id, ticket_id, customer_id, escalation_id, position, event, template, role,
                     address, channel, language, subject, body, clauses, state, failure, dedupe_key, queued_at, sender,
                     html, window_id, note, sent_at, delivered_at, next_attempt_at)
SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,
       CASE WHEN is_captured THEN 'delivered' ELSE $16 END, $17, $18, $19, $20, $21, $22, $23,
       CASE WHEN is_captured THEN $19::timestamptz END, CASE WHEN is_captured THEN $19::timestamptz END,
       CASE WHEN NOT is_captured AND $16 = 'queued' AND $22 IS NULL THEN $19::timestamptz END
FROM new
ON CONFLICT (desk_id, dedupe_key) DO NOTHING RETURNING state
"""
_LIST = f"""
SELECT seq, {_MESSAGE} FROM message
WHERE ($1::uuid IS NULL OR ticket_id = $1) AND ($2::text IS NULL OR state = $2)
  AND ($3::text IS NULL OR address = $3) AND seq > $4
ORDER BY seq LIMIT $5
"""
_NEWEST = f"""
SELECT seq, {_MESSAGE} FROM message
WHERE ($1::text IS NULL OR address = $1) AND ($2::bigint IS NULL OR seq < $2) ORDER BY seq DESC LIMIT $3
"""
_OF_ESCALATIONS = f"SELECT {_MESSAGE} FROM message WHERE escalation_id = ANY($1) ORDER BY seq"


@dataclass(frozen=True, slots=True)
class Message:
    """Somebody told of something. `failure` says why it could not be delivered; `seq` is the order of writing."""

    message_id: UUID
    ticket_id: UUID | None
    customer_id: UUID | None
    escalation_id: UUID | None
    position: int | None
    event: str
    template: str
    role: str
    channel: str
    address: str | None
    language: str
    subject: str
    body: str
    clauses: tuple[str, ...]
    state: str
    failure: str | None
    dedupe_key: str
    queued_at: datetime
    sent_at: datetime | None = None
    sender: str | None = None
    html: str | None = None
    note: str | None = None
    tries: int = 0
    next_attempt_at: datetime | None = None
    delivered_at: datetime | None = None
    window_id: UUID | None = None
    digest_id: UUID | None = None
    seq: int = 0


async def insert_message(tx: Transaction, message: Message) -> str | None:
    """Write a message and return its state; None if it was written before.

    A queued one is delivered at once where it is captured, and waits where it is held for a digest.
    """
    state: str | None = await tx.connection.fetchval(
        _INSERT,
        tx.desk_id,
        message.message_id,
        message.ticket_id,
        message.customer_id,
        message.escalation_id,
        message.position,
        message.event,
        message.template,
        message.role,
        message.address,
        message.channel,
        message.language,
        message.subject,
        message.body,
        list(message.clauses),
        message.state,
        message.failure,
        message.dedupe_key,
        message.queued_at,
        message.sender,
        message.html,
        message.window_id,
        message.note,
    )
    return state


async def find_message(connection: Connection, message_id: UUID, *, lock: bool = False) -> Message | None:
    """Return a message of the desk; with `lock`, nobody else changes it until the commit."""
    row = await connection.fetchrow(
        f"SELECT {_MESSAGE} FROM message WHERE message_id = $1{' FOR UPDATE' if lock else ''}", message_id
    )
    return None if row is None else read_message(row)


async def list_messages(
    connection: Connection,
    *,
    ticket_id: UUID | None,
    state: str | None,
    address: str | None,
    after: int,
    limit: int,
) -> list[Message]:
    """Return messages, oldest first."""
    rows = await connection.fetch(_LIST, ticket_id, state, address, after, limit)
    return [read_message(row) for row in rows]


async def newest_messages(
    connection: Connection, *, address: str | None, before: int | None, limit: int
) -> list[Message]:
    """Return messages, newest first."""
    return [read_message(row) for row in await connection.fetch(_NEWEST, address, before, limit)]


async def digested_in(connection: Connection, digest_id: UUID) -> list[Message]:
    """Return the messages that a digest stands for, oldest first."""
    rows = await connection.fetch(f"SELECT {_MESSAGE} FROM message WHERE digest_id = $1 ORDER BY seq", digest_id)
    return [read_message(row) for row in rows]


async def messages_of(connection: Connection, escalation_ids: Sequence[UUID]) -> list[Message]:
    """Return the messages that escalations sent."""
    return [read_message(row) for row in await connection.fetch(_OF_ESCALATIONS, list(escalation_ids))]


def read_message(row: asyncpg.Record) -> Message:
    """Read a row of messages."""
    return Message(
        **{key: value for key, value in row.items() if key != "desk_id"} | {"clauses": tuple(row["clauses"])}
    )
