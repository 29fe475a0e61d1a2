"""Accounts and lots, the ledger and its seals."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Text,
    UniqueConstraint,
)
from sqlmodel import Field

from billing.models.base import BillingTable, reference
from plazo.runtime.tables import instant, texts


class Account(BillingTable, table=True):
    """An account of a contract. Its balance follows from its entries and never passes its lower limit."""

    __tablename__ = "account"
    __table_args__ = (
        CheckConstraint(
            "kind IN ('prepaid', 'owed', 'income', 'funding', 'reserved', 'expired', 'credited', 'penalty')",
            name="kind",
        ),
        CheckConstraint("unit IN ('credit_unit', 'hour', 'workday', 'currency', 'percent')", name="unit"),
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
    account_id: UUID = reference("account.account_id")
    cause: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    effective_from: datetime = instant()
    expires_at: datetime | None = instant(nullable=True)
    granted: int = Field(sa_type=BigInteger)
    remaining: int = Field(sa_type=BigInteger, sa_column_kwargs={"server_default": "0"})


class LedgerTransaction(BillingTable, table=True):
    """Entries that belong together and add up to zero. Rows are never changed or removed.

    `effective_at` is when it was true (the instant of the work), `recorded_at` when it was learnt.
    """

    __tablename__ = "ledger_transaction"
    __table_args__ = (
        CheckConstraint(
            "cause IN ('grant', 'post', 'reserve', 'expire', 'correct', 'penalty', 'reversal')", name="cause"
        ),
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
    transaction_id: UUID = reference("ledger_transaction.transaction_id")
    account_id: UUID = reference("account.account_id")
    lot_id: UUID | None = reference("lot.lot_id", nullable=True)
    counted_in: str = Field(sa_type=Text)
    amount: int = Field(sa_type=BigInteger)
    effective_at: datetime = instant()
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
    """The place of a transaction in its seal, and its links of the chain. The first seals were made without links."""

    __tablename__ = "sealed_transaction"
    __table_args__ = (Index(None, "desk_id", "number", "place"),)

    transaction_id: UUID = Field(sa_column_args=(ForeignKey("ledger_transaction.transaction_id"),), primary_key=True)
    desk_id: UUID
    number: int = Field(sa_type=BigInteger)
    place: int = Field(sa_type=Integer)
    links: bytes | None = Field(sa_type=LargeBinary)
