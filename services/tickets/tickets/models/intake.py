"""How requests came in: mail, webhooks, what other desks call their tickets, imports."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlmodel import Field

from plazo.runtime.tables import instant, json_column, texts
from tickets.models.base import TicketsTable


class Mail(TicketsTable, table=True):
    """A mail, in or out, by its message id: what makes a repetition one mail, and an answer find its ticket.

    `digest` is of what it says. Where the id was another mail's already, it stands behind the id.
    """

    __tablename__ = "mail"
    __table_args__ = (
        CheckConstraint("direction IN ('in', 'out')", name="direction"),
        Index("mail_desk_id_message_id_key", "desk_id", "message_id", unique=True),
        Index(None, "desk_id", "received_at", "mail_id"),
        Index(None, "ticket_id"),
    )

    mail_id: UUID = Field(primary_key=True)
    desk_id: UUID
    message_id: str = Field(sa_type=Text)
    direction: str = Field(sa_type=Text)
    sender: str | None = Field(sa_type=Text)
    subject: str | None = Field(sa_type=Text)
    text: str | None = Field(sa_type=Text)
    outcome: str = Field(sa_type=Text)
    reason: str | None = Field(sa_type=Text)
    clauses: list[str] = texts()
    ticket_id: UUID | None
    request_id: UUID | None
    answer: dict[str, Any] | None = json_column(nullable=True)
    received_at: datetime = instant()
    digest: str | None = Field(sa_type=Text)


class IntakeAddress(TicketsTable, table=True):
    """A mail address that belongs to a desk; with a contract, mail to it is under that contract."""

    __tablename__ = "intake_address"
    __table_args__ = (CheckConstraint("address = lower(address)", name="address"), Index(None, "desk_id", "address"))

    address: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    contract_id: UUID | None
    created_at: datetime = instant()


class Hook(TicketsTable, table=True):
    """An address where another system posts; `secrets` are encrypted, the newest first."""

    __tablename__ = "hook"
    __table_args__ = (Index(None, "desk_id", "created_at", "hook_id"),)

    hook_id: UUID = Field(primary_key=True)
    desk_id: UUID
    name: str = Field(sa_type=Text)
    kind: str = Field(sa_type=Text)
    scheme: str = Field(sa_type=Text)
    mapping: dict[str, Any] = json_column()
    contract_id: UUID | None
    tolerance_seconds: int
    secrets: list[Any] = json_column()
    disabled_at: datetime | None = instant(nullable=True)
    created_at: datetime = instant()


class HookDelivery(TicketsTable, table=True):
    """A delivery that was taken in, by its id, and what was answered."""

    __tablename__ = "hook_delivery"

    hook_id: UUID = Field(primary_key=True)
    delivery_id: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    answer: dict[str, Any] | None = json_column(nullable=True)
    received_at: datetime = instant()


class ForeignTicket(TicketsTable, table=True):
    """What another system calls a ticket of ours, or a request that is kept."""

    __tablename__ = "foreign_ticket"
    __table_args__ = (Index(None, "ticket_id"),)

    desk_id: UUID = Field(primary_key=True)
    source: str = Field(primary_key=True, sa_type=Text)
    reference: str = Field(primary_key=True, sa_type=Text)
    ticket_id: UUID | None
    request_id: UUID | None
    known_at: datetime = instant()


class ImportJob(TicketsTable, table=True):
    """An import of another desk's tickets."""

    __tablename__ = "import_job"
    __table_args__ = (
        CheckConstraint("format IN ('csv', 'jsonl')", name="format"),
        Index(None, "desk_id", "started_at", "import_id"),
    )

    import_id: UUID = Field(primary_key=True)
    desk_id: UUID
    source: str = Field(sa_type=Text)
    format: str = Field(sa_type=Text)
    contract_id: UUID | None
    total: int
    started_by: str = Field(sa_type=Text)
    started_at: datetime = instant()


class ImportLine(TicketsTable, table=True):
    """A line of an import and what became of it; its text is kept until it is a ticket."""

    __tablename__ = "import_line"
    __table_args__ = (
        CheckConstraint("state IN ('waiting', 'created', 'known', 'refused')", name="state"),
        Index("import_line_waiting_idx", "import_id", "line", postgresql_where=text("state = 'waiting'")),
        Index(None, "import_id", "state", "line"),
    )

    import_id: UUID = Field(primary_key=True)
    line: int = Field(primary_key=True)
    desk_id: UUID
    reference: str | None = Field(sa_type=Text)
    body: dict[str, Any] | None = json_column(nullable=True)
    state: str = Field(sa_type=Text)
    faults: list[Any] = json_column()
    ticket_id: UUID | None
