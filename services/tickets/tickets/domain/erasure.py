"""Forgetting a person: which words go, and what stands in their place."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from plazo.kernel.forgetting import PERSONAL, Person
from tickets.domain.secrecy import SHORTEST_REPEATED

# What only structures a document where a text has another name: words of ours, instants, ids.
_TEXTS = PERSONAL | {
    "reason",
    "note",
    "answer",
    "title",
    "label",
    "attendee",
    "resolution_text",
    "missing",
    "design",
    "parts",
}
_STRUCTURE = re.compile(r"[a-z][a-z_]*|\d{4}-\d\d(?:-\d\d(?:[T ][0-9:.]+(?:Z|[+-]\d\d:\d\d))?)?|[0-9a-f-]{36}")
_SAID_BY_CUSTOMER = frozenset({"opened", "customer_reply", "reopened"})
_CUSTOMERS_ACTORS = ("requester: ", "email: ")


@dataclass(frozen=True, slots=True)
class Value:
    """A value to forget wherever a text has it; `label` stands in its place.

    What a document is made of stays, even where it says the same: whom a ticket waits for is no text.
    """

    value: str
    label: str

    @property
    def is_searchable(self) -> bool:
        """Whether it is long enough to be told from a part of a word."""
        return len(self.value) >= SHORTEST_REPEATED

    def is_in(self, document: Any) -> bool:
        """Return whether a document has the value anywhere."""
        if isinstance(document, dict):
            return any(self.is_in(item) for item in document.values())
        if isinstance(document, list | tuple):
            return any(self.is_in(item) for item in document)
        return isinstance(document, str) and self.value in document

    def forgotten(self, document: Any, *, all_words: bool = False) -> Any:  # noqa: ARG002  # as of a person
        """Return a document without the value; what else is said in it stays."""
        return self._left(document, is_text=not isinstance(document, dict))

    def _left(self, document: Any, *, is_text: bool) -> Any:
        if isinstance(document, dict):
            return {key: self._left(item, is_text=is_text or key in _TEXTS) for key, item in document.items()}
        if isinstance(document, list | tuple):
            return [self._left(item, is_text=is_text) for item in document]
        if not isinstance(document, str) or (not is_text and _STRUCTURE.fullmatch(document)):
            return document
        return document.replace(self.value, f"[{self.label}]")


@dataclass(frozen=True, slots=True)
class Retold:
    """Texts that are said anew: wherever a document has one of them, whole, it has the new one afterwards."""

    anew: Mapping[str, str]

    def forgotten(self, document: Any, *, all_words: bool = False) -> Any:
        """Return a document with the new texts; what says something else stays, whatever it says."""
        if isinstance(document, dict):
            return {key: self.forgotten(item, all_words=all_words) for key, item in document.items()}
        if isinstance(document, list | tuple):
            return [self.forgotten(item, all_words=all_words) for item in document]
        return self.anew.get(document, document) if isinstance(document, str) else document


class Forgettable(Protocol):
    """A person, or a value, that is taken out of documents."""

    def forgotten(self, value: Any, /, *, all_words: bool) -> Any:
        """Return a document without it."""
        ...


def is_from_customer(*, kind: str, actor: str, internal: bool) -> bool:
    """Return whether the customer's side itself wrote an entry, by whatever way it came."""
    return not internal and (kind == "customer_reply" or actor.startswith(_CUSTOMERS_ACTORS))


def is_said_by(person: Person, *, kind: str, actor: str, words: Collection[Any], is_own_ticket: bool) -> bool:
    """Return whether an entry goes: said by the customer's side of the person's own ticket, or mentioning it."""
    if is_own_ticket and (kind in _SAID_BY_CUSTOMER or actor.startswith("requester")):
        return True
    return person.is_in(actor) or any(person.is_in(word) for word in words)
