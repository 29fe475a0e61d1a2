"""Quotes and previews: what work would cost."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import Field, model_validator

from billing.schemas.words import Reference, Stated
from billing.schemas.work import LineView
from plazo.runtime.inputs import Input, Instant, Prose, View


class _Planned(Input):
    """Work that may be done: on a ticket, or under a contract with facts of its own."""

    ticket_id: Reference | None = None
    contract_id: Reference | None = None
    at: Instant | None = None
    minutes: Annotated[int, Field(ge=1, le=60 * 24 * 31)]
    facts: Stated = Field(default_factory=dict)

    @model_validator(mode="after")
    def _name_one(self) -> "_Planned":
        if (self.ticket_id is None) == (self.contract_id is None):
            raise ValueError("expected either ticket_id or contract_id")
        return self


class PreviewCreate(_Planned):
    """Work whose price is asked for. Without `at` it is done now."""


class AmountInput(Input):
    """An amount in minor units of a currency."""

    minor: Annotated[int, Field(ge=1, le=10**12)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]


class QuoteCreate(_Planned):
    """Work that is offered to the customer until `valid_until`. `extra` is an amount agreed beside it (SMA-18)."""

    description: Prose
    valid_until: Instant
    extra: AmountInput | None = None


class AcceptanceCreate(Input):
    """Whose ticket an accepted quote is for, where it was offered under a contract."""

    ticket_id: Reference | None = None


class CostView(View):
    """What work costs of an account, or as debt: `quantity` counts `unit`."""

    account: str | None
    unit: str
    quantity: int


class PreviewView(View):
    """What work would cost if it were logged, by the same path. `share` says what it takes of what there is."""

    worked_minutes: int
    rounded_minutes: int
    charged_minutes: int
    costs: list[CostView]
    clauses: list[str]
    reason: str | None
    explanation: dict[str, str]
    share: dict[str, str] | None
    lines: list[LineView]


class QuoteView(View):
    """A quote. `quantity` of `account` is set aside while it is accepted, until work takes it or `valid_until`."""

    quote_id: UUID
    contract_id: UUID
    ticket_id: UUID | None
    state: Literal["offered", "accepted", "declined", "released", "expired"]
    description: str
    at: datetime
    minutes: int
    facts: dict[str, Any]
    account: str | None
    counted_in: str
    quantity: int
    extra_minor: int | None
    extra_currency: str | None
    charges: list[CostView]
    clauses: list[str]
    explanation: dict[str, str]
    valid_until: datetime
    quoted_at: datetime
    quoted_by: str
    decided_at: datetime | None
    decided_by: str | None
