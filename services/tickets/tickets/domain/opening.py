"""What a policy decides about a request: acceptance, severity, priority, coverage, admission."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from plazo.calendar import compile_calendar
from plazo.calendar.zone import load_zone
from plazo.kernel.errors import Fault
from plazo.policy.decide import calendar_of, first_match, matches
from plazo.policy.document import Policy
from plazo.policy.facts import BUILT_IN
from plazo.policy.intake import Grade, GradeRule
from tickets.domain.acceptance import Refusal, refusal
from tickets.domain.completeness import Completeness, completeness
from tickets.domain.terms import Terms
from tickets.domain.ticket import Answers, Coverage, Decision, Facts, FactValue

# The facts a caller may state; the others are decided by rules or known from the contract.
STATABLE = (
    "suggested_severity",
    "suggested_priority",
    "type",
    "category",
    "component",
    "product",
    "cause",
    "language",
    "location",
    "email_failure",
    "existing_ticket",
    "checklist",
    "purchase_order",
)

# What a customer does not state: it names an order or a ticket, and the desk sees what they are. PRO-05, PRO-11
UNPROVEN: Facts = {"existing_ticket": False, "purchase_order": False}


@dataclass(frozen=True, slots=True)
class Opening:
    """All that was decided about a request.

    `is_provisional` says that its severity has to be confirmed by another channel (IRE-14).
    """

    facts: Facts
    refusal: Refusal | None
    covered: bool
    clocks: bool
    admission: Literal["not_required", "pending"]
    decisions: tuple[Decision, ...]
    completeness: Completeness
    is_provisional: bool = False
    coverage: Coverage = field(default_factory=Coverage)


def stated_faults(policy: Policy, stated: Mapping[str, FactValue]) -> list[Fault]:
    """Return what is wrong with the facts a caller states: unknown names, values that cannot be."""
    faults = []
    for name, value in stated.items():
        pointer = f"/facts/{name}"
        if name in policy.facts:
            declared = policy.facts[name]
            expected, values = declared.type, tuple(declared.values)
        elif name in STATABLE:
            expected, values = BUILT_IN[name].type, _listed_values(policy, name) or BUILT_IN[name].values
        else:
            known = ", ".join(sorted({*STATABLE, *policy.facts}))
            faults.append(Fault(pointer=pointer, message=f"unknown fact; policy {policy.policy} knows {known}"))
            continue
        if message := _value_fault(expected, values, value):
            faults.append(Fault(pointer=pointer, message=message))
    return faults


def _listed_values(policy: Policy, name: str) -> tuple[str, ...]:
    grades = {"suggested_severity": policy.severities, "suggested_priority": policy.priorities}
    return tuple(grade.name for grade in grades.get(name, ()))


def _value_fault(expected: str, values: Sequence[str], value: FactValue) -> str | None:
    if expected == "boolean":
        return None if isinstance(value, bool) else "expected true or false"
    if expected == "integer":
        return None if isinstance(value, int) and not isinstance(value, bool) else "expected a whole number"
    if not isinstance(value, str):
        return "expected text"
    if values and value not in values:
        return f"expected one of {', '.join(values)}"
    return None


_NO_ANSWERS = Answers()


def decide(
    policy: Policy,
    *,
    given: Facts,
    terms: Terms | None,
    at: datetime,
    level: int = 1,
    answers: Answers = _NO_ANSWERS,
) -> Opening:
    """Decide everything about a request from its given facts and answers and the contract's terms, as of instant `at`.

    Pure: the same document, facts, answers, terms and instant give the same answer, so that a changed fact is decided
    again by the same way.
    """
    facts: Facts = {"language": policy.language, "level": level, "hours": _hours(policy, at)}
    facts |= given
    least_severity = facts.pop("severity", None)  # what an escalation asked for: no statement that rules may read
    if terms is not None:
        facts |= _contract_facts(policy, terms, facts, at)
    else:
        facts["plan_in_force"] = False
    complete = completeness(policy, answers=answers, facts=facts)
    if complete.checklist is not None:
        facts["checklist"] = complete.checklist
    decisions: list[Decision] = []
    for about, rules, grades in (
        ("severity", policy.severity, policy.severities),
        ("priority", policy.priority, policy.priorities),
    ):
        decision = _grade(about, rules, grades, facts)
        if about == "severity":
            decision = _at_least(decision, least_severity, grades)
        if decision is not None:
            facts[about] = decision.value
            decisions.append(decision)
    covered, clocks, decision, coverage = _coverage(policy, facts)
    decisions.append(decision)
    gated = bool(policy.billing.gates)
    confirmation = policy.intake.confirmation
    return Opening(
        facts=facts,
        refusal=refusal(policy, facts),
        covered=covered,
        clocks=clocks,
        admission="pending" if gated else "not_required",
        decisions=tuple(decisions),
        completeness=complete,
        is_provisional=confirmation is not None and matches(confirmation.when, facts),
        coverage=coverage,
    )


def _hours(policy: Policy, at: datetime) -> str:
    office = policy.intake.office_hours
    if office is None:
        return "in"
    return "in" if compile_calendar(calendar_of(policy, office.calendar)).is_open(at) else "out"


def _contract_facts(policy: Policy, terms: Terms, facts: Facts, at: datetime) -> Facts:
    today = at.astimezone(load_zone(policy.timezone)).date()
    known: Facts = {
        "arrangement": terms.arrangement,
        "plan_in_force": terms.is_in_force(today),
        "warranty": terms.warranty_until is not None and today < terms.warranty_until,
    }
    if terms.plan is not None:
        known["plan"] = terms.plan
    product = facts.get("product")
    if product is not None and terms.products:
        known["product_contracted"] = product in terms.products
    if isinstance(product, str):
        known["support_voided"] = terms.is_voided(product, today)
    return known


def _grade(about: str, rules: Sequence[GradeRule], grades: Sequence[Grade], facts: Facts) -> Decision | None:
    match = first_match(rules, facts)
    if match is not None:
        return Decision(about=about, value=match.rule.value, rule=match.index, clauses=match.rule.clause)
    suggested = facts.get(f"suggested_{about}")
    if isinstance(suggested, str) and any(grade.name == suggested for grade in grades):
        return Decision(about=about, value=suggested, rule=None, clauses=())
    return None


def _at_least(decision: Decision | None, least: FactValue | None, grades: Sequence[Grade]) -> Decision | None:
    """Return the decision, or the grade that an escalation asked for where that is the more severe one."""
    names = [grade.name for grade in grades]
    if least not in names:
        return decision
    if decision is not None and decision.value in names and names.index(decision.value) <= names.index(str(least)):
        return decision
    return Decision(about="severity", value=str(least), rule=None, clauses=())


def _coverage(policy: Policy, facts: Facts) -> tuple[bool, bool, Decision, Coverage]:
    match = first_match(policy.coverage, facts)
    if match is None:
        return True, True, Decision(about="coverage", value="covered", rule=None, clauses=()), Coverage()
    rule = match.rule
    value = "covered" if rule.covered else "out_of_coverage"
    decision = Decision(about="coverage", value=value, rule=match.index, clauses=rule.clause)
    note = rule.note.model_dump() if rule.note else {}
    return rule.covered, rule.clocks, decision, Coverage(note=note, clauses=rule.clause, route=rule.route)
