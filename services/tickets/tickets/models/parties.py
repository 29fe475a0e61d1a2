"""Customers and their contracts."""

from datetime import date, datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlmodel import Field

from plazo.runtime.tables import instant, texts
from tickets.models.base import TicketsTable


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
