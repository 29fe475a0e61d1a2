"""Messages, the attempts to send them, and what decides when they are sent."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Text, UniqueConstraint, text
from sqlmodel import Field

from escalation.models.base import EscalationTable, texts
from plazo.runtime.tables import instant, json_column


class MessageRow(EscalationTable, table=True):
    """Somebody told of something. `dedupe_key` is what makes it one message however often its cause is seen.

    A queued message is due at `next_attempt_at`; without one it is held for the digest of `window_id`.
    """

    __tablename__ = "message"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'sent', 'delivered', 'digested', 'failed', 'dead')", name="state"),
        UniqueConstraint("desk_id", "dedupe_key", name="message_dedupe_key_key"),
        Index(None, "ticket_id"),
        Index("message_escalation_idx", "escalation_id", "position"),
        Index("message_page_idx", "desk_id", "seq"),
        Index(
            "message_due_idx",
            "next_attempt_at",
            postgresql_where=text("state = 'queued' AND next_attempt_at IS NOT NULL"),
        ),
        Index(None, "window_id"),
        Index(None, "digest_id"),
    )

    message_id: UUID = Field(primary_key=True)
    seq: int = Field(sa_column=Column(BigInteger, Identity(always=True), nullable=False))
    desk_id: UUID
    ticket_id: UUID | None
    customer_id: UUID | None
    escalation_id: UUID | None
    position: int | None
    event: str = Field(sa_type=Text)
    template: str = Field(sa_type=Text)
    role: str = Field(sa_type=Text)
    channel: str = Field(sa_type=Text)
    address: str | None = Field(sa_type=Text)
    language: str = Field(sa_type=Text)
    subject: str = Field(sa_type=Text)
    body: str = Field(sa_type=Text)
    clauses: list[str] = texts()
    state: str = Field(sa_type=Text)
    failure: str | None = Field(sa_type=Text)
    dedupe_key: str = Field(sa_type=Text)
    queued_at: datetime = instant()
    sent_at: datetime | None = instant(nullable=True)
    sender: str | None = Field(sa_type=Text)
    html: str | None = Field(sa_type=Text)
    note: str | None = Field(sa_type=Text)
    tries: int = Field(sa_column_kwargs={"server_default": text("0")})
    next_attempt_at: datetime | None = instant(nullable=True)
    delivered_at: datetime | None = instant(nullable=True)
    window_id: UUID | None
    digest_id: UUID | None


class MessageAttempt(EscalationTable, table=True):
    """One attempt to send a message; without an outcome it was cut off, and what became of it is not known."""

    __tablename__ = "message_attempt"
    __table_args__ = (CheckConstraint("outcome IN ('delivered', 'accepted', 'deferred', 'refused')", name="outcome"),)

    message_id: UUID = Field(primary_key=True, foreign_key="message.message_id")
    number: int = Field(primary_key=True)
    desk_id: UUID
    started_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    outcome: str | None = Field(sa_type=Text)
    reply: str | None = Field(sa_type=Text)


class MessageWindow(EscalationTable, table=True):
    """How much one person was told by one channel lately, and what is held back for a digest at `release_at`."""

    __tablename__ = "message_window"
    __table_args__ = (Index(None, "window_id", unique=True),)

    desk_id: UUID = Field(primary_key=True)
    channel: str = Field(primary_key=True, sa_type=Text)
    address: str = Field(primary_key=True, sa_type=Text)
    window_id: UUID
    opened_at: datetime = instant()
    closes_at: datetime = instant()
    release_at: datetime | None = instant(nullable=True)
    told: int
    held: int


class ChannelSetting(EscalationTable, table=True):
    """What a desk has its policies' channels do where they say nothing."""

    __tablename__ = "channel_setting"

    desk_id: UUID = Field(primary_key=True)
    channel: str = Field(primary_key=True, sa_type=Text)
    digest_every: str = Field(sa_type=Text)
    digest_above: int
    changed_at: datetime = instant()
    changed_by: str = Field(sa_type=Text)


class MessageTemplate(EscalationTable, table=True):
    """A desk's own words for a template, by version; null `words` give the name back to the policy."""

    __tablename__ = "message_template"

    desk_id: UUID = Field(primary_key=True)
    name: str = Field(primary_key=True, sa_type=Text)
    version: int = Field(primary_key=True)
    words: dict[str, Any] | None = json_column(nullable=True)
    published_at: datetime = instant()
    published_by: str = Field(sa_type=Text)
