"""Whether every event that was announced took effect once in every service that reads it, by the counters they keep."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

READS = {
    "tickets": ("sla_clock", "escalation", "billing"),
    "sla_clock": ("tickets", "escalation", "billing"),
    "escalation": ("tickets", "sla_clock", "billing"),
    "billing": ("tickets", "sla_clock"),
}


@dataclass(slots=True)
class Look:
    """What was found in the databases."""

    events: int = 0
    entries: int = 0
    differences: list[str] = field(default_factory=list)


async def events_are_whole(databases: Mapping[str, str], *, within_seconds: float) -> Look:
    """Wait until all has come to rest, and return what has not, or is wrong, in words."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_seconds
    before: Look | None = None
    while True:
        found = await _look(databases)
        # Twice the same: nothing was on its way between one database and the other.
        if not found.differences and before is not None and before.events == found.events:
            return found
        if loop.time() > deadline:
            return found
        before = found
        await asyncio.sleep(0.2)


async def _look(databases: Mapping[str, str]) -> Look:
    found = Look()
    taken_in: dict[tuple[str, str], dict[UUID, int]] = {}
    announced: dict[str, dict[UUID, int]] = {}
    for service, dsn in databases.items():
        connection = await asyncpg.connect(dsn, timeout=10)
        try:
            for producer in READS[service]:
                rows = await connection.fetch(
                    "SELECT aggregate_id, version FROM inbox_position WHERE producer = $1", producer
                )
                taken_in[service, producer] = {row["aggregate_id"]: row["version"] for row in rows}
            rows = await connection.fetch("SELECT aggregate_id, version FROM outbox_version")
            announced[service] = {row["aggregate_id"]: row["version"] for row in rows}
            found.events += sum(announced[service].values())
            if service == "billing":
                found.entries = await connection.fetchval("SELECT count(*) FROM ledger_entry")
            found.differences += await _faults_of(connection, service)
        finally:
            await connection.close()
    for (reader, producer), versions in taken_in.items():
        for aggregate in announced[producer].keys() | versions.keys():
            expected, seen = announced[producer].get(aggregate, 0), versions.get(aggregate, 0)
            if expected != seen:
                found.differences.append(
                    f"{reader} has taken in {seen} events of {producer} about {aggregate}, it announced {expected}"
                )
    return found


async def _faults_of(connection: asyncpg.Connection, service: str) -> list[str]:
    rows = await connection.fetch(
        """
        SELECT 'events are not published' AS what, count(*) AS n FROM outbox WHERE published_at IS NULL
        UNION ALL SELECT 'events wait for their turn', count(*) FROM inbox_waiting
        UNION ALL SELECT 'open dead letters: ' || string_agg(type || ' ' || reason, '; '), count(*)
                  FROM dead_letter WHERE state = 'open'
        UNION ALL SELECT 'malformed messages', count(*) FROM malformed_message
        UNION ALL SELECT 'aggregates have gaps in their versions', count(*) FROM (
          SELECT FROM outbox o JOIN outbox_version v USING (aggregate_id)
          GROUP BY aggregate_id, v.version HAVING count(*) <> v.version OR max(aggregate_version) <> v.version
        ) g
        UNION ALL SELECT 'events of live desks were recorded at a wrong time', count(*)
                  FROM outbox JOIN desk USING (desk_id)
                  WHERE NOT sandbox AND abs(extract(epoch FROM recorded_at - written_at)) > 120
        UNION ALL SELECT 'instants of live desks were told before they came', count(*)
                  FROM outbox JOIN desk USING (desk_id)
                  WHERE NOT sandbox AND type = ANY(ARRAY['clock.warned.v1', 'clock.breached.v1', 'timer.fired.v1'])
                  AND written_at < occurred_at - interval '1 second'
        """
    )
    return [f"{service}: {row['n']} {row['what']}" for row in rows if row["n"]]
