"""Subscriptions of partner systems, and what was sent to them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from plazo.kernel.forgetting import Person
from plazo.runtime.database import Connection
from plazo.runtime.forgetting import forgotten_in
from plazo.runtime.unit_of_work import Transaction

_SUBSCRIPTION = (
    "subscription_id, desk_id, name, url, events, customers, contact, secret, previous_secret, previous_until, state, "
    "state_reason, failures, failing_since, version, created_at, changed_at"
)
_INSERT = """
INSERT INTO subscription (desk_id, subscription_id, name, url, events, customers, contact, secret, state, version,
                          created_at, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'active', 1, $9, $9)
"""
_UPDATE = """
UPDATE subscription
SET name = $2, url = $3, events = $4, customers = $5, contact = $6, secret = $7, previous_secret = $8,
    previous_until = $9, state = $10, state_reason = $11, failures = $12, failing_since = $13, version = version + 1,
    changed_at = $14
WHERE subscription_id = $1
"""
_FIND = f"SELECT {_SUBSCRIPTION} FROM subscription WHERE subscription_id = $1 AND state <> 'deleted'"
_LIST = f"""
SELECT {_SUBSCRIPTION} FROM subscription
WHERE state <> 'deleted' AND ($1::uuid IS NULL OR subscription_id > $1) ORDER BY subscription_id LIMIT $2
"""
_LISTENING = """
SELECT subscription_id, desk_id, events, customers, state = 'active' AS is_active FROM subscription
WHERE desk_id = ANY($1) AND state <> 'deleted' ORDER BY subscription_id
"""
_OWNERS = """
SELECT ticket_id AS id, customer_id FROM ticket WHERE ticket_id = ANY($1)
UNION ALL SELECT contract_id, customer_id FROM contract WHERE contract_id = ANY($1)
"""
_QUEUE = """
INSERT INTO webhook_delivery (desk_id, subscription_id, event_id, producer, type, aggregate_id, occurred_at,
                              recorded_at, data, state)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'queued') ON CONFLICT (subscription_id, event_id) DO NOTHING
"""
# A lane that waits for a retry goes on waiting: what comes later stays behind what came before. The row is locked until
# the commit, so that whoever settles the lane's last event sees this one.
_OPEN_LANE = """
INSERT INTO webhook_lane AS l (desk_id, subscription_id, aggregate_id, next_attempt_at)
VALUES ($1, $2, $3, CASE WHEN $4 THEN now() END)
ON CONFLICT (subscription_id, aggregate_id)
DO UPDATE SET next_attempt_at = CASE WHEN $4 THEN coalesce(l.next_attempt_at, now()) END
"""
# Lanes are always locked before what is in them, as whoever sends does.
_LOCK_LANES = "SELECT FROM webhook_lane WHERE subscription_id = $1 ORDER BY aggregate_id FOR UPDATE"
_STOP_LANES = "UPDATE webhook_lane SET next_attempt_at = NULL WHERE subscription_id = $1"
_START_LANES = """
UPDATE webhook_lane l SET next_attempt_at = now()
WHERE subscription_id = $1
  AND EXISTS (SELECT FROM webhook_delivery d WHERE d.subscription_id = l.subscription_id
              AND d.aggregate_id = l.aggregate_id AND d.state = 'queued')
"""
_RENEW = "UPDATE webhook_delivery SET tries = 0 WHERE subscription_id = $1 AND state = 'queued' AND tries > 0"
_REPLAY = """
UPDATE webhook_delivery SET state = 'queued', tries = 0, delivered_at = NULL
WHERE subscription_id = $1 AND delivery_id >= $2
"""
_CURSOR_OF_EVENT = "SELECT delivery_id FROM webhook_delivery WHERE subscription_id = $1 AND event_id = $2"
_CURSOR_OF_INSTANT = "SELECT min(delivery_id) FROM webhook_delivery WHERE subscription_id = $1 AND recorded_at >= $2"
_LOCK_LANES_ABOUT = "SELECT FROM webhook_lane WHERE aggregate_id = $1 ORDER BY subscription_id FOR UPDATE"
_ABOUT = """
SELECT delivery_id, aggregate_id, data FROM webhook_delivery
WHERE aggregate_id = ANY($1) OR (type LIKE 'message.%' AND data->>'ticket_id' IS NULL)
ORDER BY delivery_id FOR UPDATE
"""
_FORGET_EXCERPTS = "UPDATE webhook_attempt SET excerpt = NULL WHERE delivery_id = ANY($1::bigint[])"
_DELIVERY = "delivery_id, event_id, type, aggregate_id, occurred_at, state, tries, queued_at, delivered_at"
_DELIVERIES = f"""
SELECT {", ".join("d." + name for name in _DELIVERY.split(", "))},
       CASE WHEN d.state = 'queued' THEN l.next_attempt_at END AS next_attempt_at
FROM webhook_delivery d LEFT JOIN webhook_lane l USING (subscription_id, aggregate_id)
WHERE d.subscription_id = $1 AND ($2::text IS NULL OR d.state = $2)
  AND ($3::uuid IS NULL OR d.aggregate_id = $3) AND d.delivery_id > $4
ORDER BY d.delivery_id LIMIT $5
"""
_ATTEMPTS = """
SELECT delivery_id, number, started_at, ended_at, status, milliseconds, excerpt, failure FROM webhook_attempt
WHERE delivery_id = ANY($1) ORDER BY delivery_id, number
"""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A partner system that is told of events. `secret` and `previous_secret` are sealed."""

    subscription_id: UUID
    desk_id: UUID
    name: str
    url: str
    events: tuple[str, ...]
    customers: tuple[UUID, ...]
    contact: str | None
    secret: str
    created_at: datetime
    changed_at: datetime
    previous_secret: str | None = None
    previous_until: datetime | None = None
    state: str = "active"
    state_reason: str | None = None
    failures: int = 0
    failing_since: datetime | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class Listener:
    """As much of a subscription as decides whether an event is for it."""

    subscription_id: UUID
    desk_id: UUID
    events: tuple[str, ...]
    customers: frozenset[UUID]
    is_active: bool


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event for a subscription, and how far it came."""

    delivery_id: int
    event_id: UUID
    type: str
    aggregate_id: UUID
    occurred_at: datetime
    state: str
    tries: int
    queued_at: datetime
    delivered_at: datetime | None
    next_attempt_at: datetime | None


@dataclass(frozen=True, slots=True)
class Post:
    """An event that is to be sent to a subscription."""

    subscription_id: UUID
    desk_id: UUID
    event_id: UUID
    producer: str
    type: str
    aggregate_id: UUID
    occurred_at: datetime
    recorded_at: datetime
    data: dict[str, Any]
    is_active: bool = True


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt; without `ended_at` it was cut off, or is under way."""

    delivery_id: int
    number: int
    started_at: datetime
    ended_at: datetime | None
    status: int | None
    milliseconds: int | None
    excerpt: str | None
    failure: str | None


async def insert_subscription(tx: Transaction, new: Subscription) -> None:
    """Write a new subscription."""
    await tx.connection.execute(
        _INSERT,
        new.desk_id,
        new.subscription_id,
        new.name,
        new.url,
        list(new.events),
        list(new.customers),
        new.contact,
        new.secret,
        new.created_at,
    )


async def update_subscription(tx: Transaction, changed: Subscription) -> None:
    """Write what may change of a subscription, as its next version."""
    await tx.connection.execute(
        _UPDATE,
        changed.subscription_id,
        changed.name,
        changed.url,
        list(changed.events),
        list(changed.customers),
        changed.contact,
        changed.secret,
        changed.previous_secret,
        changed.previous_until,
        changed.state,
        changed.state_reason,
        changed.failures,
        changed.failing_since,
        tx.now,
    )


async def find_subscription(
    connection: Connection, subscription_id: UUID, *, lock: bool = False
) -> Subscription | None:
    """Return a subscription of the desk that is not deleted; with `lock`, nobody else changes it until the commit."""
    row = await connection.fetchrow(f"{_FIND}{' FOR NO KEY UPDATE' if lock else ''}", subscription_id)
    return None if row is None else _subscription(row)


async def list_subscriptions(connection: Connection, *, after: UUID | None, limit: int) -> list[Subscription]:
    """Return the subscriptions of the desk, in the order they were made."""
    return [_subscription(row) for row in await connection.fetch(_LIST, after, limit)]


async def listeners_in(connection: Connection, desk_ids: Sequence[UUID]) -> list[Listener]:
    """Return who listens in some desks."""
    return [
        Listener(**(dict(row) | {"events": tuple(row["events"]), "customers": frozenset(row["customers"])}))
        for row in await connection.fetch(_LISTENING, list(desk_ids))
    ]


async def owners_of(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, UUID]:
    """Return the customers whose tickets and contracts some ids are, as far as they are known here."""
    return {row["id"]: row["customer_id"] for row in await connection.fetch(_OWNERS, list(ids))}


async def queue_posts(tx: Transaction, posts: Sequence[Post]) -> None:
    """Write what is to be sent; the lanes are opened in a fixed order, so that nobody waits in a circle."""
    lanes = {(one.subscription_id, one.aggregate_id): one for one in posts}
    await tx.connection.executemany(
        _OPEN_LANE,
        [(one.desk_id, *key, one.is_active) for key, one in sorted(lanes.items(), key=lambda item: item[0])],
    )
    await tx.connection.executemany(
        _QUEUE,
        [
            (
                one.desk_id,
                one.subscription_id,
                one.event_id,
                one.producer,
                one.type,
                one.aggregate_id,
                one.occurred_at,
                one.recorded_at,
                one.data,
            )
            for one in posts
        ],
    )


async def stop_lanes(tx: Transaction, subscription_id: UUID) -> None:
    """Let nothing more be sent to a subscription; what waits goes on waiting."""
    await tx.connection.execute(_STOP_LANES, subscription_id)


async def start_lanes(tx: Transaction, subscription_id: UUID) -> None:
    """Let what waits be sent to a subscription, now and with all its attempts before it."""
    await tx.connection.execute(_LOCK_LANES, subscription_id)
    await tx.connection.execute(_RENEW, subscription_id)
    await tx.connection.execute(_START_LANES, subscription_id)


async def cursor_of(
    connection: Connection, subscription_id: UUID, *, event_id: UUID | None, since: datetime | None
) -> int | None:
    """Return where an event, or the first one recorded since an instant, stands; None if there is none."""
    if event_id is not None:
        found: int | None = await connection.fetchval(_CURSOR_OF_EVENT, subscription_id, event_id)
    else:
        found = await connection.fetchval(_CURSOR_OF_INSTANT, subscription_id, since)
    return found


async def replay_from(tx: Transaction, subscription_id: UUID, cursor: int) -> int:
    """Let everything from a cursor on be sent again; returns how many events that is."""
    await tx.connection.execute(_LOCK_LANES, subscription_id)
    tag = str(await tx.connection.execute(_REPLAY, subscription_id, cursor))
    return int(tag.removeprefix("UPDATE "))


async def list_deliveries(
    connection: Connection,
    subscription_id: UUID,
    *,
    state: str | None,
    about: UUID | None,
    after: int,
    limit: int,
) -> list[Delivery]:
    """Return what was, or is to be, sent to a subscription, oldest first."""
    rows = await connection.fetch(_DELIVERIES, subscription_id, state, about, after, limit)
    return [Delivery(**row) for row in rows]


async def attempts_of(connection: Connection, delivery_ids: Sequence[int]) -> dict[int, list[Attempt]]:
    """Return the attempts to send some events."""
    found: dict[int, list[Attempt]] = {delivery_id: [] for delivery_id in delivery_ids}
    for row in await connection.fetch(_ATTEMPTS, list(delivery_ids)):
        found[row["delivery_id"]].append(Attempt(**row))
    return found


def _subscription(row: asyncpg.Record) -> Subscription:
    return Subscription(**(dict(row) | {"events": tuple(row["events"]), "customers": tuple(row["customers"])}))


async def forget_person(
    tx: Transaction, person: Person, *, contact_id: UUID, own: Collection[UUID], others: Collection[UUID]
) -> None:
    """Erase a person from what partners were sent, or are to be sent: also again, nobody is sent it any more.

    Of its `own` aggregates goes what is said in them, of `others` what mentions it, and so what partners answered.
    """
    await tx.connection.execute(_LOCK_LANES_ABOUT, contact_id)  # the erasure itself is queued in it
    rows = await tx.connection.fetch(_ABOUT, [*own, *others])
    found = await forgotten_in(rows, "data", person, own=own)
    changed = [(row["delivery_id"], left) for row, left in found]
    await tx.connection.executemany("UPDATE webhook_delivery SET data = $2 WHERE delivery_id = $1", changed)
    await tx.connection.execute(_FORGET_EXCERPTS, [delivery_id for delivery_id, _ in changed])
