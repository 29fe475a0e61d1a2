"""Every service's copy of desks and API keys. `tickets` owns both, `sla-clock` the time of a sandbox desk."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from plazo.events.sla_clock import DeskClockAdvanced
from plazo.events.tickets import DeskCreated, KeyCopy, KeyIssued, KeyRevoked, KeyRotated
from plazo.runtime.consumer import Handlers, Received
from plazo.runtime.unit_of_work import Transaction, UnitOfWork

_INSERT_DESK = "INSERT INTO desk (desk_id, name, sandbox, timezone, clock_at) VALUES ($1, $2, $3, $4, $5)"
_INSERT_KEY = """
INSERT INTO api_key (key_id, desk_id, secret_hash, role, label, customer_id, contact_id, expires_at, scopes)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_ROTATE_KEY = """
UPDATE api_key SET previous_hash = secret_hash, previous_until = $3, secret_hash = $2
WHERE key_id = $1 AND revoked_at IS NULL
"""


async def insert_desk(
    tx: Transaction, *, name: str, sandbox: bool, timezone: str, clock_at: datetime | None, key: KeyCopy
) -> None:
    """Write a new desk and its first key."""
    await tx.connection.execute(_INSERT_DESK, tx.desk_id, name, sandbox, timezone, clock_at)
    await insert_key(tx, key)


async def insert_key(tx: Transaction, key: KeyCopy, *, scopes: Sequence[str] | None = None) -> None:
    """Write a new key of the desk."""
    await tx.connection.execute(
        _INSERT_KEY,
        key.key_id,
        tx.desk_id,
        key.secret_hash,
        key.role,
        key.label,
        key.customer_id,
        key.contact_id,
        key.expires_at,
        None if scopes is None else list(scopes),
    )


async def revoke_key(tx: Transaction, key_id: str) -> bool:
    """Make a key invalid; false if the desk has no such key, or it was revoked before."""
    tag = await tx.connection.execute(
        "UPDATE api_key SET revoked_at = now() WHERE key_id = $1 AND revoked_at IS NULL", key_id
    )
    return str(tag) == "UPDATE 1"


async def rotate_key(tx: Transaction, key_id: str, *, secret_hash: str, previous_until: datetime) -> bool:
    """Give a key a new secret; the last one stays valid for a while, any before it does not.

    False if the desk has no such key, or it was revoked.
    """
    return str(await tx.connection.execute(_ROTATE_KEY, key_id, secret_hash, previous_until)) == "UPDATE 1"


async def set_desk_clock(tx: Transaction, *, desk_id: UUID, clock_at: datetime) -> None:
    """Move the present of a sandbox desk; never back."""
    await tx.connection.execute(
        "UPDATE desk SET clock_at = $2 WHERE desk_id = $1 AND sandbox AND clock_at < $2", desk_id, clock_at
    )


async def _on_desk_created(uow: UnitOfWork, received: Received[DeskCreated]) -> None:
    event = received.payload
    async with uow.begin() as tx:
        await insert_desk(
            tx,
            name=event.desk_name,
            sandbox=event.sandbox,
            timezone=event.timezone,
            clock_at=event.clock_at,
            key=event.key,
        )


async def _on_key_issued(uow: UnitOfWork, received: Received[KeyIssued]) -> None:
    async with uow.begin() as tx:
        await insert_key(tx, received.payload.key, scopes=received.payload.scopes)


async def _on_key_revoked(uow: UnitOfWork, received: Received[KeyRevoked]) -> None:
    async with uow.begin() as tx:
        await revoke_key(tx, received.payload.key_id)


async def _on_key_rotated(uow: UnitOfWork, received: Received[KeyRotated]) -> None:
    event = received.payload
    async with uow.begin() as tx:
        await rotate_key(tx, event.key_id, secret_hash=event.secret_hash, previous_until=event.previous_until)


async def _on_desk_clock_advanced(uow: UnitOfWork, received: Received[DeskClockAdvanced]) -> None:
    async with uow.begin() as tx:
        await set_desk_clock(tx, desk_id=tx.desk_id, clock_at=received.payload.clock_at)


HANDLERS: dict[str, Handlers] = {
    "tickets": {
        DeskCreated: _on_desk_created,
        KeyIssued: _on_key_issued,
        KeyRevoked: _on_key_revoked,
        KeyRotated: _on_key_rotated,
    },
    "sla_clock": {DeskClockAdvanced: _on_desk_clock_advanced},
}
