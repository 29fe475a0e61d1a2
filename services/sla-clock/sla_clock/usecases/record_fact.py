"""Something happened to a ticket: its clocks are folded anew."""

from datetime import datetime
from uuid import UUID

from plazo.policy import AgreedTerms
from plazo.runtime.unit_of_work import UnitOfWork
from sla_clock.domain.facts import Fact, Opened
from sla_clock.repository import desks, tickets
from sla_clock.usecases.announce_changes import announce_changes


async def register_ticket(
    uow: UnitOfWork,
    *,
    ticket_id: UUID,
    number: str,
    customer_id: UUID,
    policy: str,
    policy_version: str,
    timezone: str | None,
    region: str | None,
    agreed: AgreedTerms | None = None,
    opening: Fact,
    recorded_at: datetime,
) -> None:
    """Keep a ticket and start its clocks. :raises NotYet: if its desk or its policy version is not known yet"""
    assert isinstance(opening.what, Opened)
    async with uow.begin() as tx:
        tx.now = await desks.hold_present(tx.connection, tx.desk_id) or tx.now
        await tickets.insert_ticket(
            tx.connection,
            ticket_id=ticket_id,
            desk_id=tx.desk_id,
            number=number,
            customer_id=customer_id,
            policy=policy,
            policy_version=policy_version,
            timezone=timezone,
            region=region,
            opened_at=opening.occurred_at,
            agreed=agreed,
        )
        ticket = await tickets.lock_ticket(tx.connection, ticket_id)
        await tickets.insert_fact(tx.connection, ticket, opening, recorded_at=recorded_at)
        await announce_changes(tx, [ticket], at=max(tx.now, recorded_at))


async def record_fact(uow: UnitOfWork, *, ticket_id: UUID, fact: Fact, recorded_at: datetime) -> None:
    """Add what happened to a ticket, and announce what that changes, now and in the past.

    :raises NotYet: if the ticket's opening has not come yet
    """
    async with uow.begin() as tx:
        tx.now = await desks.hold_present(tx.connection, tx.desk_id) or tx.now
        ticket = await tickets.lock_ticket(tx.connection, ticket_id)
        await tickets.insert_fact(tx.connection, ticket, fact, recorded_at=recorded_at)
        await announce_changes(tx, [ticket], at=max(tx.now, recorded_at))
