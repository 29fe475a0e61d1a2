"""Policies, customers, contacts and contracts."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, TypeVar
from uuid import UUID

from pydantic import BeforeValidator, Field

from plazo.policy.agreed import AgreedTerms
from plazo.runtime.inputs import Input, Instant, Line, Name, Prose, View
from tickets.schemas.words import Day, Email, Reference, Zone

T = TypeVar("T")


def _refuse_null(value: object) -> object:
    if value is None:
        raise ValueError("expected a value; leave it out to keep what there is")
    return value


#: What a change may leave out, but not empty.
Given = Annotated[T | None, BeforeValidator(_refuse_null)]


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


class NewPolicyVersion(View):
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


class CustomerChange(Input):
    """Particulars of a customer to change; what is not named stays."""

    name: Given[Line] = None
    segment: Name | None = None
    language: Given[Literal["es", "en"]] = None
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


Emails = Annotated[list[Email], Field(max_length=20)]
ContactRole = Literal["administrator", "member"]


class ContactCreate(Input):
    """A person of a customer. The customer's `administrator` may always ask; a `member` once it is authorized."""

    customer_id: Reference
    name: Line
    emails: Emails = Field(default_factory=list)
    phone: Line | None = None
    language: Literal["es", "en"] | None = None
    role: ContactRole = "member"
    authorized: bool = False


class ContactChange(Input):
    """Particulars of a contact to change; what is not named stays."""

    name: Given[Line] = None
    emails: Given[Emails] = None
    phone: Line | None = None
    language: Literal["es", "en"] | None = None
    role: Given[ContactRole] = None


class EmailConfirmation(Input):
    """Addresses to confirm, of those that a customer gave for its contact; all of them if left out."""

    emails: Emails | None = None


class AuthorizationView(View):
    """Whether a contact was authorized, and who decided that, when."""

    authorized: bool
    decided_by: str | None
    decided_by_contact: UUID | None
    decided_at: datetime | None


class ContactView(View):
    """A person of a customer; `may_ask` says whether it may open and answer tickets.

    It is known by `emails`; `unconfirmed_emails` its customer gave, and the desk has not confirmed them.
    """

    contact_id: UUID
    customer_id: UUID
    version: int
    name: str
    emails: list[str]
    unconfirmed_emails: list[str]
    phone: str | None
    language: str | None
    role: str
    may_ask: bool
    authorization: AuthorizationView
    created_at: datetime


class ProductCreate(Input):
    """A product of the catalog; contracts name it by `name`."""

    name: Name
    title: Line


class ProductView(View):
    """A product of the catalog."""

    name: str
    title: str
    created_at: datetime


Arrangement = Literal["plan", "monthly", "warranty", "per_event"]
Products = Annotated[list[Name], Field(max_length=200)]


class ContractCreate(Input):
    """A new contract. Dates are local to the policy's zone, `valid_until` and `warranty_until` are exclusive.

    `products` are of the desk's catalog, if it has any. `agreed` are terms that speak before the policy.
    """

    customer_id: Reference
    policy: Name
    plan: Name | None = None
    arrangement: Arrangement = "plan"
    products: Products = Field(default_factory=list)
    valid_from: Day
    valid_until: Day | None = None
    warranty_until: Day | None = None
    account: Line | None = None
    agreed: AgreedTerms | None = None


class ContractChange(Input):
    """Terms of a contract to change; what is not named stays. What is open keeps the terms it was opened under."""

    plan: Name | None = None
    arrangement: Given[Arrangement] = None
    products: Given[Products] = None
    valid_until: Day | None = None
    warranty_until: Day | None = None
    account: Line | None = None
    agreed: AgreedTerms | None = None


class RenewalCreate(Input):
    """A renewal: until when, and from when if there is a gap."""

    valid_from: Day | None = None
    valid_until: Day | None = None


class AcceptanceCreate(Input):
    """Something the customer accepts with the contract, by the policy's name; now, unless it says when."""

    name: Name
    accepted_by: Line
    accepted_at: Instant | None = None


class PurchaseOrderCreate(Input):
    """An order of the customer, for a number of `events`, or any number of them."""

    number: Line
    valid_from: Day
    valid_until: Day | None = None
    events: Annotated[int, Field(ge=1, le=1_000_000)] | None = None


class PurchaseOrderView(View):
    """A purchase order, and how many events were asked for under it."""

    number: str
    valid_from: date
    valid_until: date | None
    events: int | None
    used: int
    is_open: bool
    recorded_by: str
    recorded_at: datetime


class VoidCreate(Input):
    """A product without support from a date on, and why."""

    product: Name
    valid_from: Day = Field(alias="from")
    reason: Line


class LiftCreate(Input):
    """From when on a voided product has support again, and why."""

    valid_from: Day = Field(alias="from")
    reason: Line


class VoidView(View):
    """A product without support, until when if that was lifted, and who says so."""

    void_id: UUID
    product: str
    valid_from: date
    valid_until: date | None
    reason: str
    recorded_by: str
    recorded_at: datetime
    lifted_for: str | None
    lifted_by: str | None


class PeriodView(View):
    """A validity; its end is exclusive."""

    valid_from: date
    valid_until: date | None


class AcceptanceView(View):
    """Something that was accepted with the contract: by whom, and when."""

    name: str
    accepted_by: str
    accepted_at: datetime


class ContractView(View):
    """A contract. `unstated` is what the policy wants it to state, `missing_acceptances` what nobody accepted yet."""

    contract_id: UUID
    customer_id: UUID
    policy: str
    plan: str | None
    arrangement: str
    products: list[str]
    valid_from: date
    valid_until: date | None
    warranty_until: date | None
    account: str | None
    agreed: dict[str, Any] | None
    earlier_periods: list[PeriodView]
    voided_products: list[str]
    acceptances: list[AcceptanceView]
    missing_acceptances: list[str]
    unstated: list[str]
