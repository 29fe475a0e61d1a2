"""What a month did to the accounts of a contract, closed months, and balances as they were known."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter
from pydantic_core import from_json

from billing.domain.statement import AccountNow, Closed, CreditLine, Statement, Sum
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_STATEMENT = TypeAdapter(Statement)


class Span(NamedTuple):
    """A month of a contract: what is `late` in it was written after entry `through`, since `closed_at`.

    Both are None where no month was closed before.
    """

    contract_id: UUID
    begins_at: datetime
    ends_at: datetime
    through: int | None
    closed_at: datetime | None


# Amounts are put together from what came after, so that a statement of last month does not read all years before it.
# What expires at the very end of a month belongs to that month.
_ENTRIES = """
WITH entry AS MATERIALIZED (
  SELECT *, CASE
      WHEN movement = 'expired' AND effective_at <= $2 OR effective_at < $2
        THEN CASE WHEN seq > $4 THEN 'late' ELSE 'before' END
      WHEN movement = 'expired' AND effective_at <= $3 OR effective_at < $3 THEN 'month'
      ELSE 'after' END AS place
  FROM (
    SELECT e.seq, e.account_id, e.amount, e.effective_at, e.recorded_at, t.ticket_id,
           array_to_string(t.clauses, ' ') AS clauses, CASE
      WHEN t.cause IN ('penalty', 'reversal') THEN 'credited'
      WHEN t.cause = 'grant' THEN 'granted'
      WHEN t.work_id IS NOT NULL THEN 'used'
      WHEN t.ticket_id IS NOT NULL OR t.cause = 'reserve' THEN 'held'
      ELSE 'expired' END AS movement
    FROM account a JOIN ledger_entry e USING (account_id) JOIN ledger_transaction t USING (transaction_id)
    WHERE a.contract_id = $1 AND a.kind IN ('prepaid', 'owed', 'credited')
      AND (e.effective_at >= $2 OR ($4::bigint IS NOT NULL AND e.recorded_at >= $5::timestamptz AND e.seq > $4))
  ) e
)
"""
_ACCOUNTS = """
SELECT account_id, name, kind, unit, counted_in, unit_minutes, balance FROM account
WHERE contract_id = $1 AND kind IN ('prepaid', 'owed', 'credited') ORDER BY kind DESC, name, counted_in
"""
# The entries are read once, whatever is asked of them.
_MONTH = f"""
{_ENTRIES}
SELECT
  (SELECT jsonb_agg(s ORDER BY s.opened_at, s.ticket_id) FROM (
     SELECT g.*, k.number, k.opened_at FROM (
       SELECT account_id, place, movement, CASE WHEN place = 'month' THEN ticket_id END AS ticket_id,
              sum(amount)::bigint AS amount, array_agg(DISTINCT clauses) AS clauses
       FROM entry WHERE place <> 'before' GROUP BY 1, 2, 3, 4
     ) g LEFT JOIN ticket k USING (ticket_id)
   ) s)::text AS sums,
  (SELECT jsonb_agg(d) FROM (
     SELECT account_id, width_bucket(effective_at, $6::timestamptz[]) AS day, sum(amount)::bigint AS amount
     FROM entry WHERE place = 'month' GROUP BY 1, 2
   ) d)::text AS days,
  ARRAY(SELECT ROW(e.seq, e.account_id, e.movement, e.ticket_id, k.number, e.amount, e.effective_at, e.recorded_at,
                   e.clauses)
        FROM entry e LEFT JOIN ticket k USING (ticket_id) WHERE e.place = 'late' ORDER BY e.seq) AS late,
  digest.entries, encode(sha256(convert_to(digest.text, 'UTF8')), 'hex') AS entries_hash
FROM (SELECT count(*) AS entries,
             coalesce(string_agg(seq || ' ' || account_id || ' ' || amount, E'\\n' ORDER BY seq), '') AS text
      FROM entry WHERE place IN ('month', 'late')) AS digest
"""
_LATE = ("entry", "account_id", "movement", "ticket_id", "number", "amount", "effective_at", "recorded_at", "clauses")
_CREDITS = """
SELECT c.credit_id, c.ticket_id, k.number, c.kind, c.breached_at, c.percent, c.amount, c.counted_in, c.clauses,
       c.explanation
FROM service_credit c JOIN ticket k USING (ticket_id)
WHERE c.contract_id = $1 AND c.month = $2 ORDER BY c.breached_at, c.credit_id
"""
_CLOSED = "SELECT month, number, through, closed_at, previous_hash, hash FROM statement"
_CLOSE = """
INSERT INTO statement (contract_id, month, desk_id, number, through, closed_at, previous_hash, hash, document)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_BALANCE = """
SELECT a.balance - coalesce((SELECT sum(e.amount) FROM ledger_entry e WHERE e.account_id = a.account_id
  AND (e.effective_at > $2 OR e.recorded_at > $3)), 0)::bigint
FROM account a WHERE a.account_id = $1
"""


async def list_accounts(connection: Connection, contract_id: UUID) -> list[AccountNow]:
    """Return the accounts a statement tells of, as they stand now."""
    return [AccountNow(**row) for row in await connection.fetch(_ACCOUNTS, contract_id)]


@dataclass(frozen=True, slots=True)
class MonthRead:
    """What the entries of a month come to: by account, kind and ticket, and by the number of the day; which are late.

    `entries` were read; their hash is the SHA-256 of `seq account amount` of each, a line each, in order.
    """

    sums: list[Sum]
    days: dict[UUID, dict[int, int]]
    late: list[dict[str, Any]]
    entries: int
    entries_hash: str


async def read_month(connection: Connection, span: Span, *, day_starts: list[datetime]) -> MonthRead:
    """Read the entries since a month began, and those that are late in it."""
    row = await connection.fetchrow(_MONTH, *span, day_starts)
    assert row is not None
    days: dict[UUID, dict[int, int]] = {}
    for one in from_json(row["days"] or "[]"):
        days.setdefault(UUID(one["account_id"]), {})[one["day"]] = one["amount"]
    late = [dict(zip(_LATE, tuple(one), strict=True)) for one in row["late"]]
    return MonthRead(
        sums=[_sum_of(one) for one in from_json(row["sums"] or "[]")],
        days=days,
        late=[{**one, "clauses": _distinct([one["clauses"]])} for one in late],
        entries=row["entries"],
        entries_hash=row["entries_hash"],
    )


def _sum_of(one: dict[str, Any]) -> Sum:
    return Sum(
        account_id=UUID(one["account_id"]),
        place=one["place"],
        movement=one["movement"],
        ticket_id=UUID(one["ticket_id"]) if one["ticket_id"] else None,
        number=one["number"],
        amount=one["amount"],
        clauses=_distinct(one["clauses"]),
    )


def _distinct(joined: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(clause for text in joined for clause in text.split()))


async def list_credits(connection: Connection, contract_id: UUID, month: str) -> list[CreditLine]:
    """Return the breached guarantees of a month with what is owed for each."""
    return [
        CreditLine(**{**row, "clauses": tuple(row["clauses"])})
        for row in await connection.fetch(_CREDITS, contract_id, month)
    ]


async def first_effective_at(connection: Connection, contract_id: UUID) -> datetime | None:
    """Return the instant of the first entry of a contract."""
    first: datetime | None = await connection.fetchval(
        "SELECT min((SELECT min(e.effective_at) FROM ledger_entry e WHERE e.account_id = a.account_id)) "
        "FROM account a WHERE a.contract_id = $1",
        contract_id,
    )
    return first


async def last_entry(connection: Connection) -> int:
    """Return the number of the newest entry of all; an entry written later has a higher one."""
    last: int = await connection.fetchval("SELECT last_value FROM ledger_entry_seq_seq")
    return last


async def last_closed(connection: Connection, contract_id: UUID) -> Closed | None:
    """Return the month of a contract that was closed last."""
    row = await connection.fetchrow(f"{_CLOSED} WHERE contract_id = $1 ORDER BY number DESC LIMIT 1", contract_id)
    return Closed(**row) if row else None


async def find_closed(connection: Connection, contract_id: UUID, month: str) -> tuple[Closed, Statement] | None:
    """Return a closed month with its statement."""
    row = await connection.fetchrow(
        "SELECT month, number, through, closed_at, previous_hash, hash, document FROM statement "
        "WHERE contract_id = $1 AND month = $2",
        contract_id,
        month,
    )
    if row is None:
        return None
    about = {name: value for name, value in row.items() if name != "document"}
    return Closed(**about), _STATEMENT.validate_python(row["document"])


async def list_closed(connection: Connection, contract_id: UUID, *, before: int | None, limit: int) -> list[Closed]:
    """Return the closed months of a contract, newest first, those with a number below `before`."""
    rows = await connection.fetch(
        f"{_CLOSED} WHERE contract_id = $1 AND ($2::bigint IS NULL OR number < $2) ORDER BY number DESC LIMIT $3",
        contract_id,
        before,
        limit,
    )
    return [Closed(**row) for row in rows]


async def all_closed(connection: Connection) -> list[asyncpg.Record]:
    """Return every closed month of the desk with its document, each contract's in order."""
    return await connection.fetch(
        "SELECT contract_id, month, number, previous_hash, hash, document FROM statement ORDER BY contract_id, number"
    )


def document_of(statement: Statement) -> dict[str, Any]:
    """Return a statement as JSON values: what is sealed."""
    document: dict[str, Any] = _STATEMENT.dump_python(statement, mode="json")
    return document


async def close_month(tx: Transaction, statement: Statement, closed: Closed) -> None:
    """Write down a closed month; it never changes."""
    await tx.connection.execute(
        _CLOSE,
        statement.contract_id,
        statement.month,
        tx.desk_id,
        closed.number,
        closed.through,
        closed.closed_at,
        closed.previous_hash,
        closed.hash,
        document_of(statement),
    )


async def balance_known_at(connection: Connection, account_id: UUID, *, at: datetime, known_at: datetime) -> int:
    """Return what an account held at an instant, by what had been recorded at another."""
    balance: int = await connection.fetchval(_BALANCE, account_id, at, known_at)
    return balance
