"""Seals and verification."""

from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.runtime.inputs import View


class SealView(View):
    """A sealed batch of transactions: its hash follows from theirs and from the seal before."""

    number: int
    transactions: int
    previous_hash: str
    hash: str
    sealed_at: datetime


class SealingView(View):
    """The seal that was made, null where there was nothing new."""

    seal: SealView | None


class SealExportView(SealView):
    """A seal with the transactions it was made over, in order: all it takes to compute the hash again."""

    content: list[dict[str, Any]]


class BalanceView(View):
    """What an account held at the instant `at`, as it was known at the instant `known_at`."""

    account_id: UUID
    counted_in: str
    at: datetime
    known_at: datetime
    balance: int
    balance_text: dict[str, str]


class VerificationView(View):
    """Whether the ledger agrees with its entries, its seals and what was put in; `faults` says where it does not.

    `sealed` transactions are under a seal, `waiting` ones will be under the next; `last_hash` is that of the last seal.
    """

    agrees: bool
    transactions: int
    entries: int
    sealed: int
    waiting: int
    last_hash: str
    faults: list[str]
