"""Tickets, what was decided about them and what happened to them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Computed,
    Identity,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP, TSVECTOR
from sqlmodel import Field

from plazo.runtime.tables import instant, json_column, texts
from tickets.models.base import TicketsTable


class TicketNumber(TicketsTable, table=True):
    """The last ticket number given in a desk."""

    __tablename__ = "ticket_number"

    desk_id: UUID = Field(primary_key=True)
    last_number: int = Field(sa_type=BigInteger)


_QUEUE = ("desk_id", "queue_rank", "next_due_at", "ticket_id")
_IN_QUEUE = text("closed_at IS NULL")
_TRANSACTION = text("((pg_current_xact_id())::text)::bigint + transaction_offset()")


class Ticket(TicketsTable, table=True):
    """A ticket. `given` are the stated facts, `facts` those and the decided ones."""

    __tablename__ = "ticket"
    __table_args__ = (
        CheckConstraint(
            "state IN ('new', 'acknowledged', 'in_progress', 'waiting', 'held', 'resolved', 'closed')", name="state"
        ),
        CheckConstraint("admission IN ('not_required', 'pending', 'granted', 'withheld')", name="admission"),
        Index("ticket_desk_id_number_key", "desk_id", "number", unique=True),
        Index("ticket_list_idx", "desk_id", text("opened_at DESC"), text("ticket_id DESC")),
        Index("ticket_open_contract_idx", "contract_id", postgresql_where=text("state NOT IN ('resolved', 'closed')")),
        Index("ticket_customer_idx", "desk_id", "customer_id", text("opened_at DESC"), text("ticket_id DESC")),
        Index("ticket_state_idx", "desk_id", "state", text("opened_at DESC"), text("ticket_id DESC")),
        Index(
            "ticket_customer_state_idx",
            "desk_id",
            "customer_id",
            "state",
            text("opened_at DESC"),
            text("ticket_id DESC"),
        ),
        Index("ticket_queue_idx", *_QUEUE, postgresql_where=_IN_QUEUE),
        Index("ticket_customer_queue_idx", "desk_id", "customer_id", *_QUEUE[1:], postgresql_where=_IN_QUEUE),
        Index("ticket_due_idx", "desk_id", "next_due_at", "ticket_id", postgresql_where=_IN_QUEUE),
        Index("ticket_contact_id_idx", "contact_id"),
        Index("ticket_words_idx", "words", postgresql_using="gin"),
    )

    ticket_id: UUID = Field(primary_key=True)
    desk_id: UUID
    number: str = Field(sa_type=Text)
    version: int
    state: str = Field(sa_type=Text)
    cycle: int = Field(sa_type=SmallInteger)
    subject: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    channel: str = Field(sa_type=Text)
    customer_id: UUID
    customer_name: str = Field(sa_type=Text)
    contact_name: str | None = Field(sa_type=Text)
    contact_email: str | None = Field(sa_type=Text)
    contract_id: UUID | None
    policy: str = Field(sa_type=Text)
    policy_version: str = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    given: dict[str, Any] = json_column()
    facts: dict[str, Any] = json_column()
    covered: bool
    clocks: bool
    admission: str = Field(sa_type=Text)
    waits: list[str] = texts()
    held_for: str | None = Field(sa_type=Text)
    held_clause: str | None = Field(sa_type=Text)
    team: str | None = Field(sa_type=Text)
    level: int = Field(sa_type=SmallInteger)
    assignee: str | None = Field(sa_type=Text)
    resolution_kind: str | None = Field(sa_type=Text)
    resolution_text: str | None = Field(sa_type=Text)
    opened_at: datetime = instant()
    resolved_at: datetime | None = instant(nullable=True)
    closed_at: datetime | None = instant(nullable=True)
    closed_for: str | None = Field(sa_type=Text)
    contact_id: UUID | None
    received_at: datetime | None = instant(nullable=True)
    answers: dict[str, Any] = json_column(sa_column_kwargs={"server_default": text("'{}'")})
    flags: list[str] = texts(sa_column_kwargs={"server_default": text("'{}'")})
    severity_confirmed: bool | None
    coverage: dict[str, Any] = json_column(sa_column_kwargs={"server_default": text("'{}'")})
    waiting: list[dict[str, Any]] = json_column(sa_column_kwargs={"server_default": text("'[]'")})
    acknowledged_at: datetime | None = instant(nullable=True)
    attempts: dict[str, Any] = json_column(sa_column_kwargs={"server_default": text("'{}'")})
    merged_into: UUID | None
    queue_rank: int = Field(sa_column=Column(Integer, nullable=False, server_default=text("1000")))
    next_due_at: datetime = Field(
        sa_column=Column(TIMESTAMP(timezone=True), nullable=False, server_default=text("'2199-12-31 00:00:00+00'"))
    )
    breached: bool = Field(sa_column_kwargs={"server_default": text("false")})
    severity: str | None = Field(sa_column=Column(Text, Computed("facts ->> 'severity'::text", persisted=True)))
    priority: str | None = Field(sa_column=Column(Text, Computed("facts ->> 'priority'::text", persisted=True)))
    plan: str | None = Field(sa_column=Column(Text, Computed("facts ->> 'plan'::text", persisted=True)))
    words: str | None = Field(
        sa_column=Column(
            TSVECTOR,
            Computed("search_words((((number || ' '::text) || subject) || ' '::text) || description)", persisted=True),
        )
    )


class TicketDecision(TicketsTable, table=True):
    """What a rule decided about a ticket, as of one of its versions."""

    __tablename__ = "ticket_decision"

    ticket_id: UUID = Field(primary_key=True)
    version: int = Field(primary_key=True)
    about: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    value: str = Field(sa_type=Text)
    rule: int | None
    clauses: list[str] = texts()
    decided_at: datetime = instant()


class TimelineEntry(TicketsTable, table=True):
    """Something that happened to a ticket. Rows are never changed or removed; PostgreSQL refuses it.

    One thing it lets through: an erasure, which puts a tombstone in the place of the words and removes the salt.
    """

    __tablename__ = "timeline_entry"
    __table_args__ = (
        Index(None, "ticket_id", "occurred_at", "seq"),
        Index(None, "ticket_id", "position", unique=True),
        Index(None, "desk_id", "transaction_id", "seq"),
        Index("timeline_entry_words_idx", "words", postgresql_using="gin"),
    )

    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    desk_id: UUID
    ticket_id: UUID
    occurred_at: datetime = instant()
    recorded_at: datetime = instant()
    kind: str = Field(sa_type=Text)
    actor: str = Field(sa_type=Text)
    internal: bool
    text: str | None = Field(sa_type=Text)
    data: dict[str, Any] = json_column()
    position: int = Field(sa_type=BigInteger)
    salt: bytes | None = Field(sa_type=LargeBinary)
    digest: bytes = Field(sa_type=LargeBinary)
    hash: bytes = Field(sa_type=LargeBinary)
    erased_at: datetime | None = instant(nullable=True)
    transaction_id: int = Field(sa_column=Column(BigInteger, nullable=False, server_default=_TRANSACTION))
    words: str | None = Field(sa_column=Column(TSVECTOR, Computed("search_words(text)", persisted=True)))
