"""PostgreSQL: two pools, one that sees a single desk at a time and one for the work that spans desks."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
from pydantic_core import from_json, to_json

from plazo.runtime.settings import Settings

# What a server may keep us waiting for before the caller is told to come back.
_SERVER_SETTINGS = {
    "statement_timeout": "15000",
    "lock_timeout": "8000",
    "idle_in_transaction_session_timeout": "30000",
    "timezone": "UTC",
    "application_name": "plazo",
}

# What is raised while the database is away, starting, stopping or too busy: come back later.
OUTAGE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that the server has given up and not yet closed
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.DeadlockDetectedError,
    asyncpg.SerializationError,
)

Connection = asyncpg.Connection | asyncpg.pool.PoolConnectionProxy


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: to_json(value).decode(),
        decoder=from_json,
        schema="pg_catalog",
    )


async def _keep(_connection: asyncpg.Connection) -> None:
    """Leave a returned connection as it is: every setting we make is local to its transaction."""


async def open_pool(dsn: str, *, connections: int) -> asyncpg.Pool:
    """Open a pool on `dsn`. :raises OSError: or asyncpg's errors if the server cannot be reached."""
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=connections,
        init=_prepare,
        reset=_keep,
        server_settings=_SERVER_SETTINGS,
        timeout=5,
        command_timeout=20,
    )


class Database:
    """The two pools of a service.

    `desk` connects as a role that row-level security confines to the desk named in the transaction; `system` as the
    role of relay, timers and key look-ups, which serve every desk.
    """

    def __init__(self, *, desk: asyncpg.Pool, system: asyncpg.Pool) -> None:
        self.desk = desk
        self.system = system

    @classmethod
    @asynccontextmanager
    async def connect(cls, settings: Settings) -> AsyncIterator["Database"]:
        """Hold both pools open for the time of the block."""
        system_connections = max(4, settings.database_connections // 3)
        desk = await open_pool(settings.database_url.get_secret_value(), connections=settings.database_connections)
        try:
            system = await open_pool(settings.system_database_url.get_secret_value(), connections=system_connections)
            try:
                yield cls(desk=desk, system=system)
            finally:
                await system.close()
        finally:
            await desk.close()
