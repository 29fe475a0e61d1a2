"""Contracts, their standing, and tickets."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlmodel import Field

from billing.models.base import BillingTable
from plazo.runtime.tables import instant, json_column, texts


class Contract(BillingTable, table=True):
    """What billing keeps of a contract. Dates are local to the policy's zone; ends are exclusive."""

    __tablename__ = "contract"
    __table_args__ = (Index(None, "desk_id", "customer_id"),)

    contract_id: UUID = Field(primary_key=True)
    desk_id: UUID
    customer_id: UUID
    policy: str = Field(sa_type=Text)
    plan: str | None = Field(sa_type=Text)
    arrangement: str = Field(sa_type=Text)
    valid_from: date
    valid_until: date | None
    warranty_until: date | None
    agreed: dict[str, Any] | None = json_column(nullable=True)


class Contact(BillingTable, table=True):
    """Whether a person of a customer may open and answer tickets, and so accept quotes. EXP-01

    Without a `customer_id` it was announced to a version that did not keep whose it is.
    """

    __tablename__ = "contact"

    contact_id: UUID = Field(primary_key=True)
    desk_id: UUID
    may_ask: bool
    customer_id: UUID | None


class StandingChange(BillingTable, table=True):
    """A contract's standing from an instant on. Rows are never changed or removed."""

    __tablename__ = "standing_change"
    __table_args__ = (
        CheckConstraint("standing IN ('good', 'overdue', 'blocked')", name="standing"),
        Index(None, "contract_id", "effective_at"),
    )

    change_id: UUID = Field(primary_key=True)
    desk_id: UUID
    contract_id: UUID
    standing: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    effective_at: datetime = instant()
    recorded_at: datetime = instant()


class Ticket(BillingTable, table=True):
    """What billing keeps of a ticket, and whether it was let in."""

    __tablename__ = "ticket"
    __table_args__ = (
        CheckConstraint("admission IN ('not_required', 'granted', 'withheld')", name="admission"),
        Index("ticket_withheld_idx", "contract_id", "opened_at", postgresql_where=text("admission = 'withheld'")),
    )

    ticket_id: UUID = Field(primary_key=True)
    desk_id: UUID
    number: str = Field(sa_type=Text)
    customer_id: UUID
    contract_id: UUID | None
    policy: str = Field(sa_type=Text)
    policy_version: str = Field(sa_type=Text)
    facts: dict[str, Any] = json_column()
    opened_at: datetime = instant()
    closed_at: datetime | None = instant(nullable=True)
    admission: str = Field(sa_type=Text)
    admitted_at: datetime | None = instant(nullable=True)
    held_for: str | None = Field(sa_type=Text)
    held_clauses: list[str] = texts()
    agreed: dict[str, Any] | None = json_column(nullable=True)
