"""An annex of the house: one more database of tickets and a NATS of its own, for tests that break things."""

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from plazo.events.envelope import Envelope, Event
from plazo.events.tickets import CustomerReplied
from plazo.local.nats import Nats
from plazo.runtime.bus import Bus
from plazo.runtime.clock import SystemClock
from plazo.runtime.consumer import Consumer, Handler, Received
from plazo.runtime.database import Connection, Database
from plazo.runtime.relay import Relay
from plazo.runtime.settings import Settings
from plazo.runtime.unit_of_work import Cause, Transaction, UnitOfWork
from plazo.runtime.wake import Wake
from tickets.repository.tickets import Entry, add_entries

NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)
DESK = UUID(int=7)  # the one desk that the annex knows


@dataclass
class Annex:
    """The database of a service that nobody serves, and a NATS that may be stopped."""

    settings: Settings
    database: Database
    nats: Nats
    superuser_dsn: str
    stack: AsyncExitStack
    failing: dict[UUID, Exception] = field(default_factory=dict)

    def unit_of_work(self, desk_id: UUID) -> UnitOfWork:
        """Return a unit of work of a desk."""
        return UnitOfWork(database=self.database, producer="tickets", desk_id=desk_id, now=NOW, cause=Cause())

    async def bus(self) -> Bus:
        """Return a connected bus that may do everything, with the stream that the annex's readers read."""
        bus = Bus(self.nats.url, name=f"annex-{uuid4()}")
        await bus.connect()
        await bus.ensure_stream("tickets")
        self.stack.push_async_callback(bus.close)
        return bus

    def relay(self, bus: Any) -> Relay:
        """Return a relay of the annex's outbox."""
        return Relay(database=self.database, bus=bus, producer="tickets", wake=Wake())

    def consumer(
        self, bus: Bus, *, handler: Handler | None = None, producer: str = "tickets", reads: Collection[str] = ()
    ) -> Consumer:
        """Return a reader of `tickets` whose effect is a line in the timeline; each with a place of its own."""
        return Consumer(
            database=self.database,
            bus=bus,
            clock=SystemClock(),
            service=f"reader-{uuid4()}",
            producer=producer,
            handlers={CustomerReplied: handler or self.write_line},
            wake=Wake(),
            reads=reads,
        )

    async def write_line(self, uow: UnitOfWork, received: Received[CustomerReplied]) -> None:
        """Write who replied into the timeline; fail where a test wants it."""
        async with uow.begin() as tx:
            await note(tx, received.envelope.aggregate_id, received.payload.by)
            if error := self.failing.get(received.envelope.id):
                raise error

    async def lines(self, aggregate_id: UUID) -> list[str]:
        """Return the effects on an aggregate, in the order they happened."""
        rows = await self.database.system.fetch(
            "SELECT text FROM timeline_entry WHERE ticket_id = $1 ORDER BY seq", aggregate_id
        )
        return [row["text"] for row in rows]

    async def waiting(self, aggregate_id: UUID) -> list[int]:
        """Return the versions that wait for their turn."""
        rows = await self.database.system.fetch(
            "SELECT aggregate_version FROM inbox_waiting WHERE aggregate_id = $1 ORDER BY 1", aggregate_id
        )
        return [row["aggregate_version"] for row in rows]

    async def letters(self, aggregate_id: UUID) -> list[tuple[int, str, int]]:
        """Return version, state and number of failures of an aggregate's dead letters."""
        rows = await self.database.system.fetch(
            "SELECT aggregate_version, state, failures FROM dead_letter WHERE aggregate_id = $1 ORDER BY 1",
            aggregate_id,
        )
        return [tuple(row) for row in rows]

    @asynccontextmanager
    async def superuser(self) -> AsyncIterator[Connection]:
        """Connect as the role that no wall stops."""
        connection = await asyncpg.connect(self.superuser_dsn)
        try:
            yield connection
        finally:
            await connection.close()


async def note(tx: Transaction, ticket_id: UUID, text: str) -> None:
    """Have an effect that can be counted."""
    await add_entries(tx, ticket_id, [Entry(kind="probe", actor="test", occurred_at=tx.now, text=text)])


def replies(count: int, *, desk_id: UUID | None = None, aggregate_id: UUID | None = None) -> list[Envelope]:
    """Return the first events of a ticket: replies by "1", "2", and so on."""
    desk_id, aggregate_id = desk_id or DESK, aggregate_id or uuid4()
    return [
        envelope(
            CustomerReplied(channel="email", by=str(version)),
            desk_id=desk_id,
            aggregate_id=aggregate_id,
            version=version,
        )
        for version in range(1, count + 1)
    ]


def envelope(event: Event, *, desk_id: UUID, aggregate_id: UUID, version: int, occurred_at: datetime = NOW) -> Envelope:
    """Return an event as it arrives."""
    return Envelope(
        id=uuid4(),
        producer=event.producer,
        type=event.type(),
        desk_id=desk_id,
        aggregate_id=aggregate_id,
        aggregate_version=version,
        occurred_at=occurred_at,
        recorded_at=occurred_at,
        correlation_id=uuid4(),
        data=event.model_dump(mode="json"),
    )
