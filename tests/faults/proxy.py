"""A TCP proxy on this machine whose links can be broken, each by itself."""

import asyncio
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from functools import partial
from typing import cast

_TRICKLE_BYTES = 48
_TRICKLE_SECONDS = 0.005
_LINGER_NOTHING = struct.pack("ii", 1, 0)  # closing then sends RST, not FIN


class Mode(StrEnum):
    """What a link does with what comes through it."""

    PASS = "pass"
    CUT = "cut"  # what is open is reset, what is new is reset at once
    DELAY = "delay"  # everything arrives later
    HALF_CLOSE = "half-close"  # one direction of each connection has ended, the other goes on
    BLACKHOLE = "blackhole"  # accepted and swallowed; once healed, what lost bytes is reset
    TRICKLE = "trickle"  # a few bytes at a time


class Link:
    """One way from a program to another: listens on `port` of its own, carries to `target`."""

    def __init__(self, source: str, target: str, *, port: int) -> None:
        """Take a free port at once; connections are carried from the loop's next turn on."""
        self.source, self.target = source, target
        self.mode = Mode.PASS
        self.delay_seconds = 0.0
        self.carried = 0  # connections
        self._target_port = port
        self._wires: set[_Wire] = set()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._socket.getsockname()[1]
        self._serving = asyncio.get_running_loop().create_task(self._serve())

    def __str__(self) -> str:
        return f"{self.source} to {self.target}"

    def become(self, mode: Mode, *, delay_seconds: float = 0.0) -> None:
        """Change what happens to the connections that are open and to those to come."""
        self.mode, self.delay_seconds = mode, delay_seconds
        for wire in list(self._wires):
            if mode is Mode.CUT or (mode is Mode.PASS and wire.is_maimed):
                wire.reset()
            elif mode is Mode.HALF_CLOSE:
                wire.end_one_way()

    def heal(self) -> None:
        """Be a good link again; connections that lost something are reset."""
        self.become(Mode.PASS)

    async def close(self) -> None:
        """Stop listening and drop everything."""
        self._serving.cancel()
        with suppress(asyncio.CancelledError):
            await self._serving
        self._socket.close()
        for wire in list(self._wires):
            wire.reset()

    async def _serve(self) -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._accept, sock=self._socket)
        async with server:
            await server.serve_forever()

    def _accept(self) -> "_End":
        self.carried += 1
        return _Wire(self, self._target_port, gone=self._wires.discard, come=self._wires.add).near


class _Wire:
    """A connection through a link: a near end, where the program called, and a far one."""

    def __init__(
        self, link: Link, port: int, *, come: Callable[["_Wire"], None], gone: Callable[["_Wire"], None]
    ) -> None:
        self.link = link
        self.near, self.far = _End(self), _End(self)
        self.is_maimed = False
        self._port, self._number = port, link.carried
        self._come, self._gone = come, gone
        self._dialing: asyncio.Task[None] | None = None

    def accepted(self) -> None:
        if self.link.mode is Mode.CUT:
            self.reset()
            return
        self._come(self)
        self._dialing = asyncio.get_running_loop().create_task(self._dial())

    async def _dial(self) -> None:
        try:
            await asyncio.get_running_loop().create_connection(lambda: self.far, "127.0.0.1", self._port)
        except OSError:
            self.reset()
            return
        if self.link.mode is Mode.HALF_CLOSE:
            self.end_one_way()

    def other(self, end: "_End") -> "_End":
        return self.far if end is self.near else self.near

    def end_one_way(self) -> None:
        """End one direction, of every second connection the other one: who ended it still sends, to nobody's ear."""
        self.is_maimed = True
        (self.near if self._number % 2 else self.far).end()

    def end_behind(self, end: "_End") -> None:
        """Pass on that nothing more comes from `end`; what ended both ways is closed."""
        self.other(end).end()
        if self.near.has_ended and self.far.has_ended:
            self._gone(self)
            self.near.close()
            self.far.close()

    def reset(self) -> None:
        self._gone(self)
        if self._dialing is not None and not self._dialing.done():
            self._dialing.cancel()
        for end in (self.near, self.far):
            end.reset()


class _End(asyncio.Protocol):
    """One end of a wire: what arrives here leaves at the other."""

    def __init__(self, wire: _Wire) -> None:
        self._wire = wire
        self._transport: asyncio.Transport | None = None
        self._waiting: list[bytes] = []  # came before this end was connected
        self.free_at = 0.0  # when what was put off has left
        self.has_ended = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport = cast("asyncio.Transport", transport)
        self._transport = transport
        with suppress(OSError):
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self is self._wire.near:
            self._wire.accepted()
        for data in self._waiting:
            transport.write(data)
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        link, out = self._wire.link, self._wire.other(self)
        if link.mode is Mode.BLACKHOLE:
            self._wire.is_maimed = True
        elif link.mode is Mode.DELAY:
            out.write_later(data, seconds=link.delay_seconds)
        elif link.mode is Mode.TRICKLE:
            for start in range(0, len(data), _TRICKLE_BYTES):
                out.write_later(data[start : start + _TRICKLE_BYTES], seconds=0, apart=_TRICKLE_SECONDS)
        else:
            out.write_later(data, seconds=0)

    def write_later(self, data: bytes, *, seconds: float, apart: float = 0.0) -> None:
        """Write in order, `seconds` from now at the earliest, `apart` after what was written before."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if seconds == apart == 0 and self.free_at <= now:
            self._write(data)
            return
        # A callback of the same instant may be called first that was asked for last: none has the same.
        self.free_at = max(self.free_at + max(apart, 1e-6), now + seconds)
        loop.call_at(self.free_at, partial(self._write, data))

    def _write(self, data: bytes) -> None:
        if self.has_ended:
            return
        if self._transport is None:
            self._waiting.append(data)
        elif not self._transport.is_closing():
            self._transport.write(data)

    def eof_received(self) -> bool:
        if self._wire.link.mode is not Mode.BLACKHOLE:
            loop = asyncio.get_running_loop()
            on_its_way = self._wire.other(self).free_at
            loop.call_at(max(on_its_way + 1e-6, loop.time()), self._wire.end_behind, self)
        return True  # the other direction may go on

    def end(self) -> None:
        """Send FIN, and nothing more."""
        if self.has_ended:
            return
        self.has_ended = True
        if self._transport is not None and not self._transport.is_closing():
            with suppress(OSError, RuntimeError):
                self._transport.write_eof()

    def close(self) -> None:
        """Close once all is written."""
        if self._transport is not None:
            self._transport.close()

    def reset(self) -> None:
        """Drop what is open, by RST."""
        if self._transport is not None and not self._transport.is_closing():
            with suppress(OSError):
                self._transport.get_extra_info("socket").setsockopt(
                    socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOTHING
                )
            self._transport.abort()

    def connection_lost(self, _error: Exception | None) -> None:
        if self._wire.link.mode is Mode.BLACKHOLE:
            self._wire.is_maimed = True  # the other side does not hear of it before the link is healed
            return
        self._wire.reset()

    def pause_writing(self) -> None:
        self._wire.other(self)._read(on=False)

    def resume_writing(self) -> None:
        self._wire.other(self)._read(on=True)

    def _read(self, *, on: bool) -> None:
        if self._transport is not None and not self._transport.is_closing():
            with suppress(RuntimeError):
                self._transport.resume_reading() if on else self._transport.pause_reading()
