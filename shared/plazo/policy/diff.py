"""Compare two policies in the words of the contract: "P1 first_response 4h → 2h (SMA-10)"."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Any, Literal

from plazo.policy.decide import holds
from plazo.policy.document import Policy
from plazo.policy.rules import parse_bound, text_of

#: Where the lists of rules are; every other list is compared by name or by place.
_TABLES = {
    "severity",
    "priority",
    "intake acceptance",
    "coverage",
    "targets",
    "stops",
    "pauses",
    "lifecycle resolving",
    "routing rules",
    "escalation matrix",
    "escalation playbooks",
    "billing allotments",
    "billing work",
    "billing overage",
    "billing gates",
    "billing service_credits",
    "notifications",
}
_BARE = {"plan", "severity", "priority", "event", "trigger"}
_MOST_ATOMS = 512


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: what it is about, what it was, what it becomes, and the clauses that order it.

    `kind` is `reordered` where two rules that can both match have changed places: `before` is the case now decided
    first, `after` the one now decided after it.
    """

    kind: Literal["added", "removed", "changed", "reordered"]
    section: str
    subject: str
    before: str | None
    after: str | None
    clause: tuple[str, ...] = ()

    def __str__(self) -> str:
        clauses = f" ({', '.join(self.clause)})" if self.clause else ""
        match self.kind:
            case "changed":
                said = f"{self.subject} {self.before} → {self.after}"
            case "added":
                said = f"{self.subject} added: {self.after}"
            case "removed":
                said = f"{self.subject} removed: {self.before}"
            case _:
                said = f"{self.section}: {self.before} is now decided before {self.after}"
        return said + clauses


@dataclass(frozen=True, slots=True)
class _Decision:
    """What a table says for one case: a case is one value for each fact of a rule's condition."""

    case: tuple[tuple[str, Any], ...]
    fields: dict[str, Any]
    clause: tuple[str, ...]


def diff_policies(old: Policy, new: Policy) -> list[Change]:
    """List the differences from `old` to `new`. Rules are matched by the cases they decide, not by their place."""
    return list(_compare(_plain(old), _plain(new), "", ()))


def _plain(policy: Policy) -> dict[str, Any]:
    return policy.model_dump(mode="json", exclude_defaults=True)


def _compare(old: Any, new: Any, label: str, clause: tuple[str, ...]) -> Iterator[Change]:
    if old == new:
        return
    if label in _TABLES:
        yield from _compare_tables(old or [], new or [], label)
    elif isinstance(old, dict) and isinstance(new, dict):
        clause = tuple(new.get("clause") or old.get("clause") or clause)
        for key in dict.fromkeys([*old, *new]):
            yield from _compare(old.get(key), new.get(key), f"{label} {key}".strip(), clause)
    elif isinstance(old, list) and isinstance(new, list) and (names := _by_name(old)) and (others := _by_name(new)):
        yield from _compare(names, others, label, clause)
    elif old is None or new is None or isinstance(old, dict | list):
        yield from _compare_whole(old, new, label, clause)
    else:
        yield Change("changed", label.split(" ", maxsplit=1)[0], label, _words(old), _words(new), clause)


def _compare_whole(old: Any, new: Any, label: str, clause: tuple[str, ...]) -> Iterator[Change]:
    """Compare where one side is missing: a section with parts is told part by part, down to the tables."""
    section = label.split(" ", maxsplit=1)[0]
    present = new if old is None else old
    if old is not None and new is not None:
        yield Change("changed", section, label, _words(old), _words(new), clause)
    elif isinstance(present, dict) and _holds_table(label):
        yield from _compare(old or {}, new or {}, label, clause)
    else:
        kind: Literal["added", "removed"] = "added" if old is None else "removed"
        cited = tuple(present.get("clause", ())) if isinstance(present, dict) else ()
        before, after = (None, _words(new)) if old is None else (_words(old), None)
        yield Change(kind, section, label, before, after, cited or clause)


def _holds_table(label: str) -> bool:
    return any(table.startswith(f"{label} ") for table in _TABLES)


def _by_name(items: Sequence[Any]) -> dict[str, Any]:
    """Index a list of named parts, or nothing if it is not one."""
    named = {text_of(one["name"]): one for one in items if isinstance(one, dict) and "name" in one}
    return named if len(named) == len(items) else {}


def _compare_tables(old: Sequence[Any], new: Sequence[Any], section: str) -> Iterator[Change]:
    before, after = _decisions(old), _decisions(new)
    for case in dict.fromkeys([*before, *after]):
        was, now = before.get(case), after.get(case)
        subject = _subject(section, case)
        if was is None and now is not None:
            yield Change("added", section, subject, None, _words(now.fields), now.clause)
        elif now is None and was is not None:
            yield Change("removed", section, subject, _words(was.fields), None, was.clause)
        elif was is not None and now is not None:
            yield from _compare_decisions(was, now, section, subject)
    yield from _reordered(before, after, section)


def _compare_decisions(was: _Decision, now: _Decision, section: str, subject: str) -> Iterator[Change]:
    old, new = was.fields | {"clause": was.clause}, now.fields | {"clause": now.clause}
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield Change(
                "changed", section, f"{subject} {name}", _words(old.get(name)), _words(new.get(name)), now.clause
            )


def _decisions(rules: Sequence[dict[str, Any]]) -> dict[tuple[tuple[str, Any], ...], _Decision]:
    """Split rules into the single cases they decide; what an earlier rule says of a case stands."""
    decisions: dict[tuple[tuple[str, Any], ...], _Decision] = {}
    for rule in rules:
        fields = {key: value for key, value in rule.items() if key not in {"when", "clause", "kinds"}}
        for case in _cases(rule):
            first = decisions.get(case)
            merged = fields | first.fields if first else fields
            decisions[case] = _Decision(case, merged, first.clause if first else tuple(rule["clause"]))
    return decisions


def _cases(rule: Mapping[str, Any]) -> Iterator[tuple[tuple[str, Any], ...]]:
    conditions = dict(rule.get("when", {}))
    if "kinds" in rule:
        conditions["kind"] = rule["kinds"]
    names = sorted(conditions)
    values = [one if isinstance(one := conditions[name], list) else [one] for name in names]
    count = 1
    for alternatives in values:
        count *= len(alternatives)
    if count > _MOST_ATOMS:
        values = [[tuple(alternatives)] for alternatives in values]
    for case in product(*values):
        yield tuple(zip(names, case, strict=True))


def _reordered(before: Mapping[Any, _Decision], after: Mapping[Any, _Decision], section: str) -> Iterator[Change]:
    """Find pairs that can match the same facts, say different things, and have changed places."""
    places = {case: place for place, case in enumerate(after)}
    kept = [case for case in before if case in places]
    for first, second in combinations(kept, 2):
        if (
            places[first] > places[second]
            and before[first].fields != before[second].fields
            and _can_meet(dict(first), dict(second))
        ):
            earlier, later = _case_words(second), _case_words(first)
            yield Change("reordered", section, earlier, earlier, later, after[second].clause)


def _can_meet(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    return all(_can_both_hold(one[name], other[name]) for name in one.keys() & other.keys())


def _can_both_hold(one: Any, other: Any) -> bool:
    limits = [bound.limit for each in (one, other) if isinstance(each, str) and (bound := parse_bound(each))]
    witnesses = [one, other, *(limit + step for limit in limits for step in (-1, 0, 1))]
    return any(holds(one, value) and holds(other, value) for value in witnesses if not isinstance(value, tuple))


def _subject(section: str, case: Sequence[tuple[str, Any]]) -> str:
    said = _case_words(case)
    return said if section == "targets" else f"{section} {said}"


def _case_words(case: Sequence[tuple[str, Any]]) -> str:
    return " ".join(_condition(name, value) for name, value in case) or "any ticket"


def _condition(name: str, value: Any) -> str:
    words = _words(list(value) if isinstance(value, tuple) else value)
    return words if name in _BARE and not words.isdecimal() else f"{name} {words}"


def _words(value: Any) -> str:
    match value:
        case None:
            words = "nothing"
        case bool():
            words = "yes" if value else "no"
        case list() | tuple():
            words = ", ".join(_words(one) for one in value)
        case {"en": str(text)}:
            words = text
        case dict():
            words = ", ".join(f"{key} {_words(one)}" for key, one in value.items() if key != "clause")
        case _:
            words = str(value)
    return words
