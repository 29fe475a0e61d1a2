"""The tables that every service has: its copy of desks, keys and policies, outbox, inbox, idempotency.

Rows only, never domain objects. Migrations make them, see :mod:`plazo.runtime.migrations`; a test holds the two
together.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, LargeBinary, MetaData, Text, func, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, TIMESTAMP
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

NAMING = {
    "ix": "%(table_name)s_%(column_0_N_name)s_idx",
    "uq": "%(table_name)s_%(column_0_N_name)s_key",
    "ck": "%(table_name)s_%(constraint_name)s_check",
    "fk": "%(table_name)s_%(column_0_N_name)s_fkey",
    "pk": "%(table_name)s_pkey",
}


class RuntimeTable(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """A table of the runtime."""


def instant(**options: Any) -> Any:
    """Return a `timestamptz` column: every instant is aware."""
    return Field(sa_type=TIMESTAMP(timezone=True), **options)


def written_at() -> Any:
    """Return a `timestamptz` column that PostgreSQL fills as the row is written."""
    return instant(sa_column_kwargs={"server_default": func.clock_timestamp()})


def texts(**options: Any) -> Any:
    """Return a `text[]` column."""
    return Field(sa_type=ARRAY(Text), **options)


def json_column(**options: Any) -> Any:
    """Return a `jsonb` column."""
    return Field(sa_type=JSONB, **options)


class Desk(RuntimeTable, table=True):
    """A support desk. `clock_at` is the present of a sandbox desk, null for a live one."""

    __tablename__ = "desk"

    desk_id: UUID = Field(primary_key=True)
    name: str = Field(sa_type=Text)
    sandbox: bool
    timezone: str = Field(sa_type=Text)
    clock_at: datetime | None = instant(nullable=True)


class ApiKey(RuntimeTable, table=True):
    """An API key: the SHA-256 of its secret, what it may do, and until when."""

    __tablename__ = "api_key"
    __table_args__ = (Index(None, "desk_id"),)

    key_id: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    secret_hash: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    label: str = Field(sa_type=Text)
    customer_id: UUID | None
    contact_id: UUID | None
    expires_at: datetime | None = instant(nullable=True)
    revoked_at: datetime | None = instant(nullable=True)
    scopes: list[str] | None = texts(nullable=True)
    previous_hash: str | None = Field(default=None, sa_type=Text)
    previous_until: datetime | None = instant(nullable=True)
    last_used_at: datetime | None = instant(nullable=True)


class AdministrativeAct(RuntimeTable, table=True):
    """Something done with more than everyday rights, `at` the desk's present; rows are never changed."""

    __tablename__ = "administrative_act"
    __table_args__ = (Index(None, "desk_id", "seq"),)

    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    desk_id: UUID
    at: datetime = instant()
    recorded_at: datetime = written_at()
    role: str = Field(sa_type=Text)
    label: str = Field(sa_type=Text)
    key_id: str = Field(sa_type=Text)
    action: str = Field(sa_type=Text)
    request: str = Field(sa_type=Text)
    subject: dict[str, Any] = json_column()
    fields: list[str] = texts()
    request_id: str | None = Field(sa_type=Text)
    address: str | None = Field(sa_type=Text)


class PolicyVersion(RuntimeTable, table=True):
    """A published version of a policy document; `effective_from` is a date in the policy's zone."""

    __tablename__ = "policy_version"

    desk_id: UUID = Field(primary_key=True)
    policy: str = Field(primary_key=True, sa_type=Text)
    version: str = Field(primary_key=True, sa_type=Text)
    effective_from: date
    document: dict[str, Any] = json_column()
    published_at: datetime = written_at()


class OutboxVersion(RuntimeTable, table=True):
    """How many events this service announced about an aggregate."""

    __tablename__ = "outbox_version"
    __table_args__ = (Index(None, "desk_id"),)

    aggregate_id: UUID = Field(primary_key=True)
    desk_id: UUID
    version: int = Field(sa_type=BigInteger)


class Outbox(RuntimeTable, table=True):
    """Every event this service announced; `published_at` is null until the bus has it."""

    __tablename__ = "outbox"
    __table_args__ = (
        Index("outbox_unpublished_idx", "seq", postgresql_where=text("published_at IS NULL")),
        Index("outbox_aggregate_idx", "aggregate_id", "aggregate_version", unique=True),
        Index("outbox_id_idx", "id", unique=True),
    )

    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    id: UUID
    desk_id: UUID
    aggregate_id: UUID
    aggregate_version: int = Field(sa_type=BigInteger)
    type: str = Field(sa_type=Text)
    occurred_at: datetime = instant()
    recorded_at: datetime = instant()
    correlation_id: UUID
    causation_id: UUID | None
    traceparent: str | None = Field(sa_type=Text)
    taken_in: dict[str, int] | None = Field(sa_column=Column(JSONB))
    data: dict[str, Any] = json_column()
    written_at: datetime = written_at()
    published_at: datetime | None = instant(nullable=True)


class OutboxStream(RuntimeTable, table=True):
    """The stream that this service publishes to, and the number of the last event it stored there; of no desk."""

    __tablename__ = "outbox_stream"
    __table_args__ = (CheckConstraint("one", name="one"),)

    one: bool = Field(primary_key=True, sa_column_kwargs={"server_default": text("true")})
    name: str = Field(sa_type=Text)
    last_seq: int = Field(sa_type=BigInteger)


class InboxStream(RuntimeTable, table=True):
    """The stream of a producer before which nothing is missing here, as of `seen_at`; of no desk."""

    __tablename__ = "inbox_stream"

    producer: str = Field(primary_key=True, sa_type=Text)
    name: str = Field(sa_type=Text)
    seen_at: datetime = written_at()


class InboxPosition(RuntimeTable, table=True):
    """The last event of an aggregate that took effect here."""

    __tablename__ = "inbox_position"
    __table_args__ = (Index(None, "desk_id"),)

    producer: str = Field(primary_key=True, sa_type=Text)
    aggregate_id: UUID = Field(primary_key=True)
    desk_id: UUID
    version: int = Field(sa_type=BigInteger)
    event_id: UUID


class InboxWaiting(RuntimeTable, table=True):
    """An event that came before its turn."""

    __tablename__ = "inbox_waiting"

    producer: str = Field(primary_key=True, sa_type=Text)
    aggregate_id: UUID = Field(primary_key=True)
    aggregate_version: int = Field(primary_key=True, sa_type=BigInteger)
    desk_id: UUID
    envelope: dict[str, Any] = json_column()


class DeadLetter(RuntimeTable, table=True):
    """An event that could not be handled; its aggregate waits until it is replayed or discarded."""

    __tablename__ = "dead_letter"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'replayed', 'discarded')", name="state"),
        Index(None, "desk_id", "state"),
    )

    event_id: UUID = Field(primary_key=True)
    desk_id: UUID
    producer: str = Field(sa_type=Text)
    aggregate_id: UUID
    aggregate_version: int = Field(sa_type=BigInteger)
    type: str = Field(sa_type=Text)
    envelope: dict[str, Any] = json_column()
    reason: str = Field(sa_type=Text)
    failures: int = Field(sa_column_kwargs={"server_default": text("1")})
    state: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("'open'")})
    failed_at: datetime = written_at()
    settled_at: datetime | None = instant(nullable=True)


class MalformedMessage(RuntimeTable, table=True):
    """A message on an event subject that is not one of our events; of no desk."""

    __tablename__ = "malformed_message"

    id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    producer: str = Field(sa_type=Text)
    headers: dict[str, Any] = json_column()
    body: bytes = Field(sa_type=LargeBinary)
    reason: str = Field(sa_type=Text)
    received_at: datetime = written_at()


class IdempotencyKey(RuntimeTable, table=True):
    """What was answered to a request with an `Idempotency-Key`."""

    __tablename__ = "idempotency_key"

    desk_id: UUID = Field(primary_key=True)
    key_id: str = Field(primary_key=True, sa_type=Text)
    idempotency_key: str = Field(primary_key=True, sa_type=Text)
    request_hash: str = Field(sa_type=Text)
    status: int
    answer: dict[str, Any] | None = json_column(nullable=True)
    answered_at: datetime = written_at()
