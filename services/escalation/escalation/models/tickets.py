"""Tickets, who has them, and whom they are for: copies, and the history of assignments."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlmodel import Field

from escalation.models.base import EscalationTable, texts
from plazo.runtime.tables import instant, json_column


class TicketCopy(EscalationTable, table=True):
    """A ticket as this service needs it, and who handles it now."""

    __tablename__ = "ticket"
    __table_args__ = (
        CheckConstraint("state IN ('open', 'held', 'resolved', 'closed')", name="state"),
        Index("ticket_agent_idx", "agent_id", postgresql_where=text("state IN ('open', 'held')")),
        Index("ticket_team_idx", "desk_id", "team", postgresql_where=text("state IN ('open', 'held')")),
        Index(None, "contract_id", postgresql_where=text("state IN ('open', 'held')")),
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
    contract_id: UUID | None


class TicketClock(EscalationTable, table=True):
    """A promise about a ticket, as far as the load of a team shows it."""

    __tablename__ = "ticket_clock"
    __table_args__ = (Index(None, "ticket_id"),)

    clock_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    kind: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    due_at: datetime | None = instant(nullable=True)
    breached_at: datetime | None = instant(nullable=True)


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


class CustomerCopy(EscalationTable, table=True):
    """A customer as messages need it."""

    __tablename__ = "customer"

    customer_id: UUID = Field(primary_key=True)
    desk_id: UUID
    name: str = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    email: str | None = Field(sa_type=Text)


class ContactCopy(EscalationTable, table=True):
    """An administrator of a customer: whoever speaks for it is told what the policy tells its administrator."""

    __tablename__ = "contact"
    __table_args__ = (Index(None, "customer_id"),)

    contact_id: UUID = Field(primary_key=True)
    desk_id: UUID
    customer_id: UUID
    email: str = Field(sa_type=Text)
    language: str | None = Field(sa_type=Text)


class Asker(EscalationTable, table=True):
    """Whether a person of a customer may open and answer tickets, and so have them escalated. EXP-01"""

    __tablename__ = "asker"

    contact_id: UUID = Field(primary_key=True)
    desk_id: UUID
    customer_id: UUID
    may_ask: bool


class ContractCopy(EscalationTable, table=True):
    """Which customer has a contract under which policy, and how long; dates are in the policy's zone."""

    __tablename__ = "contract"
    __table_args__ = (Index("contract_policy_idx", "desk_id", "policy"),)

    contract_id: UUID = Field(primary_key=True)
    desk_id: UUID
    customer_id: UUID
    policy: str = Field(sa_type=Text)
    valid_until: date | None
