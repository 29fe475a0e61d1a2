"""A ledger as a file: JSON lines that verify without a database, a network or us.

The first line says what it is, then each seal is followed by its transactions with their links, then come those under
no seal yet, the accounts and the lots, and last the manifest: how many of each, and the SHA-256 of all lines before it.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Any

from billing.domain.audit import Audit, Seal
from billing.domain.chain import Transaction

FORMAT = "plazo-ledger/1"

Line = dict[str, Any]


class NotAnExport(Exception):
    """The lines are not those of an exported ledger."""


class Manifest:
    """Writes lines, and at last what was written."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self._counts: dict[str, int] = {}

    def write(self, line: Line) -> str:
        """Return a line as text, with its end."""
        text = json.dumps(line, ensure_ascii=False, separators=(",", ":"), sort_keys=True) + "\n"
        self._digest.update(text.encode())
        kind = next(iter(line))
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return text

    def close(self, *, last_hash: str) -> str:
        """Return the last line."""
        about = {"lines": self._counts, "last_hash": last_hash, "sha256": self._digest.hexdigest()}
        return json.dumps({"manifest": about}, separators=(",", ":"), sort_keys=True) + "\n"


def header_line(*, desk_id: str, exported_at: str) -> Line:
    """Return the first line of a file."""
    return {"ledger": {"format": FORMAT, "desk_id": desk_id, "exported_at": exported_at}}


def seal_line(seal: Seal) -> Line:
    """Return the line before the transactions of a seal."""
    return {"seal": asdict(seal)}


def transaction_line(transaction: Transaction, links: bytes | None) -> Line:
    """Return the line of a transaction; the links of one that is under no seal are null."""
    return {"transaction": {**transaction, "links": links.hex() if links is not None else None}}


def verify_lines(lines: Iterable[str]) -> Audit:
    """Audit an exported ledger.

    :raises NotAnExport: if it is none, or not a whole one
    """
    try:
        return _verify(lines)
    except (KeyError, TypeError, ValueError) as error:
        raise NotAnExport(f"the lines are not those of a ledger: {error!r}") from error


def _verify(lines: Iterable[str]) -> Audit:
    audit, file = Audit(), Manifest()
    told: dict[str, dict[str, int]] = {"account": {}, "lot": {}}
    manifest: dict[str, Any] | None = None
    seal: Seal | None = None
    batch: list[tuple[Transaction, bytes | None]] = []
    for number, text in enumerate(lines, start=1):
        if manifest is not None:
            raise NotAnExport(f"line {number}: expected nothing after the manifest")
        kind, content = _read(number, text)
        if kind == "manifest":
            manifest = content
            continue
        file.write({kind: content})
        if kind == "transaction":
            links = content.pop("links")
            batch.append((content, bytes.fromhex(links) if links is not None else None))
            continue
        _end_batch(audit, seal, batch)
        seal, batch = (Seal(**content) if kind == "seal" else None), []
        if kind in told:
            told[kind][content["id"]] = content["holds"]
    if manifest is None:
        raise NotAnExport("the file ends without its manifest: it is not whole")
    _end_batch(audit, seal, batch)
    audit.compare_balances(told["account"], told["lot"])
    expected = json.loads(file.close(last_hash=audit.last_hash))["manifest"]
    for name, value in expected.items():
        if manifest.get(name) != value:
            audit.blame([f"the manifest says of {name} {manifest.get(name)}, the file {value}"])
    return audit


def _read(number: int, text: str) -> tuple[str, dict[str, Any]]:
    try:
        line = json.loads(text)
        ((kind, content),) = line.items()
    except (ValueError, AttributeError) as error:
        raise NotAnExport(f"line {number}: expected a JSON object with one name") from error
    if (number == 1) != (kind == "ledger") or not isinstance(content, dict):
        raise NotAnExport(f"line {number}: expected the ledger's header as the first line, and nowhere else")
    if kind == "ledger" and content.get("format") != FORMAT:
        raise NotAnExport(f"line {number}: expected the format {FORMAT}, got {content.get('format')}")
    if kind not in {"ledger", "seal", "transaction", "account", "lot", "unsealed", "manifest"}:
        raise NotAnExport(f"line {number}: {kind!r} is no part of a ledger")
    return kind, content


def _end_batch(audit: Audit, seal: Seal | None, batch: list[tuple[Transaction, bytes | None]]) -> None:
    if seal is not None:
        audit.read_seal(seal, [one for one, _ in batch], [links for _, links in batch])
    else:
        audit.read(one for one, _ in batch)


def unsealed_line(count: int) -> Line:
    """Return the line before the transactions that are under no seal yet."""
    return {"unsealed": {"transactions": count}}


def holding_lines(kind: str, holdings: Iterable[tuple[str, int]]) -> Iterator[Line]:
    """Return the lines of accounts or lots with what they hold."""
    return ({kind: {"id": one, "holds": holds}} for one, holds in holdings)
