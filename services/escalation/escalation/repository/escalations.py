"""Escalations and their steps."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg

from escalation.domain.matrix import Step, StepState
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_ESCALATION = (
    "escalation_id, ticket_id, trigger, kind, threshold, cause_id, clock_due_at, rule, on_request, clauses, reason, "
    "requested_by, state, raised_at, ended_at, end_reason, acknowledged_at, acknowledged_by"
)
_STEP = (
    "position, step, turn, after, calendar, to_level, to_team, to_role, notify, template, requires_assessment, "
    "requires_reason, due_at, state, timer_id, fired_at, to_severity"
)
_INSERT = f"""
INSERT INTO escalation (desk_id, {_ESCALATION})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (escalation_id) DO NOTHING
"""
_INSERT_STEP = f"""
INSERT INTO escalation_step (desk_id, escalation_id, {_STEP})
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
"""
_ARM_STEP = """
UPDATE escalation_step SET state = 'armed', timer_id = $3
WHERE escalation_id = $1 AND position = $2 AND state = 'planned'
"""
# The condition on the state makes a second firing impossible, whoever asks for it.
_FIRE_STEP = """
UPDATE escalation_step SET state = 'fired', due_at = $3, fired_at = $4, recorded_at = $5, reason = $6
WHERE escalation_id = $1 AND position = $2 AND state IN ('planned', 'armed')
"""
_SKIP_STEPS = """
UPDATE escalation_step SET state = 'skipped'
WHERE escalation_id = $1 AND position = ANY($2) AND state IN ('planned', 'armed')
"""
_END = "UPDATE escalation SET state = $2, ended_at = $3, end_reason = $4 WHERE escalation_id = $1"
_ACKNOWLEDGE = """
UPDATE escalation SET acknowledged_at = $2, acknowledged_by = $3
WHERE escalation_id = $1 AND acknowledged_at IS NULL
"""
_BY_CAUSE = f"""
SELECT {_ESCALATION} FROM escalation WHERE cause_id = $1 AND (state = 'running' OR $2) ORDER BY raised_at, escalation_id
"""
_RUNNING = f"""
SELECT {_ESCALATION} FROM escalation WHERE ticket_id = $1 AND state = 'running' ORDER BY raised_at, escalation_id
"""
_LIST = f"""
SELECT {_ESCALATION} FROM escalation
WHERE ($1::uuid IS NULL OR ticket_id = $1) AND ($2::text IS NULL OR state = $2)
  AND ($3::timestamptz IS NULL OR (raised_at, escalation_id) > ($3, $4))
ORDER BY raised_at, escalation_id LIMIT $5
"""
_STEPS = f"""
SELECT escalation_id, reason, {_STEP} FROM escalation_step
WHERE escalation_id = ANY($1) ORDER BY escalation_id, position
"""


_OVERDUE = """
SELECT count(*) FROM escalation_step s JOIN desk d USING (desk_id)
WHERE s.state = 'armed' AND s.due_at < coalesce(d.clock_at, $1) - $2::interval
"""


@dataclass(frozen=True, slots=True)
class Escalation:
    """What a trigger set off.

    `cause_id` is the clock that caused it (or the escalation that nobody acknowledged), `clock_due_at` the due instant
    of the clock, `threshold` the warning reached.
    """

    escalation_id: UUID
    ticket_id: UUID
    trigger: str
    kind: str | None
    threshold: str | None
    cause_id: UUID | None
    clock_due_at: datetime | None
    rule: int | None
    on_request: bool
    clauses: tuple[str, ...]
    reason: str | None
    requested_by: str | None
    raised_at: datetime
    state: str = "running"
    ended_at: datetime | None = None
    end_reason: str | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str | None = None


async def insert_escalation(tx: Transaction, escalation: Escalation, steps: Sequence[Step]) -> bool:
    """Write a new escalation and its steps; false if it was written before."""
    e = escalation
    tag = await tx.connection.execute(
        _INSERT,
        tx.desk_id,
        e.escalation_id,
        e.ticket_id,
        e.trigger,
        e.kind,
        e.threshold,
        e.cause_id,
        e.clock_due_at,
        e.rule,
        e.on_request,
        list(e.clauses),
        e.reason,
        e.requested_by,
        e.state,
        e.raised_at,
        e.ended_at,
        e.end_reason,
        e.acknowledged_at,
        e.acknowledged_by,
    )
    if str(tag) != "INSERT 0 1":
        return False
    await tx.connection.executemany(
        _INSERT_STEP, [(tx.desk_id, e.escalation_id, *_step_values(step)) for step in steps]
    )
    return True


def _step_values(step: Step) -> tuple[Any, ...]:
    return (
        step.position,
        step.step,
        step.turn,
        step.after,
        step.calendar,
        step.to_level,
        step.to_team,
        step.to_role,
        list(step.notify),
        step.template,
        step.requires_assessment,
        step.requires_reason,
        step.due_at,
        step.state,
        step.timer_id,
        step.fired_at,
        step.to_severity,
    )


async def arm_step(tx: Transaction, escalation_id: UUID, position: int, *, timer_id: UUID) -> None:
    """Note that a step waits for its timer."""
    await tx.connection.execute(_ARM_STEP, escalation_id, position, timer_id)


async def fire_step(
    tx: Transaction, escalation_id: UUID, position: int, *, due_at: datetime, fired_at: datetime, reason: str | None
) -> bool:
    """Note that a step was taken; false if it had been, or is not to be."""
    tag = await tx.connection.execute(_FIRE_STEP, escalation_id, position, due_at, fired_at, tx.now, reason)
    return str(tag) == "UPDATE 1"


async def skip_steps(tx: Transaction, escalation_id: UUID, positions: Sequence[int]) -> None:
    """Note that steps will not be taken."""
    await tx.connection.execute(_SKIP_STEPS, escalation_id, list(positions))


async def end_escalation(
    tx: Transaction, escalation_id: UUID, *, state: str, ended_at: datetime, reason: str | None
) -> None:
    """Note that no further step will be asked for, and why."""
    await tx.connection.execute(_END, escalation_id, state, ended_at, reason)


async def acknowledge(tx: Transaction, escalation_id: UUID, *, at: datetime, by: str) -> bool:
    """Note who took notice; false if somebody had."""
    return str(await tx.connection.execute(_ACKNOWLEDGE, escalation_id, at, by)) == "UPDATE 1"


async def find_escalation(connection: Connection, escalation_id: UUID) -> Escalation | None:
    """Return an escalation of the desk."""
    row = await connection.fetchrow(f"SELECT {_ESCALATION} FROM escalation WHERE escalation_id = $1", escalation_id)
    return None if row is None else _escalation(row)


async def find_escalations(connection: Connection, escalation_ids: Sequence[UUID]) -> list[Escalation]:
    """Return those of some escalations that the desk has."""
    rows = await connection.fetch(
        f"SELECT {_ESCALATION} FROM escalation WHERE escalation_id = ANY($1)", list(escalation_ids)
    )
    return [_escalation(row) for row in rows]


async def caused_by(connection: Connection, cause_id: UUID, *, ended_too: bool = False) -> list[Escalation]:
    """Return the escalations that a clock, or an escalation, caused and that run, or all of them."""
    return [_escalation(row) for row in await connection.fetch(_BY_CAUSE, cause_id, ended_too)]


async def running_in(connection: Connection, ticket_id: UUID) -> list[Escalation]:
    """Return the escalations of a ticket that run."""
    return [_escalation(row) for row in await connection.fetch(_RUNNING, ticket_id)]


async def list_escalations(
    connection: Connection,
    *,
    ticket_id: UUID | None,
    state: str | None,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[Escalation]:
    """Return escalations in the order they were raised."""
    at, escalation_id = after or (None, None)
    return [_escalation(row) for row in await connection.fetch(_LIST, ticket_id, state, at, escalation_id, limit)]


async def steps_of(connection: Connection, escalation_id: UUID) -> tuple[Step, ...]:
    """Return the steps of an escalation, in order."""
    return tuple(_step(row) for row in await connection.fetch(_STEPS, [escalation_id]))


async def count_steps(connection: Connection, escalation_id: UUID) -> int:
    """Return how many firings an escalation has, past and to come."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM escalation_step WHERE escalation_id = $1", escalation_id
    )
    return count


async def count_overdue_steps(connection: Connection, *, now: datetime, grace: timedelta) -> int:
    """Return how many steps of all desks were due longer than `grace` ago, each by its desk's present. Spans desks."""
    count: int = await connection.fetchval(_OVERDUE, now, grace)
    return count


async def steps_by_escalation(
    connection: Connection, escalation_ids: Sequence[UUID]
) -> dict[UUID, list[tuple[Step, str | None]]]:
    """Return the steps of several escalations, each with the reason it was taken for."""
    found: dict[UUID, list[tuple[Step, str | None]]] = {escalation_id: [] for escalation_id in escalation_ids}
    for row in await connection.fetch(_STEPS, list(escalation_ids)):
        found[row["escalation_id"]].append((_step(row), row["reason"]))
    return found


def _escalation(row: asyncpg.Record) -> Escalation:
    return Escalation(**(dict(row) | {"clauses": tuple(row["clauses"])}))


def _step(row: asyncpg.Record) -> Step:
    values = dict(row) | {"notify": tuple(row["notify"]), "state": StepState(row["state"])}
    return Step(**{name: value for name, value in values.items() if name not in ("escalation_id", "reason")})
