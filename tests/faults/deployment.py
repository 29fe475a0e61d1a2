"""The real thing: every program a process of its own, as `plazo up` runs them, and every link through a proxy."""

import asyncio
import os
import signal
import sys
from collections.abc import Iterable
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Self

from faults import receiver
from faults.proxy import Link
from faults.skewed import set_offset
from plazo.events.envelope import SERVICES
from plazo.local.credentials import Credentials
from plazo.local.folder import ProgramState
from plazo.local.nats import Nats
from plazo.local.ports import choose_port
from plazo.local.postgres import Postgres
from plazo.local.service import replica_name
from plazo.local.stack import Stack
from plazo.runtime import migrations

TESTS = Path(__file__).parents[1]


class Deployment:
    """Everything, running in a folder; use it as a context."""

    def __init__(self, data: Path, *, replicas: int = 1) -> None:
        """Describe it: `replicas` processes of each service."""
        self.links: list[Link] = []
        self.restarts: list[str] = []
        self._clocks = data / "clocks"
        self._turn = asyncio.Lock()
        self._watching: asyncio.Task[None] | None = None
        self._stack = Stack(
            data,
            port=choose_port(),
            replicas=replicas,
            migrate=self._migrate,
            command=lambda service: [sys.executable, "-m", "faults.skewed", service, str(self._clocks)],
            durable=False,
            reach=self._through_proxy,
            on_progress=self._hear,
        )

    async def __aenter__(self) -> Self:
        self._clocks.mkdir(parents=True)
        places = [str(TESTS), *filter(None, [os.environ.get("PYTHONPATH")])]
        os.environ["PYTHONPATH"] = os.pathsep.join(places)  # for `python -m faults.skewed`
        os.environ["PLAZO_WEBHOOK_ALLOWED_NETWORKS"] = f"{receiver.HOST}/32"
        await self._stack.start()
        self._watching = asyncio.create_task(self._stack.watch())
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with suppress(asyncio.CancelledError):
                await self._watching
        for name in self.programs():  # who is stopped does not hear that he is to end
            self.signal(name, signal.SIGCONT)
        await self._stack.stop()
        for link in self.links:
            await link.close()

    @property
    def address(self) -> str:
        """The one address."""
        return self._stack.address

    @property
    def data(self) -> Path:
        """The folder that holds everything, logs included."""
        return self._stack.data

    @property
    def operator_key(self) -> str:
        """The secret that creates desks."""
        return Credentials(self.data).get("operator_key")

    @property
    def replicas(self) -> list[str]:
        """The names of the service processes."""
        return [replica_name(service, number) for service in SERVICES for number in range(self._stack.replicas)]

    def databases(self) -> dict[str, str]:
        """Return, for each service, how an administrator reaches its database, past the proxies."""
        postgres = Postgres(self.data, port=self._state("postgres").port, durable=False)
        return {service: postgres.dsn(f"plazo_{service}") for service in SERVICES}

    def nats_url(self) -> str:
        """Return how NATS is reached, past the proxies."""
        return Nats(self.data, port=self._state("nats").port).url

    def programs(self) -> Iterable[str]:
        """Return the names of all that runs."""
        return list(self._stack.describe().programs)

    def pid(self, program: str) -> int | None:
        """Return the process id of a program while it runs."""
        return self._state(program).pid

    def port(self, program: str) -> int:
        """Return the port on which a program listens, past the proxies."""
        return self._state(program).port

    def signal(self, program: str, number: signal.Signals) -> None:
        """Send a signal to a program, with what it started; none if it does not run just then."""
        pid = self.pid(program)
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, number)

    def kill_process(self, pid: int) -> None:
        """SIGKILL a process of PostgreSQL, if it still is one."""
        with suppress(OSError):
            if (Path("/proc") / str(pid) / "exe").readlink().name.startswith("postgres"):
                os.kill(pid, signal.SIGKILL)

    def turn_clock(self, program: str, offset: timedelta) -> None:
        """Let the machine's clock, as a service process reads it, be off by `offset`."""
        set_offset(self._clocks, self._state(program).port, offset)

    def heal(self) -> None:
        """Let all links be good, all clocks right, and all that was stopped go on."""
        for link in self.links:
            link.heal()
        for name in self.replicas:
            self.turn_clock(name, timedelta(0))
        for name in self.programs():
            self.signal(name, signal.SIGCONT)

    def _state(self, program: str) -> ProgramState:
        return self._stack.describe().programs[program]

    def _hear(self, program: str, state: str) -> None:
        if state == "restarted":
            self.restarts.append(program)

    def _through_proxy(self, source: str, target: str, port: int) -> int:
        link = Link(source, target, port=port)
        self.links.append(link)
        return link.port

    async def _migrate(self, service: str, environment: "dict[str, str]") -> None:
        async with self._turn:
            await migrations.upgrade(service, dsn=environment["PLAZO_OWNER_DATABASE_URL"])
