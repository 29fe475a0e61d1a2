"""What cannot be handled is set aside where people find it; it is never lost and holds up nobody else."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import httpx
import pytest
from harness import Client, eventually
from integration.runtime.annex import NOW, Annex, replies

from plazo.events.envelope import Envelope
from plazo.events.tickets import CustomerReplied
from plazo.runtime.consumer import Consumer, Received
from plazo.runtime.identity import new_key
from plazo.runtime.service import Service
from plazo.runtime.unit_of_work import UnitOfWork
from plazo.runtime.web import create_app
from tickets.schemas.desks import DeskCreate
from tickets.usecases.desks import create_desk


class Reader:
    """A running service that reads `tickets`, and its administrator."""

    def __init__(self, annex: Annex, client: Client, desk_id: UUID, consumer: Consumer) -> None:
        self.annex = annex
        self.client = client
        self.desk_id = desk_id
        self.consumer = consumer

    async def letters(self, **query: str) -> list[dict[str, object]]:
        """List dead letters over HTTP."""
        items: list[dict[str, object]] = (await self.client.ok("GET", "/v1/dead-letters", params=query))["items"]
        return items

    async def buried(self, *events: Envelope) -> None:
        """Wait until each of these events is a dead letter."""

        async def all_there() -> bool:
            found = {letter["event_id"] for letter in await self.letters()}
            return {str(event.id) for event in events} <= found

        await eventually(all_there)

    async def effects(self, events: Sequence[Envelope]) -> None:
        """Wait until exactly these events had their effect, in this order."""
        wanted = [event.data["by"] for event in events]

        async def reached() -> bool:
            return len(await self.annex.lines(events[0].aggregate_id)) >= len(wanted)

        await eventually(reached)
        assert await self.annex.lines(events[0].aggregate_id) == wanted


@pytest.fixture
async def reader(annex: Annex, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Reader]:
    """A service over the annex that fails where `annex.failing` says so, and does not take its time about it."""
    monkeypatch.setattr("plazo.runtime.consumer._BACK_OFF_SECONDS", (0.01, 0.01))
    monkeypatch.setattr("plazo.runtime.consumer._SWEEP_SECONDS", 0.2)
    async with running_reader(annex) as running:
        yield running


@asynccontextmanager
async def running_reader(annex: Annex) -> AsyncIterator[Reader]:
    async def write_line(uow: UnitOfWork, received: Received[CustomerReplied]) -> None:
        await annex.write_line(uow, received)

    service = Service(
        name="tickets",  # whose database it is
        title="reader",
        description="",
        routers=(),
        handlers={"tickets": {CustomerReplied: write_line}},
    )
    app = create_app(service, settings=annex.settings)
    async with app.router.lifespan_context(app):
        runtime, desk_id, key = app.state.runtime, uuid4(), new_key()
        await create_desk(
            runtime.unit_of_work(desk_id=desk_id, now=NOW), body=DeskCreate(name="Mesa", sandbox=True), key=key
        )
        client = Client(
            transport=httpx.ASGITransport(app=app),
            base_url="http://annex",
            headers={"Authorization": f"Bearer {key.token}"},
        )
        await eventually(lambda: connected(runtime.bus))
        yield Reader(annex, client, desk_id, runtime.consumers["tickets"])


async def connected(bus: object) -> bool:
    return bool(bus.is_connected)  # type: ignore[attr-defined]


async def test_event_that_fails_is_listed_and_replayed(reader: Reader):
    events = replies(3, desk_id=reader.desk_id)
    reader.annex.failing = {events[1].id: LookupError("no such thing")}
    bus = await reader.annex.bus()
    await bus.publish(events)
    await reader.buried(events[1])

    [letter] = await reader.letters()
    assert letter | {"failed_at": None} == {
        "event_id": str(events[1].id),
        "producer": "tickets",
        "type": "ticket.customer_replied.v1",
        "aggregate_id": str(events[1].aggregate_id),
        "aggregate_version": 2,
        "reason": "LookupError: no such thing",
        "failures": 1,
        "state": "open",
        "failed_at": None,
        "settled_at": None,
    }
    await reader.effects(events[:1])  # the third waits behind it

    problem = await reader.client.refused(409, "POST", f"/v1/dead-letters/{events[1].id}/replay")
    assert problem["type"] == "urn:plazo:problem:dead-letter-still-failing"
    assert "no such thing" in problem["detail"]

    reader.annex.failing = {}
    assert await reader.client.ok("POST", f"/v1/dead-letters/{events[1].id}/replay") == {"state": "replayed"}
    await reader.effects(events)
    assert await reader.letters() == []
    [replayed] = await reader.letters(state="replayed")
    assert replayed["settled_at"] is not None
    await reader.client.refused(404, "POST", f"/v1/dead-letters/{events[1].id}/replay")


async def test_discarded_event_has_no_effect_and_its_ticket_goes_on(reader: Reader):
    events = replies(4, desk_id=reader.desk_id)
    reader.annex.failing = {events[1].id: LookupError("no such thing")}
    await (await reader.annex.bus()).publish(events)
    await reader.buried(events[1])

    assert await reader.client.ok("POST", f"/v1/dead-letters/{events[1].id}/discard") == {"state": "discarded"}

    await reader.effects([events[0], *events[2:]])
    assert [letter["event_id"] for letter in await reader.letters(state="discarded")] == [str(events[1].id)]
    await reader.client.refused(404, "POST", f"/v1/dead-letters/{events[1].id}/discard")


async def test_one_ticket_s_dead_letter_holds_up_no_other(reader: Reader):
    broken, whole = replies(3, desk_id=reader.desk_id), replies(3, desk_id=reader.desk_id)
    reader.annex.failing = {broken[0].id: LookupError("no such thing")}
    # As bad as it can be: both in the same lane of the consumer.
    whole = [event.model_copy(update={"aggregate_id": same_lane(broken[0].aggregate_id)}) for event in whole]
    await (await reader.annex.bus()).publish([*broken, *whole])
    await reader.effects(whole)
    await reader.buried(broken[0])
    assert await reader.annex.lines(broken[0].aggregate_id) == []


def same_lane(aggregate_id: UUID) -> UUID:
    return UUID(int=aggregate_id.int ^ (1 << 64))


async def test_failing_payload_is_set_aside_too(reader: Reader):
    event = replies(1, desk_id=reader.desk_id)[0].model_copy(update={"data": {"channel": 7}})
    await (await reader.annex.bus()).publish([event])
    await reader.buried(event)
    [letter] = await reader.letters()
    assert str(letter["reason"]).startswith("ValidationError")


async def test_swept_event_that_fails_is_set_aside_after_its_predecessor_s_effect(reader: Reader):
    first, second = replies(2, desk_id=reader.desk_id)
    reader.annex.failing = {second.id: LookupError("no such thing")}
    bus = await reader.annex.bus()
    await bus.publish([second])
    await eventually(lambda: has_waiting(reader.annex, second.aggregate_id))
    await bus.publish([first])
    await reader.buried(second)
    assert await reader.annex.letters(first.aggregate_id) == [(2, "open", 1)]
    await reader.effects([first])


async def has_waiting(annex: Annex, aggregate_id: UUID) -> bool:
    return bool(await annex.waiting(aggregate_id))


async def test_letters_are_listed_in_pages_and_by_desk(reader: Reader):
    mine = [replies(1, desk_id=reader.desk_id)[0] for _ in range(5)]
    others = [replies(1)[0] for _ in range(2)]
    reader.annex.failing = {event.id: LookupError("no such thing") for event in (*mine, *others)}
    await (await reader.annex.bus()).publish([*others, *mine])
    await reader.buried(*mine)

    seen, cursor = [], None
    while True:
        query = {"limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = await reader.client.ok("GET", "/v1/dead-letters", params=query)
        seen += [letter["event_id"] for letter in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == sorted(str(event.id) for event in mine)
    await asyncio.gather(*(reader.client.refused(404, "POST", f"/v1/dead-letters/{o.id}/replay") for o in others))
