"""The gate: who comes in, from where, how much at once, and how slowly."""

import asyncio
from typing import Any

import pytest
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from plazo.runtime.gate import BodyLimit, Gate, address_of
from plazo.runtime.settings import Settings

SETTINGS: Any = {
    "database_url": "postgresql://x",
    "system_database_url": "postgresql://x",
    "nats_url": "nats://x",
    "operator_key": "x" * 16,
}


@pytest.mark.parametrize(
    ("host", "address"),
    [
        pytest.param("192.0.2.7", "192.0.2.7", id="IPv4"),
        pytest.param("::ffff:192.0.2.7", "192.0.2.7", id="IPv4 written as IPv6"),
        pytest.param("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::", id="a customer's network"),
        pytest.param("2001:db8:1:2::9", "2001:db8:1:2::", id="the same network"),
        pytest.param("fe80::1%eth0", "fe80::", id="with an interface"),
        pytest.param("nonsense", "nonsense", id="what a proxy says, whatever it is"),
    ],
)
def test_what_counts_as_one_address(host: str, address: str):
    assert address_of({"client": (host, 1)}) == address
    assert address_of({}) == ""


class House:
    """Answers 401 but to the key that is right; `slow` waits."""

    def __init__(self) -> None:
        self.asked = 0
        self.right = b"right"
        self.open = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.asked += 1
        if scope["path"] == "/slow":
            await self.open.wait()
        is_right = dict(scope["headers"]).get(b"authorization") == self.right
        scope.setdefault("state", {})["is_admitted"] = is_right
        await send({"type": "http.response.start", "status": 200 if is_right else 401, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def ask(gate: Any, key: str, *, host: str = "192.0.2.1", path: str = "/v1/x", headers: int = 0) -> Any:
    """Return status and `Retry-After`."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "GET",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "client": (host, 1),
        "headers": [(b"authorization", key.encode()), *[(b"x", b"y")] * headers],
    }
    await gate(scope, None, send)
    return sent[0]["status"], dict(sent[0]["headers"]).get(b"retry-after")


def gate_of(house: House, now: list[float] | None = None, **settings: int) -> Gate:
    return Gate(house, settings=Settings(**SETTINGS, **settings), seconds=lambda: (now or [0.0])[0])


async def test_who_is_refused_too_often_is_not_even_looked_up():
    house, now = House(), [0.0]
    gate = gate_of(house, now, refusals_per_second_of_address=1, request_burst_seconds=3)
    assert [await ask(gate, f"guess {n}") for n in range(5)] == [(401, None)] * 3 + [(429, b"1")] * 2
    assert house.asked == 3
    assert await ask(gate, "right", host="192.0.2.2") == (200, None), "another address"
    assert await ask(gate, "right", path="/healthz") == (200, None), "a probe"
    assert await ask(gate, "right") == (200, None), "known from a moment ago, though others guess behind one address"
    assert await ask(gate, "guess") == (429, b"1")
    now[0] = 1.0  # one more a second
    assert [await ask(gate, "guess") for _ in range(2)] == [(401, None), (429, b"1")]


async def test_key_that_was_right_and_is_no_more_is_forgotten():
    house = House()
    gate = gate_of(house, refusals_per_second_of_address=1, request_burst_seconds=1)
    assert await ask(gate, "right") == (200, None)
    assert await ask(gate, "guess") == (401, None)
    assert await ask(gate, "right") == (200, None)
    house.right = b"another"
    assert await ask(gate, "right") == (401, None)
    assert await ask(gate, "right") == (429, b"1")


async def test_one_address_has_its_share_of_what_is_answered_at_once():
    house = House()
    gate = gate_of(house, concurrent_requests=4, concurrent_requests_of_one=2)
    held = [asyncio.ensure_future(ask(gate, "right", path="/slow")) for _ in range(2)]
    await asyncio.sleep(0)
    assert await ask(gate, "right") == (503, b"1")
    assert await ask(gate, "right", host="192.0.2.2") == (200, None)
    house.open.set()
    assert await asyncio.gather(*held) == [(200, None)] * 2
    assert await ask(gate, "right") == (200, None)
    assert gate._addresses._held == {}, "nothing is left behind"


async def test_headers_are_counted():
    assert await ask(gate_of(House()), "right", headers=119) == (200, None)
    assert await ask(gate_of(House()), "right", headers=120) == (431, None)


class TestBody:
    """What comes by drops, and what comes pressed."""

    @staticmethod
    def limit(*, seconds: float = 0.05) -> tuple[BodyLimit, list[bytes]]:
        taken: list[bytes] = []

        async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
            while True:
                message = await receive()
                taken.append(message["body"])
                if not message["more_body"]:
                    return

        return BodyLimit(app, 1000, {}, pause_seconds=seconds), taken

    @staticmethod
    def scope(**headers: str) -> Scope:
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        return {"type": "http", "path": "/", "headers": pairs, "method": "POST"}

    async def test_that_stops_is_given_up(self):
        limit, taken = self.limit()
        first = [{"type": "http.request", "body": b"{", "more_body": True}]

        async def receive() -> Message:
            if first:
                return first.pop()
            return await asyncio.Event().wait()  # type: ignore[return-value]

        with pytest.raises(HTTPException) as refused:
            await limit(self.scope(), receive, None)  # type: ignore[arg-type]
        assert (refused.value.status_code, refused.value.headers) == (408, {"Connection": "close"})
        assert taken == [b"{"]

    async def test_that_drips_is_given_up(self):
        limit, taken = self.limit()

        async def receive() -> Message:
            await asyncio.sleep(0.01)  # never a long pause: 0.05 s in all, and no more for so few bytes
            return {"type": "http.request", "body": b"x", "more_body": True}

        with pytest.raises(HTTPException) as refused:
            await limit(self.scope(), receive, None)  # type: ignore[arg-type]
        assert refused.value.status_code == 408
        assert 1 <= len(taken) <= 6

    async def test_whole_body_is_waited_behind_without_end(self):
        async def app(_scope: Scope, receive: Receive, _send: Send) -> None:
            assert (await receive())["more_body"] is False
            assert (await receive())["type"] == "http.disconnect"

        messages = [{"type": "http.request", "body": b"", "more_body": False}]

        async def receive() -> Message:
            if messages:
                return messages.pop()
            await asyncio.sleep(0.05)
            return {"type": "http.disconnect"}

        await BodyLimit(app, 1000, {}, pause_seconds=0.01)(self.scope(), receive, None)  # type: ignore[arg-type]

    @pytest.mark.parametrize("coding", ["gzip", "br", "gzip, identity", ""])
    async def test_that_is_compressed_is_not_taken(self, coding: str):
        limit, taken = self.limit()
        sent: list[Message] = []

        async def send(message: Message) -> None:
            sent.append(message)

        await limit(self.scope(content_encoding=coding), None, send)  # type: ignore[arg-type]
        assert (sent[0]["status"], taken) == (415, [])
