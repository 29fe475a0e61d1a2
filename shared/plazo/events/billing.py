"""What `billing` announces."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from plazo.events.envelope import Event
from plazo.events.timers import TimerRequest, TimerWithdrawal


class _BillingEvent(Event):
    producer: ClassVar[str] = "billing"


class AdmissionGranted(_BillingEvent):
    """Standing and balance let the ticket in. Aggregate: the ticket."""

    name: ClassVar[str] = "admission.granted"

    ticket_id: UUID
    clauses: tuple[str, ...] = ()


class AdmissionWithheld(_BillingEvent):
    """Standing or balance keeps the ticket out, for `reason` (`awaiting_credit`, `overdue`). Aggregate: the ticket."""

    name: ClassVar[str] = "admission.withheld"

    ticket_id: UUID
    reason: str
    clause: str | None


class ChargeAccrued(_BillingEvent):
    """What the ticket's work comes to now. Aggregate: the ticket.

    `quantity` is what this charge changed, in whole `unit`s (`credit_unit`, `minute`, or the minor unit of a currency
    by its ISO code), negative where it corrects; `total` is the sum over the ticket in that unit after it.
    `explanation` is keyed by language; `reason` says why nothing at all is charged, where nothing is.
    """

    name: ClassVar[str] = "charge.accrued"

    ticket_id: UUID
    charge_id: UUID
    account_id: UUID | None
    unit: str
    quantity: int
    total: int
    worked_minutes: int
    charged_minutes: int
    cause: str
    clauses: tuple[str, ...]
    explanation: dict[str, str]
    charged_at: datetime
    reason: str | None = None


class AccountChanged(_BillingEvent):
    """The balance of an account moved. Aggregate: the account."""

    name: ClassVar[str] = "account.changed"

    account_id: UUID
    contract_id: UUID
    unit: str
    balance: int


class AccountStandingChanged(_BillingEvent):
    """A contract's standing is now `standing`. Aggregate: the contract."""

    name: ClassVar[str] = "account.standing_changed"

    contract_id: UUID
    standing: Literal["good", "overdue", "blocked"]


class TimerRequested(_BillingEvent, TimerRequest):
    """`sla-clock` shall say when an instant has come."""


class TimerWithdrawn(_BillingEvent, TimerWithdrawal):
    """The timer is not wanted any more."""


EVENTS: tuple[type[Event], ...] = (
    AdmissionGranted,
    AdmissionWithheld,
    ChargeAccrued,
    AccountChanged,
    AccountStandingChanged,
    TimerRequested,
    TimerWithdrawn,
)
