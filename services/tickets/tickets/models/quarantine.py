"""Requests that did not become tickets."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlmodel import Field

from plazo.runtime.tables import instant, json_column, texts
from tickets.models.base import TicketsTable


class KeptRequest(TicketsTable, table=True):
    """A request that did not become a ticket, with the reason and the clause: nothing that arrives is lost."""

    __tablename__ = "kept_request"
    __table_args__ = (
        CheckConstraint("outcome IN ('refused', 'quarantined')", name="outcome"),
        Index(None, "desk_id", "received_at", "request_id"),
    )

    request_id: UUID = Field(primary_key=True)
    desk_id: UUID
    outcome: str = Field(sa_type=Text)
    reason: str = Field(sa_type=Text)
    clauses: list[str] = texts()
    body: dict[str, Any] = json_column()
    received_at: datetime = instant()
