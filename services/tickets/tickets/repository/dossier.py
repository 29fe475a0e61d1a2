"""Attachments, secrets and saved views."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file of a ticket."""

    attachment_id: UUID
    ticket_id: UUID
    object_key: str
    name: str
    size: int
    sha256: str
    declared_type: str
    found_type: str | None
    is_suspect: bool
    internal: bool
    from_customer: bool
    contact_id: UUID | None
    added_by: str
    added_at: datetime
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a secret is: its place among those of its ticket, that ticket, and whether it is the one that goes on."""

    ordinal: int
    number: str
    is_home: bool


@dataclass(frozen=True, slots=True)
class Secret:
    """A credential; `ciphertext` and what belongs to it are gone once it was shown or erased."""

    secret_id: UUID
    ticket_id: UUID
    label: str
    key_id: str | None
    nonce: bytes | None
    ciphertext: bytes | None
    mark: bytes | None
    length: int | None
    trace: int | None
    covers_desk: bool | None
    added_by: str
    added_at: datetime
    revealed_at: datetime | None = None
    revealed_to: str | None = None
    erased_at: datetime | None = None


_ATTACHMENT = (
    "attachment_id, ticket_id, object_key, name, size, sha256, declared_type, found_type, is_suspect, internal, "
    "from_customer, contact_id, added_by, added_at, erased_at"
)
_ENTRUSTED = (
    "secret_id, ticket_id, label, key_id, nonce, ciphertext, mark, length, trace, covers_desk, added_by, added_at, "
    "revealed_at, revealed_to, erased_at"
)
_LIST_ATTACHMENTS = f"""
SELECT {_ATTACHMENT} FROM attachment
WHERE ticket_id = $1 AND ($2 OR NOT internal) AND ($3::timestamptz IS NULL OR (added_at, attachment_id) > ($3, $4))
ORDER BY added_at, attachment_id LIMIT $5
"""
# Those of the tickets, of the ones they go on in, and of all that go on in those.
_LIST_ENTRUSTED = f"""
WITH RECURSIVE onward AS (
  SELECT ticket_id, merged_into FROM ticket WHERE ticket_id = ANY($1::uuid[])
  UNION
  SELECT t.ticket_id, t.merged_into FROM ticket t JOIN onward o ON t.ticket_id = o.merged_into),
conversation AS (
  SELECT ticket_id FROM onward
  UNION
  SELECT l.ticket_id FROM ticket_link l JOIN conversation c ON l.other_id = c.ticket_id WHERE l.kind = 'merged_into')
SELECT {", ".join(f"s.{column}" for column in _ENTRUSTED.split(", "))}, t.number,
       t.merged_into IS NULL AND t.ticket_id <> ALL($2::uuid[]) AS is_home,
       row_number() OVER (PARTITION BY s.ticket_id ORDER BY s.added_at, s.secret_id) AS ordinal
FROM conversation JOIN ticket_secret s USING (ticket_id) JOIN ticket t USING (ticket_id)
ORDER BY s.added_at, s.secret_id
"""
_ERASE_SECRETS = """
UPDATE ticket_secret SET key_id = NULL, nonce = NULL, ciphertext = NULL, erased_at = $2
WHERE ticket_id = $1 AND erased_at IS NULL
"""
_FORGET_MARKS = """
UPDATE ticket_secret SET mark = NULL, length = NULL, trace = NULL
WHERE ticket_id = ANY($1::uuid[]) AND erased_at IS NOT NULL AND mark IS NOT NULL
"""
_SAVE_VIEW = """
INSERT INTO saved_view AS v (view_id, desk_id, name, filter, made_by, made_at) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (desk_id, name) DO UPDATE SET filter = excluded.filter, made_by = excluded.made_by,
                                           made_at = excluded.made_at
RETURNING view_id, name, filter, made_by, made_at
"""


def _places(columns: str, *, first: int) -> str:
    return ", ".join(f"${number}" for number, _ in enumerate(columns.split(", "), first))


async def insert_attachment(tx: Transaction, attachment: Attachment) -> None:
    """Write a new attachment."""
    await tx.connection.execute(
        f"INSERT INTO attachment (desk_id, {_ATTACHMENT}) VALUES ($1, {_places(_ATTACHMENT, first=2)})",
        tx.desk_id,
        *(getattr(attachment, column) for column in _ATTACHMENT.split(", ")),
    )


async def attached_bytes(connection: Connection, ticket_id: UUID) -> int:
    """Return how large all attachments of a ticket are together."""
    total: int = await connection.fetchval(
        "SELECT coalesce(sum(size), 0)::bigint FROM attachment WHERE ticket_id = $1 AND erased_at IS NULL", ticket_id
    )
    return total


async def find_attachment(connection: Connection, attachment_id: UUID) -> Attachment | None:
    """Return an attachment of the desk."""
    row = await connection.fetchrow(f"SELECT {_ATTACHMENT} FROM attachment WHERE attachment_id = $1", attachment_id)
    return None if row is None else Attachment(**row)


async def list_attachments(
    connection: Connection,
    ticket_id: UUID,
    *,
    with_internal: bool,
    after: tuple[datetime, UUID] | None = None,
    limit: int | None = None,
) -> list[Attachment]:
    """Return the attachments of a ticket, oldest first, those behind `after`."""
    added_at, attachment_id = after or (None, None)
    rows = await connection.fetch(_LIST_ATTACHMENTS, ticket_id, with_internal, added_at, attachment_id, limit)
    return [Attachment(**row) for row in rows]


async def insert_secret(tx: Transaction, secret: Secret) -> None:
    """Write a new secret."""
    await tx.connection.execute(
        f"INSERT INTO ticket_secret (desk_id, {_ENTRUSTED}) VALUES ($1, {_places(_ENTRUSTED, first=2)})",
        tx.desk_id,
        *(getattr(secret, column) for column in _ENTRUSTED.split(", ")),
    )


async def list_secrets(connection: Connection, ticket_id: UUID) -> list[Secret]:
    """Return the secrets of a ticket, oldest first."""
    rows = await connection.fetch(
        f"SELECT {_ENTRUSTED} FROM ticket_secret WHERE ticket_id = $1 ORDER BY added_at, secret_id", ticket_id
    )
    return [Secret(**row) for row in rows]


async def list_entrusted(connection: Connection, about: Sequence[UUID]) -> list[tuple[Secret, Place]]:
    """Return the secrets of all that is one conversation with some tickets: they are merged, or about to be.

    The last of `about` is where it goes on, or goes on from there.
    """
    rows = await connection.fetch(_LIST_ENTRUSTED, list(about), list(about[:-1]))
    places = ("ordinal", "number", "is_home")
    return [
        (
            Secret(**{name: value for name, value in row.items() if name not in places}),
            Place(**{name: row[name] for name in places}),
        )
        for row in rows
    ]


async def take_secret(tx: Transaction, *, ticket_id: UUID, secret_id: UUID) -> Secret | None:
    """Return a secret and hold its row: it is shown once, however many ask at a time."""
    row = await tx.connection.fetchrow(
        f"SELECT {_ENTRUSTED} FROM ticket_secret WHERE ticket_id = $1 AND secret_id = $2 FOR UPDATE",
        ticket_id,
        secret_id,
    )
    return None if row is None else Secret(**row)


async def note_reveal(tx: Transaction, secret_id: UUID, *, to: str, trace: int | None) -> None:
    """Forget the value of a secret that is being shown; its mark and trace stay."""
    await tx.connection.execute(
        "UPDATE ticket_secret SET key_id = NULL, nonce = NULL, ciphertext = NULL, revealed_at = $2, revealed_to = $3, "
        "trace = $4 WHERE secret_id = $1",
        secret_id,
        tx.now,
        to,
        trace,
    )


async def erase_secrets(tx: Transaction, ticket_id: UUID) -> int:
    """Forget the values of the secrets of a ticket, and return how many there were."""
    tag = await tx.connection.execute(_ERASE_SECRETS, ticket_id, tx.now)
    return int(str(tag).removeprefix("UPDATE "))


async def forget_marks(tx: Transaction, ticket_ids: Sequence[UUID]) -> None:
    """Forget by what the erased secrets of tickets would be known where they are repeated."""
    await tx.connection.execute(_FORGET_MARKS, list(ticket_ids))


async def save_view(
    tx: Transaction, *, view_id: UUID, name: str, filter_: dict[str, Any], made_by: str
) -> asyncpg.Record:
    """Keep a filter under its name and return the row."""
    row = await tx.connection.fetchrow(_SAVE_VIEW, view_id, tx.desk_id, name, filter_, made_by, tx.now)
    assert row is not None
    return row


async def list_views(connection: Connection) -> Sequence[asyncpg.Record]:
    """Return the kept filters of the desk, by name."""
    return await connection.fetch(
        "SELECT view_id, name, filter, made_by, made_at FROM saved_view ORDER BY name LIMIT 200"
    )


async def delete_view(tx: Transaction, view_id: UUID) -> bool:
    """Forget a kept filter; false if there is none."""
    return str(await tx.connection.execute("DELETE FROM saved_view WHERE view_id = $1", view_id)) == "DELETE 1"
