"""The steps of an escalation: setting them off, and taking each once and in order."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from escalation.domain.matrix import (
    UNACKNOWLEDGED,
    EventTrigger,
    Plan,
    Step,
    StepState,
    asks_for_notice,
    next_step,
    plan_escalation,
    timer_start,
)
from escalation.domain.messages import PLAIN_STEP, UNANSWERED, Language, kind_words, local_time, trigger_words
from escalation.domain.routing import team_at_level
from escalation.domain.ticket import Agent, FactValue, Ticket
from escalation.repository import agents, escalations
from escalation.repository.escalations import Escalation
from escalation.usecases.assigning import assign
from escalation.usecases.telling import Occasion, tell
from plazo.events.escalation import (
    EscalationCompleted,
    EscalationRaised,
    EscalationStepFired,
    EscalationUnanswered,
    TimerRequested,
)
from plazo.kernel.ids import derived_id
from plazo.policy.document import Policy
from plazo.runtime.unit_of_work import Transaction

_HANDLER_ROLES = ("assignee", "consultant")
# Who hears that nobody answered; without any, the team's address or the provider's.
_LAST_ROLES = ("manager", "administrator")


async def escalate_event(
    tx: Transaction,
    ticket: Ticket,
    policy: Policy,
    *,
    trigger: EventTrigger,
    cause: UUID,
    at: datetime,
    facts: Mapping[str, FactValue] | None = None,
) -> Ticket:
    """Do what the matrix orders for something that happened to a ticket at the instant `at`.

    What is to be asked for, or needs a reason, is not done of itself: it waits for somebody who says why. SKE-03
    """
    known = {**ticket.facts, **(facts or {})}
    plan = plan_escalation(policy, known, trigger=trigger, level=ticket.level, at=at, place=ticket.place_under(policy))
    if plan is None or plan.on_request or any(step.requires_reason for step in plan.steps):
        return ticket
    escalation = Escalation(
        escalation_id=derived_id("escalation", cause, trigger, *_of_many(ticket, trigger)),
        ticket_id=ticket.ticket_id,
        trigger=trigger,
        kind=None,
        threshold=None,
        cause_id=None,
        clock_due_at=None,
        rule=plan.rule,
        on_request=False,
        clauses=plan.clauses,
        reason=None,
        requested_by=None,
        raised_at=at,
    )
    return await raise_escalation(tx, ticket, policy, escalation=escalation, plan=plan)


def _of_many(ticket: Ticket, trigger: EventTrigger) -> tuple[UUID, ...]:
    return (ticket.ticket_id,) if trigger == "low_balance" else ()  # one cause, many tickets


async def raise_escalation(
    tx: Transaction, ticket: Ticket, policy: Policy, *, escalation: Escalation, plan: Plan, reason: str | None = None
) -> Ticket:
    """Freeze a plan and take what is due at once. Raising it again has no effect. Returns the ticket as it is now.

    Where the matrix says what happens if nobody acknowledges, that begins to count as well.
    """
    if not await escalations.insert_escalation(tx, escalation, plan.steps):
        return ticket
    if escalation.trigger != UNACKNOWLEDGED:
        _announce(tx, escalation, steps=len(plan.steps), at=escalation.raised_at)
    if escalation.on_request:
        first = plan.steps[0]
        ticket = await take_step(
            tx, ticket, policy, escalation=escalation, step=first, at=escalation.raised_at, reason=reason
        )
    else:
        ticket = await go_on(
            tx, ticket, policy, escalation=escalation, steps=plan.steps, at=escalation.raised_at, reason=reason
        )
    if escalation.trigger != UNACKNOWLEDGED:
        ticket = await _watch(tx, ticket, policy, escalation)
    return ticket


def _announce(tx: Transaction, escalation: Escalation, *, steps: int, at: datetime) -> None:
    tx.emit(
        EscalationRaised(
            ticket_id=escalation.ticket_id,
            escalation_id=escalation.escalation_id,
            trigger=escalation.trigger,
            clauses=escalation.clauses,
            steps=steps,
            kind=escalation.kind,
            reason=escalation.reason,
        ),
        about=escalation.ticket_id,
        occurred_at=at,
    )


async def _watch(tx: Transaction, ticket: Ticket, policy: Policy, escalation: Escalation) -> Ticket:
    plan = plan_escalation(
        policy,
        ticket.facts,
        trigger=UNACKNOWLEDGED,
        level=ticket.level,
        kind=escalation.kind,
        at=escalation.raised_at,
        place=ticket.place_under(policy),
    )
    if plan is None:
        return ticket
    watch = replace(
        escalation,
        escalation_id=derived_id("escalation", escalation.escalation_id, UNACKNOWLEDGED),
        trigger=UNACKNOWLEDGED,
        cause_id=escalation.escalation_id,
        rule=plan.rule,
        on_request=False,
        clauses=plan.clauses,
    )
    return await raise_escalation(tx, ticket, policy, escalation=watch, plan=plan)


async def go_on(
    tx: Transaction,
    ticket: Ticket,
    policy: Policy,
    *,
    escalation: Escalation,
    steps: Sequence[Step],
    at: datetime,
    reason: str | None = None,
) -> Ticket:
    """Take the steps that are due by the instant `at`, ask for the time of the next, or complete the escalation."""
    steps = list(steps)
    while (step := next_step(steps)) is not None:
        assert step.due_at is not None
        if step.due_at > at:
            if step.state is StepState.PLANNED:
                await _ask_for_time(tx, escalation, steps, step, at=at)
            return ticket
        ticket = await take_step(tx, ticket, policy, escalation=escalation, step=step, at=at, reason=reason)
        steps[step.position - 1] = replace(step, state=StepState.FIRED, fired_at=at)
    if escalation.state == "running":
        await _complete(tx, ticket, policy, escalation=escalation, steps=steps, at=at)
    return ticket


async def _complete(
    tx: Transaction, ticket: Ticket, policy: Policy, *, escalation: Escalation, steps: Sequence[Step], at: datetime
) -> None:
    """Note that every step has been taken; where nobody took notice of the last either, say so loudly."""
    await escalations.end_escalation(tx, escalation.escalation_id, state="completed", ended_at=at, reason=None)
    is_acknowledged = escalation.acknowledged_at is not None
    completed = EscalationCompleted(
        ticket_id=ticket.ticket_id,
        escalation_id=escalation.escalation_id,
        completed_at=at,
        acknowledged=is_acknowledged,
    )
    tx.emit(completed, about=ticket.ticket_id, occurred_at=at)
    if is_acknowledged or not asks_for_notice(steps, trigger=escalation.trigger):
        return
    occasion = Occasion(
        cause=f"{escalation.escalation_id}:unanswered",
        event="escalation.unanswered",
        template_name="unanswered",
        template=UNANSWERED,
        channel="email",
        clauses=escalation.clauses,
        escalation_id=escalation.escalation_id,
        at=at,
    )

    def values(language: Language) -> Mapping[str, str]:
        return _step_values(escalation, policy, reason=None, language=language)

    unanswered = EscalationUnanswered(
        ticket_id=ticket.ticket_id,
        escalation_id=escalation.escalation_id,
        trigger=escalation.trigger,
        clauses=escalation.clauses,
        notified=await tell(tx, ticket, policy, occasion=occasion, roles=_LAST_ROLES, values=values),
    )
    tx.emit(unanswered, about=ticket.ticket_id, occurred_at=at)


async def _ask_for_time(
    tx: Transaction, escalation: Escalation, steps: Sequence[Step], step: Step, *, at: datetime
) -> None:
    timer_id = derived_id("timer", escalation.escalation_id, step.position)
    await escalations.arm_step(tx, escalation.escalation_id, step.position, timer_id=timer_id)
    tx.emit(
        TimerRequested(
            ticket_id=escalation.ticket_id,
            timer_id=timer_id,
            start=timer_start(steps, step, raised_at=escalation.raised_at),
            after=step.after,
            calendar=step.calendar,
            context={"escalation_id": str(escalation.escalation_id), "position": step.position},
        ),
        about=escalation.ticket_id,
        occurred_at=at,
    )


async def take_step(
    tx: Transaction,
    ticket: Ticket,
    policy: Policy,
    *,
    escalation: Escalation,
    step: Step,
    at: datetime,
    reason: str | None = None,
) -> Ticket:
    """Take a step at the instant `at`, contract time: move the ticket, tell whom it names. A second time is none."""
    if not await escalations.fire_step(
        tx, escalation.escalation_id, step.position, due_at=step.due_at or at, fired_at=at, reason=reason
    ):
        return ticket
    if escalation.trigger == UNACKNOWLEDGED and step.position == 1:
        _announce(tx, escalation, steps=await escalations.count_steps(tx.connection, escalation.escalation_id), at=at)
    ticket = await _move(tx, ticket, policy, escalation=escalation, step=step, at=at)
    occasion = Occasion(
        cause=f"{escalation.escalation_id}:{step.position}",
        event="escalation.step_fired",
        template_name=step.template or "step",
        template=policy.templates[step.template] if step.template else PLAIN_STEP,
        channel="email",
        clauses=escalation.clauses,
        escalation_id=escalation.escalation_id,
        position=step.position,
        at=at,
    )

    def values(language: Language) -> Mapping[str, str]:
        return _step_values(escalation, policy, reason=reason, language=language)

    notified = await tell(tx, ticket, policy, occasion=occasion, roles=step.notify, values=values)
    tx.emit(
        EscalationStepFired(
            ticket_id=ticket.ticket_id,
            escalation_id=escalation.escalation_id,
            step=step.position,
            turn=step.turn,
            to_level=step.to_level,
            to_team=step.to_team,
            to_role=step.to_role,
            notified=notified,
            fired_at=at,
            requires_assessment=step.requires_assessment,
            reason=reason,
            to_severity=step.to_severity,
            clauses=escalation.clauses,
        ),
        about=ticket.ticket_id,
        occurred_at=at,
    )
    return ticket


def _step_values(
    escalation: Escalation, policy: Policy, *, reason: str | None, language: Language
) -> Mapping[str, str]:
    kind = kind_words(escalation.kind, language=language) if escalation.kind else ""
    trigger = trigger_words(escalation.trigger, language=language)
    due = escalation.clock_due_at
    return {
        "kind": kind,
        "due_at": local_time(due, zone=policy.timezone) if due else "",
        "reason": reason or (f"{trigger} ({kind})" if kind else trigger),
    }


async def _move(
    tx: Transaction, ticket: Ticket, policy: Policy, *, escalation: Escalation, step: Step, at: datetime
) -> Ticket:
    """Raise the level, change the team, hand over to a role: whatever the step says. Never down a level."""
    level = max(ticket.level, step.to_level or ticket.level)
    team = step.to_team or (team_at_level(policy, level) if level > ticket.level else None) or ticket.team
    agent = await _holder_of(tx, ticket, step.to_role)
    if (team, level) == (ticket.team, ticket.level) and (agent is None or agent.agent_id == ticket.agent_id):
        return ticket
    return await assign(
        tx,
        ticket,
        policy,
        team=team,
        level=level,
        reason=escalation.trigger,
        clauses=escalation.clauses,
        escalation_id=escalation.escalation_id,
        agent=agent,
        at=at,
    )


async def _holder_of(tx: Transaction, ticket: Ticket, role: str | None) -> Agent | None:
    """Return who acts in a role: one of the ticket's team before another; None where whoever has it goes on."""
    if role is None or role in _HANDLER_ROLES:
        return None
    everybody = await agents.list_staff(tx.connection, at=tx.now)
    staff = [agent for agent in everybody if agent.is_available and role in agent.roles]
    return min(staff, key=lambda agent: (not agent.serves(ticket.policy, ticket.team), agent.agent_id), default=None)
