"""Escalations: raised by a promise in danger or by somebody's request, taken step by step, ended with their cause."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from escalation.domain.matrix import (
    Plan,
    Promise,
    RequestedTrigger,
    Step,
    StepState,
    TimedTrigger,
    choose_requested_step,
    plan_escalation,
    warned_percent,
)
from escalation.domain.ticket import Ticket
from escalation.repository import agents, escalations, tickets
from escalation.repository.escalations import Escalation
from escalation.schemas.escalations import EscalationRequest, EscalationView
from escalation.usecases.assigning import assign
from escalation.usecases.authorizing import require_authorized
from escalation.usecases.following import known_ticket
from escalation.usecases.reading import escalation_view, for_customer
from escalation.usecases.stepping import go_on, raise_escalation, take_step
from escalation.usecases.stopping import end_watch, skip_repetitions, stop_escalation
from plazo.events.sla_clock import ClockCopy
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import derived_id, new_id
from plazo.policy.document import Policy
from plazo.runtime.policies import known_policy
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


class TicketNotOpen(PlazoError):
    """The ticket is resolved or closed: nobody has to act on it."""

    kind = Kind.CONFLICT
    code = "ticket-not-open"


class EscalationNotForeseen(PlazoError):
    """The contract gives no escalation for what was asked."""

    kind = Kind.CONFLICT
    code = "escalation-not-foreseen"


async def escalate_clock(
    uow: UnitOfWork,
    *,
    ticket_id: UUID,
    clock: ClockCopy,
    trigger: TimedTrigger,
    threshold: str | None,
    at: datetime,
) -> None:
    """Do what the matrix orders for a promise that is in danger or was not kept at the instant `at`. EXP-17

    :raises NotYet: if the ticket or its policy has yet to come
    """
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        await keep_clock(tx, ticket_id, clock)
        percent = warned_percent(threshold)
        plan = plan_escalation(
            policy,
            ticket.facts if percent is None else {**ticket.facts, "warned_percent": percent},
            trigger=trigger,
            level=ticket.level,
            kind=clock.kind,
            at=at,
            place=ticket.place_under(policy),
            promise=Promise(clock.target, clock.calendar, clock.started_at, clock.due_at or at),
        )
        if plan is None:
            return
        escalation = Escalation(
            escalation_id=derived_id("escalation", clock.clock_id, trigger, threshold, at.isoformat()),
            ticket_id=ticket_id,
            trigger=trigger,
            kind=clock.kind,
            threshold=threshold,
            cause_id=clock.clock_id,
            clock_due_at=clock.due_at or clock.breached_at,
            rule=plan.rule,
            on_request=plan.on_request,
            clauses=plan.clauses,
            reason=None,
            requested_by=None,
            raised_at=at,
        )
        await raise_escalation(tx, ticket, policy, escalation=escalation, plan=plan)


async def keep_clock(tx: Transaction, ticket_id: UUID, clock: ClockCopy) -> None:
    """Keep how a promise stands, for the load of its team."""
    await tickets.put_clock(
        tx,
        clock_id=clock.clock_id,
        ticket_id=ticket_id,
        kind=clock.kind,
        state=clock.state,
        due_at=clock.due_at,
        breached_at=clock.breached_at,
    )


async def follow_clock(uow: UnitOfWork, *, ticket_id: UUID, clock: ClockCopy) -> None:
    """Note that a promise counts, or is due at another instant."""
    async with uow.begin() as tx:
        await keep_clock(tx, ticket_id, clock)


async def end_clock(uow: UnitOfWork, *, ticket_id: UUID, clock: ClockCopy, reason: str, at: datetime) -> None:
    """Stop what a clock set off: what was promised has happened, or is not promised any more."""
    async with uow.begin() as tx:
        await known_ticket(tx, ticket_id)
        await keep_clock(tx, ticket_id, clock)
        for escalation in await escalations.caused_by(tx.connection, clock.clock_id, ended_too=True):
            if escalation.state == "running":
                await stop_escalation(tx, escalation, at=at, reason=reason)
            await end_watch(tx, escalation, at=at, reason=reason)


async def retract_breach(
    uow: UnitOfWork, *, ticket_id: UUID, clock: ClockCopy, is_promise_changed: bool, at: datetime
) -> None:
    """Undo, by new entries, what a breach set off that turned out to be none: steps to come and level.

    The level stays where the promise itself has changed: that may well be because the ticket is at that level now,
    and to give it back would bring the old promise and its breach back too.
    """
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        await keep_clock(tx, ticket_id, clock)
        for escalation in await escalations.caused_by(tx.connection, clock.clock_id, ended_too=True):
            if escalation.trigger == "breach" and escalation.end_reason != "breach_retracted":
                await stop_escalation(tx, escalation, at=at, reason="breach_retracted", is_void=True)
                await end_watch(tx, escalation, at=at, reason="breach_retracted")
                if not is_promise_changed:
                    ticket = await _give_back(tx, ticket, policy, escalation=escalation, at=at)


async def _give_back(
    tx: Transaction, ticket: Ticket, policy: Policy, *, escalation: Escalation, at: datetime
) -> Ticket:
    """Return the ticket to where it was before an escalation, unless somebody else moved it since."""
    history = await tickets.list_assignments(tx.connection, ticket.ticket_id)
    before = [one for one in history if one.escalation_id != escalation.escalation_id]
    moved = history[len(before) :]
    if not moved or not ticket.is_work or history[: len(before)] != before or not before:
        return ticket
    last = before[-1]
    agent = await agents.find_agent(tx.connection, last.agent_id) if last.agent_id else None
    return await assign(
        tx,
        ticket,
        policy,
        team=last.team,
        level=last.level,
        reason="breach_retracted",
        clauses=last.clauses,
        agent=agent if agent and agent.is_available else None,
        at=at,
    )


async def take_timed_step(
    uow: UnitOfWork, *, ticket_id: UUID, escalation_id: UUID, position: int, timer_id: UUID, due_at: datetime
) -> None:
    """Take the step whose time has come, dated by its due instant, and see to the next."""
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        escalation = await escalations.find_escalation(tx.connection, escalation_id)
        steps = await escalations.steps_of(tx.connection, escalation_id)
        step = next((one for one in steps if one.position == position), None)
        if escalation is None or step is None or step.state is not StepState.ARMED or step.timer_id != timer_id:
            return
        at = max([due_at, *(one.fired_at for one in steps if one.fired_at is not None)])
        due = [replace(one, due_at=at) if one is step else one for one in steps]
        await go_on(tx, ticket, policy, escalation=escalation, steps=due, at=at)


async def request_escalation(
    uow: UnitOfWork,
    request: EscalationRequest,
    *,
    by: str,
    customer_id: UUID | None,
    contact_id: UUID | None,
) -> EscalationView:
    """Take the step that somebody asks for, in the order the contract gives. PRO-18, SKE-03

    A requester asks for its own customer's tickets only, `customer_id`, and is shown what a customer may see; its key
    may be that of a person of the customer, `contact_id`.

    :raises NotFound: if there is no such ticket for the caller
    :raises NotAuthorized: if the contact may not ask for its customer (EXP-01)
    :raises TicketNotOpen: if it is resolved or closed
    :raises EscalationNotForeseen: if the contract gives no escalation for the trigger
    :raises StepSkipped: or StepTaken, StepUnknown, naming the step that comes next
    :raises InvalidInput: if the step needs a reason and none was given
    """
    async with uow.begin() as tx:
        ticket = await tickets.find_ticket(tx.connection, request.ticket_id, lock=True)
        if ticket is None or (customer_id is not None and ticket.customer_id != customer_id):
            raise NotFound(f"there is no ticket {request.ticket_id}")
        policy = await known_policy(tx.connection, policy=ticket.policy, version=ticket.policy_version)
        await require_authorized(tx, contact_id, ticket, policy)
        if not ticket.is_work:
            raise TicketNotOpen(f"ticket {ticket.number} is {ticket.state}; reopen it before it is escalated")
        escalation = await _going_on_request(tx, ticket, request.trigger)
        if escalation is not None:
            steps = await escalations.steps_of(tx.connection, escalation.escalation_id)
            step = _wanted(request, steps, escalation.clauses)
            await take_step(tx, ticket, policy, escalation=escalation, step=step, at=tx.now, reason=request.reason)
        else:
            plan = _plan(tx, ticket, policy, request.trigger)
            _wanted(request, plan.steps, plan.clauses)
            escalation = _requested(tx, ticket, plan, request, by=by)
            await raise_escalation(tx, ticket, policy, escalation=escalation, plan=plan, reason=request.reason)
        view = await escalation_view(tx.connection, escalation.escalation_id)
        if customer_id is not None:
            view = for_customer(view)
        tx.answer = view.model_dump(mode="json")
        return view


async def _going_on_request(tx: Transaction, ticket: Ticket, trigger: RequestedTrigger) -> Escalation | None:
    running = await escalations.running_in(tx.connection, ticket.ticket_id)
    return next((one for one in running if one.on_request and one.trigger == trigger), None)


def _plan(tx: Transaction, ticket: Ticket, policy: Policy, trigger: RequestedTrigger) -> Plan:
    place = ticket.place_under(policy)
    plan = plan_escalation(policy, ticket.facts, trigger=trigger, level=ticket.level, at=tx.now, place=place)
    if plan is None:
        raise EscalationNotForeseen(
            f"policy {policy.policy} {policy.version} gives no escalation for {trigger} at level {ticket.level}"
        )
    return plan


def _wanted(request: EscalationRequest, steps: tuple[Step, ...], clauses: tuple[str, ...]) -> Step:
    step = choose_requested_step(
        steps, clauses=clauses, step=request.step, to_role=request.to_role, to_level=request.to_level
    )
    if step.requires_reason and request.reason is None:
        message = "expected the reason: the contract has this step record it"
        raise InvalidInput(message, faults=[Fault("/reason", message, clause=clauses[0])], clause=clauses[0])
    return step


def _requested(tx: Transaction, ticket: Ticket, plan: Plan, request: EscalationRequest, *, by: str) -> Escalation:
    return Escalation(
        escalation_id=new_id(),
        ticket_id=ticket.ticket_id,
        trigger=request.trigger,
        kind=None,
        threshold=None,
        cause_id=None,
        clock_due_at=None,
        rule=plan.rule,
        on_request=plan.on_request,
        clauses=plan.clauses,
        reason=request.reason,
        requested_by=by,
        raised_at=tx.now,
    )


async def acknowledge_escalation(uow: UnitOfWork, escalation_id: UUID, *, by: str) -> EscalationView:
    """Note who took notice of an escalation, the first time; its repetitions end, and the wait for somebody who does.

    :raises NotFound: if the desk has no such escalation
    """
    async with uow.begin() as tx:
        escalation = await escalations.find_escalation(tx.connection, escalation_id)
        if escalation is None:
            raise NotFound(f"there is no escalation {escalation_id}")
        await acknowledge(tx, escalation, by=by)
        view = await escalation_view(tx.connection, escalation_id)
        tx.answer = view.model_dump(mode="json")
        return view


async def acknowledge(tx: Transaction, escalation: Escalation, *, by: str) -> bool:
    """Note who took notice of an escalation; false if somebody did before."""
    ticket, policy = await known_ticket(tx, escalation.ticket_id)
    if not await escalations.acknowledge(tx, escalation.escalation_id, at=tx.now, by=by):
        return False
    escalation = replace(escalation, acknowledged_at=tx.now, acknowledged_by=by)
    await skip_repetitions(tx, ticket, policy, escalation=escalation, at=tx.now)
    await end_watch(tx, escalation, at=tx.now, reason="acknowledged")
    return True
