"""Desks and their API keys."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from plazo.calendar.zone import load_zone
from plazo.events import tickets as events
from plazo.events.tickets import DeskCreated, KeyCopy, KeyIssued
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.runtime import desks
from plazo.runtime.idempotency import KeyReused
from plazo.runtime.identity import NewKey, Principal, new_key
from plazo.runtime.pagination import Page, page_of
from plazo.runtime.unit_of_work import SystemWork, Transaction, UnitOfWork
from tickets.repository import contacts, parties
from tickets.repository.bell import ring_after_commit
from tickets.schemas.desks import (
    DeskCreate,
    DeskSummary,
    DeskView,
    KeyCreate,
    KeyCreated,
    KeyRotate,
    KeyRotated,
    KeyView,
    NewDesk,
)

_SHOWN_ONCE = "shown once, in the first answer"
_KEYS = """
SELECT key_id, 'plz_' || key_id || '_' AS prefix, role, label, customer_id, contact_id, expires_at, revoked_at, scopes,
       CASE WHEN previous_until > $1 THEN previous_until END AS previous_until, last_used_at
FROM api_key ORDER BY label, key_id
"""
_DESK = "SELECT desk_id, name, sandbox, timezone, clock_at FROM desk"
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"  # the same, repeated before it was answered
_REACH = "SELECT scopes, expires_at FROM api_key WHERE key_id = $1 AND revoked_at IS NULL"
_DESKS = """
SELECT d.desk_id, d.name, d.sandbox, d.timezone, d.clock_at,
       (SELECT count(*) FROM api_key k
        WHERE k.desk_id = d.desk_id AND k.revoked_at IS NULL AND coalesce(k.expires_at > $3, true)) AS valid_keys
FROM desk d WHERE $1::uuid IS NULL OR d.desk_id > $1 ORDER BY d.desk_id LIMIT $2
"""


class NotASandbox(PlazoError):
    """Only a sandbox desk has a test clock."""

    kind = Kind.CONFLICT
    code = "not-a-sandbox"


class KeyTooWide(PlazoError):
    """A key is given out, or given a new secret, by a caller that may less than it, or not for as long; or it is
    revoked by one that may less.
    """

    kind = Kind.FORBIDDEN
    code = "key-too-wide"


async def create_desk(uow: UnitOfWork, *, body: DeskCreate, key: NewKey) -> NewDesk:
    """Create the desk that the unit of work names, with its first administrator key.

    It may be there already, for this is repeated: then it is returned as it stands.

    :raises InvalidInput: for an unknown zone
    :raises NotASandbox: if a live desk is given a clock
    :raises KeyReused: if the desk that is there was made from another body
    """
    load_zone(body.timezone)
    if body.clock_at is not None and not body.sandbox:
        raise NotASandbox("clock_at is for a sandbox desk; a live desk has the real time")
    clock_at: datetime | None = (body.clock_at or uow.now) if body.sandbox else None
    copy = KeyCopy(key_id=key.key_id, secret_hash=key.secret_hash, role="administrator", label="first key")
    created = NewDesk(desk_id=uow.desk_id, name=body.name, sandbox=body.sandbox, clock_at=clock_at, api_key=key.token)
    async with uow.begin() as tx:
        await tx.connection.execute(_ONE_AT_A_TIME, str(tx.desk_id))
        if (there := await tx.connection.fetchrow(_DESK)) is not None:
            _check_repeats(body, there)
            stored = {name: there[name] for name in ("name", "sandbox", "clock_at")}
            return created.model_copy(update=stored)
        await desks.insert_desk(
            tx, name=body.name, sandbox=body.sandbox, timezone=body.timezone, clock_at=clock_at, key=copy
        )
        tx.emit(
            DeskCreated(desk_name=body.name, sandbox=body.sandbox, timezone=body.timezone, clock_at=clock_at, key=copy),
            about=tx.desk_id,
            occurred_at=clock_at or tx.now,
        )
    return created


def _check_repeats(body: DeskCreate, there: asyncpg.Record) -> None:
    """:raises KeyReused: if a desk was not made from `body`, as far as can be told: its clock has moved since"""
    others = [name for name in ("name", "sandbox", "timezone") if getattr(body, name) != there[name]]
    if body.clock_at is not None and (there["clock_at"] is None or there["clock_at"] < body.clock_at):
        others.append("clock_at")
    if others:
        raise KeyReused(
            f"the Idempotency-Key was used for a desk with another {' and '.join(others)}; use a new key for a new desk"
        )


async def issue_key(uow: UnitOfWork, *, body: KeyCreate, issuer: Principal, clock_now: datetime) -> KeyCreated:
    """Issue an API key; its secret is in the answer and nowhere else.

    It may no more than its issuer, and no longer: without scopes or an end of its own it has the issuer's.
    `clock_now` is the machine's time, which keys go by.

    :raises InvalidInput: for a requester without a customer or contact, one of these for another role, or an end that
        is past
    :raises KeyTooWide: for scopes or an end beyond the issuer's
    :raises NotFound: for an unknown customer or contact
    """
    _check_sense(body, clock_now)
    scopes = issuer.scopes if body.scopes is None else tuple(dict.fromkeys(body.scopes))
    expires_at = body.expires_at or issuer.key_expires_at
    _check_reach(issuer, scopes, expires_at)
    key = new_key()
    copy = KeyCopy(
        key_id=key.key_id,
        secret_hash=key.secret_hash,
        role=body.role,
        label=body.label,
        customer_id=body.customer_id,
        contact_id=body.contact_id,
        expires_at=expires_at,
    )
    async with uow.begin() as tx:
        if body.contact_id is not None:
            contact = await contacts.hold_contact(tx.connection, body.contact_id)
            if contact is None or contact.is_erased or body.customer_id not in (None, contact.customer_id):
                raise NotFound(f"there is no contact {body.contact_id}")
            copy = copy.model_copy(update={"customer_id": contact.customer_id})
        elif body.customer_id is not None and await parties.find_customer(tx.connection, body.customer_id) is None:
            raise NotFound(f"there is no customer {body.customer_id}")
        await desks.insert_key(tx, copy, scopes=scopes)
        tx.emit(KeyIssued(key=copy, scopes=scopes), about=tx.desk_id, occurred_at=tx.now)
        view = KeyCreated(
            key_id=key.key_id,
            role=body.role,
            label=body.label,
            api_key=key.token,
            scopes=scopes and list(scopes),
            expires_at=expires_at,
        )
        tx.answer = view.model_copy(update={"api_key": _SHOWN_ONCE}).model_dump(mode="json")
    return view


def _check_sense(body: KeyCreate, clock_now: datetime) -> None:
    faults = []
    if (body.role == "requester") != (body.customer_id is not None or body.contact_id is not None):
        faults.append(Fault(pointer="/customer_id", message="expected for the role requester, and only for it"))
    if body.expires_at is not None and body.expires_at <= clock_now:
        message = f"expected an instant to come; it is {clock_now:%Y-%m-%dT%H:%M:%SZ}, keys go by the real time"
        faults.append(Fault(pointer="/expires_at", message=message))
    if faults:
        raise InvalidInput("the key makes no sense; each fault is listed under errors", faults=faults)


def _check_reach(caller: Principal, scopes: Sequence[str] | None, expires_at: datetime | None) -> None:
    """Let a caller have the secret of a key that may no more than itself. :raises KeyTooWide: for any other"""
    _check_scopes(caller, scopes)
    if not caller.outlasts(expires_at):
        theirs = "has no end" if expires_at is None else f"is valid until {expires_at:%Y-%m-%dT%H:%M:%SZ}"
        raise KeyTooWide(f"that key {theirs}, the key you call with until {caller.key_expires_at:%Y-%m-%dT%H:%M:%SZ}")


def _check_scopes(caller: Principal, scopes: Sequence[str] | None) -> None:
    if not caller.covers(scopes):
        theirs = "every scope" if scopes is None else ", ".join(scopes)
        raise KeyTooWide(f"that key has {theirs}, the key you call with no more than {', '.join(caller.scopes or ())}")


async def issue_administrator_key(uow: UnitOfWork, *, label: str) -> KeyCreated:
    """Issue an administrator key of a desk, for the operator. :raises NotFound: for an unknown desk"""
    key = new_key()
    async with uow.begin() as tx:
        await _require_desk(tx)
        copy = KeyCopy(key_id=key.key_id, secret_hash=key.secret_hash, role="administrator", label=label)
        await desks.insert_key(tx, copy)
        tx.emit(KeyIssued(key=copy), about=tx.desk_id, occurred_at=tx.now)
        view = KeyCreated(key_id=key.key_id, role="administrator", label=label, api_key=key.token)
        tx.answer = view.model_copy(update={"api_key": _SHOWN_ONCE}).model_dump(mode="json")
    return view


async def rotate_key(
    uow: UnitOfWork, *, key_id: str, body: KeyRotate, caller: Principal, clock_now: datetime
) -> KeyRotated:
    """Give a key a new secret; `clock_now` is the machine's time, which keys go by.

    :raises NotFound: for an unknown or revoked key
    :raises KeyTooWide: if it may more than the caller, or for longer: its secret is in the answer
    """
    key = new_key(key_id)
    until = clock_now + timedelta(minutes=body.overlap_minutes)
    async with uow.begin() as tx:
        reach = await tx.connection.fetchrow(_REACH, key_id)
        if reach is not None:
            _check_reach(caller, reach["scopes"], reach["expires_at"])
        if not await desks.rotate_key(tx, key_id, secret_hash=key.secret_hash, previous_until=until):
            raise NotFound(f"there is no valid key {key_id}")
        event = events.KeyRotated(key_id=key_id, secret_hash=key.secret_hash, previous_until=until)
        tx.emit(event, about=tx.desk_id, occurred_at=tx.now)
        ring_after_commit(tx)
        view = KeyRotated(key_id=key_id, api_key=key.token, previous_until=until)
        tx.answer = view.model_copy(update={"api_key": _SHOWN_ONCE}).model_dump(mode="json")
    return view


async def revoke_key(uow: UnitOfWork, *, key_id: str, caller: Principal) -> None:
    """Make a key invalid: at once here, as the event arrives everywhere else. Its streams end.

    It may be valid for longer than the caller's: a key that is lost is to be ended by whoever learns of it.

    :raises NotFound: for an unknown or revoked key
    :raises KeyTooWide: if it has scopes that the caller has not
    """
    async with uow.begin() as tx:
        reach = await tx.connection.fetchrow(_REACH, key_id)
        if reach is not None:
            _check_scopes(caller, reach["scopes"])
        if not await _revoke(tx, key_id):
            raise NotFound(f"there is no valid key {key_id}")
        tx.answer = {"key_id": key_id, "state": "revoked", "everywhere": False}


async def revoke_keys(uow: UnitOfWork, *, key_id: str | None) -> list[str]:
    """Make a key of a desk invalid, or every one, for the operator; return which. :raises NotFound: for no such desk"""
    async with uow.begin() as tx:
        await _require_desk(tx)
        valid = await tx.connection.fetch(
            "SELECT key_id FROM api_key WHERE revoked_at IS NULL AND ($1::text IS NULL OR key_id = $1) ORDER BY 1",
            key_id,
        )
        if key_id is not None and not valid:
            raise NotFound(f"there is no valid key {key_id}")
        return [row["key_id"] for row in valid if await _revoke(tx, row["key_id"])]


async def _revoke(tx: Transaction, key_id: str) -> bool:
    if not await desks.revoke_key(tx, key_id):
        return False
    tx.emit(events.KeyRevoked(key_id=key_id), about=tx.desk_id, occurred_at=tx.now)
    ring_after_commit(tx)
    return True


async def _require_desk(tx: Transaction) -> None:
    if not await tx.connection.fetchval("SELECT true FROM desk"):
        raise NotFound(f"there is no desk {tx.desk_id}")


async def read_desk(uow: UnitOfWork, *, desk_id: UUID) -> DeskView:
    """Return the caller's desk. :raises NotFound: for any other"""
    async with uow.read() as connection:
        row = await connection.fetchrow(f"{_DESK} WHERE desk_id = $1", desk_id)
    if row is None:
        raise NotFound(f"there is no desk {desk_id}")
    return DeskView(**row)


async def list_desks(work: SystemWork, *, after: UUID | None, limit: int) -> Page[DeskSummary]:
    """Return the desks of the installation, for the operator."""
    async with work.single() as connection:
        rows = await connection.fetch(_DESKS, after, limit + 1, work.clock.now())
    return page_of([DeskSummary(**row) for row in rows], limit=limit, keys=lambda desk: (desk.desk_id,))


async def list_keys(uow: UnitOfWork, *, clock_now: datetime, uses: Mapping[str, datetime]) -> list[KeyView]:
    """Return the desk's keys, without their secrets; `uses` is when they were last used, as the services tell."""
    async with uow.read() as connection:
        rows = await connection.fetch(_KEYS, clock_now)
    return [KeyView(**(dict(row) | {"last_used_at": uses.get(row["key_id"], row["last_used_at"])})) for row in rows]
