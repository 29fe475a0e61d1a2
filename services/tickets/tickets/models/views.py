"""What other services announced about a ticket."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index
from sqlmodel import Field

from plazo.runtime.tables import instant, json_column, written_at
from tickets.models.base import TicketsTable


class TicketClock(TicketsTable, table=True):
    """A clock of a ticket as `sla-clock` last announced it."""

    __tablename__ = "ticket_clock"
    __table_args__ = (Index(None, "ticket_id"),)

    clock_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    clock: dict[str, Any] = json_column()


class TicketCharge(TicketsTable, table=True):
    """A charge of a ticket as `billing` announced it."""

    __tablename__ = "ticket_charge"
    __table_args__ = (Index(None, "ticket_id"),)

    charge_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    charged_at: datetime = instant()
    written_at: datetime = written_at()
    charge: dict[str, Any] = json_column()


class TicketEscalation(TicketsTable, table=True):
    """An escalation of a ticket as `escalation` last announced it."""

    __tablename__ = "ticket_escalation"
    __table_args__ = (Index(None, "ticket_id"),)

    escalation_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    raised_at: datetime = instant()
    escalation: dict[str, Any] = json_column()
