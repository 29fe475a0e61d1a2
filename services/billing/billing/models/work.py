"""Work as it was logged, what it draws and what it was charged."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Integer, Text, text
from sqlmodel import Field

from billing.models.base import BillingTable
from plazo.runtime.tables import instant, json_column, texts


class Work(BillingTable, table=True):
    """A piece of work as it was logged; voiding it is all that may happen to it."""

    __tablename__ = "work"
    __table_args__ = (
        CheckConstraint("kind IN ('work', 'no_show', 'late_cancellation')", name="kind"),
        CheckConstraint("minutes >= 0", name="minutes"),
        Index(None, "ticket_id", "started_at", "work_id"),
        Index(
            "work_desk_id_reference_key",
            "desk_id",
            "reference",
            unique=True,
            postgresql_where=text("reference IS NOT NULL"),
        ),
    )

    work_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    kind: str = Field(sa_type=Text)
    started_at: datetime = instant()
    minutes: int = Field(sa_type=BigInteger)
    description: str = Field(sa_type=Text)
    facts: dict[str, Any] = json_column()
    appointment: str | None = Field(sa_type=Text)
    logged_by: str = Field(sa_type=Text)
    recorded_at: datetime = instant()
    voided_at: datetime | None = instant(nullable=True)
    void_reason: str | None = Field(sa_type=Text)
    quote_id: UUID | None
    reference: str | None = Field(sa_type=Text)


class Draw(BillingTable, table=True):
    """What draws on an account at an instant, and what pays for it now: a view of the ledger, kept for speed."""

    __tablename__ = "draw"
    __table_args__ = (
        CheckConstraint("kind IN ('expiry', 'cap', 'hold', 'work', 'no_show')", name="kind"),
        CheckConstraint("quantity >= 0", name="quantity"),
        Index(None, "account_id", "at"),
        Index(None, "ticket_id"),
        Index("draw_owed_idx", "account_id", "at", postgresql_where=text("owed > 0")),
    )

    draw_id: UUID = Field(primary_key=True)
    desk_id: UUID
    contract_id: UUID
    account_id: UUID | None
    ticket_id: UUID | None
    kind: str = Field(sa_type=Text)
    at: datetime = instant()
    quantity: int = Field(sa_type=BigInteger)
    counted_in: str = Field(sa_type=Text)
    unit_minutes: int = Field(sa_type=Integer)
    overage: dict[str, Any] | None = json_column(nullable=True)
    line: dict[str, Any] | None = json_column(nullable=True)
    clauses: list[str] = texts()
    funding: list[Any] = json_column()
    owed: int = Field(sa_type=BigInteger)


class Charge(BillingTable, table=True):
    """What a change did to the charges of a ticket, with its explanation. Rows are never changed or removed."""

    __tablename__ = "charge"
    __table_args__ = (Index(None, "ticket_id", "seq"),)

    charge_id: UUID = Field(primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    desk_id: UUID
    ticket_id: UUID
    contract_id: UUID | None
    account_id: UUID | None
    cause: str = Field(sa_type=Text)
    unit: str = Field(sa_type=Text)
    quantity: int = Field(sa_type=BigInteger)
    total: int = Field(sa_type=BigInteger)
    worked_minutes: int = Field(sa_type=BigInteger)
    rounded_minutes: int = Field(sa_type=BigInteger)
    charged_minutes: int = Field(sa_type=BigInteger)
    reason: str | None = Field(sa_type=Text)
    clauses: list[str] = texts()
    explanation: dict[str, str] = json_column()
    lines: list[Any] = json_column()
    charged_at: datetime = instant()
    recorded_at: datetime = instant()
