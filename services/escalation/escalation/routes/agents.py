"""Agents, teams, load, and who has a ticket."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from escalation.schemas.people import (
    AbsenceCreate,
    AbsencesView,
    AbsenceView,
    AgentChange,
    AgentCreate,
    AgentView,
    AssignmentView,
    HandOver,
    HandOverTo,
    LoadView,
    TeamsView,
)
from escalation.usecases import reading, staffing
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import STAFF, Role
from plazo.runtime.pagination import MAX_LIMIT, Page

router = APIRouter(prefix="/v1", tags=["people"])

Staff = Annotated[Call, allow(*STAFF)]
Lead = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.post("/agents", status_code=201)
async def create_agent(call: Lead, body: AgentCreate) -> AgentView:
    """Make an agent. Tickets of their teams that nobody has are given to them."""
    agent = await staffing.create_agent(call.uow(status=201), body)
    call.show_version(agent.version)
    return agent


@router.get("/agents")
async def list_agents(call: Staff, cursor: str | None = None, limit: Limit = 50) -> Page[AgentView]:
    """List the agents with what lies on them."""
    return await reading.read_agents(call.uow(), cursor=cursor, limit=limit)


@router.get("/agents/{agent_id}")
async def read_agent(call: Staff, agent_id: UUID) -> AgentView:
    """Read an agent."""
    agent = await reading.read_agent(call.uow(), agent_id)
    call.show_version(agent.version)
    return agent


@router.patch("/agents/{agent_id}")
async def change_agent(call: Lead, agent_id: UUID, body: AgentChange) -> AgentView:
    """Change an agent. The open tickets of somebody who becomes inactive or absent go to others of the team."""
    await staffing.change_agent(call.uow(), agent_id, body, if_match=call.request.headers.get("if-match"))
    agent = await staffing.settle_tickets_of(call.uow(), agent_id)
    call.show_version(agent.version)
    return agent


@router.post("/agents/{agent_id}/leave")
async def leave(call: Lead, agent_id: UUID) -> AgentView:
    """Let an agent leave: they get no tickets any more, and those they have go to others of the team."""
    await staffing.change_agent(call.uow(), agent_id, AgentChange(active=False), if_match=None)
    return await staffing.settle_tickets_of(call.runtime.unit_of_work(desk_id=call.desk_id, now=call.now), agent_id)


@router.post("/agents/{agent_id}/absences", status_code=201)
async def plan_absence(call: Staff, agent_id: UUID, body: AbsenceCreate) -> AbsenceView:
    """Say that an agent is or will be away; their tickets go to others as it begins."""
    absence = await staffing.plan_absence(call.uow(status=201), agent_id, body)
    if absence.starts_at <= call.now:
        await staffing.settle_tickets_of(call.runtime.unit_of_work(desk_id=call.desk_id, now=call.now), agent_id)
    return absence


@router.get("/agents/{agent_id}/absences")
async def list_absences(call: Staff, agent_id: UUID) -> AbsencesView:
    """List the absences of an agent, the earliest first."""
    return await staffing.read_absences(call.uow(), agent_id)


@router.post("/agents/{agent_id}/absences/{absence_id}/end")
async def end_absence(call: Staff, agent_id: UUID, absence_id: UUID) -> AbsenceView:
    """Say that an agent is back, or stays after all; they get what waits."""
    absence = await staffing.end_absence(call.uow(), agent_id, absence_id)
    await staffing.settle_tickets_of(call.runtime.unit_of_work(desk_id=call.desk_id, now=call.now), agent_id)
    return absence


@router.get("/teams")
async def list_teams(call: Staff) -> TeamsView:
    """List the teams that the policies name."""
    return await reading.read_teams(call.uow())


@router.get("/load")
async def read_load(call: Staff) -> LoadView:
    """Read what lies on each team and each agent."""
    return await reading.read_load(call.uow())


@router.get("/assignments")
async def list_assignments(
    call: Staff, ticket: UUID, cursor: str | None = None, limit: Limit = 50
) -> Page[AssignmentView]:
    """List who had a ticket, when and why, oldest first."""
    return await reading.read_assignments(call.uow(), ticket_id=ticket, cursor=cursor, limit=limit)


@router.post("/assignments", status_code=201)
async def hand_over(call: Staff, body: HandOver) -> AssignmentView:
    """Give a ticket to an agent or a team, for a reason."""
    assignment = await staffing.hand_over(call.uow(status=201), body)
    await call.settle(body.ticket_id)
    return assignment


@router.post("/assignments/{ticket_id}/handover", status_code=201)
async def hand_over_ticket(call: Staff, ticket_id: UUID, body: HandOverTo) -> AssignmentView:
    """Give one ticket to an agent or a team, for a reason that is kept."""
    order = HandOver(ticket_id=ticket_id, team=body.team, agent_id=body.agent_id, reason=body.reason)
    assignment = await staffing.hand_over(call.uow(status=201), order)
    await call.settle(ticket_id)
    return assignment
