"""Brings the outbox to the bus, right after each commit, in the order of each ticket.

Any number of replicas run a relay; an advisory lock lets one publish at a time, so that two never overtake each
other. What a dead replica left behind is found by the next sweep.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from uuid import UUID, uuid4

import structlog

from plazo.events.envelope import Envelope
from plazo.runtime import metrics
from plazo.runtime.bus import Bus, BusDown
from plazo.runtime.database import OUTAGE, Connection, Database
from plazo.runtime.wake import Wake

log = structlog.get_logger(__name__)

_BATCH = 500
_SWEEP_SECONDS = 1.0
_LOOK_SECONDS = 30.0  # somebody may remove a stream while the connection to NATS holds
# "plazo": one relay at a time in a database. Events leave a database under this lock only, so who holds it in all of
# them holds all events still, and nobody has taken in what its announcer does not know (plazo.local.backup).
LOCK = 0x706C617A6F

# A process that stands still in its turn loses it sooner than is usual: all events of the service wait for it.
_TAKE_TURN = "SELECT pg_advisory_xact_lock($1), set_config('idle_in_transaction_session_timeout', '12s', true)"
_UNPUBLISHED = """
SELECT id, desk_id, aggregate_id, aggregate_version, type, occurred_at, recorded_at, correlation_id, causation_id,
       traceparent, taken_in, data
FROM outbox WHERE published_at IS NULL ORDER BY seq LIMIT $1
"""
# "Unpublished" leads through the index of those: the outbox keeps all rows, and must not be read whole.
# A stream that had ended elsewhere ($3) than where we left it gets a new name ($2), by which its readers know it.
_MARK = """
WITH marked AS (UPDATE outbox SET published_at = now() WHERE published_at IS NULL AND id = ANY($1::uuid[]))
INSERT INTO outbox_stream AS s (name, last_seq) VALUES ($2, $4)
ON CONFLICT (one) DO UPDATE SET name = CASE s.last_seq WHEN $3 THEN s.name ELSE excluded.name END, last_seq = $4
RETURNING name
"""
_LAG = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(written_at)), 0)::float8 AS lag, count(*) AS backlog
FROM (SELECT written_at FROM outbox WHERE published_at IS NULL ORDER BY seq LIMIT 10000) AS waiting
"""


class Relay:
    """The only sender of a service's events."""

    def __init__(self, *, database: Database, bus: Bus, producer: str, wake: Wake) -> None:
        self._database = database
        self._bus = bus
        self._producer = producer
        self._wake = wake
        self._known_connection = 0
        self._look_at = 0.0
        self._look: asyncio.Future[tuple[float, int]] | None = None

    async def run(self) -> None:
        """Publish until cancelled, when woken and at every sweep."""
        while True:
            await self._wake.wait(at_most=_SWEEP_SECONDS)
            try:
                await self._know_stream()
                while await self.publish_batch() == _BATCH:
                    pass
                metrics.RELAY_LAG.set(0)
                metrics.RELAY_BACKLOG.set(0)
            except Exception as error:  # noqa: BLE001  # whatever it was, the rows are still there: try again
                expected = isinstance(error, (BusDown, *OUTAGE))
                log.log(20 if expected else 40, "relay_waits", error=str(error) or type(error).__name__)
                await self._measure_lag()

    async def drain(self) -> None:
        """Publish what there is, as the last thing before the process ends; the next one does what remains."""
        with contextlib.suppress(BusDown, OSError, TimeoutError):
            while await self.publish_batch() == _BATCH:
                pass

    async def publish_batch(self) -> int:
        """Publish up to a batch of events and mark them; return how many were marked. :raises BusDown:"""
        async with self._database.system.acquire() as connection, connection.transaction():
            await connection.execute(_TAKE_TURN, LOCK)
            rows = await connection.fetch(_UNPUBLISHED, _BATCH)
            if not rows:
                return 0
            events = [Envelope.model_construct(producer=self._producer, **row) for row in rows]
            stored = await self._bus.publish(events)
            first, last = min(stored.numbers), max(stored.numbers)
            is_whole = last - first + 1 == len(stored.numbers)
            await self._mark(connection, stored.ids, before=first - 1 if is_whole else -1, after=last)
        metrics.EVENTS_PUBLISHED.inc(len(stored.ids))
        return len(stored.ids)

    async def _know_stream(self) -> None:
        """After each new connection, and now and then, look where the stream ends. :raises BusDown:"""
        connections, present = self._bus.connections, asyncio.get_running_loop().time()
        if connections == self._known_connection and present < self._look_at:
            return
        async with self._database.system.acquire() as connection, connection.transaction():
            await connection.execute(_TAKE_TURN, LOCK)
            end = await self._bus.ensure_stream(self._producer)
            await self._mark(connection, [], before=end, after=end)
        self._known_connection, self._look_at = connections, present + _LOOK_SECONDS

    async def _mark(self, connection: Connection, ids: Sequence[UUID], *, before: int, after: int) -> None:
        """Mark events as published, and see whether the stream had ended where we left it `before` them.

        One that was made anew, or put back from an older copy, does not; nor does ours if it is the database that was
        put back. Readers then compare what they have with the outbox (:mod:`plazo.runtime.missed`), so a false alarm,
        after acknowledgements that were lost, costs little. Nothing is published again.
        """
        name = str(uuid4())
        if await connection.fetchval(_MARK, ids, name, before, after) == name:
            log.info("stream_is_new", name=name, last_seq=after)

    async def lag(self) -> tuple[float, int]:
        """Return the age in seconds of the oldest unpublished event, and how many there are (10,000 at most).

        Whoever asks while it is being looked up is told what is seen: anybody may ask, as often as they like.
        """
        if self._look is None or self._look.done():
            self._look = asyncio.ensure_future(self._look_up_lag())
            self._look.add_done_callback(lambda look: look.cancelled() or look.exception())  # all may have left
        return await asyncio.shield(self._look)

    async def _look_up_lag(self) -> tuple[float, int]:
        row = await self._database.system.fetchrow(_LAG)
        assert row is not None
        return float(row["lag"]), int(row["backlog"])

    async def _measure_lag(self) -> None:
        try:
            lag, backlog = await self.lag()
        except Exception:  # noqa: BLE001  # the database is what is down; readiness says so
            return
        metrics.RELAY_LAG.set(lag)
        metrics.RELAY_BACKLOG.set(backlog)
