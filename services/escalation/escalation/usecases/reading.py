"""What is read over HTTP."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from escalation.domain.matrix import Step
from escalation.domain.ticket import Agent
from escalation.repository import agents, escalations, messages, tickets
from escalation.repository.escalations import Escalation
from escalation.repository.messages import Message
from escalation.repository.tickets import Assignment
from escalation.schemas.escalations import EscalationView, NotifiedView, StepView
from escalation.schemas.messages import MessageView
from escalation.schemas.people import (
    AgentLoadView,
    AgentView,
    AssignmentView,
    LoadView,
    TeamLoadView,
    TeamsView,
    TeamView,
)
from escalation.schemas.words import Words
from plazo.kernel.errors import NotFound
from plazo.runtime.database import Connection
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import UnitOfWork


def agent_view(agent: Agent) -> AgentView:
    """Show an agent."""
    return AgentView(**{name: getattr(agent, name) for name in AgentView.model_fields})


async def read_agent(uow: UnitOfWork, agent_id: UUID) -> AgentView:
    """Return an agent. :raises NotFound: if the desk has none of that id"""
    async with uow.read() as connection:
        agent = await agents.find_agent(connection, agent_id)
    if agent is None:
        raise NotFound(f"there is no agent {agent_id}")
    return agent_view(agent)


async def read_agents(uow: UnitOfWork, *, cursor: str | None, limit: int) -> Page[AgentView]:
    """Return a page of agents."""
    keys = position(cursor, UUID)
    async with uow.read() as connection:
        found = await agents.list_agents(connection, after=keys[0] if keys else None, limit=limit + 1)
    return page_of([agent_view(one) for one in found], limit=limit, keys=lambda one: (one.agent_id,))


async def read_teams(uow: UnitOfWork) -> TeamsView:
    """Return the teams that the newest version of each policy names, and those only agents know."""
    async with uow.read() as connection:
        loads = {(load.policy, load.team): load for load in await agents.list_team_loads(connection, now=uow.now)}
        staff = await agents.list_staff(connection, at=uow.now)
        named = await agents.list_policy_teams(connection)

    def view(team: str, policy: str | None, entry: dict[str, Any]) -> TeamView:
        load = loads.get((policy, team))
        return TeamView(
            team=team,
            policy=policy,
            text=Words(**entry["text"]) if entry.get("text") else None,
            level=entry.get("level"),
            assignment=entry.get("assignment"),
            agents=sum(one.serves(policy or "", team) for one in staff),
            open_tickets=load.open_tickets if load else 0,
        )

    items = [view(team, policy, entry) for policy, teams in named for team, entry in sorted(teams.items())]
    known = {item.team for item in items}
    others = sorted({(policy, team) for policy, team in loads if team not in known}, key=str)
    return TeamsView(items=[*items, *(view(team, policy, {}) for policy, team in others)])


async def read_load(uow: UnitOfWork) -> LoadView:
    """Return what lies on each team and each active agent."""
    async with uow.read() as connection:
        teams = await agents.list_team_loads(connection, now=uow.now)
        people = await agents.list_agent_loads(connection, now=uow.now)
    return LoadView(
        teams=[TeamLoadView(**{name: getattr(load, name) for name in TeamLoadView.model_fields}) for load in teams],
        agents=[AgentLoadView(**{name: getattr(one, name) for name in AgentLoadView.model_fields}) for one in people],
    )


def assignment_view(assignment: Assignment) -> AssignmentView:
    """Show an assignment."""
    return AssignmentView(**{name: getattr(assignment, name) for name in AssignmentView.model_fields})


async def read_assignments(uow: UnitOfWork, *, ticket_id: UUID, cursor: str | None, limit: int) -> Page[AssignmentView]:
    """Return a page of who had a ticket, oldest first."""
    keys = position(cursor, int)
    async with uow.read() as connection:
        found = await tickets.list_assignments(connection, ticket_id, after=keys[0] if keys else 0, limit=limit + 1)
    return page_of([assignment_view(one) for one in found], limit=limit, keys=lambda one: (one.number,))


def message_view(message: Message) -> MessageView:
    """Show a message."""
    names = MessageView.model_fields.keys() - {"to", "acknowledge_path"}
    return MessageView(to=message.address, **{name: getattr(message, name) for name in names})


async def read_message(uow: UnitOfWork, message_id: UUID) -> MessageView:
    """Return a message. :raises NotFound: if the desk has none of that id"""
    async with uow.read() as connection:
        message = await messages.find_message(connection, message_id)
    if message is None:
        raise NotFound(f"there is no message {message_id}")
    return message_view(message)


async def read_messages(
    uow: UnitOfWork, *, ticket_id: UUID | None, state: str | None, to: str | None, cursor: str | None, limit: int
) -> Page[MessageView]:
    """Return a page of messages, oldest first."""
    (after,) = position(cursor, int) or (0,)
    async with uow.read() as connection:
        found = await messages.list_messages(
            connection, ticket_id=ticket_id, state=state, address=to, after=after, limit=limit + 1
        )
    page = page_of(found, limit=limit, keys=lambda one: (one.seq,))
    return Page(items=[message_view(one) for one in page.items], next_cursor=page.next_cursor)


async def read_newest_messages(
    uow: UnitOfWork, *, to: str | None, before: int | None, limit: int
) -> tuple[list[MessageView], int | None]:
    """Return messages, newest first, and what to pass as `before` for those behind them."""
    async with uow.read() as connection:
        found = await messages.newest_messages(connection, address=to, before=before, limit=limit + 1)
    shown = found[:limit]
    return [message_view(one) for one in shown], shown[-1].seq if len(found) > limit else None


async def read_escalations(
    uow: UnitOfWork, *, ticket_id: UUID | None, state: str | None, cursor: str | None, limit: int
) -> Page[EscalationView]:
    """Return a page of escalations in the order they were raised."""
    async with uow.read() as connection:
        found = await escalations.list_escalations(
            connection, ticket_id=ticket_id, state=state, after=position(cursor, datetime, UUID), limit=limit + 1
        )
        views = await _escalation_views(connection, found)
    return page_of(views, limit=limit, keys=lambda one: (one.raised_at, one.escalation_id))


async def read_escalation(uow: UnitOfWork, escalation_id: UUID) -> EscalationView:
    """Return an escalation with its steps. :raises NotFound: if the desk has none of that id"""
    async with uow.read() as connection:
        return await escalation_view(connection, escalation_id)


async def escalation_view(connection: Connection, escalation_id: UUID) -> EscalationView:
    """Show an escalation with its steps. :raises NotFound: if the desk has none of that id"""
    found = await escalations.find_escalation(connection, escalation_id)
    if found is None:
        raise NotFound(f"there is no escalation {escalation_id}")
    return (await _escalation_views(connection, [found]))[0]


def for_customer(view: EscalationView) -> EscalationView:
    """Return as much of an escalation as its customer may see: not who of the desk did something, or was told, or why.

    What the customer itself said is left out too: a step does not say whose words its reason is.
    """
    unsaid = {"reason": None, "requested_by": None, "acknowledged_by": None}
    steps = [step.model_copy(update={"reason": None, "notified": []}) for step in view.steps]
    return view.model_copy(update={**unsaid, "steps": steps})


async def _escalation_views(connection: Connection, found: Sequence[Escalation]) -> list[EscalationView]:
    ids = [one.escalation_id for one in found]
    steps = await escalations.steps_by_escalation(connection, ids)
    told: dict[tuple[UUID | None, int | None], list[NotifiedView]] = {}
    for message in await messages.messages_of(connection, ids):
        view = NotifiedView(**{name: getattr(message, name) for name in NotifiedView.model_fields})
        told.setdefault((message.escalation_id, message.position), []).append(view)

    def step_view(one: Escalation, step: Step, reason: str | None) -> StepView:
        shown = {name: getattr(step, name) for name in StepView.model_fields.keys() - {"reason", "notified"}}
        return StepView(reason=reason, notified=told.get((one.escalation_id, step.position), []), **shown)

    shown = EscalationView.model_fields.keys() - {"clock_id", "steps"}
    return [
        EscalationView(
            clock_id=one.cause_id,
            steps=[step_view(one, step, reason) for step, reason in steps[one.escalation_id]],
            **{name: getattr(one, name) for name in shown},
        )
        for one in found
    ]
