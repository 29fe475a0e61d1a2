"""The inbox: an event takes effect once, and in the order of its ticket.

A consumer keeps, per producer and aggregate, the version of the last event that took effect, in the transaction of
that effect. An event at or below it was seen; the next one is handled; a later one waits in the database until those
before it have come. So does one whose announcer had taken in more about the aggregate than we have: what it followed
from comes first, whichever stream is the faster.
"""

import contextlib
from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

import asyncpg

from plazo.events.envelope import Envelope
from plazo.events.tickets import DeskCreated
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import AlreadyDone, Transaction

_CLAIM = """
INSERT INTO inbox_position AS p (desk_id, producer, aggregate_id, version, event_id)
VALUES ($1, $2, $3, 0, $4)
ON CONFLICT (producer, aggregate_id) DO UPDATE SET version = p.version
RETURNING version, event_id, (SELECT clock_at FROM desk WHERE desk_id = $1) AS clock_at,
          EXISTS (SELECT FROM desk WHERE desk_id = $1) AS desk_is_known,
          (SELECT jsonb_object_agg(b.producer, b.version) FROM inbox_position b
           WHERE b.producer = ANY ($5::text[]) AND b.aggregate_id = $3) AS taken_in
"""
_IS_HELD_UP = """
SELECT EXISTS (SELECT FROM dead_letter WHERE producer = ANY ($1::text[]) AND aggregate_id = $2 AND state = 'open')
"""
_SETTLE = """
WITH moved AS (
  UPDATE inbox_position SET version = $3, event_id = $4 WHERE producer = $1 AND aggregate_id = $2
), gone AS (
  DELETE FROM inbox_waiting WHERE producer = $1 AND aggregate_id = $2 AND aggregate_version <= $3
), buried AS (
  UPDATE dead_letter SET state = 'replayed', settled_at = now() WHERE event_id = $4 AND state = 'open'
)
SELECT EXISTS (SELECT FROM inbox_waiting WHERE producer = $1 AND aggregate_id = $2 AND aggregate_version = $3 + 1)
"""
_NEXT_WAITING = """
SELECT envelope FROM inbox_waiting WHERE producer = $1 AND aggregate_id = $2 AND aggregate_version = $3
"""
_WAIT = """
INSERT INTO inbox_waiting (desk_id, producer, aggregate_id, aggregate_version, envelope)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING
"""
_PUT_DOWN = """
INSERT INTO inbox_waiting (desk_id, producer, aggregate_id, aggregate_version, envelope)
SELECT $1, $2, $3, $4, $5
WHERE NOT EXISTS (SELECT FROM inbox_position WHERE producer = $2 AND aggregate_id = $3 AND version >= $4)
ON CONFLICT DO NOTHING
"""
_FORGET_SEEN = """
DELETE FROM inbox_waiting w USING inbox_position p
WHERE w.producer = $1 AND p.producer = w.producer AND p.aggregate_id = w.aggregate_id
  AND w.aggregate_version <= p.version
"""
_BURY = """
INSERT INTO dead_letter (event_id, desk_id, producer, aggregate_id, aggregate_version, type, envelope, reason)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (event_id) DO UPDATE SET reason = excluded.reason, failures = dead_letter.failures + 1,
                                     state = 'open', failed_at = now()
"""
_STRANDED = """
SELECT w.envelope FROM inbox_waiting w JOIN inbox_position p USING (producer, aggregate_id)
WHERE w.producer = $1 AND w.aggregate_version = p.version + 1
  AND NOT EXISTS (SELECT FROM dead_letter d
                  WHERE d.event_id = (w.envelope->>'id')::uuid AND d.state = 'open')
ORDER BY random() LIMIT 500
"""


class OutOfTurn(Exception):
    """An earlier event of the same aggregate has not come yet."""


class NumberGivenTwice(Exception):
    """The event has the number of another that took effect: its producer's database was put back, and ours was not."""


class NotYet(Exception):
    """A handler needs something that another event, of another aggregate, is going to bring; try again soon."""


class Ahead(NotYet):
    """What the event followed from is still on its way: its announcer had taken it in, so it is going to come."""


class InboxClaim:
    """The claim on one event; see :class:`plazo.runtime.unit_of_work.Claim`.

    `reads` are the producers whose events this service takes in.
    """

    def __init__(self, event: Envelope, *, reads: Collection[str] = ()) -> None:
        self._event = event
        self._awaited = {name: version for name, version in (event.taken_in or {}).items() if name in reads}
        self.is_settled = False
        self.next_waits = False

    async def claim(self, tx: Transaction) -> None:
        """Take the event's turn; the aggregate is locked until the commit.

        :raises AlreadyDone: if it took effect before
        :raises NumberGivenTwice: if another of its number did
        :raises OutOfTurn: if one before it has not
        :raises NotYet: if its desk is not known here, and so neither is the present of the desk
        :raises Ahead: if its announcer had taken in more about the aggregate than we have
        """
        event = self._event
        row = await tx.connection.fetchrow(
            _CLAIM, event.desk_id, event.producer, event.aggregate_id, event.id, list(self._awaited)
        )
        assert row is not None
        if row["version"] == event.aggregate_version and row["event_id"] != event.id:
            raise NumberGivenTwice(f"{row['event_id']} had the number {event.aggregate_version} of this aggregate")
        if row["version"] >= event.aggregate_version:
            raise AlreadyDone
        if row["version"] < event.aggregate_version - 1:
            raise OutOfTurn
        if not row["desk_is_known"] and event.type != DeskCreated.type():
            raise NotYet(f"desk {event.desk_id}")
        await self._require_causes(tx, row["taken_in"] or {})
        if row["clock_at"] is not None:
            # Word that a sandbox's clock moved may come after what that brought about: no effect is recorded before it.
            tx.now = max(row["clock_at"], event.recorded_at)

    async def _require_causes(self, tx: Transaction, taken_in: Mapping[str, int]) -> None:
        behind = {name: version for name, version in self._awaited.items() if taken_in.get(name, 0) < version}
        # Where a cause can not be handled at all, its consequences are not held up: a promise must be escalated still.
        if behind and not await tx.connection.fetchval(_IS_HELD_UP, list(behind), self._event.aggregate_id):
            raise Ahead(", ".join(f"event {version} of {name}" for name, version in behind.items()))

    async def settle(self, tx: Transaction) -> None:
        """Advance the position; what waits next is looked up at the same time."""
        event = self._event
        self.next_waits = await tx.connection.fetchval(
            _SETTLE, event.producer, event.aggregate_id, event.aggregate_version, event.id
        )
        self.is_settled = True


async def next_waiting(connection: Connection, event: Envelope) -> Envelope | None:
    """Return the event that waits directly behind `event`."""
    envelope: dict[str, Any] | None = await connection.fetchval(
        _NEXT_WAITING, event.producer, event.aggregate_id, event.aggregate_version + 1
    )
    return None if envelope is None else Envelope.model_validate(envelope)


async def keep_waiting(connection: Connection, event: Envelope, *, in_turn: bool) -> bool:
    """Keep an event that came too early, or, `in_turn`, one that awaits what an event elsewhere is going to bring.

    False if it need not wait any more: its turn came in the meantime, or its effect. Call inside a transaction.
    """
    row = await connection.fetchrow(_CLAIM, event.desk_id, event.producer, event.aggregate_id, event.id, [])
    assert row is not None
    if row["version"] >= event.aggregate_version - (0 if in_turn else 1):
        return False
    await connection.execute(
        _WAIT,
        event.desk_id,
        event.producer,
        event.aggregate_id,
        event.aggregate_version,
        event.model_dump(mode="json"),
    )
    return True


async def put_down(connection: Connection, event: Envelope) -> None:
    """Keep an event whose turn nobody has looked for, without waiting for the one that has it; the sweep calls it.

    Unlike one that was kept under the lock, it may have had its effect by the commit: see :func:`forget_seen`.
    """
    await connection.execute(
        _PUT_DOWN,
        event.desk_id,
        event.producer,
        event.aggregate_id,
        event.aggregate_version,
        event.model_dump(mode="json"),
    )


async def forget_seen(connection: Connection | asyncpg.Pool, *, producer: str) -> None:
    """Remove what waits although it has had its effect."""
    await connection.execute(_FORGET_SEEN, producer)


async def bury(connection: Connection, event: Envelope, *, reason: str) -> None:
    """Set an event aside that cannot be handled; those behind it in its aggregate wait, all others go on."""
    await connection.execute(
        _BURY,
        event.id,
        event.desk_id,
        event.producer,
        event.aggregate_id,
        event.aggregate_version,
        event.type,
        event.model_dump(mode="json"),
        reason[:2000],
    )


async def stranded(connection: Connection, *, producer: str) -> list[Envelope]:
    """Return some of the waiting events whose turn has come, by chance, so that none keeps the others from it.

    The handler of their predecessor died before it called them, or they await another event.
    """
    rows = await connection.fetch(_STRANDED, producer)
    return [Envelope.model_validate(row["envelope"]) for row in rows]


async def mark_replayed(tx: Transaction, event_id: UUID) -> None:
    """Close a dead letter whose event has taken effect."""
    await tx.connection.execute(
        "UPDATE dead_letter SET state = 'replayed', settled_at = now() WHERE event_id = $1 AND state = 'open'", event_id
    )


async def discard(tx: Transaction, event_id: UUID) -> Envelope | None:
    """Give up a dead letter: its aggregate goes on without it. Returns the event, None if there is no open one."""
    envelope = await tx.connection.fetchval(
        "UPDATE dead_letter SET state = 'discarded', settled_at = now() "
        "WHERE event_id = $1 AND state = 'open' RETURNING envelope",
        event_id,
    )
    if envelope is None:
        return None
    event = Envelope.model_validate(envelope)
    claim = InboxClaim(event)
    # It took effect after all, in a delivery that was thought lost, or its number's event did.
    with contextlib.suppress(AlreadyDone, NumberGivenTwice):
        await claim.claim(tx)
        await claim.settle(tx)
    return event
