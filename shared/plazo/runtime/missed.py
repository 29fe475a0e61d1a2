"""Events that a reader has missed: asked for and answered between services, whatever became of the stream.

A stream is a road, not a store: it keeps fourteen days, and may be lost with all it held. What a service announced is
in its outbox for good, and what another has taken in is in that one's inbox. Where a reader meets a stream it does not
know, or was away for long, it compares the two, range by range of aggregates, and asks for what it lacks. So a stream
that was lost, a database that was restored and a reader that is new are all the same case.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
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
_REFRESH_SECONDS = 3600.0
_FIRST, _LAST = UUID(int=0), UUID(int=2**128 - 1)

# A reader that was away for half the time that a stream keeps its events does not trust it.
_IS_KNOWN = """
SELECT EXISTS (SELECT FROM inbox_stream
               WHERE producer = $1 AND name = $2 AND seen_at > clock_timestamp() - interval '7 days')
"""
_KNOW = """
INSERT INTO inbox_stream (producer, name) VALUES ($1, $2)
ON CONFLICT (producer) DO UPDATE SET name = excluded.name, seen_at = clock_timestamp()
"""
# Two sides that have the same sum of these have the same aggregates at the same versions.
_POSITIONS = """
SELECT aggregate_id, version, uuid_hash_extended(aggregate_id, version) AS digest
FROM inbox_position WHERE producer = $1 AND aggregate_id > $2 AND version > 0 ORDER BY aggregate_id LIMIT $3
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
         traceparent, data
  FROM outbox WHERE aggregate_id = v.aggregate_id AND aggregate_version > coalesce(k.version, 0)
    AND (aggregate_id > $1 OR aggregate_version > $2)
  ORDER BY aggregate_version LIMIT $4
) AS o
WHERE v.aggregate_id >= $1 AND v.aggregate_id <= $3 AND v.version > coalesce(k.version, 0)
ORDER BY v.aggregate_id, o.aggregate_version LIMIT $4
"""


@dataclass(frozen=True, slots=True)
class _Range:
    """What a reader has taken in of the aggregates after `after`, up to `until`."""

    after: UUID
    until: UUID
    ids: list[UUID]
    versions: list[int]
    digest: str


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
        after, until = UUID(question["after"]), UUID(question["until"])
        if "ids" not in question:
            return await self._database.system.fetchval(_DIGEST, after, until)
        ids, versions = [UUID(one) for one in question["ids"]], question["versions"]
        async with self._database.system.acquire() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock_shared($1)", LOCK)
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
    """Asks a producer for the events that this service lacks."""

    def __init__(self, *, database: Database, bus: Bus, service: str, producer: str) -> None:
        self._database = database
        self._bus = bus
        self._service = service
        self._producer = producer
        self._known = ""
        self._refresh_at = 0.0

    async def fetch(self, take_in: Callable[[Sequence[Envelope]], Awaitable[None]]) -> None:
        """Keep our place in the stream and, where the stream is not the one we know, fetch what we lack.

        Call it now and then. `take_in` gives events their effect or keeps them for good; if it raises, or the
        producer does not answer, a later call begins anew. Replicas may do it at once: an event has its effect once.

        :raises BusDown: if NATS or the producer is away
        """
        # The place comes first: what is published from now on finds it, what was published before is asked for.
        stream = await self._bus.take_place(self._producer, consumer=self._service)
        present = asyncio.get_running_loop().time()
        if stream.name == self._known and present < self._refresh_at:
            return
        system = self._database.system
        if stream.name != self._known and not await system.fetchval(_IS_KNOWN, self._producer, stream.name):
            missed = await self._fetch_all(take_in)
            log.info("stream_met", producer=self._producer, stream=stream.name, missed=missed)
        await system.execute(_KNOW, self._producer, stream.name)
        self._known = stream.name
        self._refresh_at = present + _REFRESH_SECONDS

    async def _fetch_all(self, take_in: Callable[[Sequence[Envelope]], Awaitable[None]]) -> int:
        missed, after = 0, _FIRST
        while after < _LAST:
            here = await self._read_range(after)
            if await self._ask({"after": here.after, "until": here.until}) != here.digest:
                missed += await self._fetch_range(here, take_in)
            after = here.until
        return missed

    async def _read_range(self, after: UUID) -> _Range:
        rows = await self._database.system.fetch(_POSITIONS, self._producer, after, _RANGE)
        return _Range(
            after=after,
            until=rows[-1]["aggregate_id"] if len(rows) == _RANGE else _LAST,
            ids=[row["aggregate_id"] for row in rows],
            versions=[row["version"] for row in rows],
            digest=str(sum(row["digest"] for row in rows)),
        )

    async def _fetch_range(self, here: _Range, take_in: Callable[[Sequence[Envelope]], Awaitable[None]]) -> int:
        # Version 0 of nothing: all of what follows `after` itself is asked for.
        after, version, missed = here.after, 2**62, 0
        while True:
            answer = await self._ask(
                {
                    "after": after,
                    "after_version": version,
                    "until": here.until,
                    "ids": here.ids,
                    "versions": here.versions,
                }
            )
            # Whatever it answers, it speaks for itself alone.
            events = [Envelope.model_validate(event | {"producer": self._producer}) for event in answer["events"]]
            await take_in(events)
            missed += len(events)
            if answer["is_all"]:
                if answer["ahead"]:  # its database was put back, and ours was not: see deploy/README.md
                    log.error("producer_has_forgotten", producer=self._producer, aggregates=answer["ahead"])
                return missed
            after, version = events[-1].aggregate_id, events[-1].aggregate_version

    async def _ask(self, question: dict[str, Any]) -> Any:
        return await self._bus.ask(_subject(self._producer), question, seconds=_ASK_SECONDS)


def _subject(producer: str) -> str:
    return f"plazo-missed.{producer}"
