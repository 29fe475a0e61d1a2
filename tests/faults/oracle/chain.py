"""The chain of a timeline, verified by the rule as it is published and nothing else."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

_FORMAT = "plazo-timeline-1"


def first_fault(ticket_id: str, entries: Sequence[Mapping[str, Any]], head: str) -> str | None:
    """Return what is wrong with the first entry that does not verify; None for a chain that is whole."""
    before = hashlib.sha256(f"{_FORMAT}:{ticket_id}".encode()).digest()
    for place, entry in enumerate(entries, 1):
        if entry["position"] != place:
            return f"entry {place} is missing"
        words = [entry["actor"], entry["text"], entry["data"]]
        if entry["salt"] is None:
            return f"entry {place} has no salt, and nobody was erased"
        digest = hashlib.sha256(bytes.fromhex(entry["salt"]) + _plain(words)).hexdigest()
        if digest != entry["digest"]:
            return f"entry {place} ({entry['kind']}) does not say what was chained"
        facts = [place, entry["occurred_at"], entry["recorded_at"], entry["kind"], entry["internal"], digest]
        before = hashlib.sha256(before + _plain(facts)).digest()
        if before.hex() != entry["hash"]:
            return f"entry {place} ({entry['kind']}) does not follow the one before it"
    return None if before.hex() == head else "entries are missing at the end"


def _plain(value: Any) -> bytes:
    text = json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text.encode()
