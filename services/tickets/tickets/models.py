"""The tables of tickets, as rows. Migrations make them; a test holds the two together."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, MetaData, SmallInteger, Text, text
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from plazo.runtime.tables import NAMING, instant, json_column, texts, written_at


class TicketsTable(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """A table of this service."""


METADATA = TicketsTable.metadata


class TicketNumber(TicketsTable, table=True):
    """The last ticket number given in a desk."""

    __tablename__ = "ticket_number"

    desk_id: UUID = Field(primary_key=True)
    last_number: int = Field(sa_type=BigInteger)


class Customer(TicketsTable, table=True):
    """A customer of a desk."""

    __tablename__ = "customer"
    __table_args__ = (Index(None, "desk_id", "created_at", "customer_id"),)

    customer_id: UUID = Field(primary_key=True)
    desk_id: UUID
    name: str = Field(sa_type=Text)
    segment: str | None = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    timezone: str | None = Field(sa_type=Text)
    region: str | None = Field(sa_type=Text)
    email: str | None = Field(sa_type=Text)
    created_at: datetime = instant()


class Contract(TicketsTable, table=True):
    """A customer's contract under a policy. Dates are local to the policy's zone; ends are exclusive."""

    __tablename__ = "contract"
    __table_args__ = (
        CheckConstraint("arrangement IN ('plan', 'monthly', 'warranty', 'per_event')", name="arrangement"),
        Index(None, "desk_id", "customer_id"),
        Index(None, "desk_id", "created_at", "contract_id"),
    )

    contract_id: UUID = Field(primary_key=True)
    desk_id: UUID
    customer_id: UUID
    policy: str = Field(sa_type=Text)
    plan: str | None = Field(sa_type=Text)
    arrangement: str = Field(sa_type=Text)
    products: list[str] = texts()
    valid_from: date
    valid_until: date | None
    warranty_until: date | None
    created_at: datetime = instant()


class Ticket(TicketsTable, table=True):
    """A ticket. `given` are the stated facts, `facts` those and the decided ones."""

    __tablename__ = "ticket"
    __table_args__ = (
        CheckConstraint("state IN ('new', 'in_progress', 'waiting', 'held', 'resolved', 'closed')", name="state"),
        CheckConstraint("admission IN ('not_required', 'pending', 'granted', 'withheld')", name="admission"),
        Index("ticket_desk_id_number_key", "desk_id", "number", unique=True),
        Index("ticket_list_idx", "desk_id", text("opened_at DESC"), text("ticket_id DESC")),
        Index("ticket_customer_idx", "desk_id", "customer_id", text("opened_at DESC"), text("ticket_id DESC")),
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
    """Something that happened to a ticket. Rows are never changed or removed; PostgreSQL refuses it."""

    __tablename__ = "timeline_entry"
    __table_args__ = (Index(None, "ticket_id", "occurred_at", "seq"),)

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


class KeptRequest(TicketsTable, table=True):
    """A request that did not become a ticket, with the reason and the clause: nothing that arrives is lost."""

    __tablename__ = "kept_request"
    __table_args__ = (
        CheckConstraint("outcome IN ('refused', 'quarantined')", name="outcome"),
        Index(None, "desk_id", "received_at", "request_id"),
    )

    request_id: UUID = Field(primary_key=True)
    desk_id: UUID
    outcome: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    clauses: list[str] = texts()
    body: dict[str, Any] = json_column()
    received_at: datetime = instant()


class TicketClock(TicketsTable, table=True):
    """A clock of a ticket as `sla-clock` last announced it."""

    __tablename__ = "ticket_clock"
    __table_args__ = (Index(None, "ticket_id"),)

    clock_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    clock: dict[str, Any] = json_column()


class TicketCharge(TicketsTable, table=True):
    """A charge of a ticket as `billing` announced it."""

    __tablename__ = "ticket_charge"
    __table_args__ = (Index(None, "ticket_id"),)

    charge_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    charged_at: datetime = instant()
    written_at: datetime = written_at()
    charge: dict[str, Any] = json_column()


class TicketEscalation(TicketsTable, table=True):
    """An escalation of a ticket as `escalation` last announced it."""

    __tablename__ = "ticket_escalation"
    __table_args__ = (Index(None, "ticket_id"),)

    escalation_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    raised_at: datetime = instant()
    escalation: dict[str, Any] = json_column()
