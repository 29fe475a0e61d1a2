"""Ends of escalations: each for a reason, and nothing undone silently."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from escalation.domain.matrix import UNACKNOWLEDGED, Step, StepState, stop_steps
from escalation.domain.ticket import Ticket
from escalation.repository import escalations
from escalation.repository.escalations import Escalation
from escalation.usecases.stepping import go_on
from plazo.events.escalation import EscalationStopped, TimerWithdrawn
from plazo.policy.document import Policy
from plazo.runtime.unit_of_work import Transaction


async def stop_escalation(
    tx: Transaction, escalation: Escalation, *, at: datetime, reason: str, is_void: bool = False
) -> None:
    """Take no further step, for `reason`.

    What was due before the instant `at` is still taken when its timer comes; not so where the cause `is_void`.
    """
    steps = await escalations.steps_of(tx.connection, escalation.escalation_id)
    skipped = stop_steps(steps, at=None if is_void or escalation.on_request else at)
    await escalations.skip_steps(tx, escalation.escalation_id, [step.position for step in skipped])
    await _withdraw_timers(tx, escalation, skipped, at=at)
    await escalations.end_escalation(tx, escalation.escalation_id, state="stopped", ended_at=at, reason=reason)
    if escalation.trigger == UNACKNOWLEDGED and all(step.state is not StepState.FIRED for step in steps):
        return  # it was never announced
    tx.emit(
        EscalationStopped(ticket_id=escalation.ticket_id, escalation_id=escalation.escalation_id, reason=reason),
        about=escalation.ticket_id,
        occurred_at=at,
    )


async def end_watch(tx: Transaction, escalation: Escalation, *, at: datetime, reason: str) -> None:
    """Stop waiting for somebody to acknowledge an escalation."""
    for watch in await escalations.caused_by(tx.connection, escalation.escalation_id):
        await stop_escalation(tx, watch, at=at, reason=reason)


async def skip_repetitions(
    tx: Transaction, ticket: Ticket, policy: Policy, *, escalation: Escalation, at: datetime
) -> Ticket:
    """Leave out the repetitions that are still to come, for somebody took notice; other steps go on."""
    steps = await escalations.steps_of(tx.connection, escalation.escalation_id)
    pending = (StepState.PLANNED, StepState.ARMED)
    skipped = [replace(one, state=StepState.SKIPPED) for one in steps if one.turn > 1 and one.state in pending]
    if not skipped or escalation.on_request:
        return ticket
    await escalations.skip_steps(tx, escalation.escalation_id, [step.position for step in skipped])
    await _withdraw_timers(tx, escalation, skipped, at=at)
    by_position = {step.position: step for step in skipped}
    left = [by_position.get(step.position, step) for step in steps]
    return await go_on(tx, ticket, policy, escalation=escalation, steps=left, at=at)


async def _withdraw_timers(tx: Transaction, escalation: Escalation, skipped: Sequence[Step], *, at: datetime) -> None:
    for step in skipped:
        if step.timer_id is not None:
            tx.emit(
                TimerWithdrawn(ticket_id=escalation.ticket_id, timer_id=step.timer_id),
                about=escalation.ticket_id,
                occurred_at=at,
            )
