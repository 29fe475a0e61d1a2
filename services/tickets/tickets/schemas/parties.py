"""Policies, customers and contracts."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field

from plazo.runtime.inputs import Input, Line, Name, Prose, View
from tickets.schemas.words import Day, Email, Reference, Zone


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
