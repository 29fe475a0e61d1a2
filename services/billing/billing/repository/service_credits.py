"""Breached guarantees, and what is owed for each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from billing.domain.service_credits import Credit
from plazo.policy.agreed import Fee
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_COLUMNS = (
    "c.credit_id, c.ticket_id, c.contract_id, c.kind, c.month, c.breached_at, c.retracted_at, c.fee, c.counted_in, "
    "c.percent, c.amount, c.reason, c.clauses, c.explanation, c.revision"
)
_OF_MONTH = f"""
SELECT {_COLUMNS}, t.facts, t.policy, t.policy_version FROM service_credit c JOIN ticket t USING (ticket_id)
WHERE c.contract_id = $1 AND c.month = $2 ORDER BY c.breached_at, c.credit_id
"""
_ADD = """
INSERT INTO service_credit (credit_id, desk_id, ticket_id, contract_id, kind, month, breached_at, fee, counted_in,
                            percent, amount, reason, clauses, explanation, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0, NULL, '{}', '{}', 0)
ON CONFLICT (credit_id) DO UPDATE SET month = excluded.month, breached_at = excluded.breached_at, retracted_at = NULL
"""
_LIST = f"""
SELECT {_COLUMNS}, t.number FROM service_credit c JOIN ticket t USING (ticket_id)
WHERE ($1::uuid IS NULL OR c.contract_id = $1) AND ($2::uuid IS NULL OR c.ticket_id = $2)
  AND ($3::uuid IS NULL OR t.customer_id = $3)
  AND ($4::timestamptz IS NULL OR (c.breached_at, c.credit_id) > ($4, $5))
ORDER BY c.breached_at, c.credit_id LIMIT $6
"""
_SAVE = """
UPDATE service_credit SET counted_in = $2, percent = $3, amount = $4, reason = $5, clauses = $6, explanation = $7,
                          revision = $8 WHERE credit_id = $1
"""


@dataclass(frozen=True, slots=True)
class StoredBreach:
    """A breach as it was learnt, what is owed for it now, and the ticket's facts and policy."""

    credit_id: UUID
    ticket_id: UUID
    contract_id: UUID
    kind: str
    month: str
    breached_at: datetime
    retracted_at: datetime | None
    fee: Mapping[str, Any] | None
    counted_in: str
    percent: int
    amount: int
    reason: str | None
    clauses: tuple[str, ...]
    explanation: Mapping[str, str]
    revision: int
    facts: Mapping[str, Any]
    policy: str
    policy_version: str

    @property
    def monthly_fee(self) -> Fee | None:
        """The fee as it was agreed when the breach was learnt."""
        return Fee.model_validate(self.fee) if self.fee is not None else None


async def find_month(connection: Connection, credit_id: UUID) -> str | None:
    """Return the month in which a breach is counted; None if none is known by that id."""
    month: str | None = await connection.fetchval(
        "SELECT month FROM service_credit WHERE credit_id = $1 FOR UPDATE", credit_id
    )
    return month


async def months_of(connection: Connection, ticket_id: UUID) -> list[str]:
    """Return the months in which a ticket has breaches."""
    rows = await connection.fetch(
        "SELECT DISTINCT month FROM service_credit WHERE ticket_id = $1 ORDER BY month", ticket_id
    )
    return [row["month"] for row in rows]


async def breaches_of(connection: Connection, contract_id: UUID, month: str) -> list[StoredBreach]:
    """Return the breaches of a contract in a month, in the order in which they happened."""
    rows = await connection.fetch(_OF_MONTH, contract_id, month)
    return [StoredBreach(**{**row, "clauses": tuple(row["clauses"])}) for row in rows]


async def months_with_breaches(connection: Connection, contract_id: UUID) -> list[str]:
    """Return the months in which a contract has breaches."""
    rows = await connection.fetch(
        "SELECT DISTINCT month FROM service_credit WHERE contract_id = $1 ORDER BY month", contract_id
    )
    return [row["month"] for row in rows]


async def add_breach(
    tx: Transaction,
    *,
    credit_id: UUID,
    ticket_id: UUID,
    contract_id: UUID,
    kind: str,
    month: str,
    breached_at: datetime,
    fee: Fee | None,
    counted_in: str,
) -> None:
    """Write down a breach, or that one which was retracted stands again; the fee stays the one known first."""
    await tx.connection.execute(
        _ADD,
        credit_id,
        tx.desk_id,
        ticket_id,
        contract_id,
        kind,
        month,
        breached_at,
        fee.model_dump(mode="json") if fee else None,
        counted_in,
    )


async def retract(tx: Transaction, credit_id: UUID, *, at: datetime) -> None:
    """Note that a promise was kept after all."""
    await tx.connection.execute(
        "UPDATE service_credit SET retracted_at = $2 WHERE credit_id = $1 AND retracted_at IS NULL", credit_id, at
    )


async def save_credit(tx: Transaction, credit_id: UUID, credit: Credit, *, revision: int) -> None:
    """Keep what is owed for a breach now."""
    await tx.connection.execute(
        _SAVE,
        credit_id,
        credit.counted_in,
        credit.percent,
        credit.amount,
        credit.reason,
        credit.clauses,
        credit.explanation,
        revision,
    )


async def list_credits(
    connection: Connection,
    *,
    contract_id: UUID | None,
    ticket_id: UUID | None,
    customer_id: UUID | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return breaches with what is owed for each, in the order in which they happened."""
    breached_at, credit_id = after or (None, None)
    return await connection.fetch(_LIST, contract_id, ticket_id, customer_id, breached_at, credit_id, limit)
