"""The whole of Plazo on one machine: PostgreSQL, NATS, the four services and the gateway, kept running.

One folder holds everything: data, passwords, logs, and `state.json` that says what runs where. Children are launched
from the thread of the event loop and end with it, also when it is killed.
"""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any, Self

from plazo.events.envelope import SERVICES
from plazo.local.caddy import Caddy, dialable_host
from plazo.local.credentials import Credentials
from plazo.local.databases import DatabaseUrls
from plazo.local.errors import LocalStackError
from plazo.local.folder import DataFolder, ProgramState, StackState
from plazo.local.nats import Nats
from plazo.local.ports import choose_port, require_port
from plazo.local.postgres import Postgres
from plazo.local.process import Process, describe_exit, rotate_log
from plazo.local.service import Service, migrate_command, replica_name, serve_command
from plazo.local.wheels import require_programs
from plazo.runtime.ending import end
from plazo.runtime.schema import is_migrated

_BACK_OFF = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # seconds before the next restart of a program that keeps ending
_STEADY_SECONDS = 30.0  # a program that ran this long starts the back-off anew

Progress = Callable[[str, str], None]
"""Told a step (`postgres`, `migrations`, `tickets`, …) and its state: starting, ready, ended: …, restarted, stopped."""

Migrate = Callable[[str, Mapping[str, str]], Awaitable[None]]
"""Given a service and its environment, brings its database up to date."""


class Stack:
    """Everything, started in order, watched, and stopped in reverse.

    Use it as `async with Stack(data) as stack: await stack.watch()`, or call :meth:`run`, which also hears signals.
    """

    def __init__(
        self,
        data: Path,
        *,
        host: str = "127.0.0.1",
        port: int = 8080,
        replicas: int = 1,
        on_progress: Progress = lambda _step, _state: None,
        migrate: Migrate | None = None,
        command: Callable[[str], Sequence[str]] = serve_command,
        durable: bool = True,
        reach: Callable[[str, str, int], int] = lambda _source, _target, port: port,
    ) -> None:
        """Describe a stack whose gateway is at `host`:`port`, with `replicas` processes of each service.

        `migrate` replaces the migration subprocesses and `command` the command line of a service process;
        without `durable` PostgreSQL does not wait for the disk; `reach` says at which port the program `source` finds
        `target`, which listens on another. All four are for tests.
        """
        if replicas < 1:
            raise LocalStackError(f"replicas must be 1 or more, not {replicas}")
        self._folder = DataFolder(data)
        self.data = self._folder.path
        self.host = host
        self.port = port
        self.replicas = replicas
        self._tell = on_progress
        self._migrate = migrate or self._migrate_by_command
        self._command = command
        self._durable = durable
        self._reach = reach
        self._programs: dict[str, Process] = {}
        self._ports: dict[str, int] = {}
        self._watchers: list[asyncio.Task[None]] = []

    @property
    def address(self) -> str:
        """The one address, as a browser wants it."""
        return f"http://{dialable_host(self.host)}:{self.port}"

    def describe(self) -> StackState:
        """Return what runs where. The same is in `state.json` of the data folder."""
        return StackState(
            address=self.address,
            pid=os.getpid(),
            programs={
                name: ProgramState(pid=program.pid, port=self._ports[name], log=str(program.log))
                for name, program in self._programs.items()
            },
        )

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def run(self, *, when_started: Callable[[], Awaitable[None]] | None = None) -> None:
        """Start, call `when_started`, and stay up until SIGINT, SIGTERM or SIGHUP; then stop everything.

        A second signal kills what has not stopped yet.

        :raises LocalStackError: if the stack cannot start
        """
        loop = asyncio.get_running_loop()
        signaled = asyncio.Event()

        def hear() -> None:
            if signaled.is_set():
                self.kill()
            signaled.set()

        signals = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in signals:
            loop.add_signal_handler(number, hear)
        work = asyncio.create_task(self._start_and_stay(when_started))
        waiting = asyncio.create_task(signaled.wait())
        try:
            await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
            if not work.done():
                work.cancel()
            with suppress(asyncio.CancelledError):
                await work
        finally:
            waiting.cancel()
            await self.stop()
            for number in signals:
                loop.remove_signal_handler(number)

    async def start(self) -> None:
        """Start everything and return when the gateway serves and all four services are ready.

        :raises LocalStackError: in one sentence, if something is in the way; nothing is left running then
        """
        try:
            self._folder.enter(address=self.address)
            require_programs()
            require_port(self.host, self.port)
            await self._start_all()
        except BaseException:
            await self.stop()
            raise
        self._watchers = [asyncio.create_task(self._keep_running(program)) for program in self._programs.values()]
        self._save_state()

    async def watch(self) -> None:
        """Stay until cancelled, while programs that end are started again."""
        await asyncio.gather(*self._watchers)

    async def stop(self) -> None:
        """Stop the gateway, the services, NATS and PostgreSQL, in that order. Stopping twice is no error."""
        await end(self._watchers)
        self._watchers = []
        infrastructure = {"caddy", "nats", "postgres"}
        services = [name for name in self._programs if name not in infrastructure]
        for names in (["caddy"], services, ["nats"], ["postgres"]):
            await asyncio.gather(*(self._stop_program(name) for name in names if name in self._programs))
        self._programs = {}
        self._folder.leave()

    def kill(self) -> None:
        """Kill every program at once. Nothing that was committed is lost."""
        for program in self._programs.values():
            program.kill()

    def environment(self, service: str, *, urls: DatabaseUrls, listen: str) -> dict[str, str]:
        """Return what a process of `service` is told."""
        nats = self._programs["nats"]
        assert isinstance(nats, Nats)
        return {
            "PLAZO_SERVICE": service,
            "PLAZO_DATABASE_URL": urls.app,
            "PLAZO_SYSTEM_DATABASE_URL": urls.system,
            "PLAZO_NATS_URL": nats.url_of(service),
            "PLAZO_OPERATOR_KEY": Credentials(self.data).get("operator_key"),
            "PLAZO_LISTEN": listen,
            **(self._dossier() if service == "tickets" else {}),
            "PYTHONTZPATH": "",  # zones come from the locked tzdata, whatever the machine has
            "PYTHONUNBUFFERED": "1",
        }

    def _dossier(self) -> dict[str, str]:
        """Return where attachments are kept and what encrypts secrets."""
        return {
            "PLAZO_ATTACHMENTS_URL": (self.data / "attachments").absolute().as_uri(),
            "PLAZO_SECRETS_KEY": Credentials(self.data).encryption_key("secrets_key"),
        }

    async def _start_and_stay(self, when_started: Callable[[], Awaitable[None]] | None) -> None:
        await self.start()
        if when_started is not None:
            await when_started()
        await self.watch()

    async def _start_all(self) -> None:
        postgres = Postgres(self.data, port=self._choose_port("postgres"), durable=self._durable)
        nats = Nats(self.data, port=self._choose_port("nats"))
        self._enlist(nats)
        urls = {service: postgres.describe_database(service) for service in SERVICES}
        services = [
            self._describe_service(service, replica=replica, urls=urls[service])
            for service in SERVICES
            for replica in range(self.replicas)
        ]
        self._enlist(postgres, *services)
        # A service loads while its database starts, and waits for the migration.
        await self._together(
            self._start_program(nats),
            self._start_database(postgres, urls),
            *(self._start_program(service) for service in services),
        )
        upstreams = {
            service: [
                f"127.0.0.1:{self._reach('caddy', name, self._ports[name])}"
                for name in (replica_name(service, number) for number in range(self.replicas))
            ]
            for service in SERVICES
        }
        self._ports["caddy"] = self.port
        caddy = Caddy(self.data, host=self.host, port=self.port, upstreams=upstreams)
        self._enlist(caddy)
        await self._start_program(caddy)

    def _enlist(self, *programs: Process) -> None:
        for program in programs:
            rotate_log(program.log)
            self._programs[program.name] = program

    async def _together(self, *starts: Coroutine[Any, Any, None]) -> None:
        """Do several things at once. If one fails the others are given up, and its error is the one raised."""
        try:
            async with asyncio.TaskGroup() as group:
                for start in starts:
                    group.create_task(start)
        except* LocalStackError as failed:
            raise failed.exceptions[0] from None

    async def _start_program(self, program: Process) -> None:
        self._tell(program.name, "starting")
        await program.start()
        self._save_state()
        self._tell(program.name, "ready")

    async def _stop_program(self, name: str) -> None:
        program = self._programs[name]
        if program.is_running:
            self._tell(name, "stopping")
            await program.stop()
            self._tell(name, "stopped")

    async def _start_database(self, postgres: Postgres, urls: Mapping[str, DatabaseUrls]) -> None:
        await self._start_program(postgres)
        self._tell("migrations", "starting")
        await asyncio.gather(*(self._prepare_database(postgres, service, urls[service]) for service in SERVICES))
        self._tell("migrations", "ready")

    async def _prepare_database(self, postgres: Postgres, service: str, urls: DatabaseUrls) -> None:
        """Let the roles of a database of before be today's; make and migrate it, where that has not been done."""
        await postgres.create_database(service, replicas=self.replicas)
        if await is_migrated(postgres.dsn(f"plazo_{service}"), service=service):
            return
        environment = self.environment(service, urls=urls, listen="127.0.0.1:0")
        await self._migrate(service, {**environment, "PLAZO_OWNER_DATABASE_URL": urls.owner})

    async def _migrate_by_command(self, service: str, environment: Mapping[str, str]) -> None:
        log = self._folder.logs / f"migrate-{service}.log"
        rotate_log(log)
        migration = Process(f"migrate-{service}", command=migrate_command(service), log=log, environment=environment)
        self._programs[migration.name] = migration  # stopped with the rest if we are interrupted
        self._ports[migration.name] = 0
        migration.launch()
        code = await migration.ended()
        del self._programs[migration.name]
        if code != 0:
            raise LocalStackError(f"the migration of {service} {describe_exit(code)}; see {log}")

    def _describe_service(self, service: str, *, replica: int, urls: DatabaseUrls) -> Service:
        name = replica_name(service, replica)
        port = self._choose_port(name)
        environment = self.environment(service, urls=urls, listen=f"127.0.0.1:{port}")
        for target in ("postgres", "nats"):
            there = self._ports[target]
            if (here := self._reach(name, target, there)) != there:
                environment = {
                    key: value.replace(f"127.0.0.1:{there}", f"127.0.0.1:{here}") for key, value in environment.items()
                }
        return Service(
            name,
            port=port,
            command=self._command(service),
            log=self._folder.logs / f"{name}.log",
            environment=environment,
        )

    async def _keep_running(self, program: Process) -> None:
        """Start `program` again whenever it ends, a little later each time it does not last."""
        attempt = 0
        started = monotonic()
        while True:
            code = await program.ended()
            self._tell(program.name, f"ended: it {describe_exit(code)}; starting it again")
            attempt = 0 if monotonic() - started > _STEADY_SECONDS else attempt
            await asyncio.sleep(_BACK_OFF[min(attempt, len(_BACK_OFF) - 1)])
            attempt += 1
            started = monotonic()
            try:
                await program.start()
            except LocalStackError as failed:
                self._tell(program.name, f"did not start: {failed.message}")
                continue
            self._save_state()
            self._tell(program.name, "restarted")

    def _choose_port(self, name: str) -> int:
        self._ports[name] = choose_port(taken={*self._ports.values(), self.port})
        return self._ports[name]

    def _save_state(self) -> None:
        self._folder.save_state(self.describe())
