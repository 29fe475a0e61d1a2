"""Check a policy that loads: combinations no rule covers, rules never reached, clauses not honored, readings taken.

`now` is the present of whoever checks: the targets are tried from there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from plazo.kernel.kept import Kept
from plazo.policy.clauses import clauses_of
from plazo.policy.document import CUSTOMER, Policy
from plazo.policy.facts import Fact
from plazo.policy.horizon import never_due, uncountable
from plazo.policy.load import load_with_lines
from plazo.policy.promises import TARGET_KINDS, PauseRule, StopRule
from plazo.policy.read_yaml import Parsed
from plazo.policy.references import check_references, facts_of, used_names
from plazo.policy.rules import Rule
from plazo.policy.tables import Examination, describe, examine

FindingKind = Literal["reference", "gap", "unreached", "never_due", "uncountable", "unused", "uncited", "reading"]
_SHOWN_GAPS = 10


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing worth knowing about a policy; only an `error` stops its publication."""

    kind: FindingKind
    severity: Literal["error", "warning", "info"]
    pointer: str
    message: str
    line: int | None = None


def check_policy(policy: Policy, *, now: datetime, line_of: Callable[[str], int | None] | None = None) -> list[Finding]:
    """List what is wrong or noteworthy in a policy; `line_of` finds the line of a pointer where there is a file."""
    return [*_check_words(policy, line_of=line_of), *_check_horizon(policy, now=now, line_of=line_of)]


def _check_words(policy: Policy, *, line_of: Callable[[str], int | None] | None) -> list[Finding]:
    """List what a policy says by itself, whatever the time."""
    data = policy.model_dump(mode="json")
    findings = [
        *(Finding("reference", "error", fault.pointer, fault.message) for fault in check_references(data)),
        *(Finding("uncountable", "error", fault.pointer, fault.message) for fault in uncountable(policy)),
        *_check_tables(policy, facts_of(data)),
        *_find_unused(data),
        *_find_uncited(policy.clauses, data),
        *_list_readings(data, ""),
    ]
    if line_of is None:
        return findings
    return [Finding(one.kind, one.severity, one.pointer, one.message, line_of(one.pointer)) for one in findings]


def _check_horizon(policy: Policy, *, now: datetime, line_of: Callable[[str], int | None] | None) -> Iterator[Finding]:
    for fault in never_due(policy, now=now):
        line = line_of(fault.pointer) if line_of else None
        yield Finding("never_due", "error", fault.pointer, fault.message, line)


def check_text(text: str, *, now: datetime, source: str = "policy.yaml") -> list[Finding]:
    """Load a policy document and list what is wrong or noteworthy in it, with lines.

    :raises PolicyInvalid: if it does not load
    """
    policy, parsed = load_with_lines(text, source=source)
    return check_policy(policy, now=now, line_of=parsed.line_of)


def checked_policy(text: str, *, now: datetime) -> tuple[Policy, tuple[Finding, ...]]:
    """Return a policy document and what its check found; read texts are kept at hand.

    :raises PolicyInvalid: if it does not load
    """
    policy, found, targets = _read_policy(text)
    return policy, (*found, *_check_horizon(policy, now=now, line_of=targets.line_of))


def _load_and_check(text: str) -> tuple[Policy, list[Finding], Parsed]:
    """Return a policy document, what it says by itself, and the lines of its targets."""
    policy, parsed = load_with_lines(text)
    targets = {pointer: line for pointer, line in parsed.lines.items() if pointer.startswith("/targets")}
    return policy, _check_words(policy, line_of=parsed.line_of), Parsed(lines=targets)


_read_policy = Kept(_load_and_check, most=3_000_000)  # reading takes tenths of a second


def _check_tables(policy: Policy, facts: Mapping[str, Fact]) -> Iterator[Finding]:
    decided: list[tuple[str, Sequence[Rule]]] = [
        ("/severity", policy.severity),
        ("/priority", policy.priority),
        ("/intake/acceptance", policy.intake.acceptance),
        ("/routing/rules", policy.routing.rules),
        ("/billing/work", policy.billing.work),
    ]
    for pointer, rules in decided:
        if rules:
            found = examine([rule.when for rule in rules], facts)
            yield from _gaps(pointer, "no rule covers", found)
            yield from _unreached(pointer, found.unreached, len(rules))
    with_default: list[tuple[str, Sequence[Rule]]] = [
        ("/coverage", policy.coverage),
        ("/lifecycle/resolving", policy.lifecycle.resolving if policy.lifecycle else ()),
        ("/escalation/matrix", policy.escalation.matrix),
        ("/escalation/playbooks", policy.escalation.playbooks),
        ("/billing/allotments", policy.billing.allotments),
        ("/billing/overage", policy.billing.overage),
        ("/billing/gates", policy.billing.gates),
        ("/billing/service_credits", policy.billing.service_credits),
        ("/notifications", policy.notifications),
    ]
    for pointer, rules in with_default:
        yield from _unreached(pointer, examine([rule.when for rule in rules], facts).unreached, len(rules))
    yield from _check_targets(policy, facts)
    yield from _check_kinds("/stops", policy.stops, facts)
    yield from _check_kinds("/pauses", policy.pauses, facts)


def _check_targets(policy: Policy, facts: Mapping[str, Fact]) -> Iterator[Finding]:
    reached = set[int]()
    for kind in TARGET_KINDS:
        indices = [index for index, rule in enumerate(policy.targets) if rule.mentions(kind)]
        if not any(policy.targets[index].target(kind) for index in indices):
            reached |= {index for index in indices if not any(map(policy.targets[index].target, TARGET_KINDS))}
            continue
        found = examine([policy.targets[index].when for index in indices], facts)
        yield from _gaps("/targets", f"no rule gives {kind}, or none, for", found)
        reached |= {index for place, index in enumerate(indices) if place not in found.unreached}
    never = [index for index in range(len(policy.targets)) if index not in reached]
    yield from _unreached("/targets", never, len(policy.targets))


def _check_kinds(pointer: str, rules: Sequence[StopRule | PauseRule], facts: Mapping[str, Fact]) -> Iterator[Finding]:
    reached = set[int]()
    for kind in {kind for rule in rules for kind in rule.kinds}:
        indices = [index for index, rule in enumerate(rules) if kind in rule.kinds]
        found = examine([rules[index].when for index in indices], facts)
        reached |= {index for place, index in enumerate(indices) if place not in found.unreached}
    yield from _unreached(pointer, [index for index in range(len(rules)) if index not in reached], len(rules))


def _gaps(pointer: str, saying: str, found: Examination) -> Iterator[Finding]:
    if not found.is_complete:
        yield Finding("gap", "warning", pointer, "too many combinations of facts to look for gaps")
    for gap in found.gaps[:_SHOWN_GAPS]:
        yield Finding("gap", "error", pointer, f"{saying} {describe(gap)}")
    if (more := len(found.gaps) - _SHOWN_GAPS) > 0:
        yield Finding("gap", "error", pointer, f"{saying} {more} more combinations")


def _unreached(pointer: str, indices: Sequence[int], count: int) -> Iterator[Finding]:
    for index in indices:
        message = f"rule {index + 1} of {count} is never reached: the rules before it decide everything it covers"
        yield Finding("unreached", "error", f"{pointer}/{index}", message)


def _find_unused(data: Mapping[str, Any]) -> Iterator[Finding]:
    used = used_names(data)
    pointers = {"calendars": "/calendars", "holidays": "/holidays", "teams": "/routing/teams"}
    pointers |= {"templates": "/templates", "readings": "/readings"}
    for section, pointer in pointers.items():
        here: Any = data
        for part in pointer.split("/")[1:]:
            here = here[part]
        for name in here:
            # A layer may be that of some customer's region.
            is_regional = section == "holidays" and (section, CUSTOMER) in used
            if (section, name) not in used and not is_regional:
                yield Finding("unused", "warning", f"{pointer}/{name}", f"nothing refers to {name!r}")


def _find_uncited(prefix: str, data: Mapping[str, Any]) -> Iterator[Finding]:
    cited = set(_cited(data))
    for clause in clauses_of(prefix):
        if clause.matter == "document" and clause.id not in cited:
            yield Finding("uncited", "warning", "", f"{clause.id} is cited nowhere: {clause.text}")


def _cited(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "clause" and item:
                yield from item
            else:
                yield from _cited(item)
    elif isinstance(value, list):
        for item in value:
            yield from _cited(item)


def _list_readings(value: Any, pointer: str) -> Iterator[Finding]:
    if isinstance(value, dict):
        if "choice" in value and "alternatives" in value:
            said = f"{value['choice']} Because: {value['why']} Otherwise: {'; '.join(value['alternatives'])}"
            yield Finding("reading", "info", pointer, said)
        for key, item in value.items():
            yield from _list_readings(item, f"{pointer}/{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _list_readings(item, f"{pointer}/{index}")
