"""Tickets, their decisions and their timeline."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import TypeAdapter

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.lifecycle import State
from tickets.domain.ticket import Answers, Attempts, Coverage, Ticket, Wait
from tickets.repository.timeline import Entry, add_entries, read_timeline

__all__ = ["Entry", "add_entries", "read_timeline"]

# How instants and ids stand in documents.
_WAITS: TypeAdapter[tuple[Wait, ...]] = TypeAdapter(tuple[Wait, ...])
_ATTEMPTS = TypeAdapter(Attempts)

# Columns a change may touch, in the order of _UPDATE; the others are written once.
_CHANGING = (
    "version",
    "state",
    "cycle",
    "given",
    "facts",
    "covered",
    "clocks",
    "admission",
    "waits",
    "held_for",
    "held_clause",
    "team",
    "level",
    "assignee",
    "resolution_kind",
    "resolution_text",
    "resolved_at",
    "closed_at",
    "closed_for",
    "answers",
    "flags",
    "severity_confirmed",
    "coverage",
    "waiting",
    "acknowledged_at",
    "attempts",
    "merged_into",
    "queue_rank",
)
_FIXED = (
    "ticket_id",
    "number",
    "subject",
    "description",
    "channel",
    "customer_id",
    "customer_name",
    "contact_name",
    "contact_email",
    "contract_id",
    "policy",
    "policy_version",
    "language",
    "opened_at",
    "contact_id",
    "received_at",
)
_COLUMNS = ", ".join((*_FIXED, *_CHANGING))
_INSERT = (
    f"INSERT INTO ticket (desk_id, {_COLUMNS}) "
    f"VALUES ($1, {', '.join(f'${n + 2}' for n in range(len(_FIXED) + len(_CHANGING)))})"
)
_UPDATE = (
    "UPDATE ticket SET "
    + ", ".join(f"{column} = ${n + 2}" for n, column in enumerate(_CHANGING))
    + " WHERE ticket_id = $1"
)
_LONGEST_NUMBER = 12  # digits; a longer one is no counter
_NEXT_NUMBER = """
INSERT INTO ticket_number AS n (desk_id, last_number) VALUES ($1, 1)
ON CONFLICT (desk_id) DO UPDATE SET last_number = n.last_number + 1 RETURNING last_number
"""


def _row_to_ticket(row: asyncpg.Record) -> Ticket:
    values, coverage = dict(row), row["coverage"]
    del values["waits"]  # whom it waits for, in a form that lists can be filtered by
    return Ticket(
        **{
            **values,
            "state": State(row["state"]),
            "waiting": _WAITS.validate_python(row["waiting"]),
            "attempts": _ATTEMPTS.validate_python(row["attempts"]),
            "flags": tuple(row["flags"]),
            "answers": Answers(**row["answers"]),
            "coverage": Coverage(**coverage | {"clauses": tuple(coverage.get("clauses", ()))}),
        }
    )


def _values(ticket: Ticket, columns: Sequence[str]) -> list[Any]:
    """Return a row's values; what is a document in a column is written as one."""
    documents = {"answers": asdict(ticket.answers), "coverage": asdict(ticket.coverage)}
    return [documents[column] if column in documents else getattr(ticket, column) for column in columns]


async def next_number(tx: Transaction) -> int:
    """Take the desk's next ticket number: unique, in order, not without gaps."""
    number: int = await tx.connection.fetchval(_NEXT_NUMBER, tx.desk_id)
    return number


async def skip_numbers(tx: Transaction, number: str) -> None:
    """Let the desk's own numbers go on behind one that another desk gave: EXP-7 after EXP-6."""
    digits = number.rpartition("-")[2]
    if digits.isascii() and digits.isdecimal() and len(digits) <= _LONGEST_NUMBER:
        await tx.connection.execute(
            "INSERT INTO ticket_number AS n (desk_id, last_number) VALUES ($1, $2) "
            "ON CONFLICT (desk_id) DO UPDATE SET last_number = greatest(n.last_number, excluded.last_number)",
            tx.desk_id,
            int(digits),
        )


async def is_number_taken(connection: Connection, number: str) -> bool:
    """Tell whether a ticket of the desk has a number."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM ticket WHERE desk_id = current_desk() AND number = $1)", number
    )
    return found


async def has_open_ticket(connection: Connection, *, number: str, customer_id: UUID) -> bool:
    """Tell whether a customer has a ticket of that number that is not closed."""
    found: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM ticket WHERE desk_id = current_desk() AND number = $1 AND customer_id = $2 "
        "AND state <> 'closed')",
        number,
        customer_id,
    )
    return found


async def insert_ticket(tx: Transaction, ticket: Ticket) -> None:
    """Write a new ticket and what was decided about it."""
    await tx.connection.execute(_INSERT, tx.desk_id, *_values(ticket, (*_FIXED, *_CHANGING)))
    await insert_decisions(tx, ticket)


async def update_ticket(tx: Transaction, ticket: Ticket) -> None:
    """Write a changed ticket; the caller holds its row."""
    await tx.connection.execute(_UPDATE, ticket.ticket_id, *_values(ticket, _CHANGING))


async def insert_decisions(tx: Transaction, ticket: Ticket) -> None:
    """Keep the decisions that a version of the ticket brought."""
    await tx.connection.executemany(
        "INSERT INTO ticket_decision (ticket_id, version, about, desk_id, value, rule, clauses, decided_at) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        [
            (ticket.ticket_id, ticket.version, one.about, tx.desk_id, one.value, one.rule, one.clauses, tx.now)
            for one in ticket.decisions
        ],
    )


async def find_ticket(connection: Connection, ticket_id: UUID, *, lock: bool = False) -> Ticket | None:
    """Return a ticket of the desk; `lock` holds its row until the end of the transaction."""
    suffix = " FOR UPDATE" if lock else ""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM ticket WHERE ticket_id = $1{suffix}", ticket_id)
    return None if row is None else _row_to_ticket(row)


async def hold_numbered(tx: Transaction, *, number: str, customer_id: UUID) -> Ticket | None:
    """Return a customer's ticket by its number, its row held until the end of the transaction."""
    found = await select_tickets(
        tx.connection,
        "WHERE desk_id = current_desk() AND number = $1 AND customer_id = $2 FOR UPDATE",
        number,
        customer_id,
    )
    return found[0] if found else None


async def select_tickets(connection: Connection, rest: str, *values: Any) -> list[Ticket]:
    """Return the tickets that the rest of a statement, which begins behind FROM ticket, finds."""
    return [_row_to_ticket(row) for row in await connection.fetch(f"SELECT {_COLUMNS} FROM ticket {rest}", *values)]


async def list_decisions(connection: Connection, ticket_id: UUID) -> list[asyncpg.Record]:
    """Return all that was ever decided about a ticket, oldest first."""
    return await connection.fetch(
        "SELECT version, about, value, rule, clauses, decided_at FROM ticket_decision WHERE ticket_id = $1 "
        "ORDER BY version, about",
        ticket_id,
    )
