"""What a policy decides about a request: acceptance, severity, priority, coverage, admission."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from plazo.calendar import compile_calendar
from plazo.calendar.zone import load_zone
from plazo.kernel.errors import Fault
from plazo.policy.decide import calendar_of, first_match
from plazo.policy.document import Policy
from plazo.policy.facts import BUILT_IN
from plazo.policy.intake import Grade, GradeRule
from tickets.domain.ticket import Decision, Facts, FactValue

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


@dataclass(frozen=True, slots=True)
class Terms:
    """What the contract says that rules may ask about. Dates are local to the policy's zone, ends exclusive."""

    plan: str | None
    arrangement: str
    products: tuple[str, ...]
    valid_from: date
    valid_until: date | None
    warranty_until: date | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a request is not taken as a ticket."""

    outcome: Literal["refused", "quarantined"]
    reason: str
    note: dict[str, str]
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Opening:
    """All that was decided about a request."""

    facts: Facts
    refusal: Refusal | None
    covered: bool
    clocks: bool
    admission: Literal["not_required", "pending"]
    decisions: tuple[Decision, ...]


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


def decide(policy: Policy, *, given: Facts, terms: Terms | None, at: datetime, level: int = 1) -> Opening:
    """Decide everything about a request from its given facts and the contract's terms, as of instant `at`.

    Pure: the same document, facts, terms and instant give the same answer, so that a changed fact is decided again
    by the same way.
    """
    facts: Facts = {"language": policy.language, "level": level, "hours": _hours(policy, at)}
    facts |= given
    if terms is not None:
        facts |= _contract_facts(policy, terms, facts, at)
    else:
        facts["plan_in_force"] = False
    decisions: list[Decision] = []
    for about, rules, grades in (
        ("severity", policy.severity, policy.severities),
        ("priority", policy.priority, policy.priorities),
    ):
        decision = _grade(about, rules, grades, facts)
        if decision is not None:
            facts[about] = decision.value
            decisions.append(decision)
    refusal = _refusal(policy, facts)
    covered, clocks, coverage = _coverage(policy, facts)
    decisions.append(coverage)
    gated = bool(policy.billing.gates)
    return Opening(
        facts=facts,
        refusal=refusal,
        covered=covered,
        clocks=clocks,
        admission="pending" if gated else "not_required",
        decisions=tuple(decisions),
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
        "plan_in_force": terms.valid_from <= today and (terms.valid_until is None or today < terms.valid_until),
        "warranty": terms.warranty_until is not None and today < terms.warranty_until,
    }
    if terms.plan is not None:
        known["plan"] = terms.plan
    product = facts.get("product")
    if product is not None and terms.products:
        known["product_contracted"] = product in terms.products
    return known


def _grade(about: str, rules: Sequence[GradeRule], grades: Sequence[Grade], facts: Facts) -> Decision | None:
    match = first_match(rules, facts)
    if match is not None:
        return Decision(about=about, value=match.rule.value, rule=match.index, clauses=match.rule.clause)
    suggested = facts.get(f"suggested_{about}")
    if isinstance(suggested, str) and any(grade.name == suggested for grade in grades):
        return Decision(about=about, value=suggested, rule=None, clauses=())
    return None


def _refusal(policy: Policy, facts: Facts) -> Refusal | None:
    match = first_match(policy.intake.acceptance, facts)
    if match is None or match.rule.accept is True:
        return None
    rule = match.rule
    note: dict[str, Any] = rule.note.model_dump() if rule.note else {}
    return Refusal(
        outcome="refused" if rule.accept == "refuse" else "quarantined",
        reason=rule.reason or "not_accepted",
        note=note,
        clauses=rule.clause,
    )


def _coverage(policy: Policy, facts: Facts) -> tuple[bool, bool, Decision]:
    match = first_match(policy.coverage, facts)
    if match is None:
        return True, True, Decision(about="coverage", value="covered", rule=None, clauses=())
    rule = match.rule
    value = "covered" if rule.covered else "out_of_coverage"
    return rule.covered, rule.clocks, Decision(about="coverage", value=value, rule=match.index, clauses=rule.clause)
