"""The agents: who there is, who is away, and what becomes of their tickets."""

from dataclasses import replace
from uuid import UUID

from escalation.domain.ticket import Agent, Ticket
from escalation.repository import agents, tickets
from escalation.schemas import AgentChange, AgentCreate, AgentView, AssignmentView, HandOver
from escalation.usecases.assigning import assign
from escalation.usecases.reading import agent_view, assignment_view
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.policy.document import Policy
from plazo.runtime.call import check_version
from plazo.runtime.policies import known_policy
from plazo.runtime.unit_of_work import Transaction, UnitOfWork

_WAITING_AT_ONCE = 200


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
    )
    async with uow.begin() as tx:
        waiting = await _waiting(tx, agent)
        if not await agents.insert_agent(tx, agent):
            raise AgentExists(f"there is an agent with the address {new.email}")
        await _assign_all(tx, waiting, reason="agent_available")
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
        after = replace(agent, **change.model_dump(exclude_none=True))
        await agents.update_agent(tx, after)


async def settle_tickets_of(uow: UnitOfWork, agent_id: UUID) -> AgentView:
    """Give the tickets of an agent who left, is absent or changed teams to others; give one who is back what waits.

    Comes after the change of the agent has been committed, so that nobody gives them another ticket meanwhile. It
    may be repeated.

    :raises NotFound: if the desk has none of that id
    """
    async with uow.begin() as tx:
        held = await tickets.lock_tickets_of(tx, agent_id)
        agent = await agents.find_agent(tx.connection, agent_id)
        if agent is None:
            raise NotFound(f"there is no agent {agent_id}")
        lost = [ticket for ticket in held if not _may_keep(agent, ticket)]
        await _assign_all(tx, lost, reason="agent_unavailable")
        await _assign_all(tx, await _waiting(tx, agent), reason="agent_available")
        agent = await agents.find_agent(tx.connection, agent_id)
        assert agent is not None
    return agent_view(agent)


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
        agent = await _recipient(tx, order)
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
    known = {*policy.routing.teams, *(team for one in await agents.list_staff(tx.connection) for team in one.teams)}
    if order.team is not None and order.team not in known:
        message = f"there is no team {order.team!r}; expected one of {', '.join(sorted(known))}"
        raise InvalidInput(message, faults=[Fault("/team", message)])


async def _recipient(tx: Transaction, order: HandOver) -> Agent | None:
    if order.agent_id is None:
        return None
    agent = await agents.find_agent(tx.connection, order.agent_id, lock=True)
    if agent is None:
        raise NotFound(f"there is no agent {order.agent_id}")
    if not agent.is_available or (order.team is not None and order.team not in agent.teams):
        raise AgentUnavailable(f"{agent.name} is away, or not of the team {order.team}")
    return agent


async def _waiting(tx: Transaction, agent: Agent) -> list[Ticket]:
    if not agent.is_available or not agent.teams:
        return []
    return await tickets.lock_waiting_tickets(tx, teams=agent.teams, limit=_WAITING_AT_ONCE)


def _may_keep(agent: Agent, ticket: Ticket) -> bool:
    return agent.is_available and (ticket.team in agent.teams or not agent.teams)


async def _assign_all(tx: Transaction, waiting: list[Ticket], *, reason: str) -> None:
    for ticket in waiting:
        policy = await known_policy(tx.connection, policy=ticket.policy, version=ticket.policy_version)
        await assign(tx, ticket, policy, team=ticket.team, level=ticket.level, reason=reason, at=tx.now)
