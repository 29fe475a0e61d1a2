"""NATS JetStream: the only module that talks to it.

One stream per producing service, subjects `plazo.<producer>.<partition>.<type>`. Events travel as CloudEvents 1.0 in
binary mode: attributes as headers, data as the JSON body.
"""

import asyncio
import contextlib
import re
import ssl
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy, RetentionPolicy, StorageType, StreamConfig
from nats.js.client import JetStreamContext
from pydantic_core import from_json, to_json

from plazo.events.envelope import Envelope
from plazo.kernel.foreign_json import read_foreign_json
from plazo.kernel.time import FIRST_YEAR, LAST_YEAR
from plazo.runtime import metrics

log = structlog.get_logger(__name__)

PARTITIONS = 16
_DUPLICATE_WINDOW_SECONDS = 120.0
_KEEP_SECONDS = 14 * 24 * 3600.0
# What a reader that died had taken is delivered to another after this long. One that lives is mostly done within
# milliseconds; if not, the same event comes twice, and the inbox lets it have its effect once.
_ACK_WAIT_SECONDS = 5.0
_MAX_UNFINISHED = 2000
_PUBLISH_TIMEOUT_SECONDS = 5.0
_LARGEST_VERSION = 2**63 - 1  # as the database keeps it
_ODD = re.compile(rb"\\u0000|NaN|Infinity|[0-9][eE][+-]?[0-9]{3}")  # what may be no JSON that PostgreSQL keeps
_PING_SECONDS = 4
_RECONNECT_SECONDS = 0.1
# What the library raises while the server is away. RuntimeError is uvloop's word for a connection that has closed.
_AWAY = (OSError, TimeoutError, RuntimeError, nats.errors.Error)
_SENT_ON = "Nats-Stream"  # a header that the server sets where a stream republishes what it stores


class BusDown(Exception):
    """NATS cannot be reached now."""


class MalformedEvent(Exception):
    """A message on an event subject is not one of our events."""


def subject_of(event: Envelope) -> str:
    """Return the subject an event is published on; the partition is the same for all events of an aggregate."""
    partition = zlib.crc32(event.aggregate_id.bytes) % PARTITIONS
    return f"plazo.{event.producer}.p{partition:02}.{event.type}"


def event_headers(event: Envelope) -> dict[str, str]:
    """Return the CloudEvents attributes of `event` as NATS headers."""
    headers = {
        "Nats-Msg-Id": str(event.id),
        "ce-specversion": "1.0",
        "ce-id": str(event.id),
        "ce-source": f"/{event.producer}",
        "ce-type": event.type,
        "ce-subject": str(event.aggregate_id),
        "ce-time": event.occurred_at.astimezone(UTC).isoformat(),
        "ce-datacontenttype": "application/json",
        "ce-recordedtime": event.recorded_at.astimezone(UTC).isoformat(),
        "ce-desk": str(event.desk_id),
        "ce-aggregateversion": str(event.aggregate_version),
        "ce-correlationid": str(event.correlation_id),
    }
    if event.causation_id is not None:
        headers["ce-causationid"] = str(event.causation_id)
    if event.traceparent is not None:
        headers["traceparent"] = event.traceparent
    if event.taken_in:
        headers["ce-takenin"] = ",".join(f"{producer}={version}" for producer, version in event.taken_in.items())
    return headers


def _read_version(text: str) -> int:
    version = int(text)
    if not 1 <= version <= _LARGEST_VERSION:
        raise ValueError(f"ce-aggregateversion: expected 1 to {_LARGEST_VERSION}, got {text[:40]}")
    return version


def _read_instant(text: str) -> datetime:
    instant = datetime.fromisoformat(text)
    if not FIRST_YEAR <= instant.year <= LAST_YEAR:
        raise ValueError(f"expected an instant of the years {FIRST_YEAR} to {LAST_YEAR}, got {text[:40]}")
    return instant


def _read_data(body: bytes) -> Any:
    """Read a body into what the inbox can keep: a message that it cannot would come again for ever."""
    if not _ODD.search(body):
        return from_json(body)
    cleaned = read_foreign_json(body)  # also where only its refusals are wanted: nothing else is taken out of an event
    return cleaned if b"\\u0000" in body else from_json(body)


def _read_taken_in(text: str | None) -> dict[str, int] | None:
    if text is None:
        return None
    pairs = [part.partition("=") for part in text.split(",")]
    return {producer: _read_version(version) for producer, _, version in pairs}


def parse_event(headers: dict[str, str], body: bytes) -> Envelope:
    """Return the event that a message carries. :raises MalformedEvent: naming what is missing or wrong."""
    try:
        causation = headers.get("ce-causationid")
        return Envelope(
            id=UUID(headers["ce-id"]),
            producer=headers["ce-source"].removeprefix("/"),
            type=headers["ce-type"],
            desk_id=UUID(headers["ce-desk"]),
            aggregate_id=UUID(headers["ce-subject"]),
            aggregate_version=_read_version(headers["ce-aggregateversion"]),
            occurred_at=_read_instant(headers["ce-time"]),
            recorded_at=_read_instant(headers["ce-recordedtime"]),
            correlation_id=UUID(headers["ce-correlationid"]),
            causation_id=UUID(causation) if causation else None,
            traceparent=headers.get("traceparent"),
            taken_in=_read_taken_in(headers.get("ce-takenin")),
            data=_read_data(body),
        )
    except KeyError as error:
        raise MalformedEvent(f"header {error} is missing") from error
    except (ValueError, AttributeError, TypeError, OverflowError) as error:  # the library gives odd bytes as no text
        raise MalformedEvent(str(error) or type(error).__name__) from error


def require_origin(event: Envelope, *, subject: str, headers: Mapping[str, str], producer: str) -> None:
    """Check that `event` came from `producer`: NATS lets nobody else publish below that name.

    What the server itself can be made to put into another's stream comes with its old subject, or says where it was.

    :raises MalformedEvent: if it was sent on, or its subject says otherwise than it or its stream does
    """
    parts = subject.split(".", 3)  # plazo, producer, partition, type
    if event.producer != producer or parts[:2] != ["plazo", producer] or parts[3:] != [event.type]:
        raise MalformedEvent(
            f"{event.type} of {event.producer} was published on {subject}, in the stream of {producer}"
        )
    if _SENT_ON in headers:
        raise MalformedEvent(f"{event.type} was sent on from {headers[_SENT_ON]}, in the stream of {producer}")


@dataclass(frozen=True, slots=True)
class Stored:
    """The events that a stream has stored, and the number it gave each."""

    ids: list[UUID]
    numbers: list[int]


class Delivery:
    """One event as it arrived, and what can be said back to the bus about it."""

    def __init__(self, message: Msg) -> None:
        self._message = message

    @property
    def subject(self) -> str:
        """The subject it was published on."""
        return self._message.subject

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the message."""
        return self._message.headers or {}

    @property
    def body(self) -> bytes:
        """The body of the message."""
        return self._message.data

    @property
    def attempt(self) -> int:
        """How often it has been delivered, this time included."""
        return self._message.metadata.num_delivered or 1

    async def done(self) -> None:
        """Say that it never needs to come again."""
        await self._message.ack()

    async def again(self, *, seconds: float) -> None:
        """Ask for it again after `seconds`."""
        await self._message.nak(delay=seconds)


class Subscription:
    """A durable place in a producer's stream, shared by all replicas of the consuming service."""

    def __init__(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._subscription = subscription

    async def fetch(self, *, at_most: int, seconds: float) -> list[Delivery]:
        """Wait up to `seconds` for deliveries; none is an empty list. :raises BusDown: if NATS is gone."""
        try:
            messages = await self._subscription.fetch(at_most, timeout=seconds)
        except (TimeoutError, nats.errors.TimeoutError):
            return []
        except _AWAY as error:
            raise BusDown(str(error)) from error
        return [Delivery(message) for message in messages]

    async def close(self) -> None:
        """Stop receiving. Without this, draining the connection waits for its whole time-out."""
        with contextlib.suppress(nats.errors.Error):
            await self._subscription.unsubscribe()


class _Client(Client):
    """A client that, told to speak TLS, says its password to no server that does not, and never gives up."""

    async def _process_info(self, info: dict[str, Any], initial_connection: bool = False) -> None:  # noqa: FBT001, FBT002
        if initial_connection and self._current_server is not None:
            asked, offered = self._current_server.uri.scheme == "tls", bool(info.get("tls_required"))
            if asked and not offered:
                raise nats.errors.Error("the server does not insist on TLS, which an address with tls:// asks for")
            if offered and not asked:
                raise nats.errors.Error("the server insists on TLS: its address must begin with tls://")
        await super()._process_info(info, initial_connection)

    async def _attempt_reconnect(self) -> None:
        """Look for the server until it is found: the library gives up for ever at errors it does not know."""
        while True:
            try:
                await super()._attempt_reconnect()
            except Exception as error:  # noqa: BLE001  # half an answer, a connection that closes meanwhile
                log.info("bus_lost_again", error=str(error) or type(error).__name__)
                self._status = Client.RECONNECTING
                await asyncio.sleep(_RECONNECT_SECONDS)
            else:
                return


class Bus:
    """A connection to NATS that comes back by itself."""

    def __init__(self, url: str, *, name: str, replicas: int = 1, tls: ssl.SSLContext | None = None) -> None:
        """Describe the connection of the service `name`; `tls` is for an address with tls://, else what is usual."""
        self._url = url
        self._name = name
        self._replicas = replicas
        self._tls = tls or (ssl.create_default_context() if url.startswith("tls://") else None)
        self._client: Client = _Client()
        self._last_error = ""
        self._streams: set[str] = set()
        self._js: JetStreamContext | None = None
        self.connections = 0  # how often a server was found: what was known of its streams may have changed

    @property
    def is_connected(self) -> bool:
        """Whether NATS can be reached now."""
        return self._js is not None and self._client.is_connected

    async def connect(self) -> None:
        """Connect. :raises BusDown: if no server answers; once connected, lost connections are found again."""

        async def on_change() -> None:
            self.connections += self._client.is_connected
            metrics.BUS_CONNECTED.set(self._client.is_connected)

        async def on_error(error: Exception) -> None:
            text = str(error) or type(error).__name__
            refused = "permissions violation" in text.lower()
            is_news = text != self._last_error  # the same comes at each attempt to connect
            self._last_error = text
            log.log(30 if refused else 20 if is_news else 10, "bus_error", error=text)

        former, self._client = self._client, _Client()
        try:
            if self._js is not None:  # a server was found before, but its JetStream was not there yet
                await former.close()
            await self._client.connect(
                self._url,
                name=self._name,
                tls=self._tls,
                inbox_prefix=f"_INBOX_{self._name}",  # the only one whose replies its user may hear
                allow_reconnect=True,
                max_reconnect_attempts=-1,
                reconnect_time_wait=_RECONNECT_SECONDS,  # type: ignore[arg-type]  # seconds, fractions are fine
                connect_timeout=2,
                # A server behind a wall that swallows everything is noticed, and another way is looked for.
                ping_interval=_PING_SECONDS,
                max_outstanding_pings=2,
                error_cb=on_error,
                disconnected_cb=on_change,
                reconnected_cb=on_change,
                closed_cb=on_change,
            )
        except _AWAY as error:
            raise BusDown(str(error) or type(error).__name__) from error
        self._js = self._client.jetstream(timeout=_PUBLISH_TIMEOUT_SECONDS, publish_async_max_pending=4000)
        self.connections += 1
        metrics.BUS_CONNECTED.set(1)

    async def close(self) -> None:
        """Finish what is under way and leave."""
        if self._client.is_connected:
            try:
                await asyncio.wait_for(self._client.drain(), 5)
            except _AWAY:
                await self._client.close()

    def _jetstream(self) -> JetStreamContext:
        if self._js is None or not self._client.is_connected:
            raise BusDown("not connected to NATS")
        return self._js

    async def ensure_stream(self, producer: str) -> int:
        """Make the stream of `producer` if it is not there; return the number of its last event. :raises BusDown:"""
        config = StreamConfig(
            name=f"PLAZO_{producer.upper()}",
            subjects=[f"plazo.{producer}.*.>"],
            retention=RetentionPolicy.LIMITS,
            storage=StorageType.FILE,
            max_age=_KEEP_SECONDS,
            duplicate_window=_DUPLICATE_WINDOW_SECONDS,
            num_replicas=self._replicas,
        )
        try:
            try:
                info = await self._jetstream().stream_info(config.name or "")
            except nats.js.errors.NotFoundError:
                info = await self._jetstream().add_stream(config)
        except _AWAY as error:
            raise BusDown(str(error) or type(error).__name__) from error
        self._streams.add(producer)
        return info.state.last_seq

    async def publish(self, events: Sequence[Envelope]) -> Stored:
        """Publish `events` in order and say which of them the stream has stored. :raises BusDown:"""
        js = self._jetstream()
        for producer in {event.producer for event in events} - self._streams:
            await self.ensure_stream(producer)
        try:
            acknowledgements = [
                await js.publish_async(subject_of(event), to_json(event.data), headers=event_headers(event))
                for event in events
            ]
            async with asyncio.timeout(_PUBLISH_TIMEOUT_SECONDS):
                results = await asyncio.gather(*acknowledgements, return_exceptions=True)
        except _AWAY as error:
            raise BusDown(str(error) or type(error).__name__) from error
        stored = [
            (event.id, result.seq)
            for event, result in zip(events, results, strict=True)
            if not isinstance(result, BaseException)
        ]
        if not stored:
            # The stream itself may be gone: look again before the next attempt.
            self._streams.clear()
            raise BusDown(f"no event was stored: {results[0]}")
        return Stored(ids=[event_id for event_id, _ in stored], numbers=[number for _, number in stored])

    async def take_place(self, producer: str, *, consumer: str) -> None:
        """Make sure of the durable place of `consumer` in the stream of `producer`.

        :raises BusDown: also if the stream is not there yet: its producer makes it
        """
        config = _place(consumer, producer, replicas=self._replicas)
        try:
            try:
                await self._jetstream().consumer_info(f"PLAZO_{producer.upper()}", config.durable_name or "")
            except nats.js.errors.NotFoundError:
                await self._jetstream().add_consumer(f"PLAZO_{producer.upper()}", config)
        except _AWAY as error:
            raise BusDown(str(error) or type(error).__name__) from error

    async def subscribe(self, producer: str, *, consumer: str) -> Subscription:
        """Take a place in the stream of `producer`, durable under the name of `consumer`.

        :raises BusDown: also if the stream is not there yet: its producer makes it
        """
        config = _place(consumer, producer, replicas=self._replicas)
        try:
            await self._jetstream().add_consumer(f"PLAZO_{producer.upper()}", config)  # or bring it up to date
            subscription = await self._jetstream().pull_subscribe(
                f"plazo.{producer}.*.>",
                durable=config.durable_name,
                stream=f"PLAZO_{producer.upper()}",
                config=config,
            )
        except _AWAY as error:
            raise BusDown(str(error)) from error
        return Subscription(subscription)

    async def ask(self, subject: str, question: Any, *, seconds: float) -> Any:
        """Ask whoever answers on `subject`. :raises BusDown: if nobody does within `seconds`."""
        try:
            reply = await self._client.request(subject, to_json(question), timeout=seconds)
        except _AWAY as error:
            raise BusDown(f"{subject}: {str(error) or type(error).__name__}") from error
        return from_json(reply.data)

    async def answer(self, subject: str, *, group: str, to: Callable[[Any], Awaitable[Any]]) -> None:
        """Answer questions on `subject`, one replica of `group` each."""

        async def on_question(message: Msg) -> None:
            try:
                await message.respond(to_json(await to(from_json(message.data))))
            except Exception as error:  # noqa: BLE001   # a question that cannot be answered times out at the asker
                log.warning("question_failed", subject=subject, error=str(error) or type(error).__name__)

        await self._client.subscribe(subject, queue=group, cb=on_question)


def _place(consumer: str, producer: str, *, replicas: int) -> ConsumerConfig:
    return ConsumerConfig(
        durable_name=f"{consumer}-{producer}",
        deliver_policy=DeliverPolicy.ALL,
        ack_policy=AckPolicy.EXPLICIT,
        ack_wait=_ACK_WAIT_SECONDS,
        max_deliver=-1,
        max_ack_pending=_MAX_UNFINISHED,
        num_replicas=replicas,
    )
