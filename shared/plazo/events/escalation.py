"""What `escalation` announces. The aggregate is the ticket, but for a message that is about none."""

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
    `to_severity`: the ticket is to be at least that severe from now on, for `clauses`.
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
    to_severity: str | None = None
    clauses: tuple[str, ...] = ()


class EscalationStopped(_EscalationEvent):
    """No further step will be taken, for `reason`."""

    name: ClassVar[str] = "escalation.stopped"

    escalation_id: UUID
    reason: str


class EscalationCompleted(_EscalationEvent):
    """Every step was taken, the last at `completed_at`; `acknowledged` if somebody had taken notice by then."""

    name: ClassVar[str] = "escalation.completed"

    escalation_id: UUID
    completed_at: datetime
    acknowledged: bool


class EscalationUnanswered(_EscalationEvent):
    """The last step was taken and nobody took notice, though somebody was waited for."""

    name: ClassVar[str] = "escalation.unanswered"

    escalation_id: UUID
    trigger: str
    clauses: tuple[str, ...]
    notified: tuple[str, ...] = ()


class MessageQueued(Event):
    """Somebody is going to be told something; `event` is what they are told of, such as `ticket.opened`.

    Aggregate: the ticket; where it is about none, what it is about: a policy, a request, or the messages of a digest.
    `state` is `queued`, `held` for a digest, `delivered` where messages are captured, or `failed`.
    """

    producer: ClassVar[str] = "escalation"
    name: ClassVar[str] = "message.queued"

    ticket_id: UUID | None
    message_id: UUID
    template: str
    channel: str
    to: str
    subject: str
    clauses: tuple[str, ...] = ()
    event: str | None = None
    role: str | None = None
    state: str = "queued"


class MessageSent(_EscalationEvent):
    """The receiving server took the message on, at the `attempt`-th attempt."""

    name: ClassVar[str] = "message.sent"

    message_id: UUID
    channel: str
    to: str
    attempt: int = 1


class MessageFailed(_EscalationEvent):
    """The message did not arrive, for `reason`. `permanent` is false where attempts were given up."""

    name: ClassVar[str] = "message.failed"

    message_id: UUID
    channel: str
    to: str | None
    reason: str
    permanent: bool = True


class TimerRequested(_EscalationEvent, TimerRequest):
    """`sla-clock` shall say when an instant has come."""


class TimerWithdrawn(_EscalationEvent, TimerWithdrawal):
    """The timer is not wanted any more."""


EVENTS: tuple[type[Event], ...] = (
    AssignmentMade,
    EscalationRaised,
    EscalationStepFired,
    EscalationStopped,
    EscalationCompleted,
    EscalationUnanswered,
    MessageQueued,
    MessageSent,
    MessageFailed,
    TimerRequested,
    TimerWithdrawn,
)
