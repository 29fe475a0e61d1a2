"""Replaying the desk: what was put in is rated, paid for and credited anew, and compared with what was posted."""

from collections.abc import AsyncIterator

from billing.domain.parties import Contract
from billing.domain.replay import Kept, Owed, replay_faults
from billing.domain.service_credits import decide_credits
from billing.repository import parties, replay, service_credits
from billing.repository.policies import known_policy
from billing.usecases.books import Books, Why, open_books
from billing.usecases.charging import recharge
from billing.usecases.service_credits import breach_of
from billing.usecases.settling import settle
from plazo.runtime.unit_of_work import Transaction


async def replay_desk(tx: Transaction) -> AsyncIterator[str]:
    """Give what differs. Nothing is written: `tx` may be read-only.

    Tickets keep the policy version they opened under, and breaches the fee known first; a ticket is rated by its newest
    facts and by its contract as it stands.
    """
    for contract in await replay.contracts_with_accounts(tx.connection):
        owed: list[Owed] = []
        async for credit_id, told, found in _credits(tx, contract):
            owed.append(found)
            if told != found:
                yield f"breach {credit_id} is credited {told.amount} {told.counted_in}, replayed {found.amount}"
        kept = Kept(
            contract_id=contract.contract_id,
            accounts=await replay.accounts_of(tx.connection, contract.contract_id),
            grants=await replay.grants_of(tx.connection, contract.contract_id),
            draws=await replay.draws_of(tx.connection, contract.contract_id),
            owed=tuple(owed),
        )
        for fault in replay_faults(kept):
            yield fault
        async for fault in _rating_faults(tx, contract):
            yield fault


async def _credits(tx: Transaction, contract: Contract) -> AsyncIterator[tuple[str, Owed, Owed]]:
    for month in await service_credits.months_with_breaches(tx.connection, contract.contract_id):
        stored = await service_credits.breaches_of(tx.connection, contract.contract_id, month)
        decided = decide_credits([await breach_of(tx, one) for one in stored])
        for one in stored:
            credit = decided[one.credit_id]
            yield str(one.credit_id), Owed(one.counted_in, one.amount), Owed(credit.counted_in, credit.amount)


async def _rating_faults(tx: Transaction, contract: Contract) -> AsyncIterator[str]:
    """Charge every ticket anew: what would have to be posted was not charged as it should be."""
    books: dict[tuple[str, str], Books] = {}
    why = Why(key="replay", reason="replay", at=tx.now)
    for ticket_id in await replay.tickets_with_work(tx.connection, contract.contract_id):
        ticket = await parties.find_ticket(tx.connection, ticket_id)
        assert ticket is not None, "it has work or draws"
        version = (ticket.policy, ticket.policy_version)
        if version not in books:
            policy = await known_policy(tx, policy=ticket.policy, version=ticket.policy_version)
            books[version] = await open_books(tx, contract, policy)
            await settle(books[version], why=why)  # what this month brings and nobody has asked for yet
        before = len(books[version].unwritten.postings)
        await recharge(books[version], ticket, why=why, cause="replay")
        for posting in books[version].unwritten.postings[before:]:
            moved = ", ".join(f"{entry.amount} {entry.counted_in}" for entry in posting.entries)
            yield f"ticket {ticket.number} rated anew ({posting.work_id or posting.ticket_id}) would move {moved}"
