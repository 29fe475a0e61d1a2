"""The ledger: draws and what pays for them, transactions and their entries, charges."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import TypeAdapter

from billing.domain.funding import Draw, Overage, Part
from billing.domain.ledger import StoredDraw
from billing.domain.rating import Line
from plazo.runtime.database import Connection

_LINE = TypeAdapter(Line)
_OVERAGE = TypeAdapter(Overage)
_FUNDING = TypeAdapter(tuple[Part, ...])

DRAW_COLUMNS = (
    "draw_id, account_id, ticket_id, kind, at, quantity, counted_in, unit_minutes, overage::text, line::text, clauses, "
    "funding::text"
)
_CHARGES = """
INSERT INTO charge (charge_id, desk_id, ticket_id, contract_id, account_id, cause, unit, quantity, total,
                    worked_minutes, rounded_minutes, charged_minutes, reason, clauses, explanation, lines, charged_at,
                    recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
"""
_CHARGES = """
SELECT c.seq, c.charge_id, c.ticket_id, c.account_id, c.cause, c.unit, c.quantity, c.total, c.worked_minutes,
       c.rounded_minutes, c.charged_minutes, c.reason, c.clauses, c.explanation, c.lines, c.charged_at, c.recorded_at
FROM charge c JOIN ticket t USING (ticket_id)
WHERE c.ticket_id = $1 AND ($2::uuid IS NULL OR t.customer_id = $2) AND ($3::bigint IS NULL OR c.seq > $3)
ORDER BY c.seq LIMIT $4
"""
_ENTRIES = """
SELECT e.seq, e.transaction_id, e.lot_id, e.counted_in, e.amount, e.effective_at, e.recorded_at, t.cause, t.reason,
       t.clauses, t.ticket_id, t.work_id
FROM ledger_entry e JOIN ledger_transaction t USING (transaction_id)
WHERE e.account_id = $1 AND ($2::bigint IS NULL OR e.seq > $2) ORDER BY e.seq LIMIT $3
"""


def fields_to_draw(fields: Sequence[Any]) -> StoredDraw:
    """Return a draw from the values of :data:`DRAW_COLUMNS`."""
    draw_id, account_id, ticket_id, kind, at, quantity, counted_in, unit_minutes, overage, line, clauses, paid = fields
    return StoredDraw(
        draw=Draw(
            draw_id=draw_id,
            kind=kind,
            at=at,
            quantity=quantity,
            counted_in=counted_in,
            unit_minutes=unit_minutes,
            overage=_OVERAGE.validate_json(overage) if overage else None,
        ),
        account_id=account_id,
        ticket_id=ticket_id,
        clauses=tuple(clauses),
        line=_LINE.validate_json(line) if line else None,
        funding=_FUNDING.validate_json(paid),
    )


def draw_to_row(stored: StoredDraw) -> dict[str, Any]:
    """Return a draw as the columns of its row, in values of JSON."""
    draw = stored.draw
    return {
        "draw_id": draw.draw_id,
        "account_id": stored.account_id,
        "ticket_id": stored.ticket_id,
        "kind": draw.kind,
        "at": draw.at,
        "quantity": draw.quantity,
        "counted_in": draw.counted_in,
        "unit_minutes": draw.unit_minutes,
        "overage": draw.overage,
        "line": stored.line,
        "clauses": stored.clauses,
        "funding": stored.funding,
        "owed": stored.owed,
    }


async def draws_from(connection: Connection, account_id: UUID, *, at: datetime) -> list[StoredDraw]:
    """Return the draws on an account from an instant on."""
    rows = await connection.fetch(f"SELECT {DRAW_COLUMNS} FROM draw WHERE account_id = $1 AND at >= $2", account_id, at)
    return [fields_to_draw(tuple(row)) for row in rows]


async def first_owed_at(connection: Connection, account_id: UUID) -> datetime | None:
    """Return the instant of the first draw on an account that nothing pays for yet."""
    first: datetime | None = await connection.fetchval(
        "SELECT min(at) FROM draw WHERE account_id = $1 AND owed > 0", account_id
    )
    return first


async def list_charges(
    connection: Connection, *, ticket_id: UUID, customer_id: UUID | None, after: int | None, limit: int
) -> list[dict[str, Any]]:
    """Return the charges of a ticket in the order in which they were made."""
    return [dict(row) for row in await connection.fetch(_CHARGES, ticket_id, customer_id, after, limit)]


async def list_entries(
    connection: Connection, *, account_id: UUID, after: int | None, limit: int
) -> list[dict[str, Any]]:
    """Return the entries of an account in the order in which they were written."""
    return [dict(row) for row in await connection.fetch(_ENTRIES, account_id, after, limit)]
