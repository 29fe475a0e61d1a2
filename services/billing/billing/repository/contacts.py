"""Who may answer for a customer."""

from collections.abc import Sequence
from uuid import UUID

import asyncpg

from plazo.kernel.forgetting import TOMBSTONE, Person
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_PUT = """
INSERT INTO contact (contact_id, desk_id, customer_id, may_ask) VALUES ($1, $2, $3, $4)
ON CONFLICT (contact_id) DO UPDATE SET customer_id = excluded.customer_id, may_ask = excluded.may_ask
"""
# Of whom nothing is announced yet, the key it was given says that `tickets` knows it; an access token says nothing.
_MAY_ASK = """
SELECT coalesce(
  (SELECT may_ask AND coalesce(customer_id = $2, true) FROM contact WHERE contact_id = $1),
  EXISTS (SELECT FROM api_key WHERE contact_id = $1 AND customer_id = $2)
)
"""
# A version of this service that kept no contacts has passed over what was announced of them.
_FORGET_PASSED_OVER = """
WITH forgotten AS (
  UPDATE inbox_position p SET version = 0
  WHERE p.producer = 'tickets' AND p.version > 0
    AND p.aggregate_id IN (SELECT contact_id FROM api_key WHERE revoked_at IS NULL)
    AND NOT EXISTS (SELECT FROM contact c WHERE c.contact_id = p.aggregate_id)
  RETURNING 1
), compare AS (
  UPDATE inbox_stream SET seen_at = '-infinity' WHERE producer = 'tickets' AND EXISTS (SELECT FROM forgotten)
)
SELECT count(*) FROM forgotten
"""
_QUOTES = """
SELECT quote_id, contract_id, description, decided_by FROM quote
WHERE contract_id IN (SELECT contract_id FROM contract WHERE customer_id = $1) ORDER BY quote_id
"""


async def forget_in_quotes(tx: Transaction, person: Person, *, customer_id: UUID, actors: Sequence[str]) -> set[UUID]:
    """Erase a person where a quote of its customer names it, or says by one of `actors` who decided.

    Returns the contracts of the customer that have quotes.
    """
    rows = await tx.connection.fetch(_QUOTES, customer_id)
    left = [
        (
            row["quote_id"],
            person.forgotten(row["description"], all_words=False),
            TOMBSTONE if row["decided_by"] in actors else person.forgotten(row["decided_by"], all_words=False),
        )
        for row in rows
    ]
    await tx.connection.executemany(
        "UPDATE quote SET description = $2, decided_by = $3 WHERE quote_id = $1",
        [
            (quote_id, description, decided_by)
            for row, (quote_id, description, decided_by) in zip(rows, left, strict=True)
            if (description, decided_by) != (row["description"], row["decided_by"])
        ],
    )
    return {row["contract_id"] for row in rows}


async def put_contact(tx: Transaction, contact_id: UUID, *, customer_id: UUID, may_ask: bool) -> None:
    """Keep whose person a contact is, and whether it may answer."""
    await tx.connection.execute(_PUT, contact_id, tx.desk_id, customer_id, may_ask)


async def may_ask(connection: Connection, contact_id: UUID, *, customer_id: UUID) -> bool:
    """Tell whether a contact may answer for a customer; nobody else's may, nor one that is not known."""
    known: bool = await connection.fetchval(_MAY_ASK, contact_id, customer_id)
    return known


async def forget_passed_over(pool: asyncpg.Pool) -> int:
    """Let what was announced of contacts with keys, and is not kept, be fetched once more; return of how many.

    For the system role.
    """
    count: int = await pool.fetchval(_FORGET_PASSED_OVER)
    return count
