"""A ticket and an agent, as far as this service knows them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from plazo.policy.decide import Place

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

    @property
    def is_work(self) -> bool:
        """Whether somebody has to handle it."""
        return self.state in (TicketState.OPEN, TicketState.HELD)

    @property
    def place(self) -> Place | None:
        """Where the customer is, for calendars that follow it. EXP-16"""
        if self.customer_timezone is None:
            return None
        return Place(timezone=self.customer_timezone, holiday_layer=self.customer_region)


@dataclass(frozen=True, slots=True)
class Agent:
    """Somebody who handles tickets or is told of them. No `levels` or `languages` means all of them.

    `roles` are those a policy may notify, such as `team_lead` or `project_manager`. `open_tickets` and
    `last_assigned_at` weigh the choice between agents.
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

    @property
    def is_available(self) -> bool:
        """Whether tickets may be given to the agent."""
        return self.active and not self.absent
