"""The books of a contract: all that a charge needs read by one statement, and all it changes written by one."""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import from_json

from billing.domain.funding import Lot
from billing.domain.ledger import Posting, StoredDraw
from billing.domain.parties import Account
from billing.domain.quotes import Accepted
from billing.domain.rating import Work
from billing.repository.ledger import DRAW_COLUMNS, draw_to_row, fields_to_draw
from plazo.kernel.ids import new_id
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_TICKETS = f"""
  ARRAY(SELECT ROW(ticket_id, work_id, kind, started_at, minutes, facts::text, appointment, quote_id)
        FROM work WHERE ticket_id = ANY($1) AND voided_at IS NULL) AS work,
  ARRAY(SELECT ROW({DRAW_COLUMNS}) FROM draw WHERE ticket_id = ANY($1)) AS draws,
  ARRAY(SELECT ROW(ticket_id, quote_id, account, counted_in, quantity, extra_minor, extra_currency, clauses, state,
                   decided_at)
        FROM quote WHERE ticket_id = ANY($1) AND decided_at IS NOT NULL AND state <> 'declined') AS quotes
"""
_READ = f"""
SELECT {_TICKETS},
  ARRAY(SELECT ROW(account_id, contract_id, name, kind, unit, counted_in, unit_minutes, lower_limit, balance)
        FROM account WHERE contract_id = $2) AS accounts,
  ARRAY(SELECT ROW(l.account_id, l.lot_id, l.effective_from, l.expires_at, l.remaining,
                   EXISTS (SELECT FROM draw d WHERE d.draw_id = l.lot_id),
                   EXISTS (SELECT FROM ledger_entry e
                           WHERE e.lot_id = l.lot_id AND e.effective_at >= $3 AND e.amount < 0))
        FROM lot l JOIN account a USING (account_id) WHERE a.contract_id = $2) AS lots
"""
_READ_TICKETS = f"SELECT {_TICKETS}"
_WRITE = """
WITH account AS (
  INSERT INTO account (account_id, desk_id, contract_id, name, kind, unit, counted_in, unit_minutes, lower_limit)
  SELECT account_id, $1, $2, name, kind, unit, counted_in, unit_minutes, lower_limit
  FROM jsonb_to_recordset($4) AS a (account_id uuid, name text, kind text, unit text, counted_in text,
    unit_minutes int, lower_limit bigint)
  ON CONFLICT DO NOTHING
), work AS (
  INSERT INTO work (work_id, desk_id, ticket_id, kind, started_at, minutes, description, facts, appointment, logged_by,
                    recorded_at, quote_id, reference)
  SELECT work_id, $1, ticket_id, kind, started_at, minutes, description, facts, appointment, logged_by, $3, quote_id,
         reference
  FROM jsonb_to_recordset($11) AS w (work_id uuid, ticket_id uuid, kind text, started_at timestamptz, minutes bigint,
    description text, facts jsonb, appointment text, logged_by text, quote_id uuid, reference text)
), lot AS (
  INSERT INTO lot (lot_id, desk_id, account_id, cause, reason, effective_from, expires_at, granted)
  SELECT lot_id, $1, account_id, cause, reason, effective_from, expires_at, granted
  FROM jsonb_to_recordset($5) AS l (lot_id uuid, account_id uuid, cause text, reason text, effective_from timestamptz,
    expires_at timestamptz, granted bigint)
), posted AS (
  INSERT INTO ledger_transaction (transaction_id, desk_id, contract_id, cause, reason, clauses, ticket_id, work_id,
                                  effective_at, recorded_at, idempotency_key)
  SELECT transaction_id, $1, $2, cause, reason, ARRAY(SELECT jsonb_array_elements_text(clauses)), ticket_id, work_id,
         effective_at, $3, idempotency_key
  FROM jsonb_to_recordset($6) AS t (transaction_id uuid, cause text, reason text, clauses jsonb, ticket_id uuid,
    work_id uuid, effective_at timestamptz, idempotency_key text)
), entry AS (
  INSERT INTO ledger_entry (desk_id, transaction_id, account_id, lot_id, counted_in, amount, effective_at, recorded_at)
  SELECT $1, transaction_id, account_id, lot_id, counted_in, amount, effective_at, $3
  FROM jsonb_to_recordset($7) AS e (transaction_id uuid, account_id uuid, lot_id uuid, counted_in text, amount bigint,
    effective_at timestamptz)
), gone AS (
  DELETE FROM draw WHERE draw_id = ANY($9)
), charge AS (
  INSERT INTO charge (charge_id, desk_id, ticket_id, contract_id, account_id, cause, unit, quantity, total,
                      worked_minutes, rounded_minutes, charged_minutes, reason, clauses, explanation, lines, charged_at,
                      recorded_at)
  SELECT charge_id, $1, ticket_id, $2, account_id, cause, unit, quantity, total, worked_minutes, rounded_minutes,
         charged_minutes, reason, ARRAY(SELECT jsonb_array_elements_text(clauses)), explanation, lines, charged_at, $3
  FROM jsonb_to_recordset($10) AS c (charge_id uuid, ticket_id uuid, account_id uuid, cause text, unit text,
    quantity bigint, total bigint, worked_minutes bigint, rounded_minutes bigint, charged_minutes bigint, reason text,
    clauses jsonb, explanation jsonb, lines jsonb, charged_at timestamptz)
)
INSERT INTO draw (draw_id, desk_id, contract_id, account_id, ticket_id, kind, at, quantity, counted_in, unit_minutes,
                  overage, line, clauses, funding, owed)
SELECT draw_id, $1, $2, account_id, ticket_id, kind, at, quantity, counted_in, unit_minutes, overage, line,
       ARRAY(SELECT jsonb_array_elements_text(clauses)), funding, owed
FROM jsonb_to_recordset($8) AS d (draw_id uuid, account_id uuid, ticket_id uuid, kind text, at timestamptz,
  quantity bigint, counted_in text, unit_minutes int, overage jsonb, line jsonb, clauses jsonb, funding jsonb,
  owed bigint)
ON CONFLICT (draw_id) DO UPDATE SET account_id = excluded.account_id, at = excluded.at, quantity = excluded.quantity,
  counted_in = excluded.counted_in, unit_minutes = excluded.unit_minutes, overage = excluded.overage,
  line = excluded.line, clauses = excluded.clauses, funding = excluded.funding, owed = excluded.owed
"""


@dataclass(slots=True)
class Held:
    """What the books of a contract hold, and the work, draws and accepted quotes of those `tickets` that were read.

    `expired` are the lots whose rest was taken out, `taken_since` those that something took from at or after `since`.
    """

    accounts: dict[UUID, Account]
    lots: dict[UUID, dict[UUID, Lot]]
    since: datetime | None
    expired: set[UUID] = field(default_factory=set)
    taken_since: set[UUID] = field(default_factory=set)
    tickets: set[UUID] = field(default_factory=set)
    work: dict[UUID, list[Work]] = field(default_factory=dict)
    draws: dict[UUID, StoredDraw] = field(default_factory=dict)
    quotes: dict[UUID, list[Accepted]] = field(default_factory=dict)

    def draws_of(self, ticket_id: UUID) -> list[StoredDraw]:
        """Return the draws of a ticket that was read."""
        return [stored for stored in self.draws.values() if stored.ticket_id == ticket_id]

    def imagine_ticket(self, ticket_id: UUID) -> None:
        """Make room for a ticket that is in no database."""
        self.tickets.add(ticket_id)
        self.work[ticket_id] = []
        self.quotes[ticket_id] = []


@dataclass(frozen=True, slots=True)
class NewLot:
    """A lot to make; empty until its grant is posted."""

    lot: Lot
    account_id: UUID
    cause: str
    reason: str
    granted: int


@dataclass(frozen=True, slots=True)
class NewWork:
    """Work to write down."""

    work: Work
    ticket_id: UUID
    description: str
    logged_by: str
    reference: str | None = None


@dataclass(slots=True)
class Unwritten:
    """What has changed in the books and is not in the database yet."""

    accounts: list[Account] = field(default_factory=list)
    lots: list[NewLot] = field(default_factory=list)
    work: list[NewWork] = field(default_factory=list)
    postings: list[Posting] = field(default_factory=list)
    draws: dict[UUID, StoredDraw] = field(default_factory=dict)
    gone: set[UUID] = field(default_factory=set)
    charges: list[dict[str, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Tell whether there is anything to write."""
        return any((self.accounts, self.lots, self.work, self.postings, self.draws, self.gone, self.charges))


async def read_held(
    connection: Connection, contract_id: UUID, *, ticket_ids: Collection[UUID], since: datetime | None
) -> Held:
    """Read the books of a contract that is locked, with the work and draws of some tickets."""
    row = await connection.fetchrow(_READ, list(ticket_ids), contract_id, since)
    assert row is not None
    held = Held(
        accounts={fields[0]: Account(*fields) for fields in row["accounts"]},
        lots={},
        since=since,
        expired={fields[1] for fields in row["lots"] if fields[5]},
        taken_since={fields[1] for fields in row["lots"] if fields[6]},
    )
    for account_id in held.accounts:
        held.lots[account_id] = {}
    for account_id, lot_id, effective_from, expires_at, remaining, *_ in row["lots"]:
        held.lots[account_id][lot_id] = Lot(lot_id, effective_from, expires_at, remaining)
    _keep_tickets(held, row, ticket_ids)
    return held


async def read_tickets(connection: Connection, held: Held, ticket_ids: Collection[UUID]) -> None:
    """Read the work and draws of more tickets."""
    row = await connection.fetchrow(_READ_TICKETS, list(ticket_ids))
    assert row is not None
    _keep_tickets(held, row, ticket_ids)


def _keep_tickets(held: Held, row: asyncpg.Record, ticket_ids: Collection[UUID]) -> None:
    held.tickets.update(ticket_ids)
    for ticket_id in ticket_ids:
        held.work[ticket_id] = []
        held.quotes[ticket_id] = []
    for ticket_id, work_id, kind, started_at, minutes, facts, *named in row["work"]:
        held.work[ticket_id].append(Work(work_id, kind, started_at, minutes, from_json(facts), *named))
    for ticket_id, quote_id, account, counted_in, quantity, minor, currency, clauses, state, at in row["quotes"]:
        held.quotes[ticket_id].append(
            Accepted(
                quote_id=quote_id,
                account=account,
                counted_in=counted_in,
                quantity=quantity,
                extra_minor=minor,
                extra_currency=currency,
                clauses=tuple(clauses),
                holds=state == "accepted",
                accepted_at=at,
            )
        )
    for fields in row["draws"]:
        stored = fields_to_draw(fields)
        held.draws[stored.draw.draw_id] = stored


async def write_books(tx: Transaction, contract_id: UUID, unwritten: Unwritten) -> None:
    """Write what has changed. PostgreSQL refuses what does not add up or passes a limit."""
    transactions, entries = [], []
    for posting in unwritten.postings:
        transaction_id = new_id()
        transactions.append(
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
        )
        entries += [
            {
                "transaction_id": transaction_id,
                "account_id": entry.account_id,
                "lot_id": entry.lot_id,
                "counted_in": entry.counted_in,
                "amount": entry.amount,
                "effective_at": posting.effective_at,
            }
            for entry in posting.entries
        ]
    await tx.connection.execute(
        _WRITE,
        tx.desk_id,
        contract_id,
        tx.now,
        unwritten.accounts,
        [_lot_to_row(new) for new in unwritten.lots],
        transactions,
        entries,
        [draw_to_row(stored) for stored in unwritten.draws.values()],
        list(unwritten.gone),
        unwritten.charges,
        [_work_to_row(new) for new in unwritten.work],
    )


def _lot_to_row(new: NewLot) -> dict[str, Any]:
    return {
        "lot_id": new.lot.lot_id,
        "account_id": new.account_id,
        "cause": new.cause,
        "reason": new.reason,
        "effective_from": new.lot.effective_from,
        "expires_at": new.lot.expires_at,
        "granted": new.granted,
    }


def _work_to_row(new: NewWork) -> dict[str, Any]:
    work = new.work
    return {
        "work_id": work.work_id,
        "ticket_id": new.ticket_id,
        "kind": work.kind,
        "started_at": work.started_at,
        "minutes": work.minutes,
        "description": new.description,
        "facts": work.facts,
        "appointment": work.appointment,
        "logged_by": new.logged_by,
        "quote_id": work.quote_id,
        "reference": new.reference,
    }
