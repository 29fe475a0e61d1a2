"""Contracts, standings and tickets."""

from dataclasses import fields
from datetime import datetime
from uuid import UUID

import asyncpg

from billing.domain.admission import Standing
from billing.domain.parties import Contract, Ticket
from plazo.kernel.ids import new_id
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_CONTRACT = (
    "SELECT contract_id, customer_id, policy, plan, arrangement, valid_from, valid_until, warranty_until, agreed "
    "FROM contract"
)
_TICKET = (
    "SELECT ticket_id, number, customer_id, contract_id, policy, policy_version, facts, opened_at, closed_at, "
    "admission, admitted_at, held_for, held_clauses, agreed FROM ticket"
)
# The contract first: whoever holds it holds its tickets.
_SUBJECT = """
SELECT c.contract_id, c.customer_id, c.policy, c.plan, c.arrangement, c.valid_from, c.valid_until, c.warranty_until,
       c.agreed,
       t.ticket_id, t.number, t.customer_id, t.contract_id, t.policy, t.policy_version, t.facts, t.opened_at,
       t.closed_at, t.admission, t.admitted_at, t.held_for, t.held_clauses, t.agreed
FROM contract c JOIN ticket t USING (contract_id) WHERE t.ticket_id = $1 FOR UPDATE OF c FOR UPDATE OF t
"""
_SAVE_CONTRACT = """
INSERT INTO contract (contract_id, desk_id, customer_id, policy, plan, arrangement, valid_from, valid_until,
                      warranty_until, agreed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
ON CONFLICT (contract_id) DO UPDATE SET policy = excluded.policy, plan = excluded.plan,
  arrangement = excluded.arrangement, valid_from = excluded.valid_from, valid_until = excluded.valid_until,
  warranty_until = excluded.warranty_until, agreed = excluded.agreed
"""
_SAVE_TICKET = """
INSERT INTO ticket (ticket_id, desk_id, number, customer_id, contract_id, policy, policy_version, facts, opened_at,
                    closed_at, admission, admitted_at, held_for, held_clauses, agreed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (ticket_id) DO UPDATE SET facts = excluded.facts, closed_at = excluded.closed_at,
  admission = excluded.admission, admitted_at = excluded.admitted_at, held_for = excluded.held_for,
  held_clauses = excluded.held_clauses
"""


_CONTRACT_FIELDS = len(fields(Contract))


def _row_to_contract(row: asyncpg.Record) -> Contract:
    return Contract(**row)


def _row_to_ticket(row: asyncpg.Record) -> Ticket:
    return Ticket(**{**row, "held_clauses": tuple(row["held_clauses"])})


async def find_contract(connection: Connection, contract_id: UUID, *, lock: bool = False) -> Contract | None:
    """Return a contract; `lock` makes its books ours until the transaction ends."""
    row = await connection.fetchrow(f"{_CONTRACT} WHERE contract_id = $1{' FOR UPDATE' if lock else ''}", contract_id)
    return None if row is None else _row_to_contract(row)


async def find_contract_of(connection: Connection, ticket_id: UUID, *, lock: bool = False) -> Contract | None:
    """Return the contract of a ticket; `lock` makes its books ours until the transaction ends."""
    row = await connection.fetchrow(
        f"{_CONTRACT} WHERE contract_id = (SELECT contract_id FROM ticket WHERE ticket_id = $1)"
        f"{' FOR UPDATE' if lock else ''}",
        ticket_id,
    )
    return None if row is None else _row_to_contract(row)


async def find_subject(connection: Connection, ticket_id: UUID) -> tuple[Contract, Ticket] | None:
    """Return a ticket and its contract, whose books are ours until the transaction ends."""
    row = await connection.fetchrow(_SUBJECT, ticket_id)
    if row is None:
        return None
    values = tuple(row.values())
    contract, ticket = values[:_CONTRACT_FIELDS], values[_CONTRACT_FIELDS:]
    return Contract(*contract), Ticket(*(*ticket[:-2], tuple(ticket[-2]), ticket[-1]))


async def save_contract(tx: Transaction, contract: Contract) -> None:
    """Keep a contract as it is now."""
    await tx.connection.execute(
        _SAVE_CONTRACT,
        contract.contract_id,
        tx.desk_id,
        contract.customer_id,
        contract.policy,
        contract.plan,
        contract.arrangement,
        contract.valid_from,
        contract.valid_until,
        contract.warranty_until,
        contract.agreed,
    )


async def add_standing(
    tx: Transaction, *, contract_id: UUID, standing: Standing, reason: str, effective_at: datetime
) -> None:
    """Write down a contract's standing from an instant on."""
    await tx.connection.execute(
        "INSERT INTO standing_change (change_id, desk_id, contract_id, standing, reason, effective_at, recorded_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7)",
        new_id(),
        tx.desk_id,
        contract_id,
        standing,
        reason,
        effective_at,
        tx.now,
    )


async def standing_at(connection: Connection, contract_id: UUID, *, at: datetime) -> Standing:
    """Return a contract's standing at an instant; good until something else is known."""
    standing: Standing | None = await connection.fetchval(
        "SELECT standing FROM standing_change WHERE contract_id = $1 AND effective_at <= $2 "
        "ORDER BY effective_at DESC, change_id DESC LIMIT 1",
        contract_id,
        at,
    )
    return standing or "good"


async def find_ticket(connection: Connection, ticket_id: UUID, *, lock: bool = False) -> Ticket | None:
    """Return a ticket."""
    row = await connection.fetchrow(f"{_TICKET} WHERE ticket_id = $1{' FOR UPDATE' if lock else ''}", ticket_id)
    return None if row is None else _row_to_ticket(row)


async def list_withheld(connection: Connection, contract_id: UUID) -> list[Ticket]:
    """Return the tickets of a contract that are kept out, in the order of their opening."""
    rows = await connection.fetch(
        f"{_TICKET} WHERE contract_id = $1 AND admission = 'withheld' AND closed_at IS NULL "
        "ORDER BY opened_at, ticket_id FOR UPDATE",
        contract_id,
    )
    return [_row_to_ticket(row) for row in rows]


async def list_neighbors(connection: Connection, ticket: Ticket, *, since: datetime, until: datetime) -> list[Ticket]:
    """Return the other tickets of a contract, under the same version of its policy, with work in a time."""
    rows = await connection.fetch(
        f"{_TICKET} t WHERE contract_id = $1 AND policy = $2 AND policy_version = $3 AND ticket_id <> $4 AND EXISTS ("
        "SELECT FROM work w WHERE w.ticket_id = t.ticket_id AND started_at >= $5 AND started_at < $6 "
        "AND voided_at IS NULL) ORDER BY ticket_id",
        ticket.contract_id,
        ticket.policy,
        ticket.policy_version,
        ticket.ticket_id,
        since,
        until,
    )
    return [_row_to_ticket(row) for row in rows]


async def save_ticket(tx: Transaction, ticket: Ticket) -> None:
    """Keep a ticket as it is now."""
    await tx.connection.execute(
        _SAVE_TICKET,
        ticket.ticket_id,
        tx.desk_id,
        ticket.number,
        ticket.customer_id,
        ticket.contract_id,
        ticket.policy,
        ticket.policy_version,
        ticket.facts,
        ticket.opened_at,
        ticket.closed_at,
        ticket.admission,
        ticket.admitted_at,
        ticket.held_for,
        ticket.held_clauses,
        ticket.agreed,
    )
