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


class AccountLow(_BillingEvent):
    """A balance fell below the `threshold` that the policy names; once each time it does. Aggregate: the account."""

    name: ClassVar[str] = "account.low"

    account_id: UUID
    contract_id: UUID
    customer_id: UUID
    account_name: str
    unit: str
    balance: int
    threshold: int
    clause: str | None


class QuoteChanged(_BillingEvent):
    """A quote was offered, accepted, declined, released or has expired. Aggregate: the ticket, or else the contract.

    `quantity` whole `unit`s are set aside while it is accepted; `extra_minor` is an amount agreed beside them.
    """

    name: ClassVar[str] = "quote.changed"

    quote_id: UUID
    contract_id: UUID
    ticket_id: UUID | None
    state: Literal["offered", "accepted", "declined", "released", "expired"]
    unit: str
    quantity: int
    extra_minor: int | None
    extra_currency: str | None
    valid_until: datetime
    clauses: tuple[str, ...]
    explanation: dict[str, str]


class AccountStandingChanged(_BillingEvent):
    """A contract's standing is now `standing`. Aggregate: the contract."""

    name: ClassVar[str] = "account.standing_changed"

    contract_id: UUID
    standing: Literal["good", "overdue", "blocked"]


class ServiceCreditGranted(_BillingEvent):
    """The provider owes the customer for a breached guarantee. Aggregate: the ticket.

    `amount` is what is owed more by this, `total` what is owed for the breach after it, in minor units of the currency
    `unit`, or in whole percents of the month's fee (`percent`) where the contract names no fee. `credit_id` is the
    clock's.
    """

    name: ClassVar[str] = "service_credit.granted"

    ticket_id: UUID
    contract_id: UUID
    credit_id: UUID
    kind: str
    month: str
    breached_at: datetime
    percent: int
    unit: str
    amount: int
    total: int
    clauses: tuple[str, ...]
    explanation: dict[str, str]


class ServiceCreditReversed(_BillingEvent):
    """What was owed for a breach is owed no more, or less of it, `because` of a named fact. Aggregate: the ticket."""

    name: ClassVar[str] = "service_credit.reversed"

    ticket_id: UUID
    contract_id: UUID
    credit_id: UUID
    month: str
    unit: str
    amount: int
    total: int
    because: str
    clauses: tuple[str, ...]
    explanation: dict[str, str]


class StatementClosed(_BillingEvent):
    """A month of a contract is closed for good: what comes after lands in the next. Aggregate: the contract."""

    name: ClassVar[str] = "statement.closed"

    contract_id: UUID
    customer_id: UUID
    month: str
    number: int
    hash: str
    closed_at: datetime


class TimerRequested(_BillingEvent, TimerRequest):
    """`sla-clock` shall say when an instant has come."""


class TimerWithdrawn(_BillingEvent, TimerWithdrawal):
    """The timer is not wanted any more."""


EVENTS: tuple[type[Event], ...] = (
    AdmissionGranted,
    AdmissionWithheld,
    ChargeAccrued,
    AccountChanged,
    AccountLow,
    AccountStandingChanged,
    QuoteChanged,
    ServiceCreditGranted,
    ServiceCreditReversed,
    StatementClosed,
    TimerRequested,
    TimerWithdrawn,
)
