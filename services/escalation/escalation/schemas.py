"""What goes in and out over HTTP."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import Field, StrictBool, StrictInt, StringConstraints

from escalation.domain.matrix import RequestedTrigger
from plazo.runtime.inputs import Input, Line, Name, View

Reference = Annotated[UUID, Field(strict=False)]
Email = Annotated[str, StringConstraints(max_length=254, pattern=r"^[^@\s\x00]+@[^@\s\x00]+$")]
Level = Annotated[StrictInt, Field(ge=1, le=9)]
Teams = Annotated[tuple[Name, ...], Field(max_length=50, strict=False)]
Levels = Annotated[tuple[Level, ...], Field(max_length=9, strict=False)]
Languages = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")], ...], Field(max_length=20, strict=False)
]
StaffRole = Literal[
    "consultant", "team_lead", "project_manager", "executive", "manager", "administrator", "assignee", "team"
]
HeldRole = Literal["team_lead", "project_manager", "executive", "manager", "administrator"]
Roles = Annotated[tuple[HeldRole, ...], Field(max_length=5, strict=False)]
EscalationState = Literal["running", "completed", "stopped"]
MessageState = Literal["queued", "sent", "failed"]


class AgentCreate(Input):
    """A new agent. Without `levels` or `languages` the agent takes all; `roles` are those a policy may notify."""

    name: Line
    email: Email
    teams: Teams = ()
    levels: Levels = ()
    languages: Languages = ()
    roles: Roles = ()
    absent: StrictBool = False


class AgentChange(Input):
    """What changes of an agent; what is left out stays. Somebody inactive or absent hands their open tickets over."""

    name: Line | None = None
    teams: Teams | None = None
    levels: Levels | None = None
    languages: Languages | None = None
    roles: Roles | None = None
    active: StrictBool | None = None
    absent: StrictBool | None = None


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


class Words(View):
    """The same in Spanish and English."""

    es: str
    en: str


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
    """What lies on a team: open tickets, those nobody has, those above level 1; its agents, and those at work."""

    team: str
    open_tickets: int
    unassigned: int
    escalated: int
    agents: int
    available: int


class AgentLoadView(View):
    """What lies on an agent."""

    agent_id: UUID
    name: str
    is_available: bool
    open_tickets: int
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


class EscalationRequest(Input):
    """Asks for the next step that the contract gives. The step may be named by number, role or level: a step that
    comes later is refused.
    """

    ticket_id: Reference
    trigger: RequestedTrigger
    step: Annotated[StrictInt, Field(ge=1, le=100)] | None = None
    to_role: StaffRole | None = None
    to_level: Level | None = None
    reason: Line | None = None


class NotifiedView(View):
    """Somebody told by a step, by what channel, and how that went."""

    role: str
    address: str | None
    channel: str
    message_id: UUID
    state: MessageState
    failure: str | None
    sent_at: datetime | None


class StepView(View):
    """One step: when due, when taken, who was told by what. `due_at` is null for a step that waits for a request."""

    position: int
    step: int
    turn: int
    state: Literal["planned", "armed", "fired", "skipped"]
    after: str
    calendar: str | None
    due_at: datetime | None
    fired_at: datetime | None
    to_level: int | None
    to_team: str | None
    to_role: str | None
    notify: tuple[str, ...]
    requires_assessment: bool
    requires_reason: bool
    reason: str | None
    notified: list[NotifiedView]


class EscalationView(View):
    """What a trigger set off, frozen as it was set off, and how far it has come."""

    escalation_id: UUID
    ticket_id: UUID
    trigger: str
    kind: str | None = Field(description="the kind of promise, where a clock is the cause")
    threshold: str | None
    clock_id: UUID | None
    clock_due_at: datetime | None
    clauses: tuple[str, ...]
    reason: str | None
    requested_by: str | None
    on_request: bool = Field(description="each step is taken when somebody asks for it, not by time")
    state: EscalationState
    raised_at: datetime
    ended_at: datetime | None
    end_reason: str | None
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    steps: list[StepView]


class MessageView(View):
    """Somebody told of something."""

    message_id: UUID
    ticket_id: UUID | None
    customer_id: UUID | None
    escalation_id: UUID | None
    event: str
    template: str
    role: str
    channel: str
    to: str | None
    language: str
    subject: str
    body: str
    clauses: tuple[str, ...]
    state: MessageState
    failure: str | None
    queued_at: datetime
    sent_at: datetime | None
