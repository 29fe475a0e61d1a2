"""The escalation matrix: what a trigger sets off, frozen as it is set off."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Literal
from uuid import UUID

from escalation.domain.ticket import FactValue
from plazo.calendar import ELAPSED, Target, TargetKind, compile_calendar, parse_target
from plazo.kernel.errors import InvalidInput, Kind, PlazoError
from plazo.policy.decide import Place, calendar_of, first_match
from plazo.policy.document import Policy
from plazo.policy.handling import EscalationStep

TimedTrigger = Literal["breach", "warning"]
RequestedTrigger = Literal["customer_request", "agent_request", "playbook_exhausted"]
# What happened to a ticket, of itself.
EventTrigger = Literal["reopened", "severity_raised", "playbook_exhausted", "low_balance"]
# Watches an escalation from its start, and acts if nobody acknowledges it in time.
UNACKNOWLEDGED = "not_acknowledged"
REQUESTED: tuple[RequestedTrigger, ...] = ("customer_request", "agent_request", "playbook_exhausted")


# What a missed deadline sets off where the policy says nothing: it must not pass unseen. No clause orders it.
UNWRITTEN: Mapping[str, tuple[EscalationStep, ...]] = {"breach": (EscalationStep(notify=("assignee", "team_lead")),)}


class StepState(StrEnum):
    """`planned` waits for those before it, `armed` for its timer; `fired` and `skipped` are final."""

    PLANNED = "planned"
    ARMED = "armed"
    FIRED = "fired"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Step:
    """One firing of one step. `position` counts the firings of an escalation from 1, `turn` those of a repeated step.

    `after` counts from the trigger, or from the turn before, on `calendar` or in elapsed time. `due_at` is unknown
    for a step that is taken when somebody asks for it.
    """

    position: int
    step: int
    turn: int
    after: str
    calendar: str | None
    to_level: int | None
    to_team: str | None
    to_role: str | None
    notify: tuple[str, ...]
    template: str | None
    requires_assessment: bool
    requires_reason: bool
    due_at: datetime | None
    state: StepState = StepState.PLANNED
    timer_id: UUID | None = None
    fired_at: datetime | None = None
    to_severity: str | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a rule of the matrix ordered, as it stood when the trigger came; no rule for what is unwritten."""

    rule: int | None
    on_request: bool
    clauses: tuple[str, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Promise:
    """What was promised and not kept: a share of it may pass before a step comes."""

    target: str | None
    calendar: str | None
    started_at: datetime
    due_at: datetime


def plan_escalation(
    policy: Policy,
    facts: Mapping[str, FactValue],
    *,
    trigger: str,
    level: int,
    at: datetime,
    kind: str | None = None,
    place: Place | None = None,
    promise: Promise | None = None,
) -> Plan | None:
    """Find the first rule for a trigger and freeze its steps from the instant `at`; None where nothing follows.

    Where no rule speaks of a missed deadline, or none of its steps ever comes, assignee and team lead are told all the
    same.

    A rule that is `ordered` and set off by request takes one step for each request (PRO-18). Otherwise the steps
    come by time, never one before the one that stands ahead of it: they end where one is never due.
    """
    known = dict(facts) | {"trigger": trigger, "level": level} | ({"kind": kind} if kind else {})
    found = first_match(policy.escalation.matrix, known)
    on_request = found is not None and found.rule.ordered and trigger in REQUESTED
    freeze = partial(_freeze, policy, at=at, place=place, promise=promise, on_request=on_request)
    steps = freeze(found.rule.steps) if found else ()
    if not steps:
        found, steps = None, freeze(UNWRITTEN.get(trigger, ()))
    if not steps:
        return None
    return Plan(
        rule=found.index if found else None,
        on_request=on_request,
        clauses=found.rule.clause if found else (),
        steps=steps,
    )


def _freeze(
    policy: Policy,
    ordered: Sequence[EscalationStep],
    *,
    at: datetime,
    place: Place | None,
    promise: Promise | None,
    on_request: bool,
) -> tuple[Step, ...]:
    """Return every firing of the steps that are ordered, up to the first that is never due."""
    steps: list[Step] = []
    latest = at
    for number, step in enumerate(ordered, start=1):
        start, after, calendar = at, step.after, step.calendar
        if step.overrun_percent is not None and promise is not None:
            calendar = promise.calendar if promise.calendar in policy.calendars else None
            after = _share(policy, promise, step.overrun_percent, calendar=calendar, place=place)
        for turn in range(1, step.times + 1):
            due = None if on_request else _due(policy, start, after, calendar=calendar, place=place)
            if due is not None:
                latest = start = due = max(latest, due)
            elif not on_request:
                return tuple(steps)
            steps.append(
                Step(
                    position=len(steps) + 1,
                    step=number,
                    turn=turn,
                    after=after,
                    calendar=calendar,
                    to_level=step.to_level,
                    to_team=step.to_team,
                    to_role=step.to_role,
                    to_severity=step.to_severity,
                    notify=step.notify,
                    template=step.template,
                    requires_assessment=step.require_assessment,
                    requires_reason=step.require_reason,
                    due_at=due,
                )
            )
            after = step.repeat or after
    return tuple(steps)


def _share(policy: Policy, promise: Promise, percent: int, *, calendar: str | None, place: Place | None) -> str:
    """Return so many percent of what was promised, as a delay."""
    target = parse_target(promise.target) if promise.target else None
    if target is not None and target.kind is not TargetKind.BUSINESS_DAYS:
        length = target.length
    else:
        counted = ELAPSED if calendar is None else calendar_of(policy, calendar, customer=place)
        length = compile_calendar(counted).working_time(promise.started_at, promise.due_at)
    return str(Target(TargetKind.WORKING, length * percent // timedelta(seconds=100)))


def is_raised(policy: Policy, before: Mapping[str, FactValue], after: Mapping[str, FactValue]) -> bool:
    """Whether changed facts make a ticket more severe: by its severity, or by priority without severities."""
    name, grades = ("severity", policy.severities) if policy.severities else ("priority", policy.priorities)
    rank = {str(grade.name): place for place, grade in enumerate(grades)}
    was, now = rank.get(str(before.get(name))), rank.get(str(after.get(name)))
    return was is not None and now is not None and now < was


def warned_percent(threshold: str | None) -> int | None:
    """Return the share of a warning that is worded as one (`80%`)."""
    share = (threshold or "").removesuffix("%")
    return int(share) if threshold and threshold.endswith("%") and share.isdecimal() else None


def asks_for_notice(steps: Sequence[Step], *, trigger: str) -> bool:
    """Whether somebody is waited for: steps repeat until one acknowledges, or come because nobody did."""
    return trigger == UNACKNOWLEDGED or any(step.turn > 1 for step in steps)


def _due(policy: Policy, start: datetime, after: str, *, calendar: str | None, place: Place | None) -> datetime | None:
    """Return when so much time has passed; None if that is never."""
    working = compile_calendar(ELAPSED if calendar is None else calendar_of(policy, calendar, customer=place))
    try:
        return working.due(start, parse_target(after))
    except InvalidInput:  # beyond the calendar's end, or a share of a promise that is longer than any target
        return None


def next_step(steps: Sequence[Step]) -> Step | None:
    """Return the first step that has neither fired nor been skipped."""
    return next((step for step in steps if step.state in (StepState.PLANNED, StepState.ARMED)), None)


def timer_start(steps: Sequence[Step], step: Step, *, raised_at: datetime) -> datetime:
    """Return the instant from which `after` of a step counts."""
    if step.turn == 1:
        return raised_at
    before = steps[step.position - 2]
    assert before.due_at is not None
    return before.due_at


def stop_steps(steps: Sequence[Step], *, at: datetime | None) -> tuple[Step, ...]:
    """Return the steps that a stop at the instant `at` skips; without an instant, all that have not fired.

    A step that was due by then is not skipped: its timer is on the way, and it fires dated by its due instant.
    """
    return tuple(
        replace(step, state=StepState.SKIPPED)
        for step in steps
        if step.state in (StepState.PLANNED, StepState.ARMED)
        and (at is None or step.due_at is None or step.due_at > at)
    )


class StepSkipped(PlazoError):
    """The contract gives an order, and a step of it would be left out."""

    kind = Kind.CONFLICT
    code = "escalation-step-skipped"


class StepTaken(PlazoError):
    """The step that was asked for has been taken, and no other is left or was meant."""

    kind = Kind.CONFLICT
    code = "escalation-step-taken"


class StepUnknown(PlazoError):
    """The policy has no such step."""

    kind = Kind.INVALID
    code = "escalation-step-unknown"


def choose_requested_step(
    steps: Sequence[Step],
    *,
    clauses: Sequence[str],
    step: int | None = None,
    to_role: str | None = None,
    to_level: int | None = None,
) -> Step:
    """Return the step that a request is for: the next one, which it may name in any of three ways.

    :raises StepTaken: if the step has been taken, or there is none left
    :raises StepSkipped: if it comes after one that has not, with the clause that orders them (PRO-18)
    :raises StepUnknown: if the policy has no such step
    """
    clause = clauses[0] if clauses else None
    following = next_step(steps)
    wanted = [one for one in steps if _is_wanted(one, step=step, to_role=to_role, to_level=to_level)]
    if not wanted:
        if following is not None and to_level is not None and (following.to_level or 0) < to_level:
            raise StepSkipped(f"the next step leads to {_name(following)}; it cannot be left out", clause=clause)
        raise StepUnknown(f"there is no such step here; expected one of: {', '.join(map(_name, steps))}", clause=clause)
    if following is None:
        raise StepTaken(f"every step has been taken; the last was {_name(steps[-1])}", clause=clause)
    if following in wanted:
        return following
    if all(one.position < following.position for one in wanted):
        raise StepTaken(f"{_name(wanted[-1])} has been taken; the next is {_name(following)}", clause=clause)
    raise StepSkipped(f"{_name(following)} comes first; {_name(wanted[0])} can be asked for after that", clause=clause)


def _is_wanted(one: Step, *, step: int | None, to_role: str | None, to_level: int | None) -> bool:
    return (
        (step is None or one.step == step)
        and (to_role is None or one.to_role == to_role)
        and (to_level is None or one.to_level == to_level)
    )


def _name(step: Step) -> str:
    level, severity = step.to_level and f"level {step.to_level}", step.to_severity and f"severity {step.to_severity}"
    return f"step {step.step} ({step.to_role or step.to_team or level or severity or ', '.join(step.notify)})"
