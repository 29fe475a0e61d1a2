"""What goes in and out over HTTP. A quantity counts what stands beside it: credit units, minutes, minor currency."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt, StringConstraints, model_validator

from plazo.runtime.inputs import Input, Instant, Line, Name, Prose, View

Reference = Annotated[UUID, Field(strict=False)]
Stated = Annotated[
    dict[Name, StrictBool | Annotated[StrictInt, Field(ge=-(10**12), le=10**12)] | Line], Field(max_length=100)
]
Worded = Annotated[
    str, StringConstraints(max_length=30, pattern=r"^([1-9]\d{0,6} (unit|workday)s?|(\d{1,6}h)?(\d{1,6}m)?)$")
]


class GrantCreate(Input):
    """A top-up. A number is whole units of the account (hours, workdays, credit units, minor currency); text is as
    policies word it: `90m`, `2 workdays`, `5 units`. The instants are at most the present, and the end exclusive."""

    quantity: Annotated[int, Field(ge=1, le=10**9)] | Worded = Field(examples=[10, "90m"])
    reason: Line
    effective_at: Instant | None = None
    expires_at: Instant | None = None


class StandingCreate(Input):
    """What a contract's standing is from now on."""

    contract_id: Reference
    standing: Literal["good", "overdue", "blocked"]
    reason: Line


class WorkCreate(Input):
    """Work that was done, or a customer's absence from an appointment (`no_show`). `facts` are those of the work
    alone, such as where it was done; they go before the ticket's."""

    ticket_id: Reference
    kind: Literal["work", "no_show"] = "work"
    started_at: Instant
    minutes: Annotated[int, Field(ge=0, le=60 * 24 * 31)]
    description: Prose
    appointment: Name | None = None
    facts: Stated = Field(default_factory=dict)

    @model_validator(mode="after")
    def _fit_kind(self) -> "WorkCreate":
        if self.kind == "work" and self.minutes < 1:
            raise ValueError("minutes: expected at least 1 for work")
        if self.kind == "no_show" and self.appointment is None:
            raise ValueError("appointment: expected the appointment that the customer missed")
        return self


class VoidCreate(Input):
    """Why a piece of work does not count."""

    reason: Line


class PartView(View):
    """What pays for a part of a charge: a lot of the account, or the customer's debt."""

    source: Literal["lot", "owed", "overage", "refused"]
    lot_id: UUID | None
    unit: str
    quantity: int


class LineView(View):
    """What one piece of work costs; worked, rounded and charged minutes are kept apart."""

    work_id: UUID
    kind: str
    at: datetime
    worked_minutes: int
    rounded_minutes: int
    charged_minutes: int
    reason: str | None
    clauses: list[str]
    paid_by: list[PartView]


class ChargeView(View):
    """What a change did to the charges of a ticket: `quantity` by it, `total` after it, minutes over all its work."""

    charge_id: UUID
    ticket_id: UUID
    account_id: UUID | None
    cause: str
    unit: str
    quantity: int
    total: int
    worked_minutes: int
    rounded_minutes: int
    charged_minutes: int
    reason: str | None
    clauses: list[str]
    explanation: dict[str, str]
    lines: list[LineView]
    charged_at: datetime


class WorkView(View):
    """A piece of work as it was logged."""

    work_id: UUID
    ticket_id: UUID
    kind: str
    started_at: datetime
    minutes: int
    description: str
    facts: dict[str, bool | int | str]
    appointment: str | None
    logged_by: str
    recorded_at: datetime
    voided_at: datetime | None
    void_reason: str | None


class ChargedWorkView(View):
    """A piece of work, and the charges it made, for its own ticket first."""

    work: WorkView
    charges: list[ChargeView]


class PreviewView(View):
    """What a piece of work would cost if it were logged now."""

    charges: list[ChargeView]


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


class VerificationView(View):
    """Whether the ledger agrees with itself; `faults` says where it does not."""

    agrees: bool
    transactions: int
    sealed: int
    faults: list[str]


class TicketUseView(View):
    """What a ticket took from an account."""

    ticket_id: UUID
    number: str
    quantity: int


class AccountStatementView(View):
    """What happened to an account in a month. `opening + granted - expired - used = closing`."""

    account_id: UUID
    name: str
    kind: str
    counted_in: str
    opening: int
    granted: int
    expired: int
    used: int
    closing: int
    by_ticket: list[TicketUseView]


class StatementView(View):
    """A contract's accounts over a month of its policy's zone, by the instants at which work was done."""

    contract_id: UUID
    month: str
    begins_at: datetime
    ends_at: datetime
    accounts: list[AccountStatementView]
