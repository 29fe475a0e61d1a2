"""Events that a reader has missed: asked for and answered between services, whatever became of the stream.

A stream is a road, not a store: it keeps fourteen days, and may be lost with all it held. What a service announced is
in its outbox for good, and what another has taken in is in that one's inbox. A reader compares the two, range by range
of aggregates, and asks for what it lacks: where the producer says that the stream is not the one it was, and now and
then in any case. So a stream that was lost, a database of either that was put back and a reader that is new are all
the same case.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import structlog
from pydantic_core import to_json

from plazo.events.envelope import Envelope
from plazo.runtime.bus import Bus
from plazo.runtime.database import Database
from plazo.runtime.relay import LOCK

log = structlog.get_logger(__name__)

_RANGE = 2000  # aggregates compared at once
_PAGE = 200  # events of one answer, or fewer if they are large
_PAGE_BYTES = 500_000
_ASK_SECONDS = 5.0
_COMPARE_SECONDS = 900.0  # where both agree, a million aggregates cost a second or two
_LARGEST_VERSION = 2**63 - 1
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)

# As a relay takes it, for events leave a database in no other way; several may answer at once.
_TAKE_TURN = "SELECT pg_advisory_xact_lock_shared($1), set_config('idle_in_transaction_session_timeout', '12s', true)"
_IS_COMPARED = """
SELECT EXISTS (SELECT FROM inbox_stream WHERE producer = $1 AND name = $2
               AND seen_at > clock_timestamp() - make_interval(secs => $3))
"""
_KEEP_COMPARED = """
INSERT INTO inbox_stream (producer, name) VALUES ($1, $2)
ON CONFLICT (producer) DO UPDATE SET name = excluded.name, seen_at = clock_timestamp()
"""
# Two sides that have the same sum of these hashes have the same aggregates at the same versions.
_RANGE_HERE = """
WITH here AS (
  SELECT aggregate_id, version FROM inbox_position
  WHERE producer = $1 AND aggregate_id > $2 AND version > 0 ORDER BY aggregate_id LIMIT $3
)
SELECT (SELECT coalesce(sum(uuid_hash_extended(aggregate_id, version)), 0)::text FROM here) AS digest,
       (SELECT aggregate_id FROM here OFFSET $3 - 1) AS until
"""
_POSITIONS = """
SELECT aggregate_id, version FROM inbox_position
WHERE producer = $1 AND aggregate_id > $2 AND aggregate_id <= $3 AND version > 0
"""
_DIGEST = """
SELECT coalesce(sum(uuid_hash_extended(aggregate_id, version)), 0)::text
FROM outbox_version WHERE aggregate_id > $1 AND aggregate_id <= $2
"""
_AHEAD = """
SELECT count(*) FROM unnest($1::uuid[], $2::bigint[]) AS k (aggregate_id, version)
LEFT JOIN outbox_version v USING (aggregate_id) WHERE k.version > coalesce(v.version, 0)
"""
_MISSED = """
SELECT o.* FROM outbox_version v
LEFT JOIN unnest($5::uuid[], $6::bigint[]) AS k (aggregate_id, version) USING (aggregate_id)
CROSS JOIN LATERAL (
  SELECT id, desk_id, aggregate_id, aggregate_version, type, occurred_at, recorded_at, correlation_id, causation_id,
         traceparent, taken_in, data
  FROM outbox WHERE aggregate_id = v.aggregate_id AND aggregate_version > coalesce(k.version, 0)
    AND (aggregate_id > $1 OR aggregate_version > $2)
  ORDER BY aggregate_version LIMIT $4
) AS o
WHERE v.aggregate_id >= $1 AND v.aggregate_id <= $3 AND v.version > coalesce(k.version, 0)
ORDER BY v.aggregate_id, o.aggregate_version LIMIT $4
"""


class MissedEventsOfOurs:
    """Answers the readers of this service, from its outbox."""

    def __init__(self, *, database: Database, bus: Bus, producer: str) -> None:
        self._database = database
        self._bus = bus
        self._producer = producer

    async def serve(self) -> None:
        """Answer the others. :raises BusDown: if NATS is away"""
        await self._bus.answer(_subject(self._producer), group=self._producer, to=self._on_question)

    async def _on_question(self, question: Any) -> Any:
        if question is None:
            return await self._database.system.fetchval("SELECT name FROM outbox_stream")
        after, until = UUID(question["after"]), UUID(question["until"])
        if "ids" not in question:
            return await self._database.system.fetchval(_DIGEST, after, until)
        ids, versions = [UUID(one) for one in question["ids"]], question["versions"]
        async with self._database.system.acquire() as connection, connection.transaction():
            await connection.execute(_TAKE_TURN, LOCK)
            rows = await connection.fetch(_MISSED, after, question["after_version"], until, _PAGE, ids, versions)
            ahead = await connection.fetchval(_AHEAD, ids, versions)
        events: list[dict[str, Any]] = []
        size = 0
        for row in rows:
            event = Envelope.model_construct(producer=self._producer, **row).model_dump(mode="json")
            size += len(to_json(event))
            if events and size > _PAGE_BYTES:
                break
            events.append(event)
        return {"events": events, "is_all": len(events) == len(rows) < _PAGE, "ahead": ahead}


class MissedEvents:
    """Asks a producer for the events that this service lacks.

    `fetched` is how many of them the comparison under way has brought so far. `forgotten` is of how many aggregates
    this service has more than their producer knows, as of the last one: its database was put back and ours was not.
    """

    def __init__(self, *, database: Database, bus: Bus, service: str, producer: str) -> None:
        self._database = database
        self._bus = bus
        self._service = service
        self._producer = producer
        self._compared = ""
        self._compare_at = 0.0
        self.fetched = 0
        self.forgotten = 0

    async def fetch(self, take_in: Callable[[Sequence[Envelope]], Awaitable[None]]) -> None:
        """Keep our place in the stream and, where it is time or the stream is not the one it was, fetch what we lack.

        Call it often. `take_in` gives events their effect or keeps them for good; if it raises, or the
        producer does not answer, a later call begins anew. Replicas may do it at once: an event has its effect once.

        :raises BusDown: if NATS or the producer is away
        """
        # The place comes first: what is published from now on finds it, what was published before is asked for.
        await self._bus.take_place(self._producer, consumer=self._service)
        stream, present = await self._ask(None), asyncio.get_running_loop().time()
        if stream is None or (stream == self._compared and present < self._compare_at):
            return
        system = self._database.system
        if not await system.fetchval(_IS_COMPARED, self._producer, stream, _COMPARE_SECONDS):
            try:
                self.forgotten = await self._compare(take_in)
                log.info("compared", producer=self._producer, stream=stream, missed=self.fetched)
            finally:
                self.fetched = 0
            if self.forgotten:  # see deploy/README.md; every replica is to find out
                log.error("producer_has_forgotten", producer=self._producer, aggregates=self.forgotten)
            else:
                await system.execute(_KEEP_COMPARED, self._producer, stream)
        self._compared = stream
        self._compare_at = present + _COMPARE_SECONDS

    async def _compare(self, take_in: Callable[[Sequence[Envelope]], Awaitable[None]]) -> int:
        forgotten, after = 0, _FIRST
        while after < _LAST:
            here = await self._database.system.fetchrow(_RANGE_HERE, self._producer, after, _RANGE)
            assert here is not None
            until = here["until"] or _LAST
            if await self._ask({"after": after, "until": until}) != here["digest"]:
                forgotten += await self._fetch_range(after, until, take_in)
            after = until
        return forgotten

    async def _fetch_range(
        self, after: UUID, until: UUID, take_in: Callable[[Sequence[Envelope]], Awaitable[None]]
    ) -> int:
        rows = await self._database.system.fetch(_POSITIONS, self._producer, after, until)
        question = {
            "until": until,
            "ids": [row["aggregate_id"] for row in rows],
            "versions": [row["version"] for row in rows],
        }
        version = _LARGEST_VERSION  # of `after` itself nothing is asked for
        while True:
            answer = await self._ask(question | {"after": after, "after_version": version})
            # Whatever it answers, it speaks for itself alone.
            events = [Envelope.model_validate(event | {"producer": self._producer}) for event in answer["events"]]
            self.fetched += len(events)
            await take_in(events)
            if answer["is_all"]:
                return int(answer["ahead"])
            after, version = events[-1].aggregate_id, events[-1].aggregate_version

    async def _ask(self, question: dict[str, Any] | None) -> Any:
        return await self._bus.ask(_subject(self._producer), question, seconds=_ASK_SECONDS)


def _subject(producer: str) -> str:
    return f"plazo-missed.{producer}"
