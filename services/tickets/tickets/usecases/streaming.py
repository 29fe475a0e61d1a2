"""The stream: what the timelines of a desk grow by, in an order that a cursor can resume without loss or repetition."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from weakref import WeakKeyDictionary

import asyncpg
import structlog

from plazo.kernel.errors import Fault, InvalidInput
from plazo.runtime.database import OUTAGE
from plazo.runtime.discretion import discreet
from plazo.runtime.ending import end
from plazo.runtime.identity import Principal, is_still_valid
from plazo.runtime.service import Runtime
from plazo.runtime.unit_of_work import UnitOfWork
from plazo.runtime.wake import Wake
from tickets.repository import search
from tickets.repository.bell import CHANNEL, bell

log = structlog.get_logger(__name__)

_BATCH = 200
_SWEEP_SECONDS = 5.0  # in case a notification is lost with its connection
_PAUSE_SECONDS = 0.02  # several commits are one notification
_UNSETTLED_SECONDS = 0.03  # until a transaction that is under way is over
_LARGEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Cursor:
    """A place in the stream: behind an entry of a transaction."""

    transaction_id: int
    seq: int

    def __str__(self) -> str:
        """Return it as clients keep it."""
        return f"{self.transaction_id}-{self.seq}"

    @classmethod
    def parse(cls, text: str) -> "Cursor":
        """Read a cursor. :raises InvalidInput: if it is none"""
        first, _, second = text.partition("-")
        if not (first.isdecimal() and second.isdecimal()) or max(int(first), int(second)) > _LARGEST:
            message = "cursor: expected the id of an event of this stream"
            raise InvalidInput("the cursor is not one of this stream", faults=[Fault(pointer="", message=message)])
        return cls(int(first), int(second))


@dataclass(frozen=True, slots=True)
class Growth:
    """Something that a timeline grew by, and the cursor behind it."""

    cursor: Cursor
    kind: str
    data: dict[str, Any]


class Readers:
    """Those who read the stream in this process; all are woken when some timeline has grown."""

    def __init__(self) -> None:
        self._wakes: set[Wake] = set()

    @contextlib.contextmanager
    def joined(self) -> Any:
        """Be a reader for the time of the block; gives what it is woken by."""
        wake = Wake()
        self._wakes.add(wake)
        try:
            yield wake
        finally:
            self._wakes.discard(wake)

    def wake(self) -> None:
        """Wake everybody."""
        for one in self._wakes:
            one.set()


_readers: "WeakKeyDictionary[Runtime, Readers]" = WeakKeyDictionary()


def readers_of(runtime: Runtime) -> Readers:
    """Return the readers of a process."""
    return _readers.setdefault(runtime, Readers())


async def follow_timelines(
    uow: UnitOfWork,
    runtime: Runtime,
    *,
    reader: Principal,
    cursor: Cursor | None,
    ticket_id: UUID | None,
    customer_id: UUID | None,
    with_internal: bool,
) -> AsyncIterator[Growth]:
    """Yield what timelines grow by behind `cursor`, or from now on.

    It ends when the process is told to end, and when `reader` would not be let in again.

    The first is `ready`: it has nothing but the cursor to begin from.
    """
    with readers_of(runtime).joined() as wake:
        async with uow.read() as connection:
            place = cursor or Cursor(await search.read_horizon(connection) - 1, _LARGEST)
        yield Growth(cursor=place, kind="ready", data={})
        while not runtime.leaving.is_set():
            async with uow.read() as connection:
                if not await is_still_valid(connection, reader, now=runtime.clock.now()):
                    return
                horizon = await search.read_horizon(connection)
                rows = await search.read_feed(
                    connection,
                    after=(place.transaction_id, place.seq),
                    ticket_id=ticket_id,
                    customer_id=customer_id,
                    with_internal=with_internal,
                    limit=_BATCH,
                )
            settled = [row for row in rows if row["is_settled"]]
            for row in settled:
                place = Cursor(row["transaction_id"], row["seq"])
                shown = _shown(row)
                yield Growth(cursor=place, kind=row["kind"], data=shown if with_internal else discreet(shown))
            if len(settled) == _BATCH:
                continue
            # All before the horizon has been looked through, also what this reader does not want to see.
            place = max(place, Cursor(horizon - 1, _LARGEST), key=lambda one: (one.transaction_id, one.seq))
            await wake.wait(at_most=_SWEEP_SECONDS if len(settled) == len(rows) else _UNSETTLED_SECONDS)


def _shown(row: asyncpg.Record) -> dict[str, Any]:
    hidden = ("transaction_id", "is_settled")
    return {name: value for name, value in row.items() if name not in hidden}


async def wake_readers(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Tell all replicas of this process's commits, and the readers here of theirs, until told to stop."""
    grown = bell().also()
    loops = (_announce(runtime, grown), _listen(runtime), _dismiss(runtime))
    tasks = [asyncio.create_task(loop) for loop in loops]
    try:
        await stopping.wait()
    finally:
        await end(tasks)


async def _announce(runtime: Runtime, grown: Wake) -> None:
    while True:
        await grown.wait(at_most=60)
        readers_of(runtime).wake()
        with contextlib.suppress(*OUTAGE):
            await runtime.database.system.execute("SELECT pg_notify($1, '')", CHANNEL)
        await asyncio.sleep(_PAUSE_SECONDS)


async def _dismiss(runtime: Runtime) -> None:
    """Wake the readers to see that the process is to end: its stop would wait for them."""
    await runtime.leaving.wait()
    readers_of(runtime).wake()


async def _listen(runtime: Runtime) -> None:
    readers = readers_of(runtime)
    while True:
        try:
            connection = await asyncpg.connect(runtime.settings.system_database_url.get_secret_value(), timeout=5)
            try:
                lost = asyncio.Event()
                connection.add_termination_listener(lambda _: lost.set())  # noqa: B023  # called for this connection only
                await connection.add_listener(CHANNEL, lambda *_: readers.wake())
                readers.wake()  # what came while nobody listened
                await lost.wait()
            finally:
                await connection.close(timeout=1)
        except OUTAGE as error:
            log.info("stream_listener_waits", error=str(error) or type(error).__name__)
            await asyncio.sleep(0.5)
