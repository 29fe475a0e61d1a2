"""The tables of billing, as rows. Migrations make them; a test holds the two together."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import registry
from sqlmodel import Field, SQLModel

from plazo.runtime.tables import NAMING, instant, json_column, texts


class BillingTable(SQLModel, registry=registry(metadata=MetaData(naming_convention=NAMING))):
    """A table of this service."""


METADATA = BillingTable.metadata


def _reference(column: str, *, nullable: bool = False) -> Any:
    return Field(sa_column_args=(ForeignKey(column),), nullable=nullable)


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


class Work(BillingTable, table=True):
    """A piece of work as it was logged; voiding it is all that may happen to it."""

    __tablename__ = "work"
    __table_args__ = (
        CheckConstraint("kind IN ('work', 'no_show')", name="kind"),
        CheckConstraint("minutes >= 0", name="minutes"),
        Index(None, "ticket_id", "started_at", "work_id"),
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


class Account(BillingTable, table=True):
    """An account of a contract. Its balance follows from its entries and never passes its lower limit."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint("kind IN ('prepaid', 'owed', 'income', 'funding', 'reserved', 'expired')", name="kind"),
        CheckConstraint("unit IN ('credit_unit', 'hour', 'workday', 'currency')", name="unit"),
        CheckConstraint("balance >= lower_limit", name="limit"),
        UniqueConstraint("contract_id", "name", "counted_in"),
    )

    account_id: UUID = Field(primary_key=True)
    desk_id: UUID
    contract_id: UUID
    name: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    unit: str = Field(sa_type=Text)
    counted_in: str = Field(sa_type=Text)
    unit_minutes: int = Field(sa_type=Integer)
    lower_limit: int | None = Field(sa_type=BigInteger)
    balance: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class Lot(BillingTable, table=True):
    """A grant of a prepaid account: what was granted, when it is valid, and what is left of it."""

    __tablename__ = "lot"
    __table_args__ = (
        CheckConstraint("cause IN ('grant', 'allotment')", name="cause"),
        CheckConstraint("granted > 0", name="granted"),
        CheckConstraint("remaining BETWEEN 0 AND granted", name="remaining"),
        Index(None, "account_id", "effective_from"),
    )

    lot_id: UUID = Field(primary_key=True)
    desk_id: UUID
    account_id: UUID = _reference("account.account_id")
    cause: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    effective_from: datetime = instant()
    expires_at: datetime | None = instant(nullable=True)
    granted: int = Field(sa_type=BigInteger)
    remaining: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class Draw(BillingTable, table=True):
    """What draws on an account at an instant, and what pays for it now: a view of the ledger, kept for speed."""

    __tablename__ = "draw"
    __table_args__ = (
        CheckConstraint("kind IN ('expiry', 'hold', 'work', 'no_show')", name="kind"),
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


class LedgerTransaction(BillingTable, table=True):
    """Entries that belong together and add up to zero. Rows are never changed or removed.

    `effective_at` is when it was true (the instant of the work), `recorded_at` when it was learnt.
    """

    __tablename__ = "ledger_transaction"
    __table_args__ = (
        CheckConstraint("cause IN ('grant', 'post', 'reserve', 'expire', 'correct')", name="cause"),
        UniqueConstraint("desk_id", "idempotency_key"),
        Index(None, "ticket_id"),
    )

    transaction_id: UUID = Field(primary_key=True)
    desk_id: UUID
    contract_id: UUID
    cause: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    clauses: list[str] = texts()
    ticket_id: UUID | None
    work_id: UUID | None
    effective_at: datetime = instant()
    recorded_at: datetime = instant()
    idempotency_key: str = Field(sa_type=Text)


class LedgerEntry(BillingTable, table=True):
    """One side of a transaction. Rows are never changed or removed."""

    __tablename__ = "ledger_entry"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index(None, "transaction_id"),
        Index(None, "account_id", "effective_at"),
        Index(None, "account_id", "recorded_at"),
        Index(None, "lot_id", "effective_at"),
    )

    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    desk_id: UUID
    transaction_id: UUID = _reference("ledger_transaction.transaction_id")
    account_id: UUID = _reference("account.account_id")
    lot_id: UUID | None = _reference("lot.lot_id", nullable=True)
    counted_in: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    effective_at: datetime = instant()
    recorded_at: datetime = instant()


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


class Seal(BillingTable, table=True):
    """A batch of transactions, sealed: its hash follows from theirs and from the seal before."""

    __tablename__ = "seal"

    desk_id: UUID = Field(primary_key=True)
    number: int = Field(sa_type=BigInteger, primary_key=True)
    transactions: int = Field(sa_type=BigInteger)
    previous_hash: str = Field(sa_type=Text)
    hash: str = Field(sa_type=Text)
    sealed_at: datetime = instant()


class SealedTransaction(BillingTable, table=True):
    """The place of a transaction in its seal."""

    __tablename__ = "sealed_transaction"
    __table_args__ = (Index(None, "desk_id", "number", "place"),)

    transaction_id: UUID = Field(sa_column_args=(ForeignKey("ledger_transaction.transaction_id"),), primary_key=True)
    desk_id: UUID
    number: int = Field(sa_type=BigInteger)
    place: int = Field(sa_type=Integer)
