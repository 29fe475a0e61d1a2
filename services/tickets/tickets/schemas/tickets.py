"""Tickets, as they are shown."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import Field

from plazo.runtime.inputs import View


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


class CoverageView(View):
    """Whether the contract covers the request; where it does not, why, by which clauses, and which team has it."""

    covered: bool
    note: dict[str, str]
    clauses: list[str]
    route: str | None


class WaitView(View):
    """Whom a ticket waits for, why, and since and until when."""

    cause: str
    reason: str
    since: datetime
    until: datetime | None


class AttemptsView(View):
    """How often the customer was tried to be reached since it last answered, and when the ticket then is abandoned."""

    made: int
    closes_at: datetime | None


class TicketView(View):
    """A ticket with its clocks, level and charges, as far as they are known here.

    `flags` name what the request lacks. `severity_confirmed` is false as long as the severity is provisional, null
    where nobody has to confirm it. `received_at` is when the request reached the desk, where that is not the opening.
    `admission` says whether billing lets it be worked on: `not_required`, `pending` (no answer yet, so no clock runs),
    `granted` or `withheld` (see `hold`).
    `next_due_at` is the next instant of what is owed, `breached` says that a promise is broken.
    """

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
    contact_id: UUID | None
    contract_id: UUID | None
    policy: str
    policy_version: str
    language: str
    facts: dict[str, bool | int | str]
    severity: str | None
    priority: str | None
    severity_confirmed: bool | None
    covered: bool
    coverage: CoverageView
    flags: list[str]
    parts: dict[str, str]
    checklist: dict[str, bool]
    admission: str
    hold: HoldView | None
    waits: list[str]
    waiting: list[WaitView]
    attempts: AttemptsView
    team: str | None
    level: int
    assignee: str | None
    resolution: ResolutionView | None
    received_at: datetime | None
    opened_at: datetime
    acknowledged_at: datetime | None
    closed_at: datetime | None
    closed_for: str | None
    merged_into: UUID | None
    next_due_at: datetime | None
    breached: bool
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
