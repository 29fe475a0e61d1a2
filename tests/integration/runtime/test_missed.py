"""What the stream can no longer bring is asked for: a reader lacks nothing that was ever announced."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from harness import House, eventually
from integration.runtime.annex import DESK, NOW, Annex

from plazo.events.envelope import Envelope
from plazo.events.tickets import CustomerReplied
from plazo.runtime import consumer, missed
from plazo.runtime.bus import Bus, BusDown
from plazo.runtime.consumer import Consumer
from plazo.runtime.missed import MissedEvents, MissedEventsOfOurs
from plazo.runtime.outbox import LARGEST_EVENT
from plazo.runtime.relay import Relay


@pytest.fixture
async def bus(annex: Annex, monkeypatch: pytest.MonkeyPatch) -> Bus:
    """A bus on which the annex answers its readers. What other tests left is out of the way."""
    monkeypatch.setattr(consumer, "_SWEEP_SECONDS", 0.1)
    bus = await annex.bus()
    await MissedEventsOfOurs(database=annex.database, bus=bus, producer="tickets").serve()
    async with annex.superuser() as connection:
        await connection.execute(
            "TRUNCATE outbox, outbox_version, outbox_stream, inbox_position, inbox_waiting, inbox_stream"
        )
    await bus._jetstream().purge_stream("PLAZO_TICKETS")
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
async def reading(annex: Annex, bus: Bus, reader: Consumer | None = None) -> AsyncIterator[Consumer]:
    """Run a reader of `tickets`."""
    stopping = asyncio.Event()
    reader = reader or annex.consumer(bus)
    task = asyncio.create_task(reader.run(stopping))
    try:
        yield reader
    finally:
        stopping.set()
        await task


async def is_compared(reader: Consumer) -> None:
    """Wait until a reader has compared: only a new name, or the time, makes another do it again."""

    async def question() -> bool:
        return reader.missed._compared != ""

    await eventually(question)


async def make_it_time_to_compare(annex: Annex) -> None:
    """Let the last comparison have been long ago."""
    async with annex.superuser() as connection:
        await connection.execute("UPDATE inbox_stream SET seen_at = now() - interval '1 hour'")


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
    async with reading(annex, bus) as reader:
        await eventually(has_lines(annex, seen, "1", "2"))
        await is_compared(reader)

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
    async with reading(annex, bus) as reader:
        await eventually(has_lines(annex, ticket_id, "1"))
        await is_compared(reader)
        await bus._jetstream().delete_stream("PLAZO_TICKETS")
        await announce(annex, ticket_id, "2")
        with pytest.raises(BusDown):
            await relay.publish_batch()
        await relay.publish_batch()
        await eventually(has_lines(annex, ticket_id, "1", "2"))
        await announce(annex, ticket_id, "3")
        await relay.publish_batch()
        await eventually(has_lines(annex, ticket_id, "1", "2", "3"))


@pytest.mark.parametrize("is_idle", [pytest.param(True, id="at a look"), pytest.param(False, id="as it publishes")])
async def test_an_older_copy_of_the_stream_is_noticed(annex: Annex, bus: Bus, tmp_path: Path, is_idle: bool):
    before, after = uuid4(), uuid4()
    await announce(annex, before, "1")
    await publish_all(annex, bus)
    async with reading(annex, bus) as reader:
        await eventually(has_lines(annex, before, "1"))
        await is_compared(reader)
    await restart_nats(annex, bus, lambda: shutil.copytree(store(annex), tmp_path / "copy"))

    await announce(annex, after, "1", "2")
    relay = await publish_all(annex, bus)

    def put_back() -> None:
        shutil.rmtree(store(annex))
        shutil.copytree(tmp_path / "copy", store(annex))

    await restart_nats(annex, bus, put_back)
    if is_idle:
        await relay._know_stream()
    else:  # it publishes to the older stream before it has looked, and more than is missing
        await announce(annex, later := uuid4(), "1", "2", "3")
        await relay.publish_batch()
    async with reading(annex, bus):
        await eventually(has_lines(annex, after, "1", "2"))
        await eventually(has_lines(annex, before, "1"))
        if not is_idle:
            await eventually(has_lines(annex, later, "1", "2", "3"))


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
    async with reading(annex, bus) as reader:
        for ticket_id in tickets:
            await eventually(has_lines(annex, ticket_id, "1", "2"))
        await is_compared(reader)
    for ticket_id in (*tickets[:7], new := uuid4()):
        await announce(annex, ticket_id, "3", "4", "5")
    await publish_all(annex, bus)
    await bus._jetstream().purge_stream("PLAZO_TICKETS")

    await make_it_time_to_compare(annex)
    async with reading(annex, bus):
        for ticket_id in tickets[:7]:
            await eventually(has_lines(annex, ticket_id, "1", "2", "3", "4", "5"))
        await eventually(has_lines(annex, new, "3", "4", "5"))
    assert await annex.lines(tickets[7]) == ["1", "2"]


async def test_large_events_come_in_smaller_pages(annex: Annex, bus: Bus, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(missed, "_PAGE_BYTES", 700)  # one of these has more than 400
    await announce(annex, uuid4(), *"12345")
    await annex.relay(bus)._know_stream()
    sizes = []

    async def take_in(events: object) -> None:
        sizes.append(len(list(events)))  # type: ignore[call-overload]

    fetching = MissedEvents(database=annex.database, bus=bus, service=f"reader-{uuid4()}", producer="tickets")
    await fetching.fetch(take_in)
    assert sizes == [1, 1, 1, 1, 1]


async def test_the_largest_events_come_by_the_stream_and_by_an_answer(annex: Annex, bus: Bus):
    by = "1" * (LARGEST_EVENT - len(CustomerReplied(channel="email", by="").model_dump_json()))
    await announce(annex, published := uuid4(), by, by)
    await publish_all(annex, bus)
    async with reading(annex, bus) as reader:
        await eventually(has_lines(annex, published, by, by))
        await is_compared(reader)
        await bus._jetstream().delete_stream("PLAZO_TICKETS")
        await announce(annex, asked_for := uuid4(), by, by)
        relay = annex.relay(bus)
        await relay._know_stream()
        await eventually(has_lines(annex, asked_for, by, by))


async def test_nothing_is_brought_that_a_reader_has(annex: Annex, bus: Bus):
    known, grown, new = uuid4(), uuid4(), uuid4()
    for ticket_id in (known, grown):
        await announce(annex, ticket_id, "1", "2")
    await annex.relay(bus)._know_stream()
    reader, brought = annex.consumer(bus), []
    await reader.missed.fetch(reader._take_in)
    await announce(annex, grown, "3", "4")
    await announce(annex, new, "1")

    async def take_in(events: Sequence[Envelope]) -> None:
        brought.extend((event.aggregate_id, event.aggregate_version) for event in events)

    await make_it_time_to_compare(annex)
    reader.missed._compare_at = 0.0
    await reader.missed.fetch(take_in)
    assert sorted(brought) == sorted([(grown, 3), (grown, 4), (new, 1)])


async def test_a_failure_on_the_way_begins_anew(annex: Annex, bus: Bus):
    await announce(annex, uuid4(), "1")
    await annex.relay(bus)._know_stream()
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


async def test_a_stream_that_was_compared_costs_no_other_comparison(annex: Annex, bus: Bus):
    await announce(annex, uuid4(), "1")
    relay = await publish_all(annex, bus)
    taken = []

    async def take_in(events: object) -> None:
        taken.append(events)

    for name in "23":  # the second process of the same service
        fetching = MissedEvents(database=annex.database, bus=bus, service="reader", producer="tickets")
        await fetching.fetch(take_in)
        await announce(annex, uuid4(), name)
        await relay.publish_batch()
        relay._look_at = 0.0
        await relay._know_stream()  # it ends where we left it
    assert len(taken) == 1


async def test_a_reader_whose_database_was_put_back_gets_again_what_it_had_acknowledged(annex: Annex, bus: Bus):
    ticket_id = uuid4()
    await announce(annex, ticket_id, "1", "2")
    await publish_all(annex, bus)
    reader = annex.consumer(bus)
    async with reading(annex, bus, reader):
        await eventually(has_lines(annex, ticket_id, "1", "2"))
        await is_compared(reader)
        async with annex.superuser() as connection, connection.transaction():
            await connection.execute("UPDATE inbox_position SET version = 1 WHERE aggregate_id = $1", ticket_id)
        await make_it_time_to_compare(annex)
        reader.missed._compare_at = 0.0
        await eventually(has_lines(annex, ticket_id, "1", "2", "2"))  # its effect had not been put back


async def test_a_producer_whose_database_was_put_back_is_told(annex: Annex, bus: Bus, monkeypatch: pytest.MonkeyPatch):
    """It gives numbers again that it gave before. Nothing of that is dropped in silence."""
    monkeypatch.setattr(consumer, "_BACK_OFF_SECONDS", (0.01,))
    ticket_id, other = uuid4(), uuid4()
    await announce(annex, ticket_id, "1", "2")
    await announce(annex, other, "1")
    relay = await publish_all(annex, bus)
    reader = annex.consumer(bus)
    async with reading(annex, bus, reader):
        await eventually(has_lines(annex, ticket_id, "1", "2"))
        await eventually(has_lines(annex, other, "1"))

        await is_compared(reader)
        assert reader.missed.forgotten == 0
        async with annex.superuser() as connection, connection.transaction():
            await connection.execute("DELETE FROM outbox WHERE aggregate_id = $1 AND aggregate_version = 2", ticket_id)
            await connection.execute("UPDATE outbox_version SET version = 1 WHERE aggregate_id = $1", ticket_id)
            await connection.execute("UPDATE outbox_stream SET last_seq = last_seq - 1")
        relay._look_at = 0.0
        await relay._know_stream()

        async def is_told() -> bool:
            return reader.missed.forgotten == 1

        await eventually(is_told)
        # Each process that asks finds it out, also one that comes later.
        later = MissedEvents(database=annex.database, bus=bus, service="reader", producer="tickets")
        await later.fetch(reader._take_in)
        assert later.forgotten == 1
        await announce(annex, ticket_id, "another 2")
        await announce(annex, other, "2")
        await relay.publish_batch()
        await eventually(has_lines(annex, other, "1", "2"))

        async def is_set_aside() -> bool:
            return [letter[:2] for letter in await annex.letters(ticket_id)] == [(2, "open")]

        await eventually(is_set_aside)
    assert await annex.lines(ticket_id) == ["1", "2"]


async def test_a_comparison_goes_on_while_events_come_and_the_stream_is_lost_again(
    annex: Annex, bus: Bus, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(missed, "_RANGE", 2)
    monkeypatch.setattr(missed, "_PAGE", 3)
    tickets = sorted(uuid4() for _ in range(5))
    for ticket_id in tickets:
        await announce(annex, ticket_id, "1", "2")
    relay = await publish_all(annex, bus)
    await bus._jetstream().purge_stream("PLAZO_TICKETS")
    readers = [annex.consumer(bus) for _ in range(2)]  # they have one inbox, as two replicas do
    take_in, pages = readers[0]._take_in, 0

    async def disturb(events: Sequence[Envelope]) -> None:
        nonlocal pages
        pages += 1
        await take_in(events)
        if pages == 2:  # of tickets that it has passed, and some that it has not
            for ticket_id in tickets:
                await announce(annex, ticket_id, "3")
            await relay.publish_batch()
            await bus._jetstream().delete_stream("PLAZO_TICKETS")
            await announce(annex, tickets[0], "4")
            with pytest.raises(BusDown):
                await relay.publish_batch()
            await relay.publish_batch()

    monkeypatch.setattr(readers[0], "_take_in", disturb)
    async with reading(annex, bus, readers[0]), reading(annex, bus, readers[1]):
        await eventually(has_lines(annex, tickets[0], "1", "2", "3", "4"))
        for ticket_id in tickets[1:]:
            await eventually(has_lines(annex, ticket_id, "1", "2", "3"))


async def test_neither_silence_nor_a_senseless_answer_ends_the_sweeps(
    annex: Annex, bus: Bus, monkeypatch: pytest.MonkeyPatch
):
    ticket_id = uuid4()
    await announce(annex, ticket_id, "1")
    await publish_all(annex, bus)
    await bus._jetstream().purge_stream("PLAZO_TICKETS")
    ask, answers = bus.ask, 0

    async def answer_nonsense(subject: str, question: Any, *, seconds: float) -> Any:
        nonlocal answers
        answers += 1
        if answers == 1:
            raise BusDown("nobody answered")
        return {"events": 7} if answers == 4 else await ask(subject, question, seconds=seconds)

    monkeypatch.setattr(bus, "ask", answer_nonsense)
    async with reading(annex, bus):
        await eventually(has_lines(annex, ticket_id, "1"))
    assert answers > 4


async def test_readiness_tells_of_both(house: House, monkeypatch: pytest.MonkeyPatch):
    async def checks() -> list[Any]:
        state = await house.client().ok("GET", "/billing/readyz")
        return [state["status"], state["checks"]["catching_up"], state["checks"]["forgotten"]]

    async def is_ready() -> bool:
        return await checks() == ["ready", {}, {}]

    await eventually(is_ready)
    asked = house.runtime("billing").consumers["tickets"].missed
    monkeypatch.setattr(asked, "fetched", 400)
    assert await checks() == ["degraded", {"tickets": 400}, {}]
    monkeypatch.setattr(asked, "fetched", 0)
    monkeypatch.setattr(asked, "forgotten", 3)
    assert await checks() == ["degraded", {}, {"tickets": 3}]
