"""What would be promised, escalated and charged at least, for a ticket that does not exist."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from plazo.calendar import NeverDue, parse_target
from plazo.kernel.errors import Fault
from plazo.kernel.time import LAST_YEAR
from plazo.policy import first_match
from plazo.policy.charging import WorkRule
from plazo.policy.handling import EscalationRule, EscalationStep
from plazo.policy.promises import CoverageRule
from sla_clock.domain.clock import Clock
from sla_clock.domain.facts import Fact, FactValue, Opened
from sla_clock.domain.fold import fold
from sla_clock.domain.terms import Terms


@dataclass(frozen=True, slots=True)
class Step:
    """A step of an escalation and its instant, if nobody did anything until then."""

    trigger: str
    clock: Clock
    number: int
    at: datetime
    step: EscalationStep
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a policy says about facts; `work` is the rule that charges, None where nothing is."""

    coverage: CoverageRule | None
    clocks: tuple[Clock, ...]
    steps: tuple[Step, ...]
    work: WorkRule | None


def forecast(terms: Terms, facts: Mapping[str, FactValue], *, opened_at: datetime) -> Forecast:
    """Decide for facts what the policy would; severity and priority are decided too, where they are not given.

    :raises NeverDue: if the calendar of a promise does not hold that much time
    """
    known = dict(facts)
    for name, rules in (("severity", terms.policy.severity), ("priority", terms.policy.priority)):
        if name not in known and (grade := first_match(rules, known)):
            known[name] = grade.rule.value
    coverage = first_match(terms.policy.coverage, known)
    work = first_match(terms.policy.billing.work, known)
    opening = Fact(opened_at, 1, Opened(known, clocks=terms.has_clocks(known), pending=False))
    clocks = fold(UUID(int=0), [opening], terms, at=opened_at)
    if never := [clock for clock in clocks if clock.due_at is None]:
        faults = [
            Fault("", f"{one.kind}: {one.promise.calendar} has less than {one.promise.target} before {LAST_YEAR + 1}")
            for one in never
        ]
        raise NeverDue(faults[0].message, faults=faults)
    steps = [step for clock in clocks for step in _steps(terms, clock, known)]
    return Forecast(
        coverage=coverage.rule if coverage else None,
        clocks=clocks,
        steps=tuple(sorted(steps, key=lambda step: (step.at, step.clock.kind, step.trigger, step.number))),
        work=work.rule if work else None,
    )


def _steps(terms: Terms, clock: Clock, facts: Mapping[str, FactValue]) -> list[Step]:
    triggers = [("warning", warned.at) for warned in clock.warnings]
    triggers += [("breach", clock.due_at)] if clock.due_at else []
    steps: list[Step] = []
    for trigger, at in triggers:
        named = {**facts, "trigger": trigger, "kind": clock.kind, "commitment": clock.promise.commitment}
        found = first_match(terms.policy.escalation.matrix, named)
        if found is not None:
            steps += _steps_of(terms, clock, found.rule, trigger=trigger, at=at)
    return steps


def _steps_of(terms: Terms, clock: Clock, rule: EscalationRule, *, trigger: str, at: datetime) -> list[Step]:
    """Return the steps of a rule up to the first that is never due: those behind it come after it."""
    steps: list[Step] = []
    for number, step in enumerate(rule.steps, 1):
        try:
            due_at = terms.working_time(step.calendar).due(at, parse_target(step.after))
        except NeverDue:
            break
        steps.append(Step(trigger=trigger, clock=clock, number=number, at=due_at, step=step, clauses=rule.clause))
    return steps
