"""What is known of a person, in every table of this service."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from plazo.kernel.forgetting import TOMBSTONE, Person
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.erasure import Forgettable

_CONTACT = """
SELECT to_jsonb(c) - '{desk_id,known_by}'::text[] AS contact, c.customer_id, c.name, c.phone, c.known_by,
       ARRAY(SELECT address FROM contact_email e WHERE e.contact_id = c.contact_id ORDER BY place) AS addresses,
       ARRAY(SELECT address FROM unconfirmed_email u WHERE u.contact_id = c.contact_id ORDER BY place) AS unconfirmed
FROM contact c WHERE contact_id = $1
"""
# Tickets of before contacts were known are found by the address.
_TICKETS = """
SELECT ticket_id FROM ticket
WHERE contact_id = $1 OR (customer_id = $2 AND lower(contact_email) = ANY($3::text[])) ORDER BY ticket_id
"""
_TICKETS_OF_CUSTOMER = "SELECT ticket_id FROM ticket WHERE customer_id = $1 ORDER BY ticket_id"
# By a label that others' keys have too, nobody is told from them.
_ACTORS = """
SELECT role || ': ' || label AS actor FROM api_key WHERE customer_id = $1
GROUP BY 1 HAVING bool_and(contact_id IS NOT DISTINCT FROM $2)
"""
_ERASED = "SELECT contact_id, known_by FROM contact WHERE customer_id = $1 AND known_by IS NOT NULL"
_ANNOUNCED_SO_FAR = "SELECT aggregate_id, version FROM outbox_version WHERE aggregate_id = ANY($1::uuid[])"
_ENTRIES = """
SELECT ticket_id, position, occurred_at, recorded_at, kind, actor, internal, text, data, erased_at FROM timeline_entry
WHERE ticket_id = $1 ORDER BY position
"""
_REQUESTS = """
SELECT request_id, outcome, reason, clauses, sender, body, original, received_at FROM kept_request
WHERE contact_id = $1 OR lower(sender) = ANY($2::text[]) OR lower(body->>'contact_email') = ANY($2::text[])
ORDER BY received_at, request_id
"""
_SAID_IN_TICKET = ("contact_name", "contact_email", "subject", "description", "resolution_text", "answers", "waiting")
# And in what is kept beside it.
_SAID_BESIDE = {
    "contact_attempt": ("text",),
    "appointment": ("attendee", "reason"),
    "vendor_reference": ("answer",),
    "playbook_tick": ("text",),
    "assessment": ("missing", "design"),
}
_READ_TICKET = f"SELECT {', '.join(_SAID_IN_TICKET)} FROM ticket WHERE ticket_id = $1 FOR UPDATE"
_FORGET_TICKET = f"""
UPDATE ticket SET {", ".join(f"{column} = ${place}" for place, column in enumerate(_SAID_IN_TICKET, 2))},
  version = version + 1
WHERE ticket_id = $1
"""
_FORGET_CONTACT = """
UPDATE contact SET name = $2, phone = NULL, authorized = false, role = 'member',
  decided_by = CASE WHEN decided_by IS NOT NULL THEN $2 END, known_by = $3, version = version + 1
WHERE contact_id = $1
"""
_ATTACHMENTS = """
UPDATE attachment a SET name = $2, added_by = $2, erased_at = $3
WHERE ticket_id = ANY($1::uuid[]) AND from_customer AND (contact_id = $4 OR contact_id IS NULL) AND erased_at IS NULL
RETURNING object_key
"""
_ANNOUNCED = "SELECT seq, aggregate_id, data FROM outbox WHERE aggregate_id = ANY($1::uuid[])"
_KEYS_ANNOUNCED = """
SELECT seq, data FROM outbox
WHERE aggregate_id = $1 AND type LIKE 'key.issued.%' AND data->'key'->>'contact_id' = $2
"""
_LABELS_ANSWERED = """
UPDATE idempotency_key SET answer = jsonb_set(answer, '{label}', to_jsonb($2::text))
WHERE answer->>'key_id' = ANY($1::text[]) AND answer ? 'label'
"""
_ANSWERS = """
SELECT key_id, idempotency_key, answer FROM idempotency_key
WHERE answer->>'ticket_id' = ANY($1::text[]) OR answer->>'contact_id' = ANY($2::text[])
"""
_ESCALATIONS = "SELECT escalation_id, escalation FROM ticket_escalation WHERE ticket_id = ANY($1::uuid[])"


_MAILS = """
SELECT mail_id, ticket_id, sender, subject, text, answer FROM mail
WHERE ticket_id = ANY($1::uuid[]) OR lower(sender) = ANY($2::text[])
"""
_LINES = """
SELECT import_id, line, reference, body, faults FROM import_line
WHERE state = 'refused'
  AND EXISTS (SELECT FROM unnest($1::text[]) AS word WHERE position(word IN lower(body::text)) > 0)
"""
_DELIVERIES = "SELECT hook_id, delivery_id, answer FROM hook_delivery WHERE answer->>'ticket_id' = ANY($1::text[])"


async def find_contact(connection: Connection, contact_id: UUID, *, lock: bool = False) -> asyncpg.Record | None:
    """Return a contact with its addresses; `lock` waits for whoever acts in its name, and nobody does from then on."""
    if lock:  # by itself: what is read with the lock may be older than it
        await connection.execute("SELECT FROM contact WHERE contact_id = $1 FOR UPDATE", contact_id)
    return await connection.fetchrow(_CONTACT, contact_id)


async def erased_of(connection: Connection, customer_id: UUID) -> list[Person]:
    """Return the people of a customer who are forgotten, to know them where they are named again."""
    rows = await connection.fetch(_ERASED, customer_id)
    return [Person.marked(row["contact_id"], row["known_by"]) for row in rows]


async def announced_so_far(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, int]:
    """Return how many events there are about aggregates; those of which there are none are left out."""
    rows = await connection.fetch(_ANNOUNCED_SO_FAR, ids)
    return {row["aggregate_id"]: row["version"] for row in rows}


async def tickets_of(
    connection: Connection, contact: asyncpg.Record, contact_id: UUID, *, lock: bool = False
) -> list[UUID]:
    """Return the tickets that a contact is the contact of; `lock` holds them, in the order of their ids."""
    addresses = [address.lower() for address in contact["addresses"]]
    suffix = " FOR UPDATE" if lock else ""
    rows = await connection.fetch(_TICKETS + suffix, contact_id, contact["customer_id"], addresses)
    return [row["ticket_id"] for row in rows]


async def tickets_of_customer(connection: Connection, customer_id: UUID) -> list[UUID]:
    """Return all tickets of a customer: a colleague's may mention the contact."""
    return [row["ticket_id"] for row in await connection.fetch(_TICKETS_OF_CUSTOMER, customer_id)]


async def actors_of(connection: Connection, contact: asyncpg.Record, contact_id: UUID) -> frozenset[str]:
    """Return by what names timelines call a contact, and nobody else of its customer, for its keys."""
    rows = await connection.fetch(_ACTORS, contact["customer_id"], contact_id)
    return frozenset(row["actor"] for row in rows)


async def read_entries(connection: Connection, ticket_id: UUID) -> list[asyncpg.Record]:
    """Return the timeline of a ticket in the order of its recording."""
    return await connection.fetch(_ENTRIES, ticket_id)


async def read_requests(connection: Connection, contact: asyncpg.Record, contact_id: UUID) -> list[asyncpg.Record]:
    """Return the requests of a contact that did not become tickets."""
    return await connection.fetch(_REQUESTS, contact_id, [address.lower() for address in contact["addresses"]])


async def forget_contact(tx: Transaction, contact_id: UUID, *, marks: Sequence[str]) -> None:
    """Erase name, number and addresses of a contact; the marks of these are kept."""
    await tx.connection.execute(_FORGET_CONTACT, contact_id, TOMBSTONE, marks)
    for table in ("contact_email", "unconfirmed_email"):
        await tx.connection.execute(f"DELETE FROM {table} WHERE contact_id = $1", contact_id)
    decided = "UPDATE contact SET decided_by = $2 WHERE decided_by_contact = $1 AND decided_by IS NOT NULL"
    await tx.connection.execute(decided, contact_id, TOMBSTONE)


async def forget_labels(tx: Transaction, contact_id: UUID, person: Person, key_ids: Sequence[str]) -> None:
    """Erase the labels of a contact's keys from what was announced and answered as they were issued."""
    rows = await tx.connection.fetch(_KEYS_ANNOUNCED, tx.desk_id, str(contact_id))
    await _rewrite(
        tx,
        "UPDATE outbox SET data = $2 WHERE seq = $1",
        [(row["seq"], row["data"], person.forgotten(row["data"], all_words=False)) for row in rows],
    )
    await tx.connection.execute(_LABELS_ANSWERED, key_ids, TOMBSTONE)


async def forget_ticket(tx: Transaction, ticket_id: UUID, person: Forgettable, *, is_own: bool) -> None:
    """Erase a person from a ticket: from its own ticket all that was asked, from another what mentions it."""
    row = await tx.connection.fetchrow(_READ_TICKET, ticket_id)
    assert row is not None, "tickets are never removed"
    found = dict(row)
    left = person.forgotten(found, all_words=is_own)
    if is_own:
        left["answers"] |= {"parts": dict.fromkeys(left["answers"].get("parts", {}), TOMBSTONE)}
    if left != found:
        await tx.connection.execute(_FORGET_TICKET, ticket_id, *left.values())
    for table, columns in _SAID_BESIDE.items():
        rows = await tx.connection.fetch(
            f"SELECT ctid, {', '.join(columns)} FROM {table} WHERE ticket_id = $1", ticket_id
        )
        settings = ", ".join(f"{column} = ${place}" for place, column in enumerate(columns, 2))
        await tx.connection.executemany(
            f"UPDATE {table} SET {settings} WHERE ctid = $1",
            [(where, *left) for where, *said in rows if (left := person.forgotten(said, all_words=False)) != said],
        )


async def forget_attachments(tx: Transaction, ticket_ids: Sequence[UUID], contact_id: UUID) -> list[str]:
    """Erase the names of a contact's files; returns the objects, which are not needed any more."""
    rows = await tx.connection.fetch(_ATTACHMENTS, ticket_ids, TOMBSTONE, tx.now, contact_id)
    return [row["object_key"] for row in rows]


async def forget_requests(tx: Transaction, rows: Sequence[asyncpg.Record], person: Person) -> None:
    """Erase what a contact asked without a ticket."""
    await tx.connection.executemany(
        "UPDATE kept_request SET sender = CASE WHEN sender IS NOT NULL THEN $2 END, body = $3, original = $4 "
        "WHERE request_id = $1",
        [
            (
                row["request_id"],
                TOMBSTONE,
                person.forgotten(row["body"], all_words=True),
                {"erased": True} if row["original"] else {},
            )
            for row in rows
        ],
    )


async def forget_intake(tx: Transaction, ticket_ids: Sequence[UUID], addresses: Sequence[str], person: Person) -> None:
    """Erase what a contact sent by mail, what posts about its tickets were answered with, and lines of imports."""
    mails = await tx.connection.fetch(_MAILS, ticket_ids, [address.lower() for address in addresses])
    await tx.connection.executemany(
        "UPDATE mail SET sender = $2, subject = $3, text = $4, answer = $5, digest = NULL WHERE mail_id = $1",
        [
            (
                row["mail_id"],
                *(None if row[column] is None else TOMBSTONE for column in ("sender", "subject", "text")),
                person.forgotten(row["answer"], all_words=True),
            )
            for row in mails
        ],
    )
    deliveries = await tx.connection.fetch(_DELIVERIES, [str(one) for one in ticket_ids])
    await tx.connection.executemany(
        "UPDATE hook_delivery SET answer = $3 WHERE hook_id = $1 AND delivery_id = $2",
        [(row["hook_id"], row["delivery_id"], person.forgotten(row["answer"], all_words=True)) for row in deliveries],
    )
    lines = await tx.connection.fetch(_LINES, list(person.known_by))
    await tx.connection.executemany(
        "UPDATE import_line SET reference = $3, body = $4, faults = $5 WHERE import_id = $1 AND line = $2",
        [
            (
                row["import_id"],
                row["line"],
                person.forgotten(row["reference"], all_words=False),
                person.forgotten(row["body"], all_words=True),
                person.forgotten(row["faults"], all_words=False),
            )
            for row in lines
        ],
    )


async def forget_copies(
    tx: Transaction, ticket_ids: Sequence[UUID], person: Forgettable, *, own: Collection[UUID], others: Sequence[UUID]
) -> None:
    """Erase the person from what was announced, from answers kept for a repetition, and from the read views.

    `ticket_ids` are all tickets that have to do with it, `own` those it asked for, `others` its further aggregates.
    """
    announced = await tx.connection.fetch(_ANNOUNCED, [*ticket_ids, *others])
    await _rewrite(
        tx,
        "UPDATE outbox SET data = $2 WHERE seq = $1",
        [
            (row["seq"], row["data"], person.forgotten(row["data"], all_words=row["aggregate_id"] in own))
            for row in announced
        ],
    )
    answers = await tx.connection.fetch(_ANSWERS, [str(one) for one in ticket_ids], [str(one) for one in others])
    await tx.connection.executemany(
        "UPDATE idempotency_key SET answer = $3 WHERE key_id = $1 AND idempotency_key = $2",
        [(row["key_id"], row["idempotency_key"], person.forgotten(row["answer"], all_words=True)) for row in answers],
    )
    escalations = await tx.connection.fetch(_ESCALATIONS, ticket_ids)
    await _rewrite(
        tx,
        "UPDATE ticket_escalation SET escalation = $2 WHERE escalation_id = $1",
        [
            (row["escalation_id"], row["escalation"], person.forgotten(row["escalation"], all_words=False))
            for row in escalations
        ],
    )


async def _rewrite(tx: Transaction, statement: str, rows: Sequence[tuple[Any, Any, Any]]) -> None:
    """Write those documents that are not what they were."""
    changed = [(key, after) for key, before, after in rows if after != before]
    await tx.connection.executemany(statement, changed)
