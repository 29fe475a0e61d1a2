"""A ticket as its use cases see it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal
from uuid import UUID

from tickets.domain.lifecycle import State

FactValue = bool | int | str
Facts = dict[str, FactValue]
WaitCause = Literal["customer", "vendor", "agreed_window"]


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
class Answers:
    """What was answered of what the policy asks at intake: parts by their text, checklist steps by done or not."""

    parts: Mapping[str, str] = field(default_factory=dict)
    checklist: Mapping[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Coverage:
    """What was said about coverage: why not, by which clauses, and the team that has it instead."""

    note: Mapping[str, str] = field(default_factory=dict)
    clauses: tuple[str, ...] = ()
    route: str | None = None


@dataclass(frozen=True, slots=True)
class Wait:
    """Whom a ticket waits for, why, since and until when, and who said so. `timer_id` is what ends it by itself."""

    cause: WaitCause
    reason: str
    since: datetime
    started_by: str
    until: datetime | None = None
    timer_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often the desk tried to reach the customer since it last answered: `made` are those that count.

    Each answer begins the next `round`. `closes_at` is when the ticket counts as abandoned, `timer_id` what closes it
    then by itself.
    """

    round: int = 1
    made: int = 0
    closes_at: datetime | None = None
    timer_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Ticket:
    """A request and where it stands.

    `given` are the facts that people stated, `facts` those and the decided ones. `version` counts its changes.
    `held_for` says why it is kept and not worked on, `waiting` for whom it waits. `cycle` counts from 1; each
    reopening begins the next. `received_at` is when the request reached the desk, where that is not the opening.
    `flags` name what its request lacks; `severity_confirmed` is None where nobody has to confirm it.
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
    waiting: tuple[Wait, ...] = ()
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
    contact_id: UUID | None = None
    received_at: datetime | None = None
    answers: Answers = field(default_factory=Answers)
    flags: tuple[str, ...] = ()
    severity_confirmed: bool | None = None
    coverage: Coverage = field(default_factory=Coverage)
    acknowledged_at: datetime | None = None
    attempts: Attempts = field(default_factory=Attempts)
    merged_into: UUID | None = None
    queue_rank: int = 1000
    decisions: tuple[Decision, ...] = field(default=())

    @property
    def waits(self) -> tuple[str, ...]:
        """For whom it waits."""
        return tuple(wait.cause for wait in self.waiting)
