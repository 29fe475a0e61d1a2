"""Anybody may probe a service, as often as they like: the database is asked once at a time."""

import asyncio
from typing import Any

import pytest

from plazo.runtime.relay import Relay
from plazo.runtime.wake import Wake


class OneRow:
    """A database that answers when it is let to, and counts what it is asked."""

    def __init__(self) -> None:
        self.system = self
        self.asked = 0
        self.answers: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()

    async def fetchrow(self, _sql: str) -> dict[str, Any]:
        """Answer as a connection does."""
        self.asked += 1
        return await self.answers


def relay_on(database: Any) -> Relay:
    return Relay(database=database, bus=None, producer="tickets", wake=Wake())  # type: ignore[arg-type]


async def test_a_flood_of_probes_is_one_question():
    database = OneRow()
    relay = relay_on(database)
    flood = [asyncio.ensure_future(relay.lag()) for _ in range(1000)]
    await asyncio.sleep(0)
    flood[0].cancel()  # who leaves takes the answer from nobody
    database.answers.set_result({"lag": 2, "backlog": 3})
    assert set(await asyncio.gather(*flood[1:])) == {(2.0, 3)}
    assert database.asked == 1
    assert await relay.lag() == (2.0, 3)
    assert database.asked == 2, "what was seen is not repeated later"


async def test_a_database_that_is_away_is_said_to_all_and_asked_again():
    database = OneRow()
    relay = relay_on(database)
    flood = [asyncio.ensure_future(relay.lag()) for _ in range(3)]
    await asyncio.sleep(0)
    database.answers.set_exception(ConnectionError("away"))
    for one in flood:
        with pytest.raises(ConnectionError):
            await one
    database.answers = asyncio.get_running_loop().create_future()
    database.answers.set_result({"lag": 0, "backlog": 0})
    assert await relay.lag() == (0.0, 0)
