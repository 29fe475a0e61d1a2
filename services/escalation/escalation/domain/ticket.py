"""A ticket and an agent, as far as this service knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from plazo.policy.decide import Place, place_of
from plazo.policy.document import Policy

FactValue = bool | int | str


class TicketState(StrEnum):
    """Where a ticket stands; only the first two are somebody's work."""

    OPEN = "open"
    HELD = "held"
    RESOLVED = "resolved"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Ticket:
    """The copy of a ticket, and who handles it now.

    `route` names the provision of the policy that chose the team, so that a changed fact moves the ticket only if
    another provision then decides.
    """

    ticket_id: UUID
    number: str
    subject: str
    description: str
    customer_id: UUID
    customer_name: str
    contact_name: str | None
    contact_email: str | None
    policy: str
    policy_version: str
    language: str
    customer_timezone: str | None
    customer_region: str | None
    facts: Mapping[str, FactValue]
    opened_at: datetime
    state: TicketState = TicketState.OPEN
    held_for: str | None = None
    route: str | None = None
    team: str | None = None
    level: int = 1
    agent_id: UUID | None = None
    contract_id: UUID | None = None

    @property
    def is_work(self) -> bool:
        """Whether somebody has to handle it."""
        return self.state in (TicketState.OPEN, TicketState.HELD)

    def place_under(self, policy: Policy) -> Place | None:
        """Return where the customer is, for calendars of a policy that follow it. EXP-16"""
        return place_of(policy, timezone=self.customer_timezone, region=self.customer_region)


@dataclass(frozen=True, slots=True)
class Absence:
    """A time in which an agent is away; without `ends_at` until further notice."""

    absence_id: UUID
    agent_id: UUID
    starts_at: datetime
    ends_at: datetime | None
    reason: str | None = None

    def covers(self, at: datetime) -> bool:
        """Whether the agent is away at an instant."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody who handles tickets or is told of them. No `levels` or `languages` means all of them.

    A team is one of every policy (`support`) or of one (`prodequa/support`). `skills` are products, components or
    categories. `calendar` are the hours in which tickets are given to the agent: those of a policy, or a calendar of
    their own; none means always. Nobody gets more than `capacity` tickets. `roles` are those a policy may notify, such
    as `team_lead` or `project_manager`. `open_tickets` and `last_assigned_at` weigh the choice between agents.
    """

    agent_id: UUID
    name: str
    email: str
    teams: tuple[str, ...] = ()
    levels: tuple[int, ...] = ()
    languages: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    active: bool = True
    absent: bool = False
    version: int = 1
    open_tickets: int = 0
    last_assigned_at: datetime | None = None
    skills: tuple[str, ...] = ()
    calendar: Mapping[str, Any] | None = None
    capacity: int | None = None
    absences: tuple[Absence, ...] = ()

    @property
    def is_available(self) -> bool:
        """Whether tickets may be given to the agent at all."""
        return self.active and not self.absent

    @property
    def has_room(self) -> bool:
        """Whether the agent takes one more ticket."""
        return self.capacity is None or self.open_tickets < self.capacity

    def serves(self, policy: str, team: str | None) -> bool:
        """Whether the agent belongs to a team of a policy."""
        return team is not None and (team in self.teams or f"{policy}/{team}" in self.teams)

    def is_away(self, at: datetime) -> bool:
        """Whether the agent is away at an instant: out of hours is not away."""
        return any(absence.covers(at) for absence in self.absences)
