"""Forgetting a person: which words go out of a document, and what stands in their place."""

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

TOMBSTONE = "[erased]"

# What a customer's person says, or is said of it, wherever a document has it.
PERSONAL = frozenset(
    [
        "contact_name",
        "contact_email",
        "told_email",
        "contact_phone",
        "subject",
        "description",
        "text",
        "body",
        "html",
        "name",
        "email",
        "phone",
        "sender",
        "from",
        "to",
        "cc",
        "address",
        "reply_to",
        "message_id",
    ]
)
_AS_A_WHOLE = 0  # in the place of a length
_WORD_BEGINS = re.compile(r"(?<!\w)\S")


@dataclass(frozen=True, slots=True)
class Person:
    """Whom to forget: the words it is known by, in small letters; of who is forgotten already, their marks alone.

    A mark is the length of a word and a digest of it, bound to the contact: it finds the word where it is said again,
    and says it to nobody. Names under which the person acts (`acts_as`, digests of them) are known as a whole alone.
    """

    contact_id: str
    known_by: tuple[str, ...]
    marks: Mapping[int, frozenset[str]]
    acts_as: frozenset[str]

    @classmethod
    def of(
        cls,
        *,
        contact_id: object,
        name: str,
        addresses: Iterable[str],
        phone: str | None,
        acts_as: Iterable[str] = (),
    ) -> "Person":
        """Return a person by its name, addresses and number; what is too short to be told from a word is left out."""
        words = (name, *addresses, phone or "")
        known_by = tuple(word.strip().lower() for word in words if len(word.strip()) > 2 and word != TOMBSTONE)
        actors = frozenset(_digest(contact_id, actor.lower()) for actor in acts_as)
        return cls(contact_id=str(contact_id), known_by=known_by, marks={}, acts_as=actors)

    @classmethod
    def marked(cls, contact_id: object, marks: Iterable[str]) -> "Person":
        """Return a person who is forgotten, by what :meth:`to_marks` returned."""
        found: dict[int, set[str]] = defaultdict(set)
        for mark in marks:
            length, _, digest = mark.partition(":")
            found[int(length)].add(digest)
        actors = frozenset(found.pop(_AS_A_WHOLE, ()))
        frozen = {length: frozenset(digests) for length, digests in found.items()}
        return cls(contact_id=str(contact_id), known_by=(), marks=frozen, acts_as=actors)

    def to_marks(self) -> tuple[str, ...]:
        """Return the marks of the person."""
        known = {_AS_A_WHOLE: self.acts_as, **self.marks}
        kept = [f"{length}:{digest}" for length, digests in known.items() for digest in sorted(digests)]
        said = [f"{len(word)}:{_digest(self.contact_id, word)}" for word in dict.fromkeys(self.known_by)]
        return (*kept, *said)

    def is_in(self, value: Any) -> bool:
        """Return whether a value mentions the person anywhere."""
        if isinstance(value, str):
            return value.lower() == self.contact_id or self._is_said_in(value)
        if isinstance(value, dict):
            return any(self.is_in(item) for item in value.values())
        return isinstance(value, list | tuple) and any(self.is_in(item) for item in value)

    def forgotten(self, value: Any, /, *, all_words: bool, _name: str = "") -> Any:
        """Return a document without the person; with `all_words` without anything that a person said in it either.

        The label of a key that is the contact's goes with it. Ids, instants, grades and numbers stay: they are the
        structure of what happened.
        """
        if isinstance(value, dict):
            left = {key: self.forgotten(item, all_words=all_words, _name=key) for key, item in value.items()}
            if "label" in value and value.get("contact_id") == self.contact_id:
                left["label"] = TOMBSTONE
            return left
        if isinstance(value, list | tuple):
            return [self.forgotten(item, all_words=all_words, _name=_name) for item in value]
        is_words = isinstance(value, str) and value != self.contact_id
        if is_words and ((all_words and _name in PERSONAL) or self._is_said_in(value)):
            return None if _name == "contact_email" else TOMBSTONE  # nobody is written to at a tombstone
        return value

    def _is_said_in(self, text: str) -> bool:
        said = text.lower()
        return (
            any(word in said for word in self.known_by)
            or (bool(self.acts_as) and _digest(self.contact_id, said) in self.acts_as)
            or self._is_marked_in(said)
        )

    def _is_marked_in(self, said: str) -> bool:
        if not self.marks or len(said) < min(self.marks):
            return False
        return any(
            _digest(self.contact_id, said[begin : begin + length]) in digests
            for begin in (found.start() for found in _WORD_BEGINS.finditer(said))
            for length, digests in self.marks.items()
            if begin + length <= len(said)
        )


def _digest(contact_id: object, word: str) -> str:
    return hashlib.sha256(f"{contact_id} {word}".encode()).hexdigest()[:32]
