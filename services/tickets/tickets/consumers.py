"""Events of the other services that tickets follows."""

from plazo.events import billing, escalation, sla_clock
from plazo.runtime.consumer import Handlers, Received
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.usecases import following


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
    change = {"steps_fired": event.step, "to_level": event.to_level, "notified": list(event.notified)}
    await following.follow_escalation(
        uow,
        ticket_id=event.ticket_id,
        escalation_id=event.escalation_id,
        kind="escalation_step",
        at=event.fired_at,
        change=change,
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
    "sla_clock": dict.fromkeys(_CLOCK_EVENTS, on_clock_event),
    "escalation": {
        escalation.AssignmentMade: on_assignment_made,
        escalation.EscalationRaised: on_escalation_raised,
        escalation.EscalationStepFired: on_escalation_step_fired,
        escalation.EscalationStopped: on_escalation_stopped,
        escalation.MessageQueued: on_message_queued,
    },
    "billing": {
        billing.AdmissionGranted: on_admission_granted,
        billing.AdmissionWithheld: on_admission_withheld,
        billing.ChargeAccrued: on_charge_accrued,
    },
}
