"""What waits for a seal, closed months and service credits."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Index, Integer, Text, UniqueConstraint
from sqlmodel import Field

from billing.models.base import BillingTable
from plazo.runtime.tables import instant, json_column, texts


class Unsealed(BillingTable, table=True):
    """A transaction that is under no seal yet. A trigger writes it down, sealing removes it."""

    __tablename__ = "unsealed"

    desk_id: UUID = Field(primary_key=True)
    transaction_id: UUID = Field(primary_key=True)


class Statement(BillingTable, table=True):
    """A closed month of a contract, made over its entries up to `through`. Rows are never changed or removed."""

    __tablename__ = "statement"
    __table_args__ = (UniqueConstraint("contract_id", "number"),)

    contract_id: UUID = Field(primary_key=True)
    month: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    number: int = Field(sa_type=BigInteger)
    through: int = Field(sa_type=BigInteger)
    closed_at: datetime = instant()
    previous_hash: str = Field(sa_type=Text)
    hash: str = Field(sa_type=Text)
    document: dict[str, Any] = json_column()


class ServiceCredit(BillingTable, table=True):
    """A breached guarantee, and what the provider owes for it now: a view of the ledger, as `draw` is."""

    __tablename__ = "service_credit"
    __table_args__ = (
        CheckConstraint("amount >= 0", name="amount"),
        Index(None, "contract_id", "month"),
        Index(None, "ticket_id"),
    )

    credit_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    contract_id: UUID
    kind: str = Field(sa_type=Text)
    month: str = Field(sa_type=Text)
    breached_at: datetime = instant()
    retracted_at: datetime | None = instant(nullable=True)
    fee: dict[str, Any] | None = json_column(nullable=True)
    counted_in: str = Field(sa_type=Text)
    percent: int = Field(sa_type=Integer)
    amount: int = Field(sa_type=BigInteger)
    reason: str | None = Field(sa_type=Text)
    clauses: list[str] = texts()
    explanation: dict[str, str] = json_column()
    revision: int = Field(sa_type=Integer)
