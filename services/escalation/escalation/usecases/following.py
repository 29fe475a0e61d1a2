"""Following the tickets: their copy, who gets them, who is told, and which escalations end with them."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from escalation.domain.matrix import is_raised
from escalation.domain.ticket import FactValue, Ticket, TicketState
from escalation.repository import escalations, tickets
from escalation.usecases.assigning import fill_room, look_for_agent, reroute_ticket, route_ticket
from escalation.usecases.stepping import escalate_event
from escalation.usecases.stopping import stop_escalation
from escalation.usecases.telling import tell_of_event
from plazo.events.envelope import Event
from plazo.events.tickets import TicketOpened, TicketReopened
from plazo.policy.document import Policy
from plazo.runtime.inbox import NotYet
from plazo.runtime.policies import known_policy
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


async def known_ticket(tx: Transaction, ticket_id: UUID) -> tuple[Ticket, Policy]:
    """Return a ticket, locked, and its policy. :raises NotYet: if this service has yet to hear of either"""
    ticket = await tickets.find_ticket(tx.connection, ticket_id, lock=True)
    if ticket is None:
        raise NotYet(f"ticket {ticket_id}")
    return ticket, await known_policy(tx.connection, policy=ticket.policy, version=ticket.policy_version)


async def take_in_ticket(uow: UnitOfWork, ticket: Ticket, *, event: Event, cause: UUID) -> None:
    """Copy a new ticket, give it to a team and an agent (PRO-13), confirm its receipt (IRE-10, SMA-05).

    :raises NotYet: if its policy has yet to come
    """
    async with uow.begin() as tx:
        policy = await known_policy(tx.connection, policy=ticket.policy, version=ticket.policy_version)
        await tickets.insert_ticket(tx, ticket)
        if isinstance(event, TicketOpened) and event.imported and not event.clocks:
            return  # it was over when it was brought here: nobody has it
        ticket = await route_ticket(tx, ticket, policy, reason="opened", at=ticket.opened_at)
        await tell_of_event(tx, ticket, policy, event=event, cause=cause)


async def hold_ticket(
    uow: UnitOfWork, *, ticket_id: UUID, held_for: str, event: Event, cause: UUID, at: datetime
) -> None:
    """Note that a ticket is held; who has it meanwhile may be named by what holds it. PRO-09"""
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        ticket = replace(ticket, state=TicketState.HELD, held_for=held_for)
        await tickets.update_ticket(tx, ticket)
        ticket = await reroute_ticket(tx, ticket, policy, reason="held", at=at)
        await tell_of_event(tx, ticket, policy, event=event, cause=cause)


async def admit_ticket(uow: UnitOfWork, *, ticket_id: UUID, event: Event, cause: UUID, at: datetime) -> None:
    """Note that a ticket may be worked on, and give it back to where its facts belong."""
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        ticket = replace(ticket, state=TicketState.OPEN if ticket.is_work else ticket.state, held_for=None)
        await tickets.update_ticket(tx, ticket)
        ticket = await reroute_ticket(tx, ticket, policy, reason="admitted", at=at)
        await tell_of_event(tx, ticket, policy, event=event, cause=cause)


async def change_facts(
    uow: UnitOfWork, *, ticket_id: UUID, facts: dict[str, FactValue], event: Event, cause: UUID, at: datetime
) -> None:
    """Note changed facts; the ticket moves if another rule of the policy decides now."""
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        is_more_severe = is_raised(policy, ticket.facts, facts)
        ticket = replace(ticket, facts=facts)
        await tickets.update_ticket(tx, ticket)
        if ticket.is_work:
            ticket = await reroute_ticket(tx, ticket, policy, reason="facts_changed", at=at)
            if is_more_severe:
                ticket = await escalate_event(tx, ticket, policy, trigger="severity_raised", cause=cause, at=at)
        await tell_of_event(tx, ticket, policy, event=event, cause=cause)


async def end_ticket(
    uow: UnitOfWork, *, ticket_id: UUID, state: TicketState, event: Event, cause: UUID, at: datetime
) -> None:
    """Note that a ticket is resolved or closed: what escalated it stops, and whoever must know is told. IRE-11"""
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        ticket = replace(ticket, state=state)
        await tickets.update_ticket(tx, ticket)
        for escalation in await escalations.running_in(tx.connection, ticket_id):
            await stop_escalation(tx, escalation, at=at, reason=event.name)
        await fill_room(tx, ticket.agent_id, at=at)
        await tell_of_event(tx, ticket, policy, event=event, cause=cause)


async def reopen_ticket(uow: UnitOfWork, *, ticket_id: UUID, event: Event, cause: UUID, at: datetime) -> None:
    """Note that a ticket is work again: for whoever had it if they still may, for another of the team if not."""
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        ticket = replace(ticket, state=TicketState.OPEN)
        await tickets.update_ticket(tx, ticket)
        ticket = await route_ticket(tx, ticket, policy, reason="reopened", at=at)
        # The first cycle is the opening.
        times = {"reopenings": event.cycle - 1} if isinstance(event, TicketReopened) else {}
        ticket = await escalate_event(tx, ticket, policy, trigger="reopened", cause=cause, at=at, facts=times)
        await tell_of_event(tx, ticket, policy, event=event, cause=cause)


async def look_again(uow: UnitOfWork, *, ticket_id: UUID, at: datetime) -> None:
    """Give a ticket to somebody who is there now, as an agent comes or goes."""
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        await look_for_agent(tx, ticket, policy, at=at)


async def exhaust_playbook(uow: UnitOfWork, *, ticket_id: UUID, event: Event, cause: UUID, at: datetime) -> None:
    """Do what the matrix orders when the document of possible solutions is exhausted. SKE-03"""
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        if ticket.is_work:
            ticket = await escalate_event(tx, ticket, policy, trigger="playbook_exhausted", cause=cause, at=at)
        await tell_of_event(tx, ticket, policy, event=event, cause=cause)


async def tell_of_ticket_event(
    uow: UnitOfWork,
    *,
    ticket_id: UUID,
    event: Event,
    cause: UUID,
    facts: dict[str, FactValue] | None = None,
) -> None:
    """Tell of an event that changes nothing here, if the policy wants somebody told."""
    async with uow.begin() as tx:
        ticket, policy = await known_ticket(tx, ticket_id)
        await tell_of_event(tx, ticket, policy, event=event, cause=cause, facts=facts)
