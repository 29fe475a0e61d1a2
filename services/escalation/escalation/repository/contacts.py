"""Who speaks for a customer: copies of its administrators, kept until they are erased."""

from collections.abc import Sequence
from uuid import UUID

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
WHERE address = ANY($3) OR (ticket_id = ANY($1) AND state <> 'queued')
"""
TOMBSTONE = "[erased]"


async def put_administrator(
    tx: Transaction, *, contact_id: UUID, customer_id: UUID, email: str, language: str | None
) -> None:
    """Write who speaks for a customer; the newest holds."""
    await tx.connection.execute(_PUT, tx.desk_id, contact_id, customer_id, email, language)


async def remove_administrator(tx: Transaction, contact_id: UUID) -> None:
    """Forget that somebody speaks for a customer."""
    await tx.connection.execute("DELETE FROM contact WHERE contact_id = $1", contact_id)


async def forget_person(tx: Transaction, contact_id: UUID, *, ticket_ids: Sequence[UUID]) -> None:
    """Forget a person and what was said in its tickets. What is on its way to it is not sent; to others it is."""
    rows = await tx.connection.fetch(_FORGET, contact_id, list(ticket_ids), TOMBSTONE)
    addresses = [row["email"] for row in rows]
    await tx.connection.execute(_FORGET_MESSAGES, list(ticket_ids), TOMBSTONE, addresses, "the addressee was erased")


async def administrators_of(connection: Connection, customer_id: UUID) -> tuple[tuple[str, str], ...]:
    """Return address and language of those who speak for a customer."""
    rows = await connection.fetch(_OF_CUSTOMER, customer_id)
    return tuple((row["email"], row["language"]) for row in rows)
