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
    "subject, body, clauses, state, failure, dedupe_key, queued_at, sent_at"
)
_INSERT = f"""
INSERT INTO message (desk_id, {_MESSAGE})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)
ON CONFLICT (desk_id, dedupe_key) DO NOTHING
"""
_LIST = f"""
SELECT seq, {_MESSAGE} FROM message
WHERE ($1::uuid IS NULL OR ticket_id = $1) AND ($2::text IS NULL OR state = $2)
  AND ($3::text IS NULL OR address = $3) AND seq > $4
ORDER BY seq LIMIT $5
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
    sent_at: datetime | None
    seq: int = 0


async def insert_message(tx: Transaction, message: Message) -> bool:
    """Write a message; false if it was written before."""
    tag = await tx.connection.execute(
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
        message.channel,
        message.address,
        message.language,
        message.subject,
        message.body,
        list(message.clauses),
        message.state,
        message.failure,
        message.dedupe_key,
        message.queued_at,
        message.sent_at,
    )
    return str(tag) == "INSERT 0 1"


async def find_message(connection: Connection, message_id: UUID) -> Message | None:
    """Return a message of the desk."""
    row = await connection.fetchrow(f"SELECT {_MESSAGE} FROM message WHERE message_id = $1", message_id)
    return None if row is None else _message(row)


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
    return [_message(row) for row in rows]


async def messages_of(connection: Connection, escalation_ids: Sequence[UUID]) -> list[Message]:
    """Return the messages that escalations sent."""
    return [_message(row) for row in await connection.fetch(_OF_ESCALATIONS, list(escalation_ids))]


def _message(row: asyncpg.Record) -> Message:
    return Message(**(dict(row) | {"clauses": tuple(row["clauses"])}))
