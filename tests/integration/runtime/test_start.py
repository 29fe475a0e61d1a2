"""A service that starts before its database is ready waits for it, step by step."""

import asyncio
import logging

import asyncpg
import pytest
from harness import OPERATOR_KEY, House, eventually

from plazo.runtime import migrations
from plazo.runtime.service import Runtime
from plazo.runtime.settings import Settings
from tickets.app import SERVICE

DATABASE = "plazo_tickets_late"


async def test_waits_for_database_grants_and_migration(house: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="plazo.runtime.service")
    known = house.settings["tickets"]

    def late(url: str) -> str:
        return url.rpartition("/")[0] + f"/{DATABASE}"

    settings = Settings(
        database_url=late(known.database_url.get_secret_value()),
        system_database_url=late(known.system_database_url.get_secret_value()),
        nats_url=known.nats_url.get_secret_value(),
        operator_key=OPERATOR_KEY,
    )
    started = asyncio.Event()
    stop = asyncio.Event()

    async def run() -> None:
        async with Runtime.running(SERVICE, settings):
            started.set()
            await stop.wait()

    async def awaits(what: str) -> None:
        async def has_said() -> bool:
            assert not running.done(), running.exception()
            return what in caplog.text

        await eventually(has_said)

    running = asyncio.create_task(run())
    superuser = await asyncpg.connect(house.postgres.dsn())
    try:
        await awaits("does not exist")
        await superuser.execute(f"CREATE DATABASE {DATABASE} OWNER tickets_owner")
        await superuser.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
        await awaits("permission denied for database")
        urls = await house.postgres.create_database("tickets", database=DATABASE)
        await awaits("is at version None")
        assert not started.is_set()

        await migrations.upgrade("tickets", dsn=urls.owner)

        async def is_up() -> bool:
            return started.is_set()

        await eventually(is_up)
    finally:
        stop.set()
        await running
        await superuser.close()
