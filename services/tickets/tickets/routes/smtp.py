"""The SMTP listener: mail for the addresses of the desks, taken when it is committed and not before."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import structlog
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.concurrency import run_in_threadpool

from plazo.kernel.errors import Kind, PlazoError
from plazo.runtime.database import OUTAGE
from plazo.runtime.service import Runtime
from tickets.domain.email import Mail, MailUnreadable, parse_mail
from tickets.repository.intake import find_addresses
from tickets.usecases import mail
from tickets.usecases.attaching import store_files
from tickets.usecases.mail_request import Post
from tickets.usecases.secrets import known_cipher

log = structlog.get_logger(__name__)

_IDLE_SECONDS = 60
_MOST_SESSIONS = 100
_PORT_SECONDS = 5.0
_MOST_RECIPIENTS = 100  # as the standard asks for at least (RFC 5321, 4.5.3.1.8)
_MOST_COMMANDS = 1000  # of each kind in one connection
_LATER = "451 4.3.0 not taken now; try again later"
_DESK_CLOCK = "SELECT clock_at FROM desk WHERE desk_id = $1"


class _Listener(SMTP):
    """A connection; beyond so many at once the next is asked to come back."""

    line_length_limit = 1_000_000  # of the standard's 1,000: mail with longer lines is sent, and shall not be lost
    open_sessions = 0

    def connection_made(self, transport: Any) -> None:
        """Take a connection, or send it away."""
        type(self).open_sessions += 1
        if type(self).open_sessions > _MOST_SESSIONS:
            transport.write(b"421 4.7.0 too many connections; try again later\r\n")
            transport.close()
            return
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Let a connection go."""
        type(self).open_sessions -= 1
        if self.session is not None:
            super().connection_lost(error)


class _Desks:
    """What the listener asks of the service: whose an address is, and to take a mail in."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def handle_RCPT(  # noqa: N802  # the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Take a recipient that is an address of a desk."""
        if len(envelope.rcpt_tos) >= _MOST_RECIPIENTS:
            return f"452 4.5.3 more than {_MOST_RECIPIENTS} recipients; send the others again"
        try:
            found = await find_addresses(self._runtime.database.system, [address.lower()])
        except OUTAGE as error:
            log.warning("mail_waits", error=str(error) or type(error).__name__)
            return _LATER
        if not found:
            return f"550 5.1.1 {address.encode('ascii', 'replace').decode()[:200]} is no address here"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(  # noqa: N802  # the library's name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Take a mail for each desk it is for: 250 says that it is committed, whatever became of it."""
        content = envelope.content
        raw = content if isinstance(content, bytes) else str(content or "").encode("utf-8", "surrogateescape")
        try:
            parsed = await run_in_threadpool(parse_mail, raw, return_path=envelope.mail_from or "")
            outcomes = await self._deliver(parsed, [address.lower() for address in envelope.rcpt_tos])
        except MailUnreadable as error:
            return f"554 5.6.0 {error.message}"
        except PlazoError as error:
            log.warning("mail_waits", error=error.message)
            return _LATER if error.kind is Kind.UNAVAILABLE else f"554 5.6.0 {error.message[:300]}"
        except OUTAGE as error:
            log.warning("mail_waits", error=str(error) or type(error).__name__)
            return _LATER
        except Exception:
            log.exception("mail_failed", message_id=envelope.mail_from)
            return _LATER
        return f"250 2.0.0 {', '.join(outcomes)}"

    async def _deliver(self, parsed: Mail, recipients: list[str]) -> list[str]:
        desks: dict[UUID, list[str]] = {}
        for found in await find_addresses(self._runtime.database.system, recipients):
            desks.setdefault(found.desk_id, []).append(found.address)
        outcomes = []
        for desk_id, addresses in desks.items():
            files = await store_files(self._runtime, desk_id=desk_id, files=parsed.attachments)
            clock_at = await self._runtime.database.system.fetchval(_DESK_CLOCK, desk_id)
            uow = self._runtime.unit_of_work(desk_id=desk_id, now=clock_at or self._runtime.clock.now())
            post = Post(mail=parsed, recipients=tuple(addresses), files=files, cipher=known_cipher(self._runtime))
            view = await mail.take_mail(uow, post=post, actor="smtp")
            outcomes.append(f"{view.outcome} {view.number}" if view.number else view.outcome)
        return outcomes


@asynccontextmanager
async def listening(runtime: Runtime, *, host: str, port: int) -> AsyncIterator[int]:
    """Take mail for the time of the block; gives the port, which the system chooses if it is 0."""
    loop = asyncio.get_running_loop()
    settings = runtime.settings
    tls: ssl.SSLContext | None = None
    if settings.smtp_certificate is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(settings.smtp_certificate, settings.smtp_certificate_key)

    def connect() -> SMTP:
        return _Listener(
            _Desks(runtime),
            data_size_limit=settings.mail_max_bytes,
            enable_SMTPUTF8=True,
            ident="Plazo",
            hostname="plazo",
            tls_context=tls,
            timeout=_IDLE_SECONDS,
            command_call_limit=_MOST_COMMANDS,
            loop=loop,
        )

    server = await loop.create_server(connect, host, port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def take_mail_by_smtp(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Listen where the settings say, until `stopping` is set; not at all where they say nothing."""
    where = runtime.settings.smtp_listen
    if where is None:
        return
    host, _, port = where.rpartition(":")
    while not stopping.is_set():
        try:
            async with listening(runtime, host=host.strip("[]"), port=int(port)) as bound:
                log.info("smtp_listens", host=host, port=bound)
                await stopping.wait()
        except OSError as error:  # another replica on this machine has the port; this one takes over when it ends
            log.warning("smtp_waits_for_its_port", where=where, error=str(error))
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _PORT_SECONDS)
