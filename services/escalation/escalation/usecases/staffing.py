"""The agents: who there is, who is away, and what becomes of their tickets."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from escalation.domain.ticket import Absence, Agent, Ticket
from escalation.repository import agents, tickets
from escalation.schemas.people import (
    AbsenceCreate,
    AbsencesView,
    AbsenceView,
    AgentChange,
    AgentCreate,
    AgentView,
    AssignmentView,
    HandOver,
)
from escalation.usecases.assigning import ask_about_agent, assign, give_waiting
from escalation.usecases.presence import check_calendar
from escalation.usecases.reading import agent_view, assignment_view
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.policy.document import Policy
from plazo.runtime.call import check_version
from plazo.runtime.policies import known_policy
from plazo.runtime.unit_of_work import Transaction, UnitOfWork

_MAY_BE_NONE = ("calendar", "capacity")


class AgentExists(PlazoError):
    """The desk has an agent with that address."""

    kind = Kind.CONFLICT
    code = "agent-exists"


class AgentUnavailable(PlazoError):
    """The agent is inactive, absent, or not of that team."""

    kind = Kind.CONFLICT
    code = "agent-unavailable"


class NotHandled(PlazoError):
    """The ticket is resolved or closed: nobody has to act on it."""

    kind = Kind.CONFLICT
    code = "ticket-not-open"


async def create_agent(uow: UnitOfWork, new: AgentCreate) -> AgentView:
    """Make an agent, and give them the tickets of their teams that nobody has.

    :raises AgentExists: if the desk has one with that address
    """
    agent = Agent(
        agent_id=new_id(),
        name=new.name,
        email=new.email,
        teams=new.teams,
        levels=new.levels,
        languages=new.languages,
        roles=new.roles,
        absent=new.absent,
        skills=new.skills,
        calendar=new.calendar,
        capacity=new.capacity,
    )
    async with uow.begin() as tx:
        await check_calendar(tx.connection, new.calendar, at=tx.now)
        if not await agents.insert_agent(tx, agent):
            raise AgentExists(f"there is an agent with the address {new.email}")
        await give_waiting(tx, agent, at=tx.now)
        made = await agents.find_agent(tx.connection, agent.agent_id)
        assert made is not None
        view = agent_view(made)
        tx.answer = view.model_dump(mode="json")
    return view


async def change_agent(uow: UnitOfWork, agent_id: UUID, change: AgentChange, *, if_match: str | None) -> None:
    """Change an agent; `if_match` is the version the caller read, where it said so.

    :raises NotFound: if the desk has none of that id
    :raises StaleVersion: if it has changed since
    """
    async with uow.begin() as tx:
        agent = await agents.find_agent(tx.connection, agent_id, lock=True)
        if agent is None:
            raise NotFound(f"there is no agent {agent_id}")
        check_version(if_match, agent.version)
        await check_calendar(tx.connection, change.calendar, at=tx.now)
        named = change.model_dump(exclude_unset=True)
        kept = {name: value for name, value in named.items() if value is not None or name in _MAY_BE_NONE}
        after = replace(agent, **kept)
        await agents.update_agent(tx, after)
        tx.answer = agent_view(replace(after, version=after.version + 1)).model_dump(mode="json")


async def settle_tickets_of(uow: UnitOfWork, agent_id: UUID) -> AgentView:
    """Give the tickets of an agent who left, is absent or changed teams to others; give one who is back what waits.

    Comes after the change of the agent has been committed, so that nobody gives them another ticket meanwhile. It
    may be repeated. In two transactions, for tickets are locked before agents.

    :raises NotFound: if the desk has none of that id
    """
    async with uow.begin() as tx:
        held = await tickets.lock_tickets_of(tx, agent_id)
        agent = await agents.find_agent(tx.connection, agent_id)
        if agent is None:
            raise NotFound(f"there is no agent {agent_id}")
        agent = replace(agent, absences=tuple(await agents.absences_of(tx.connection, [agent_id], after=tx.now)))
        lost = [ticket for ticket in held if not _may_keep(agent, ticket, at=tx.now)]
        await _assign_all(tx, lost, reason="agent_unavailable")
    async with uow.begin() as tx:
        await give_waiting(tx, agent, at=tx.now)
        agent = await agents.find_agent(tx.connection, agent_id)
        assert agent is not None
    return agent_view(agent)


async def plan_absence(uow: UnitOfWork, agent_id: UUID, new: AbsenceCreate) -> AbsenceView:
    """Note that an agent is or will be away; tickets they have by then are asked about when it begins.

    Where it has begun, :func:`settle_tickets_of` comes after it.

    :raises NotFound: if the desk has none of that id
    :raises InvalidInput: if it ends before it begins
    """
    async with uow.begin() as tx:
        starts_at = new.starts_at or tx.now
        if new.ends_at is not None and new.ends_at <= max(starts_at, tx.now):
            message = "expected an instant after the beginning and the present"
            raise InvalidInput(message, faults=[Fault("/until", message)])
        held = await tickets.lock_tickets_of(tx, agent_id)
        if await agents.find_agent(tx.connection, agent_id, lock=True) is None:
            raise NotFound(f"there is no agent {agent_id}")
        absence = Absence(
            absence_id=new_id(), agent_id=agent_id, starts_at=starts_at, ends_at=new.ends_at, reason=new.reason
        )
        await agents.insert_absence(tx, absence)
        if starts_at > tx.now:
            for ticket in held:
                ask_about_agent(tx, ticket, at=starts_at)
        view = _absence_view(absence)
        tx.answer = view.model_dump(mode="json")
    return view


async def end_absence(uow: UnitOfWork, agent_id: UUID, absence_id: UUID) -> AbsenceView:
    """Note that an agent is back, or stays after all. :raises NotFound: if the absence is none, or over"""
    async with uow.begin() as tx:
        ended = await agents.end_absence(tx, agent_id, absence_id)
        if ended is None:
            raise NotFound(f"agent {agent_id} has no absence {absence_id} that is not over")
        view = _absence_view(ended)
        tx.answer = view.model_dump(mode="json")
    return view


async def read_absences(uow: UnitOfWork, agent_id: UUID) -> AbsencesView:
    """Return the absences of an agent, past and to come. :raises NotFound: if the desk has none of that id"""
    async with uow.read() as connection:
        if await agents.find_agent(connection, agent_id) is None:
            raise NotFound(f"there is no agent {agent_id}")
        found = await agents.absences_of(connection, [agent_id])
    return AbsencesView(items=[_absence_view(one) for one in found])


def _absence_view(absence: Absence) -> AbsenceView:
    return AbsenceView(**{name: getattr(absence, name) for name in AbsenceView.model_fields})


async def hand_over(uow: UnitOfWork, order: HandOver) -> AssignmentView:
    """Give a ticket to an agent or a team, for a reason that is kept.

    :raises NotFound: if the desk has no such ticket or agent
    :raises AgentUnavailable: if the agent cannot take it
    :raises NotHandled: if the ticket is resolved or closed
    :raises InvalidInput: if neither a team nor an agent is named, or there is no such team
    """
    if order.team is None and order.agent_id is None:
        message = "expected a team, an agent, or both"
        raise InvalidInput(message, faults=[Fault("", message)])
    async with uow.begin() as tx:
        ticket = await tickets.find_ticket(tx.connection, order.ticket_id, lock=True)
        if ticket is None:
            raise NotFound(f"there is no ticket {order.ticket_id}")
        if not ticket.is_work:
            raise NotHandled(f"ticket {ticket.number} is {ticket.state}; reopen it before it is handed over")
        policy = await known_policy(tx.connection, policy=ticket.policy, version=ticket.policy_version)
        await _check_team(tx, order, policy)
        agent = await _recipient(tx, order, policy)
        await assign(
            tx,
            ticket,
            policy,
            team=order.team or ticket.team,
            level=ticket.level,
            reason="handed_over",
            note=order.reason,
            agent=agent,
            at=tx.now,
        )
        view = assignment_view((await tickets.list_assignments(tx.connection, ticket.ticket_id))[-1])
        tx.answer = view.model_dump(mode="json")
    return view


async def _check_team(tx: Transaction, order: HandOver, policy: Policy) -> None:
    served = {team for one in await agents.list_staff(tx.connection, at=tx.now) for team in one.teams}
    prefix = f"{policy.policy}/"
    known = {*policy.routing.teams, *(one.removeprefix(prefix) for one in served)}
    known = {one for one in known if "/" not in one}
    if order.team is not None and order.team not in known:
        message = f"there is no team {order.team!r}; expected one of {', '.join(sorted(known))}"
        raise InvalidInput(message, faults=[Fault("/team", message)])


async def _recipient(tx: Transaction, order: HandOver, policy: Policy) -> Agent | None:
    if order.agent_id is None:
        return None
    agent = await agents.find_agent(tx.connection, order.agent_id, lock=True)
    if agent is None:
        raise NotFound(f"there is no agent {order.agent_id}")
    away = any(one.covers(tx.now) for one in await agents.absences_of(tx.connection, [agent.agent_id], after=tx.now))
    is_elsewhere = order.team is not None and not agent.serves(policy.policy, order.team)
    if not agent.is_available or away or is_elsewhere:
        why = f"is not of the team {order.team}" if is_elsewhere else "has left" if not agent.active else "is away"
        raise AgentUnavailable(f"{agent.name} {why}")
    return agent


def _may_keep(agent: Agent, ticket: Ticket, *, at: datetime) -> bool:
    is_theirs = agent.serves(ticket.policy, ticket.team) or not agent.teams
    return agent.is_available and not agent.is_away(at) and is_theirs


async def _assign_all(tx: Transaction, waiting: list[Ticket], *, reason: str) -> None:
    for ticket in waiting:
        policy = await known_policy(tx.connection, policy=ticket.policy, version=ticket.policy_version)
        await assign(tx, ticket, policy, team=ticket.team, level=ticket.level, reason=reason, at=tx.now)
