"""Following tickets: facts that change what work costs, and the end of a ticket."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from billing.domain.parties import FactValue, Ticket
from billing.repository import parties
from billing.repository.policies import known_policy
from billing.usecases.admission import reconsider
from billing.usecases.books import Why, close_books, open_books
from billing.usecases.charging import recharge
from billing.usecases.service_credits import reconsider_credits
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


async def change_facts(uow: UnitOfWork, *, ticket_id: UUID, facts: Mapping[str, FactValue], why: Why) -> None:
    """Take new facts of a ticket, and charge all its work by them: the cause found last is the cause (PRO-04)."""
    async with uow.begin() as tx:
        if (ticket := await parties.find_ticket(tx.connection, ticket_id)) is not None:
            await _change(tx, ticket_id, why=why, facts=facts, closed_at=ticket.closed_at)


async def close_ticket(uow: UnitOfWork, *, ticket_id: UUID, closed_at: datetime, why: Why) -> None:
    """Note that a ticket is over: what was set aside for it is free again."""
    async with uow.begin() as tx:
        await _change(tx, ticket_id, why=why, facts=None, closed_at=closed_at)


async def reopen_ticket(uow: UnitOfWork, *, ticket_id: UUID, why: Why) -> None:
    """Note that a ticket goes on."""
    async with uow.begin() as tx:
        await _change(tx, ticket_id, why=why, facts=None, closed_at=None)


async def _change(
    tx: Transaction, ticket_id: UUID, *, why: Why, facts: Mapping[str, FactValue] | None, closed_at: datetime | None
) -> None:
    contract = await parties.find_contract_of(tx.connection, ticket_id, lock=True)
    ticket = await parties.find_ticket(tx.connection, ticket_id, lock=True)
    if ticket is None:
        return
    changed: Ticket = replace(ticket, facts=ticket.facts if facts is None else facts, closed_at=closed_at)
    await parties.save_ticket(tx, changed)
    if contract is not None:
        policy = await known_policy(tx, policy=ticket.policy, version=ticket.policy_version)
        books = await open_books(tx, contract, policy, ticket_ids=[ticket_id])
        await recharge(books, changed, why=why, cause="facts_changed" if facts is not None else "closed")
        await close_books(books, why)
        if facts is not None:
            await reconsider_credits(tx, contract, ticket_id, why=why)
        await reconsider(tx, contract, why=why)
