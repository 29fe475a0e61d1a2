"""A partner's system: it takes what the desks' subscriptions are sent, and now and then fails to."""

import asyncio
import base64
import hashlib
import hmac
from collections import defaultdict
from dataclasses import dataclass
from typing import Self

#: An address of this machine that nothing else answers at; the services have to allow it.
HOST = "127.0.0.77"
_LONGEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Post:
    """What arrived: its id, and the bytes with what they were signed for."""

    event_id: str
    stamp: str
    signatures: str
    body: bytes

    def is_signed(self, secret: str) -> bool:
        """Whether it is signed as Standard Webhooks are."""
        key = base64.b64decode(secret.removeprefix("whsec_"))
        digest = hmac.digest(key, f"{self.event_id}.{self.stamp}.".encode() + self.body, hashlib.sha256)
        return f"v1,{base64.b64encode(digest).decode()}" in self.signatures.split()


class Receiver:
    """Listens while it is used as a context. `fails_every`: of so many events one is refused the first time, and one is
    taken without an answer.
    """

    def __init__(self, *, fails_every: int = 0) -> None:
        self.posts: defaultdict[str, list[Post]] = defaultdict(list)
        self._fails_every = fails_every
        self._seen: set[tuple[str, str]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._take, HOST, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        await self._server.wait_closed()

    def url_of(self, name: str) -> str:
        """Return where one desk's events go."""
        assert self._server is not None
        return f"http://{HOST}:{self._server.sockets[0].getsockname()[1]}/{name}"

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_LONGEST_SECONDS):
                await self._answer(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # whoever posted was killed, or cut off: it is posted again
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers["content-length"]))
        name, event_id = head[0].split(" ")[1].removeprefix("/"), headers["webhook-id"]
        turn = self._turn(name, event_id)
        if turn == 1:
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return
        self.posts[name].append(Post(event_id, headers["webhook-timestamp"], headers["webhook-signature"], body))
        if turn != 2:
            writer.write(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
        await writer.drain()

    def _turn(self, name: str, event_id: str) -> int:
        """Return 1 where an event is refused, 2 where it gets no answer; each only the first time."""
        if not self._fails_every or (name, event_id) in self._seen:
            return 0
        self._seen.add((name, event_id))
        return len(self._seen) % self._fails_every
