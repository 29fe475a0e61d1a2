import asyncio
import signal
import stat
from urllib.parse import urlsplit

import nats
import pytest

from plazo.events.envelope import SERVICES
from plazo.local.nats import Nats


@pytest.fixture
async def server(data):
    server = Nats(data)
    await server.start()
    yield server
    await server.stop()


async def test_keeps_a_stream_when_it_is_killed(server):
    client = await nats.connect(server.url)
    await client.jetstream().add_stream(name="PROMISES", subjects=["promise.>"])
    await client.jetstream().publish("promise.made", b"7")
    await client.close()

    server.kill()
    assert await server.ended() == -signal.SIGKILL
    await server.start()

    client = await nats.connect(server.url)
    assert (await client.jetstream().get_last_msg("PROMISES", "promise.made")).data == b"7"
    await client.close()


async def test_refuses_who_does_not_know_the_password(server):
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(b'CONNECT {"verbose": false, "user": "operator", "pass": "wrong"}\r\nPING\r\n')
    answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    await writer.wait_closed()
    assert b"-ERR 'Authorization Violation'" in answer


async def test_shows_the_passwords_on_no_command_line_and_in_no_open_file(server, data):
    passwords = {urlsplit(server.url_of(user)).password for user in ("operator", *SERVICES)}
    assert len(passwords) == 5
    for password in passwords:
        assert not any(password in str(part) for part in server.command)
        assert password not in server.log.read_text()
    assert stat.S_IMODE((data / "secrets.json").stat().st_mode) == 0o600


async def test_stops_cleanly_and_is_not_ready_then(server):
    assert await server.is_ready()
    await server.stop()
    assert server.exit_code == 0
    assert not await server.is_ready()
