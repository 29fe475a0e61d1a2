"""Fixtures over the house under test; each xdist worker has servers of its own."""

import asyncio
import warnings
from collections.abc import AsyncIterator, Generator

import pytest
import uvloop
from hanging import real_stderr, told_after
from harness import DeskUnderTest, House, running_house

from plazo.runtime import logs

_TOLD_AT = 0.9  # of the time a test has
_STDERR = pytest.StashKey[int]()


def pytest_configure(config: pytest.Config) -> None:
    """Run on the event loop that the services run on.

    Not as a loop factory: that is a parameter of each asynchronous test, and the first other one rebuilds the house.
    """
    config.stash[_STDERR] = real_stderr()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Say where a test hangs shortly before its time is over, what follows the last test of a worker included."""
    mark = item.get_closest_marker("timeout")
    seconds = mark.args[0] if mark else float(item.config.getini("timeout"))
    with told_after(seconds * _TOLD_AT, what=item.nodeid, to=item.config.stash[_STDERR]):
        return (yield)


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
