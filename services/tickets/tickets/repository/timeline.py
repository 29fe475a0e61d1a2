"""The timeline: entries are appended under the lock of the ticket's head, each chained to the one before it."""

import secrets
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from pydantic_core import from_json, to_json

from plazo.kernel.timeline_chain import SALT_BYTES, Link, Sealed, Words, chain, first_hash, words_digest
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction
from tickets.repository.bell import ring_after_commit

TOMBSTONE = "[erased]"

# The head's row lock gives the entries of a ticket one order; it is always taken after the ticket's own.
_HEAD = """
INSERT INTO timeline_head AS h (ticket_id, desk_id, position, hash) VALUES ($1, $2, 0, $3)
ON CONFLICT (ticket_id) DO UPDATE SET position = h.position RETURNING position, hash
"""
_APPEND = """
WITH moved AS (UPDATE timeline_head SET position = $3, hash = $4 WHERE ticket_id = $1)
INSERT INTO timeline_entry (ticket_id, desk_id, recorded_at, occurred_at, kind, actor, internal, text, data, position,
                            salt, digest, hash)
SELECT $1, $2, $5, e.* FROM unnest($6::timestamptz[], $7::text[], $8::text[], $9::boolean[], $10::text[],
                                   $11::jsonb[], $12::bigint[], $13::bytea[], $14::bytea[], $15::bytea[]) AS e
"""
# Behind what a page begins. Row-level security lets an index serve a plain comparison alone: no OR, no coalesce.
_BEGINNING = (datetime(1, 1, 1, tzinfo=UTC), 0)
READ = """
SELECT seq, occurred_at, recorded_at, kind, actor, internal, text, data, erased_at FROM timeline_entry
WHERE ticket_id = $1 AND (occurred_at, seq) > ($2, $3) AND ($4 OR NOT internal)
ORDER BY occurred_at, seq LIMIT $5
"""
_CHAIN = """
SELECT position, occurred_at, recorded_at, kind, internal, digest, hash, actor, text, data, salt, erased_at
FROM timeline_entry WHERE ticket_id = $1 AND position > $2 ORDER BY position LIMIT $3
"""
_ERASE = """
UPDATE timeline_entry SET text = CASE WHEN text IS NOT NULL THEN $3 END, data = '{}', salt = NULL, erased_at = $4,
                          actor = CASE WHEN actor = ANY($5::text[]) THEN $3 ELSE actor END
WHERE ticket_id = $1 AND position = ANY($2::bigint[]) AND erased_at IS NULL
"""
_PAGE = 500


@dataclass(frozen=True, slots=True)
class Entry:
    """Something that happened to a ticket, for its timeline. Internal entries are never shown to the customer."""

    kind: str
    actor: str
    occurred_at: datetime
    text: str | None = None
    internal: bool = False
    data: dict[str, Any] = field(default_factory=dict)


async def add_entries(tx: Transaction, ticket_id: UUID, entries: Sequence[Entry]) -> None:
    """Append to the timeline of a ticket, and to its chain."""
    if not entries:
        return
    head = await tx.connection.fetchrow(_HEAD, ticket_id, tx.desk_id, first_hash(ticket_id))
    assert head is not None
    said = [Words(actor=one.actor, text=one.text, data=from_json(to_json(one.data))) for one in entries]
    salts = [secrets.token_bytes(SALT_BYTES) for _ in entries]
    links = [
        Link(
            position=position,
            occurred_at=one.occurred_at,
            recorded_at=tx.now,
            kind=one.kind,
            internal=one.internal,
            digest=words_digest(words, salt=salt),
        )
        for position, (one, words, salt) in enumerate(zip(entries, said, salts, strict=True), head["position"] + 1)
    ]
    hashes = chain(head["hash"], links)
    await tx.connection.execute(
        _APPEND,
        ticket_id,
        tx.desk_id,
        links[-1].position,
        hashes[-1],
        tx.now,
        [one.occurred_at for one in entries],
        [one.kind for one in entries],
        [one.actor for one in entries],
        [one.internal for one in entries],
        [one.text for one in entries],
        [words.data for words in said],
        [link.position for link in links],
        salts,
        [link.digest for link in links],
        hashes,
    )
    ring_after_commit(tx)


async def read_timeline(
    connection: Connection,
    ticket_id: UUID,
    *,
    after: tuple[datetime, int] | None,
    with_internal: bool,
    limit: int,
) -> list[asyncpg.Record]:
    """Return the timeline in the order things happened, entries behind `after`."""
    occurred_at, seq = after or _BEGINNING
    return await connection.fetch(READ, ticket_id, occurred_at, seq, with_internal, limit)


async def read_chain(connection: Connection, ticket_id: UUID) -> AsyncIterator[Sealed]:
    """Yield the entries of a ticket in the order of their recording, as they were chained."""
    position = 0
    while rows := await connection.fetch(_CHAIN, ticket_id, position, _PAGE):
        for row in rows:
            yield _sealed(row)
        position = rows[-1]["position"]


async def find_head(connection: Connection, ticket_id: UUID) -> bytes | None:
    """Return the hash that the chain of a ticket ends with."""
    head: bytes | None = await connection.fetchval("SELECT hash FROM timeline_head WHERE ticket_id = $1", ticket_id)
    return head


async def erase_words(tx: Transaction, ticket_id: UUID, positions: Sequence[int], *, actors: Sequence[str]) -> int:
    """Erase what entries say for good; who said it too, where that is one of `actors`. What happened stays chained."""
    await tx.connection.execute("SELECT set_config('plazo.erasing', 'words', true)")
    tag = await tx.connection.execute(_ERASE, ticket_id, list(positions), TOMBSTONE, tx.now, list(actors))
    await tx.connection.execute("SELECT set_config('plazo.erasing', '', true)")
    return int(str(tag).removeprefix("UPDATE "))


def _sealed(row: asyncpg.Record) -> Sealed:
    return Sealed(
        link=Link(
            position=row["position"],
            occurred_at=row["occurred_at"],
            recorded_at=row["recorded_at"],
            kind=row["kind"],
            internal=row["internal"],
            digest=row["digest"],
        ),
        hash=row["hash"],
        words=Words(actor=row["actor"], text=row["text"], data=row["data"]),
        salt=row["salt"],
        erased_at=row["erased_at"],
    )
