"""Sandbox desks: their time, and who is moving it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from uuid import UUID

import asyncpg

from plazo.kernel.errors import NotFound
from plazo.runtime.database import Connection
from plazo.runtime.settings import Settings

_PAUSE_SECONDS = 0.05  # between two looks whether the desk is free
_CLOSING_SECONDS = 2.0

_DESK = "SELECT desk_id, sandbox, timezone, clock_at FROM desk WHERE desk_id = $1"
_PRESENT = "SELECT clock_at FROM desk WHERE desk_id = $1 AND sandbox FOR SHARE"
_MOVE = "UPDATE desk SET clock_at = $2 WHERE desk_id = $1 AND sandbox AND clock_at < $2"
_FIND_ADVANCE = """
SELECT request_hash, target_at, fired, done FROM desk_advance WHERE desk_id = $1 AND caller = $2 AND request_key = $3
"""
_INSERT_ADVANCE = """
INSERT INTO desk_advance (desk_id, caller, request_key, request_hash, target_at, fired, done)
VALUES ($1, $2, $3, $4, $5, 0, false)
"""
_COUNT = """
UPDATE desk_advance SET fired = fired + $4, done = $5 WHERE desk_id = $1 AND caller = $2 AND request_key = $3
"""


@dataclass(frozen=True, slots=True)
class Desk:
    """A desk; `clock_at` is its present if it is a sandbox."""

    desk_id: UUID
    sandbox: bool
    timezone: str
    clock_at: datetime | None


@dataclass(frozen=True, slots=True)
class Request:
    """A request as its repetition is told from another: who sent it, under which key, and what it said."""

    caller: str
    key: str
    hash: str


@dataclass(frozen=True, slots=True)
class Advance:
    """A request to move a clock as far as it has come."""

    request_hash: str
    target_at: datetime
    fired: int
    done: bool


async def read_desk(connection: Connection, desk_id: UUID, *, locked: bool = False) -> Desk:
    """Return the transaction's desk, `locked` to its end. :raises NotFound: if it is another"""
    row = await connection.fetchrow(f"{_DESK} FOR NO KEY UPDATE" if locked else _DESK, desk_id)
    if row is None:
        raise NotFound(f"there is no desk {desk_id} here")
    return Desk(**dict(row))


async def hold_present(connection: Connection, desk_id: UUID) -> datetime | None:
    """Return the present of a sandbox desk and keep it from moving to the end of the transaction; None for a live one.

    Without this a timer could be armed behind the back of who moves the clock. Call it before locking a ticket: whoever
    moves the clock takes the two in that order.
    """
    present: datetime | None = await connection.fetchval(_PRESENT, desk_id)
    return present


async def move_desk_clock(connection: Connection, desk_id: UUID, to: datetime) -> bool:
    """Move the present of a sandbox desk forward; false if it is there already."""
    return str(await connection.execute(_MOVE, desk_id, to)) == "UPDATE 1"


async def find_advance(connection: Connection, desk_id: UUID, request: Request) -> Advance | None:
    """Return what became of a request so far, None if it is new."""
    row = await connection.fetchrow(_FIND_ADVANCE, desk_id, request.caller, request.key)
    return None if row is None else Advance(**dict(row))


async def insert_advance(connection: Connection, desk_id: UUID, request: Request, *, target_at: datetime) -> None:
    """Keep where a request leads, so that its repetition leads there too."""
    await connection.execute(_INSERT_ADVANCE, desk_id, request.caller, request.key, request.hash, target_at)


async def count_advance(connection: Connection, desk_id: UUID, request: Request, *, fired: int, done: bool) -> None:
    """Keep how far a request has come."""
    await connection.execute(_COUNT, desk_id, request.caller, request.key, fired, done)


@asynccontextmanager
async def hold_desk(settings: Settings, desk_id: UUID, *, patience_seconds: float = 0.0) -> AsyncIterator[bool]:
    """Be the only one who moves a desk's clock for the time of the block; gives false if somebody else still is.

    The lock belongs to a connection of its own, so that PostgreSQL frees it if this process dies, and so that many
    such blocks do not starve the pools that the desks need to come to rest.
    """
    connection = await asyncpg.connect(settings.system_database_url.get_secret_value(), timeout=5)
    try:
        lock = int.from_bytes(desk_id.bytes[8:], "big", signed=True)
        deadline = monotonic() + patience_seconds
        while not (is_ours := await connection.fetchval("SELECT pg_try_advisory_lock($1)", lock)):
            if monotonic() >= deadline:
                break
            await asyncio.sleep(_PAUSE_SECONDS)
        yield is_ours
    finally:
        with contextlib.suppress(TimeoutError, OSError):
            await connection.close(timeout=_CLOSING_SECONDS)
