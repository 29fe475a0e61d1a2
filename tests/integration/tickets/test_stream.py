"""The stream: nothing lost, nothing twice, over reconnections and commits that overtake each other."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID

import httpx
import pytest
from harness import DeskUnderTest, House, environment_of, eventually

from plazo.local.ports import choose_port
from tickets.repository.timeline import Entry, add_entries


@pytest.fixture
async def ticket(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a ticket of expande, at rest."""
    await desk.publish("expande")
    return await desk.open_ticket(await desk.customer("expande", plan="basic"))


class Stream:
    """An open stream, read as a browser would: over ASGI, for the test client waits for the end of a response."""

    def __init__(self) -> None:
        self.status = 0
        self._text = ""
        self._come = asyncio.Condition()

    async def send(self, message: dict[str, Any]) -> None:
        async with self._come:
            self.status = message.get("status", self.status)
            self._text += message.get("body", b"").decode()
            self._come.notify_all()

    @property
    def events(self) -> list[dict[str, Any]]:
        found = []
        for block in self._text.split("\n\n")[:-1]:
            fields = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
            if fields:
                found.append({"event": fields["event"], "id": fields["id"], "data": json.loads(fields["data"])})
        return found

    async def kinds(self, count: int) -> list[str]:
        """Wait for so many events and return their names."""
        async with asyncio.timeout(5), self._come:
            await self._come.wait_for(lambda: len(self.events) >= count)
        return [one["event"] for one in self.events]


@contextlib.asynccontextmanager
async def opened(house: House, client: Any, query: str = "", *, last: str | None = None) -> AsyncIterator[Stream]:
    """Open a stream for the time of the block."""
    headers = [(b"authorization", client.headers["authorization"].encode())]
    headers += [(b"last-event-id", last.encode())] if last else []
    scope = {
        "type": "http",
        "method": "GET",
        "path": "/v1/stream",
        "raw_path": b"/v1/stream",
        "root_path": "",
        "scheme": "http",
        "http_version": "1.1",
        "query_string": query.encode(),
        "headers": headers,
        "server": ("house", 80),
        "client": ("test", 1),
    }
    stream, closed = Stream(), asyncio.Event()
    asked = False

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if not asked:
            asked = True
            return {"type": "http.request", "body": b"", "more_body": False}
        await closed.wait()
        return {"type": "http.disconnect"}

    task = asyncio.create_task(house(scope, receive, stream.send))
    try:
        yield stream
    finally:
        closed.set()
        await asyncio.wait([task], timeout=5)
        assert task.done()


async def test_one_key_has_few_open_and_the_next_may_come(house: House, desk: DeskUnderTest):
    most = house.settings["tickets"].streams_of_key
    colleague = await desk.key("agent")
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(most):
            stream = await stack.enter_async_context(opened(house, desk.admin))
            assert await stream.kinds(1) == ["ready"]
        refused = await desk.admin.get("/v1/stream")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "10")
        assert "streams of this key" in refused.json()["detail"]
        await desk.admin.ok("GET", "/v1/desk")
        async with opened(house, colleague) as stream:
            assert await stream.kinds(1) == ["ready"]
    async with opened(house, desk.admin) as stream:
        assert await stream.kinds(1) == ["ready"]


async def say(desk: DeskUnderTest, ticket: dict[str, Any], text: str, *, internal: bool = False) -> None:
    body = {"text": text, "internal": internal}
    await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json=body)


async def test_is_resumed_without_loss_or_repetition(house: House, desk: DeskUnderTest, ticket: dict[str, Any]):
    async with opened(house, desk.admin, f"ticket_id={ticket['ticket_id']}") as stream:
        assert await stream.kinds(1) == ["ready"]
        await say(desk, ticket, "uno", internal=True)
        assert await stream.kinds(2) == ["ready", "internal_note"]
        last = stream.events[-1]
    assert last["data"]["text"] == "uno"
    assert last["data"]["number"] == ticket["number"]
    for text in ("dos", "tres"):
        await say(desk, ticket, text, internal=True)

    async with opened(house, desk.admin, f"ticket_id={ticket['ticket_id']}", last=last["id"]) as stream:
        await stream.kinds(3)
        assert [one["data"].get("text") for one in stream.events] == [None, "dos", "tres"]


async def test_what_commits_late_is_not_skipped(house: House, desk: DeskUnderTest, ticket: dict[str, Any]):
    runtime = house.runtime("tickets")

    async def write(ticket_id: UUID, text: str, hold: asyncio.Event | None, begun: asyncio.Event | None) -> None:
        uow = runtime.unit_of_work(desk_id=desk.desk_id, now=runtime.clock.now())
        async with uow.begin() as tx:
            await add_entries(tx, ticket_id, [Entry(kind="note", actor="x", occurred_at=tx.now, text=text)])
            if begun is not None:
                begun.set()
            if hold is not None:
                await hold.wait()

    second = await desk.open_ticket(await desk.customer("expande", plan="basic"))
    async with opened(house, desk.admin) as stream:
        await stream.kinds(1)
        hold, begun = asyncio.Event(), asyncio.Event()
        slow = asyncio.create_task(write(UUID(ticket["ticket_id"]), "antes", hold, begun))
        await begun.wait()
        await write(UUID(second["ticket_id"]), "después", None, None)  # begins later, commits first
        await asyncio.sleep(0.1)
        hold.set()
        await slow
        await stream.kinds(3)
        assert [one["data"]["text"] for one in stream.events[1:]] == ["antes", "después"]
        ids = [tuple(map(int, one["id"].split("-"))) for one in stream.events]
        assert ids == sorted(ids)


async def test_customer_follows_its_own_and_nothing_internal(house: House, desk: DeskUnderTest, ticket: dict[str, Any]):
    mine = await desk.key("requester", customer_id=ticket["customer_id"])
    theirs = await desk.open_ticket(await desk.customer("expande", plan="basic"))
    await desk.settled()
    async with opened(house, mine, f"customer_id={theirs['customer_id']}") as stream:
        await stream.kinds(1)
        await say(desk, theirs, "de otro")
        await say(desk, ticket, "nota", internal=True)
        await say(desk, ticket, "respuesta")
        await stream.kinds(2)
        assert [one["data"]["text"] for one in stream.events[1:2]] == ["respuesta"]
        assert {one["data"]["ticket_id"] for one in stream.events[1:]} == {ticket["ticket_id"]}


async def test_what_is_no_cursor_is_refused(desk: DeskUnderTest):
    for cursor in ("x", "1", "1-", "-1", "1-99999999999999999999"):
        problem = await desk.admin.refused(422, "GET", "/v1/stream", params={"cursor": cursor})
        assert "cursor" in problem["detail"], cursor


async def test_reaches_readers_of_another_replica_and_holds_up_no_stop(
    house: House, desk: DeskUnderTest, ticket: dict[str, Any]
):
    listen = f"127.0.0.1:{choose_port()}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "plazo.cli", "serve", "tickets"),
        env={**os.environ, **environment_of(house.settings["tickets"], listen=listen, log_level="error")},
    )
    loop = asyncio.get_running_loop()
    try:
        async with httpx.AsyncClient(base_url=f"http://{listen}", headers=desk.admin.headers, timeout=20) as client:

            async def is_ready() -> bool:
                with contextlib.suppress(httpx.TransportError):
                    return (await client.get("/readyz")).is_success
                return False

            await eventually(is_ready, seconds=40)
            async with client.stream("GET", "/v1/stream", params={"ticket_id": ticket["ticket_id"]}) as stream:
                lines = stream.aiter_lines()
                assert await anext(lines) == "event: ready"
                began = loop.time()
                await say(desk, ticket, "aquí", internal=True)  # by the first replica
                async with asyncio.timeout(10):
                    assert "event: internal_note" in [line async for line in until(lines, "event: internal_note")]
                assert loop.time() - began < 4  # it was told: the sweep comes after five seconds
                process.send_signal(signal.SIGTERM)
                began = loop.time()
                async for _ in lines:
                    pass
                assert loop.time() - began < 4  # uvicorn would wait eight seconds for a stream that does not end
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def until(lines: AsyncIterator[str], last: str) -> AsyncIterator[str]:
    """Yield lines up to and with the last."""
    async for line in lines:
        yield line
        if line == last:
            return
