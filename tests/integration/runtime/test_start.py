"""A service that starts before its database is ready waits for it, step by step."""

import asyncio

import asyncpg
from harness import OPERATOR_KEY, House, eventually

from plazo.runtime import migrations
from plazo.runtime.service import Runtime
from plazo.runtime.settings import Settings
from tickets.app import SERVICE

DATABASE = "plazo_tickets_late"


async def test_waits_for_database_grants_and_migration(house: House) -> None:
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

    running = asyncio.create_task(run())
    superuser = await asyncpg.connect(house.postgres.dsn())
    try:
        await asyncio.sleep(0.3)  # there is no such database
        await superuser.execute(f"CREATE DATABASE {DATABASE} OWNER tickets_owner")
        await superuser.execute(f"REVOKE ALL ON DATABASE {DATABASE} FROM PUBLIC")
        await asyncio.sleep(0.5)  # nobody may connect to it
        urls = await house.postgres.create_database("tickets", database=DATABASE)
        await asyncio.sleep(0.5)  # it is empty
        assert not started.is_set()
        assert not running.done(), running.exception()

        await migrations.upgrade("tickets", dsn=urls.owner)

        async def is_up() -> bool:
            return started.is_set()

        await eventually(is_up)
    finally:
        stop.set()
        await running
        await superuser.close()
