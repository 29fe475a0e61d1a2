"""What `tickets` announces."""

from datetime import date, datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from plazo.events import ticket_dossier, ticket_intake, ticket_life
from plazo.events.envelope import Event
from plazo.events.timers import TimerRequest, TimerWithdrawal

FactValue = bool | int | str
Facts = dict[str, FactValue]


class KeyCopy(BaseModel):
    """An API key as the services keep it: the hash of its secret, never the secret."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key_id: str
    secret_hash: str
    role: str
    label: str
    customer_id: UUID | None = None
    contact_id: UUID | None = None
    expires_at: datetime | None = None


class _TicketsEvent(Event):
    producer: ClassVar[str] = "tickets"


class DeskCreated(_TicketsEvent):
    """A desk exists. Aggregate: the desk. `clock_at` is set for a sandbox desk, whose time stands still."""

    name: ClassVar[str] = "desk.created"

    desk_name: str
    sandbox: bool
    timezone: str
    clock_at: datetime | None
    key: KeyCopy


class KeyIssued(_TicketsEvent):
    """An API key is valid. Aggregate: the desk. `scopes` are the services it may read or write, all unless given."""

    name: ClassVar[str] = "key.issued"

    key: KeyCopy
    scopes: tuple[str, ...] | None = None


class KeyRevoked(_TicketsEvent):
    """An API key is no longer valid. Aggregate: the desk."""

    name: ClassVar[str] = "key.revoked"

    key_id: str


class KeyRotated(_TicketsEvent):
    """An API key has a new secret; the one before is valid until `previous_until`. Aggregate: the desk."""

    name: ClassVar[str] = "key.rotated"

    key_id: str
    secret_hash: str
    previous_until: datetime


class PolicyPublished(_TicketsEvent):
    """A version of a policy document takes effect. Aggregate: the policy of that desk.

    `document` is the whole policy as JSON, see :class:`plazo.policy.Policy`.
    """

    name: ClassVar[str] = "policy.published"

    policy: str
    policy_version: str
    effective_from: date
    document: dict[str, Any]


class CustomerRegistered(_TicketsEvent):
    """A customer exists or its particulars changed; the newest holds. Aggregate: the customer."""

    name: ClassVar[str] = "customer.registered"

    customer_id: UUID
    customer_name: str
    segment: str | None
    language: str
    timezone: str | None
    region: str | None = None
    email: str | None = None


class ContractSigned(_TicketsEvent):
    """A contract exists or its terms changed; the newest holds. Aggregate: the contract.

    `valid_from` and `valid_until` (exclusive) are dates in the policy's zone. `arrangement` says what kind of
    contract it is: PRO-02. `agreed` are terms that go before the policy's, the JSON of
    :class:`plazo.policy.AgreedTerms` (SKE-12).
    """

    name: ClassVar[str] = "contract.signed"

    contract_id: UUID
    customer_id: UUID
    policy: str
    plan: str | None
    arrangement: Literal["plan", "monthly", "warranty", "per_event"]
    products: tuple[str, ...] = ()
    valid_from: date
    valid_until: date | None
    warranty_until: date | None = None
    agreed: dict[str, Any] | None = None
    account: str | None = None


class TicketOpened(_TicketsEvent):
    """A customer asked for something. Aggregate: the ticket, as of every event below.

    `facts` are all the named facts that rules may compare, the decided ones (severity, priority, level, plan)
    among them. `admission` is `pending` where the contract lets only a solvent customer in: the clocks then wait
    for `ticket.admitted`. `clocks` is false where the ticket is out of coverage. `customer_region` names the
    holiday layer of the policy that holds where the customer is (EXP-16). `agreed` are the contract's own terms as
    they were then, see :class:`ContractSigned`; the ticket keeps them (SKE-12). `received_at` is when the request
    reached the desk, where that is not the opening. `flags` name what it lacks, `missing` words the steps of the
    checklist that were not tried, by language (EXP-10). `imported`, here and below, is true for what happened in
    another desk and was brought from there: nobody is told of it.
    """

    name: ClassVar[str] = "ticket.opened"

    ticket_id: UUID
    number: str
    subject: str
    customer_id: UUID
    customer_name: str
    contact_name: str | None
    contact_email: str | None
    contract_id: UUID | None
    policy: str
    policy_version: str
    facts: Facts
    covered: bool
    clocks: bool
    admission: Literal["not_required", "pending"]
    opened_at: datetime
    language: str = "es"
    customer_timezone: str | None = None
    customer_region: str | None = None
    description: str | None = None
    agreed: dict[str, Any] | None = None
    contact_id: UUID | None = None
    received_at: datetime | None = None
    flags: tuple[str, ...] = ()
    missing: tuple[dict[str, str], ...] = ()
    imported: bool = False


class TicketAdmitted(_TicketsEvent):
    """The ticket may be worked on; its clocks count from `counts_from`: the opening, or the release of a hold."""

    name: ClassVar[str] = "ticket.admitted"

    counts_from: datetime


class TicketHeld(_TicketsEvent):
    """The ticket is kept, but not worked on, for `reason` (`awaiting_credit`, `overdue`, `no_contract`)."""

    name: ClassVar[str] = "ticket.held"

    reason: str
    clause: str | None


class TicketFactsChanged(_TicketsEvent):
    """Named facts changed. `facts` are all of them after the change, `changed` the names of those that differ.

    `corrects` is false where an escalation changed them: a promise that is broken by then stays as it is.
    """

    name: ClassVar[str] = "ticket.facts_changed"

    facts: Facts
    changed: tuple[str, ...]
    covered: bool = True
    clocks: bool = True
    corrects: bool = True


class TicketAnswered(_TicketsEvent):
    """The provider contacted the customer: a reply or a call, never an internal note (PRO-15)."""

    name: ClassVar[str] = "ticket.answered"

    activity: Literal["receipt", "reply", "call", "assessment"]
    channel: str
    by: str
    imported: bool = False


class CustomerReplied(_TicketsEvent):
    """The customer wrote or called."""

    name: ClassVar[str] = "ticket.customer_replied"

    channel: str
    by: str
    imported: bool = False


class TicketWaitStarted(_TicketsEvent):
    """The ticket waits for `cause`: `customer`, `vendor` or `agreed_window`. One wait of each cause at a time."""

    name: ClassVar[str] = "ticket.wait_started"

    cause: Literal["customer", "vendor", "agreed_window"]
    reason: str
    until: datetime | None = None


class TicketWaitEnded(_TicketsEvent):
    """The wait for `cause` is over."""

    name: ClassVar[str] = "ticket.wait_ended"

    cause: Literal["customer", "vendor", "agreed_window"]


class TicketDateAgreed(_TicketsEvent):
    """An agent recorded the date by which the work shall be done (PRO-16, SKE-06)."""

    name: ClassVar[str] = "ticket.date_agreed"

    due_at: datetime
    by: str


class TicketResolved(_TicketsEvent):
    """The provider says it is solved."""

    name: ClassVar[str] = "ticket.resolved"

    kind: str
    text: str
    by: str
    imported: bool = False


class TicketReopened(_TicketsEvent):
    """The resolution did not hold. `cycle` counts from 1 at the opening (SMA-13).

    `clocks` says whether promises hold for it now: one that was over when it was imported had none.
    """

    name: ClassVar[str] = "ticket.reopened"

    cycle: int
    reason: str
    clocks: bool | None = None


class TicketClosed(_TicketsEvent):
    """The dossier is complete, for `reason`: `confirmed`, `abandoned` or `withdrawn`."""

    name: ClassVar[str] = "ticket.closed"

    reason: Literal["confirmed", "abandoned", "withdrawn"]
    imported: bool = False


class TimerRequested(_TicketsEvent, TimerRequest):
    """`sla-clock` shall say when an instant has come."""


class TimerWithdrawn(_TicketsEvent, TimerWithdrawal):
    """The timer is not wanted any more."""


EVENTS: tuple[type[Event], ...] = (
    DeskCreated,
    KeyIssued,
    KeyRevoked,
    KeyRotated,
    PolicyPublished,
    CustomerRegistered,
    ContractSigned,
    TicketOpened,
    TicketAdmitted,
    TicketHeld,
    TicketFactsChanged,
    TicketAnswered,
    CustomerReplied,
    TicketWaitStarted,
    TicketWaitEnded,
    TicketDateAgreed,
    TicketResolved,
    TicketReopened,
    TicketClosed,
    *ticket_dossier.EVENTS,
    *ticket_life.EVENTS,
    *ticket_intake.EVENTS,
    TimerRequested,
    TimerWithdrawn,
)
