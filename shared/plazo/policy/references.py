"""Check what the names in a policy document refer to, over plain data, so that a fault elsewhere hides nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from plazo.calendar import HolidayLayer, parse_calendar
from plazo.calendar.zone import load_zone
from plazo.kernel.errors import Fault, InvalidInput
from plazo.policy.clauses import CLAUSES
from plazo.policy.decide import calendar_form
from plazo.policy.facts import BUILT_IN, Fact, known_facts
from plazo.policy.read_yaml import pointer_to
from plazo.policy.rules import parse_bound, text_of

#: Fields that hold a name, and the section where that name must be.
_NAMES = {
    "calendar": "calendars",
    "use": "calendars",
    "layer": "holidays",
    "team": "teams",
    "route": "teams",
    "to_team": "teams",
    "to_severity": "severities",
    "template": "templates",
    "account": "bags",
    "reading": "readings",
}


def check_references(data: Mapping[str, Any]) -> list[Fault]:
    """List every name in a policy document (plain JSON data) that refers to nothing, and every unsound calendar."""
    return [*_Checker(data).faults(), *check_calendars(data)]


class _Checker:
    def __init__(self, data: Mapping[str, Any]) -> None:
        self.data = data
        self.known = {
            "calendars": _keys(data.get("calendars")),
            "teams": _keys(_part(data, "routing").get("teams")),
            "templates": _keys(data.get("templates")),
            "severities": _names(data.get("severities")),
            "bags": _names(_part(data, "billing").get("bags")),
            "readings": _keys(data.get("readings")),
        }
        # The calendars' own reading looks up the layers.
        self.resolved = _NAMES.keys() - {"layer"}
        self.facts = facts_of(data)
        prefix = data.get("clauses")
        self.prefix = prefix if isinstance(prefix, str) else None
        self.clauses = {clause for clause in CLAUSES if clause.startswith(f"{prefix}-")}

    def faults(self) -> Iterator[Fault]:
        for key, value in self.data.items():
            if key not in {"clauses", "facts", "holidays", "readings", "plans"}:
                yield from self._walk(value, key, pointer_to("", key))
        for section in ("facts", "plans"):
            for name, entry in _part(self.data, section).items():
                if isinstance(entry, dict) and "clause" in entry:
                    yield from self._check_clauses(entry["clause"], f"{pointer_to(f'/{section}', name)}/clause")

    def _walk(self, value: Any, key: str, pointer: str) -> Iterator[Fault]:
        if key == "clause":
            yield from self._check_clauses(value, pointer)
        elif key in ("when", "unless") and isinstance(value, dict):
            for name, condition in value.items():
                yield from self._check_condition(name, condition, pointer_to(pointer, name))
        elif key == "sets" and isinstance(value, dict):
            for name, stated in value.items():
                yield from self._check_condition(name, stated, pointer_to(pointer, name))
        elif isinstance(value, dict):
            for inner, item in value.items():
                yield from self._walk(item, inner, pointer_to(pointer, inner))
        elif isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._walk(item, "", pointer_to(pointer, index))
        elif key == "value" and pointer.startswith(("/severity/", "/priority/")):
            yield from self._check_grade(value, pointer)
        elif key in self.resolved and isinstance(value, str) and value not in self.known[_NAMES[key]]:
            yield Fault(pointer, f"unknown {key} {value!r}; expected {_one_of(self.known[_NAMES[key]], _NAMES[key])}")

    def _check_clauses(self, value: Any, pointer: str) -> Iterator[Fault]:
        for index, clause in enumerate(value if isinstance(value, list) else [value]):
            at = pointer_to(pointer, index) if isinstance(value, list) else pointer
            if not isinstance(clause, str) or self.prefix is None:
                continue
            if not clause.startswith(f"{self.prefix}-"):
                yield Fault(at, f"clause {clause!r} is not of this contract; expected one that begins {self.prefix}-")
            elif self.clauses and clause not in self.clauses:
                first, last = min(self.clauses), max(self.clauses)
                yield Fault(at, f"unknown clause {clause!r}; expected one from {first} to {last}", clause=clause)

    def _check_grade(self, value: Any, pointer: str) -> Iterator[Fault]:
        section = "severities" if pointer.startswith("/severity/") else "priorities"
        known = _names(self.data.get(section))
        if isinstance(value, str | int) and text_of(value) not in known:
            yield Fault(pointer, f"unknown value {text_of(value)!r}; expected {_one_of(known, section)}")

    def _check_condition(self, name: str, condition: Any, pointer: str) -> Iterator[Fault]:
        fact = self.facts.get(name)
        if fact is None:
            yield Fault(
                pointer,
                f"unknown fact {name!r}; expected one declared under `facts` or one of {', '.join(sorted(BUILT_IN))}",
            )
            return
        for one in condition if isinstance(condition, list) else [condition]:
            if complaint := _complaint(name, fact, one):
                yield Fault(pointer, complaint)


def _complaint(name: str, fact: Fact, value: Any) -> str | None:
    if not isinstance(value, str | int):
        return None
    if isinstance(value, str) and parse_bound(value):
        return None if fact.type in {"integer", "text"} else f"{name} is not a number; expected {_one_of(fact.values)}"
    if fact.values and text_of(value) not in fact.values:
        return f"unknown {name} {text_of(value)!r}; expected {_one_of(fact.values)}"
    if fact.type == "integer" and (isinstance(value, bool) or not text_of(value).removeprefix("-").isdecimal()):
        return f"{name} is a whole number, not {value!r}; expected one, or a bound such as '> 45'"
    return None


def complaint_of(name: str, fact: Fact, value: object) -> str | None:
    """Say why a fact cannot have a value, or None if it can."""
    if fact.type == "boolean" and not isinstance(value, bool):
        return f"{name} is true or false, not {value!r}"
    if fact.type in {"choice", "text"} and not isinstance(value, str):
        return f"{name} is a text, not {value!r}; expected {_one_of(fact.values) if fact.values else 'one'}"
    if isinstance(value, str) and parse_bound(value) and fact.type == "integer":
        return f"{name} is a whole number, not {value!r}"
    return _complaint(name, fact, value)


def facts_of(data: Mapping[str, Any]) -> dict[str, Fact]:
    """List the facts that rules of this document (plain JSON data) may compare."""
    declared = {
        name: (fact["type"], [text_of(one) for one in values])
        for name, fact in _part(data, "facts").items()
        if isinstance(fact, dict)
        and fact.get("type") in ("boolean", "integer", "choice", "text")
        and isinstance(values := fact.get("values") or [], list)
    }
    return known_facts(
        sections={
            "plans": sorted(_keys(data.get("plans"))),
            "severities": _names(data.get("severities")),
            "priorities": _names(data.get("priorities")),
        },
        declared=declared,
    )


def check_calendars(data: Mapping[str, Any]) -> list[Fault]:
    """List what is wrong with the calendars of a policy document (plain JSON data), also that they never open."""
    faults: list[Fault] = []
    timezone = _sound_zone(data.get("timezone"))
    calendars = _part(data, "calendars")
    layers = {
        name: HolidayLayer(name=name, source=str(layer.get("source")), dates={})
        for name, layer in _part(data, "holidays").items()
        if isinstance(layer, dict)
    }
    for name, entry in calendars.items():
        pointer = pointer_to("/calendars", name)
        if not isinstance(entry, dict):
            continue
        if entry.get("use") is not None:
            if _is_circular(name, calendars):
                faults.append(
                    Fault(f"{pointer}/use", f"calendar {name!r} leads back to itself; expected one with hours")
                )
            continue
        given = {key: value for key, value in entry.items() if value not in (None, [], {}) or key == "hours"}
        if "versions" in given:
            given = {key: value for key, value in given.items() if key != "hours"}
        try:
            parse_calendar(calendar_form(given, timezone=timezone), layers=layers)
        except InvalidInput as invalid:
            faults += [Fault(pointer + fault.pointer, fault.message) for fault in invalid.faults]
    return faults


def _is_circular(name: str, calendars: Mapping[str, Any]) -> bool:
    seen = set[str]()
    while name not in seen:
        seen.add(name)
        entry = calendars.get(name)
        if not isinstance(entry, dict) or not isinstance(entry.get("use"), str):
            return False
        name = entry["use"]
    return True


def _sound_zone(name: Any) -> str:
    """Give the document's zone, or UTC where it has none that is sound: that fault is reported once, elsewhere."""
    try:
        load_zone(name)
    except (ValueError, TypeError):
        return "UTC"
    return str(name)


def _part(data: Mapping[str, Any], section: str) -> Mapping[str, Any]:
    part = data.get(section)
    return part if isinstance(part, dict) else {}


def _keys(value: Any) -> set[str]:
    return set(value) if isinstance(value, dict) else set()


def _names(value: Any) -> list[str]:
    if not isinstance(value, list):
        return []
    return [text_of(one["name"]) for one in value if isinstance(one, dict) and isinstance(one.get("name"), str | int)]


def _one_of(known: Any, section: str | None = None) -> str:
    if not known:
        return f"one listed under `{section}`, which is empty" if section else "one that is listed"
    return f"one of {', '.join(sorted(known))}"


def used_names(data: Any) -> set[tuple[str, str]]:
    """List the names a policy document (plain JSON data) refers to, each with its section."""
    used = set[tuple[str, str]]()
    items = data.items() if isinstance(data, dict) else enumerate(data) if isinstance(data, list) else ()
    for key, value in items:
        if isinstance(value, str) and key in _NAMES:
            used.add((_NAMES[key], value))
        else:
            used |= used_names(value)
    return used
