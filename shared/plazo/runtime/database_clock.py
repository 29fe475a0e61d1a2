"""The time of a service: its database's, so that all replicas agree."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Self

import structlog

from plazo.runtime import metrics
from plazo.runtime.clock import SystemClock
from plazo.runtime.database import OUTAGE, Database

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 1.0
_FIRST_LOOKS = 3
_STEP = timedelta(seconds=1)


class DatabaseClock:
    """The clock of the database, looked at each second and carried on in between by what only counts seconds.

    All replicas of a service share it, whatever the clocks of their machines say: none fires a timer before its time,
    or breaks a promise that was kept. It is never ahead of the database by more than it has drifted since the last
    look, and behind by no more than a look takes. While the database is away it goes on. Where it is ahead by a little
    it stands still until that is over; where the database's own clock steps back, by a failover, it steps back too.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._instant: datetime | None = None
        self._counted = 0.0
        self._shown = datetime.min.replace(tzinfo=UTC)

    @classmethod
    async def set_by(cls, database: Database) -> Self:
        """Return the clock of `database`. :raises OSError: or asyncpg's errors if it cannot be reached"""
        clock = cls(database)
        for _ in range(_FIRST_LOOKS):
            await clock.look()
        return clock

    def now(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        assert self._instant is not None
        present = self._instant + timedelta(seconds=monotonic() - self._counted)
        if not present < self._shown < present + _STEP:
            self._shown = present
        return self._shown

    async def look(self) -> None:
        """Ask the database. Its answer was true at some time since the question: what it rules out is corrected."""
        asked = monotonic()
        instant: datetime = await self._database.system.fetchval("SELECT clock_timestamp()")
        answered = monotonic()
        latest = instant + timedelta(seconds=answered - asked)
        if self._instant is None:
            self._instant = instant
        else:
            carried_on = self._instant + timedelta(seconds=answered - self._counted)
            self._instant = min(max(carried_on, instant), latest)
            if abs(self._instant - carried_on) >= _STEP:
                log.warning("database_clock_stepped", seconds=(self._instant - carried_on).total_seconds())
        self._counted = answered
        metrics.CLOCK_OFFSET.set((SystemClock().now() - self.now()).total_seconds())

    async def keep(self, stopping: asyncio.Event) -> None:
        """Look each second until `stopping` is set."""
        while not stopping.is_set():
            with contextlib.suppress(*OUTAGE):
                await self.look()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _LOOK_SECONDS)
