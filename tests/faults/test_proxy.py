"""A link does what its mode says, and is a good one again once healed."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from faults.proxy import Link, Mode

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Echo:
    """A server that repeats what it hears until it hears the end, the link to it, and those who called."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.writers: list[asyncio.StreamWriter] = []

    async def call(self) -> Streams:
        """Connect through the link."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.link.port)
        self.writers.append(writer)
        return reader, writer


@asynccontextmanager
async def echo() -> AsyncIterator[Echo]:
    """Run it."""
    served: list[asyncio.Task[None] | None] = []

    async def repeat(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.write(b"bye")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(repeat, "127.0.0.1", 0)
    running = Echo(Link("us", "echo", port=server.sockets[0].getsockname()[1]))
    try:
        yield running
    finally:
        await running.link.close()
        async with asyncio.timeout(5):
            await asyncio.gather(*(task for task in served if task is not None))
        for writer in running.writers:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()
        server.close()


async def ask(streams: Streams, text: bytes, *, seconds: float = 5.0) -> bytes:
    reader, writer = streams
    writer.write(text)
    async with asyncio.timeout(seconds):
        return await reader.readexactly(len(text))


async def test_it_carries_both_ways_and_both_ends() -> None:
    async with echo() as running:
        reader, writer = streams = await running.call()
        large = bytes(range(256)) * 4000  # more than the buffers between hold
        assert await ask(streams, large) == large
        writer.write_eof()
        assert await reader.read() == b"bye"


async def test_cut_resets_what_is_open_and_what_is_new_until_it_is_healed() -> None:
    async with echo() as running:
        link, call = running.link, running.call
        streams = await call()
        assert await ask(streams, b"one") == b"one"
        link.become(Mode.CUT)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await ask(streams, b"two")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await ask(await call(), b"three")
        link.heal()
        assert await ask(await call(), b"four") == b"four"


async def test_a_delay_comes_in_order() -> None:
    async with echo() as running:
        link, call = running.link, running.call
        streams = await call()
        await ask(streams, b"one")
        link.become(Mode.DELAY, delay_seconds=0.052)
        began = time.monotonic()
        assert await ask(streams, b"two") == b"two"
        assert time.monotonic() - began >= 0.1  # there and back, by timers that may be a millisecond early
        streams[1].write(b"three")
        link.heal()
        assert await ask(streams, b"four!") + await streams[0].readexactly(5) == b"threefour!"


async def test_a_blackhole_swallows_and_resets_what_lost_something() -> None:
    async with echo() as running:
        link, call = running.link, running.call
        maimed, idle = await call(), await call()
        await ask(maimed, b"one")
        await ask(idle, b"one")
        link.become(Mode.BLACKHOLE)
        with pytest.raises(TimeoutError):
            await ask(maimed, b"two", seconds=0.05)
        link.heal()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await ask(maimed, b"three")
        assert await ask(idle, b"three") == b"three"


async def test_half_closed_one_direction_goes_on() -> None:
    async with echo() as running:
        link, call = running.link, running.call
        first, second = await call(), await call()
        await ask(first, b"one")
        await ask(second, b"one")
        link.become(Mode.HALF_CLOSE)
        assert sorted([await first[0].read(), await second[0].read()]) == [b"", b"bye"]


async def test_it_trickles() -> None:
    async with echo() as running:
        link, call = running.link, running.call
        streams = await call()
        link.become(Mode.TRICKLE)
        text = bytes(500)
        began = time.monotonic()
        assert await ask(streams, text) == text
        assert time.monotonic() - began > 0.03
