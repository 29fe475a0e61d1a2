"""What goes in and out over HTTP."""

import re
from datetime import date, datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BeforeValidator, Field, StringConstraints

from plazo.runtime.inputs import Fact, Input, Instant, Line, Name, Prose, View


def _refuse_other_than_date(value: Any) -> Any:
    """Refuse what pydantic would take for a date: a number, an instant at midnight."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        return value
    raise ValueError("expected a date such as 2026-05-04")


Stated = Annotated[dict[Name, Fact], Field(max_length=100)]
Zone = Annotated[str, StringConstraints(max_length=64, pattern=r"^[A-Za-z0-9_+/:-]+$")]
Day = Annotated[
    date, Field(strict=False, ge=date(1970, 1, 1), lt=date(2200, 1, 1)), BeforeValidator(_refuse_other_than_date)
]
Reference = Annotated[UUID, Field(strict=False)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]


class DeskCreate(Input):
    """A new desk; `clock_at` is where the test clock of a sandbox starts, the present unless given."""

    name: Line
    sandbox: bool = False
    timezone: Zone = "UTC"
    clock_at: Instant | None = None


class DeskCreated(View):
    """A desk and its first administrator key, which is shown this once."""

    desk_id: UUID
    name: str
    sandbox: bool
    clock_at: datetime | None
    api_key: str


class DeskView(View):
    """A desk."""

    desk_id: UUID
    name: str
    sandbox: bool
    timezone: str
    clock_at: datetime | None


class KeyCreate(Input):
    """A new API key. A requester's key belongs to a customer and sees that customer only."""

    role: Literal["requester", "agent", "manager", "administrator", "integration"]
    label: Line
    customer_id: Reference | None = None
    expires_at: Instant | None = None


class KeyCreated(View):
    """A key; its secret is shown this once."""

    key_id: str
    role: str
    label: str
    api_key: str


class KeyView(View):
    """A key without its secret."""

    key_id: str
    role: str
    label: str
    customer_id: UUID | None
    expires_at: datetime | None
    revoked_at: datetime | None


class PolicyPublish(Input):
    """A policy document, as its YAML text."""

    document: Prose


class FindingView(View):
    """What the check of a policy document noticed."""

    severity: str
    kind: str
    pointer: str
    message: str
    line: int | None


class PolicyView(View):
    """A published version of a policy."""

    policy: str
    version: str
    effective_from: date
    published_at: datetime


class PolicyPublished(View):
    """A version just published, and what its check noticed."""

    policy: str
    version: str
    effective_from: date
    findings: list[FindingView]


class CustomerCreate(Input):
    """A new customer. `region` names the holiday layer of a policy that holds where the customer is."""

    name: Line
    segment: Name | None = None
    language: Literal["es", "en"] = "es"
    timezone: Zone | None = None
    region: Name | None = None
    email: Email | None = None


class CustomerView(View):
    """A customer."""

    customer_id: UUID
    name: str
    segment: str | None
    language: str
    timezone: str | None
    region: str | None
    email: str | None
    created_at: datetime


class ContractCreate(Input):
    """A new contract. Dates are local to the policy's zone, `valid_until` and `warranty_until` are exclusive."""

    customer_id: Reference
    policy: Name
    plan: Name | None = None
    arrangement: Literal["plan", "monthly", "warranty", "per_event"] = "plan"
    products: Annotated[list[Name], Field(max_length=200)] = Field(default_factory=list)
    valid_from: Day
    valid_until: Day | None = None
    warranty_until: Day | None = None


class ContractView(View):
    """A contract."""

    contract_id: UUID
    customer_id: UUID
    policy: str
    plan: str | None
    arrangement: str
    products: list[str]
    valid_from: date
    valid_until: date | None
    warranty_until: date | None


class TicketCreate(Input):
    """A request. `facts` are what the customer states, by the names that the contract's policy declares."""

    contract_id: Reference
    subject: Line
    description: Prose
    channel: Literal["email", "portal", "phone", "chat", "video", "help_center", "adviser", "webhook", "api"] = "api"
    contact_name: Line | None = None
    contact_email: Email | None = None
    language: Literal["es", "en"] | None = None
    facts: Stated = Field(default_factory=dict)


class DecisionView(View):
    """Something a rule of the policy decided, as of a version of the ticket."""

    about: str
    value: str
    rule: int | None = Field(description="place of the rule in its table, from 0; null for a default")
    clauses: list[str]
    version: int
    decided_at: datetime


class ResolutionView(View):
    """How a ticket was resolved."""

    kind: str
    text: str
    resolved_at: datetime


class HoldView(View):
    """Why a ticket is kept and not worked on."""

    reason: str
    clause: str | None


class TicketView(View):
    """A ticket with its clocks, level and charges, as far as they are known here."""

    ticket_id: UUID
    number: str
    version: int
    state: str
    cycle: int
    subject: str
    description: str
    channel: str
    customer_id: UUID
    customer_name: str
    contact_name: str | None
    contact_email: str | None
    contract_id: UUID | None
    policy: str
    policy_version: str
    language: str
    facts: dict[str, bool | int | str]
    severity: str | None
    priority: str | None
    covered: bool
    hold: HoldView | None
    waits: list[str]
    team: str | None
    level: int
    assignee: str | None
    resolution: ResolutionView | None
    opened_at: datetime
    closed_at: datetime | None
    closed_for: str | None
    clocks: list[dict[str, Any]]
    escalations: list[dict[str, Any]]
    charges: list[dict[str, Any]]


class FactsChange(Input):
    """Stated facts to change; null withdraws one. What depends on them is decided again."""

    facts: Annotated[dict[Name, Fact | None], Field(min_length=1, max_length=100)]


class ReplyCreate(Input):
    """Something said. From the desk's people an `internal` one is a note that the customer never sees."""

    text: Prose
    channel: Literal["email", "portal", "phone", "chat", "video", "help_center", "adviser"] = "email"
    internal: bool = False


class WaitCreate(Input):
    """A wait to begin."""

    cause: Literal["customer", "vendor", "agreed_window"]
    reason: Line


class DateCreate(Input):
    """The date by which the work shall be done."""

    due_at: Instant


class ResolutionCreate(Input):
    """How it was resolved; `kind` is one that the policy names."""

    kind: Name = "fix"
    text: Prose


class ReopeningCreate(Input):
    """Why it is not solved."""

    reason: Line


class ClosingCreate(Input):
    """Why it is over: the customer confirms, or withdraws the request."""

    reason: Literal["confirmed", "withdrawn"]


class TimelineEntryView(View):
    """Something that happened. `occurred_at` is when it was true, `recorded_at` when it was learnt."""

    seq: int
    occurred_at: datetime
    recorded_at: datetime
    kind: str
    actor: str
    internal: bool
    text: str | None
    data: dict[str, Any]


class KeptRequestView(View):
    """A request that did not become a ticket."""

    request_id: UUID
    outcome: str
    reason: str
    clauses: list[str]
    body: dict[str, Any]
    received_at: datetime
