"""Quotes."""

from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_COLUMNS = (
    "quote_id, contract_id, ticket_id, state, description, at, minutes, facts, account, counted_in, quantity, "
    "extra_minor, extra_currency, charges, clauses, explanation, valid_until, quoted_at, quoted_by, decided_at, "
    "decided_by"
)
_QUOTE = f"SELECT {_COLUMNS} FROM quote"
_OF_CUSTOMER = "($2::uuid IS NULL OR contract_id IN (SELECT contract_id FROM contract WHERE customer_id = $2))"
_INSERT = f"""
INSERT INTO quote (desk_id, {_COLUMNS})
VALUES ($1, {", ".join(f"${n}" for n in range(2, 23))})
"""


async def insert_quote(tx: Transaction, quote: dict[str, Any]) -> None:
    """Write down a quote that is offered."""
    await tx.connection.execute(_INSERT, tx.desk_id, *(quote[name] for name in _COLUMNS.split(", ")))


async def find_quote(
    connection: Connection, quote_id: UUID, *, customer_id: UUID | None = None
) -> dict[str, Any] | None:
    """Return a quote; `customer_id` confines to what that customer may see."""
    row = await connection.fetchrow(f"{_QUOTE} WHERE quote_id = $1 AND {_OF_CUSTOMER}", quote_id, customer_id)
    return None if row is None else dict(row)


async def list_quotes(
    connection: Connection,
    *,
    ticket_id: UUID | None,
    contract_id: UUID | None,
    customer_id: UUID | None,
    after: UUID | None,
    limit: int,
) -> list[dict[str, Any]]:
    """Return quotes, the newest first."""
    rows = await connection.fetch(
        f"{_QUOTE} WHERE ($1::uuid IS NULL OR ticket_id = $1) AND {_OF_CUSTOMER} "
        "AND ($3::uuid IS NULL OR contract_id = $3) AND ($4::uuid IS NULL OR quote_id < $4) "
        "ORDER BY quote_id DESC LIMIT $5",
        ticket_id,
        customer_id,
        contract_id,
        after,
        limit,
    )
    return [dict(row) for row in rows]


async def decide_quote(
    tx: Transaction, quote_id: UUID, *, state: str, ticket_id: UUID | None, at: datetime, by: str
) -> None:
    """Change the state of a quote; the instant of its first decision stays."""
    await tx.connection.execute(
        "UPDATE quote SET state = $2, ticket_id = $3, decided_at = coalesce(decided_at, $4), "
        "decided_by = coalesce(decided_by, $5) WHERE quote_id = $1",
        quote_id,
        state,
        ticket_id,
        at,
        by,
    )
