"""From another system's JSON to requests and what happened to them: a mapping, written as configuration.

A template is text with `{path}` in it. A path names keys by dots, list places by number; `$.` begins at the whole
payload, else it begins at the item. `{a|b|'text'}` takes the first that is there, `{a?}` may be absent, `{a:plain}` is
the text of HTML. What is absent and was not said to be optional is a fault that names the path.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import unescape
from typing import Any, Literal, get_args

from plazo.kernel.errors import Fault, PlazoError
from plazo.kernel.foreign_json import DEEPEST
from plazo.kernel.time import parse_instant
from tickets.domain.email import clean_text, display_subject
from tickets.domain.quoting import text_of_html
from tickets.domain.ticket import Facts, FactValue

Action = Literal["open", "reply", "answer", "note", "resolve", "ignore"]
ACTIONS: frozenset[str] = frozenset(get_args(Action))
CHANNELS = ("email", "portal", "phone", "chat", "video", "help_center", "adviser", "webhook", "api")

MOST_ITEMS = 200
_LONGEST = 90_000
_HOLE = re.compile(r"\{([^{}]{1,300})\}")
_ADDRESS = re.compile(r"""[^@\s<>()",;:\\]+@[^@\s<>()",;:\\]+""")
_LITERAL = re.compile(r"'([^']*)'")


@dataclass(frozen=True, slots=True)
class Choice:
    """A value looked up by what a template gives; `otherwise` for what is not listed; without `values`, as it is."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict)
    otherwise: Any = None


@dataclass(frozen=True, slots=True)
class PostMapping:
    """How one system's posts are read.

    `items` is the path of a list of which each item is one matter; without it the payload is. Items that do not fit
    `match` are none of ours. `thread` is what the other system calls the matter: a second post about it is no second
    ticket. The first of `action` that gives one decides: a ticket is opened, the customer replied, the desk answered,
    something is noted, it was resolved.
    """

    thread: str
    subject: str
    description: str
    action: Sequence[Choice]
    items: str | None = None
    match: Mapping[str, Sequence[str]] = field(default_factory=dict)
    text: str | None = None
    contact_email: str | None = None
    contact_name: str | None = None
    occurred_at: str | None = None
    contract: Choice | None = None
    channel: Choice | None = None
    facts: Mapping[str, Choice] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Item:
    """One matter of a post. `said` is what this post adds to it."""

    thread: str
    action: Action
    subject: str
    description: str
    said: str
    contact_email: str | None
    contact_name: str | None
    occurred_at: datetime | None
    contract: str | None
    channel: str
    facts: Facts


@dataclass(frozen=True, slots=True)
class Unmapped:
    """A matter that the mapping can not read, and why."""

    faults: tuple[Fault, ...]
    raw: Any


class _Absent(Exception):
    """Nothing stands at any of the paths."""


def read_post(mapping: PostMapping, payload: Any) -> list[Item | Unmapped]:
    """Return the matters in a post, in its order; items that do not match are left out. Never raises."""
    items = [payload]
    if mapping.items is not None:
        try:
            found = _at(mapping.items, payload, payload)
        except _Absent:
            found = None
        if not isinstance(found, list):
            return [Unmapped((Fault(_pointer(mapping.items), f"expected a list at {mapping.items}"),), payload)]
        items = found
    if len(items) > MOST_ITEMS:
        return [Unmapped((Fault("", f"expected at most {MOST_ITEMS} items, got {len(items)}"),), None)]
    return [read for item in items if (read := _read_item(mapping, item, payload)) is not None]


def _read_item(mapping: PostMapping, item: Any, payload: Any) -> Item | Unmapped | None:
    faults: list[Fault] = []

    def fill(name: str, template: str | None) -> str:
        if template is None:
            return ""
        try:
            return _filled(template, item, payload)
        except _Absent as absent:
            path = str(absent)
            faults.append(Fault(_pointer(path), f"{name}: the payload has nothing at {path}"))
            return ""

    def choose(name: str, choice: Choice) -> Any:
        value = fill(name, choice.template)
        return choice.values.get(value, choice.otherwise) if choice.values else value or choice.otherwise

    for path, wanted in mapping.match.items():
        try:
            value = _shown(_at(path, item, payload))
        except _Absent:
            return None
        if value not in wanted:
            return None
    chosen = (choose("action", choice) for choice in mapping.action)
    action: Action = next((one for one in chosen if one in ACTIONS), "ignore")
    if action == "ignore" and not faults:
        return None
    channel = choose("channel", mapping.channel) if mapping.channel else None
    thread, subject = fill("thread", mapping.thread)[:400], display_subject(fill("subject", mapping.subject))
    description = fill("description", mapping.description)
    facts = {name: value for name, choice in mapping.facts.items() if (value := choose(name, choice)) not in (None, "")}
    read = Item(
        thread=thread,
        action=action,
        subject=subject,
        description=description or "—",
        said=(fill("text", mapping.text) if mapping.text else "") or description,
        contact_email=_address(fill("contact_email", mapping.contact_email)),
        contact_name=fill("contact_name", mapping.contact_name)[:200] or None,
        occurred_at=_instant(fill("occurred_at", mapping.occurred_at)),
        contract=str(choose("contract", mapping.contract) or "") or None if mapping.contract else None,
        channel=channel if channel in CHANNELS else "webhook",
        facts={name: _fact(value) for name, value in facts.items()},
    )
    if not read.thread and not faults:
        faults.append(Fault("", "thread: expected what the other system calls the matter, got nothing"))
    return Unmapped(tuple(faults), item) if faults else read


def _filled(template: str, item: Any, payload: Any) -> str:
    """Fill a template in, as far as anybody reads; what stands in it twice is looked up once."""
    parts: list[str] = []
    known: dict[str, str] = {}
    length = place = 0
    for hole in _HOLE.finditer(template):
        if hole[1] not in known:
            known[hole[1]] = _hole(hole[1], item, payload)
        parts += template[place : hole.start()], known[hole[1]]
        length += len(parts[-2]) + len(parts[-1])
        place = hole.end()
        if length > _LONGEST:
            break
    return clean_text("".join([*parts, template[place:]]))[:_LONGEST].strip()


def _hole(expression: str, item: Any, payload: Any) -> str:
    for alternative in expression.split("|"):
        path = alternative.strip()
        if literal := _LITERAL.fullmatch(path):
            return literal[1]
        path, _, wanted = path.partition(":")
        is_optional = path.endswith("?")
        try:
            value = _shown(_at(path.rstrip("?"), item, payload))
        except _Absent:
            if is_optional:
                return ""
            continue
        return text_of_html(_unescaped(value)) if wanted == "plain" else value
    raise _Absent(expression.split("|", maxsplit=1)[0].strip().partition(":")[0])


def _at(path: str, item: Any, payload: Any) -> Any:
    found = payload if path.startswith("$.") else item
    for key in path.removeprefix("$.").split("."):
        if isinstance(found, dict) and key in found:
            found = found[key]
        elif isinstance(found, list) and key.isdecimal() and int(key[:6]) < len(found):
            found = found[int(key[:6])]
        else:
            raise _Absent(path)
    if found is None:
        raise _Absent(path)
    return found


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError:  # a character's number of thousands of digits
        return text


def _shown(value: Any, levels: int = DEEPEST) -> str:
    """Return a value as text, as far as anybody reads it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | int | float):
        return str(value)[:_LONGEST]
    if levels == 0:
        return "…"
    if isinstance(value, list):
        return ", ".join(_shown(one, levels - 1) for one in value)[:_LONGEST]
    if isinstance(value, dict):
        return "\n".join(f"{name}: {_shown(one, levels - 1)}" for name, one in value.items())[:_LONGEST]
    return ""


def _fact(value: Any) -> FactValue:
    return value if isinstance(value, bool | int) else str(value)[:500]


def _address(text: str) -> str | None:
    """Return a mail address, None for what is none: nothing can be sent there."""
    address = text.strip().lower()
    return address if len(address) <= 254 and _ADDRESS.fullmatch(address) and address.isprintable() else None


def _instant(text: str) -> datetime | None:
    try:
        return parse_instant(text) if text else None
    except PlazoError:
        return None


def _pointer(path: str) -> str:
    return "/" + path.removeprefix("$.").replace("?", "").replace(".", "/")
