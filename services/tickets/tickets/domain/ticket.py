"""A ticket as its use cases see it."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from tickets.domain.lifecycle import State

FactValue = bool | int | str
Facts = dict[str, FactValue]


@dataclass(frozen=True, slots=True)
class Decision:
    """Something a rule of the policy decided: what, how, and by which clause; `rule` is its place in its table.

    A decision with no rule is the default that holds where the document is silent.
    """

    about: str
    value: str
    rule: int | None
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request and where it stands.

    `given` are the facts that people stated, `facts` those and the decided ones. `version` counts its changes.
    `held_for` says why it is kept and not worked on, `waits` for whom it waits. `cycle` counts from 1; each
    reopening begins the next.
    """

    ticket_id: UUID
    number: str
    version: int
    state: State
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
    given: Facts
    facts: Facts
    covered: bool
    clocks: bool
    admission: Literal["not_required", "pending", "granted", "withheld"]
    opened_at: datetime
    waits: tuple[str, ...] = ()
    held_for: str | None = None
    held_clause: str | None = None
    team: str | None = None
    level: int = 1
    assignee: str | None = None
    resolution_kind: str | None = None
    resolution_text: str | None = None
    resolved_at: datetime | None = None
    closed_at: datetime | None = None
    closed_for: str | None = None
    decisions: tuple[Decision, ...] = field(default=())
