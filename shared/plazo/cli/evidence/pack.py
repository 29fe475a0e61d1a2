"""The evidence pack: sections, a hash of each, a hash of all, and the chain of the timeline. Pure."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.kernel.errors import PlazoError
from plazo.kernel.time import format_instant, parse_instant
from plazo.kernel.timeline_chain import Link, Sealed, Words, canonical, verify

FORMAT = "plazo-evidence-1"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verification of a pack found; it is what was written if there are no faults."""

    number: str
    hash: str
    entries: int
    erased: int
    faults: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """Return it for scripts."""
        return asdict(self) | {"agrees": not self.faults, "faults": list(self.faults)}


def make_pack(sections: Mapping[str, Any], *, head: str, now: datetime) -> dict[str, Any]:
    """Put a pack together; `sections` has at least `ticket` and `timeline`, `head` is the end of the chain."""
    ticket = sections["ticket"]
    pack: dict[str, Any] = {
        "format": FORMAT,
        "made_at": format_instant(now),
        "number": ticket["number"],
        "ticket_id": ticket["ticket_id"],
        "language": ticket["language"],
        "timeline_head": head,
        "hashes": {name: _digest(section) for name, section in sections.items()},
        "sections": dict(sections),
    }
    return pack | {"hash": _pack_hash(pack)}


def verify_pack(pack: Any) -> Verdict:
    """Check a pack against itself, and its timeline against its chain. Every fault is named."""
    if not isinstance(pack, dict) or pack.get("format") != FORMAT:
        return Verdict(number="the file", hash="", entries=0, erased=0, faults=(f"it is no pack of format {FORMAT}",))
    faults: list[str] = []
    entries = erased = 0
    try:
        verdict = verify(UUID(pack["ticket_id"]), _sealed(pack), head=bytes.fromhex(pack["timeline_head"]))
        entries, erased = verdict.entries, verdict.erased
        if not verdict.is_intact:
            faults.append(f"timeline, entry {verdict.position}: {verdict.reason}")
    except (PlazoError, KeyError, TypeError, ValueError) as error:
        faults.append(f"timeline: it cannot be read ({type(error).__name__}: {error})")
    hashes, sections = pack.get("hashes"), pack.get("sections")
    if not isinstance(hashes, dict) or not isinstance(sections, dict):
        faults.append("it has no sections")
    else:
        faults += [f"section {name}: it is not what was written" for name in _different(hashes, sections)]
        ticket = sections.get("ticket")
        if isinstance(ticket, dict) and ticket.get("ticket_id") != pack.get("ticket_id"):
            faults.append("the ticket is another one than the timeline's")
    if _pack_hash(pack) != pack.get("hash"):
        faults.append("the hash of the pack is not the hash of its parts")
    number, known = str(pack.get("number", "")), str(pack.get("hash", ""))
    return Verdict(number=number, hash=known, entries=entries, erased=erased, faults=tuple(faults))


def _different(hashes: Mapping[str, Any], sections: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(hashes.keys() | sections.keys()):
        if name not in sections or hashes.get(name) != _digest(sections[name]):
            yield name


def _digest(section: Any) -> str:
    return hashlib.sha256(canonical(section)).hexdigest()


def _pack_hash(pack: Mapping[str, Any]) -> str:
    covered = ("format", "made_at", "number", "ticket_id", "language", "timeline_head", "hashes")
    return _digest([pack.get(name) for name in covered])


def _sealed(pack: Mapping[str, Any]) -> Iterator[Sealed]:
    for entry in pack["sections"]["timeline"]:
        yield Sealed(
            link=Link(
                position=entry["position"],
                occurred_at=parse_instant(entry["occurred_at"]),
                recorded_at=parse_instant(entry["recorded_at"]),
                kind=entry["kind"],
                internal=entry["internal"],
                digest=bytes.fromhex(entry["digest"]),
            ),
            hash=bytes.fromhex(entry["hash"]),
            words=Words(actor=entry["actor"], text=entry["text"], data=entry["data"]),
            salt=None if entry["salt"] is None else bytes.fromhex(entry["salt"]),
            erased_at=None if entry["erased_at"] is None else parse_instant(entry["erased_at"]),
        )
