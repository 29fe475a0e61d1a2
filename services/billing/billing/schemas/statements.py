"""Statements of a contract."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from billing.domain.statement import AccountMonth, CreditLine, LateEntry
from plazo.runtime.inputs import View


class ClosedMonthView(View):
    """A closed month: its hash is made over the whole statement and the hash of the month before it."""

    contract_id: UUID
    month: str
    number: int
    closed_at: datetime
    previous_hash: str
    hash: str


class StatementView(View):
    """A contract's accounts over a month of its policy's zone, by the instants at which work was done.

    A closed month never changes; what comes after is `late` in the next one.
    """

    state: Literal["open", "closed"]
    number: int | None
    closed_at: datetime | None
    previous_hash: str | None
    hash: str | None
    contract_id: UUID
    customer_id: UUID
    policy: str
    plan: str | None
    provider: str
    month: str
    timezone: str
    locale: str
    begins_at: datetime
    ends_at: datetime
    accounts: list[AccountMonth]
    late: list[LateEntry]
    credits: list[CreditLine]
    entries: int
    entries_hash: str
