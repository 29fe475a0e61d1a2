"""Fixtures over the house under test; each xdist worker has servers of its own."""

from collections.abc import AsyncIterator, Callable

import pytest
import uvloop
from harness import DeskUnderTest, House, running_house

from plazo.runtime import logs


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], uvloop.Loop]]:
    """Run on the event loop that the services run on."""
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Log as a service does; the library's own way draws every variable of a traceback, for seconds."""
    logs.configure(service="tests", level="warning")


@pytest.fixture(scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """All four services, on a real PostgreSQL and a real NATS."""
    async with running_house(tmp_path_factory.mktemp("house")) as running:
        yield running


@pytest.fixture
async def desk(house: House) -> DeskUnderTest:
    """A fresh sandbox desk; its clock stands at Monday, 4 May 2026, 13:00 UTC."""
    return await house.new_desk()
