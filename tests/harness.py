"""The house under test: all four services on a real PostgreSQL and a real NATS, and people who call them."""

import asyncio
import importlib
import importlib.util
import re
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID, uuid4

import asyncpg
import httpx
from fastapi import FastAPI

from plazo.events.envelope import SERVICES
from plazo.kernel.time import format_instant
from plazo.local.nats import Nats
from plazo.local.ports import choose_port
from plazo.local.postgres import Postgres
from plazo.policies import policy_text
from plazo.runtime import migrations
from plazo.runtime.routes import rules_of
from plazo.runtime.service import Runtime
from plazo.runtime.settings import Settings
from plazo.runtime.web import create_app

T = TypeVar("T")

OPERATOR_KEY = "operator-key-of-the-tests"
SECRETS_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


async def eventually(question: Callable[[], Awaitable[T]], *, seconds: float = 10.0) -> T:
    """Ask until the answer is true; the assertion that fails at the end shows the last answer."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        answer = await question()
        if answer:
            return answer
        assert asyncio.get_running_loop().time() < deadline, f"still {answer!r} after {seconds} s"
        await asyncio.sleep(0.01)


class Client(httpx.AsyncClient):
    """Calls the house as one person. :meth:`ok` insists on success and shows request and reply where it fails."""

    async def ok(self, method: str, path: str, **options: Any) -> Any:
        """Send a request that must succeed, and return its JSON."""
        response = await self.request(method, path, **options)
        assert response.is_success, f"{method} {path} {options.get('json')}\n{response.status_code} {response.text}"
        return response.json() if response.content else None

    async def refused(self, status: int, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Send a request that must be refused with `status`, and return the problem."""
        response = await self.request(method, path, **options)
        assert response.status_code == status, f"{method} {path}\n{response.status_code} {response.text}"
        assert response.headers["content-type"] == "application/problem+json"
        problem: dict[str, Any] = response.json()
        assert problem["type"].startswith("urn:plazo:problem:")
        assert problem["status"] == status
        return problem


@dataclass
class House:
    """The running services, and the ways to look into them."""

    apps: dict[str, FastAPI]
    postgres: Postgres
    nats: Nats
    settings: dict[str, Settings]
    stack: AsyncExitStack
    _routes: list[tuple[re.Pattern[str], FastAPI]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Learn which paths belong to which service."""
        for name, app in self.apps.items():
            for path in {rule.path for rule in rules_of(importlib.import_module(f"{name}.app").SERVICE)}:
                if path.startswith("/v1"):
                    pattern = re.compile(
                        "".join(
                            "[^/]+" if part.startswith("{") else re.escape(part)
                            for part in re.split(r"(\{[^}]+\})", path)
                        )
                        + "$"
                    )
                    self._routes.append((pattern, app))

    def runtime(self, service: str) -> Runtime:
        """Return the running process of a service."""
        runtime: Runtime = self.apps[service].state.runtime
        return runtime

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Be the gateway: an ASGI app that sends each path to its service; `/{service}/…` names one."""
        path = scope["path"]
        for name, app in self.apps.items():
            prefix = "/" + name.replace("_", "-")
            if path.startswith(prefix + "/"):
                await app({**scope, "path": path.removeprefix(prefix), "root_path": ""}, receive, send)
                return
        for pattern, app in self._routes:
            if pattern.match(path):
                await app(scope, receive, send)
                return
        await self.apps["tickets"](scope, receive, send)

    def client(self, token: str | None = None) -> Client:
        """Return a caller with an API key."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        transport = httpx.ASGITransport(app=self, raise_app_exceptions=False)
        return Client(transport=transport, base_url="http://house", headers=headers, timeout=60)

    async def fetch(self, service: str, sql: str, *arguments: Any) -> list[asyncpg.Record]:
        """Look into a service's database, across desks."""
        return await self.runtime(service).database.system.fetch(sql, *arguments)

    async def analyze(self, service: str, table: str) -> None:
        """Let the planner know a table that was filled at once, as autovacuum would by and by."""
        connection = await asyncpg.connect(self.postgres.dsn(f"plazo_{service}"))
        try:
            await connection.execute(f"ANALYZE {table}")
        finally:
            await connection.close()

    async def events(self, service: str, desk_id: UUID | str, *types: str) -> list[asyncpg.Record]:
        """Return what a service announced for a desk, oldest first; `types` such as `ticket.opened.v1`."""
        return await self.fetch(
            service,
            "SELECT * FROM outbox WHERE desk_id = $1 AND (cardinality($2::text[]) = 0 OR type = ANY($2)) ORDER BY seq",
            UUID(str(desk_id)),
            list(types),
        )

    async def new_desk(self, *, at: datetime | str = "2026-05-04T13:00:00Z", sandbox: bool = True) -> "DeskUnderTest":
        """Make a desk whose test clock stands at `at`."""
        body: dict[str, Any] = {"name": f"desk {secrets.token_hex(4)}", "sandbox": sandbox}
        if sandbox:
            body["clock_at"] = at if isinstance(at, str) else format_instant(at)
        operator = self.client(OPERATOR_KEY)
        created = await operator.ok("POST", "/v1/desks", json=body)
        desk_id = UUID(created["desk_id"])
        desk = DeskUnderTest(house=self, desk_id=desk_id, admin=self.client(created["api_key"]))
        await self.settled(desk_id)
        return desk

    async def settled(self, desk_id: UUID, *, seconds: float = 20) -> None:
        """Wait until all that was set in motion in a desk has come to rest."""
        settlement = self.runtime("tickets").settlement
        if set(self.apps) == set(SERVICES):
            assert await settlement.wait(desk_id=desk_id, seconds=seconds), await self.unsettled(desk_id)

    async def unsettled(self, desk_id: UUID) -> str:
        """Say what has not come to rest, and why."""
        lines = []
        for name in self.apps:
            counts = await self.runtime(name).settlement.counts(desk_id=desk_id, about=None)
            letters = await self.fetch(name, "SELECT type, reason FROM dead_letter WHERE desk_id = $1", desk_id)
            lines.append(f"{name}: {counts} dead letters: {[dict(letter) for letter in letters]}")
        return "\n".join(lines)


@dataclass
class DeskUnderTest:
    """A fresh sandbox desk and its administrator."""

    house: House
    desk_id: UUID
    admin: Client

    async def key(self, role: str, **about: Any) -> Client:
        """Issue a key and return its caller, once every service knows it."""
        issued = await self.admin.ok("POST", "/v1/keys", json={"role": role, "label": role, **about})
        await self.settled()
        return self.house.client(issued["api_key"])

    async def settled(self) -> None:
        """Wait until the desk has come to rest."""
        await self.house.settled(self.desk_id)

    async def publish(self, policy: str) -> dict[str, Any]:
        """Publish one of the shipped policy documents."""
        published: dict[str, Any] = await self.admin.ok("POST", "/v1/policies", json={"document": policy_text(policy)})
        return published

    async def customer(self, policy: str, *, plan: str | None = None, **terms: Any) -> dict[str, Any]:
        """Register a customer with a contract under a published policy; returns the contract."""
        about = {key: terms.pop(key) for key in ("segment", "timezone", "region", "language") if key in terms}
        customer = await self.admin.ok(
            "POST",
            "/v1/customers",
            json={"name": f"Cliente {uuid4().hex[:6]}", "email": "cliente@example.com", **about},
        )
        contract: dict[str, Any] = await self.admin.ok(
            "POST",
            "/v1/contracts",
            json={"customer_id": customer["customer_id"], "policy": policy, "plan": plan, "valid_from": "2020-01-01"}
            | terms,
        )
        await self.settled()
        return contract

    async def open_ticket(self, contract: dict[str, Any], **ticket: Any) -> dict[str, Any]:
        """Open a ticket under a contract and return it once it has settled everywhere."""
        body = {
            "contract_id": contract["contract_id"],
            "subject": "No arranca",
            "description": "No arranca desde hoy",
            "channel": "email",
        } | ticket
        opened = await self.admin.ok("POST", "/v1/tickets", json=body)
        await self.settled()
        return await self.ticket(opened)

    async def ticket(self, ticket: dict[str, Any]) -> dict[str, Any]:
        """Read a ticket again."""
        read: dict[str, Any] = await self.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}")
        return read

    async def advance(self, *, to: str) -> dict[str, Any]:
        """Move the test clock; returns when all four services have come to rest."""
        moved: dict[str, Any] = await self.admin.ok("POST", f"/v1/desks/{self.desk_id}/clock", json={"to": to})
        return moved


def clock_of(ticket: dict[str, Any], kind: str, cycle: int = 1) -> dict[str, Any]:
    """Return one clock of a ticket as it was read."""
    found = [clock for clock in ticket["clocks"] if clock["kind"] == kind and clock["cycle"] == cycle]
    assert found, f"no {kind} clock of cycle {cycle} in {ticket['clocks']}"
    clock: dict[str, Any] = found[0]
    return clock


@asynccontextmanager
async def running_house(data: Path) -> AsyncIterator[House]:
    """Run PostgreSQL, NATS and the services, in this process and loop."""
    postgres, nats = Postgres(data, durable=False), Nats(data)
    async with AsyncExitStack() as stack:
        await asyncio.gather(postgres.start(), nats.start())
        stack.push_async_callback(postgres.stop)
        stack.push_async_callback(nats.stop)
        names = [name for name in SERVICES if importlib.util.find_spec(f"{name}.app")]
        all_settings = await prepared_settings(postgres, nats, names)
        apps = {}
        for name in names:
            app = create_app(importlib.import_module(f"{name}.app").SERVICE, settings=all_settings[name])
            await stack.enter_async_context(app.router.lifespan_context(app))
            apps[name] = app
        house = House(apps=apps, postgres=postgres, nats=nats, settings=all_settings, stack=stack)

        async def buses_connected() -> bool:
            return all(house.runtime(name).bus.is_connected for name in names)

        await eventually(buses_connected)
        yield house


async def prepared_settings(
    postgres: Postgres, nats: Nats, names: list[str], *, suffix: str = ""
) -> dict[str, Settings]:
    """Make and migrate a database for each service and return the settings its process would get."""

    async def prepare(name: str) -> Settings:
        urls = await postgres.create_database(name, database=f"plazo_{name}{suffix}")
        await migrations.upgrade(name, dsn=urls.owner)
        return Settings(
            database_url=urls.app,
            system_database_url=urls.system,
            nats_url=nats.url_of(name),
            operator_key=OPERATOR_KEY,
            refusals_per_second_of_address=1_000_000,  # all tests come from one
            database_connections=8,
            log_level="warning",
            webhook_allowed_networks="127.0.0.77/32",
            attachments_url=f"file://{postgres.cluster.parent}/attachments",
            secrets_key=f"test:{SECRETS_KEY}",
        )

    return {name: await prepare(name) for name in names}


def environment_of(settings: Settings, *, listen: str | None = None, log_level: str = "warning") -> dict[str, str]:
    """Return what a process with these settings is told: where it belongs, and its secrets."""
    secret = {
        "PLAZO_DATABASE_URL": settings.database_url,
        "PLAZO_SYSTEM_DATABASE_URL": settings.system_database_url,
        "PLAZO_NATS_URL": settings.nats_url,
        "PLAZO_OPERATOR_KEY": settings.operator_key,
    }
    return {name: value.get_secret_value() for name, value in secret.items()} | {
        "PLAZO_LISTEN": listen or f"127.0.0.1:{choose_port()}",
        "PLAZO_LOG_LEVEL": log_level,
    }
