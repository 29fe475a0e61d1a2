"""Letting tickets in, or keeping them out until standing and balance allow it. SMA-02, SMA-14"""

from dataclasses import replace
from datetime import datetime

from billing.domain.accounts import MAIN
from billing.domain.admission import Solvency, Verdict, decide_admission, is_in_force
from billing.domain.parties import Contract, Ticket
from billing.repository import accounts, parties
from billing.repository.policies import known_policy
from billing.usecases.books import Books, Why, close_books, open_books, write
from billing.usecases.charging import recharge
from plazo.events.billing import AdmissionGranted, AdmissionWithheld
from plazo.runtime.inbox import NotYet
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


async def take_ticket(uow: UnitOfWork, *, ticket: Ticket, is_gated: bool) -> None:
    """Learn of a ticket, and decide on its admission as of its opening where its policy has gates.

    :raises NotYet: if its contract or policy is not known yet
    """
    async with uow.begin() as tx:
        contract = await _contract_of(tx, ticket)
        if not is_gated or contract is None:
            await parties.save_ticket(tx, ticket)
            return
        policy = await known_policy(tx, policy=ticket.policy, version=ticket.policy_version)
        books = await open_books(tx, contract, policy, ticket_ids=[ticket.ticket_id])
        why = Why(key=f"opened:{ticket.ticket_id}", reason="ticket opened", at=ticket.opened_at)
        await recharge(books, ticket, why=why, cause="opened")  # brings allotments and expiries up to date
        await _decide(books, ticket, at=ticket.opened_at, why=why)
        await close_books(books, why)


async def _contract_of(tx: Transaction, ticket: Ticket) -> Contract | None:
    if ticket.contract_id is None:
        return None
    contract = await parties.find_contract(tx.connection, ticket.contract_id, lock=True)
    if contract is None:
        raise NotYet(f"contract {ticket.contract_id}")
    return contract


async def reconsider(tx: Transaction, contract: Contract, *, why: Why) -> None:
    """Decide again on every ticket of a contract that is kept out, in the order of their opening.

    What is granted counts from the instant of the cause, at the earliest from the ticket's opening.
    """
    for ticket in await parties.list_withheld(tx.connection, contract.contract_id):
        policy = await known_policy(tx, policy=ticket.policy, version=ticket.policy_version)
        books = await open_books(tx, contract, policy, ticket_ids=[ticket.ticket_id])
        at = max(why.at, ticket.opened_at)
        in_force = is_in_force(contract.valid_from, contract.valid_until, at=at, zone=policy.timezone)
        await _decide(books, ticket, at=at, why=why, plan_in_force=in_force)
        await close_books(books, why)


async def _decide(books: Books, ticket: Ticket, *, at: datetime, why: Why, plan_in_force: bool | None = None) -> None:
    tx, main = books.tx, books.main
    below = False
    if main is not None:
        await write(books)
        # What is set aside for one ticket is not there for another, whichever opened first.
        look_at = max(at, tx.now) if main.on_minimum == "reserve" else at
        available = await accounts.available_at(tx.connection, books.prepaid_id(MAIN), at=look_at)
        below = available < main.floor_to_begin
    solvency = Solvency(
        standing=await parties.standing_at(tx.connection, books.contract.contract_id, at=at),
        below_minimum=below,
        plan_in_force=plan_in_force,
    )
    facts = books.contract.facts() | dict(ticket.facts)
    verdict = decide_admission(books.policy.billing, facts=facts, solvency=solvency)
    decided = _decided(ticket, verdict, at)
    await parties.save_ticket(tx, decided)
    if verdict.is_granted:
        event = AdmissionGranted(ticket_id=ticket.ticket_id, clauses=verdict.clauses)
        tx.emit(event, about=ticket.ticket_id, occurred_at=at)
        await recharge(books, decided, why=replace(why, key=f"{why.key}:{ticket.ticket_id}"), cause="admitted")
    elif (ticket.admission, ticket.held_for) != ("withheld", verdict.held_for):
        reason, clause = str(verdict.held_for), next(iter(verdict.clauses), None)
        withheld = AdmissionWithheld(ticket_id=ticket.ticket_id, reason=reason, clause=clause)
        tx.emit(withheld, about=ticket.ticket_id, occurred_at=at)


def _decided(ticket: Ticket, verdict: Verdict, at: datetime) -> Ticket:
    if verdict.is_granted:
        return replace(ticket, admission="granted", admitted_at=at, held_for=None, held_clauses=())
    return replace(ticket, admission="withheld", held_for=verdict.held_for, held_clauses=verdict.clauses)
