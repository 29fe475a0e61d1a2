"""The ledger: draws and what pays for them, transactions and their entries, charges."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from billing.domain.funding import Draw, Overage, Part
from billing.domain.ledger import Posting, StoredDraw
from billing.domain.rating import Line
from plazo.kernel.ids import new_id
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_LINE = TypeAdapter(Line)
_OVERAGE = TypeAdapter(Overage)
_FUNDING = TypeAdapter(tuple[Part, ...])

_DRAW = """
SELECT draw_id, account_id, ticket_id, kind, at, quantity, counted_in, unit_minutes, overage, line, clauses, funding
FROM draw
"""
_SAVE_DRAWS = """
INSERT INTO draw (draw_id, desk_id, contract_id, account_id, ticket_id, kind, at, quantity, counted_in, unit_minutes,
                  overage, line, clauses, funding, owed)
SELECT draw_id, $2, $3, account_id, ticket_id, kind, at, quantity, counted_in, unit_minutes, overage, line,
       ARRAY(SELECT jsonb_array_elements_text(clauses)), funding, owed
FROM jsonb_to_recordset($1) AS d (draw_id uuid, account_id uuid, ticket_id uuid, kind text, at timestamptz,
  quantity bigint, counted_in text, unit_minutes int, overage jsonb, line jsonb, clauses jsonb, funding jsonb,
  owed bigint)
ON CONFLICT (draw_id) DO UPDATE SET account_id = excluded.account_id, at = excluded.at, quantity = excluded.quantity,
  counted_in = excluded.counted_in, unit_minutes = excluded.unit_minutes, overage = excluded.overage,
  line = excluded.line, clauses = excluded.clauses, funding = excluded.funding, owed = excluded.owed
"""
_POST_TRANSACTIONS = """
INSERT INTO ledger_transaction (transaction_id, desk_id, contract_id, cause, reason, clauses, ticket_id, work_id,
                                effective_at, recorded_at, idempotency_key)
SELECT transaction_id, $2, $3, cause, reason, ARRAY(SELECT jsonb_array_elements_text(clauses)), ticket_id, work_id,
       effective_at, $4, idempotency_key
FROM jsonb_to_recordset($1) AS t (transaction_id uuid, cause text, reason text, clauses jsonb, ticket_id uuid,
  work_id uuid, effective_at timestamptz, idempotency_key text)
"""
_POST_ENTRIES = """
INSERT INTO ledger_entry (desk_id, transaction_id, account_id, lot_id, counted_in, amount, effective_at, recorded_at)
SELECT $2, transaction_id, account_id, lot_id, counted_in, amount, effective_at, $3
FROM jsonb_to_recordset($1) AS e (transaction_id uuid, account_id uuid, lot_id uuid, counted_in text, amount bigint,
  effective_at timestamptz)
"""
_ADD_CHARGES = """
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


def _row_to_draw(row: asyncpg.Record) -> StoredDraw:
    return StoredDraw(
        draw=Draw(
            draw_id=row["draw_id"],
            kind=row["kind"],
            at=row["at"],
            quantity=row["quantity"],
            counted_in=row["counted_in"],
            unit_minutes=row["unit_minutes"],
            overage=_OVERAGE.validate_python(row["overage"]) if row["overage"] else None,
        ),
        account_id=row["account_id"],
        ticket_id=row["ticket_id"],
        clauses=tuple(row["clauses"]),
        line=_LINE.validate_python(row["line"]) if row["line"] else None,
        funding=_FUNDING.validate_python(row["funding"]),
    )


def _draw_to_row(stored: StoredDraw) -> dict[str, Any]:
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
        "overage": asdict(draw.overage) if draw.overage else None,
        "line": _LINE.dump_python(stored.line, mode="json") if stored.line else None,
        "clauses": stored.clauses,
        "funding": stored.funding,
        "owed": stored.owed,
    }


async def draws_of(connection: Connection, ticket_ids: Collection[UUID]) -> list[StoredDraw]:
    """Return the draws of tickets."""
    rows = await connection.fetch(f"{_DRAW} WHERE ticket_id = ANY($1)", list(ticket_ids))
    return [_row_to_draw(row) for row in rows]


async def draws_from(connection: Connection, account_id: UUID, *, at: datetime) -> list[StoredDraw]:
    """Return the draws on an account from an instant on."""
    rows = await connection.fetch(f"{_DRAW} WHERE account_id = $1 AND at >= $2", account_id, at)
    return [_row_to_draw(row) for row in rows]


async def first_owed_at(connection: Connection, account_id: UUID) -> datetime | None:
    """Return the instant of the first draw on an account that nothing pays for yet."""
    first: datetime | None = await connection.fetchval(
        "SELECT min(at) FROM draw WHERE account_id = $1 AND owed > 0", account_id
    )
    return first


async def save_draws(tx: Transaction, contract_id: UUID, draws: Iterable[StoredDraw]) -> None:
    """Keep draws as they are paid for now."""
    if rows := [_draw_to_row(stored) for stored in draws]:
        await tx.connection.execute(_SAVE_DRAWS, rows, tx.desk_id, contract_id)


async def drop_draws(tx: Transaction, draw_ids: Collection[UUID]) -> None:
    """Forget draws that are no more; what was posted for them stays, and what takes it back."""
    if draw_ids:
        await tx.connection.execute("DELETE FROM draw WHERE draw_id = ANY($1)", list(draw_ids))


async def post(tx: Transaction, contract_id: UUID, postings: Sequence[Posting]) -> None:
    """Write transactions. PostgreSQL refuses what does not add up or passes a limit."""
    if not postings:
        return
    identified = [(new_id(), posting) for posting in postings]
    transactions = [
        {
            "transaction_id": transaction_id,
            "cause": posting.cause,
            "reason": posting.reason,
            "clauses": posting.clauses,
            "ticket_id": posting.ticket_id,
            "work_id": posting.work_id,
            "effective_at": posting.effective_at,
            "idempotency_key": posting.idempotency_key,
        }
        for transaction_id, posting in identified
    ]
    entries = [
        {"transaction_id": transaction_id, "effective_at": posting.effective_at, **asdict(entry)}
        for transaction_id, posting in identified
        for entry in posting.entries
    ]
    await tx.connection.execute(_POST_TRANSACTIONS, transactions, tx.desk_id, contract_id, tx.now)
    await tx.connection.execute(_POST_ENTRIES, entries, tx.desk_id, tx.now)


async def add_charges(tx: Transaction, charges: Sequence[dict[str, Any]]) -> None:
    """Write down what a change did to the charges of tickets."""
    await tx.connection.executemany(
        _ADD_CHARGES,
        [
            (
                one["charge_id"],
                tx.desk_id,
                one["ticket_id"],
                one["contract_id"],
                one["account_id"],
                one["cause"],
                one["unit"],
                one["quantity"],
                one["total"],
                one["worked_minutes"],
                one["rounded_minutes"],
                one["charged_minutes"],
                one["reason"],
                one["clauses"],
                one["explanation"],
                one["lines"],
                one["charged_at"],
                tx.now,
            )
            for one in charges
        ],
    )


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
