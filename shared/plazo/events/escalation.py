"""What `escalation` announces. The aggregate is always the ticket."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from plazo.events.envelope import Event
from plazo.events.timers import TimerRequest, TimerWithdrawal


class _EscalationEvent(Event):
    producer: ClassVar[str] = "escalation"

    ticket_id: UUID


class AssignmentMade(_EscalationEvent):
    """A team, a level and, where there is one, an agent now handle the ticket."""

    name: ClassVar[str] = "assignment.made"

    team: str | None
    level: int
    agent_id: UUID | None = None
    agent_name: str | None = None
    reason: str
    clauses: tuple[str, ...] = ()


class EscalationRaised(_EscalationEvent):
    """The matrix of the policy named steps for a trigger; they are frozen from here on."""

    name: ClassVar[str] = "escalation.raised"

    escalation_id: UUID
    trigger: str
    clauses: tuple[str, ...]
    steps: int
    kind: str | None = None
    reason: str | None = None


class EscalationStepFired(_EscalationEvent):
    """A step was taken at `fired_at`, contract time; `notified` are the roles that were told.

    `step` counts the firings of the escalation from 1, `turn` those of a repeated step.
    `requires_assessment`: whoever has the ticket now must say whether, how and by when it can be solved. SKE-06
    """

    name: ClassVar[str] = "escalation.step_fired"

    escalation_id: UUID
    step: int
    to_level: int | None
    notified: tuple[str, ...]
    fired_at: datetime
    turn: int = 1
    to_team: str | None = None
    to_role: str | None = None
    requires_assessment: bool = False
    reason: str | None = None


class EscalationStopped(_EscalationEvent):
    """No further step will be taken, for `reason`."""

    name: ClassVar[str] = "escalation.stopped"

    escalation_id: UUID
    reason: str


class MessageQueued(_EscalationEvent):
    """Somebody is going to be told something; `event` is what they are told of, such as `ticket.opened`."""

    name: ClassVar[str] = "message.queued"

    message_id: UUID
    template: str
    channel: str
    to: str
    subject: str
    clauses: tuple[str, ...] = ()
    event: str | None = None
    role: str | None = None


class TimerRequested(_EscalationEvent, TimerRequest):
    """`sla-clock` shall say when an instant has come."""


class TimerWithdrawn(_EscalationEvent, TimerWithdrawal):
    """The timer is not wanted any more."""


EVENTS: tuple[type[Event], ...] = (
    AssignmentMade,
    EscalationRaised,
    EscalationStepFired,
    EscalationStopped,
    MessageQueued,
    TimerRequested,
    TimerWithdrawn,
)
