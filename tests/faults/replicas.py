"""A house whose services have several replicas, each of which can be stopped and started by itself.

They share a process and its loop, and nothing else: each has its own pools, connections, relay, consumers and timers.
"""

import asyncio
import importlib
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from harness import Client, House, eventually, prepared_settings

from plazo.events.envelope import SERVICES
from plazo.local.nats import Nats
from plazo.local.postgres import Postgres
from plazo.runtime.problems import MEDIA_TYPE
from plazo.runtime.service import Runtime
from plazo.runtime.web import create_app

CHOSEN = b"x-replica"


@dataclass
class ReplicatedHouse(House):
    """The running services, a number of each, behind a gateway that gives every request to the next of them."""

    running: dict[str, dict[int, tuple[FastAPI, AsyncExitStack]]] = field(default_factory=dict)
    answered: Counter[str] = field(default_factory=Counter)
    _turn: Any = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        """Know no paths before there are apps."""

    def learn_paths(self) -> None:
        """Learn from the first replicas which paths belong to which service."""
        self.apps = {name: replicas[0][0] for name, replicas in self.running.items()}
        super().__post_init__()

    async def start(self, service: str, number: int) -> Runtime:
        """Start a replica."""
        app, stack = create_app(app_of(service), settings=self.settings[service]), AsyncExitStack()
        await stack.enter_async_context(app.router.lifespan_context(app))
        self.running.setdefault(service, {})[number] = (app, stack)
        runtime: Runtime = app.state.runtime
        return runtime

    async def stop(self, service: str, number: int) -> None:
        """Stop a replica in good order; from now on no request comes to it."""
        _, stack = self.running[service].pop(number)
        await stack.aclose()

    async def stop_all(self) -> None:
        """Stop every replica that runs."""
        await asyncio.gather(*(self.stop(name, number) for name in self.running for number in [*self.running[name]]))

    def runtimes(self, service: str) -> list[Runtime]:
        """Return the running replicas of a service."""
        return [app.state.runtime for app, _ in self.running[service].values()]

    def runtime(self, service: str) -> Runtime:
        """Return one of them."""
        return self.runtimes(service)[0]

    def service_of(self, path: str) -> tuple[str, str]:
        """Return which service a path belongs to, and the path as that service sees it."""
        for name in self.apps:
            prefix = "/" + name.replace("_", "-")
            if path.startswith(prefix + "/"):
                return name, path.removeprefix(prefix)
        names = {id(app): name for name, app in self.apps.items()}
        return next((names[id(app)] for pattern, app in self._routes if pattern.match(path)), "tickets"), path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Be the gateway (ASGI). The header `X-Replica` chooses one by its number."""
        name, path = self.service_of(scope["path"])
        replicas = self.running.get(name, {})
        if not replicas:
            headers = [(b"content-type", MEDIA_TYPE.encode()), (b"retry-after", b"1")]
            await send({"type": "http.response.start", "status": 502, "headers": headers})
            await send({"type": "http.response.body", "body": b'{"type": "urn:plazo:problem:unavailable"}'})
            return
        chosen = dict(scope["headers"]).get(CHOSEN)
        number = int(chosen) if chosen else sorted(replicas)[next(self._turn) % len(replicas)]
        self.answered[f"{name} {number}"] += 1
        await replicas[number][0]({**scope, "path": path, "root_path": ""}, receive, send)

    def through(self, client: Client, number: int) -> Client:
        """Return the same caller, whose requests all come to the replicas of that number."""
        transport = httpx.ASGITransport(app=self, raise_app_exceptions=False)
        headers = {"Authorization": client.headers["authorization"], CHOSEN.decode(): str(number)}
        return Client(transport=transport, base_url="http://house", headers=headers, timeout=60)

    async def all_on_the_bus(self) -> None:
        """Wait until every replica is connected to NATS."""

        async def connected() -> bool:
            return all(one.bus.is_connected for name in self.running for one in self.runtimes(name))

        await eventually(connected, seconds=20)


def app_of(service: str) -> Any:
    """Return what makes a service one."""
    return importlib.import_module(f"{service}.app").SERVICE


Fill = Callable[[Postgres], Awaitable[None]]


@asynccontextmanager
async def running_replicas(
    data: Path, *, replicas: int = 1, fill: Fill | None = None
) -> AsyncIterator[ReplicatedHouse]:
    """Run PostgreSQL, NATS and `replicas` of each service; `fill` makes databases before they are migrated."""
    postgres, nats = Postgres(data, durable=False), Nats(data)
    async with AsyncExitStack() as stack:
        await asyncio.gather(postgres.start(), nats.start())
        stack.push_async_callback(postgres.stop)
        stack.push_async_callback(nats.stop)
        if fill is not None:
            await fill(postgres)
        settings = await prepared_settings(postgres, nats, list(SERVICES))
        house = ReplicatedHouse(apps={}, postgres=postgres, nats=nats, settings=settings, stack=stack)
        stack.push_async_callback(house.stop_all)
        await asyncio.gather(*(house.start(name, number) for name in SERVICES for number in range(replicas)))
        house.learn_paths()
        await house.all_on_the_bus()
        yield house
