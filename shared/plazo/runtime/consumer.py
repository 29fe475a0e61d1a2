"""Takes a producer's events from the bus and gives each to its handler, once and in the order of its ticket."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

import structlog

from plazo.events.envelope import Envelope, Event
from plazo.events.registry import event_class
from plazo.kernel.foreign_json import without_controls
from plazo.runtime import inbox, metrics
from plazo.runtime.bus import Bus, BusDown, Delivery, MalformedEvent, Subscription, parse_event, require_origin
from plazo.runtime.clock import Clock
from plazo.runtime.database import OUTAGE, Database
from plazo.runtime.ending import end
from plazo.runtime.inbox import Ahead, InboxClaim, NotYet, OutOfTurn
from plazo.runtime.missed import MissedEvents
from plazo.runtime.turns import Turns
from plazo.runtime.unit_of_work import AlreadyDone, Cause, UnitOfWork, Witness
from plazo.runtime.wake import Wake

log = structlog.get_logger(__name__)

E = TypeVar("E", bound=Event)

_LANES = 8
_FETCH = 100
_HELD = 800
# One ticket may have been told thousands of things: what is more waits in the database, and holds up no other.
_HELD_OF_ONE = 100
_CALLED_AT_ONCE = 50
_FETCH_SECONDS = 2.0
_SWEEP_SECONDS = 2.0
# A handler that fails is tried again after these pauses, then its event is set aside.
_BACK_OFF_SECONDS = (0.05, 0.2, 1.0, 3.0)
# What another event is going to bring is awaited on the bus this often, and then in the database: the bus has room
# for so many unfinished events only, and they must not be the ones that wait.
_NOT_YET_SECONDS = 0.1
_NOT_YET_ATTEMPTS = 20
# An event that waits in the database is called so many times; what it awaits has about five minutes.
_FAILED_SWEEPS = 2
_NOT_YET_SWEEPS = 150


@dataclass(frozen=True, slots=True)
class Received(Generic[E]):
    """An event as its handler sees it: the payload, and what the envelope says of it."""

    payload: E
    envelope: Envelope


Handler = Callable[[UnitOfWork, Received[Any]], Awaitable[None]]
Handlers = Mapping[type[Event], Handler]


def merge_handlers(*tables: Mapping[str, Handlers]) -> dict[str, Handlers]:
    """Merge tables of handlers by producer. :raises ValueError: if two tables handle the same event"""
    merged: dict[str, dict[type[Event], Handler]] = {}
    for table in tables:
        for producer, handlers in table.items():
            here = merged.setdefault(producer, {})
            if both := here.keys() & handlers.keys():
                raise ValueError(f"handled twice: {', '.join(sorted(event.__name__ for event in both))}")
            here.update(handlers)
    return dict(merged)


class Consumer:
    """One service's reading of one producer; `reads` are all that it reads."""

    def __init__(
        self,
        *,
        database: Database,
        bus: Bus,
        clock: Clock,
        service: str,
        producer: str,
        handlers: Handlers,
        wake: Wake,
        witness: Witness | None = None,
        reads: Collection[str] = (),
    ) -> None:
        self._database = database
        self._reads = reads
        self._bus = bus
        self._clock = clock
        self._service = service
        self._wake = wake
        self._witness = witness
        self._handlers = handlers
        self.missed = MissedEvents(database=database, bus=bus, service=service, producer=producer)
        self._failed_sweeps: dict[UUID, int] = {}
        self._failed_now: set[UUID] = set()
        self._turns = Turns(at_most=_HELD, of_one=_HELD_OF_ONE)
        self.producer = producer

    async def run(self, stopping: asyncio.Event) -> None:
        """Consume until `stopping` is set, then finish what has been taken."""
        lanes = [asyncio.create_task(self._work()) for _ in range(_LANES)]
        sweepers = [
            asyncio.create_task(self._repeat(call, stopping)) for call in (self._fetch_missed, self._call_all_stranded)
        ]
        try:
            while not stopping.is_set():
                try:
                    subscription = await self._bus.subscribe(self.producer, consumer=self._service)
                except BusDown:
                    await asyncio.sleep(0.2)
                    continue
                try:
                    await self._take(subscription, stopping)
                except BusDown as error:
                    log.info("consumer_waits", producer=self.producer, error=str(error))
                    await asyncio.sleep(0.2)
                finally:
                    await subscription.close()
            async with asyncio.timeout(5):
                await self._turns.join()
        except TimeoutError:
            log.warning("consumer_stopped_busy", producer=self.producer)  # unacknowledged events come again
        finally:
            await end((*lanes, *sweepers))

    async def _take(self, subscription: Subscription, stopping: asyncio.Event) -> None:
        stop = asyncio.create_task(stopping.wait())
        try:
            while not stopping.is_set():
                fetch = asyncio.create_task(subscription.fetch(at_most=_FETCH, seconds=_FETCH_SECONDS))
                await asyncio.wait((fetch, stop), return_when=asyncio.FIRST_COMPLETED)
                if not fetch.done():
                    fetch.cancel()
                    with contextlib.suppress(asyncio.CancelledError, BusDown):
                        await fetch
                    return
                for delivery in fetch.result():
                    try:
                        event = parse_event(delivery.headers, delivery.body)
                        require_origin(
                            event, subject=delivery.subject, headers=delivery.headers, producer=self.producer
                        )
                    except MalformedEvent as error:
                        await self._refuse(delivery, reason=str(error))
                        continue
                    if not await self._turns.put(delivery, event):
                        await self._put_down(delivery, event)
        finally:
            stop.cancel()

    async def _work(self) -> None:
        while True:
            delivery, event = await self._turns.take()
            try:
                await self._deliver(delivery, event)
            except Exception as error:  # noqa: BLE001  # the bus delivers it again
                log.info("delivery_unfinished", event_id=str(event.id), error=str(error) or type(error).__name__)
            finally:
                self._turns.finish(event)

    async def _put_down(self, delivery: Delivery, event: Envelope) -> None:
        try:
            async with self._unit_of_work(event, None).begin() as tx:
                await inbox.put_down(tx.connection, event)
        except OUTAGE as error:
            log.info("database_away", error=str(error) or type(error).__name__)
            await delivery.again(seconds=0.5)
            return
        await delivery.done()

    async def _deliver(self, delivery: Delivery, event: Envelope) -> None:
        """Handle a delivery to the end: done, waiting for its turn, asked for again, or set aside."""
        try:
            await self.handle(event)
        except NotYet:
            if delivery.attempt < _NOT_YET_ATTEMPTS:
                await delivery.again(seconds=_NOT_YET_SECONDS)
                return
            await self._keep(event, in_turn=True)
        except OUTAGE as error:
            log.info("database_away", error=str(error) or type(error).__name__)
            await delivery.again(seconds=0.5)
            return
        except Exception as error:  # whatever a handler does wrong must not stop the others
            if delivery.attempt <= len(_BACK_OFF_SECONDS):
                log.warning("handler_failed", type=event.type, event_id=str(event.id), exc_info=True)
                await delivery.again(seconds=_BACK_OFF_SECONDS[delivery.attempt - 1])
                return
            await self._set_aside(event, reason=f"{type(error).__name__}: {error}")
        await delivery.done()

    async def handle(self, event: Envelope) -> None:
        """Give `event` its effect, and then those that waited behind it; where they are many, the sweep calls the rest.

        An event seen before has no effect; one that is out of turn is kept. One that waited and fails now goes on
        waiting: the sweep calls it, and `event` has had its effect.

        :raises NotYet: if the handler awaits something from elsewhere
        :raises Exception: whatever the handler raises
        """
        current = event
        for _ in range(_CALLED_AT_ONCE):
            try:
                following = await self._handle_one(current)
            except Exception as error:
                if current is event:
                    raise
                log.info("waiting_event_failed", event_id=str(current.id), error=str(error) or type(error).__name__)
                return
            if following is None:
                return
            current = following

    async def _handle_one(self, event: Envelope) -> Envelope | None:
        claim = InboxClaim(event, reads=self._reads)
        uow = self._unit_of_work(event, claim)
        outcome = "handled"
        try:
            await self._dispatch(uow, event)
            if not claim.is_settled:  # the handler had nothing to do, or there is none
                async with uow.begin():
                    pass
        except AlreadyDone:
            outcome = "seen"
        except OutOfTurn:
            outcome = "early"
            if not await self._keep(event):
                return event  # its turn came between our look and the lock
        else:
            delay = (self._clock.now() - event.recorded_at).total_seconds()
            metrics.EVENT_SECONDS.labels(self.producer).observe(max(0.0, delay))
        metrics.EVENTS_HANDLED.labels(self.producer, outcome).inc()
        if not claim.next_waits:
            return None
        async with uow.read() as connection:
            return await inbox.next_waiting(connection, event)

    async def _dispatch(self, uow: UnitOfWork, event: Envelope) -> None:
        kind = event_class(event.producer, event.type)
        handler = self._handlers.get(kind) if kind is not None else None
        if kind is None or handler is None:
            return
        await handler(uow, Received(payload=kind.model_validate(event.data), envelope=event))

    def _unit_of_work(self, event: Envelope, claim: InboxClaim | None) -> UnitOfWork:
        return UnitOfWork(
            database=self._database,
            producer=self._service,
            desk_id=event.desk_id,
            now=self._clock.now(),
            cause=Cause(correlation_id=event.correlation_id, causation_id=event.id, traceparent=event.traceparent),
            claim=claim,
            outbox_wake=self._wake,
            witness=self._witness,
            received=None if claim is None else event,
        )

    async def _keep(self, event: Envelope, *, in_turn: bool = False) -> bool:
        async with self._unit_of_work(event, None).begin() as tx:
            return await inbox.keep_waiting(tx.connection, event, in_turn=in_turn)

    async def _set_aside(self, event: Envelope, *, reason: str) -> None:
        log.error("dead_letter", type=event.type, event_id=str(event.id), reason=reason)
        metrics.DEAD_LETTERS.labels(self.producer).inc()
        async with self._unit_of_work(event, None).begin() as tx:
            await inbox.bury(tx.connection, event, reason=reason)

    async def _refuse(self, delivery: Delivery, *, reason: str) -> None:
        """Keep a message that is no event of ours where an operator finds it."""
        log.error("malformed_event", producer=self.producer, reason=reason)
        metrics.DEAD_LETTERS.labels(self.producer).inc()
        await self._database.system.execute(
            "INSERT INTO malformed_message (producer, headers, body, reason) VALUES ($1, $2, $3, $4)",
            self.producer,
            {without_controls(str(name)): without_controls(str(value)) for name, value in delivery.headers.items()},
            delivery.body,
            without_controls(reason),
        )
        await delivery.done()

    async def _repeat(self, call: Callable[[], Awaitable[None]], stopping: asyncio.Event) -> None:
        # Not for ever: `asyncio.wait_for` of Python 3.11 may swallow a cancellation, and this is a loop.
        while not stopping.is_set():
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await call()
            except (BusDown, *OUTAGE) as error:
                log.debug("sweep_waits", producer=self.producer, error=str(error) or type(error).__name__)
            except Exception:  # whatever it was, the next time may be better
                log.exception("sweep_failed", producer=self.producer)

    async def _fetch_missed(self) -> None:
        await self.missed.fetch(self._take_in)

    async def _call_all_stranded(self) -> None:
        """Call events whose turn came while nobody was there to call them, and those that await another's."""
        self._failed_now.clear()
        await inbox.forget_seen(self._database.system, producer=self.producer)
        while await self._call_stranded():
            pass

    async def _take_in(self, events: Sequence[Envelope]) -> None:
        """Handle events that did not come by the stream; those that fail wait in the database, as others do."""

        async def work(lane: int) -> None:
            for event in events:
                if event.aggregate_id.int % _LANES != lane:
                    continue
                try:
                    await self.handle(event)
                except OUTAGE:
                    raise
                except Exception as error:  # noqa: BLE001  # the sweep calls it
                    log.info("missed_event_waits", event_id=str(event.id), error=str(error) or type(error).__name__)
                    await self._keep(event, in_turn=True)

        await asyncio.gather(*(work(lane) for lane in range(_LANES)))

    async def _call_stranded(self) -> bool:
        """Call a number of the events that wait; return whether one of them had its effect."""
        async with self._database.system.acquire() as connection:
            events = await inbox.stranded(connection, producer=self.producer)
        return any([await self._call(event) for event in events])

    async def _call(self, event: Envelope) -> bool:
        """Handle an event that waits; one that fails is called again by later sweeps before it is set aside."""
        try:
            await self.handle(event)
        except OUTAGE:
            raise
        except Ahead:  # what it follows from is under way, however long that takes
            return False
        except Exception as error:  # noqa: BLE001  # as in _deliver
            if event.id in self._failed_now:  # others of the same sweep had their effect; it has failed once
                return False
            self._failed_now.add(event.id)
            sweeps = self._failed_sweeps[event.id] = self._failed_sweeps.get(event.id, 0) + 1
            if sweeps < (_NOT_YET_SWEEPS if isinstance(error, NotYet) else _FAILED_SWEEPS):
                return False
            await self._set_aside(event, reason=f"{type(error).__name__}: {error}")
        self._failed_sweeps.pop(event.id, None)
        return True
