"""A mail server that keeps what it gets, and fails as it is told, by recipient."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass
class Postbox:
    """What arrived, and how to answer for some recipients.

    `refusals` are answers to RCPT. Mail to `cut_off` is kept, and the connection closed without an answer; mail to
    `slow` is answered when the test is over.
    """

    port: int = 0
    mails: list[EmailMessage] = field(default_factory=list)
    refusals: dict[str, str] = field(default_factory=dict)
    cut_off: set[str] = field(default_factory=set)
    slow: set[str] = field(default_factory=set)
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"smtp://127.0.0.1:{self.port}"

    def to(self, address: str) -> list[EmailMessage]:
        """Return what arrived for somebody."""
        return [mail for mail in self.mails if mail["To"] == address]

    async def handle_RCPT(  # noqa: N802  # aiosmtpd's name for it
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name for it
        self, server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        (address,) = envelope.rcpt_tos
        assert isinstance(envelope.content, bytes)
        mail: Any = message_from_bytes(envelope.content, policy=default)
        if address in self.slow:
            await self.over.wait()
        self.mails.append(mail)
        if address in self.cut_off:
            server.transport.abort()
        return "250 Taken"


@asynccontextmanager
async def open_postbox() -> AsyncIterator[Postbox]:
    """Run the server in this loop."""
    postbox = Postbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(postbox, hostname="postbox", loop=loop), "127.0.0.1", 0)
    postbox.port = server.sockets[0].getsockname()[1]
    try:
        yield postbox
    finally:
        postbox.over.set()
        server.close()
        await server.wait_closed()
