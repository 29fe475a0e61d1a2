"""Who speaks for a customer: copies of its administrators, kept until they are erased."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from plazo.kernel.forgetting import TOMBSTONE, Person
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_PUT = """
INSERT INTO contact (desk_id, contact_id, customer_id, email, language) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (contact_id) DO UPDATE
SET customer_id = excluded.customer_id, email = excluded.email, language = excluded.language
"""
_OF_CUSTOMER = """
SELECT p.email, coalesce(p.language, c.language, 'es') AS language
FROM contact p LEFT JOIN customer c USING (customer_id) WHERE p.customer_id = $1 ORDER BY p.contact_id
"""
_FORGET = """
WITH gone AS (
  DELETE FROM contact WHERE contact_id = $1 RETURNING email
), own AS (
  SELECT ticket_id, contact_email FROM ticket WHERE ticket_id = ANY($2) FOR UPDATE
), forgotten AS (
  UPDATE ticket t SET contact_name = NULL, contact_email = NULL, subject = $3, description = $3
  FROM own WHERE t.ticket_id = own.ticket_id
)
SELECT email FROM gone UNION SELECT contact_email FROM own WHERE contact_email IS NOT NULL
"""
# That somebody was told, of what and when, stays on record; who it was and in what words does not.
_FORGET_MESSAGES = """
UPDATE message SET subject = $2, body = $2, html = NULL,
  address = CASE WHEN address = ANY($3) THEN NULL ELSE address END,
  dedupe_key = CASE WHEN address = ANY($3) THEN message_id::text ELSE dedupe_key END,
  state = CASE WHEN address = ANY($3) AND state = 'queued' THEN 'failed' ELSE state END,
  failure = CASE WHEN address = ANY($3) AND state = 'queued' THEN $4 ELSE failure END
WHERE address = ANY($3) OR (state <> 'queued' AND (
  ticket_id = ANY($1) OR message_id IN (SELECT digest_id FROM message WHERE ticket_id = ANY($1))
))
"""
# What a server answered may repeat the address.
_FORGET_REPLIES = """
UPDATE message_attempt SET reply = NULL WHERE message_id IN (SELECT message_id FROM message WHERE address = ANY($1))
"""
_TEXTS = ("contact_name", "contact_email", "subject", "description")
_SAID = f"SELECT ticket_id, {', '.join(_TEXTS)} FROM ticket WHERE ticket_id = ANY($1) ORDER BY ticket_id FOR UPDATE"
_REWRITE = (
    "UPDATE ticket SET contact_name = $2, contact_email = $3, subject = $4, description = $5 WHERE ticket_id = $1"
)
_WORDS = ("address", "subject", "body", "html")
_TOLD = f"""
SELECT message_id, {", ".join(_WORDS)}, state FROM message WHERE ticket_id = ANY($1) OR ticket_id IS NULL
ORDER BY message_id
"""
_RETELL = "UPDATE message SET subject = $2, body = $3, html = NULL WHERE message_id = $1"


async def put_administrator(
    tx: Transaction, *, contact_id: UUID, customer_id: UUID, email: str, language: str | None
) -> None:
    """Write who speaks for a customer; the newest holds."""
    await tx.connection.execute(_PUT, tx.desk_id, contact_id, customer_id, email, language)


async def remove_administrator(tx: Transaction, contact_id: UUID) -> None:
    """Forget that somebody speaks for a customer."""
    await tx.connection.execute("DELETE FROM contact WHERE contact_id = $1", contact_id)


async def forget_person(tx: Transaction, person: Person, *, ticket_ids: Sequence[UUID], others: Sequence[UUID]) -> None:
    """Forget a person, what was said in its tickets, and where `others` or messages mention it.

    What is on its way to it is not sent; to others it is.
    """
    rows = await tx.connection.fetch(_FORGET, UUID(person.contact_id), list(ticket_ids), TOMBSTONE)
    told = await tx.connection.fetch(_TOLD, others)
    # In a thread: while much is searched, others are answered.
    told = await asyncio.to_thread(lambda: [one for one in told if person.is_in([one[name] for name in _WORDS])])
    addresses = {row["email"] for row in rows} | {one["address"] for one in told if person.is_in(one["address"])}
    await tx.connection.execute(_FORGET_REPLIES, addresses)
    await tx.connection.execute(_FORGET_MESSAGES, list(ticket_ids), TOMBSTONE, addresses, "the addressee was erased")
    await tx.connection.executemany(
        _RETELL,
        [
            (one["message_id"], *person.forgotten([one["subject"], one["body"]], all_words=False))
            for one in told
            if one["address"] not in addresses and one["state"] != "queued"
        ],
    )
    said = await tx.connection.fetch(_SAID, [one for one in others if one not in ticket_ids])
    await tx.connection.executemany(
        _REWRITE,
        [(where, *person.forgotten(texts, all_words=False)) for where, *texts in said if person.is_in(texts)],
    )


async def administrators_of(connection: Connection, customer_id: UUID) -> tuple[tuple[str, str], ...]:
    """Return address and language of those who speak for a customer."""
    rows = await connection.fetch(_OF_CUSTOMER, customer_id)
    return tuple((row["email"], row["language"]) for row in rows)
