"""A service process as containers run it: told to stop, it finishes what is under way."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import httpx
import pytest
from harness import environment_of, eventually
from integration.runtime.annex import Annex

from plazo.local.ports import choose_port
from plazo.runtime.identity import new_key
from tickets.schemas.desks import DeskCreate
from tickets.usecases.desks import create_desk


@pytest.fixture
async def address(annex: Annex) -> AsyncIterator[tuple[str, asyncio.subprocess.Process]]:
    """Run tickets as a process of its own; returns its address and the process."""
    listen = f"127.0.0.1:{choose_port()}"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "plazo.cli", "serve", "tickets"),
        env={**os.environ, **environment_of(annex.settings, listen=listen)},
        stderr=asyncio.subprocess.PIPE,
    )

    async def is_ready() -> bool:
        assert process.returncode is None, (await process.communicate())[1].decode()
        try:
            async with httpx.AsyncClient() as client:
                return (await client.get(f"http://{listen}/readyz")).json()["checks"]["bus"] == "ok"
        except httpx.TransportError:
            return False

    try:
        await eventually(is_ready, seconds=40)
        yield f"http://{listen}", process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_request_under_way_is_answered_and_the_process_ends_well(
    annex: Annex, address: tuple[str, asyncio.subprocess.Process]
):
    url, process = address
    desk_id, key = uuid4(), new_key()
    await create_desk(annex.unit_of_work(desk_id), body=DeskCreate(name="Mesa", sandbox=True, clock_at=None), key=key)
    caller = httpx.AsyncClient(base_url=url, headers={"Authorization": f"Bearer {key.token}"}, timeout=20)

    async with caller, annex.superuser() as blocker:
        async with blocker.transaction():
            await blocker.execute("LOCK TABLE customer IN EXCLUSIVE MODE")  # the request hangs on this
            request = asyncio.create_task(caller.post("/v1/customers", json={"name": "Una"}))
            await eventually(lambda: waits_for_a_lock(blocker))
            process.send_signal(signal.SIGTERM)
            await asyncio.sleep(0.5)
            assert not request.done()
        answer = await request

    assert answer.status_code == 201
    async with asyncio.timeout(10):
        assert await process.wait() == 0
    rows = await annex.database.system.fetch(
        "SELECT published_at IS NOT NULL AS published FROM outbox "
        "WHERE desk_id = $1 AND type = 'customer.registered.v1'",
        desk_id,
    )
    assert [row["published"] for row in rows] == [True], "what it announced last was brought to the bus"


async def test_a_connection_that_is_open_is_answered_once_more_and_no_new_one_is_taken(
    address: tuple[str, asyncio.subprocess.Process],
):
    """A gateway keeps connections open; on one of them a request may be on its way just now."""
    url, process = address
    host, port = url.removeprefix("http://").split(":")

    async def ask() -> bytes:
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: house\r\n\r\n")
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200")
        await reader.readexactly(len(b'{"status":"ok"}'))
        return answer.lower()

    reader, writer = await asyncio.open_connection(host, int(port))
    assert b"connection: close" not in await ask()
    process.send_signal(signal.SIGTERM)

    async def takes_no_more() -> bool:
        try:
            _, other = await asyncio.open_connection(host, int(port))
        except ConnectionRefusedError:
            return True
        other.close()
        return False

    await eventually(takes_no_more)
    assert b"connection: close" in await ask()
    assert await reader.read() == b""
    writer.close()
    async with asyncio.timeout(10):
        assert await process.wait() == 0


async def waits_for_a_lock(connection: asyncpg.Connection) -> bool:
    waiting: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
    return waiting


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_process_that_waits_for_its_database_ends_when_told(annex: Annex, number: signal.Signals):
    told = environment_of(annex.settings, log_level="info")
    for name in ("PLAZO_DATABASE_URL", "PLAZO_SYSTEM_DATABASE_URL"):
        told[name] = told[name].rpartition("/")[0] + "/plazo_nowhere"
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "plazo.cli", "serve", "tickets"),
        env={**os.environ, **told},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(40):
            while b"database_awaited" not in (said := await process.stderr.readline()):
                assert said, "it ended before it waited"
        process.send_signal(number)
        async with asyncio.timeout(5):
            await process.communicate()
        assert process.returncode == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


FAILING = """
from dataclasses import replace
from plazo.cli.serve import run_service
from tickets import app

async def fail(runtime, stopping):
    raise LookupError("odd")

app.SERVICE = replace(app.SERVICE, background=(fail,))
run_service("tickets")
"""


async def test_a_process_with_a_loop_that_fails_ends_and_says_so(annex: Annex):
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", FAILING),
        env={**os.environ, **environment_of(annex.settings)},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(60):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert b"loop_failed" in said
    assert process.returncode == 1


async def test_missing_settings_stop_the_start_and_are_named():
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "plazo.cli", "serve", "tickets"),
        env={name: value for name, value in os.environ.items() if not name.startswith("PLAZO_")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    said, _ = await process.communicate()
    assert process.returncode == 3
    for name in ("PLAZO_DATABASE_URL", "PLAZO_SYSTEM_DATABASE_URL", "PLAZO_NATS_URL", "PLAZO_OPERATOR_KEY"):
        assert name in "".join(said.decode().split())
