"""An upgrade as `deploy/README.md` describes it, under load: the database expands, then the replicas are replaced."""

import asyncio
import os
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest
from alembic.config import Config
from harness import OPERATOR_KEY, environment_of, eventually, prepared_settings

from plazo.local.caddy import Caddy
from plazo.local.nats import Nats
from plazo.local.ports import choose_port
from plazo.local.postgres import Postgres
from plazo.local.service import Service, serve_command
from plazo.runtime import migrations
from plazo.runtime.schema import needed_revision
from plazo.runtime.settings import Settings

CALLERS = 4
PACE_SECONDS = 0.03
LONGEST_SECONDS = 2.0
READER_SECONDS = 2.5  # a long read, such as a back-up's, that holds every change of the tables up

INDEX = "customer_of_next"
NEXT = """
from alembic import op

revision, down_revision = "209901010001", "{head}"


def upgrade():
    op.execute("ALTER TABLE customer ADD COLUMN note_of_next text")
    op.execute("ALTER TABLE ticket ADD COLUMN note_of_next text NOT NULL DEFAULT ''")
    op.execute("CREATE TABLE thing_of_next (desk_id uuid NOT NULL)")
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY customer_of_next ON customer (desk_id, note_of_next)")
"""


@dataclass
class Load:
    """People who go on calling: what they were answered, and how long that took."""

    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    longest: float = 0.0

    async def call(self, address: str, token: str, stop: asyncio.Event) -> None:
        """Write and read until told to stop; nothing is ever repeated."""
        headers = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=address, headers=headers, timeout=30, trust_env=False) as client:
            while not stop.is_set():
                for method, path in (("POST", "/v1/customers"), ("GET", "/v1/customers"), ("GET", "/v1/tickets")):
                    body = {"name": f"Cliente {uuid4().hex}"} if method == "POST" else None
                    began = time.monotonic()
                    try:
                        answer = await client.request(method, path, json=body)
                    except httpx.TransportError as error:
                        self.faults.append(f"{method} {path}: {error!r}")
                        continue
                    self.longest = max(self.longest, time.monotonic() - began)
                    self.statuses[answer.status_code] += 1
                    await asyncio.sleep(PACE_SECONDS)
                    if not answer.is_success:
                        self.faults.append(f"{method} {path}: {answer.status_code} {answer.text}")


@asynccontextmanager
async def under_load(address: str, token: str) -> AsyncIterator[Load]:
    """Let some callers call for the time of the block."""
    load, stop = Load(), asyncio.Event()
    callers = [asyncio.create_task(load.call(address, token, stop)) for _ in range(CALLERS)]
    try:
        yield load
    finally:
        stop.set()
        await asyncio.gather(*callers)


def replica(number: int, *, port: int, data: Path, settings: Settings) -> Service:
    """Describe a process of tickets."""
    return Service(
        f"tickets-{number}",
        port=port,
        command=serve_command("tickets"),
        log=data / "logs" / f"tickets-{number}.log",
        environment=environment_of(settings, listen=f"127.0.0.1:{port}"),
    )


@pytest.mark.timeout(240)
async def test_an_upgrade_under_load_refuses_no_request(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    postgres, nats = Postgres(tmp_path, durable=False), Nats(tmp_path)
    async with AsyncExitStack() as stack:
        for server in (postgres, nats):
            await server.start()
            stack.push_async_callback(server.stop)
        settings = (await prepared_settings(postgres, nats, ["tickets"]))["tickets"]
        ports = [choose_port(), choose_port()]
        replicas = [replica(number, port=port, data=tmp_path, settings=settings) for number, port in enumerate(ports)]
        gateway_port = choose_port(taken=set(ports))
        nobody = [f"127.0.0.1:{choose_port(taken={*ports, gateway_port})}"]
        upstreams = dict.fromkeys(("sla_clock", "escalation", "billing"), nobody)
        upstreams["tickets"] = [f"127.0.0.1:{port}" for port in ports]
        gateway = Caddy(tmp_path, host="127.0.0.1", port=gateway_port, upstreams=upstreams)
        for program in (*replicas, gateway):
            stack.push_async_callback(program.stop)
        await asyncio.gather(*(program.start() for program in (*replicas, gateway)))
        async with httpx.AsyncClient(base_url=gateway.address, timeout=30, trust_env=False) as operator:
            made = await operator.post(
                "/v1/desks",
                json={"name": "Mesa", "sandbox": True, "clock_at": "2026-05-04T13:00:00Z"},
                headers={"Authorization": f"Bearer {OPERATOR_KEY}"},
            )
        token = made.json()["api_key"]

        # 1. The database expands, while a long read holds the tables and requests come.
        next_version(tmp_path, monkeypatch)
        urls = postgres.describe_database("tickets")
        async with under_load(gateway.address, token) as load:
            await eventually(lambda: answered(load, more_than=20))
            reader = await asyncpg.connect(urls.owner)
            async with reader.transaction():
                await reader.execute("SELECT FROM customer; SELECT FROM ticket")
                migration = asyncio.create_task(migrations.upgrade("tickets", dsn=urls.owner))
                held_up = time.monotonic()
                await eventually(lambda: later(held_up + READER_SECONDS))
                assert not migration.done()
            await migration
            assert await reader.fetchval("SELECT version_num FROM alembic_version") == "209901010001"
            assert await reader.fetchval("SELECT indisvalid FROM pg_index WHERE indexrelid = $1::text::regclass", INDEX)
            await reader.close()
            seen = load.statuses.total()
            await eventually(lambda: answered(load, more_than=seen + 40))
        assert load.faults == []
        assert load.longest < LONGEST_SECONDS
        expanding = load.statuses

        # 2. One replica is told to stop, waited for, started anew; then the other leaves (its return shows no more).
        first, second = replicas
        async with under_load(gateway.address, token) as load:
            for step in (first.stop, first.start, second.stop):
                seen = load.statuses.total()
                await eventually(lambda before=seen: answered(load, more_than=before + 20))  # type: ignore[misc]
                await step()
            seen = load.statuses.total()
            await eventually(lambda: answered(load, more_than=seen + 20))
        assert load.faults == []

        # What was answered is there, once.
        written = await asyncpg.connect(urls.owner)
        customers = await written.fetchval("SELECT count(*) FROM customer WHERE name LIKE 'Cliente %'")
        await written.close()
        assert customers == expanding[201] + load.statuses[201]


def next_version(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `tickets` have one more migration, an expanding one."""
    versions = folder / "versions"
    versions.mkdir()
    (versions / "209901010001_next.py").write_text(NEXT.format(head=needed_revision("tickets")))
    configuration = migrations.configuration

    def with_next(service: str, **attributes: object) -> Config:
        config = configuration(service, **attributes)
        own = Path(sys.modules["tickets"].__path__[0]) / "migrations" / "versions"
        config.set_main_option("version_locations", os.pathsep.join(map(str, (own, versions))))
        return config

    monkeypatch.setattr(migrations, "configuration", with_next)


async def answered(load: Load, *, more_than: int) -> bool:
    """Tell whether so many requests have been answered."""
    return load.statuses.total() > more_than or bool(load.faults)


async def later(instant: float) -> bool:
    """Tell whether it is later than that."""
    return time.monotonic() > instant
