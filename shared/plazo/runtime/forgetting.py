"""Forgetting a person in what every service keeps: copies of keys, what was announced, what waits, stored answers."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from asyncpg import Record

from plazo.events.ticket_dossier import ContactErased
from plazo.kernel.forgetting import TOMBSTONE, Person
from plazo.runtime.inbox import Ahead
from plazo.runtime.unit_of_work import Transaction

# What is held up by an event that was set aside is not waited for: it waits here, and is forgotten here.
_BEHIND = """
SELECT n.aggregate_id FROM unnest($1::uuid[], $2::bigint[]) AS n (aggregate_id, version)
LEFT JOIN inbox_position p ON p.producer = 'tickets' AND p.aggregate_id = n.aggregate_id
WHERE coalesce(p.version, 0) < n.version
  AND NOT EXISTS (SELECT FROM dead_letter d
                  WHERE d.producer = 'tickets' AND d.aggregate_id = n.aggregate_id AND d.state = 'open')
LIMIT 1
"""
_KEYS = "SELECT key_id, role || ': ' || label AS actor FROM api_key WHERE contact_id = $1"
_END_KEYS = "UPDATE api_key SET label = $2, revoked_at = coalesce(revoked_at, now()) WHERE contact_id = $1"
_ANNOUNCED = "SELECT seq, aggregate_id, data FROM outbox WHERE aggregate_id = ANY($1::uuid[])"
_WAITING = "SELECT producer, aggregate_id, aggregate_version, envelope FROM inbox_waiting FOR UPDATE"
_REWRITE_WAITING = """
UPDATE inbox_waiting SET envelope = $4 WHERE producer = $1 AND aggregate_id = $2 AND aggregate_version = $3
"""
_SET_ASIDE = "SELECT event_id, aggregate_id, envelope, reason FROM dead_letter FOR UPDATE"
_REWRITE_SET_ASIDE = "UPDATE dead_letter SET envelope = $2, reason = split_part(reason, ':', 1) WHERE event_id = $1"
_ANSWERS = """
SELECT key_id, idempotency_key, answer FROM idempotency_key
WHERE key_id = ANY($1::text[]) OR answer->>'ticket_id' = ANY($2::text[]) OR answer->>'contract_id' = ANY($2::text[])
"""
_REWRITE_ANSWER = "UPDATE idempotency_key SET answer = $3 WHERE key_id = $1 AND idempotency_key = $2"


def person_of(erased: ContactErased) -> Person:
    """Return who is to be forgotten, known by the marks alone."""
    return Person.marked(erased.contact_id, erased.known_by)


async def require_all_heard(tx: Transaction, erased: ContactErased) -> None:
    """See that everything which was announced of the person before is here: what came later would bring it back.

    :raises Ahead: if something is still on its way
    """
    ids, versions = list(erased.announced), list(erased.announced.values())
    if behind := await tx.connection.fetchval(_BEHIND, ids, versions):
        raise Ahead(f"event {erased.announced[behind]} of tickets about {behind}")


async def forget_keys(tx: Transaction, contact_id: UUID) -> dict[str, str]:
    """End the keys of a contact and erase their labels; returns by what name each has acted until now."""
    rows = await tx.connection.fetch(_KEYS, contact_id)
    await tx.connection.execute(_END_KEYS, contact_id, TOMBSTONE)
    return {row["key_id"]: row["actor"] for row in rows}


async def forget_announced(tx: Transaction, person: Person, *, own: Collection[UUID], others: Collection[UUID]) -> None:
    """Erase a person from what was announced here.

    `own` are the aggregates that are the person's, such as its tickets: what is said in them goes. Of `others` goes
    what mentions the person.
    """
    announced = await tx.connection.fetch(_ANNOUNCED, [*own, *others])
    await tx.connection.executemany(
        "UPDATE outbox SET data = $2 WHERE seq = $1",
        [(row["seq"], left) for row, left in await forgotten_in(announced, "data", person, own=own)],
    )


async def forget_answers(
    tx: Transaction, person: Person, *, keys: Mapping[str, str], about: Collection[UUID] = ()
) -> None:
    """Erase a person from what is kept to answer repetitions: its own, by its keys, and those about these ids.

    `keys` says by what name each has acted.
    """
    acting = replace(person, known_by=tuple(actor.lower() for actor in keys.values()))
    answers = await tx.connection.fetch(_ANSWERS, list(keys), [str(one) for one in about])
    left = [
        acting.forgotten(row["answer"], all_words=True)
        if row["key_id"] in keys
        else person.forgotten(row["answer"], all_words=False)
        for row in answers
    ]
    await tx.connection.executemany(
        _REWRITE_ANSWER,
        [
            (row["key_id"], row["idempotency_key"], after)
            for row, after in zip(answers, left, strict=True)
            if after != row["answer"]
        ],
    )


async def forget_inbox(tx: Transaction, person: Person, *, own: Collection[UUID]) -> None:
    """Erase a person from events that wait for their turn or were set aside: whoever replays them brings nothing back.

    Of why they were, the kind of error alone is left.
    """
    waiting = await tx.connection.fetch(_WAITING)
    await tx.connection.executemany(
        _REWRITE_WAITING,
        [
            (row["producer"], row["aggregate_id"], row["aggregate_version"], left)
            for row, left in await forgotten_in(waiting, "envelope", person, own=own)
        ],
    )
    set_aside = await tx.connection.fetch(_SET_ASIDE)
    await tx.connection.executemany(
        _REWRITE_SET_ASIDE,
        [(row["event_id"], left) for row, left in await forgotten_in(set_aside, "envelope", person, own=own)],
    )


async def forgotten_in(
    rows: Sequence[Record], column: str, person: Person, *, own: Collection[UUID]
) -> list[tuple[Record, Any]]:
    """Return the rows that have a person in a column, each with what is left of it; `own` are the person's aggregates.

    In a thread: while much is searched, others are answered.
    """
    return await asyncio.to_thread(_forgotten_in, rows, column, person, own)


def _forgotten_in(
    rows: Sequence[Record], column: str, person: Person, own: Collection[UUID]
) -> list[tuple[Record, Any]]:
    return [
        (row, left)
        for row in rows
        if (left := person.forgotten(row[column], all_words=row["aggregate_id"] in own)) != row[column]
    ]
