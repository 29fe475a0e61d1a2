"""Logging work, taking it back, and saying beforehand what it would cost: all by one path."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.domain.accounts import midnight
from billing.domain.parties import Ticket
from billing.domain.rating import Work
from billing.repository import ledger
from billing.repository import work as work_repository
from billing.repository.books import NewWork
from billing.repository.policies import known_policy
from billing.schemas.work import ChargedWorkView, ChargeView, VoidCreate, WorkCreate, WorkView
from billing.usecases.admission import reconsider
from billing.usecases.books import Books, Why, close_books, open_books
from billing.usecases.charging import recharge
from billing.usecases.subjects import Subject, check_facts, find_subject
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.kernel.time import format_instant
from plazo.policy.charging import Billing
from plazo.policy.decide import Facts, first_match
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


class TicketHeld(PlazoError):
    """The ticket is kept out; it is not worked on."""

    kind = Kind.CONFLICT
    code = "ticket-held"


class QuoteRequired(PlazoError):
    """The customer must accept a quote before this work is logged (SMA-18)."""

    kind = Kind.CONFLICT
    code = "quote-required"


class QuoteNotAccepted(PlazoError):
    """The work names a quote that is not accepted, or is over."""

    kind = Kind.CONFLICT
    code = "quote-not-accepted"


class AlreadyVoided(PlazoError):
    """The work was taken back before."""

    kind = Kind.CONFLICT
    code = "already-voided"


async def log_work(uow: UnitOfWork, *, body: WorkCreate, logged_by: str) -> ChargedWorkView:
    """Write down work and charge the ticket for all its work anew.

    :raises NotFound: if there is no such ticket
    :raises TicketHeld: if it is kept out
    :raises QuoteRequired: if the customer must accept a quote first
    :raises BalanceExhausted: if the contract refuses what no account covers
    :raises InvalidInput: for work in the future, or before the contract is valid
    """
    async with uow.begin() as tx:
        view = await charge_work(tx, body, logged_by=logged_by)
        tx.answer = view.model_dump(mode="json")
    return view


async def charge_work(
    tx: Transaction, body: WorkCreate, *, logged_by: str, reference: str | None = None
) -> ChargedWorkView:
    """Write down work in an open transaction. Raises what :func:`log_work` raises."""
    work = _work_of(body)
    charges = await _log(tx, work, body, logged_by=logged_by, reference=reference)
    view = _new_view(tx, work, body, logged_by=logged_by, reference=reference)
    return ChargedWorkView(work=view, charges=charges)


async def void_work(uow: UnitOfWork, *, work_id: UUID, body: VoidCreate) -> ChargedWorkView:
    """Take work back: the ticket is charged as if it had not been done, by entries that compensate.

    :raises NotFound: if there is no such work
    :raises AlreadyVoided: if it was taken back before
    """
    async with uow.begin() as tx:
        row = await work_repository.find_work(tx.connection, work_id)
        if row is None:
            raise NotFound(f"there is no work {work_id}")
        subject = await find_subject(tx, row["ticket_id"])
        if not await work_repository.void_work(tx, work_id, reason=body.reason):
            raise AlreadyVoided(f"work {work_id} was voided before")
        why = Why(key=f"void:{work_id}", reason=body.reason, at=tx.now)
        charges = await _recharge(tx, subject, why=why, cause="void")
        view = ChargedWorkView(work=await _work_view(tx, work_id), charges=charges)
        tx.answer = view.model_dump(mode="json")
    return view


async def list_work(
    uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None, cursor: str | None, limit: int
) -> Page[WorkView]:
    """Return the work of a ticket in the order in which it was done, voided work too."""
    async with uow.read() as connection:
        rows = await work_repository.list_work(
            connection,
            ticket_id=ticket_id,
            customer_id=customer_id,
            after=position(cursor, datetime, UUID),
            limit=limit + 1,
        )
    return page_of([WorkView(**row) for row in rows], limit=limit, keys=lambda one: (one.started_at, one.work_id))


async def list_charges(
    uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None, cursor: str | None, limit: int
) -> Page[ChargeView]:
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
        [ChargeView.model_validate(row) for row in rows], limit=limit, keys=lambda one: (places[one.charge_id],)
    )


def _work_of(body: WorkCreate) -> Work:
    return Work(
        work_id=new_id(),
        kind=body.kind,
        started_at=body.started_at,
        minutes=body.minutes,
        facts=body.facts,
        appointment=body.appointment,
        quote_id=body.quote_id,
    )


async def _log(
    tx: Transaction, work: Work, body: WorkCreate, *, logged_by: str, reference: str | None
) -> list[ChargeView]:
    if work.started_at > tx.now:
        message = f"expected work that was done, at most now ({format_instant(tx.now)})"
        raise InvalidInput("the work lies in the future", faults=[Fault(pointer="/started_at", message=message)])
    subject = await find_subject(tx, body.ticket_id)
    if subject.ticket.admission == "withheld":
        raise TicketHeld(
            f"ticket {subject.ticket.number} is held: {subject.ticket.held_for}",
            clause=", ".join(subject.ticket.held_clauses),
        )
    new = NewWork(
        work, ticket_id=body.ticket_id, description=body.description, logged_by=logged_by, reference=reference
    )
    why = Why(key=f"work:{work.work_id}", reason=work.kind, at=work.started_at)
    return await _charge(tx, subject, why=why, new=new)


async def _charge(tx: Transaction, subject: Subject, *, why: Why, new: NewWork) -> list[ChargeView]:
    """Charge a ticket for one more piece of work."""
    ticket, contract, work = subject.ticket, subject.contract, new.work
    policy = await known_policy(tx, policy=ticket.policy, version=ticket.policy_version)
    _check_validity(subject, work, zone=policy.timezone)
    check_facts(policy, work)
    account = policy.billing.account
    holds = account is not None and account.on_minimum == "reserve" and ticket.admitted_at is not None
    since = min(work.started_at, ticket.admitted_at) if holds and ticket.admitted_at else work.started_at
    books = await open_books(
        tx, contract, policy, ticket_ids=[ticket.ticket_id], since=None if work.quote_id else since
    )
    if work.quote_id is not None:
        work = replace(work, facts={**work.facts, "quote_accepted": _is_accepted(books, ticket, work.quote_id)})
        new = replace(new, work=work)
    _check_quote(policy.billing, {**contract.facts(), **ticket.facts, **work.facts}, work)
    books.held.work[ticket.ticket_id].append(work)
    books.unwritten.work.append(new)
    charges = await recharge(books, ticket, why=why, cause=work.kind, may_refuse=True)
    await close_books(books, why)
    return _views(charges, ticket)


async def _recharge(tx: Transaction, subject: Subject, *, why: Why, cause: str) -> list[ChargeView]:
    """Charge a ticket for its work as it stands now."""
    ticket, contract = subject.ticket, subject.contract
    policy = await known_policy(tx, policy=ticket.policy, version=ticket.policy_version)
    books = await open_books(tx, contract, policy, ticket_ids=[ticket.ticket_id])
    charges = await recharge(books, ticket, why=why, cause=cause)
    await close_books(books, why)
    await reconsider(tx, contract, why=why)
    return _views(charges, ticket)


def _views(charges: list[dict[str, Any]], ticket: Ticket) -> list[ChargeView]:
    """Show charges, those of the ticket itself first."""
    charges = sorted(charges, key=lambda charge: charge["ticket_id"] != ticket.ticket_id)
    return [ChargeView.model_validate(charge) for charge in charges]


def _is_accepted(books: Books, ticket: Ticket, quote_id: UUID) -> bool:
    """Tell that a quote is accepted. :raises QuoteNotAccepted: if it is not, or not for this ticket"""
    if not any(quote.holds and quote.quote_id == quote_id for quote in books.held.quotes[ticket.ticket_id]):
        raise QuoteNotAccepted(f"ticket {ticket.number} has no accepted quote {quote_id}")
    return True


def _check_validity(subject: Subject, work: Work, *, zone: str) -> None:
    """Refuse work that no month of the contract can hold. :raises InvalidInput: if it began before it was valid

    A ticket of the time before a renewal goes on from its opening: the contract is kept as it was renewed.
    """
    since = midnight(subject.contract.valid_from, zone)
    if work.started_at < min(since, subject.ticket.opened_at):
        message = (
            f"expected work under the contract, which is valid from {subject.contract.valid_from} "
            f"({format_instant(since)}), not of {format_instant(work.started_at)}"
        )
        raise InvalidInput("the work lies before its contract", faults=[Fault("/started_at", message)])


def _check_quote(billing: Billing, facts: Facts, work: Work) -> None:
    found = first_match(billing.work, facts) if work.kind == "work" else None
    if found is not None and found.rule.quote_required and facts.get("quote_accepted") is not True:
        raise QuoteRequired(
            "this work takes a quote that the customer accepted: name it in quote_id",
            clause=", ".join(found.rule.clause),
        )


def _new_view(tx: Transaction, work: Work, body: WorkCreate, *, logged_by: str, reference: str | None) -> WorkView:
    return WorkView(
        work_id=work.work_id,
        ticket_id=body.ticket_id,
        kind=work.kind,
        started_at=work.started_at,
        minutes=work.minutes,
        facts=dict(work.facts),
        appointment=work.appointment,
        description=body.description,
        logged_by=logged_by,
        recorded_at=tx.now,
        voided_at=None,
        void_reason=None,
        quote_id=work.quote_id,
        reference=reference,
    )


async def _work_view(tx: Transaction, work_id: UUID) -> WorkView:
    row = await work_repository.find_work(tx.connection, work_id)
    assert row is not None, "it was written in this transaction"
    return WorkView(**row)
