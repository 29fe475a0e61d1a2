"""Events of the other services that tickets follows."""

from typing import Any

from plazo.events import billing, escalation, sla_clock
from plazo.runtime.consumer import Handlers, Received
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.usecases import attempts, following, resolving, waits


async def on_admission_granted(uow: UnitOfWork, received: Received[billing.AdmissionGranted]) -> None:
    """Billing lets a ticket in."""
    event = received.payload
    await following.admit(
        uow, ticket_id=event.ticket_id, clauses=event.clauses, granted_at=received.envelope.occurred_at
    )


async def on_admission_withheld(uow: UnitOfWork, received: Received[billing.AdmissionWithheld]) -> None:
    """Billing keeps a ticket out."""
    event = received.payload
    await following.hold(
        uow,
        ticket_id=event.ticket_id,
        reason=event.reason,
        clause=event.clause,
        held_at=received.envelope.occurred_at,
    )


async def on_charge_accrued(uow: UnitOfWork, received: Received[billing.ChargeAccrued]) -> None:
    """Billing charged for a ticket's work."""
    await following.follow_charge(uow, event=received.payload)


async def on_assignment_made(uow: UnitOfWork, received: Received[escalation.AssignmentMade]) -> None:
    """Escalation says who handles a ticket."""
    await following.assign(uow, event=received.payload, assigned_at=received.envelope.occurred_at)


async def on_message_queued(uow: UnitOfWork, received: Received[escalation.MessageQueued]) -> None:
    """Escalation tells somebody something."""
    await following.follow_message(uow, event=received.payload, at=received.envelope.occurred_at)


async def on_message_sent(
    uow: UnitOfWork, received: Received[escalation.MessageSent | escalation.MessageFailed]
) -> None:
    """A message has left the house, or did not arrive."""
    await following.follow_delivery(uow, event=received.payload, at=received.envelope.occurred_at)


async def on_escalation_raised(uow: UnitOfWork, received: Received[escalation.EscalationRaised]) -> None:
    """An escalation began."""
    event = received.payload
    change = {
        "escalation_id": str(event.escalation_id),
        "trigger": event.trigger,
        "clauses": list(event.clauses),
        "steps": event.steps,
        "steps_fired": 0,
        "state": "running",
        "raised_at": received.envelope.occurred_at,
    }
    await following.follow_escalation(
        uow,
        ticket_id=event.ticket_id,
        escalation_id=event.escalation_id,
        kind="escalated",
        at=received.envelope.occurred_at,
        change=change,
    )


async def on_escalation_step_fired(uow: UnitOfWork, received: Received[escalation.EscalationStepFired]) -> None:
    """A step of an escalation was taken."""
    event = received.payload
    change: dict[str, Any] = {"steps_fired": event.step, "to_level": event.to_level, "notified": list(event.notified)}
    if event.requires_assessment:
        change |= {"requires_assessment": True, "assessment_asked_at": event.fired_at}
    if event.to_severity is not None:
        change |= {"to_severity": event.to_severity}
    await following.follow_escalation(
        uow,
        ticket_id=event.ticket_id,
        escalation_id=event.escalation_id,
        kind="escalation_step",
        at=event.fired_at,
        change=change,
        to_severity=event.to_severity,
    )


async def on_escalation_stopped(uow: UnitOfWork, received: Received[escalation.EscalationStopped]) -> None:
    """An escalation ended."""
    event = received.payload
    await following.follow_escalation(
        uow,
        ticket_id=event.ticket_id,
        escalation_id=event.escalation_id,
        kind="escalation_stopped",
        at=received.envelope.occurred_at,
        change={"state": "stopped", "stopped_for": event.reason},
    )


async def on_timer_fired(uow: UnitOfWork, received: Received[sla_clock.TimerFired]) -> None:
    """An instant has come that tickets asked to be told of."""
    event, ticket_id = received.payload, received.envelope.aggregate_id
    if event.requested_by != "tickets":
        return
    match event.context.get("purpose"):
        case attempts.ABANDONMENT:
            await resolving.abandon_in_time(uow, ticket_id=ticket_id, timer_id=event.timer_id, due_at=event.due_at)
        case waits.WAIT:
            await waits.end_wait_in_time(uow, ticket_id=ticket_id, timer_id=event.timer_id, due_at=event.due_at)


_CLOCK_EVENTS: dict[type[sla_clock.ClockEvent], str] = {
    sla_clock.ClockStarted: "clock_started",
    sla_clock.ClockRescheduled: "clock_rescheduled",
    sla_clock.ClockWarned: "clock_warned",
    sla_clock.ClockBreached: "clock_breached",
    sla_clock.ClockBreachRetracted: "clock_breach_retracted",
    sla_clock.ClockStopped: "clock_stopped",
    sla_clock.ClockCancelled: "clock_cancelled",
}


async def on_clock_event(uow: UnitOfWork, received: Received[sla_clock.ClockEvent]) -> None:
    """Something happened to a clock."""
    event = received.payload
    await following.follow_clock(
        uow,
        ticket_id=event.ticket_id,
        clock=event.clock,
        kind=_CLOCK_EVENTS[type(event)],
        at=received.envelope.occurred_at,
        data=event.model_dump(mode="json", exclude={"ticket_id", "clock"}),
    )


HANDLERS: dict[str, Handlers] = {
    "sla_clock": {**dict.fromkeys(_CLOCK_EVENTS, on_clock_event), sla_clock.TimerFired: on_timer_fired},
    "escalation": {
        escalation.AssignmentMade: on_assignment_made,
        escalation.EscalationRaised: on_escalation_raised,
        escalation.EscalationStepFired: on_escalation_step_fired,
        escalation.EscalationStopped: on_escalation_stopped,
        escalation.MessageQueued: on_message_queued,
        escalation.MessageSent: on_message_sent,
        escalation.MessageFailed: on_message_sent,
    },
    "billing": {
        billing.AdmissionGranted: on_admission_granted,
        billing.AdmissionWithheld: on_admission_withheld,
        billing.ChargeAccrued: on_charge_accrued,
    },
}
