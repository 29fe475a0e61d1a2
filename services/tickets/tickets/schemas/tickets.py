"""Tickets, as they are asked for and shown."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from plazo.runtime.inputs import Input, Line, Prose, View
from tickets.schemas.words import Email, Reference, Stated


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
