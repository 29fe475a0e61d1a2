"""The chain of a ticket's timeline: each entry's hash covers all entries before it.

The hash covers when an entry happened, when it was learnt, its kind, and a salted digest of what it says. So what
somebody said can be erased for good, and the chain of what happened still verifies.
"""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.kernel.time import format_instant

FORMAT = "plazo-timeline-1"
SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Words:
    """What an entry says: the part that can be erased."""

    actor: str
    text: str | None
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Link:
    """An entry as the chain sees it. `position` counts from 1 as they are recorded; `digest` stands for its words."""

    position: int
    occurred_at: datetime
    recorded_at: datetime
    kind: str
    internal: bool
    digest: bytes


@dataclass(frozen=True, slots=True)
class Sealed:
    """A chained entry. `salt` is None, and `words` no longer what they were, once they have been erased."""

    link: Link
    hash: bytes
    words: Words
    salt: bytes | None
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verification found. `position` is the first entry that does not verify, `reason` why."""

    entries: int
    head: bytes
    erased: int = 0
    position: int | None = None
    reason: str | None = None

    @property
    def is_intact(self) -> bool:
        """Whether every entry verifies."""
        return self.reason is None


def first_hash(ticket_id: UUID) -> bytes:
    """Return what the chain of a ticket begins with."""
    return hashlib.sha256(f"{FORMAT}:{ticket_id}".encode()).digest()


def words_digest(words: Words, *, salt: bytes) -> bytes:
    """Return the digest that stands for what an entry says; without the salt nobody can guess the words from it."""
    return hashlib.sha256(salt + canonical([words.actor, words.text, words.data])).digest()


def link_hash(previous: bytes, link: Link) -> bytes:
    """Return the hash of an entry that follows the one with the hash `previous`."""
    facts = [
        link.position,
        format_instant(link.occurred_at),
        format_instant(link.recorded_at),
        link.kind,
        link.internal,
        link.digest.hex(),
    ]
    return hashlib.sha256(previous + canonical(facts)).digest()


def verify(ticket_id: UUID, entries: Iterable[Sealed], *, head: bytes | None = None) -> Verdict:
    """Check the entries of a ticket, by position; `head` is the hash that the last one must have, where it is known."""
    previous, count, erased = first_hash(ticket_id), 0, 0
    for count, entry in enumerate(entries, start=1):
        reason = _fault(entry, previous=previous, position=count)
        if reason is not None:
            return Verdict(entries=count, head=previous, erased=erased, position=count, reason=reason)
        erased += entry.salt is None
        previous = entry.hash
    if head is not None and previous != head:
        reason = "entries are missing at the end: the last hash is not the one the chain ended with"
        return Verdict(entries=count, head=previous, erased=erased, position=count + 1, reason=reason)
    return Verdict(entries=count, head=previous, erased=erased)


def _fault(entry: Sealed, *, previous: bytes, position: int) -> str | None:
    if entry.link.position != position:
        return f"entry {position} is missing: entry {entry.link.position} stands in its place"
    if link_hash(previous, entry.link) != entry.hash:
        return "its instants, its kind, its place or the entries before it are not what was chained"
    if entry.salt is None:
        return None if entry.erased_at is not None else "its words cannot be checked, and no erasure is noted"
    if words_digest(entry.words, salt=entry.salt) != entry.link.digest:
        return "its actor, text or data is not what was chained"
    return None


def chain(previous: bytes, links: Sequence[Link]) -> list[bytes]:
    """Return the hashes of entries that follow the one with the hash `previous`."""
    hashes = []
    for link in links:
        previous = link_hash(previous, link)
        hashes.append(previous)
    return hashes


def canonical(value: Any) -> bytes:
    """Return JSON that is the same wherever the value was stored in between: sorted, without spaces, whole numbers."""
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value
