"""Requests that did not become tickets."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text, text
from sqlmodel import Field

from plazo.runtime.tables import instant, json_column, texts
from tickets.models.base import TicketsTable


class KeptRequest(TicketsTable, table=True):
    """A request that did not become a ticket, with the reason and the clause: nothing that arrives is lost.

    `body` is the request as it was understood, `original` what arrived; `state` says what became of it.
    """

    __tablename__ = "kept_request"
    __table_args__ = (
        CheckConstraint("outcome IN ('refused', 'quarantined')", name="outcome"),
        CheckConstraint("state IN ('kept', 'released', 'dismissed')", name="state"),
        Index(None, "desk_id", "received_at", "request_id"),
        Index("kept_request_state_idx", "desk_id", "state", "received_at", "request_id"),
    )

    request_id: UUID = Field(primary_key=True)
    desk_id: UUID
    outcome: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    clauses: list[str] = texts()
    body: dict[str, Any] = json_column()
    received_at: datetime = instant()
    state: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("'kept'")})
    channel: str = Field(sa_type=Text, sa_column_kwargs={"server_default": text("'api'")})
    sender: str | None = Field(sa_type=Text)
    customer_id: UUID | None
    contact_id: UUID | None
    note: dict[str, str] = json_column(sa_column_kwargs={"server_default": text("'{}'")})
    original: dict[str, Any] = json_column(sa_column_kwargs={"server_default": text("'{}'")})
    ticket_id: UUID | None
    settled_by: str | None = Field(sa_type=Text)
    settled_for: str | None = Field(sa_type=Text)
    settled_at: datetime | None = instant(nullable=True)
