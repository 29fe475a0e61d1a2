"""Mail by its message id, the addresses of a desk, and what other systems call our tickets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from plazo.kernel.ids import derived_id
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_CLAIM = """
INSERT INTO mail (mail_id, desk_id, message_id, direction, sender, subject, text, outcome, clauses, received_at, digest)
VALUES ($1, $2, $3, 'in', $4, $5, $6, 'claimed', '{}', $7, $8)
ON CONFLICT DO NOTHING RETURNING true
"""
_SETTLE = """
UPDATE mail SET outcome = $2, reason = $3, clauses = $4, ticket_id = $5, request_id = $6, answer = $7 WHERE mail_id = $1
"""
_BEFORE = "SELECT direction, sender, digest, ticket_id, answer FROM mail WHERE mail_id = $1"
_SENT = """
INSERT INTO mail (mail_id, desk_id, message_id, direction, outcome, clauses, ticket_id, received_at)
VALUES ($1, $2, $3, 'out', 'sent', '{}', $4, $5) ON CONFLICT DO NOTHING
"""
_ANSWERED = """
SELECT coalesce(
  (SELECT ticket_id FROM unnest($1::text[]) WITH ORDINALITY AS given (message_id, place)
   JOIN mail USING (message_id) WHERE ticket_id IS NOT NULL ORDER BY place LIMIT 1),
  (SELECT ticket_id FROM ticket WHERE ticket_id = ANY($2::uuid[]) LIMIT 1)
)
"""
_NOTICE = """
SELECT given.message_id::uuid FROM unnest($2::text[]) WITH ORDINALITY AS given (message_id, place)
JOIN timeline_entry e ON e.ticket_id = $1 AND e.kind = 'notified' AND e.data->>'message_id' = given.message_id
WHERE lower(e.data->>'to') = lower($3) ORDER BY place LIMIT 1
"""
# What stands behind a blank is no part of the id: another mail had come under it before.
_COLUMNS = (
    "mail_id, split_part(message_id, ' ', 1) AS message_id, direction, sender, subject, outcome, reason, clauses, "
    "ticket_id, request_id, received_at"
)
_LIST = f"""
SELECT {_COLUMNS} FROM mail
WHERE ($1::timestamptz IS NULL OR (received_at, mail_id) > ($1, $2)) AND ($3::uuid IS NULL OR ticket_id = $3)
  AND ($4::text IS NULL OR outcome = $4)
ORDER BY received_at, mail_id LIMIT $5
"""
# Always in the order of the references: two that name the same ones do not wait for each other.
_CLAIM_FOREIGN = """
INSERT INTO foreign_ticket (desk_id, source, reference, known_at)
SELECT $1, $2, reference, $4 FROM unnest($3::text[]) AS reference ORDER BY reference ON CONFLICT DO NOTHING
"""
# A request that was released since is its ticket.
_HOLD_FOREIGN = """
SELECT f.reference, coalesce(f.ticket_id, k.ticket_id) AS ticket_id, f.request_id,
       coalesce(k.state = 'kept', false) AS is_kept
FROM foreign_ticket f LEFT JOIN kept_request k ON k.request_id = f.request_id
WHERE f.desk_id = current_desk() AND f.source = $1 AND f.reference = ANY($2::text[])
ORDER BY f.reference FOR UPDATE OF f
"""


@dataclass(frozen=True, slots=True)
class IntakeAddress:
    """A mail address of a desk; with a contract, mail to it is under that contract."""

    address: str
    desk_id: UUID
    contract_id: UUID | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Foreign:
    """The ticket, or kept request, that another system's reference stands for; `is_kept` while that is neither."""

    ticket_id: UUID | None
    request_id: UUID | None
    is_kept: bool = False


def mail_id_of(desk_id: UUID, message_id: str) -> UUID:
    """Return the one id of a mail in a desk."""
    return derived_id("mail", desk_id, message_id)


async def claim_mail(
    tx: Transaction, *, message_id: str, sender: str, subject: str, text: str, digest: str
) -> tuple[str, asyncpg.Record | None]:
    """Take hold of a mail that came in. A second one waits until the first is settled.

    Returns the id it is known by here, and direction, ticket and answer of the same mail if it came before. Anybody can
    write any id, so a mail that says something else is another one: it is known by its id and what it says.
    """
    for known_as in (message_id, f"{message_id} {digest}"):
        mail_id = mail_id_of(tx.desk_id, known_as)
        if await tx.connection.fetchval(_CLAIM, mail_id, tx.desk_id, known_as, sender, subject, text, tx.now, digest):
            return known_as, None
        before = await tx.connection.fetchrow(_BEFORE, mail_id)
        assert before is not None, "it is there: that is why it was not claimed"
        if before["direction"] == "out" or (before["digest"] or digest, before["sender"]) == (digest, sender):
            break
    return known_as, before


async def settle_mail(
    tx: Transaction,
    message_id: str,
    *,
    outcome: str,
    reason: str | None,
    clauses: Sequence[str],
    ticket_id: UUID | None,
    request_id: UUID | None,
    answer: dict[str, Any],
) -> None:
    """Record what became of a mail that was claimed."""
    mail_id = mail_id_of(tx.desk_id, message_id)
    await tx.connection.execute(_SETTLE, mail_id, outcome, reason, list(clauses), ticket_id, request_id, answer)


async def rewrite_mail(tx: Transaction, message_id: str, *, subject: str, text: str) -> None:
    """Keep another text of a mail than the one that came, and no digest of that: a credential was in it."""
    statement = "UPDATE mail SET subject = $2, text = $3, digest = NULL WHERE mail_id = $1"
    await tx.connection.execute(statement, mail_id_of(tx.desk_id, message_id), subject, text)


async def mails_about(connection: Connection, ticket_id: UUID) -> list[asyncpg.Record]:
    """Return the words of the mails that came in about a ticket, and whose they are."""
    return await connection.fetch(
        "SELECT message_id, sender, subject, text FROM mail WHERE ticket_id = $1 AND direction = 'in'", ticket_id
    )


async def note_sent_mail(tx: Transaction, *, message_id: str, ticket_id: UUID) -> None:
    """Remember the id of a mail that is sent about a ticket, so that its answer finds the ticket."""
    await tx.connection.execute(_SENT, mail_id_of(tx.desk_id, message_id), tx.desk_id, message_id, ticket_id, tx.now)


async def find_answered(connection: Connection, message_ids: Sequence[str], ticket_ids: Sequence[UUID]) -> UUID | None:
    """Return the ticket that the nearest known one of these mails is about, else the first of these that there is."""
    found: UUID | None = await connection.fetchval(_ANSWERED, list(message_ids), list(ticket_ids))
    return found


async def find_notice(
    connection: Connection, *, ticket_id: UUID, message_ids: Sequence[UUID], told: str
) -> UUID | None:
    """Return the nearest of these messages by which somebody was told of a ticket at the address `told`."""
    found: UUID | None = await connection.fetchval(_NOTICE, ticket_id, [str(one) for one in message_ids], told)
    return found


async def find_by_number(connection: Connection, numbers: Sequence[str]) -> UUID | None:
    """Return the first ticket of the desk that has one of these numbers."""
    found: UUID | None = await connection.fetchval(
        "SELECT ticket_id FROM unnest($1::text[]) WITH ORDINALITY AS given (number, place) "
        "JOIN ticket USING (number) ORDER BY place LIMIT 1",
        list(numbers),
    )
    return found


async def list_mail(
    connection: Connection,
    *,
    after: tuple[datetime, UUID] | None,
    ticket_id: UUID | None,
    outcome: str | None,
    limit: int,
) -> list[asyncpg.Record]:
    """Return mail by age, those behind `after`."""
    received_at, mail_id = after or (None, None)
    return await connection.fetch(_LIST, received_at, mail_id, ticket_id, outcome, limit)


async def read_mail(connection: Connection, mail_id: UUID) -> asyncpg.Record | None:
    """Return a mail with its whole text."""
    return await connection.fetchrow(f"SELECT {_COLUMNS}, text FROM mail WHERE mail_id = $1", mail_id)


async def put_address(tx: Transaction, address: str, *, contract_id: UUID | None) -> bool:
    """Give a mail address to the desk; false if some desk has it."""
    tag = await tx.connection.execute(
        "INSERT INTO intake_address (address, desk_id, contract_id, created_at) VALUES ($1, $2, $3, $4) "
        "ON CONFLICT DO NOTHING",
        address,
        tx.desk_id,
        contract_id,
        tx.now,
    )
    return str(tag) == "INSERT 0 1"


async def remove_address(tx: Transaction, address: str) -> bool:
    """Take a mail address from the desk; false if it has no such one."""
    tag = await tx.connection.execute("DELETE FROM intake_address WHERE address = $1", address)
    return str(tag) == "DELETE 1"


async def list_addresses(connection: Connection, *, after: str | None, limit: int) -> list[IntakeAddress]:
    """Return the desk's addresses in order, those behind `after`."""
    rows = await connection.fetch(
        "SELECT address, desk_id, contract_id, created_at FROM intake_address "
        "WHERE ($1::text IS NULL OR address > $1) ORDER BY address LIMIT $2",
        after,
        limit,
    )
    return [IntakeAddress(**row) for row in rows]


async def find_addresses(connection: Connection | asyncpg.Pool, addresses: Sequence[str]) -> list[IntakeAddress]:
    """Return those that are known, in the order given; on a system connection, of every desk."""
    rows = await connection.fetch(
        "SELECT address, desk_id, contract_id, created_at "
        "FROM unnest($1::text[]) WITH ORDINALITY AS given (address, n) JOIN intake_address USING (address) ORDER BY n",
        list(addresses),
    )
    return [IntakeAddress(**row) for row in rows]


async def hold_foreign(tx: Transaction, *, source: str, references: Sequence[str]) -> dict[str, Foreign]:
    """Return what references of a system stand for so far, and hold them until the transaction ends."""
    await tx.connection.execute(_CLAIM_FOREIGN, tx.desk_id, source, list(references), tx.now)
    rows = await tx.connection.fetch(_HOLD_FOREIGN, source, list(references))
    return {
        row["reference"]: Foreign(ticket_id=row["ticket_id"], request_id=row["request_id"], is_kept=row["is_kept"])
        for row in rows
    }


async def save_foreign(tx: Transaction, *, source: str, known: Mapping[str, Foreign]) -> None:
    """Record what references that are held stand for."""
    await tx.connection.executemany(
        "UPDATE foreign_ticket SET ticket_id = $3, request_id = $4 "
        "WHERE desk_id = current_desk() AND source = $1 AND reference = $2",
        [(source, reference, foreign.ticket_id, foreign.request_id) for reference, foreign in known.items()],
    )
