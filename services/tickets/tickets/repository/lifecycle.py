"""Attempts, appointments, links, vendors, playbooks and assessments of tickets."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.appointments import Appointment, AppointmentState
from tickets.domain.attempts import Attempt
from tickets.domain.playbook import Tick


@dataclass(frozen=True, slots=True)
class Assessment:
    """What an expert said of a ticket."""

    assessment_id: UUID
    ticket_id: UUID
    assessed_at: datetime
    assessed_by: str
    level: int
    solvable: bool
    due_at: datetime | None
    missing: str | None
    design: str | None


@dataclass(frozen=True, slots=True)
class VendorReference:
    """What a vendor knows a request by, and what it answered."""

    vendor: str
    reference: str
    referred_at: datetime
    answer: str | None = None
    answered_at: datetime | None = None
    released_version: str | None = None
    released_at: datetime | None = None


_ATTEMPT = "attempt_id, round, made_at, made_by, channel, result, text, number, not_counted_for, closes_at"
_APPOINTMENT = (
    "appointment_id, ticket_id, starts_at, ends_at, place, attendee, scheduled_by, scheduled_at, is_awaited, state, "
    "settled_at, settled_by, late, reason"
)
_VENDOR = "vendor, reference, referred_at, answer, answered_at, released_version, released_at"
_ASSESSMENT = "assessment_id, ticket_id, assessed_at, assessed_by, level, solvable, due_at, missing, design"
_SAVE_APPOINTMENT = f"""
INSERT INTO appointment (desk_id, {_APPOINTMENT})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
ON CONFLICT (appointment_id) DO UPDATE SET state = excluded.state, settled_at = excluded.settled_at,
  settled_by = excluded.settled_by, late = excluded.late, reason = excluded.reason
"""
_SAVE_VENDOR = f"""
INSERT INTO vendor_reference (desk_id, ticket_id, {_VENDOR}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (ticket_id, vendor) DO UPDATE SET reference = excluded.reference, referred_at = excluded.referred_at,
  answer = excluded.answer, answered_at = excluded.answered_at, released_version = excluded.released_version,
  released_at = excluded.released_at
"""
_SAVE_TICK = """
INSERT INTO playbook_tick (desk_id, ticket_id, playbook, step, result, text, ticked_by, ticked_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (ticket_id, playbook, step) DO UPDATE SET result = excluded.result, text = excluded.text,
  ticked_by = excluded.ticked_by, ticked_at = excluded.ticked_at
"""
_LINKS = """
SELECT l.kind, l.outgoing, l.linked_by, l.linked_at, t.ticket_id, t.number, t.subject, t.state
FROM (SELECT kind, true AS outgoing, linked_by, linked_at, other_id AS found FROM ticket_link WHERE ticket_id = $1
      UNION ALL
      SELECT kind, false, linked_by, linked_at, ticket_id FROM ticket_link WHERE other_id = $1) AS l
JOIN ticket t ON t.ticket_id = l.found
WHERE $2::uuid IS NULL OR t.customer_id = $2
ORDER BY l.linked_at, t.number, l.kind
"""
_MERGED = """
WITH RECURSIVE source AS (
  SELECT ticket_id FROM ticket_link WHERE other_id = $1 AND kind = 'merged_into'
  UNION
  SELECT l.ticket_id FROM ticket_link l JOIN source s ON l.other_id = s.ticket_id WHERE l.kind = 'merged_into')
SELECT ticket_id FROM source
"""
_ASSESSMENT_OWED = """
SELECT e.escalation->'clauses' FROM ticket_escalation e
WHERE e.ticket_id = $1 AND (e.escalation->>'requires_assessment')::boolean
  AND NOT EXISTS (SELECT FROM assessment a
                  WHERE a.ticket_id = $1 AND a.assessed_at >= (e.escalation->>'assessment_asked_at')::timestamptz)
LIMIT 1
"""


async def insert_attempt(tx: Transaction, ticket_id: UUID, attempt: Attempt) -> None:
    """Write an attempt."""
    await tx.connection.execute(
        f"INSERT INTO contact_attempt (desk_id, ticket_id, {_ATTEMPT}) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        tx.desk_id,
        ticket_id,
        attempt.attempt_id,
        attempt.round,
        attempt.made_at,
        attempt.made_by,
        attempt.channel,
        attempt.result,
        attempt.text,
        attempt.number,
        attempt.not_counted_for,
        attempt.closes_at,
    )


async def list_attempts(connection: Connection, ticket_id: UUID, *, in_round: int | None = None) -> list[Attempt]:
    """Return the attempts to reach a ticket's customer, oldest first, of one round if given."""
    rows = await connection.fetch(
        f"SELECT {_ATTEMPT} FROM contact_attempt WHERE ticket_id = $1 AND ($2::int IS NULL OR round = $2) "
        "ORDER BY made_at, attempt_id",
        ticket_id,
        in_round,
    )
    return [Attempt(**row) for row in rows]


async def save_appointment(tx: Transaction, appointment: Appointment) -> None:
    """Write an appointment, or what became of it."""
    await tx.connection.execute(
        _SAVE_APPOINTMENT,
        tx.desk_id,
        appointment.appointment_id,
        appointment.ticket_id,
        appointment.starts_at,
        appointment.ends_at,
        appointment.place,
        appointment.attendee,
        appointment.scheduled_by,
        appointment.scheduled_at,
        appointment.is_awaited,
        appointment.state,
        appointment.settled_at,
        appointment.settled_by,
        appointment.late,
        appointment.reason,
    )


async def find_appointment(connection: Connection, appointment_id: UUID) -> Appointment | None:
    """Return an appointment; who changes it holds its ticket."""
    row = await connection.fetchrow(f"SELECT {_APPOINTMENT} FROM appointment WHERE appointment_id = $1", appointment_id)
    return None if row is None else _appointment(row)


async def list_appointments(connection: Connection, ticket_id: UUID) -> list[Appointment]:
    """Return a ticket's appointments by their beginning."""
    rows = await connection.fetch(
        f"SELECT {_APPOINTMENT} FROM appointment WHERE ticket_id = $1 ORDER BY starts_at, appointment_id", ticket_id
    )
    return [_appointment(row) for row in rows]


def _appointment(row: asyncpg.Record) -> Appointment:
    return Appointment(**{**row, "state": AppointmentState(row["state"])})


async def insert_link(tx: Transaction, ticket_id: UUID, other_id: UUID, *, kind: str, by: str, at: datetime) -> bool:
    """Write that a ticket is `kind` of another one; false if that was known."""
    tag = await tx.connection.execute(
        "INSERT INTO ticket_link (desk_id, ticket_id, other_id, kind, linked_by, linked_at) "
        "VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING",
        tx.desk_id,
        ticket_id,
        other_id,
        kind,
        by,
        at,
    )
    return str(tag) == "INSERT 0 1"


async def list_links(connection: Connection, ticket_id: UUID, *, customer_id: UUID | None) -> list[asyncpg.Record]:
    """Return the tickets that one is linked with, either way; a requester sees its own customer's."""
    return await connection.fetch(_LINKS, ticket_id, customer_id)


async def merged_tickets(connection: Connection, ticket_id: UUID) -> list[UUID]:
    """Return the tickets that go on in one, directly or by way of another."""
    rows = await connection.fetch(_MERGED, ticket_id)
    return [row["ticket_id"] for row in rows]


async def hold_conversation(connection: Connection, ticket_ids: Sequence[UUID]) -> None:
    """Hold tickets and those they go on in, in the order in which they do."""
    for ticket_id in ticket_ids:
        onward: UUID | None = ticket_id
        while onward is not None:
            onward = await connection.fetchval("SELECT merged_into FROM ticket WHERE ticket_id = $1 FOR UPDATE", onward)


async def lock_tickets(connection: Connection, ticket_ids: Sequence[UUID]) -> None:
    """Hold several tickets, in one order for everybody, so that nobody waits for each other."""
    await connection.execute(
        "SELECT FROM ticket WHERE ticket_id = ANY($1) ORDER BY ticket_id FOR UPDATE", list(ticket_ids)
    )


async def save_vendor_reference(tx: Transaction, ticket_id: UUID, known: VendorReference) -> None:
    """Write what a vendor knows a request by, or what it answered."""
    await tx.connection.execute(
        _SAVE_VENDOR,
        tx.desk_id,
        ticket_id,
        known.vendor,
        known.reference,
        known.referred_at,
        known.answer,
        known.answered_at,
        known.released_version,
        known.released_at,
    )


async def list_vendor_references(connection: Connection, ticket_id: UUID) -> list[VendorReference]:
    """Return the vendors a ticket was passed to, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_VENDOR} FROM vendor_reference WHERE ticket_id = $1 ORDER BY referred_at, vendor", ticket_id
    )
    return [VendorReference(**row) for row in rows]


async def save_tick(tx: Transaction, ticket_id: UUID, tick: Tick) -> None:
    """Write that a step of a playbook was taken; the last result holds."""
    await tx.connection.execute(
        _SAVE_TICK,
        tx.desk_id,
        ticket_id,
        tick.playbook,
        tick.step,
        tick.result,
        tick.text,
        tick.ticked_by,
        tick.ticked_at,
    )


async def list_ticks(connection: Connection, ticket_id: UUID) -> list[Tick]:
    """Return the steps that were taken for a ticket."""
    rows = await connection.fetch(
        "SELECT playbook, step, result, text, ticked_by, ticked_at FROM playbook_tick WHERE ticket_id = $1", ticket_id
    )
    return [Tick(**row) for row in rows]


async def insert_assessment(tx: Transaction, assessment: Assessment) -> None:
    """Write an assessment."""
    await tx.connection.execute(
        f"INSERT INTO assessment (desk_id, {_ASSESSMENT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
        tx.desk_id,
        assessment.assessment_id,
        assessment.ticket_id,
        assessment.assessed_at,
        assessment.assessed_by,
        assessment.level,
        assessment.solvable,
        assessment.due_at,
        assessment.missing,
        assessment.design,
    )


async def list_assessments(connection: Connection, ticket_id: UUID) -> list[Assessment]:
    """Return the assessments of a ticket, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_ASSESSMENT} FROM assessment WHERE ticket_id = $1 ORDER BY assessed_at, assessment_id", ticket_id
    )
    return [Assessment(**row) for row in rows]


async def owed_assessment(connection: Connection, ticket_id: UUID) -> list[str] | None:
    """Return the clauses of an escalation that asked for an assessment nobody made since, or None. SKE-06"""
    clauses: list[str] | None = await connection.fetchval(_ASSESSMENT_OWED, ticket_id)
    return clauses
