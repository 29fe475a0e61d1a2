"""The hash chain of a desk's ledger: a link for each transaction and each of its entries, made over the one before.

A seal is a stretch of the chain; its hash is its last link. Who keeps the last hash can prove that nothing before it
was changed, with these functions and an export alone.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

#: What the first seal of a desk follows.
GENESIS = "0" * 64

_SIZE = 32
# What the first seals were not made over; they are known by having no links.
_LATER_FIELDS = ("seq", "effective_at", "recorded_at")

Transaction = Mapping[str, Any]


def links_of(previous: bytes, transaction: Transaction) -> bytes:
    """Return the links of a transaction (as JSON values) that follows a link: its own, and one for each entry."""
    head = {name: value for name, value in transaction.items() if name != "entries"}
    links = []
    for part in (head, *transaction["entries"]):
        previous = hashlib.sha256(previous + _canonical(part)).digest()
        links.append(previous)
    return b"".join(links)


def seal_hash(previous_hash: str, transactions: Iterable[Transaction]) -> tuple[str, list[bytes]]:
    """Return the hash of a seal that follows another, and the links of each transaction, in order."""
    last, all_links = bytes.fromhex(previous_hash), []
    for transaction in transactions:
        links = links_of(last, transaction)
        all_links.append(links)
        last = links[-_SIZE:]
    return last.hex(), all_links


def seal_faults(
    *,
    number: int,
    expected_previous: str,
    previous_hash: str,
    sealed: str,
    transactions: Sequence[Transaction],
    links: Sequence[bytes | None],
) -> Iterator[str]:
    """Say what is wrong with a seal: its link to the one before, and each transaction or entry that was not sealed so.

    `links` are those kept for the transactions; the first seals have none, and are one hash over all of them.
    """
    if previous_hash != expected_previous:
        yield f"seal {number} does not follow the seal before it"
    if transactions and all(one is None for one in links):
        if _first_hash(previous_hash, transactions) != sealed:
            yield f"seal {number} was not made over the {len(transactions)} transactions found under it"
        return
    last = bytes.fromhex(previous_hash)
    for transaction, kept in zip(transactions, links, strict=True):
        yield from _transaction_faults(number, last, transaction, kept or b"")
        last = (kept or b"")[-_SIZE:]
    if last.hex() != sealed:
        yield f"seal {number} does not end with the {len(transactions)} transactions found under it"


def _transaction_faults(number: int, last: bytes, transaction: Transaction, kept: bytes) -> Iterator[str]:
    name = f"transaction {transaction['transaction_id']}"
    parts = [{key: value for key, value in transaction.items() if key != "entries"}, *transaction["entries"]]
    if len(kept) != _SIZE * len(parts):
        count = len(kept) // _SIZE - 1
        yield f"{name} has {len(parts) - 1} entries, and was sealed with {max(count, 0)} under seal {number}"
        return
    for place, part in enumerate(parts):
        link = kept[_SIZE * place : _SIZE * (place + 1)]
        if hashlib.sha256(last + _canonical(part)).digest() != link:
            what = f"entry {part['seq']} of {name}" if place else name
            yield f"{what} is not what stands at its place under seal {number}: it was changed or moved"
        last = link


def _first_hash(previous_hash: str, transactions: Iterable[Transaction]) -> str:
    digest = hashlib.sha256(previous_hash.encode())
    for transaction in transactions:
        entries = [
            {key: value for key, value in entry.items() if key not in _LATER_FIELDS} for entry in transaction["entries"]
        ]
        text = _canonical({**transaction, "entries": entries})
        digest.update(len(text).to_bytes(8, "big"))
        digest.update(text)
    return digest.hexdigest()


def _canonical(value: Any) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
