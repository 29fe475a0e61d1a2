"""Webhooks to partner systems: who listens, what is sent, and how that went."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import BigInteger, CheckConstraint, Column, Identity, Index, Text, text
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.dialects.postgresql import UUID as PG_UUID
from sqlmodel import Field

from escalation.models.base import EscalationTable, texts
from plazo.runtime.tables import instant, json_column


class SubscriptionRow(EscalationTable, table=True):
    """A partner system that is told of events; the secrets are sealed."""

    __tablename__ = "subscription"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'paused', 'off', 'deleted')", name="state"),
        Index(None, "desk_id", "subscription_id"),
    )

    subscription_id: UUID = Field(primary_key=True)
    desk_id: UUID
    name: str = Field(sa_type=Text)
    url: str = Field(sa_type=Text)
    events: list[str] = texts()
    customers: list[UUID] = Field(sa_type=ARRAY(PG_UUID), sa_column_kwargs={"server_default": text("'{}'")})
    contact: str | None = Field(sa_type=Text)
    secret: str = Field(sa_type=Text)
    previous_secret: str | None = Field(sa_type=Text)
    previous_until: datetime | None = instant(nullable=True)
    state: str = Field(sa_type=Text)
    state_reason: str | None = Field(sa_type=Text)
    failures: int = Field(sa_column_kwargs={"server_default": text("0")})
    failing_since: datetime | None = instant(nullable=True)
    version: int
    created_at: datetime = instant()
    changed_at: datetime = instant()


class WebhookLane(EscalationTable, table=True):
    """What is sent to a subscription about one aggregate, one after the other.

    `next_attempt_at` is null where nothing waits, `busy_until` the lease of whoever sends just now. Machine time.
    """

    __tablename__ = "webhook_lane"
    __table_args__ = (
        Index("webhook_lane_due_idx", "next_attempt_at", postgresql_where=text("next_attempt_at IS NOT NULL")),
    )

    subscription_id: UUID = Field(primary_key=True, foreign_key="subscription.subscription_id")
    aggregate_id: UUID = Field(primary_key=True)
    desk_id: UUID
    next_attempt_at: datetime | None = instant(nullable=True)
    busy_until: datetime | None = instant(nullable=True)


class WebhookDelivery(EscalationTable, table=True):
    """An event for a subscription. `delivery_id` is the order of sending within a lane."""

    __tablename__ = "webhook_delivery"
    __table_args__ = (
        CheckConstraint("state IN ('queued', 'delivered', 'dead')", name="state"),
        Index("webhook_delivery_event_idx", "subscription_id", "event_id", unique=True),
        Index(None, "queued_at"),
        Index("webhook_delivery_page_idx", "subscription_id", "delivery_id"),
        Index(
            "webhook_delivery_queue_idx",
            "subscription_id",
            "aggregate_id",
            "delivery_id",
            postgresql_where=text("state = 'queued'"),
        ),
    )

    delivery_id: int = Field(sa_column=Column(BigInteger, Identity(always=True), primary_key=True))
    subscription_id: UUID = Field(foreign_key="subscription.subscription_id")
    desk_id: UUID
    event_id: UUID
    producer: str = Field(sa_type=Text)
    type: str = Field(sa_type=Text)
    aggregate_id: UUID
    occurred_at: datetime = instant()
    recorded_at: datetime = instant()
    data: dict[str, Any] = json_column()
    state: str = Field(sa_type=Text)
    tries: int = Field(sa_column_kwargs={"server_default": text("0")})
    queued_at: datetime = instant(sa_column_kwargs={"server_default": text("now()")})
    delivered_at: datetime | None = instant(nullable=True)


class WebhookAttempt(EscalationTable, table=True):
    """One attempt to send an event; without `ended_at` it was cut off, and what came of it is not known."""

    __tablename__ = "webhook_attempt"

    delivery_id: int = Field(
        sa_type=BigInteger, primary_key=True, foreign_key="webhook_delivery.delivery_id", ondelete="CASCADE"
    )
    number: int = Field(primary_key=True)
    desk_id: UUID
    started_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    status: int | None
    milliseconds: int | None
    excerpt: str | None = Field(sa_type=Text)
    failure: str | None = Field(sa_type=Text)
