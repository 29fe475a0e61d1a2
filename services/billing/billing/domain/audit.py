"""An audit: a ledger read from its first transaction to its last, with everything derived from the entries anew.

It serves the database and a file alike, and needs neither.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from billing.domain.chain import GENESIS, Transaction, seal_faults

#: More than so many are not told: whoever reads them knows enough.
MOST_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as it was written down."""

    number: int
    previous_hash: str
    hash: str
    transactions: int


@dataclass(slots=True)
class Audit:
    """What was read so far, and what was wrong with it."""

    faults: list[str] = field(default_factory=list)
    transactions: int = 0
    entries: int = 0
    sealed: int = 0
    last_hash: str = GENESIS
    _balances: dict[str, int] = field(default_factory=dict)
    _lots: dict[str, int] = field(default_factory=dict)
    _keys: set[str] = field(default_factory=set)
    _seen: set[str] = field(default_factory=set)
    _units: dict[str, int] = field(default_factory=dict)

    @property
    def agrees(self) -> bool:
        """Whether nothing was wrong."""
        return not self.faults

    def blame(self, faults: Iterable[str]) -> None:
        """Take down what is wrong, as far as there is room."""
        self.faults += list(faults)[: MOST_FAULTS - len(self.faults)]

    def read_seal(self, seal: Seal, transactions: Sequence[Transaction], links: Sequence[bytes | None]) -> None:
        """Read the transactions under a seal, in its order; `links` are those kept for each."""
        self.blame(
            seal_faults(
                number=seal.number,
                expected_previous=self.last_hash,
                previous_hash=seal.previous_hash,
                sealed=seal.hash,
                transactions=transactions,
                links=links,
            )
        )
        if len(transactions) != seal.transactions:
            self.blame([f"seal {seal.number} was made over {seal.transactions} transactions, not {len(transactions)}"])
        self.last_hash = seal.hash
        self.sealed += len(transactions)
        self.read(transactions)

    def read(self, transactions: Iterable[Transaction]) -> None:
        """Read transactions that are under no seal yet."""
        for transaction in transactions:
            self.transactions += 1
            name = f"transaction {transaction['transaction_id']}"
            if transaction["transaction_id"] in self._seen:
                self.blame([f"{name} stands in the ledger twice"])
            self._seen.add(transaction["transaction_id"])
            if transaction["idempotency_key"] in self._keys:
                self.blame([f"{name} was posted for a cause that was posted before: {transaction['idempotency_key']}"])
            self._keys.add(transaction["idempotency_key"])
            self._read_entries(name, transaction)

    def _read_entries(self, name: str, transaction: Transaction) -> None:
        sums: dict[str, int] = {}
        for entry in transaction["entries"] or ():
            self.entries += 1
            unit, amount = entry["counted_in"], entry["amount"]
            _add(sums, unit, amount)
            _add(self._units, unit, amount)
            _add(self._balances, entry["account_id"], amount)
            if entry["lot_id"] is not None:
                _add(self._lots, entry["lot_id"], amount)
            for instant in ("effective_at", "recorded_at"):
                if entry[instant] != transaction[instant]:
                    self.blame([f"entry {entry['seq']} of {name} has another {instant} than its transaction"])
        if not transaction["entries"]:
            self.blame([f"{name} has no entries"])
        for unit, amount in sums.items():
            if amount:
                self.blame([f"{name} is off by {amount} {unit}"])

    def compare_balances(self, accounts: Mapping[str, int], lots: Mapping[str, int]) -> None:
        """Compare what accounts and lots say they hold with what their entries come to."""
        for kind, told, found in (("account", accounts, self._balances), ("lot", lots, self._lots)):
            for one in told.keys() | found.keys():
                says, entries = told.get(one), found.get(one, 0)
                if says is None:
                    self.blame([f"{kind} {one} is not there, its entries come to {entries}"])
                elif says != entries:
                    self.blame([f"{kind} {one} says {says}, its entries {entries}"])
        for unit, amount in self._units.items():
            if amount:
                self.blame([f"all entries together are off by {amount} {unit}"])


def _add(sums: dict[str, int], key: str, amount: int) -> None:
    sums[key] = sums.get(key, 0) + amount


def json_of(found: Audit) -> dict[str, Any]:
    """Return what an audit found, for who reads it by program."""
    return {
        "agrees": found.agrees,
        "transactions": found.transactions,
        "entries": found.entries,
        "sealed": found.sealed,
        "last_hash": found.last_hash,
        "faults": found.faults,
    }
