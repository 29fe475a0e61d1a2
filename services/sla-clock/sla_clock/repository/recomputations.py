"""Recomputations: what was asked for, which tickets it names, and how far it has come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json

from plazo.runtime.database import Connection
from sla_clock.repository.tickets import Ticket, row_to_ticket

_COLUMNS = (
    "recomputation_id, desk_id, policy, from_version, to_version, reason, requested_by, requested_at, state, is_named"
)
_INSERT = f"""
INSERT INTO recomputation ({_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'running', $9)
ON CONFLICT (desk_id, policy) WHERE state IN ('running', 'undoing') DO NOTHING RETURNING true
"""
# Open tickets of a policy that another version holds for.
_NAMED = """
FROM ticket k
WHERE k.policy = $1 AND NOT k.is_closed AND coalesce(k.terms_version, k.policy_version) <> $2
  AND ($3::text IS NULL OR coalesce(k.terms_version, k.policy_version) = $3)
  AND ($4::uuid[] IS NULL OR k.ticket_id = ANY($4))
"""
_NAME = f"""
INSERT INTO recomputed_ticket (recomputation_id, ticket_id, desk_id, state, before_version)
SELECT $5, k.ticket_id, k.desk_id, 'waiting', coalesce(k.terms_version, k.policy_version) {_NAMED}
"""
# The next tickets are looked for in the order of their ids; some may have been recomputed out of their turn.
_NAME_MORE = """
WITH r AS (SELECT * FROM recomputation WHERE recomputation_id = $1), next AS MATERIALIZED (
  SELECT k.ticket_id, k.desk_id, coalesce(k.terms_version, k.policy_version) AS version
  FROM ticket k JOIN r ON k.desk_id = r.desk_id AND k.policy = r.policy
  WHERE NOT k.is_closed AND (r.named_up_to IS NULL OR k.ticket_id > r.named_up_to)
  ORDER BY k.ticket_id LIMIT $2
), named AS (
  INSERT INTO recomputed_ticket (recomputation_id, ticket_id, desk_id, state, before_version)
  SELECT r.recomputation_id, n.ticket_id, n.desk_id, 'waiting', n.version FROM next n CROSS JOIN r
  WHERE n.version <> r.to_version AND (r.from_version IS NULL OR n.version = r.from_version)
  ON CONFLICT DO NOTHING
)
UPDATE recomputation c
SET named_up_to = coalesce((SELECT ticket_id FROM next ORDER BY ticket_id DESC LIMIT 1), c.named_up_to),
    is_named = (SELECT count(*) FROM next) < $2
WHERE c.recomputation_id = $1
"""
# Tickets whose turn has not come in a recomputation that is running.
_AWAITED = f"""
SELECT r.*, k.ticket_id FROM (SELECT {_COLUMNS} FROM recomputation WHERE state = 'running') r
JOIN ticket k ON k.desk_id = r.desk_id AND k.policy = r.policy
LEFT JOIN recomputed_ticket i ON i.recomputation_id = r.recomputation_id AND i.ticket_id = k.ticket_id
WHERE k.ticket_id = ANY($1) AND NOT k.is_closed AND (
  i.state = 'waiting' OR (
    i.ticket_id IS NULL AND NOT r.is_named AND coalesce(k.terms_version, k.policy_version) <> r.to_version
    AND (r.from_version IS NULL OR coalesce(k.terms_version, k.policy_version) = r.from_version)
  )
)
"""
_COUNT_NAMED = f"SELECT count(*) {_NAMED}"
_LIST_NAMED = f"SELECT k.* {_NAMED} AND ($5::uuid IS NULL OR k.ticket_id > $5) ORDER BY k.ticket_id LIMIT $6"
_UNKNOWN = """
SELECT asked FROM unnest($2::uuid[]) AS asked
WHERE NOT EXISTS (SELECT FROM ticket WHERE ticket_id = asked AND policy = $1 AND NOT is_closed)
"""
_PROGRESS = f"""
SELECT {_COLUMNS}, finished_at, i.* FROM recomputation r CROSS JOIN LATERAL (
  SELECT count(*) AS total,
         count(*) FILTER (WHERE i.state NOT IN ('waiting', 'undoing')) AS done,
         count(*) FILTER (WHERE i.changes <> '[]') AS changed,
         count(*) FILTER (WHERE i.state = 'skipped') AS skipped,
         count(*) FILTER (WHERE i.state = 'kept') AS kept,
         count(*) FILTER (WHERE i.state = 'failed') AS failed
  FROM recomputed_ticket i WHERE i.recomputation_id = r.recomputation_id
) i
"""
_FIND = f"{_PROGRESS} WHERE r.recomputation_id = $1"
_LIST = f"{_PROGRESS} WHERE ($1::uuid IS NULL OR r.recomputation_id < $1) ORDER BY r.recomputation_id DESC LIMIT $2"
_CHANGES = """
SELECT ticket_id, changes FROM recomputed_ticket
WHERE recomputation_id = $1 AND changes <> '[]' AND ($2::uuid IS NULL OR ticket_id > $2) ORDER BY ticket_id LIMIT $3
"""
_UNDO = """
WITH asked AS (
  UPDATE recomputation SET state = 'undoing', finished_at = NULL WHERE recomputation_id = $1 AND state = 'done'
  RETURNING recomputation_id
)
UPDATE recomputed_ticket i SET state = 'undoing' FROM asked
WHERE i.recomputation_id = asked.recomputation_id AND i.state = 'applied'
"""
_TAKE = f"""
SELECT {_COLUMNS} FROM recomputation
WHERE state IN ('running', 'undoing') AND ($1::uuid IS NULL OR desk_id = $1)
ORDER BY requested_at, recomputation_id LIMIT 1 FOR UPDATE {{waiting}}
"""
_TAKE_ANY = _TAKE.format(waiting="SKIP LOCKED")
_TAKE_OF_DESK = _TAKE.format(waiting="")
_CLAIM = """
SELECT i.before_version, k.* FROM recomputed_ticket i JOIN ticket k USING (ticket_id)
WHERE i.recomputation_id = $1 AND i.state IN ('waiting', 'undoing') ORDER BY ticket_id LIMIT $2 FOR UPDATE OF k, i
"""
_SETTLE = """
INSERT INTO recomputed_ticket AS i (recomputation_id, ticket_id, desk_id, state, before_version, changes)
SELECT $1, ticket_id, $2, state, before_version, coalesce(changes::jsonb, '[]')
FROM unnest($3::uuid[], $4::text[], $5::text[], $6::text[]) AS s (ticket_id, state, before_version, changes)
ON CONFLICT (recomputation_id, ticket_id) DO UPDATE
SET state = excluded.state, changes = CASE WHEN excluded.state = 'applied' THEN excluded.changes ELSE i.changes END
"""
_FINISH = """
UPDATE recomputation SET state = CASE state WHEN 'running' THEN 'done' ELSE 'undone' END, finished_at = $2
WHERE recomputation_id = $1
"""


@dataclass(frozen=True, slots=True)
class Named:
    """Which tickets are meant: open ones of a policy that are not under `to_version` yet."""

    policy: str
    to_version: str
    from_version: str | None
    ticket_ids: Sequence[UUID] | None

    @property
    def parameters(self) -> tuple[Any, ...]:
        """The parameters of the statements."""
        return self.policy, self.to_version, self.from_version, self.ticket_ids


@dataclass(frozen=True, slots=True)
class Recomputation:
    """A recomputation that is being worked off."""

    recomputation_id: UUID
    desk_id: UUID
    policy: str
    from_version: str | None
    to_version: str
    reason: str
    requested_by: str
    requested_at: datetime
    state: str
    is_named: bool = False

    @property
    def is_undone(self) -> bool:
        """Whether it is being taken back."""
        return self.state == "undoing"


@dataclass(frozen=True, slots=True)
class Claimed:
    """A locked ticket that waits to be recomputed, and the version that held for it before."""

    ticket: Ticket
    before_version: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one ticket; `changes` None leaves those that were kept."""

    ticket_id: UUID
    state: str
    before_version: str
    changes: list[Any] | None = None


async def insert_recomputation(connection: Connection, asked: Recomputation, named: Named) -> bool:
    """Write a recomputation, and name its tickets if they are listed; false if one of the policy is not finished."""
    fresh = await connection.fetchval(
        _INSERT,
        asked.recomputation_id,
        asked.desk_id,
        asked.policy,
        asked.from_version,
        asked.to_version,
        asked.reason,
        asked.requested_by,
        asked.requested_at,
        named.ticket_ids is not None,
    )
    if fresh and named.ticket_ids is not None:
        await connection.execute(_NAME, *named.parameters, asked.recomputation_id)
    return bool(fresh)


async def list_unknown(connection: Connection, *, policy: str, ticket_ids: Sequence[UUID]) -> list[UUID]:
    """Return those of some ids that are no open tickets of a policy."""
    return [row["asked"] for row in await connection.fetch(_UNKNOWN, policy, ticket_ids)]


async def count_named(connection: Connection, named: Named) -> int:
    """Count the tickets that are meant."""
    count: int = await connection.fetchval(_COUNT_NAMED, *named.parameters)
    return count


async def list_named(connection: Connection, named: Named, *, after: UUID | None, limit: int) -> list[Ticket]:
    """Return the tickets that are meant, by id."""
    return [row_to_ticket(row) for row in await connection.fetch(_LIST_NAMED, *named.parameters, after, limit)]


async def find_recomputation(connection: Connection, recomputation_id: UUID) -> dict[str, Any] | None:
    """Return a recomputation with its progress."""
    row = await connection.fetchrow(_FIND, recomputation_id)
    return None if row is None else dict(row)


async def list_recomputations(connection: Connection, *, before: UUID | None, limit: int) -> list[dict[str, Any]]:
    """Return recomputations with their progress, newest first."""
    return [dict(row) for row in await connection.fetch(_LIST, before, limit)]


async def list_changes(
    connection: Connection, recomputation_id: UUID, *, after: UUID | None, limit: int
) -> list[tuple[UUID, list[Any]]]:
    """Return the changed clocks of a recomputation by ticket."""
    rows = await connection.fetch(_CHANGES, recomputation_id, after, limit)
    return [(row["ticket_id"], row["changes"]) for row in rows]


async def begin_undo(connection: Connection, recomputation_id: UUID) -> None:
    """Let a finished recomputation be taken back."""
    await connection.execute(_UNDO, recomputation_id)


async def take_unfinished(connection: Connection, *, desk_id: UUID | None) -> Recomputation | None:
    """Take the oldest unfinished recomputation that no one else has taken; of one desk, wait for who has."""
    row = await connection.fetchrow(_TAKE_ANY if desk_id is None else _TAKE_OF_DESK, desk_id)
    return None if row is None else Recomputation(**dict(row))


async def claim_tickets(connection: Connection, recomputation_id: UUID, *, limit: int) -> list[Claimed]:
    """Lock the next tickets of a recomputation that has been taken."""
    rows = await connection.fetch(_CLAIM, recomputation_id, limit)
    return [Claimed(row_to_ticket(row), row["before_version"]) for row in rows]


async def name_more(connection: Connection, recomputation_id: UUID, *, limit: int) -> None:
    """Look through the next tickets for those that are meant."""
    await connection.execute(_NAME_MORE, recomputation_id, limit)


async def list_awaited(connection: Connection, ticket_ids: Sequence[UUID]) -> list[tuple[UUID, Recomputation]]:
    """Return which of some tickets are still to be recomputed, and by what."""
    rows = [dict(row) for row in await connection.fetch(_AWAITED, ticket_ids)]
    return [(row.pop("ticket_id"), Recomputation(**row)) for row in rows]


async def settle_tickets(connection: Connection, taken: Recomputation, outcomes: Sequence[Outcome]) -> None:
    """Write what came of tickets."""
    await connection.execute(
        _SETTLE,
        taken.recomputation_id,
        taken.desk_id,
        [outcome.ticket_id for outcome in outcomes],
        [outcome.state for outcome in outcomes],
        [outcome.before_version for outcome in outcomes],
        [None if outcome.changes is None else to_json(outcome.changes).decode() for outcome in outcomes],
    )


async def finish(connection: Connection, recomputation_id: UUID, *, at: datetime) -> None:
    """Note that a recomputation, or its undoing, is finished."""
    await connection.execute(_FINISH, recomputation_id, at)
