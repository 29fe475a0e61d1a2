"""How a letter leaves the house: by SMTP, or into the captured mailbox."""

import asyncio
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib
import structlog

from escalation.domain.delivery import Outcome, Reply, Stage, read_reply
from escalation.domain.letter import Letter, write_letter

log = structlog.get_logger(__name__)

_CONNECT_SECONDS = 10.0
_SEND_SECONDS = 60.0
# The conversation goes on after these.
_ANSWERED = (aiosmtplib.SMTPResponseException, aiosmtplib.SMTPRecipientsRefused, aiosmtplib.SMTPNotSupported)
_LOCAL = ("localhost", "127.0.0.1", "::1")


class Post(Protocol):
    """Takes a letter, and says what came of it."""

    async def send(self, letter: Letter) -> Reply:
        """Send a letter; whatever goes wrong is a reply."""
        ...

    async def close(self) -> None:
        """Leave."""
        ...


class CapturedPost:
    """Keeps every letter where it is: the mailbox is read over the API."""

    async def send(self, letter: Letter) -> Reply:
        """Deliver a letter."""
        return Reply(Outcome.DELIVERED, f"captured for {letter.to}")

    async def close(self) -> None:
        """Have nothing to leave."""


class SmtpPost:
    """Hands letters to a mail server, over one connection that is kept while there is work."""

    def __init__(self, url: str, *, send_seconds: float = _SEND_SECONDS) -> None:
        """Read `smtp://user:password@host:port` or `smtps://…`. :raises ValueError: if it is something else"""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("PLAZO_SMTP_URL: expected smtp://user:password@host:587 or smtps://user:password@host")
        self._host = parts.hostname
        self._is_tls = parts.scheme == "smtps"
        self._port = parts.port or (465 if self._is_tls else 587 if parts.username else 25)
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._send_seconds = send_seconds
        self._connection: aiosmtplib.SMTP | None = None

    async def send(self, letter: Letter) -> Reply:
        """Send a letter. A connection that broke before anything was said is made anew, once."""
        try:
            mail = write_letter(letter).as_bytes()
        except ValueError as error:
            return Reply(Outcome.REFUSED, f"cannot be written as e-mail: {error}")
        try:
            async with asyncio.timeout(self._send_seconds):
                return await self._hand_over(letter, mail)
        except TimeoutError:
            await self.close()
            return Reply(Outcome.DEFERRED, f"no answer within {self._send_seconds:g} s", is_away=True)
        except Exception as error:  # a library's surprise must not end the process, or lose a message
            log.warning("mail_unexpected", exc_info=True)
            await self.close()
            return Reply(Outcome.DEFERRED, f"{type(error).__name__}: {error}")

    async def _hand_over(self, letter: Letter, mail: bytes) -> Reply:
        try:
            smtp = await self._connected()
        except aiosmtplib.SMTPResponseException as error:  # greeting, STARTTLS, login
            return read_reply(error.code, error.message, stage=Stage.GREETING)
        except (aiosmtplib.SMTPException, OSError) as error:
            words = f"{self._host} cannot be reached: {error or type(error).__name__}"
            return Reply(Outcome.DEFERRED, words, is_away=True)
        try:
            _, accepted = await smtp.sendmail(letter.sender, letter.to, mail)
        except (aiosmtplib.SMTPException, OSError) as error:
            if not isinstance(error, _ANSWERED):
                # Cut off: the server may have taken it on. It is sent again under the same Message-ID.
                await self.close()
            return _read_refusal(error)
        return Reply(Outcome.ACCEPTED, accepted[:500])

    async def _connected(self) -> aiosmtplib.SMTP:
        if self._connection is not None and self._connection.is_connected:
            try:
                await self._connection.rset()
            except (aiosmtplib.SMTPException, OSError):
                await self.close()  # it was closed on the other side in the meantime
            else:
                return self._connection
        # A password never goes over a line that others can read.
        start_tls = True if self._user and not self._is_tls and self._host not in _LOCAL else None
        smtp = aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            use_tls=self._is_tls,
            start_tls=False if self._is_tls else start_tls,
            timeout=_CONNECT_SECONDS,
        )
        await smtp.connect()
        smtp.timeout = self._send_seconds
        self._connection = smtp
        return smtp

    async def close(self) -> None:
        """Leave, without waiting for the other side."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _read_refusal(error: Exception) -> Reply:
    match error:
        case aiosmtplib.SMTPRecipientsRefused():
            refusal = error.recipients[0]
            return read_reply(refusal.code, refusal.message, stage=Stage.RECIPIENT)
        case aiosmtplib.SMTPSenderRefused():
            return read_reply(error.code, error.message, stage=Stage.SENDER)
        case aiosmtplib.SMTPResponseException():
            return read_reply(error.code, error.message, stage=Stage.CONTENT)
        case aiosmtplib.SMTPNotSupported():
            return Reply(Outcome.REFUSED, str(error))
    return Reply(Outcome.DEFERRED, f"cut off: {error or type(error).__name__}")
