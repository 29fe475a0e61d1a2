"""Agents, and what lies on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from escalation.domain.ticket import Agent
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_AGENT = "agent_id, name, email, teams, levels, languages, roles, active, absent, version, last_assigned_at"
_OPEN = "(SELECT count(*) FROM ticket t WHERE t.agent_id = agent.agent_id AND t.state IN ('open', 'held'))"
_INSERT = f"""
INSERT INTO agent (desk_id, {_AGENT}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, NULL)
ON CONFLICT (desk_id, email) DO NOTHING
"""
_UPDATE = """
UPDATE agent SET name = $2, teams = $3, levels = $4, languages = $5, roles = $6, active = $7, absent = $8,
                 version = version + 1
WHERE agent_id = $1
"""
# Choosers of one team take turns: the load is read after those before have settled theirs.
_LOCK_TEAM = """
SELECT agent_id FROM agent WHERE active AND NOT absent AND $1 = ANY(teams) ORDER BY agent_id FOR NO KEY UPDATE
"""
_OF_TEAM = f"SELECT {_AGENT}, {_OPEN} AS open_tickets FROM agent WHERE agent_id = ANY($1)"
_FIND = f"SELECT {_AGENT}, {_OPEN} AS open_tickets FROM agent WHERE agent_id = $1"
_LIST = f"""
SELECT {_AGENT}, {_OPEN} AS open_tickets FROM agent WHERE $1::uuid IS NULL OR agent_id > $1 ORDER BY agent_id LIMIT $2
"""
_STAFF = f"SELECT {_AGENT} FROM agent WHERE active"
_TEAM_LOADS = """
WITH work AS (
  SELECT team, count(*) AS open_tickets, count(*) FILTER (WHERE agent_id IS NULL) AS unassigned,
         count(*) FILTER (WHERE level > 1) AS escalated
  FROM ticket WHERE state IN ('open', 'held') AND team IS NOT NULL GROUP BY team
), people AS (
  SELECT team, count(*) AS agents, count(*) FILTER (WHERE active AND NOT absent) AS available
  FROM agent, unnest(teams) AS team WHERE active GROUP BY team
)
SELECT team, coalesce(open_tickets, 0) AS open_tickets, coalesce(unassigned, 0) AS unassigned,
       coalesce(escalated, 0) AS escalated, coalesce(agents, 0) AS agents, coalesce(available, 0) AS available
FROM work FULL JOIN people USING (team) ORDER BY team
"""
_POLICY_TEAMS = """
SELECT DISTINCT ON (policy) policy, document->'routing'->'teams' AS teams FROM policy_version
ORDER BY policy, effective_from DESC, published_at DESC
"""


@dataclass(frozen=True, slots=True)
class TeamLoad:
    """What lies on a team: open tickets, those nobody has, those above level 1; its agents, and those at work."""

    team: str
    open_tickets: int
    unassigned: int
    escalated: int
    agents: int
    available: int


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
    )


async def lock_team(tx: Transaction, team: str) -> list[Agent]:
    """Return the available agents of a team with their load, locked for a choice among them."""
    ids = [row["agent_id"] for row in await tx.connection.fetch(_LOCK_TEAM, team)]
    return [_agent(row) for row in await tx.connection.fetch(_OF_TEAM, ids)] if ids else []


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


async def list_staff(connection: Connection) -> list[Agent]:
    """Return everybody active in the desk, without load."""
    return [_agent(row) for row in await connection.fetch(_STAFF)]


async def list_team_loads(connection: Connection) -> list[TeamLoad]:
    """Return what lies on each team that has agents or open tickets."""
    return [TeamLoad(**row) for row in await connection.fetch(_TEAM_LOADS)]


async def list_policy_teams(connection: Connection) -> list[tuple[str, dict[str, dict[str, object]]]]:
    """Return, by policy, the teams its newest version names."""
    return [(row["policy"], row["teams"] or {}) for row in await connection.fetch(_POLICY_TEAMS)]


def _agent(row: asyncpg.Record) -> Agent:
    lists: dict[str, Sequence[object]] = {name: tuple(row[name]) for name in ("teams", "levels", "languages", "roles")}
    return Agent(**(dict(row) | lists))
