"""Logging work, taking it back, and saying beforehand what it would cost: all by one path."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from billing import schemas
from billing.domain.parties import Contract, Ticket
from billing.domain.rating import Work
from billing.repository import ledger, parties
from billing.repository import work as work_repository
from billing.usecases.admission import reconsider
from billing.usecases.books import Why, announce_balances, open_books
from billing.usecases.charging import recharge
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.kernel.time import format_instant
from plazo.policy.charging import Billing
from plazo.policy.decide import Facts, first_match
from plazo.policy.document import Policy
from plazo.policy.facts import BUILT_IN
from plazo.runtime import policies
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


class TicketHeld(PlazoError):
    """The ticket is kept out; it is not worked on."""

    kind = Kind.CONFLICT
    code = "ticket-held"


class NoContract(PlazoError):
    """The ticket has no contract that says what work costs."""

    kind = Kind.CONFLICT
    code = "no-contract"


class QuoteRequired(PlazoError):
    """The customer must accept a quote before this work is logged (SMA-18)."""

    kind = Kind.CONFLICT
    code = "quote-required"


class AlreadyVoided(PlazoError):
    """The work was taken back before."""

    kind = Kind.CONFLICT
    code = "already-voided"


class _Undone(Exception):
    """Carries the answer of a dry run out of the transaction that it rolls back."""

    def __init__(self, charges: list[schemas.ChargeView]) -> None:
        super().__init__("undone")
        self.charges = charges


@dataclass(frozen=True, slots=True)
class _Subject:
    """A ticket that may be worked on, and its contract, both locked."""

    ticket: Ticket
    contract: Contract


async def log_work(uow: UnitOfWork, *, body: schemas.WorkCreate, logged_by: str) -> schemas.ChargedWorkView:
    """Write down work and charge the ticket for all its work anew.

    :raises NotFound: if there is no such ticket
    :raises TicketHeld: if it is kept out
    :raises QuoteRequired: if the customer must accept a quote first
    :raises BalanceExhausted: if the contract refuses what no account covers
    :raises InvalidInput: for work in the future
    """
    async with uow.begin() as tx:
        work = _work_of(body)
        charges = await _log(tx, work, body, logged_by=logged_by)
        view = schemas.ChargedWorkView(work=await _work_view(tx, work.work_id), charges=charges)
        tx.answer = view.model_dump(mode="json")
    return view


async def preview_work(uow: UnitOfWork, *, body: schemas.WorkCreate, logged_by: str) -> schemas.PreviewView:
    """Say what work would cost, by logging it and undoing that. Raises what :func:`log_work` raises."""
    try:
        async with uow.begin() as tx:
            raise _Undone(await _log(tx, _work_of(body), body, logged_by=logged_by))
    except _Undone as undone:
        return schemas.PreviewView(charges=undone.charges)


async def void_work(uow: UnitOfWork, *, work_id: UUID, body: schemas.VoidCreate) -> schemas.ChargedWorkView:
    """Take work back: the ticket is charged as if it had not been done, by entries that compensate.

    :raises NotFound: if there is no such work
    :raises AlreadyVoided: if it was taken back before
    """
    async with uow.begin() as tx:
        row = await work_repository.find_work(tx.connection, work_id)
        if row is None:
            raise NotFound(f"there is no work {work_id}")
        subject = await _subject(tx, row["ticket_id"])
        if not await work_repository.void_work(tx, work_id, reason=body.reason):
            raise AlreadyVoided(f"work {work_id} was voided before")
        why = Why(key=f"void:{work_id}", reason=body.reason, at=tx.now)
        charges = await _recharge(tx, subject, why=why, cause="void", may_refuse=False)
        view = schemas.ChargedWorkView(work=await _work_view(tx, work_id), charges=charges)
        tx.answer = view.model_dump(mode="json")
    return view


async def list_work(
    uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None, cursor: str | None, limit: int
) -> Page[schemas.WorkView]:
    """Return the work of a ticket in the order in which it was done, voided work too."""
    async with uow.read() as connection:
        rows = await work_repository.list_work(
            connection,
            ticket_id=ticket_id,
            customer_id=customer_id,
            after=position(cursor, datetime, UUID),
            limit=limit + 1,
        )
    return page_of(
        [schemas.WorkView(**row) for row in rows], limit=limit, keys=lambda one: (one.started_at, one.work_id)
    )


async def list_charges(
    uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None, cursor: str | None, limit: int
) -> Page[schemas.ChargeView]:
    """Return the charges of a ticket in the order in which they were made."""
    after = position(cursor, int)
    async with uow.read() as connection:
        rows = await ledger.list_charges(
            connection,
            ticket_id=ticket_id,
            customer_id=customer_id,
            after=after[0] if after else None,
            limit=limit + 1,
        )
    places = {row["charge_id"]: row["seq"] for row in rows}
    return page_of(
        [schemas.ChargeView.model_validate(row) for row in rows], limit=limit, keys=lambda one: (places[one.charge_id],)
    )


def _work_of(body: schemas.WorkCreate) -> Work:
    return Work(
        work_id=new_id(),
        kind=body.kind,
        started_at=body.started_at,
        minutes=body.minutes,
        facts=body.facts,
        appointment=body.appointment,
    )


async def _log(tx: Transaction, work: Work, body: schemas.WorkCreate, *, logged_by: str) -> list[schemas.ChargeView]:
    if work.started_at > tx.now:
        message = f"expected work that was done, at most now ({format_instant(tx.now)})"
        raise InvalidInput("the work lies in the future", faults=[Fault(pointer="/started_at", message=message)])
    subject = await _subject(tx, body.ticket_id)
    if subject.ticket.admission == "withheld":
        raise TicketHeld(
            f"ticket {subject.ticket.number} is held: {subject.ticket.held_for}",
            clause=", ".join(subject.ticket.held_clauses),
        )
    await work_repository.insert_work(
        tx, work, ticket_id=body.ticket_id, description=body.description, logged_by=logged_by
    )
    why = Why(key=f"work:{work.work_id}", reason=work.kind, at=work.started_at)
    return await _recharge(tx, subject, why=why, cause=work.kind, may_refuse=True, work=work)


async def _subject(tx: Transaction, ticket_id: UUID) -> _Subject:
    contract = await parties.find_contract_of(tx.connection, ticket_id, lock=True)
    ticket = await parties.find_ticket(tx.connection, ticket_id, lock=True)
    if ticket is None:
        raise NotFound(f"there is no ticket {ticket_id}")
    if contract is None:
        raise NoContract(f"ticket {ticket.number} has no contract that says what work costs")
    return _Subject(ticket=ticket, contract=contract)


async def _recharge(
    tx: Transaction, subject: _Subject, *, why: Why, cause: str, may_refuse: bool, work: Work | None = None
) -> list[schemas.ChargeView]:
    ticket, contract = subject.ticket, subject.contract
    policy = await policies.known_policy(tx.connection, policy=ticket.policy, version=ticket.policy_version)
    if work is not None:
        _check_facts(policy, work)
        _check_quote(policy.billing, {**contract.facts(), **ticket.facts, **work.facts}, work)
    books = await open_books(tx, contract, policy)
    charges = await recharge(books, ticket, why=why, cause=cause, may_refuse=may_refuse)
    announce_balances(books, why)
    if work is None:
        await reconsider(tx, contract, why=why)
    charges.sort(key=lambda charge: charge["ticket_id"] != ticket.ticket_id)
    return [schemas.ChargeView.model_validate(charge) for charge in charges]


def _check_facts(policy: Policy, work: Work) -> None:
    unknown = [name for name in work.facts if name not in BUILT_IN and name not in policy.facts]
    if unknown:
        known = ", ".join(sorted(policy.facts)) or "none of its own"
        message = f"policy {policy.policy} knows no such fact; beside the common ones it declares {known}"
        raise InvalidInput(
            "the facts of the work do not fit the policy",
            faults=[Fault(pointer=f"/facts/{name}", message=message) for name in unknown],
        )


def _check_quote(billing: Billing, facts: Facts, work: Work) -> None:
    found = first_match(billing.work, facts) if work.kind == "work" else None
    if found is not None and found.rule.quote_required and facts.get("quote_accepted") is not True:
        raise QuoteRequired(
            "this work takes a quote that the customer accepted: state the fact quote_accepted on the ticket",
            clause=", ".join(found.rule.clause),
        )


async def _work_view(tx: Transaction, work_id: UUID) -> schemas.WorkView:
    row = await work_repository.find_work(tx.connection, work_id)
    assert row is not None, "it was written in this transaction"
    return schemas.WorkView(**row)
