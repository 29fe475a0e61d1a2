"""An event takes effect once and in the order of its ticket, however it comes."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from harness import eventually
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from integration.runtime.annex import Annex, envelope, note, replies

from plazo.events.envelope import Envelope
from plazo.events.tickets import CustomerReplied, TicketReopened
from plazo.runtime import inbox
from plazo.runtime.bus import Bus, event_headers, parse_event, subject_of
from plazo.runtime.consumer import Consumer, Received
from plazo.runtime.database import Connection
from plazo.runtime.inbox import Ahead, NotYet, bury
from plazo.runtime.unit_of_work import UnitOfWork


@asynccontextmanager
async def reading(consumer: Consumer) -> AsyncIterator[None]:
    """Let a consumer run for the time of the block."""
    stopping = asyncio.Event()
    task = asyncio.create_task(consumer.run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


async def all_lines(annex: Annex, events: Sequence[Envelope]) -> bool:
    return len(await annex.lines(events[0].aggregate_id)) >= len(events)


def in_order(events: Sequence[Envelope]) -> list[str]:
    return [event.data["by"] for event in events]


class TestHandling:
    """Through `Consumer.handle`, one arrival at a time."""

    @pytest.mark.parametrize(
        "arrivals",
        [
            pytest.param([1, 2, 3, 4], id="in order"),
            pytest.param([4, 3, 2, 1], id="backwards"),
            pytest.param([2, 4, 1, 3], id="mixed"),
            pytest.param([1, 1, 2, 2, 3, 4, 1], id="each twice"),
            pytest.param([3, 3, 3, 2, 2, 4, 1, 1], id="early ones twice"),
        ],
    )
    async def test_effects_come_once_and_in_order(self, annex: Annex, arrivals: list[int]):
        events = replies(4)
        consumer = annex.consumer(await annex.bus())
        for version in arrivals:
            await consumer.handle(events[version - 1])
        ticket_id = events[0].aggregate_id
        assert await annex.lines(ticket_id) == ["1", "2", "3", "4"]
        assert await annex.waiting(ticket_id) == []

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(more=st.lists(st.integers(1, 5), max_size=6), data=st.data())
    async def test_order_of_arrival_does_not_matter(self, annex: Annex, more: list[int], data: st.DataObject):
        events = replies(5)
        consumer = annex.consumer(await annex.bus())
        for version in data.draw(st.permutations([1, 2, 3, 4, 5, *more])):
            await consumer.handle(events[version - 1])
        assert await annex.lines(events[0].aggregate_id) == in_order(events)

    async def test_those_behind_a_gap_wait(self, annex: Annex):
        events = replies(4)
        consumer = annex.consumer(await annex.bus())
        for version in (1, 3, 4):
            await consumer.handle(events[version - 1])
        ticket_id = events[0].aggregate_id
        assert (await annex.lines(ticket_id), await annex.waiting(ticket_id)) == (["1"], [3, 4])
        await consumer.handle(events[1])
        assert (await annex.lines(ticket_id), await annex.waiting(ticket_id)) == (["1", "2", "3", "4"], [])

    async def test_arrivals_at_once_have_one_effect_each(self, annex: Annex):
        events = replies(6)
        consumers = [annex.consumer(await annex.bus()) for _ in range(3)]
        await asyncio.gather(*(consumer.handle(event) for consumer in consumers for event in reversed(events)))
        # Whoever found its turn not come has put its event down; whoever had the turn called it.
        for event in events:
            await consumers[0].handle(event)
        assert await annex.lines(events[0].aggregate_id) == in_order(events)

    async def test_tickets_do_not_wait_for_each_other(self, annex: Annex):
        gap, whole = replies(3), replies(3)
        consumer = annex.consumer(await annex.bus())
        for one, other in zip(reversed(gap[1:]), whole, strict=False):
            await consumer.handle(one)
            await consumer.handle(other)
        assert await annex.lines(gap[0].aggregate_id) == []
        assert await annex.lines(whole[0].aggregate_id) == ["1", "2"]

    async def test_events_that_nobody_handles_advance_the_order(self, annex: Annex):
        first, _, third = replies(3)
        unhandled = envelope(
            TicketReopened(cycle=2, reason="x"), desk_id=first.desk_id, aggregate_id=first.aggregate_id, version=2
        )
        unknown = unhandled.model_copy(update={"id": uuid4(), "type": "ticket.renamed.v7", "aggregate_version": 4})
        consumer = annex.consumer(await annex.bus())
        for event in (first, unhandled, third, unknown):
            await consumer.handle(event)
        position = await annex.database.system.fetchval(
            "SELECT version FROM inbox_position WHERE aggregate_id = $1", first.aggregate_id
        )
        assert (await annex.lines(first.aggregate_id), position) == (["1", "3"], 4)

    async def test_event_of_a_desk_not_known_yet_waits_for_it(self, annex: Annex) -> None:
        bus = await annex.bus()
        [event] = replies(1, desk_id=uuid4())

        with pytest.raises(NotYet, match="desk"):
            await annex.consumer(bus).handle(event)

        assert await annex.lines(event.aggregate_id) == []

    async def test_handler_that_does_nothing_counts_as_done(self, annex: Annex):
        async def ignore(uow: UnitOfWork, received: Received[CustomerReplied]) -> None:
            """Have no effect, open no transaction."""

        events = replies(2)
        consumer = annex.consumer(await annex.bus(), handler=ignore)
        for event in reversed(events):
            await consumer.handle(event)
        assert await annex.waiting(events[0].aggregate_id) == []

    async def test_failed_effect_is_undone_whole(self, annex: Annex):
        [event] = replies(1)
        annex.failing = {event.id: LookupError("broken")}
        consumer = annex.consumer(await annex.bus())
        with pytest.raises(LookupError):
            await consumer.handle(event)
        assert await annex.lines(event.aggregate_id) == []
        annex.failing = {}
        await consumer.handle(event)
        assert await annex.lines(event.aggregate_id) == ["1"]

    async def test_failure_of_a_waiting_event_is_not_blamed_on_the_one_before(self, annex: Annex):
        first, second = replies(2)
        annex.failing = {second.id: LookupError("broken")}
        consumer = annex.consumer(await annex.bus())
        await consumer.handle(second)
        await consumer.handle(first)  # has its effect, whatever its follower does
        assert (await annex.lines(first.aggregate_id), await annex.waiting(first.aggregate_id)) == (["1"], [2])


class TestCauses:
    """What an event followed from takes effect before it, whichever stream is the faster."""

    async def test_come_first(self, annex: Annex):
        (event,) = replies(1)
        event = event.model_copy(update={"taken_in": {"billing": 2, "sla_clock": 9}})  # of which billing is read here
        consumer, charges = await readers(annex)
        with pytest.raises(Ahead, match="event 2 of billing"):
            await consumer.handle(event)
        for number in (1, 2):
            await charges.handle(charge(event, number))
        await consumer.handle(event)
        assert await annex.lines(event.aggregate_id) == ["1"]

    async def test_are_waited_for_behind_a_stream(self, annex: Annex):
        (event,) = replies(1)
        bus = await annex.bus()
        consumer, charges = await readers(annex)
        async with reading(consumer):
            await bus.publish([event.model_copy(update={"taken_in": {"billing": 1}})])
            await charges.handle(charge(event, 1))
            await eventually(lambda: all_lines(annex, [event]))

    async def test_are_not_waited_for_where_they_can_not_be_handled(self, annex: Annex):
        (event,) = replies(1)
        consumer, _ = await readers(annex)
        async with annex.unit_of_work(event.desk_id).begin() as tx:
            await bury(tx.connection, charge(event, 1), reason="a test")
        await consumer.handle(event.model_copy(update={"taken_in": {"billing": 1}}))
        assert await annex.lines(event.aggregate_id) == ["1"]

    async def test_are_told_with_what_follows(self, annex: Annex):
        async def reopen(uow: UnitOfWork, received: Received[CustomerReplied]) -> None:
            async with uow.begin() as tx:
                tx.emit(TicketReopened(cycle=2, reason="x"), about=received.envelope.aggregate_id, occurred_at=tx.now)

        events = replies(2)
        bus = await annex.bus()
        consumer = annex.consumer(bus, handler=reopen)
        for event in events:
            await consumer.handle(event)
        rows = await annex.database.system.fetch(
            "SELECT * FROM outbox WHERE aggregate_id = $1 ORDER BY seq", events[0].aggregate_id
        )
        assert [row["taken_in"] for row in rows] == [{"tickets": 1}, {"tickets": 2}]
        announced = events[0].model_copy(update={"taken_in": {"tickets": 1, "billing": 7}})
        assert parse_event(event_headers(announced), b"{}").taken_in == {"tickets": 1, "billing": 7}


async def readers(annex: Annex) -> tuple[Consumer, Consumer]:
    """Return the readers of two producers in one service."""
    bus, reads = await annex.bus(), ("tickets", "billing")
    return annex.consumer(bus, reads=reads), annex.consumer(bus, producer="billing", reads=reads)


def charge(event: Envelope, version: int) -> Envelope:
    """Return an event of billing about the same ticket."""
    change = {"id": uuid4(), "producer": "billing", "type": "charge.accrued.v1", "aggregate_version": version}
    return event.model_copy(update=change | {"taken_in": None})


class TestReading:
    """Through the bus."""

    @pytest.fixture(autouse=True)
    def _quick_sweeps(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("plazo.runtime.consumer._SWEEP_SECONDS", 0.2)

    @pytest.mark.parametrize("order", [[1, 2, 3, 4, 5], [5, 4, 3, 2, 1], [2, 1, 4, 3, 5]])
    async def test_puts_in_order_what_the_stream_has_mixed(self, annex: Annex, order: list[int]):
        events = replies(5)
        bus = await annex.bus()
        await bus.publish([events[version - 1] for version in order])
        async with reading(annex.consumer(bus)):
            await eventually(lambda: all_lines(annex, events))
        assert await annex.lines(events[0].aggregate_id) == in_order(events)

    async def test_two_readers_of_one_place_have_each_effect_once(self, annex: Annex):
        tickets = [replies(8) for _ in range(6)]
        buses = [await annex.bus() for _ in range(2)]
        consumers = [annex.consumer(bus) for bus in buses]
        await buses[0].publish([event for events in zip(*tickets, strict=True) for event in events])
        async with reading(consumers[0]), reading(consumers[1]):
            for events in tickets:
                await eventually(lambda events=events: all_lines(annex, events))
        for events in tickets:
            assert await annex.lines(events[0].aggregate_id) == in_order(events)

    async def test_ticket_with_much_to_do_holds_up_no_other(self, annex: Annex, monkeypatch: pytest.MonkeyPatch):
        # Two of its events are held, three are called at a time, and its first is not done before the other's is.
        monkeypatch.setattr("plazo.runtime.consumer._HELD_OF_ONE", 2)
        monkeypatch.setattr("plazo.runtime.consumer._HELD", 4)
        monkeypatch.setattr("plazo.runtime.consumer._CALLED_AT_ONCE", 3)
        busy, other = replies(20), replies(2)
        is_done = asyncio.Event()

        async def write(uow: UnitOfWork, received: Received[CustomerReplied]) -> None:
            if received.envelope.id == busy[0].id:
                await is_done.wait()
            await annex.write_line(uow, received)

        bus = await annex.bus()
        await bus.publish([*busy, *other])
        async with reading(annex.consumer(bus, handler=write)):
            await eventually(lambda: all_lines(annex, other))
            assert await annex.lines(busy[0].aggregate_id) == []
            is_done.set()
            await eventually(lambda: all_lines(annex, busy))
        assert await annex.lines(busy[0].aggregate_id) == in_order(busy)
        assert await annex.waiting(busy[0].aggregate_id) == []

    async def test_put_down_event_that_has_its_effect_meanwhile_is_forgotten(self, annex: Annex):
        events = replies(2)
        consumer = annex.consumer(await annex.bus())
        async with annex.unit_of_work(events[0].desk_id).begin() as tx:
            await inbox.put_down(tx.connection, events[0])
            await consumer.handle(events[0])  # by another replica, before the commit
        assert await annex.waiting(events[0].aggregate_id) == [1]

        async def is_forgotten() -> bool:
            return not await annex.waiting(events[0].aggregate_id)

        async with reading(consumer):
            await eventually(is_forgotten)
        async with annex.unit_of_work(events[0].desk_id).begin() as tx:
            await inbox.put_down(tx.connection, events[0])
            await inbox.put_down(tx.connection, events[1])
        assert await annex.waiting(events[0].aggregate_id) == [2]
        async with reading(consumer):
            await eventually(lambda: all_lines(annex, events))
        assert await annex.waiting(events[0].aggregate_id) == []

    async def test_stranded_event_is_swept_up(self, annex: Annex):
        """Its predecessor's handler died after the commit and before it called what waits behind."""
        events = replies(3)
        bus = await annex.bus()
        consumer = annex.consumer(bus)
        await consumer.handle(events[1])
        await annex.database.system.execute(
            "UPDATE inbox_position SET version = 1 WHERE aggregate_id = $1", events[0].aggregate_id
        )
        await consumer.handle(events[2])
        assert await annex.waiting(events[0].aggregate_id) == [2, 3]
        async with reading(consumer):
            await eventually(lambda: all_lines(annex, events[1:]))
        assert await annex.lines(events[0].aggregate_id) == ["2", "3"]

    async def test_stranded_event_that_awaits_something_holds_up_no_other_ticket(self, annex: Annex):
        blocked, free = replies(2), replies(2)
        annex.failing = {blocked[1].id: NotYet("something that never comes")}
        consumer = annex.consumer(await annex.bus())
        for events in (blocked, free):
            await consumer.handle(events[1])
            await annex.database.system.execute(
                "UPDATE inbox_position SET version = 1 WHERE aggregate_id = $1", events[0].aggregate_id
            )
        async with reading(consumer):
            await eventually(lambda: all_lines(annex, free[1:]))
        assert (await annex.lines(blocked[0].aggregate_id), await annex.letters(blocked[0].aggregate_id)) == ([], [])
        await consumer.handle(blocked[1].model_copy(update={"id": uuid4()}))  # leave nothing for the next sweep

    async def test_event_waits_for_what_another_ticket_brings(self, annex: Annex):
        needed, asking = replies(1), replies(2)

        async def wait_for_it(uow: UnitOfWork, received: Received[CustomerReplied]) -> None:
            async with uow.begin() as tx:
                event = received.envelope
                if event.id == asking[0].id and not await known(tx.connection):
                    raise NotYet("the other ticket's line")
                await note(tx, event.aggregate_id, received.payload.by)

        async def known(connection: Connection) -> bool:
            found: bool = await connection.fetchval(
                "SELECT EXISTS (SELECT FROM inbox_position WHERE aggregate_id = $1)", needed[0].aggregate_id
            )
            return found

        needed = [event.model_copy(update={"desk_id": asking[0].desk_id}) for event in needed]
        bus = await annex.bus()
        consumer = annex.consumer(bus, handler=wait_for_it)
        with pytest.raises(NotYet):
            await consumer.handle(asking[0])
        await bus.publish(asking)
        async with reading(consumer):
            await asyncio.sleep(0.3)
            assert await annex.lines(asking[0].aggregate_id) == []
            await bus.publish(needed)
            await eventually(lambda: all_lines(annex, asking))
        assert await annex.lines(asking[0].aggregate_id) == ["1", "2"]
        assert await annex.letters(asking[0].aggregate_id) == []

    async def test_events_that_await_something_leave_room_for_the_others(
        self, annex: Annex, monkeypatch: pytest.MonkeyPatch
    ):
        # The bus has room for 4 unfinished events, and 6 await what never comes.
        monkeypatch.setattr("plazo.runtime.bus._MAX_UNFINISHED", 4)
        monkeypatch.setattr("plazo.runtime.consumer._NOT_YET_ATTEMPTS", 2)
        awaiting = {event.aggregate_id: event for event in (replies(1)[0] for _ in range(6))}
        free = replies(1)

        async def wait_in_vain(uow: UnitOfWork, received: Received[CustomerReplied]) -> None:
            if received.envelope.aggregate_id in awaiting:
                raise NotYet("what never comes")
            await annex.write_line(uow, received)

        bus = await annex.bus()
        await bus._jetstream().purge_stream("PLAZO_TICKETS")  # what other tests left would come first, four at a time
        await bus.publish([*awaiting.values(), *free])
        async with reading(annex.consumer(bus, handler=wait_in_vain)):
            await eventually(lambda: all_lines(annex, free), seconds=60)
        await annex.database.system.execute("DELETE FROM inbox_waiting")  # leave nothing for the next sweep

    @pytest.mark.parametrize(
        ("change", "body", "reason"),
        [
            pytest.param(lambda headers: headers.pop("ce-id"), b"{}", "ce-id", id="a header is missing"),
            pytest.param(lambda headers: headers.update({"ce-desk": "7"}), b"{}", "UUID", id="a header is wrong"),
            pytest.param(lambda headers: None, b"{", "EOF", id="the body is no JSON"),
            pytest.param(
                lambda headers: headers.update({"ce-time": "2026-05-04T13:00:00"}), b"{}", "occurred_at", id="naive"
            ),
            pytest.param(
                lambda headers: headers.update({"ce-aggregateversion": "9" * 30}), b"{}", "aggregateversion", id="huge"
            ),
            pytest.param(lambda headers: headers.update({"ce-type": "a\x00b"}), b"{}", "published on", id="U+0000"),
            pytest.param(lambda headers: None, b'{"a": 1e999}', "have an end", id="a number without end"),
        ],
    )
    async def test_message_that_is_no_event_is_kept_and_passed_by(
        self, annex: Annex, change: Callable[[dict[str, str]], object], body: bytes, reason: str
    ):
        events = replies(1)
        bus = await annex.bus()
        await publish_raw(bus, events[0].model_copy(update={"id": uuid4()}), change=change, body=body)
        await bus.publish(events)
        marker = f"%{events[0].aggregate_id}%"
        async with reading(annex.consumer(bus)):
            await eventually(lambda: all_lines(annex, events))
        kept = await annex.database.system.fetch(
            "SELECT body, reason FROM malformed_message WHERE headers::text LIKE $1", marker
        )
        assert [row["body"] for row in kept] == [body]
        assert reason in kept[0]["reason"]


async def publish_raw(bus: Bus, event: Envelope, *, change: Callable[[dict[str, str]], object], body: bytes) -> None:
    """Put something on an event's subject that is no event."""
    await bus.ensure_stream(event.producer)
    headers = event_headers(event)
    change(headers)
    await bus._jetstream().publish(subject_of(event), body, headers=headers)
