"""Agents, and what lies on them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import asyncpg

from escalation.domain.ticket import Absence, Agent
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_AGENT = (
    "agent_id, name, email, teams, levels, languages, roles, active, absent, version, last_assigned_at, skills, "
    "calendar, capacity"
)
_OPEN = "(SELECT count(*) FROM ticket t WHERE t.agent_id = agent.agent_id AND t.state IN ('open', 'held'))"
_INSERT = f"""
INSERT INTO agent (desk_id, {_AGENT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, NULL, $11, $12, $13)
ON CONFLICT (desk_id, email) DO NOTHING
"""
_UPDATE = """
UPDATE agent SET name = $2, teams = $3, levels = $4, languages = $5, roles = $6, active = $7, absent = $8,
                 skills = $9, calendar = $10, capacity = $11,
                 version = version + 1
WHERE agent_id = $1
"""
# Choosers of one team take turns: the load is read after those before have settled theirs.
_LOCK_TEAM = """
SELECT agent_id FROM agent WHERE active AND NOT absent AND teams && $1::text[] ORDER BY agent_id FOR NO KEY UPDATE
"""
_OF_TEAM = f"SELECT {_AGENT}, {_OPEN} AS open_tickets FROM agent WHERE agent_id = ANY($1)"
_FIND = f"SELECT {_AGENT}, {_OPEN} AS open_tickets FROM agent WHERE agent_id = $1"
_LIST = f"""
SELECT {_AGENT}, {_OPEN} AS open_tickets FROM agent WHERE $1::uuid IS NULL OR agent_id > $1 ORDER BY agent_id LIMIT $2
"""
_AWAY = """EXISTS (SELECT FROM agent_absence b WHERE b.agent_id = agent.agent_id AND b.starts_at <= $1
                    AND (b.ends_at IS NULL OR b.ends_at > $1))"""
_STAFF = f"SELECT {_AGENT.replace('absent', f'absent OR {_AWAY} AS absent')} FROM agent WHERE active"
# `$1` is the present of the desk. A promise is broken while its clock runs over, and due next while it runs in time.
_WORK = """
WITH work AS (
  SELECT t.policy, t.team, t.agent_id, t.level, t.ticket_id,
         EXISTS (SELECT FROM ticket_clock c WHERE c.ticket_id = t.ticket_id AND c.state = 'breached') AS is_breached,
         (SELECT min(c.due_at) FROM ticket_clock c WHERE c.ticket_id = t.ticket_id AND c.state = 'running') AS due_at
  FROM ticket t WHERE t.state IN ('open', 'held')
), here AS (
  SELECT a.agent_id, a.teams, a.capacity,
         NOT a.absent AND NOT EXISTS (SELECT FROM agent_absence b WHERE b.agent_id = a.agent_id AND b.starts_at <= $1
                                      AND (b.ends_at IS NULL OR b.ends_at > $1)) AS is_here
  FROM agent a WHERE a.active
)
"""
_TEAM_LOADS = f"""
{_WORK}, of_team AS (
  SELECT policy, team, count(*) AS open_tickets, count(*) FILTER (WHERE agent_id IS NULL) AS unassigned,
         count(*) FILTER (WHERE level > 1) AS escalated, count(*) FILTER (WHERE is_breached) AS breached,
         min(due_at) AS next_due_at
  FROM work WHERE team IS NOT NULL GROUP BY policy, team
), named AS (
  SELECT policy, team FROM of_team
  UNION SELECT nullif(split_part(one, '/', 1), one), split_part(one, '/', CASE WHEN one LIKE '%/%' THEN 2 ELSE 1 END)
  FROM here, unnest(teams) AS one
  -- A plain name is shown by itself only where no policy's work shows it.
  WHERE one LIKE '%/%' OR NOT EXISTS (SELECT FROM of_team w WHERE w.team = one)
)
SELECT n.team, n.policy, coalesce(open_tickets, 0) AS open_tickets, coalesce(unassigned, 0) AS unassigned,
       coalesce(escalated, 0) AS escalated, coalesce(breached, 0) AS breached, next_due_at,
       p.agents, p.available, p.capacity
FROM named n LEFT JOIN of_team w ON w.team = n.team AND w.policy IS NOT DISTINCT FROM n.policy
CROSS JOIN LATERAL (
  SELECT count(*) AS agents, count(*) FILTER (WHERE is_here) AS available,
         CASE WHEN count(*) FILTER (WHERE is_here AND capacity IS NULL) = 0
              THEN coalesce(sum(capacity) FILTER (WHERE is_here), 0)::integer END AS capacity
  FROM here h WHERE n.team = ANY(h.teams) OR (n.policy || '/' || n.team) = ANY(h.teams)
) p
ORDER BY n.team, n.policy NULLS FIRST
"""
_AGENT_LOADS = f"""
{_WORK}
SELECT a.agent_id, a.name, h.is_here AS is_available, a.capacity, a.last_assigned_at,
       count(w.ticket_id) AS open_tickets, count(*) FILTER (WHERE w.is_breached) AS breached,
       min(w.due_at) AS next_due_at
FROM agent a JOIN here h USING (agent_id) LEFT JOIN work w USING (agent_id)
GROUP BY a.agent_id, h.is_here ORDER BY a.agent_id
"""
_INSERT_ABSENCE = """
INSERT INTO agent_absence (desk_id, absence_id, agent_id, starts_at, ends_at, reason, recorded_at)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
_ABSENCE = "absence_id, agent_id, starts_at, ends_at, reason"
_ABSENCES = f"""
SELECT {_ABSENCE} FROM agent_absence
WHERE agent_id = ANY($1) AND ($2::timestamptz IS NULL OR ends_at IS NULL OR ends_at > $2) ORDER BY starts_at, absence_id
"""
_END_ABSENCE = f"""
UPDATE agent_absence SET ends_at = greatest(starts_at, $3) WHERE agent_id = $1 AND absence_id = $2
  AND (ends_at IS NULL OR ends_at > $3)
RETURNING {_ABSENCE}
"""
_POLICY_TEAMS = """
SELECT DISTINCT ON (policy) policy, document->'routing'->'teams' AS teams FROM policy_version
ORDER BY policy, effective_from DESC, published_at DESC
"""


_LISTS = ("teams", "levels", "languages", "roles", "skills")


@dataclass(frozen=True, slots=True)
class TeamLoad:
    """What lies on a team: open tickets, those nobody has, those above level 1, those whose promise is broken; its
    agents, those who are not away, and how many tickets these take; None where one of them sets no limit.
    """

    team: str
    policy: str | None
    open_tickets: int
    unassigned: int
    escalated: int
    breached: int
    next_due_at: datetime | None
    agents: int
    available: int
    capacity: int | None


@dataclass(frozen=True, slots=True)
class AgentLoad:
    """What lies on an agent."""

    agent_id: UUID
    name: str
    is_available: bool
    open_tickets: int
    breached: int
    next_due_at: datetime | None
    capacity: int | None
    last_assigned_at: datetime | None


async def insert_agent(tx: Transaction, agent: Agent) -> bool:
    """Write a new agent; false if the desk has one with that address."""
    tag = await tx.connection.execute(
        _INSERT,
        tx.desk_id,
        agent.agent_id,
        agent.name,
        agent.email,
        list(agent.teams),
        list(agent.levels),
        list(agent.languages),
        list(agent.roles),
        agent.active,
        agent.absent,
        list(agent.skills),
        agent.calendar,
        agent.capacity,
    )
    return str(tag) == "INSERT 0 1"


async def update_agent(tx: Transaction, agent: Agent) -> None:
    """Write what may change of an agent, as its next version."""
    await tx.connection.execute(
        _UPDATE,
        agent.agent_id,
        agent.name,
        list(agent.teams),
        list(agent.levels),
        list(agent.languages),
        list(agent.roles),
        agent.active,
        agent.absent,
        list(agent.skills),
        agent.calendar,
        agent.capacity,
    )


async def lock_team(tx: Transaction, *, policy: str, team: str, at: datetime) -> list[Agent]:
    """Return the available agents of a policy's team with load and absences, locked for a choice among them."""
    ids = [row["agent_id"] for row in await tx.connection.fetch(_LOCK_TEAM, [team, f"{policy}/{team}"])]
    if not ids:
        return []
    absences = await absences_of(tx.connection, ids, after=at)
    return [
        replace(_agent(row), absences=tuple(one for one in absences if one.agent_id == row["agent_id"]))
        for row in await tx.connection.fetch(_OF_TEAM, ids)
    ]


async def insert_absence(tx: Transaction, absence: Absence) -> None:
    """Write that an agent is, was or will be away."""
    await tx.connection.execute(
        _INSERT_ABSENCE,
        tx.desk_id,
        absence.absence_id,
        absence.agent_id,
        absence.starts_at,
        absence.ends_at,
        absence.reason,
        tx.now,
    )


async def end_absence(tx: Transaction, agent_id: UUID, absence_id: UUID) -> Absence | None:
    """Write that an agent is back now, or stays after all; None if the absence is none, or over."""
    row = await tx.connection.fetchrow(_END_ABSENCE, agent_id, absence_id, tx.now)
    return None if row is None else Absence(**row)


async def absences_of(
    connection: Connection, agent_ids: Sequence[UUID], *, after: datetime | None = None
) -> list[Absence]:
    """Return the absences of some agents, those that are not over by an instant if one is given."""
    return [Absence(**row) for row in await connection.fetch(_ABSENCES, list(agent_ids), after)]


async def mark_assigned(tx: Transaction, agent_id: UUID, *, at: datetime) -> None:
    """Remember an agent's turn."""
    await tx.connection.execute("UPDATE agent SET last_assigned_at = $2 WHERE agent_id = $1", agent_id, at)


async def find_agent(connection: Connection, agent_id: UUID, *, lock: bool = False) -> Agent | None:
    """Return an agent of the desk; with `lock`, nobody else changes it until the commit."""
    row = await connection.fetchrow(f"{_FIND}{' FOR NO KEY UPDATE' if lock else ''}", agent_id)
    return None if row is None else _agent(row)


async def list_agents(connection: Connection, *, after: UUID | None, limit: int) -> list[Agent]:
    """Return agents of the desk with their load, in the order they were made."""
    return [_agent(row) for row in await connection.fetch(_LIST, after, limit)]


async def list_staff(connection: Connection, *, at: datetime) -> list[Agent]:
    """Return everybody active in the desk, without load; who is away at the instant `at` is absent."""
    return [_agent(row) for row in await connection.fetch(_STAFF, at)]


async def list_team_loads(connection: Connection, *, now: datetime) -> list[TeamLoad]:
    """Return what lies on each team that has agents or open tickets."""
    return [TeamLoad(**row) for row in await connection.fetch(_TEAM_LOADS, now)]


async def list_agent_loads(connection: Connection, *, now: datetime) -> list[AgentLoad]:
    """Return what lies on each active agent."""
    return [AgentLoad(**row) for row in await connection.fetch(_AGENT_LOADS, now)]


async def list_policy_teams(connection: Connection) -> list[tuple[str, dict[str, dict[str, object]]]]:
    """Return, by policy, the teams its newest version names."""
    return [(row["policy"], row["teams"] or {}) for row in await connection.fetch(_POLICY_TEAMS)]


def _agent(row: asyncpg.Record) -> Agent:
    lists: dict[str, Sequence[object]] = {name: tuple(row[name]) for name in _LISTS}
    return Agent(**(dict(row) | lists))
