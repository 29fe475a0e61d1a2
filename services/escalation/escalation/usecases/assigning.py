"""Who has a ticket: the route the policy gives, and an agent of its team."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from escalation.domain.presence import next_absence
from escalation.domain.routing import (
    can_take,
    choose_agent,
    choose_route,
    is_fit,
    keep_level,
    queue_place,
    sharing_of,
)
from escalation.domain.ticket import Agent, Ticket
from escalation.repository import agents, tickets
from escalation.usecases.presence import present_among
from plazo.events.escalation import AssignmentMade, TimerRequested
from plazo.kernel.ids import derived_id
from plazo.policy.document import Policy
from plazo.runtime.policies import known_policy
from plazo.runtime.unit_of_work import Transaction

_WAITING_AT_ONCE = 200


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
    chosen, ask_at = (agent, None) if agent else await _choose(tx, ticket, policy, team=team, level=level, at=at)
    if chosen is None and reason == "agent_available":
        if ask_at is not None:
            ask_about_agent(tx, ticket, at=ask_at)
        return ticket  # nothing has changed
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
    if ask_at is not None:
        ask_about_agent(tx, after, at=ask_at)
    return after


async def _choose(
    tx: Transaction, ticket: Ticket, policy: Policy, *, team: str | None, level: int, at: datetime
) -> tuple[Agent | None, datetime | None]:
    """Choose an agent who is there at the instant `at`; also say when to look again, as one goes away or comes."""
    if team is None:
        return None, None
    staff = await agents.lock_team(tx, policy=ticket.policy, team=team, at=at)
    holder = next((one for one in staff if is_fit(one, ticket, team=team, level=level) and not one.is_away(at)), None)
    if holder is not None:
        return holder, None
    able = [one for one in staff if can_take(one, policy=ticket.policy, team=team, level=level)]
    present, next_at = await present_among(tx.connection, able, at=at)
    chosen = choose_agent(
        present,
        policy=ticket.policy,
        team=team,
        level=level,
        language=ticket.language,
        mode=sharing_of(policy, team),
        facts=ticket.facts,
    )
    return chosen, next_at if chosen is None else next_absence(chosen.absences, after=at)


def ask_about_agent(tx: Transaction, ticket: Ticket, *, at: datetime) -> None:
    """Ask to be told when an instant has come at which somebody else may have to have a ticket."""
    tx.emit(
        TimerRequested(
            ticket_id=ticket.ticket_id,
            timer_id=derived_id("presence", ticket.ticket_id, ticket.agent_id, at.isoformat()),
            start=at,
            after="0m",
            calendar=None,
            context={"look_for_agent": True},
        ),
        about=ticket.ticket_id,
        occurred_at=tx.now,
    )


async def look_for_agent(tx: Transaction, ticket: Ticket, policy: Policy, *, at: datetime) -> Ticket:
    """Give a ticket to somebody who is there, if nobody has it or who has it is away at the instant `at`."""
    if not ticket.is_work or ticket.team is None:
        return ticket
    reason = "agent_available"
    if ticket.agent_id is not None:
        away = await agents.absences_of(tx.connection, [ticket.agent_id], after=at)
        if not any(one.covers(at) for one in away):
            return ticket
        reason = "agent_unavailable"
    return await assign(tx, ticket, policy, team=ticket.team, level=ticket.level, reason=reason, at=at)


async def give_waiting(tx: Transaction, agent: Agent, *, at: datetime, pass_over_locked: bool = False) -> None:
    """Give an agent who has room the tickets that wait for one of their teams, in the order of the queue. IRE-03"""
    if not agent.is_available or not agent.teams or not agent.has_room:
        return
    waiting = await tickets.lock_waiting_tickets(
        tx, teams=agent.teams, limit=_WAITING_AT_ONCE, pass_over_locked=pass_over_locked
    )
    ordered = []
    for ticket in waiting:
        policy = await known_policy(tx.connection, policy=ticket.policy, version=ticket.policy_version)
        ordered.append((queue_place(policy, ticket), ticket, policy))
    without_room = set()
    for _, ticket, policy in sorted(ordered, key=lambda one: one[0]):
        kind = (ticket.policy, ticket.team, ticket.level)
        if kind not in without_room:
            given = await assign(
                tx, ticket, policy, team=ticket.team, level=ticket.level, reason="agent_available", at=at
            )
            if given.agent_id is None:
                without_room.add(kind)


async def fill_room(tx: Transaction, agent_id: UUID | None, *, at: datetime) -> None:
    """Give an agent who sets a limit what waits, as one of their tickets has ended."""
    agent = await agents.find_agent(tx.connection, agent_id) if agent_id else None
    if agent is not None and agent.capacity is not None:
        await give_waiting(tx, agent, at=at, pass_over_locked=True)
