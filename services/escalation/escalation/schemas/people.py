"""Agents, teams, load, and who has a ticket."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt

from escalation.schemas.words import Email, Languages, Levels, Reference, Roles, Teams, Words
from plazo.runtime.inputs import Input, Instant, Line, Name, View

Skills = Annotated[tuple[Name, ...], Field(max_length=50, strict=False)]
Capacity = Annotated[StrictInt, Field(ge=1, le=10_000)] | None
Hours = Annotated[
    dict[str, Any] | None,
    Field(
        description="the hours in which tickets are given to the agent: `policy` and `calendar` by name, or a calendar",
        examples=[{"policy": "prodequa", "calendar": "service"}],
    ),
]


class AgentCreate(Input):
    """A new agent. Without `levels` or `languages` the agent takes all; `roles` are those a policy may notify.

    A team is one of every policy (`support`) or of one (`prodequa/support`). `skills` are products, components or
    categories; nobody gets more than `capacity` tickets.
    """

    name: Line
    email: Email
    teams: Teams = ()
    levels: Levels = ()
    languages: Languages = ()
    roles: Roles = ()
    absent: StrictBool = False
    skills: Skills = ()
    calendar: Hours = None
    capacity: Capacity = None


class AgentChange(Input):
    """What changes of an agent; what is left out stays. Somebody inactive or absent hands their open tickets over."""

    name: Line | None = None
    teams: Teams | None = None
    levels: Levels | None = None
    languages: Languages | None = None
    roles: Roles | None = None
    active: StrictBool | None = None
    absent: StrictBool | None = None
    skills: Skills | None = None
    calendar: Hours = None
    capacity: Capacity = None


class AgentView(View):
    """An agent, and what lies on them."""

    agent_id: UUID
    name: str
    email: str
    teams: tuple[str, ...]
    levels: tuple[int, ...]
    languages: tuple[str, ...]
    roles: tuple[str, ...]
    active: bool
    absent: bool
    version: int
    open_tickets: int
    last_assigned_at: datetime | None
    skills: tuple[str, ...]
    calendar: dict[str, Any] | None
    capacity: int | None


class AbsenceCreate(Input):
    """Says that an agent is away, from now or an instant on, until another or further notice."""

    starts_at: Instant | None = Field(default=None, alias="from")
    ends_at: Instant | None = Field(default=None, alias="until")
    reason: Line | None = None


class AbsenceView(View):
    """A time in which an agent is away."""

    absence_id: UUID
    agent_id: UUID
    starts_at: datetime
    ends_at: datetime | None
    reason: str | None


class AbsencesView(View):
    """The absences of an agent, the earliest first."""

    items: list[AbsenceView]


class TeamView(View):
    """A team that a policy names, or agents belong to."""

    team: str
    policy: str | None = Field(description="the policy that names it; null for a team only agents know")
    text: Words | None
    level: int | None
    assignment: str | None
    agents: int
    open_tickets: int


class TeamsView(View):
    """The teams of a desk."""

    items: list[TeamView]


class TeamLoadView(View):
    """What lies on a team: open tickets, those nobody has, those above level 1, those whose promise is broken; its
    agents, those who are not away, and how many tickets these take together (null: without limit).
    """

    team: str
    policy: str | None
    open_tickets: int
    unassigned: int
    escalated: int
    breached: int
    next_due_at: datetime | None
    agents: int
    available: int
    capacity: int | None


class AgentLoadView(View):
    """What lies on an agent."""

    agent_id: UUID
    name: str
    is_available: bool
    open_tickets: int
    breached: int
    next_due_at: datetime | None
    capacity: int | None
    last_assigned_at: datetime | None


class LoadView(View):
    """What lies on whom, for team leads."""

    teams: list[TeamLoadView]
    agents: list[AgentLoadView]


class HandOver(Input):
    """Gives a ticket to an agent or a team, for a reason. Its level moves by an escalation only."""

    ticket_id: Reference
    team: Name | None = None
    agent_id: Reference | None = None
    reason: Line


class HandOverTo(Input):
    """Gives a ticket to an agent or a team, for a reason."""

    team: Name | None = None
    agent_id: Reference | None = None
    reason: Line


class AssignmentView(View):
    """Who got a ticket, when and why; `number` counts from 1 in a ticket, the last is the one in force."""

    ticket_id: UUID
    number: int
    team: str | None
    level: int
    agent_id: UUID | None
    agent_name: str | None
    reason: str
    note: str | None
    clauses: tuple[str, ...]
    escalation_id: UUID | None
    assigned_at: datetime
