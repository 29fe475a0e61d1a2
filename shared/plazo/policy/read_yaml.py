"""Read hand-written YAML into plain data, remembering the line of everything, refusing what a contract never needs.

YAML 1.2 as its core schema has it, without fractions and dates: those stay text, for the document's own types to read.
Anchors, aliases, tags, duplicate keys, a second document, more than 1 MiB, 30 levels or 20,000 values are faults.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
)

from plazo.kernel.errors import Fault

LARGEST = 1 << 20
DEEPEST = 30
MOST_VALUES = 20_000  # ten times what the longest contract has; many more take seconds
MOST_FAULTS = 100
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(slots=True)
class Parsed:
    """Plain data, the 1-based line of every JSON pointer in it, and what is wrong with the text itself."""

    data: Any = None
    lines: dict[str, int] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def line_of(self, pointer: str) -> int | None:
        """Find the line of a pointer, or of the nearest part of the document that holds it."""
        while pointer and pointer not in self.lines:
            pointer = pointer.rpartition("/")[0]
        return self.lines.get(pointer)


def pointer_to(parent: str, key: str | int) -> str:
    """Extend a JSON pointer (RFC 6901) by one key or index."""
    return f"{parent}/{str(key).replace('~', '~0').replace('/', '~1')}"


def read_yaml(text: str) -> Parsed:
    """Read one YAML document; what is wrong is listed in `faults`, never raised."""
    if len(text.encode("utf-8", "surrogatepass")) > LARGEST:
        return Parsed(faults=[Fault("", "the document is larger than 1 MiB; expected less", 1)])
    builder = _Builder()
    try:
        for event in YAML(typ="rt", pure=True).parse(text):
            if not builder.take(event):
                builder.parsed.data = None
                break
    except YAMLError as error:
        builder.refuse(_complaint(error), _line_of(error))
        builder.parsed.data = None
    except (ValueError, LookupError, AttributeError, TypeError, AssertionError, NotImplementedError) as error:
        # The parser lets plain errors through on some broken text.
        builder.refuse(f"not readable as YAML: {error}", None)
        builder.parsed.data = None
    return builder.parsed


def _complaint(error: YAMLError) -> str:
    problem = (error.problem or error.context) if isinstance(error, MarkedYAMLError) else str(error).splitlines()[0]
    return f"not readable as YAML: {problem}"


def _line_of(error: YAMLError) -> int | None:
    mark = (error.problem_mark or error.context_mark) if isinstance(error, MarkedYAMLError) else None
    return mark.line + 1 if mark else None


@dataclass(slots=True)
class _Open:
    """A mapping or list under construction; `key` is where the next value of a mapping goes."""

    pointer: str
    content: dict[str, Any] | list[Any]
    key: str | None = None


class _Builder:
    def __init__(self) -> None:
        self.parsed = Parsed()
        self._open: list[_Open] = []
        self._documents = 0
        self._values = 0

    def refuse(self, message: str, line: int | None, pointer: str = "") -> None:
        self.parsed.faults.append(Fault(pointer, message, line))

    def take(self, event: Any) -> bool:
        """Take the next parser event; False when reading on is useless."""
        line = event.start_mark.line + 1
        if len(self.parsed.faults) >= MOST_FAULTS:
            self.refuse(f"{MOST_FAULTS} faults so far; the rest was not read", line)
            return False
        match event:
            case DocumentStartEvent():
                self._documents += 1
                if self._documents > 1:
                    self.refuse("a second document begins; expected one", line)
                    return False
            case NodeEvent():
                return self._take_node(event, line)
            case MappingEndEvent() | SequenceEndEvent():
                self._open.pop()
        return True

    def _take_node(self, event: Any, line: int) -> bool:
        self._values += 1
        if self._values > MOST_VALUES:
            self.refuse(f"more than {MOST_VALUES:,} values; expected fewer", line)
            return False
        if isinstance(event, AliasEvent):
            self.refuse(f"alias *{event.anchor}; expected the value itself, aliases are not used here", line)
            self._take_scalar(None, line)
            return True
        if event.anchor:
            self.refuse(f"anchor &{event.anchor}; expected the value alone, anchors are not used here", line)
        if event.tag:
            self.refuse(f"tag {event.tag}; expected a plain value, tags are not used here", line)
        if isinstance(event, ScalarEvent):
            self._take_scalar(event.value if event.style or self._awaits_key() else _plain(event.value), line)
            return True
        content: dict[str, Any] | list[Any] = {} if isinstance(event, MappingStartEvent) else []
        if self._awaits_key():
            self.refuse("a list or mapping stands where a name is expected", line)
            return False
        pointer = self._place(content, line)
        self._open.append(_Open(pointer, content))
        if len(self._open) > DEEPEST:
            self.refuse(f"more than {DEEPEST} levels of nesting; expected fewer", line, pointer)
            return False
        return True

    def _take_scalar(self, value: Any, line: int) -> None:
        if self._awaits_key():
            self._take_key(str(value), line)
        else:
            self._place(value, line)

    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].content, dict) and self._open[-1].key is None

    def _take_key(self, key: str, line: int) -> None:
        inner = self._open[-1]
        pointer = pointer_to(inner.pointer, key)
        if key in inner.content:
            self.refuse(f"{key!r} is given twice; the first is on line {self.parsed.lines[pointer]}", line, pointer)
        else:
            self.parsed.lines[pointer] = line
        inner.key = key

    def _place(self, value: Any, line: int) -> str:
        """Put a value where the innermost open mapping or list wants it, and give its pointer."""
        if not self._open:
            self.parsed.data = value
            self.parsed.lines[""] = line
            return ""
        inner = self._open[-1]
        if isinstance(inner.content, list):
            pointer = pointer_to(inner.pointer, len(inner.content))
            inner.content.append(value)
            self.parsed.lines[pointer] = line
            return pointer
        pointer = pointer_to(inner.pointer, key := inner.key or "")
        inner.content[key] = value
        inner.key = None
        return pointer


def _plain(value: str) -> Any:
    if value in _WORDS:
        return _WORDS[value]
    return int(value) if _INTEGER.fullmatch(value) else value
