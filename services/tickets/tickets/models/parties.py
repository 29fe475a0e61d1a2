"""Customers, their contacts and their contracts; the products of the desk."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, Text
from sqlmodel import Field

from plazo.runtime.tables import instant, json_column, texts
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


class Contact(TicketsTable, table=True):
    """A person of a customer. `decided_by` is who last authorized it, or withdrew that.

    `known_by` are the marks of the words that an erased one was known by; null for all others.
    """

    __tablename__ = "contact"
    __table_args__ = (
        CheckConstraint("role IN ('administrator', 'member')", name="role"),
        Index(None, "desk_id", "created_at", "contact_id"),
        Index(None, "customer_id", "created_at", "contact_id"),
    )

    contact_id: UUID = Field(primary_key=True)
    desk_id: UUID
    customer_id: UUID
    version: int
    name: str = Field(sa_type=Text)
    phone: str | None = Field(sa_type=Text)
    language: str | None = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    authorized: bool
    decided_by: str | None = Field(sa_type=Text)
    decided_by_contact: UUID | None
    decided_at: datetime | None = instant(nullable=True)
    created_at: datetime = instant()
    known_by: list[str] | None = texts(nullable=True)


class ContactEmail(TicketsTable, table=True):
    """An address of a contact, in small letters: it names one contact of the desk."""

    __tablename__ = "contact_email"
    __table_args__ = (
        CheckConstraint("address = lower(address)", name="address"),
        Index(None, "contact_id", "place"),
    )

    desk_id: UUID = Field(primary_key=True)
    address: str = Field(primary_key=True, sa_type=Text)
    contact_id: UUID
    place: int = Field(sa_type=SmallInteger)


class UnconfirmedEmail(TicketsTable, table=True):
    """An address that a customer gave for its contact: it names nobody until the desk confirms it."""

    __tablename__ = "unconfirmed_email"
    __table_args__ = (CheckConstraint("address = lower(address)", name="address"),)

    contact_id: UUID = Field(primary_key=True)
    address: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    place: int = Field(sa_type=SmallInteger)


class Product(TicketsTable, table=True):
    """A product in the catalog of the desk."""

    __tablename__ = "product"

    desk_id: UUID = Field(primary_key=True)
    name: str = Field(primary_key=True, sa_type=Text)
    title: str = Field(sa_type=Text)
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
    account: str | None = Field(sa_type=Text)
    agreed: dict[str, Any] | None = json_column(nullable=True)


class ContractPeriod(TicketsTable, table=True):
    """A validity that a renewal followed after a gap."""

    __tablename__ = "contract_period"

    contract_id: UUID = Field(primary_key=True)
    valid_from: date = Field(primary_key=True)
    valid_until: date
    desk_id: UUID
    renewed_by: str = Field(sa_type=Text)
    renewed_at: datetime = instant()


class ContractAcceptance(TicketsTable, table=True):
    """Something the customer accepted with the contract."""

    __tablename__ = "contract_acceptance"

    contract_id: UUID = Field(primary_key=True)
    name: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    accepted_by: str = Field(sa_type=Text)
    accepted_at: datetime = instant()
    recorded_by: str = Field(sa_type=Text)


class ContractVoid(TicketsTable, table=True):
    """A product that the contract does not cover from a date on, until the void is lifted."""

    __tablename__ = "contract_void"
    __table_args__ = (Index(None, "contract_id", "recorded_at"),)

    void_id: UUID = Field(primary_key=True)
    desk_id: UUID
    contract_id: UUID
    product: str = Field(sa_type=Text)
    valid_from: date
    valid_until: date | None
    reason: str = Field(sa_type=Text)
    recorded_by: str = Field(sa_type=Text)
    recorded_at: datetime = instant()
    lifted_for: str | None = Field(sa_type=Text)
    lifted_by: str | None = Field(sa_type=Text)


class PurchaseOrder(TicketsTable, table=True):
    """An order of the customer for a number of events, or for any number."""

    __tablename__ = "purchase_order"
    __table_args__ = (
        CheckConstraint("events > 0", name="events"),
        CheckConstraint("used >= 0 AND (events IS NULL OR used <= events)", name="used"),
    )

    contract_id: UUID = Field(primary_key=True)
    number: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    valid_from: date
    valid_until: date | None
    events: int | None
    used: int
    recorded_by: str = Field(sa_type=Text)
    recorded_at: datetime = instant()
