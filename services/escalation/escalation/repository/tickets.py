"""Tickets, who handles them, and the customers they are for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from escalation.domain.ticket import Ticket, TicketState
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_TICKET = (
    "ticket_id, number, subject, description, customer_id, customer_name, contact_name, contact_email, policy, "
    "policy_version, language, customer_timezone, customer_region, facts, opened_at, state, held_for, route, team, "
    "level, agent_id, contract_id"
)
_INSERT = f"""
INSERT INTO ticket (desk_id, {_TICKET})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23)
"""
_UPDATE = """
UPDATE ticket SET facts = $2, state = $3, held_for = $4, route = $5, team = $6, level = $7, agent_id = $8
WHERE ticket_id = $1
"""
_OF_AGENT = f"""
SELECT {_TICKET} FROM ticket WHERE agent_id = $1 AND state IN ('open', 'held') ORDER BY ticket_id FOR UPDATE
"""
_UNDER_CONTRACT = f"""
SELECT {_TICKET} FROM ticket WHERE contract_id = $1 AND state IN ('open', 'held') ORDER BY ticket_id FOR UPDATE
"""
_WAITING = f"""
SELECT {_TICKET} FROM ticket
WHERE agent_id IS NULL AND (team = ANY($1) OR policy || '/' || team = ANY($1)) AND state IN ('open', 'held')
ORDER BY ticket_id LIMIT $2 FOR UPDATE
"""
_PUT_CLOCK = """
INSERT INTO ticket_clock (desk_id, clock_id, ticket_id, kind, state, due_at, breached_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (clock_id) DO UPDATE
SET state = excluded.state, due_at = excluded.due_at, breached_at = excluded.breached_at
"""
_ASSIGN = """
INSERT INTO assignment (desk_id, ticket_id, number, team, level, agent_id, agent_name, reason, note, clauses,
                        escalation_id, assigned_at, recorded_at)
SELECT $1, $2, 1 + count(*), $3, $4, $5, $6, $7, $8, $9, $10, $11, $12 FROM assignment WHERE ticket_id = $2
"""
_ASSIGNMENT = "ticket_id, number, team, level, agent_id, agent_name, reason, note, clauses, escalation_id, assigned_at"
_ASSIGNMENTS = f"""
SELECT {_ASSIGNMENT} FROM assignment WHERE ticket_id = $1 AND number > $2 ORDER BY number LIMIT $3
"""
_OF_CUSTOMER = "SELECT ticket_id FROM ticket WHERE customer_id = $1 ORDER BY ticket_id"
_PUT_CUSTOMER = """
INSERT INTO customer (desk_id, customer_id, name, language, email) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name, language = excluded.language, email = excluded.email
"""
_PUT_CONTRACT = """
INSERT INTO contract (desk_id, contract_id, customer_id, policy, valid_until) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (contract_id) DO UPDATE SET policy = excluded.policy, valid_until = excluded.valid_until
"""
_CUSTOMERS_UNDER = """
SELECT customer_id, name, language, email FROM customer
WHERE customer_id IN (SELECT customer_id FROM contract
                      WHERE policy = $1 AND (valid_until IS NULL OR valid_until > $2))
ORDER BY customer_id
"""


@dataclass(frozen=True, slots=True)
class Assignment:
    """Who got a ticket, when and why; `number` counts from 1 in a ticket."""

    ticket_id: UUID
    number: int
    team: str | None
    level: int
    agent_id: UUID | None
    agent_name: str | None
    reason: str
    note: str | None
    clauses: tuple[str, ...]
    escalation_id: UUID | None
    assigned_at: datetime


@dataclass(frozen=True, slots=True)
class Customer:
    """A customer as messages need it."""

    customer_id: UUID
    name: str
    language: str
    email: str | None


async def insert_ticket(tx: Transaction, ticket: Ticket) -> None:
    """Write the copy of a new ticket."""
    await tx.connection.execute(
        _INSERT,
        tx.desk_id,
        ticket.ticket_id,
        ticket.number,
        ticket.subject,
        ticket.description,
        ticket.customer_id,
        ticket.customer_name,
        ticket.contact_name,
        ticket.contact_email,
        ticket.policy,
        ticket.policy_version,
        ticket.language,
        ticket.customer_timezone,
        ticket.customer_region,
        dict(ticket.facts),
        ticket.opened_at,
        ticket.state,
        ticket.held_for,
        ticket.route,
        ticket.team,
        ticket.level,
        ticket.agent_id,
        ticket.contract_id,
    )


async def update_ticket(tx: Transaction, ticket: Ticket) -> None:
    """Write what may change of a ticket."""
    await tx.connection.execute(
        _UPDATE,
        ticket.ticket_id,
        dict(ticket.facts),
        ticket.state,
        ticket.held_for,
        ticket.route,
        ticket.team,
        ticket.level,
        ticket.agent_id,
    )


async def find_ticket(connection: Connection, ticket_id: UUID, *, lock: bool = False) -> Ticket | None:
    """Return a ticket of the desk; with `lock`, nobody else changes it until the commit."""
    row = await connection.fetchrow(
        f"SELECT {_TICKET} FROM ticket WHERE ticket_id = $1{' FOR UPDATE' if lock else ''}", ticket_id
    )
    return None if row is None else _ticket(row)


async def ticket_numbers(connection: Connection, ticket_ids: Sequence[UUID]) -> dict[UUID, str]:
    """Return the numbers of some tickets, by id."""
    rows = await connection.fetch("SELECT ticket_id, number FROM ticket WHERE ticket_id = ANY($1)", list(ticket_ids))
    return {row["ticket_id"]: row["number"] for row in rows}


async def lock_tickets_of(tx: Transaction, agent_id: UUID) -> list[Ticket]:
    """Return the tickets an agent has to handle, locked."""
    return [_ticket(row) for row in await tx.connection.fetch(_OF_AGENT, agent_id)]


async def lock_tickets_under(tx: Transaction, contract_id: UUID) -> list[Ticket]:
    """Return the tickets under a contract that are somebody's work, locked."""
    return [_ticket(row) for row in await tx.connection.fetch(_UNDER_CONTRACT, contract_id)]


async def lock_waiting_tickets(
    tx: Transaction, *, teams: Sequence[str], limit: int, pass_over_locked: bool = False
) -> list[Ticket]:
    """Return tickets of some teams that no agent has, locked; without those that somebody else has locked, if asked."""
    sql = f"{_WAITING}{' SKIP LOCKED' if pass_over_locked else ''}"
    return [_ticket(row) for row in await tx.connection.fetch(sql, list(teams), limit)]


async def insert_assignment(
    tx: Transaction,
    ticket: Ticket,
    *,
    agent_name: str | None,
    reason: str,
    note: str | None,
    clauses: Sequence[str],
    escalation_id: UUID | None,
    assigned_at: datetime,
) -> None:
    """Write who has `ticket` from now on; the ticket's row must be locked."""
    await tx.connection.execute(
        _ASSIGN,
        tx.desk_id,
        ticket.ticket_id,
        ticket.team,
        ticket.level,
        ticket.agent_id,
        agent_name,
        reason,
        note,
        list(clauses),
        escalation_id,
        assigned_at,
        tx.now,
    )


async def list_assignments(
    connection: Connection, ticket_id: UUID, *, after: int = 0, limit: int = 1000
) -> list[Assignment]:
    """Return the assignments of a ticket, oldest first."""
    return [_assignment(row) for row in await connection.fetch(_ASSIGNMENTS, ticket_id, after, limit)]


async def put_clock(
    tx: Transaction,
    *,
    clock_id: UUID,
    ticket_id: UUID,
    kind: str,
    state: str,
    due_at: datetime | None,
    breached_at: datetime | None,
) -> None:
    """Write how a promise stands; the newest holds."""
    await tx.connection.execute(_PUT_CLOCK, tx.desk_id, clock_id, ticket_id, kind, state, due_at, breached_at)


async def tickets_of_customer(connection: Connection, customer_id: UUID) -> list[UUID]:
    """Return all tickets of a customer."""
    return [row["ticket_id"] for row in await connection.fetch(_OF_CUSTOMER, customer_id)]


async def put_customer(tx: Transaction, customer: Customer) -> None:
    """Write what is known of a customer; the newest holds."""
    await tx.connection.execute(
        _PUT_CUSTOMER, tx.desk_id, customer.customer_id, customer.name, customer.language, customer.email
    )


async def put_contract(
    tx: Transaction, *, contract_id: UUID, customer_id: UUID, policy: str, valid_until: date | None
) -> None:
    """Write what is known of a contract; the newest holds."""
    await tx.connection.execute(_PUT_CONTRACT, tx.desk_id, contract_id, customer_id, policy, valid_until)


async def customer_email(connection: Connection, customer_id: UUID) -> str | None:
    """Return the address of a customer, where one is known."""
    email: str | None = await connection.fetchval("SELECT email FROM customer WHERE customer_id = $1", customer_id)
    return email


async def find_customer(connection: Connection, customer_id: UUID) -> Customer | None:
    """Return a customer of the desk."""
    row = await connection.fetchrow(
        "SELECT customer_id, name, language, email FROM customer WHERE customer_id = $1", customer_id
    )
    return None if row is None else Customer(**row)


async def policy_of_contract(connection: Connection, contract_id: UUID) -> str | None:
    """Return the policy that a contract is under."""
    policy: str | None = await connection.fetchval("SELECT policy FROM contract WHERE contract_id = $1", contract_id)
    return policy


async def customers_under(connection: Connection, *, policy: str, on: date) -> list[Customer]:
    """Return the customers with a contract under a policy that has not ended by a date."""
    return [Customer(**row) for row in await connection.fetch(_CUSTOMERS_UNDER, policy, on)]


def _ticket(row: asyncpg.Record) -> Ticket:
    return Ticket(**(dict(row) | {"state": TicketState(row["state"])}))


def _assignment(row: asyncpg.Record) -> Assignment:
    return Assignment(**(dict(row) | {"clauses": tuple(row["clauses"])}))
