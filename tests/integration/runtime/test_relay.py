"""The relay brings every committed event to the bus, in the order of its ticket, whatever breaks on the way."""

import asyncio
from collections.abc import Sequence
from types import ModuleType
from uuid import UUID, uuid4

import httpx
import pytest
from harness import Client, eventually
from integration.runtime.annex import DESK, NOW, Annex

from plazo.events.envelope import Envelope
from plazo.events.tickets import CustomerReplied
from plazo.runtime import missed, relay
from plazo.runtime.bus import Bus, BusDown, Stored, parse_event
from plazo.runtime.database import OUTAGE
from plazo.runtime.identity import new_key
from plazo.runtime.web import create_app
from tickets.app import SERVICE
from tickets.schemas.desks import DeskCreate
from tickets.usecases.desks import create_desk


class CrashAfterPublishing:
    """A bus whose owner dies between the publication and the mark."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish(self, events: Sequence[Envelope]) -> list[UUID]:
        """Publish, and die."""
        await self._bus.publish(events)
        raise SystemExit


class Hesitates:
    """A bus that publishes when it is told to."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.asked = asyncio.Event()
        self.told = asyncio.Event()

    async def publish(self, events: Sequence[Envelope]) -> list[UUID]:
        """Publish, in time."""
        self.asked.set()
        await self.told.wait()
        return await self._bus.publish(events)


class StoresHalf:
    """A bus that stores every other event."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def publish(self, events: Sequence[Envelope]) -> list[UUID]:
        """Publish the first, the third, …"""
        return await self._bus.publish(events[::2])


async def announce(annex: Annex, desk_id: UUID, aggregate_id: UUID, *, times: int) -> None:
    async with annex.unit_of_work(desk_id).begin() as tx:
        for _ in range(times):
            tx.emit(CustomerReplied(channel="email", by="x"), about=aggregate_id, occurred_at=NOW)


async def arrivals(bus: Bus, desk_id: UUID, *, count: int) -> dict[UUID, list[int]]:
    """Return the versions of a desk's events by aggregate, in the order in which the stream has them."""
    subscription = await bus.subscribe("tickets", consumer=f"watch-{uuid4()}")
    found: dict[UUID, list[int]] = {}
    async with asyncio.timeout(10):
        while sum(map(len, found.values())) < count:
            for delivery in await subscription.fetch(at_most=500, seconds=1):
                if delivery.headers["ce-desk"] == str(desk_id):
                    event = parse_event(delivery.headers, delivery.body)
                    found.setdefault(event.aggregate_id, []).append(event.aggregate_version)
    assert not [
        delivery
        for delivery in await subscription.fetch(at_most=500, seconds=0.1)
        if delivery.headers["ce-desk"] == str(desk_id)
    ], "more came than was announced"
    await subscription.close()
    return found


async def unpublished(annex: Annex, desk_id: UUID) -> int:
    count: int = await annex.database.system.fetchval(
        "SELECT count(*) FROM outbox WHERE desk_id = $1 AND published_at IS NULL", desk_id
    )
    return count


async def test_two_relays_keep_the_order_of_every_ticket(annex: Annex):
    desk_id, aggregates = uuid4(), [uuid4() for _ in range(5)]
    relays = [annex.relay(await annex.bus()) for _ in range(2)]
    writing = True

    async def write(aggregate_id: UUID) -> None:
        for times in (1, 3, 2, 1, 3):
            await announce(annex, desk_id, aggregate_id, times=times)

    async def publish(index: int) -> None:
        while writing or await unpublished(annex, desk_id):
            await relays[index].publish_batch()

    publishing = [asyncio.create_task(publish(index)) for index in range(2)]
    await asyncio.gather(*(write(aggregate_id) for aggregate_id in aggregates))
    writing = False
    await asyncio.gather(*publishing)

    found = await arrivals(await annex.bus(), desk_id, count=50)  # 5 tickets with 1 + 3 + 2 + 1 + 3 events
    assert found == {aggregate_id: list(range(1, 11)) for aggregate_id in aggregates}


async def test_one_relay_publishes_at_a_time(annex: Annex):
    """Otherwise a slow one could bring an old event behind newer ones, once the bus has forgotten its id."""
    bus = await annex.bus()
    slow = Hesitates(bus)
    await announce(annex, uuid4(), uuid4(), times=2)
    first = asyncio.create_task(annex.relay(slow).publish_batch())
    await slow.asked.wait()
    second = asyncio.create_task(annex.relay(bus).publish_batch())
    await asyncio.sleep(0.2)
    assert not second.done()
    slow.told.set()
    assert (await first >= 2, await second) == (True, 0)


@pytest.mark.parametrize("module", [pytest.param(relay, id="publishing"), pytest.param(missed, id="answering")])
async def test_who_stands_still_in_its_turn_loses_it(annex: Annex, module: ModuleType):
    """As a process that is stopped does. The turn has a tenth of its time here."""
    bus, desk_id = await annex.bus(), uuid4()
    await announce(annex, desk_id, desk_id, times=2)
    async with annex.database.system.acquire() as stalled:
        turn = stalled.transaction()
        await turn.start()
        await stalled.execute(module._TAKE_TURN.replace("'12s'", "'1200ms'"), relay.LOCK)
        async with asyncio.timeout(6):
            assert await annex.relay(bus).publish_batch() >= 2
        with pytest.raises(OUTAGE):  # what it held is not its own any more
            await stalled.execute("SELECT")
    assert await unpublished(annex, desk_id) == 0


async def test_crash_before_the_mark_publishes_again_with_one_effect(annex: Annex):
    desk_id, ticket_id = DESK, uuid4()
    bus = await annex.bus()
    await announce(annex, desk_id, ticket_id, times=2)

    with pytest.raises(SystemExit):
        await annex.relay(CrashAfterPublishing(bus)).publish_batch()
    assert await unpublished(annex, desk_id) == 2
    await annex.relay(bus).publish_batch()
    assert await unpublished(annex, desk_id) == 0

    stopping = asyncio.Event()
    reading = asyncio.create_task(annex.consumer(bus).run(stopping))

    async def effects() -> bool:
        return len(await annex.lines(ticket_id)) >= 2

    await eventually(effects)
    stopping.set()
    await reading
    assert await annex.lines(ticket_id) == ["x", "x"]


async def test_what_was_not_stored_is_published_at_the_next_turn(annex: Annex):
    desk_id, ticket_id = uuid4(), uuid4()
    bus = await annex.bus()
    await announce(annex, desk_id, ticket_id, times=4)
    while await annex.relay(StoresHalf(bus)).publish_batch():
        assert await unpublished(annex, desk_id) < 4
    assert await unpublished(annex, desk_id) == 0
    found = await arrivals(bus, desk_id, count=4)
    assert sorted(found[ticket_id]) == [1, 2, 3, 4]  # the readers' inbox puts them in order again


async def test_without_nats_nothing_is_marked(annex: Annex):
    desk_id = uuid4()
    bus = await annex.bus()
    await announce(annex, desk_id, desk_id, times=3)
    await bus.close()
    with pytest.raises(BusDown):
        await annex.relay(bus).publish_batch()
    assert await unpublished(annex, desk_id) == 3
    assert await annex.relay(await annex.bus()).publish_batch() >= 3


async def test_an_error_that_nobody_thought_of_does_not_end_the_relay(annex: Annex, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(relay, "_SWEEP_SECONDS", 0.05)
    bus, desk_id = await annex.bus(), uuid4()
    publish, failures = bus.publish, [LookupError("odd"), BusDown("away"), ValueError("odder")]

    async def fail_at_first(events: Sequence[Envelope]) -> Stored:
        if failures:
            raise failures.pop()
        return await publish(events)

    async def nothing_is_left() -> bool:
        return await unpublished(annex, desk_id) == 0

    monkeypatch.setattr(bus, "publish", fail_at_first)
    await announce(annex, desk_id, desk_id, times=2)
    running = asyncio.create_task(annex.relay(bus).run())
    try:
        await eventually(nothing_is_left)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert failures == []


async def test_marking_a_batch_does_not_read_the_whole_ledger(annex: Annex):
    """The outbox is never emptied: what is done after each commit must not grow with it."""
    async with annex.superuser() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch("EXPLAIN " + relay._MARK, [uuid4()], "x", 0, 1)
    assert "Seq Scan" not in "\n".join(row[0] for row in plan)


async def test_service_works_without_nats_and_catches_up_by_itself(annex: Annex):
    app = create_app(SERVICE, settings=annex.settings)
    async with app.router.lifespan_context(app):
        runtime, key = app.state.runtime, new_key()
        desk_id = uuid4()
        await create_desk(
            runtime.unit_of_work(desk_id=desk_id, now=NOW), body=DeskCreate(name="Mesa", sandbox=True), key=key
        )
        client = Client(
            transport=httpx.ASGITransport(app=app),
            base_url="http://annex",
            headers={"Authorization": f"Bearer {key.token}"},
        )

        async def readiness(wanted: str) -> bool:
            return bool((await client.ok("GET", "/readyz"))["checks"]["bus"] == wanted)

        async def nothing_is_left() -> bool:
            return await unpublished(annex, desk_id) == 0

        await eventually(lambda: readiness("ok"))
        await eventually(nothing_is_left)
        await annex.nats.stop()
        try:
            await eventually(lambda: readiness("away"))
            for number in range(3):
                await client.ok("POST", "/v1/customers", json={"name": f"Cliente {number}"})
            state = await client.ok("GET", "/readyz")
            assert (state["status"], state["checks"]["bus"], state["checks"]["relay_backlog"]) == (
                "degraded",
                "away",
                3,
            )
            assert await unpublished(annex, desk_id) == 3
        finally:
            await annex.nats.start()

        await eventually(nothing_is_left)
        await eventually(lambda: readiness("ok"))
        assert sum(map(len, (await arrivals(runtime.bus, desk_id, count=4)).values())) == 4
