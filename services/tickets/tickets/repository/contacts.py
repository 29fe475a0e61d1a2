"""The people of customers, and the addresses by which they are known."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction


@dataclass(frozen=True, slots=True)
class Contact:
    """A person of a customer. `decided_by` is who last authorized it or withdrew that, and when.

    `unconfirmed_emails` its customer gave, and the desk has not confirmed: nobody is known by them.
    """

    contact_id: UUID
    customer_id: UUID
    version: int
    name: str
    emails: tuple[str, ...]
    phone: str | None
    language: str | None
    role: str
    authorized: bool
    decided_by: str | None
    decided_by_contact: UUID | None
    decided_at: datetime | None
    created_at: datetime
    unconfirmed_emails: tuple[str, ...] = ()
    is_erased: bool = False

    @property
    def may_ask(self) -> bool:
        """Whether it may open and answer tickets: the customer's administrator, or someone it authorized. EXP-01"""
        return self.authorized or self.role == "administrator"


_COLUMNS = (
    "contact_id, customer_id, version, name, phone, language, role, authorized, decided_by, decided_by_contact, "
    "decided_at, created_at"
)
_SELECT = f"""
SELECT {_COLUMNS}, known_by IS NOT NULL AS is_erased, ARRAY(
  SELECT address FROM contact_email e WHERE e.contact_id = contact.contact_id ORDER BY place
) AS emails, ARRAY(
  SELECT address FROM unconfirmed_email u WHERE u.contact_id = contact.contact_id ORDER BY place
) AS unconfirmed_emails
FROM contact
"""
_INSERT = f"INSERT INTO contact (desk_id, {_COLUMNS}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)"
_UPDATE = """
UPDATE contact SET version = $2, name = $3, phone = $4, language = $5, role = $6, authorized = $7, decided_by = $8,
  decided_by_contact = $9, decided_at = $10
WHERE contact_id = $1
"""
_PUT_EMAILS = """
INSERT INTO contact_email (desk_id, address, contact_id, place)
SELECT $1, address, $2, place FROM unnest($3::text[]) WITH ORDINALITY AS given (address, place)
ON CONFLICT DO NOTHING RETURNING address
"""
_PUT_UNCONFIRMED = """
INSERT INTO unconfirmed_email (desk_id, contact_id, address, place)
SELECT $1, $2, address, place FROM unnest($3::text[]) WITH ORDINALITY AS given (address, place)
"""
_LIST = f"""
{_SELECT}
WHERE ($1::timestamptz IS NULL OR (created_at, contact_id) > ($1, $2)) AND ($3::uuid IS NULL OR customer_id = $3)
  AND ($4::uuid IS NULL OR contact_id = $4)
ORDER BY created_at, contact_id LIMIT $5
"""


def _contact(row: asyncpg.Record | None) -> Contact | None:
    if row is None:
        return None
    given = {column: tuple(row[column]) for column in ("emails", "unconfirmed_emails")}
    return Contact(**{**row, **given})


async def insert_contact(tx: Transaction, contact: Contact) -> list[str]:
    """Write a new contact; returns those of its addresses that another contact of the desk has."""
    await tx.connection.execute(
        _INSERT,
        tx.desk_id,
        contact.contact_id,
        contact.customer_id,
        contact.version,
        contact.name,
        contact.phone,
        contact.language,
        contact.role,
        contact.authorized,
        contact.decided_by,
        contact.decided_by_contact,
        contact.decided_at,
        contact.created_at,
    )
    return await _put_emails(tx, contact)


async def update_contact(tx: Transaction, contact: Contact) -> list[str]:
    """Write a changed contact; returns those of its addresses that another contact of the desk has."""
    await tx.connection.execute(
        _UPDATE,
        contact.contact_id,
        contact.version,
        contact.name,
        contact.phone,
        contact.language,
        contact.role,
        contact.authorized,
        contact.decided_by,
        contact.decided_by_contact,
        contact.decided_at,
    )
    for table in ("contact_email", "unconfirmed_email"):
        await tx.connection.execute(f"DELETE FROM {table} WHERE contact_id = $1", contact.contact_id)
    return await _put_emails(tx, contact)


async def _put_emails(tx: Transaction, contact: Contact) -> list[str]:
    if contact.unconfirmed_emails:
        await tx.connection.execute(_PUT_UNCONFIRMED, tx.desk_id, contact.contact_id, contact.unconfirmed_emails)
    if not contact.emails:
        return []
    rows = await tx.connection.fetch(_PUT_EMAILS, tx.desk_id, contact.contact_id, contact.emails)
    written = {row["address"] for row in rows}
    return [address for address in contact.emails if address not in written]


async def find_contact(connection: Connection, contact_id: UUID, *, lock: bool = False) -> Contact | None:
    """Return a contact of the desk; `lock` holds its row until the end of the transaction."""
    suffix = " FOR UPDATE" if lock else ""
    return _contact(await connection.fetchrow(f"{_SELECT} WHERE contact_id = $1{suffix}", contact_id))


async def hold_contact(connection: Connection, contact_id: UUID) -> Contact | None:
    """Return a contact of the desk that is neither changed nor erased before the end of the transaction.

    Its row is always taken before those of its tickets, as whoever erases it takes them.
    """
    await connection.execute("SELECT FROM contact WHERE contact_id = $1 FOR SHARE", contact_id)
    return await find_contact(connection, contact_id)


async def hold_contact_of(connection: Connection, ticket_id: UUID) -> None:
    """Hold the contact of a ticket, as :func:`hold_contact` does, before the ticket is."""
    await connection.execute(
        "SELECT FROM contact WHERE contact_id = (SELECT contact_id FROM ticket WHERE ticket_id = $1) FOR SHARE",
        ticket_id,
    )


async def find_contact_by_email(connection: Connection, email: str) -> Contact | None:
    """Return the contact of the desk that has an address, letter case ignored."""
    return _contact(
        await connection.fetchrow(
            f"{_SELECT} WHERE contact_id = (SELECT contact_id FROM contact_email "
            "WHERE desk_id = current_desk() AND address = lower($1))",
            email.strip(),
        )
    )


async def hold_contact_by_email(connection: Connection, email: str) -> Contact | None:
    """Return the contact that has an address, held as by :func:`hold_contact`; None if it was erased meanwhile."""
    found = await find_contact_by_email(connection, email)
    held = await hold_contact(connection, found.contact_id) if found is not None else None
    return held if held is not None and email.strip().lower() in held.emails else None


async def find_unconfirmed(connection: Connection, email: str, *, customer_id: UUID) -> Contact | None:
    """Return the oldest contact of a customer for which that gave an address, not confirmed; its row is held."""
    return _contact(
        await connection.fetchrow(
            f"{_SELECT} WHERE customer_id = $2 AND EXISTS (SELECT FROM unconfirmed_email u "
            "WHERE u.contact_id = contact.contact_id AND address = lower($1)) "
            "ORDER BY created_at, contact_id LIMIT 1 FOR UPDATE",
            email.strip(),
            customer_id,
        )
    )


async def has_contacts(connection: Connection, customer_id: UUID) -> bool:
    """Tell whether a customer has said who its people are."""
    found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM contact WHERE customer_id = $1)", customer_id)
    return found


async def list_contacts(
    connection: Connection,
    *,
    after: tuple[datetime, UUID] | None,
    customer_id: UUID | None,
    only: UUID | None,
    limit: int,
) -> Sequence[Contact]:
    """Return contacts by age, those behind `after`; of one customer, and that one alone, if given."""
    created_at, contact_id = after or (None, None)
    rows = await connection.fetch(_LIST, created_at, contact_id, customer_id, only, limit)
    return [contact for row in rows if (contact := _contact(row)) is not None]
