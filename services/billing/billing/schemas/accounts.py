"""Accounts, grants and standings."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import Field

from billing.schemas.words import Amount, Reference
from plazo.runtime.inputs import Input, Instant, Line, View


class GrantCreate(Input):
    """A top-up. A number is whole units of the account (hours, workdays, credit units, minor currency); text is as
    policies word it: `90m`, `2 workdays`, `5 units`. The instants are at most the present, and the end exclusive."""

    quantity: Amount = Field(examples=[10, "90m"])
    reason: Line
    effective_at: Instant | None = None
    expires_at: Instant | None = None


class StandingCreate(Input):
    """What a contract's standing is from now on."""

    contract_id: Reference
    standing: Literal["good", "overdue", "blocked"]
    reason: Line


class AccountView(View):
    """An account. `balance` and `available` count `counted_in`; what is owed is negative.

    `available` is what can be drawn on at that instant, after what has expired.
    """

    account_id: UUID
    contract_id: UUID
    name: str
    kind: str
    unit: str
    counted_in: str
    unit_minutes: int
    balance: int
    available: int | None
    balance_text: dict[str, str]


class LotView(View):
    """A grant, and what is left of it. `expires_at` is exclusive."""

    lot_id: UUID
    cause: str
    reason: str
    effective_from: datetime
    expires_at: datetime | None
    granted: int
    remaining: int


class AccountDetailView(AccountView):
    """An account with the grants it holds."""

    lots: list[LotView]


class GrantView(View):
    """A grant that was made, and the account after it."""

    lot_id: UUID
    quantity: int
    account: AccountView


class EntryView(View):
    """One side of a transaction. `effective_at` is when it was true, `recorded_at` when it was learnt."""

    seq: int
    transaction_id: UUID
    lot_id: UUID | None
    counted_in: str
    amount: int
    effective_at: datetime
    recorded_at: datetime
    cause: str
    reason: str
    clauses: list[str]
    ticket_id: UUID | None
    work_id: UUID | None


class StandingView(View):
    """A contract's standing, from an instant on."""

    contract_id: UUID
    standing: str
    reason: str
    effective_at: datetime
