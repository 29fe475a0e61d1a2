"""Who handles tickets."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Index, Text, UniqueConstraint
from sqlmodel import Field

from escalation.models.base import EscalationTable, numbers, texts
from plazo.runtime.tables import instant, json_column


class AgentRow(EscalationTable, table=True):
    """Somebody who handles tickets, or is told of them by a role."""

    __tablename__ = "agent"
    __table_args__ = (UniqueConstraint("desk_id", "email", name="agent_email_key"),)

    agent_id: UUID = Field(primary_key=True)
    desk_id: UUID
    name: str = Field(sa_type=Text)
    email: str = Field(sa_type=Text)
    teams: list[str] = texts()
    levels: list[int] = numbers()
    languages: list[str] = texts()
    roles: list[str] = texts()
    active: bool
    absent: bool
    version: int
    last_assigned_at: datetime | None = instant(nullable=True)
    skills: list[str] = texts()
    calendar: dict[str, Any] | None = json_column(nullable=True)
    capacity: int | None


class AgentAbsenceRow(EscalationTable, table=True):
    """A time in which an agent is away; without `ends_at` until further notice."""

    __tablename__ = "agent_absence"
    __table_args__ = (Index(None, "agent_id"),)

    absence_id: UUID = Field(primary_key=True)
    desk_id: UUID
    agent_id: UUID = Field(foreign_key="agent.agent_id")
    starts_at: datetime = instant()
    ends_at: datetime | None = instant(nullable=True)
    reason: str | None = Field(sa_type=Text)
    recorded_at: datetime = instant()
