"""Part `timers`: a million armed clocks in the real service, against a bare claim loop on the same PostgreSQL."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter

import asyncpg

from bench.bare_timers import BareTimers
from bench.figures import Report
from bench.machine import cpu_seconds, resident_mib
from bench.mass import Micros, Press, at_once, far_ahead, register_one, spread_out
from bench.stage import BARE, Stage, open_stage
from bench.timer_findings import ARMED, AT_ONCE, BURST, BUSY, FEW, STEADY, Course, Found, write_report
from plazo.kernel.time import from_micros
from plazo.local.service import Service
from sla_clock.usecases.fire_timers import fire_live_timers

_WRITERS = 8
_PATIENCE = 90.0

# When each transaction committed is the server's own note of it.
_LAGS = """
SELECT extract(epoch FROM pg_xact_commit_timestamp(xmin) - occurred_at)::float8 * 1000 AS lag
FROM outbox WHERE occurred_at BETWEEN $1 AND $2 {which} ORDER BY lag
"""
_SERVICE_LAGS = _LAGS.format(which="AND type = 'clock.breached.v1'")
_BARE_LAGS = _LAGS.format(which="")
_LEFT = "SELECT count(*) FROM timer WHERE state = 'armed' AND due_at <= $1"
_SIZE = "SELECT sum(pg_total_relation_size(oid)) / 1048576.0 FROM pg_class WHERE relkind = 'r' AND relname = ANY($1)"
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fall:
    """How timers fall due: how many, how fast (None: all at one instant), how often that is tried."""

    count: int
    per_second: float | None
    rounds: int

    def due_soon(self) -> Micros:
        """Return due instants that begin once the rows are written and planned; real ones are known for longer."""
        start = datetime.now(UTC) + timedelta(seconds=3 + self.count / 800)
        if self.per_second is None:
            return at_once(self.count, at=start)
        return spread_out(self.count, start=start, per_second=self.per_second)


_FALLS = {
    STEADY: Fall(300, 100, rounds=3),
    BUSY: Fall(2_000, 1_000, rounds=3),
    AT_ONCE: Fall(BURST, None, rounds=2),
}


def run(say: Say) -> Report:
    """Measure the timers; about three minutes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root
        return write_report(asyncio.run(_measure_in(Path(folder), say)))


async def _measure_in(folder: Path, say: Say) -> Found:
    async with open_stage(folder) as stage:
        return await _measure(stage, say)


async def _measure(stage: Stage, say: Say) -> Found:
    found, bare = Found(), BareTimers(stage.bare)
    await bare.create()
    press = await Press.of(stage, await register_one(stage, opened_at=datetime.now(UTC)))
    async with AsyncExitStack() as stack:
        say(f"arming by {_WRITERS} writers")
        await _measure_arming(stage, bare, found)
        service = await stack.enter_async_context(stage.serving())
        found.memory["at rest"] = _memory(service)
        for armed in (FEW, ARMED):
            name = f"{armed:,} armed"
            say(f"{name}: loading")
            await _load(stage, press, bare, armed, found)
            found.memory[name] = _memory(service)
            found.looks[name] = await _measure_looks(stage, bare)
        for name, fall in _FALLS.items():
            say(f"falling due: {name}")
            found.courses[name] = await _measure_course(stage, press, bare, service, fall)
        found.memory["after the bursts"] = _memory(service)
    return found


async def _measure_arming(stage: Stage, bare: BareTimers, found: Found) -> None:
    """Count tickets a second: the whole use case, and a bare timer with its event, each in a transaction of its own."""
    due_at = datetime.now(UTC) + timedelta(days=30)

    async def register() -> None:
        await register_one(stage, opened_at=datetime.now(UTC))

    async with asyncpg.create_pool(stage.postgres.dsn(BARE), min_size=_WRITERS, max_size=_WRITERS) as pool:

        async def arm() -> None:
            async with pool.acquire() as connection:
                await bare.arm(connection, due_at)

        for _ in range(3):
            for name, write in (("service", register), ("bare", arm)):
                found.arming.setdefault(name, []).append(await _write_many(write, count=800))


async def _write_many(write: Callable[[], Awaitable[None]], *, count: int) -> float:
    async def write_some() -> None:
        for _ in range(count // _WRITERS):
            await write()

    start = perf_counter()
    await asyncio.gather(*(write_some() for _ in range(_WRITERS)))
    return count / (perf_counter() - start)


async def _load(stage: Stage, press: Press, bare: BareTimers, armed: int, found: Found) -> None:
    """Arm as many clocks as are missing, in the service and in the bare table."""
    for name, connection, load in (
        ("service", stage.admin, lambda due: press.strike(stage.admin, due)),
        ("bare", stage.bare, bare.load),
    ):
        missing = armed - await connection.fetchval("SELECT count(*) FROM timer WHERE state = 'armed'")
        start = perf_counter()
        await load(far_ahead(missing))
        found.arming[f"{name} by COPY"] = [missing / (perf_counter() - start)]
        tables = ["ticket", "ticket_fact", "clock", "timer", "outbox_version"] if name == "service" else ["timer"]
        found.sizes[name] = float(await connection.fetchval(_SIZE, tables))
    await stage.settle_disk()


async def _measure_looks(stage: Stage, bare: BareTimers) -> dict[str, list[float]]:
    """Return the milliseconds of a look at timers of which none is due, by round."""
    work = stage.system_work()

    async def look() -> None:
        assert (await fire_live_timers(work)).due_at == ()

    taken: dict[str, list[float]] = {"service": [], "bare": []}
    for _ in range(20):  # connections and statements are prepared once
        await look()
        await bare.look()
    for _ in range(5):
        for name, ask in (("service", look), ("bare", bare.look)):
            start = perf_counter()
            for _ in range(100):
                await ask()
            taken[name].append((perf_counter() - start) * 10)
    return taken


async def _measure_course(stage: Stage, press: Press, bare: BareTimers, service: Service, fall: Fall) -> Course:
    """Let timers fall due, in turns for the service and for the bare loop."""
    course = Course()
    for _ in range(fall.rounds):
        due = fall.due_soon()
        await press.strike(stage.admin, due)
        used = cpu_seconds(_pid(service))
        course.service.append(await _wait_for_lags(stage.admin, due, _SERVICE_LAGS))
        course.processor.append((cpu_seconds(_pid(service)) - used) / fall.count * 1e6)
        due = fall.due_soon()
        await bare.load(due)
        await bare.fire(fall.count)
        course.bare.append(await _wait_for_lags(stage.bare, due, _BARE_LAGS))
    return course


async def _wait_for_lags(connection: asyncpg.Connection, due: Micros, query: str) -> list[float]:
    first, last = from_micros(int(due[0])), from_micros(int(due[-1]))
    async with asyncio.timeout(_PATIENCE):
        await asyncio.sleep(max(0.0, (last - datetime.now(UTC)).total_seconds()))
        while await connection.fetchval(_LEFT, last):  # noqa: ASYNC110  # only PostgreSQL knows when they have fired
            await asyncio.sleep(0.2)
    lags = [row["lag"] for row in await connection.fetch(query, first, last)]
    assert len(lags) == len(due), f"{len(lags)} of {len(due)} fired"
    return lags


def _pid(service: Service) -> int:
    assert service.pid is not None, "the service has ended"
    return service.pid


def _memory(service: Service) -> float:
    return resident_mib(_pid(service))
