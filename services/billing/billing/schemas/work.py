"""Work and what it is charged."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, model_validator

from billing.schemas.words import Reference, Stated
from plazo.runtime.inputs import Input, Instant, Line, Name, Prose, View


class WorkCreate(Input):
    """Work that was done, or a customer's absence from an appointment (`no_show`). `facts` are those of the work
    alone, such as where it was done; they go before the ticket's. `quote_id` is the accepted quote that the work was
    done under."""

    ticket_id: Reference
    kind: Literal["work", "no_show", "late_cancellation"] = "work"
    started_at: Instant
    minutes: Annotated[int, Field(ge=0, le=60 * 24 * 31)]
    description: Prose
    appointment: Name | None = None
    facts: Stated = Field(default_factory=dict)
    quote_id: Reference | None = None

    @model_validator(mode="after")
    def _fit_kind(self) -> "WorkCreate":
        if self.kind == "work" and self.minutes < 1:
            raise ValueError("minutes: expected at least 1 for work")
        if self.kind != "work" and self.appointment is None:
            raise ValueError("appointment: expected the appointment that came to nothing")
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
    """A piece of work as it was logged; `quote_id` is the quote it was done under, `reference` that of its import."""

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
    quote_id: UUID | None = None
    reference: str | None = None


class ChargedWorkView(View):
    """A piece of work, and the charges it made, for its own ticket first."""

    work: WorkView
    charges: list[ChargeView]
