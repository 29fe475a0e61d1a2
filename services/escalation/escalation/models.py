"""The tables of this service: rows only. Migrations make them; a test holds the two together."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from plazo.runtime.tables import NAMING, instant, json_column


class EscalationTable(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """A table of this service."""


METADATA = EscalationTable.metadata


def texts() -> Any:
    """Return a column with a list of texts."""
    return Field(sa_type=ARRAY(Text), sa_column_kwargs={"server_default": text("'{}'")})


def numbers() -> Any:
    """Return a column with a list of whole numbers."""
    return Field(sa_type=ARRAY(Integer), sa_column_kwargs={"server_default": text("'{}'")})


class TicketCopy(EscalationTable, table=True):
    """A ticket as this service needs it, and who handles it now."""

    __tablename__ = "ticket"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'held', 'resolved', 'closed')", name="state"),
        Index("ticket_agent_idx", "agent_id", postgresql_where=text("state IN ('open', 'held')")),
        Index("ticket_team_idx", "desk_id", "team", postgresql_where=text("state IN ('open', 'held')")),
    )

    ticket_id: UUID = Field(primary_key=True)
    desk_id: UUID
    number: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    customer_id: UUID
    customer_name: str = Field(sa_type=Text)
    contact_name: str | None = Field(sa_type=Text)
    contact_email: str | None = Field(sa_type=Text)
    policy: str = Field(sa_type=Text)
    policy_version: str = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    customer_timezone: str | None = Field(sa_type=Text)
    customer_region: str | None = Field(sa_type=Text)
    facts: dict[str, Any] = json_column()
    opened_at: datetime = instant()
    state: str = Field(sa_type=Text)
    held_for: str | None = Field(sa_type=Text)
    route: str | None = Field(sa_type=Text)
    team: str | None = Field(sa_type=Text)
    level: int
    agent_id: UUID | None


class AgentRow(EscalationTable, table=True):
    """Somebody who handles tickets, or is told of them by a role."""

    __tablename__ = "agent"
    __table_args__ = (UniqueConstraint("desk_id", "email", name="agent_email_key"),)

    agent_id: UUID = Field(primary_key=True)
    desk_id: UUID
    name: str = Field(sa_type=Text)
    email: str = Field(sa_type=Text)
    teams: list[str] = texts()
    levels: list[int] = numbers()
    languages: list[str] = texts()
    roles: list[str] = texts()
    active: bool
    absent: bool
    version: int
    last_assigned_at: datetime | None = instant(nullable=True)


class Assignment(EscalationTable, table=True):
    """Who got a ticket, when and why; `number` counts from 1 in a ticket."""

    __tablename__ = "assignment"
    __table_args__ = (Index("assignment_escalation_idx", "escalation_id"),)

    ticket_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True)
    desk_id: UUID
    team: str | None = Field(sa_type=Text)
    level: int
    agent_id: UUID | None
    agent_name: str | None = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    note: str | None = Field(sa_type=Text)
    clauses: list[str] = texts()
    escalation_id: UUID | None
    assigned_at: datetime = instant()
    recorded_at: datetime = instant()


class EscalationRow(EscalationTable, table=True):
    """What a trigger set off, frozen as it was set off.

    `cause_id` is the clock that caused it. `raised_at` is the instant of the trigger, contract time.
    """

    __tablename__ = "escalation"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'completed', 'stopped')", name="state"),
        Index(None, "ticket_id"),
        Index("escalation_page_idx", "desk_id", "raised_at", "escalation_id"),
        Index("escalation_cause_idx", "cause_id"),
    )

    escalation_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    trigger: str = Field(sa_type=Text)
    kind: str | None = Field(sa_type=Text)
    threshold: str | None = Field(sa_type=Text)
    cause_id: UUID | None
    clock_due_at: datetime | None = instant(nullable=True)
    rule: int | None
    on_request: bool
    clauses: list[str] = texts()
    reason: str | None = Field(sa_type=Text)
    requested_by: str | None = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    raised_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    end_reason: str | None = Field(sa_type=Text)
    acknowledged_at: datetime | None = instant(nullable=True)
    acknowledged_by: str | None = Field(sa_type=Text)


class EscalationStepRow(EscalationTable, table=True):
    """One firing of one step. `due_at` and `fired_at` are contract time, `recorded_at` is when it was done."""

    __tablename__ = "escalation_step"
    __table_args__ = (
        CheckConstraint("state IN ('planned', 'armed', 'fired', 'skipped')", name="state"),
        CheckConstraint("(state = 'fired') = (fired_at IS NOT NULL)", name="fired"),
    )

    escalation_id: UUID = Field(primary_key=True, foreign_key="escalation.escalation_id")
    position: int = Field(primary_key=True)
    desk_id: UUID
    step: int
    turn: int
    after: str = Field(sa_type=Text)
    calendar: str | None = Field(sa_type=Text)
    to_level: int | None
    to_team: str | None = Field(sa_type=Text)
    to_role: str | None = Field(sa_type=Text)
    notify: list[str] = texts()
    template: str | None = Field(sa_type=Text)
    requires_assessment: bool
    requires_reason: bool
    reason: str | None = Field(sa_type=Text)
    due_at: datetime | None = instant(nullable=True)
    state: str = Field(sa_type=Text)
    timer_id: UUID | None
    fired_at: datetime | None = instant(nullable=True)
    recorded_at: datetime | None = instant(nullable=True)


class MessageRow(EscalationTable, table=True):
    """Somebody told of something. `dedupe_key` is what makes it one message however often its cause is seen."""

    __tablename__ = "message"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'sent', 'failed')", name="state"),
        UniqueConstraint("desk_id", "dedupe_key", name="message_dedupe_key_key"),
        Index(None, "ticket_id"),
        Index("message_escalation_idx", "escalation_id", "position"),
        Index("message_page_idx", "desk_id", "seq"),
    )

    message_id: UUID = Field(primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    desk_id: UUID
    ticket_id: UUID | None
    customer_id: UUID | None
    escalation_id: UUID | None
    position: int | None
    event: str = Field(sa_type=Text)
    template: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    channel: str = Field(sa_type=Text)
    address: str | None = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    clauses: list[str] = texts()
    state: str = Field(sa_type=Text)
    failure: str | None = Field(sa_type=Text)
    dedupe_key: str = Field(sa_type=Text)
    queued_at: datetime = instant()
    sent_at: datetime | None = instant(nullable=True)


class CustomerCopy(EscalationTable, table=True):
    """A customer as messages need it."""

    __tablename__ = "customer"

    customer_id: UUID = Field(primary_key=True)
    desk_id: UUID
    name: str = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    email: str | None = Field(sa_type=Text)


class ContractCopy(EscalationTable, table=True):
    """Which customer has a contract under which policy, and how long; dates are in the policy's zone."""

    __tablename__ = "contract"
    __table_args__ = (Index("contract_policy_idx", "desk_id", "policy"),)

    contract_id: UUID = Field(primary_key=True)
    desk_id: UUID
    customer_id: UUID
    policy: str = Field(sa_type=Text)
    valid_until: date | None
