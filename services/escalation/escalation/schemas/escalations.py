"""Escalations and their steps."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictInt

from escalation.domain.matrix import RequestedTrigger
from escalation.schemas.words import EscalationState, Level, MessageState, Reference, StaffRole
from plazo.runtime.inputs import Input, Line, View


class EscalationRequest(Input):
    """Asks for the next step that the contract gives. The step may be named by number, role or level: a step that
    comes later is refused.
    """

    ticket_id: Reference
    trigger: RequestedTrigger
    step: Annotated[StrictInt, Field(ge=1, le=100)] | None = None
    to_role: StaffRole | None = None
    to_level: Level | None = None
    reason: Line | None = None


class NotifiedView(View):
    """Somebody told by a step, by what channel, and how that went."""

    role: str
    address: str | None
    channel: str
    message_id: UUID
    state: MessageState
    failure: str | None
    sent_at: datetime | None
    delivered_at: datetime | None


class StepView(View):
    """One step: when due, when taken, who was told by what. `due_at` is null for a step that waits for a request."""

    position: int
    step: int
    turn: int
    state: Literal["planned", "armed", "fired", "skipped"]
    after: str
    calendar: str | None
    due_at: datetime | None
    fired_at: datetime | None
    to_level: int | None
    to_team: str | None
    to_role: str | None
    to_severity: str | None = Field(description="the ticket is at least that severe from this step on")
    notify: tuple[str, ...]
    requires_assessment: bool
    requires_reason: bool
    reason: str | None
    notified: list[NotifiedView]


class EscalationView(View):
    """What a trigger set off, frozen as it was set off, and how far it has come."""

    escalation_id: UUID
    ticket_id: UUID
    trigger: str
    kind: str | None = Field(description="the kind of promise, where a clock is the cause")
    threshold: str | None
    clock_id: UUID | None
    clock_due_at: datetime | None
    clauses: tuple[str, ...]
    reason: str | None
    requested_by: str | None
    on_request: bool = Field(description="each step is taken when somebody asks for it, not by time")
    state: EscalationState
    raised_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    steps: list[StepView]
