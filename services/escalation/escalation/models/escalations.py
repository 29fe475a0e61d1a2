"""Escalations and their steps."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, Text
from sqlmodel import Field

from escalation.models.base import EscalationTable, texts
from plazo.runtime.tables import instant


class EscalationRow(EscalationTable, table=True):
    """What a trigger set off, frozen as it was set off.

    `cause_id` is the clock that caused it. `raised_at` is the instant of the trigger, contract time.
    """

    __tablename__ = "escalation"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'completed', 'stopped')", name="state"),
        Index(None, "ticket_id"),
        Index("escalation_page_idx", "desk_id", "raised_at", "escalation_id"),
        Index("escalation_cause_idx", "cause_id"),
    )

    escalation_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    trigger: str = Field(sa_type=Text)
    kind: str | None = Field(sa_type=Text)
    threshold: str | None = Field(sa_type=Text)
    cause_id: UUID | None
    clock_due_at: datetime | None = instant(nullable=True)
    rule: int | None
    on_request: bool
    clauses: list[str] = texts()
    reason: str | None = Field(sa_type=Text)
    requested_by: str | None = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    raised_at: datetime = instant()
    ended_at: datetime | None = instant(nullable=True)
    end_reason: str | None = Field(sa_type=Text)
    acknowledged_at: datetime | None = instant(nullable=True)
    acknowledged_by: str | None = Field(sa_type=Text)


class EscalationStepRow(EscalationTable, table=True):
    """One firing of one step. `due_at` and `fired_at` are contract time, `recorded_at` is when it was done."""

    __tablename__ = "escalation_step"
    __table_args__ = (
        CheckConstraint("state IN ('planned', 'armed', 'fired', 'skipped')", name="state"),
        CheckConstraint("(state = 'fired') = (fired_at IS NOT NULL)", name="fired"),
    )

    escalation_id: UUID = Field(primary_key=True, foreign_key="escalation.escalation_id")
    position: int = Field(primary_key=True)
    desk_id: UUID
    step: int
    turn: int
    after: str = Field(sa_type=Text)
    calendar: str | None = Field(sa_type=Text)
    to_level: int | None
    to_team: str | None = Field(sa_type=Text)
    to_role: str | None = Field(sa_type=Text)
    notify: list[str] = texts()
    template: str | None = Field(sa_type=Text)
    requires_assessment: bool
    requires_reason: bool
    reason: str | None = Field(sa_type=Text)
    due_at: datetime | None = instant(nullable=True)
    state: str = Field(sa_type=Text)
    timer_id: UUID | None
    fired_at: datetime | None = instant(nullable=True)
    recorded_at: datetime | None = instant(nullable=True)
    to_severity: str | None = Field(sa_type=Text)
