"""A partner's system: a real HTTP server that keeps what it gets, and fails as it is told."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import from_json


@dataclass
class Partner:
    """What arrived, and how to answer.

    `answers` are taken one by one, then `usual` holds: the status of an answer, `hang` for none, or `drop` for a
    connection that is closed as the event has been taken.
    """

    host: str = "127.0.0.1"
    port: int = 0
    posts: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    usual: str = "200 OK"
    body: bytes = b"thanks"
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://{self.host}:{self.port}/hook"

    @property
    def ids(self) -> list[str]:
        """The ids of what arrived."""
        return [headers["webhook-id"] for headers, _ in self.posts]

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """What arrived."""
        return [from_json(body) for _, body in self.posts]

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a post."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        self.posts.append((headers, await reader.readexactly(int(headers["content-length"]))))
        answer = self.answers.pop(0) if self.answers else self.usual
        if answer == "hang":
            await self.over.wait()
        elif answer != "drop":
            location = f"Location: {self.url}/elsewhere\r\n" if answer.startswith("3") else ""
            start = f"HTTP/1.1 {answer}\r\n{location}Content-Length: {len(self.body)}\r\nConnection: close\r\n\r\n"
            writer.write(start.encode() + self.body)
        writer.close()


@asynccontextmanager
async def open_partner(host: str = "127.0.0.1") -> AsyncIterator[Partner]:
    """Run the server in this loop; a service of the house may post to 127.0.0.77 alone."""
    partner = Partner(host)
    server = await asyncio.start_server(partner.take, host, 0)
    partner.port = server.sockets[0].getsockname()[1]
    try:
        yield partner
    finally:
        partner.over.set()
        server.close()
        await server.wait_closed()
