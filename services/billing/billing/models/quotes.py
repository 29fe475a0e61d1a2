"""Quotes, and the ways in which work reaches the books: timers and imports."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Text, text
from sqlmodel import Field

from billing.models.base import BillingTable
from plazo.runtime.tables import instant, json_column, texts


class Quote(BillingTable, table=True):
    """What work would cost, as it was offered. Only its state, and whose ticket it is for, change."""

    __tablename__ = "quote"
    __table_args__ = (
        CheckConstraint("state IN ('offered', 'accepted', 'declined', 'released', 'expired')", name="state"),
        CheckConstraint("quantity >= 0", name="quantity"),
        CheckConstraint("extra_minor > 0", name="extra_minor"),
        Index(None, "ticket_id"),
        Index(None, "contract_id", "quoted_at"),
    )

    quote_id: UUID = Field(primary_key=True)
    desk_id: UUID
    contract_id: UUID
    ticket_id: UUID | None
    state: str = Field(sa_type=Text)
    description: str = Field(sa_type=Text)
    at: datetime = instant()
    minutes: int = Field(sa_type=BigInteger)
    facts: dict[str, Any] = json_column()
    account: str | None = Field(sa_type=Text)
    counted_in: str = Field(sa_type=Text)
    quantity: int = Field(sa_type=BigInteger)
    extra_minor: int | None = Field(sa_type=BigInteger)
    extra_currency: str | None = Field(sa_type=Text)
    charges: list[Any] = json_column()
    clauses: list[str] = texts()
    explanation: dict[str, str] = json_column()
    valid_until: datetime = instant()
    quoted_at: datetime = instant()
    quoted_by: str = Field(sa_type=Text)
    decided_at: datetime | None = instant(nullable=True)
    decided_by: str | None = Field(sa_type=Text)


class WorkTimer(BillingTable, table=True):
    """An agent's timer on a ticket; one runs at a time for each."""

    __tablename__ = "work_timer"
    __table_args__ = (
        Index(
            "work_timer_running_key",
            "desk_id",
            "agent",
            "ticket_id",
            unique=True,
            postgresql_where=text("stopped_at IS NULL"),
        ),
    )

    timer_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    agent: str = Field(sa_type=Text)
    note: str | None = Field(sa_type=Text)
    started_at: datetime = instant()
    stopped_at: datetime | None = instant(nullable=True)
    work_id: UUID | None


class WorkImport(BillingTable, table=True):
    """An import of work: how far it is, and what was refused."""

    __tablename__ = "work_import"

    import_id: UUID = Field(primary_key=True)
    desk_id: UUID
    total: int = Field(sa_type=Integer)
    logged: int = Field(sa_type=Integer)
    known: int = Field(sa_type=Integer)
    refusals: list[Any] = json_column()
    imported_by: str = Field(sa_type=Text)
    begun_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)


class WorkImportLine(BillingTable, table=True):
    """A line of an import that waits to be logged."""

    __tablename__ = "work_import_line"

    import_id: UUID = Field(primary_key=True)
    number: int = Field(primary_key=True, sa_type=Integer)
    desk_id: UUID
    content: dict[str, Any] = json_column()
    fault: str | None = Field(sa_type=Text)
