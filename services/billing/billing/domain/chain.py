"""The hash chain of a desk's ledger: batches of transactions, each sealed over the batch before it.

Who keeps the last hash can prove that nothing before it was changed, with these functions and an export alone.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

#: What the first seal of a desk follows.
GENESIS = "0" * 64


def seal_hash(previous_hash: str, transactions: Iterable[Mapping[str, Any]]) -> str:
    """Return the hash of a batch of transactions (as JSON values, in order) that follows another batch."""
    digest = hashlib.sha256(previous_hash.encode())
    for transaction in transactions:
        text = json.dumps(transaction, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        digest.update(len(text.encode()).to_bytes(8, "big"))
        digest.update(text.encode())
    return digest.hexdigest()


def seal_faults(
    *, number: int, expected_previous: str, previous_hash: str, sealed: str, transactions: Sequence[Mapping[str, Any]]
) -> Iterator[str]:
    """Say what is wrong with a seal: its link to the one before, what it was made over, sums that are not zero."""
    if previous_hash != expected_previous:
        yield f"seal {number} does not follow the seal before it"
    if seal_hash(previous_hash, transactions) != sealed:
        yield f"seal {number} was not made over the {len(transactions)} transactions found under it"
    for transaction in transactions:
        sums: dict[str, int] = {}
        for entry in transaction["entries"]:
            sums[entry["counted_in"]] = sums.get(entry["counted_in"], 0) + entry["amount"]
        if off := {unit: amount for unit, amount in sums.items() if amount}:
            yield f"transaction {transaction['transaction_id']} is off by {off}"
