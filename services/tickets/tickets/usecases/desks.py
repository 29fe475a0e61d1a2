"""Desks and their API keys."""

from datetime import datetime
from uuid import UUID

from plazo.calendar.zone import load_zone
from plazo.events.tickets import DeskCreated, KeyCopy, KeyIssued, KeyRevoked
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.runtime import desks
from plazo.runtime.identity import NewKey, new_key
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.repository import contacts, parties
from tickets.schemas.desks import DeskCreate, DeskView, KeyCreate, KeyCreated, KeyView, NewDesk


class NotASandbox(PlazoError):
    """Only a sandbox desk has a test clock."""

    kind = Kind.CONFLICT
    code = "not-a-sandbox"


async def create_desk(uow: UnitOfWork, *, body: DeskCreate, key: NewKey) -> NewDesk:
    """Create the desk that the unit of work names, with its first administrator key; it may be there already.

    :raises InvalidInput: for an unknown zone
    :raises NotASandbox: if a live desk is given a clock
    """
    load_zone(body.timezone)
    if body.clock_at is not None and not body.sandbox:
        raise NotASandbox("clock_at is for a sandbox desk; a live desk has the real time")
    clock_at: datetime | None = (body.clock_at or uow.now) if body.sandbox else None
    copy = KeyCopy(key_id=key.key_id, secret_hash=key.secret_hash, role="administrator", label="first key")
    created = NewDesk(desk_id=uow.desk_id, name=body.name, sandbox=body.sandbox, clock_at=clock_at, api_key=key.token)
    async with uow.begin() as tx:
        if await tx.connection.fetchval("SELECT true FROM desk"):
            return created
        await desks.insert_desk(
            tx, name=body.name, sandbox=body.sandbox, timezone=body.timezone, clock_at=clock_at, key=copy
        )
        tx.emit(
            DeskCreated(desk_name=body.name, sandbox=body.sandbox, timezone=body.timezone, clock_at=clock_at, key=copy),
            about=tx.desk_id,
            occurred_at=clock_at or tx.now,
        )
    return created


async def issue_key(uow: UnitOfWork, *, body: KeyCreate) -> KeyCreated:
    """Issue an API key; its secret is in the answer and nowhere else.

    :raises InvalidInput: for a requester without a customer or contact, or one of these for another role
    :raises NotFound: for an unknown customer or contact
    """
    if (body.role == "requester") != (body.customer_id is not None or body.contact_id is not None):
        fault = Fault(pointer="/customer_id", message="expected for the role requester, and only for it")
        raise InvalidInput("a requester's key belongs to a customer", faults=[fault])
    key = new_key()
    copy = KeyCopy(
        key_id=key.key_id,
        secret_hash=key.secret_hash,
        role=body.role,
        label=body.label,
        customer_id=body.customer_id,
        contact_id=body.contact_id,
        expires_at=body.expires_at,
    )
    async with uow.begin() as tx:
        if body.contact_id is not None:
            contact = await contacts.find_contact(tx.connection, body.contact_id)
            if contact is None or body.customer_id not in (None, contact.customer_id):
                raise NotFound(f"there is no contact {body.contact_id}")
            copy = copy.model_copy(update={"customer_id": contact.customer_id})
        elif body.customer_id is not None and await parties.find_customer(tx.connection, body.customer_id) is None:
            raise NotFound(f"there is no customer {body.customer_id}")
        await desks.insert_key(tx, copy)
        tx.emit(KeyIssued(key=copy), about=tx.desk_id, occurred_at=tx.now)
        view = KeyCreated(key_id=key.key_id, role=body.role, label=body.label, api_key=key.token)
        tx.answer = view.model_copy(update={"api_key": "shown once, in the first answer"}).model_dump(mode="json")
    return view


async def revoke_key(uow: UnitOfWork, *, key_id: str) -> None:
    """Make a key invalid, at once here and as the event arrives everywhere else. :raises NotFound:"""
    async with uow.begin() as tx:
        if not await desks.revoke_key(tx, key_id):
            raise NotFound(f"there is no valid key {key_id}")
        tx.emit(KeyRevoked(key_id=key_id), about=tx.desk_id, occurred_at=tx.now)
        tx.answer = {"key_id": key_id, "state": "revoked"}


async def read_desk(uow: UnitOfWork, *, desk_id: UUID) -> DeskView:
    """Return the caller's desk. :raises NotFound: for any other"""
    async with uow.read() as connection:
        row = await connection.fetchrow(
            "SELECT desk_id, name, sandbox, timezone, clock_at FROM desk WHERE desk_id = $1", desk_id
        )
    if row is None:
        raise NotFound(f"there is no desk {desk_id}")
    return DeskView(**row)


async def list_keys(uow: UnitOfWork) -> list[KeyView]:
    """Return the desk's keys, without their secrets."""
    async with uow.read() as connection:
        rows = await connection.fetch(
            "SELECT key_id, role, label, customer_id, contact_id, expires_at, revoked_at FROM api_key ORDER BY label, key_id"
        )
    return [KeyView(**row) for row in rows]
