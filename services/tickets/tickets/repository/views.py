"""What other services announced about a ticket, as tickets shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.queue import NEVER_DUE


@dataclass(frozen=True, slots=True)
class Announced:
    """Clocks, charges and escalations of one ticket."""

    clocks: tuple[dict[str, Any], ...]
    charges: tuple[dict[str, Any], ...]
    escalations: tuple[dict[str, Any], ...]

    @property
    def next_due_at(self) -> datetime | None:
        """The next instant of what is still owed; what is broken stays due."""
        owed = (clock["due_at"] for clock in self.clocks if clock["state"] in _OWED and clock["due_at"])
        return min(map(datetime.fromisoformat, owed), default=None)

    @property
    def is_breached(self) -> bool:
        """Whether a promise is broken, kept too late or not at all."""
        return any(clock["state"] in _BROKEN for clock in self.clocks)


_OWED = ("running", "breached")
_BROKEN = ("breached", "missed")

_READ = """
SELECT t.id,
  coalesce((SELECT jsonb_agg(clock ORDER BY clock->>'started_at', clock->>'kind', clock->>'cycle')
            FROM ticket_clock WHERE ticket_id = t.id), '[]') AS clocks,
  coalesce((SELECT jsonb_agg(charge ORDER BY charged_at, written_at) FROM ticket_charge WHERE ticket_id = t.id), '[]')
    AS charges,
  coalesce((SELECT jsonb_agg(escalation ORDER BY raised_at, escalation_id) FROM ticket_escalation
            WHERE ticket_id = t.id), '[]') AS escalations
FROM unnest($1::uuid[]) AS t (id)
"""


_UPDATE_QUEUE = """
UPDATE ticket t SET (next_due_at, breached) = (
  SELECT coalesce(min((clock->>'due_at')::timestamptz) FILTER (WHERE clock->>'state' = ANY($3::text[])), $2),
         coalesce(bool_or(clock->>'state' = ANY($4::text[])), false)
  FROM ticket_clock c WHERE c.ticket_id = t.ticket_id)
WHERE t.ticket_id = $1
"""


async def read_announced(connection: Connection, ticket_ids: Sequence[UUID]) -> dict[UUID, Announced]:
    """Return what is known of several tickets, in one statement."""
    rows = await connection.fetch(_READ, ticket_ids)
    return {
        row["id"]: Announced(
            clocks=tuple(row["clocks"]), charges=tuple(row["charges"]), escalations=tuple(row["escalations"])
        )
        for row in rows
    }


async def save_clock(tx: Transaction, ticket_id: UUID, clock_id: UUID, clock: dict[str, Any]) -> None:
    """Keep a clock as last announced."""
    await tx.connection.execute(
        "INSERT INTO ticket_clock (clock_id, desk_id, ticket_id, clock) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT (clock_id) DO UPDATE SET clock = excluded.clock",
        clock_id,
        tx.desk_id,
        ticket_id,
        clock,
    )


async def update_queue(tx: Transaction, ticket_id: UUID) -> None:
    """Keep with the ticket what the queue asks of its clocks; holds the ticket's row until the commit."""
    await tx.connection.execute(_UPDATE_QUEUE, ticket_id, NEVER_DUE, _OWED, _BROKEN)


async def save_charge(
    tx: Transaction, ticket_id: UUID, *, charge_id: UUID, charged_at: datetime, charge: dict[str, Any]
) -> None:
    """Keep a charge."""
    await tx.connection.execute(
        "INSERT INTO ticket_charge (charge_id, desk_id, ticket_id, charged_at, charge) VALUES ($1, $2, $3, $4, $5)",
        charge_id,
        tx.desk_id,
        ticket_id,
        charged_at,
        charge,
    )


async def save_escalation(
    tx: Transaction, ticket_id: UUID, *, escalation_id: UUID, raised_at: datetime, change: dict[str, Any]
) -> None:
    """Keep an escalation, or what changed about it."""
    await tx.connection.execute(
        "INSERT INTO ticket_escalation AS e (escalation_id, desk_id, ticket_id, raised_at, escalation) "
        "VALUES ($1, $2, $3, $4, $5) ON CONFLICT (escalation_id) DO UPDATE SET escalation = e.escalation || $5",
        escalation_id,
        tx.desk_id,
        ticket_id,
        raised_at,
        change,
    )
