"""What is said to the SMTP listener, at the socket: each connection is answered or ends, and the next is served.

Commands out of turn, lines without end, commands in one piece, connections that leave in the middle.
"""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
import structlog
from fuzz.bounds import LONG
from harness import DeskUnderTest, eventually

from tickets.routes import smtp
from tickets.routes.smtp import listening

GOODBYE = b"\r\n.\r\nRSET\r\nQUIT\r\n"  # ends a line, a mail and the connection, whatever came before


@pytest.fixture
async def port(desk: DeskUnderTest) -> AsyncIterator[int]:
    address = f"{str(desk.desk_id)[-12:]}@example.com"
    await desk.admin.ok("POST", "/v1/intake/addresses", json={"address": address})
    async with listening(desk.house.runtime("tickets"), host="127.0.0.1", port=0) as port:
        yield port
        await eventually(nobody_is_left)


async def nobody_is_left() -> bool:
    return smtp._Listener.open_sessions == 0


async def said_to(port: int, what: bytes, *, leave_at_once: bool = False) -> bytes:
    """Say something to the listener, and return what it answers until it hangs up."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(what if leave_at_once else what + GOODBYE)
            return b"" if leave_at_once else await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()


def pieces(address: bytes) -> list[bytes]:
    return [
        b"EHLO a\r\n",
        b"HELO\r\n",
        b"HELO a\r\n",
        b"MAIL FROM:<>\r\n",
        b"MAIL FROM:<a@example.com> SIZE=99999999999\r\n",
        b"MAIL FROM:<a@example.com> BODY=8BITMIME SMTPUTF8\r\n",
        b"MAIL FROM:<" + b"a" * 3000 + b">\r\n",
        b"RCPT TO:<" + address + b">\r\n",
        b"RCPT TO:<\xff@\xfe>\r\n",
        b"RCPT TO:<nadie@example.com>\r\n",
        b"DATA\r\n",
        b"Subject: x\r\n\r\nx\r\n.\r\n",
        b"\r\n.\r\n",
        b".\n",
        b"..\r\n",
        b"RSET\r\n",
        b"NOOP " + b"x" * 600 + b"\r\n",
        b"VRFY \xf0\x9f\r\n",
        b"EXPN a\r\n",
        b"HELP\r\n",
        b"STARTTLS\r\n",
        b"AUTH PLAIN AGEAYg==\r\n",
        b"AUTH LOGIN\r\n*\r\n",
        b"BDAT 5\r\nhello",
        b"\x00\x01\x02\r\n",
        b"\r\n",
        b"\n",
        b"\r",
        b"QUIT\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        b"x" * 5000,
        b"\xff" * 700 + b"\r\n",
        b"MAIL FROM:<a@example.com>\nRCPT TO:<b@example.com>\n",
    ]


async def test_any_session_is_answered_or_ends(port: int, desk: DeskUnderTest):
    rng = Random(20261122)
    said = pieces(f"{str(desk.desk_id)[-12:]}@example.com".encode())
    with structlog.testing.capture_logs() as logged:
        for _ in range(5000 if LONG else 300):
            what = b"".join(rng.choices(said, k=rng.randint(1, 12)))
            answer = await said_to(port, what, leave_at_once=rng.random() < 0.1)
            assert b"Traceback" not in answer, what
            assert not [line for line in answer.split(b"\n")[:-1] if not line[:3].isdigit()], (what, answer)
    assert [one for one in logged if one["log_level"] in ("error", "critical")] == []
    assert (await said_to(port, b"")).startswith(b"220 ")


async def test_line_without_end_takes_no_memory_and_no_time(port: int):
    answer = await said_to(port, b"EHLO " + b"a" * 3_000_000)
    assert not answer.endswith(b"250 HELP\r\n")


async def test_recipients_of_a_mail_have_an_end(port: int, desk: DeskUnderTest):
    to = f"RCPT TO:<{str(desk.desk_id)[-12:]}@example.com>\r\n".encode()
    answer = await said_to(port, b"HELO a\r\nMAIL FROM:<a@example.com>\r\n" + to * 102)
    lines = answer.split(b"\r\n")
    assert (lines.count(b"250 2.1.5 OK"), sum(line.startswith(b"452 4.5.3") for line in lines)) == (100, 2), answer[
        :300
    ]


async def test_commands_of_a_session_have_an_end(port: int):
    answer = await said_to(port, b"HELO a\r\n" + b"NOOP\r\n" * 1002)
    assert answer.splitlines()[-1].startswith(b"421")
