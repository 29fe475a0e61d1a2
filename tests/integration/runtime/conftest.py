"""Fixtures of the tests that break things; see :mod:`integration.runtime.annex`."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from harness import House, prepared_settings
from integration.runtime.annex import DESK, Annex
from pydantic import SecretStr

from plazo.local.nats import Nats
from plazo.runtime.database import Database


@pytest.fixture(scope="session")
async def shared_annex(house: House, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Annex]:
    """The annex, which lasts as long as the house."""
    async with AsyncExitStack() as stack:
        nats = Nats(tmp_path_factory.mktemp("annex"))
        await nats.start()
        stack.push_async_callback(nats.stop)
        [settings] = (await prepared_settings(house.postgres, nats, ["tickets"], suffix="_annex")).values()
        settings.nats_url = SecretStr(nats.url)  # in the annex a service also reads what it announces
        database = await stack.enter_async_context(Database.connect(settings))
        await database.system.execute(
            "INSERT INTO desk (desk_id, name, sandbox, timezone) VALUES ($1, 'annex', false, 'UTC')", DESK
        )
        yield Annex(
            settings=settings,
            database=database,
            nats=nats,
            superuser_dsn=house.postgres.dsn("plazo_tickets_annex"),
            stack=stack,
        )


@pytest.fixture
async def annex(shared_annex: Annex) -> AsyncIterator[Annex]:
    """The annex; what a test opened in it is closed when the test ends."""
    async with AsyncExitStack() as stack:
        shared_annex.stack = stack
        shared_annex.failing = {}
        yield shared_annex
