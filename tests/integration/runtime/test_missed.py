"""What the stream can no longer bring is asked for: a reader lacks nothing that was ever announced."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID, uuid4

import pytest
from harness import eventually
from integration.runtime.annex import DESK, NOW, Annex

from plazo.events.tickets import CustomerReplied
from plazo.runtime import consumer, missed
from plazo.runtime.bus import Bus, BusDown
from plazo.runtime.missed import MissedEvents, MissedEventsOfOurs
from plazo.runtime.relay import Relay


@pytest.fixture
async def bus(annex: Annex, monkeypatch: pytest.MonkeyPatch) -> Bus:
    """A bus on which the annex answers its readers. What other tests left is out of the way."""
    monkeypatch.setattr(consumer, "_SWEEP_SECONDS", 0.1)
    bus = await annex.bus()
    await MissedEventsOfOurs(database=annex.database, bus=bus, producer="tickets").serve()
    async with annex.superuser() as connection:
        await connection.execute("TRUNCATE outbox, outbox_version, inbox_position, inbox_waiting, inbox_stream")
    return bus


async def announce(annex: Annex, aggregate_id: UUID, *by: str) -> None:
    async with annex.unit_of_work(DESK).begin() as tx:
        for name in by:
            tx.emit(CustomerReplied(channel="email", by=name), about=aggregate_id, occurred_at=NOW)


async def publish_all(annex: Annex, bus: Bus) -> Relay:
    relay = annex.relay(bus)
    await relay._know_stream()
    while await relay.publish_batch():
        pass
    return relay


@asynccontextmanager
async def reading(annex: Annex, bus: Bus) -> AsyncIterator[None]:
    """Run a reader of `tickets`."""
    stopping = asyncio.Event()
    task = asyncio.create_task(annex.consumer(bus).run(stopping))
    yield
    stopping.set()
    await task


def has_lines(annex: Annex, aggregate_id: UUID, *expected: str) -> Callable[[], Awaitable[bool]]:
    async def question() -> bool:
        return await annex.lines(aggregate_id) == list(expected)

    return question


def store(annex: Annex) -> Path:
    return Path(json.loads(annex.nats.environment["PLAZO_NATS_STORE"]))


async def restart_nats(annex: Annex, bus: Bus, change: Callable[[], object]) -> None:
    """Kill NATS, change its folder, and start it again."""
    connections = bus.connections
    annex.nats.kill()
    await annex.nats.ended()
    change()
    await annex.nats.start()

    async def is_back() -> bool:
        return bus.is_connected and bus.connections > connections

    await eventually(is_back)


async def test_what_was_in_a_stream_that_is_lost_comes_once(annex: Annex, bus: Bus):
    seen, unseen, unpublished = uuid4(), uuid4(), uuid4()
    await announce(annex, seen, "1", "2")
    await publish_all(annex, bus)
    async with reading(annex, bus):
        await eventually(has_lines(annex, seen, "1", "2"))

    await announce(annex, seen, "3")
    await announce(annex, unseen, "1", "2")
    relay = await publish_all(annex, bus)
    await announce(annex, unpublished, "1")
    await restart_nats(annex, bus, lambda: shutil.rmtree(store(annex)))
    async with reading(annex, bus):
        await relay._know_stream()
        assert await relay.publish_batch() == 1  # what had been published is not published again
        await eventually(has_lines(annex, seen, "1", "2", "3"))
        await eventually(has_lines(annex, unseen, "1", "2"))
        await eventually(has_lines(annex, unpublished, "1"))


async def test_a_reader_notices_while_it_reads(annex: Annex, bus: Bus):
    """It holds a place that is gone; the bus would not say so."""
    ticket_id = uuid4()
    await announce(annex, ticket_id, "1")
    relay = await publish_all(annex, bus)
    async with reading(annex, bus):
        await eventually(has_lines(annex, ticket_id, "1"))
        await bus._jetstream().delete_stream("PLAZO_TICKETS")
        await announce(annex, ticket_id, "2")
        with pytest.raises(BusDown):
            await relay.publish_batch()
        await relay.publish_batch()
        await eventually(has_lines(annex, ticket_id, "1", "2"))


async def test_an_older_copy_of_the_stream_is_noticed(annex: Annex, bus: Bus, tmp_path: Path):
    before, after = uuid4(), uuid4()
    await announce(annex, before, "1")
    await publish_all(annex, bus)
    async with reading(annex, bus):
        await eventually(has_lines(annex, before, "1"))
    await restart_nats(annex, bus, lambda: shutil.copytree(store(annex), tmp_path / "copy"))

    await announce(annex, after, "1", "2")
    relay = await publish_all(annex, bus)

    def put_back() -> None:
        shutil.rmtree(store(annex))
        shutil.copytree(tmp_path / "copy", store(annex))

    name = (await bus.ensure_stream("tickets")).name
    await restart_nats(annex, bus, put_back)
    assert (await bus.ensure_stream("tickets")).name == name
    await relay._know_stream()
    assert (await bus.ensure_stream("tickets")).name != name
    async with reading(annex, bus):
        await eventually(has_lines(annex, after, "1", "2"))
        await eventually(has_lines(annex, before, "1"))


async def test_a_new_reader_gets_what_the_stream_has_long_forgotten(
    annex: Annex, bus: Bus, monkeypatch: pytest.MonkeyPatch
):
    """In pages, and range by range: 9 tickets of 5 events each, of which some are known."""
    monkeypatch.setattr(missed, "_RANGE", 2)
    monkeypatch.setattr(missed, "_PAGE", 3)
    tickets = [uuid4() for _ in range(9)]
    for ticket_id in tickets:
        await announce(annex, ticket_id, "1", "2")
    await publish_all(annex, bus)
    async with reading(annex, bus):
        for ticket_id in tickets:
            await eventually(has_lines(annex, ticket_id, "1", "2"))
    for ticket_id in (*tickets[:7], new := uuid4()):
        await announce(annex, ticket_id, "3", "4", "5")
    await publish_all(annex, bus)
    await bus._jetstream().purge_stream("PLAZO_TICKETS")

    async with annex.superuser() as connection:  # as if it had been away for more than a week
        await connection.execute("UPDATE inbox_stream SET seen_at = now() - interval '8 days'")
    async with reading(annex, bus):
        for ticket_id in tickets[:7]:
            await eventually(has_lines(annex, ticket_id, "1", "2", "3", "4", "5"))
        await eventually(has_lines(annex, new, "3", "4", "5"))
    assert await annex.lines(tickets[7]) == ["1", "2"]


async def test_large_events_come_in_smaller_pages(annex: Annex, bus: Bus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(missed, "_PAGE_BYTES", 700)  # one of these has more than 400
    ticket_id = uuid4()
    await announce(annex, ticket_id, *"12345")
    sizes = []

    async def take_in(events: object) -> None:
        sizes.append(len(list(events)))  # type: ignore[call-overload]

    fetching = MissedEvents(database=annex.database, bus=bus, service=f"reader-{uuid4()}", producer="tickets")
    await fetching.fetch(take_in)
    assert sizes == [1, 1, 1, 1, 1]


async def test_a_failure_on_the_way_begins_anew(annex: Annex, bus: Bus):
    await announce(annex, uuid4(), "1")
    taken = []

    async def take_in(events: object) -> None:
        taken.append(events)
        if len(taken) == 1:
            raise TimeoutError

    fetching = MissedEvents(database=annex.database, bus=bus, service=f"reader-{uuid4()}", producer="tickets")
    with pytest.raises(TimeoutError):
        await fetching.fetch(take_in)
    await fetching.fetch(take_in)
    await fetching.fetch(take_in)
    assert [len(events) for events in taken] == [1, 1]


async def test_a_stream_that_is_known_costs_no_comparison(annex: Annex, bus: Bus):
    await announce(annex, uuid4(), "1")
    taken = []

    async def take_in(events: object) -> None:
        taken.append(events)

    for _ in range(2):  # the second process of the same service
        fetching = MissedEvents(database=annex.database, bus=bus, service="reader", producer="tickets")
        await fetching.fetch(take_in)
    assert len(taken) == 1
