"""Who has a ticket: the route the policy gives, and an agent of its team."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from escalation.domain.routing import choose_agent, choose_route, is_fit, keep_level, sharing_of
from escalation.domain.ticket import Agent, Ticket
from escalation.repository import agents, tickets
from plazo.events.escalation import AssignmentMade
from plazo.policy.document import Policy
from plazo.runtime.unit_of_work import Transaction


async def route_ticket(tx: Transaction, ticket: Ticket, policy: Policy, *, reason: str, at: datetime) -> Ticket:
    """Give a ticket to where its facts belong; never down from the level it has reached."""
    route = choose_route(policy, ticket.facts, held_for=ticket.held_for)
    route = keep_level(policy, route, level=ticket.level)
    return await assign(
        tx,
        replace(ticket, route=route.key),
        policy,
        team=route.team,
        level=route.level,
        reason=reason,
        clauses=route.clauses,
        at=at,
    )


async def reroute_ticket(tx: Transaction, ticket: Ticket, policy: Policy, *, reason: str, at: datetime) -> Ticket:
    """Give a ticket to where its facts belong, if another provision of the policy decides now than did before."""
    if choose_route(policy, ticket.facts, held_for=ticket.held_for).key == ticket.route:
        return ticket
    return await route_ticket(tx, ticket, policy, reason=reason, at=at)


async def assign(
    tx: Transaction,
    ticket: Ticket,
    policy: Policy,
    *,
    team: str | None,
    level: int,
    reason: str,
    at: datetime,
    clauses: Sequence[str] = (),
    note: str | None = None,
    escalation_id: UUID | None = None,
    agent: Agent | None = None,
) -> Ticket:
    """Give a ticket to a team at a level, and to `agent` or whoever of the team's turn it is.

    Who has it already keeps it where they may. Returns the ticket as it is now; its row must be locked.
    """
    chosen = agent or await _choose(tx, ticket, policy, team=team, level=level)
    after = replace(ticket, team=team, level=level, agent_id=chosen.agent_id if chosen else None)
    await tickets.update_ticket(tx, after)
    if chosen is not None and after.agent_id != ticket.agent_id:
        await agents.mark_assigned(tx, chosen.agent_id, at=at)
    await tickets.insert_assignment(
        tx,
        after,
        agent_name=chosen.name if chosen else None,
        reason=reason,
        note=note,
        clauses=clauses,
        escalation_id=escalation_id,
        assigned_at=at,
    )
    tx.emit(
        AssignmentMade(
            ticket_id=ticket.ticket_id,
            team=team,
            level=level,
            agent_id=after.agent_id,
            agent_name=chosen.name if chosen else None,
            reason=reason,
            clauses=tuple(clauses),
        ),
        about=ticket.ticket_id,
        occurred_at=at,
    )
    return after


async def _choose(tx: Transaction, ticket: Ticket, policy: Policy, *, team: str | None, level: int) -> Agent | None:
    if team is None:
        return None
    candidates = await agents.lock_team(tx, team)
    if holder := next((one for one in candidates if is_fit(one, ticket, team=team, level=level)), None):
        return holder
    return choose_agent(candidates, team=team, level=level, language=ticket.language, mode=sharing_of(policy, team))
