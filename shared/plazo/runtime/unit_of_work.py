"""One use case, one transaction, its events in the same transaction."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from plazo.events.envelope import Envelope, Event
from plazo.kernel.ids import new_id
from plazo.runtime.clock import Clock
from plazo.runtime.database import Connection, Database
from plazo.runtime.outbox import write_events
from plazo.runtime.wake import Wake


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a transaction happens: what came in first, what came in last, and the trace they belong to."""

    correlation_id: UUID = field(default_factory=new_id)
    causation_id: UUID | None = None
    traceparent: str | None = None


class Claim(Protocol):
    """Makes a cause take effect once: it lives in the transaction of the effect.

    An `Idempotency-Key` is one, an event's place in the inbox another.
    """

    async def claim(self, tx: "Transaction") -> None:
        """Take hold of the cause. :raises AlreadyDone: if it had its effect before."""
        ...

    async def settle(self, tx: "Transaction") -> None:
        """Record, just before the commit, that the cause had its effect."""
        ...


class AlreadyDone(Exception):
    """The cause had its effect before; nothing was done now. `answer` is what was answered then, if anything."""

    def __init__(self, answer: Any = None) -> None:
        super().__init__("already done")
        self.answer = answer


class CommitFailed(Exception):
    """PostgreSQL rolled back where a commit was asked for; nothing was done."""


class Transaction:
    """An open transaction of one desk.

    `now` is the present of the desk: the machine's clock, or the test clock of a sandbox.
    """

    def __init__(self, *, connection: Connection, desk_id: UUID, now: datetime, producer: str, cause: Cause) -> None:
        self.connection = connection
        self.desk_id = desk_id
        self.now = now
        self.answer: Any = None
        self._producer = producer
        self._cause = cause
        self._events: list[Envelope] = []
        self._after_commit: list[Callable[[], None]] = []

    def after_commit(self, call: Callable[[], None]) -> None:
        """Call once this transaction has committed; never if it does not. It must not raise, nor wait."""
        self._after_commit.append(call)

    def committed(self) -> None:
        """Make the calls that were to follow the commit."""
        for call in self._after_commit:
            call()

    def emit(
        self,
        event: Event,
        *,
        about: UUID,
        occurred_at: datetime,
        event_id: UUID | None = None,
        desk_id: UUID | None = None,
    ) -> None:
        """Announce `event` about the aggregate `about`, if and when this transaction commits.

        `event_id` is given where the event follows from its cause alone, so that it is one event however often the
        cause is seen.
        """
        self._events.append(
            Envelope(
                id=event_id or new_id(),
                producer=self._producer,
                type=event.type(),
                desk_id=desk_id or self.desk_id,
                aggregate_id=about,
                aggregate_version=0,  # given by the database as the row is written
                occurred_at=occurred_at,
                recorded_at=self.now,
                correlation_id=self._cause.correlation_id,
                causation_id=self._cause.causation_id,
                traceparent=self._cause.traceparent,
                data=event.model_dump(mode="json"),
            )
        )

    @asynccontextmanager
    async def undoing(self) -> AsyncIterator[None]:
        """Undo what the block wrote and announced if it raises; the transaction goes on from before it."""
        announced, calls = len(self._events), len(self._after_commit)
        await self.connection.execute("SAVEPOINT undoing")
        try:
            yield
        except Exception:  # what ends the task ends the transaction too
            await self.connection.execute("ROLLBACK TO SAVEPOINT undoing; RELEASE SAVEPOINT undoing")
            del self._events[announced:], self._after_commit[calls:]
            raise
        await self.connection.execute("RELEASE SAVEPOINT undoing")

    @property
    def emitted(self) -> tuple[Envelope, ...]:
        """What has been announced so far in this transaction."""
        return tuple(self._events)


#: Sees, just before the commit, the event that takes effect in a transaction and those it announces; returns whether
#: it left work for the loops of the process.
Witness = Callable[[Transaction, Sequence[Envelope]], Awaitable[bool]]

#: Looks, just before the commit, whether what the transaction was begun with still holds; what it raises undoes all.
Check = Callable[[Transaction], Awaitable[None]]


class UnitOfWork:
    """Opens the one transaction of a use case, for a desk and a cause.

    `now` is the present as the edge knows it; the use case reads it from the transaction. `announced_about` are the
    aggregates of the last committed transaction's events.
    """

    def __init__(
        self,
        *,
        database: Database,
        producer: str,
        desk_id: UUID,
        now: datetime,
        cause: Cause,
        claim: Claim | None = None,
        check: Check | None = None,
        outbox_wake: Wake | None = None,
        witness: Witness | None = None,
        received: Envelope | None = None,
    ) -> None:
        self.desk_id = desk_id
        self.now = now
        self.announced_about: tuple[UUID, ...] = ()
        self._database = database
        self._producer = producer
        self._cause = cause
        self._claim = claim
        self._check = check
        self._outbox_wake = outbox_wake
        self._witness = witness
        self._received = () if received is None else (received,)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Open the transaction; it commits as the block ends and rolls back if the block raises.

        Events reach the outbox last, so that the order of a ticket's events is the order of its commits. May not be
        nested.

        :raises AlreadyDone: if the cause had its effect before
        """
        is_work_left = False
        async with self._database.desk.acquire() as connection:
            await connection.execute(f"BEGIN; SELECT set_config('plazo.desk', '{self.desk_id}', true)")
            try:
                tx = Transaction(
                    connection=connection,
                    desk_id=self.desk_id,
                    now=self.now,
                    producer=self._producer,
                    cause=self._cause,
                )
                if self._claim is not None:
                    await self._claim.claim(tx)
                yield tx
                if self._check is not None:
                    await self._check(tx)
                if self._claim is not None:
                    await self._claim.settle(tx)
                if tx.emitted:
                    await write_events(connection, tx.emitted)
                if self._witness is not None and (self._received or tx.emitted):
                    is_work_left = await self._witness(tx, (*self._received, *tx.emitted))
                # A transaction that an error has spoiled answers COMMIT with a rollback.
                if await connection.execute("COMMIT") != "COMMIT":
                    raise CommitFailed
            except BaseException:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")
                raise
        tx.committed()
        self.announced_about = tuple(dict.fromkeys(event.aggregate_id for event in tx.emitted))
        if (tx.emitted or is_work_left) and self._outbox_wake is not None:
            self._outbox_wake.set()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Connection]:
        """Open a read-only transaction of the desk, one snapshot for all that is read in it."""
        async with self._database.desk.acquire() as connection:
            await connection.execute(
                "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; "
                f"SELECT set_config('plazo.desk', '{self.desk_id}', true)"
            )
            try:
                yield connection
            finally:
                if not connection.is_closed():
                    await connection.execute("ROLLBACK")


@dataclass(frozen=True, slots=True)
class SystemWork:
    """Opens transactions that span desks: timers and relay. Events are announced for the desk they name."""

    database: Database
    clock: Clock
    producer: str
    outbox_wake: Wake | None = None
    witness: Witness | None = None

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Transaction]:
        """Open a transaction as the system role; it commits as the block ends."""
        async with self.database.system.acquire() as connection, connection.transaction():
            tx = Transaction(
                connection=connection,
                desk_id=UUID(int=0),
                now=self.clock.now(),
                producer=self.producer,
                cause=Cause(),
            )
            yield tx
            if tx.emitted:
                await write_events(connection, tx.emitted)
                if self.witness is not None:
                    await self.witness(tx, tx.emitted)
        tx.committed()
        if tx.emitted:
            self.wake_relay()

    @asynccontextmanager
    async def single(self) -> AsyncIterator[Connection]:
        """Open a connection for statements each of which is a transaction of its own."""
        async with self.database.system.acquire() as connection:
            yield connection

    def wake_relay(self) -> None:
        """Let events be published that a statement has written to the outbox by itself."""
        if self.outbox_wake is not None:
            self.outbox_wake.set()
