"""The time of a service is its database's, whatever the machine's clock says."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from harness import House, eventually
from integration.runtime.annex import Annex

from plazo.runtime import clock as machine
from plazo.runtime import database_clock
from plazo.runtime.database_clock import DatabaseClock
from plazo.runtime.service import Runtime
from tickets.app import SERVICE

HOUR = timedelta(hours=1)


class Ticker:
    """What only counts seconds, moved by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.seconds = 1000.0
        monkeypatch.setattr(database_clock, "monotonic", lambda: self.seconds)


class Database:
    """A database whose clock is moved by hand; a look at it takes some seconds, and is answered at their begin."""

    def __init__(self, ticker: Ticker, *, shows: datetime) -> None:
        self.system = self
        self.shows = shows
        self.takes_seconds = 0.0
        self._ticker = ticker

    async def fetchval(self, _sql: str) -> datetime:
        """Answer the one question that is asked."""
        shown = self.shows
        self.shows += timedelta(seconds=self.takes_seconds)
        self._ticker.seconds += self.takes_seconds
        return shown


async def test_the_machines_clock_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = house.runtime("sla_clock").clock
    before = clock.now()

    class Wrong(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> "Wrong":
            return cls.fromtimestamp(datetime.now(tz).timestamp() + 3600, tz)

    monkeypatch.setattr(machine, "datetime", Wrong)
    assert machine.SystemClock().now() > datetime.now(UTC) + HOUR / 2

    assert isinstance(clock, DatabaseClock)
    await clock.look()
    shown = await house.runtime("sla_clock").database.system.fetchval("SELECT clock_timestamp()")
    assert before < clock.now()
    assert abs(clock.now() - shown) < HOUR / 60


# The database shows 12:00:00 when it is asked; the answer takes as long as said. Ours then showed 12:00 and `ahead`.
# It is right between 12:00:00 and that plus the time taken: outside, it is moved to the nearest right time.
@pytest.mark.parametrize(
    ("ahead", "takes", "expected"),
    [
        pytest.param(0.0, 0.0, 0.0, id="agreed"),
        pytest.param(3600.0, 0.0, 0.0, id="an hour ahead"),
        pytest.param(-3600.0, 0.0, 0.0, id="an hour behind"),
        pytest.param(-2.0, 5.0, 3.0, id="a slow answer that rules nothing out: -2 + 5 = 3 lies in 0 to 5"),
        pytest.param(-9.0, 5.0, 0.0, id="a slow answer that comes later than ours allows: -9 + 5 = -4 < 0"),
        pytest.param(4.0, 5.0, 5.0, id="ahead of what a slow answer allows: 4 + 5 = 9 > 5"),
    ],
)
async def test_a_look_corrects_what_it_rules_out(
    monkeypatch: pytest.MonkeyPatch, ahead: float, takes: float, expected: float
) -> None:
    ticker = Ticker(monkeypatch)
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    database = Database(ticker, shows=noon + timedelta(seconds=ahead))
    clock = await DatabaseClock.set_by(database)  # type: ignore[arg-type]
    assert clock.now() == noon + timedelta(seconds=ahead)

    database.shows, database.takes_seconds = noon, takes
    await clock.look()

    assert clock.now() == noon + timedelta(seconds=expected)


async def test_it_stands_still_rather_than_going_back_a_little(monkeypatch: pytest.MonkeyPatch) -> None:
    ticker = Ticker(monkeypatch)
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    database = Database(ticker, shows=noon)
    clock = await DatabaseClock.set_by(database)  # type: ignore[arg-type]
    ticker.seconds += 10
    before = clock.now()
    database.shows = noon + timedelta(seconds=9.5)  # the machine counts too fast
    await clock.look()

    assert clock.now() == before == noon + timedelta(seconds=10)
    ticker.seconds += 0.25
    assert clock.now() == before
    ticker.seconds += 0.5
    assert clock.now() == noon + timedelta(seconds=10.25)


class Faltering:
    """A database whose clock is moved by hand, and that is away when it is asked as often as it has errors to raise."""

    def __init__(self, *, shows: datetime) -> None:
        self.system = self
        self.shows = shows
        self.errors: list[Exception] = []

    async def fetchval(self, _sql: str) -> datetime:
        """Answer the one question that is asked, or not."""
        if self.errors:
            raise self.errors.pop()
        return self.shows


async def test_it_is_looked_at_again_and_again_and_after_the_database_was_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database_clock, "_LOOK_SECONDS", 0.01)
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    database = Faltering(shows=noon)
    clock = await DatabaseClock.set_by(database)  # type: ignore[arg-type]
    stopping = asyncio.Event()
    keeping = asyncio.create_task(clock.keep(stopping))

    async def shows_it() -> bool:
        return abs(clock.now() - database.shows) < HOUR / 60

    for hours in (1, 2, 3):
        database.shows = noon + hours * HOUR
        database.errors = [OSError("away"), TimeoutError()]
        await eventually(shows_it)
    stopping.set()
    await keeping


async def test_a_service_keeps_looking(annex: Annex) -> None:
    async with Runtime.running(SERVICE, annex.settings) as runtime:
        clock = runtime.clock
        assert isinstance(clock, DatabaseClock)
        assert clock._instant is not None
        clock._instant -= HOUR  # as if what counts seconds had stood still for as long

        async def is_right() -> bool:
            shown = await runtime.database.system.fetchval("SELECT clock_timestamp()")
            return bool(abs(clock.now() - shown) < HOUR / 60)

        await eventually(is_right)


async def test_it_goes_on_between_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    ticker = Ticker(monkeypatch)
    noon = datetime(2026, 5, 4, 12, tzinfo=UTC)
    clock = await DatabaseClock.set_by(Database(ticker, shows=noon))  # type: ignore[arg-type]
    ticker.seconds += 90

    assert clock.now() == noon + timedelta(seconds=90)
