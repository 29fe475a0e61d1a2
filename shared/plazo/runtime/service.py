"""A service: its name, its routes, the events it reads, its timers; and the running process of it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import structlog
from fastapi import APIRouter

from plazo.runtime.bus import Bus, BusDown
from plazo.runtime.clock import Clock
from plazo.runtime.consumer import Consumer, Handlers
from plazo.runtime.database import OUTAGE, Database
from plazo.runtime.database_clock import DatabaseClock
from plazo.runtime.ending import end
from plazo.runtime.identity import Principal, authenticate
from plazo.runtime.key_uses import KeyUses
from plazo.runtime.limits import RequestLimits
from plazo.runtime.missed import MissedEventsOfOurs
from plazo.runtime.oidc import access_tokens
from plazo.runtime.relay import Relay
from plazo.runtime.schema import NotMigrated, require_migrated
from plazo.runtime.settings import Settings
from plazo.runtime.settlement import Settlement
from plazo.runtime.unit_of_work import Cause, Check, Claim, SystemWork, UnitOfWork, Witness
from plazo.runtime.wake import Wake

log = structlog.get_logger(__name__)

_START_SECONDS = 180.0
_FINISH_SECONDS = 7.0

Background = Callable[["Runtime", asyncio.Event], Coroutine[Any, Any, None]]


@dataclass(frozen=True, slots=True)
class Service:
    """What makes one service different from another.

    `handlers` are keyed by producing service; a producer that is not named is not read. `background` are loops that
    run beside the API, such as timers, until the event they are given is set. `max_body_bytes` is the largest request
    body accepted, `body_limits` another one for the paths that match a regular expression whole. `witness` sees every
    event that takes effect here or is announced here, in its transaction.
    """

    name: str
    title: str
    description: str
    routers: Sequence[APIRouter]
    handlers: Mapping[str, Handlers]
    background: Sequence[Background] = field(default_factory=tuple)
    max_body_bytes: int = 1_048_576
    body_limits: Mapping[str, int] = field(default_factory=dict)
    witness: Witness | None = None


class Runtime:
    """One running process of a service. It holds no state that another replica would miss."""

    def __init__(self, *, service: Service, settings: Settings, database: Database, clock: Clock) -> None:
        self.service = service
        self.settings = settings
        self.database = database
        self.clock = clock
        self.has_failed = False
        self.leaving = asyncio.Event()  # set as the process is told to stop: what streams to a caller ends
        self.outbox_wake = Wake()
        self.bus = Bus(
            settings.nats_url.get_secret_value(),
            name=service.name,
            replicas=settings.event_replicas,
            tls=settings.nats_tls(),
        )
        self.relay = Relay(database=database, bus=self.bus, producer=service.name, wake=self.outbox_wake)
        self.access_tokens = access_tokens(settings)
        self.limits = RequestLimits(settings)
        self.key_uses = KeyUses(database=database, bus=self.bus, service=service.name)
        self.missed = MissedEventsOfOurs(database=database, bus=self.bus, producer=service.name)
        self.settlement = Settlement(
            database=database,
            bus=self.bus,
            service=service.name,
            reads=tuple(service.handlers),
            leaving=self.leaving,
        )
        self.consumers = {
            producer: Consumer(
                database=database,
                bus=self.bus,
                clock=clock,
                service=service.name,
                producer=producer,
                handlers=handlers,
                wake=self.outbox_wake,
                witness=service.witness,
                reads=service.handlers.keys(),
            )
            for producer, handlers in service.handlers.items()
        }

    def unit_of_work(
        self,
        *,
        desk_id: UUID,
        now: datetime,
        cause: Cause | None = None,
        claim: Claim | None = None,
        check: Check | None = None,
    ) -> UnitOfWork:
        """Return a unit of work of this service for a desk."""
        return UnitOfWork(
            database=self.database,
            producer=self.service.name,
            desk_id=desk_id,
            now=now,
            cause=cause or Cause(),
            claim=claim,
            check=check,
            outbox_wake=self.outbox_wake,
            witness=self.service.witness,
        )

    async def admit(self, authorization: str | None, *, now: datetime) -> Principal:
        """Return who asks, and count the request.

        :raises Unauthenticated: for no valid key or token
        :raises TooManyRequests: if the caller or its desk asks faster than it may
        """
        principal = await authenticate(self.database, authorization=authorization, now=now, tokens=self.access_tokens)
        self.limits.take(principal)
        self.key_uses.note(principal.key_id, at=now)
        return principal

    def system_work(self) -> SystemWork:
        """Return what opens transactions that span desks."""
        return SystemWork(
            database=self.database,
            clock=self.clock,
            producer=self.service.name,
            outbox_wake=self.outbox_wake,
            witness=self.service.witness,
        )

    @classmethod
    @asynccontextmanager
    async def running(
        cls, service: Service, settings: Settings, *, clock: Clock | None = None
    ) -> AsyncIterator["Runtime"]:
        """Run a service's relay, consumers and timers for the time of the block; finish what they hold at its end.

        Waits for the database and its migration, three minutes at most. NATS may be away: the service then answers,
        keeps its events, and catches up by itself.
        """
        async with AsyncExitStack() as stack:
            database, common_clock = await _reach_database(stack, settings, service=service.name)
            runtime = cls(service=service, settings=settings, database=database, clock=clock or common_clock)
            stopping = asyncio.Event()
            tasks = [asyncio.create_task(runtime._run(stopping))]  # its own
            tasks.append(asyncio.create_task(common_clock.keep(stopping)))
            tasks.append(asyncio.create_task(runtime.key_uses.run(stopping)))
            tasks += [asyncio.create_task(loop(runtime, stopping)) for loop in service.background]
            for task in tasks:
                task.add_done_callback(runtime.end_process_if_failed)
            try:
                yield runtime
            finally:
                runtime.leaving.set()
                stopping.set()
                await asyncio.wait(tasks, timeout=_FINISH_SECONDS)
                await end(tasks)
                await runtime.bus.close()

    def end_process_if_failed(self, task: "asyncio.Task[None]") -> None:
        """End the process after a loop that ended by an error: it would look alive, and not be."""
        if not task.cancelled() and (error := task.exception()) is not None:
            log.critical("loop_failed", exc_info=error)
            self.has_failed = True
            signal.raise_signal(signal.SIGTERM)

    async def _run(self, stopping: asyncio.Event) -> None:
        relay = asyncio.create_task(self.relay.run())
        connecting = asyncio.create_task(self._connect())
        stop = asyncio.create_task(stopping.wait())
        try:
            await asyncio.wait((connecting, stop), return_when=asyncio.FIRST_COMPLETED)
            if not connecting.done():
                return
            connecting.result()
            self.outbox_wake.set()
            await asyncio.gather(*(consumer.run(stopping) for consumer in self.consumers.values()), stop)
            await self.relay.drain()
        finally:
            await end((relay, connecting, stop))

    async def _connect(self) -> None:
        while True:
            try:
                await self.bus.connect()
                await self.settlement.serve()
                await self.key_uses.serve()
                await self.missed.serve()
                await self.bus.ensure_stream(self.service.name)
            except BusDown as error:
                log.info("bus_away", error=str(error))
                await asyncio.sleep(0.3)
            else:
                return


async def _reach_database(stack: AsyncExitStack, settings: Settings, *, service: str) -> tuple[Database, DatabaseClock]:
    """Connect, and wait for what is still to come: the server, the roles, the database, its grants, its migration."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_SECONDS
    while True:
        try:
            async with AsyncExitStack() as attempt:
                database = await attempt.enter_async_context(Database.connect(settings))
                await require_migrated(database.system, service=service)
                clock = await DatabaseClock.set_by(database)
                stack.push_async_exit(attempt.pop_all())
                return database, clock
        except (*OUTAGE, NotMigrated, asyncpg.PostgresError) as error:
            if loop.time() > deadline:
                raise
            log.info("database_awaited", error=str(error) or type(error).__name__)
            await asyncio.sleep(0.2)
