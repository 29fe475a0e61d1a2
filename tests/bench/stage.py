"""What the timers are measured on: a durable PostgreSQL that notes when each transaction committed, NATS, and the
service as a process of its own."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import asyncpg
from harness import environment_of, prepared_settings

from plazo.kernel.ids import new_id
from plazo.local.nats import Nats
from plazo.local.ports import choose_port
from plazo.local.postgres import Postgres
from plazo.local.service import Service, serve_command
from plazo.policy.load import load_policy
from plazo.runtime.clock import SystemClock
from plazo.runtime.database import Database
from plazo.runtime.settings import Settings
from plazo.runtime.unit_of_work import Cause, SystemWork, UnitOfWork

SERVICE = "sla_clock"
BARE = "bare"
POLICY = """
policy: bench
version: "1"
effective_from: 2020-01-01
timezone: Europe/Madrid
language: en
provider: {name: Bench}
clauses: SMA
calendars: {elapsed: {hours: 24x7}}
targets:
  - {resolution: 4h, calendar: elapsed, clause: SMA-10}
"""


@dataclass
class Stage:
    """The servers, a desk that is live, and ways into the database: as the service, and as its administrator."""

    postgres: Postgres
    settings: Settings
    database: Database
    admin: asyncpg.Connection
    bare: asyncpg.Connection
    folder: Path
    desk_id: UUID

    def system_work(self) -> SystemWork:
        """Return what the service's timer loop works with."""
        return SystemWork(self.database, SystemClock(), SERVICE)

    def unit_of_work(self) -> UnitOfWork:
        """Return what the service's use cases work with."""
        return UnitOfWork(
            database=self.database, producer=SERVICE, desk_id=self.desk_id, now=datetime.now(UTC), cause=Cause()
        )

    async def settle_disk(self) -> None:
        """Do now what PostgreSQL would do in the background after much was written."""
        for connection in (self.admin, self.bare):
            await connection.execute("VACUUM ANALYZE")
        await self.admin.execute("CHECKPOINT")

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[Service]:
        """Run the service as `plazo serve` does, with relay, API and timers."""
        port = choose_port()
        service = Service(
            SERVICE,
            port=port,
            command=serve_command(SERVICE),
            log=self.folder / "logs" / "sla_clock.log",
            environment=environment_of(self.settings, listen=f"127.0.0.1:{port}"),
        )
        await service.start()
        try:
            yield service
        finally:
            await service.stop()


@asynccontextmanager
async def open_stage(folder: Path, *, policies: Sequence[str] = (POLICY,)) -> AsyncIterator[Stage]:
    """Start the servers in an empty folder and prepare the service's database; `policies` are YAML documents."""
    postgres, nats = Postgres(folder, durable=True), Nats(folder)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(postgres.stop)
        stack.push_async_callback(nats.stop)
        await asyncio.gather(postgres.start(), nats.start())
        connection = await asyncpg.connect(postgres.dsn())
        await connection.execute("ALTER SYSTEM SET track_commit_timestamp = on")
        await connection.execute(f"CREATE DATABASE {BARE}")
        await connection.close()
        await postgres.stop()
        await postgres.start()
        settings = (await prepared_settings(postgres, nats, [SERVICE]))[SERVICE]
        database = await stack.enter_async_context(Database.connect(settings))
        admin = await asyncpg.connect(postgres.dsn(f"plazo_{SERVICE}"))
        stack.push_async_callback(admin.close)
        bare = await asyncpg.connect(postgres.dsn(BARE))
        stack.push_async_callback(bare.close)
        stage = Stage(postgres, settings, database, admin, bare, folder, new_id())
        await _prepare_desk(stage, policies)
        yield stage


async def _prepare_desk(stage: Stage, documents: Sequence[str]) -> None:
    async with stage.system_work().begin() as tx:
        await tx.connection.execute(
            "INSERT INTO desk (desk_id, name, sandbox, timezone) VALUES ($1, 'bench', false, 'UTC')", stage.desk_id
        )
        for policy in map(load_policy, documents):
            await tx.connection.execute(
                "INSERT INTO policy_version (desk_id, policy, version, effective_from, document) "
                "VALUES ($1, $2, $3, $4, $5)",
                stage.desk_id,
                policy.policy,
                policy.version,
                policy.effective_from,
                policy.model_dump(mode="json", exclude_defaults=True),
            )
