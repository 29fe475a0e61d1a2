"""Quotes: offered, accepted (and then set aside in the ledger), declined, released, expired. SMA-18"""

from typing import Any
from uuid import UUID

from billing.repository import parties
from billing.repository import quotes as quote_repository
from billing.repository.policies import known_policy
from billing.schemas.quotes import AcceptanceCreate, QuoteCreate, QuoteView
from billing.usecases.admission import reconsider
from billing.usecases.books import Books, Why, close_books, open_books
from billing.usecases.charging import recharge
from billing.usecases.contacts import require_authorized
from billing.usecases.pricing import price_work
from billing.usecases.subjects import Subject, find_subject
from plazo.events.billing import QuoteChanged, TimerRequested, TimerWithdrawn
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.kernel.time import format_instant
from plazo.money import format_minor
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


class QuoteDecided(PlazoError):
    """The quote is in a state in which this cannot be done any more."""

    kind = Kind.CONFLICT
    code = "quote-decided"


class UnitsTaken(PlazoError):
    """What the quote would set aside is not there any more."""

    kind = Kind.CONFLICT
    code = "units-taken"


async def offer_quote(uow: UnitOfWork, *, body: QuoteCreate, quoted_by: str) -> QuoteView:
    """Price work and offer it to the customer.

    :raises NotFound: if there is no such ticket or contract
    :raises NoContract: if the ticket has none
    :raises InvalidInput: for a quote that ends before now, or facts that the policy does not know
    """
    async with uow.begin() as tx:
        if body.valid_until <= tx.now:
            message = f"expected an instant after now ({format_instant(tx.now)})"
            raise InvalidInput("the quote cannot be accepted", faults=[Fault("/valid_until", message)])
        price = await price_work(tx, body)
        quote = {
            "quote_id": new_id(),
            "contract_id": price.contract.contract_id,
            "ticket_id": price.ticket_id,
            "state": "offered",
            "description": body.description,
            "at": price.work.started_at,
            "minutes": body.minutes,
            "facts": body.facts,
            "account": price.account,
            "counted_in": price.counted_in,
            "quantity": price.quantity,
            "extra_minor": body.extra.minor if body.extra else None,
            "extra_currency": body.extra.currency if body.extra else None,
            "charges": [cost.model_dump() for cost in price.view.costs],
            "clauses": price.view.clauses,
            "explanation": _explain(price.view.explanation, price.view.share, body),
            "valid_until": body.valid_until,
            "quoted_at": tx.now,
            "quoted_by": quoted_by,
            "decided_at": None,
            "decided_by": None,
        }
        await quote_repository.insert_quote(tx, quote)
        _announce(tx, quote)
        view = QuoteView(**quote)
        tx.answer = view.model_dump(mode="json")
    return view


def _explain(explanation: dict[str, str], share: dict[str, str] | None, body: QuoteCreate) -> dict[str, str]:
    said = {}
    for language, text in explanation.items():
        parts = [text] if share is None else [share[language], text]
        if body.extra is not None:
            parts.append(f"+ {format_minor(body.extra.minor, body.extra.currency)}")
        said[language] = "; ".join(parts)
    return said


async def accept_quote(
    uow: UnitOfWork,
    *,
    quote_id: UUID,
    body: AcceptanceCreate,
    customer_id: UUID | None,
    by: str,
    contact_id: UUID | None = None,
) -> QuoteView:
    """Accept a quote: what it takes of the account is set aside until work is done under it, or it expires.

    Where the account reserves, all of that must be there; where it only checks, what is there is set aside.
    `contact_id` is the person of the customer who does, where the key says so.

    :raises NotFound: for a quote that the caller may not see, or a ticket of another contract
    :raises NotAuthorized: if nobody authorized the contact, and the ticket's policy asks for that (EXP-01)
    :raises QuoteDecided: if it was decided before or is over
    :raises UnitsTaken: if the account reserves and what the quote takes is not there
    :raises InvalidInput: if nobody says which ticket it is for
    """
    async with uow.begin() as tx:
        quote = await _find(tx, quote_id, customer_id=customer_id)
        ticket_id = quote["ticket_id"] or body.ticket_id
        if ticket_id is None:
            fault = Fault("/ticket_id", "expected the ticket that the work is for: the quote names none")
            raise InvalidInput("the quote is for no ticket yet", faults=[fault])
        subject = await find_subject(tx, ticket_id)
        if subject.contract.contract_id != quote["contract_id"]:
            raise NotFound(f"contract {quote['contract_id']} has no ticket {ticket_id}")
        await require_authorized(tx, contact_id, subject.ticket)
        quote = await _find(tx, quote_id, customer_id=customer_id)
        _require_state(quote, "offered")
        if quote["valid_until"] <= tx.now:
            raise QuoteDecided(f"the quote could be accepted until {format_instant(quote['valid_until'])}")
        await _decide(tx, quote, subject, state="accepted", by=by)
        left = int((quote["valid_until"] - tx.now).total_seconds())
        timer = TimerRequested(
            ticket_id=ticket_id,
            timer_id=quote_id,
            start=tx.now,
            after=f"{max(left, 1)}s",
            calendar=None,
            context={"quote_id": str(quote_id)},
        )
        tx.emit(timer, about=ticket_id, occurred_at=tx.now)
        return await _view(tx, quote_id)


async def decline_quote(
    uow: UnitOfWork, *, quote_id: UUID, customer_id: UUID | None, by: str, contact_id: UUID | None = None
) -> QuoteView:
    """Decline a quote that was offered. `contact_id` is the person of the customer who does, where the key says so.

    :raises NotFound: for a quote that the caller may not see
    :raises NotAuthorized: if nobody authorized the contact, and the policy asks for that (EXP-01)
    :raises QuoteDecided: if it was decided before
    """
    async with uow.begin() as tx:
        quote = await _lock(tx, quote_id, customer_id=customer_id)
        ticket = await parties.find_ticket(tx.connection, quote["ticket_id"]) if quote["ticket_id"] else None
        about = ticket or await parties.find_contract(tx.connection, quote["contract_id"])
        assert about is not None
        await require_authorized(tx, contact_id, about)
        _require_state(quote, "offered")
        await _change_state(tx, quote, state="declined", ticket_id=quote["ticket_id"], by=by)
        return await _view(tx, quote_id)


async def release_quote(uow: UnitOfWork, *, quote_id: UUID, by: str) -> QuoteView:
    """Free what an accepted quote still sets aside. :raises NotFound: :raises QuoteDecided: if it is not accepted"""
    async with uow.begin() as tx:
        quote = await _lock(tx, quote_id, customer_id=None)
        _require_state(quote, "accepted")
        subject = await find_subject(tx, quote["ticket_id"])
        await _decide(tx, quote, subject, state="released", by=by)
        withdrawn = TimerWithdrawn(ticket_id=quote["ticket_id"], timer_id=quote_id)
        tx.emit(withdrawn, about=quote["ticket_id"], occurred_at=tx.now)
        return await _view(tx, quote_id)


async def expire_quote(uow: UnitOfWork, *, quote_id: UUID) -> None:
    """Free what an accepted quote still sets aside, its time being over."""
    async with uow.begin() as tx:
        quote = await quote_repository.find_quote(tx.connection, quote_id)
        if quote is None or quote["state"] != "accepted":
            return
        subject = await find_subject(tx, quote["ticket_id"])
        quote = await _find(tx, quote_id, customer_id=None)
        if quote["state"] == "accepted":
            await _decide(tx, quote, subject, state="expired", by="clock")


async def read_quote(uow: UnitOfWork, *, quote_id: UUID, customer_id: UUID | None) -> QuoteView:
    """Return a quote. :raises NotFound: for one that the caller may not see"""
    async with uow.read() as connection:
        quote = await quote_repository.find_quote(connection, quote_id, customer_id=customer_id)
    if quote is None:
        raise NotFound(f"there is no quote {quote_id}")
    return QuoteView(**quote)


async def list_quotes(
    uow: UnitOfWork,
    *,
    ticket_id: UUID | None,
    contract_id: UUID | None,
    customer_id: UUID | None,
    cursor: str | None,
    limit: int,
) -> Page[QuoteView]:
    """Return quotes, the newest first."""
    after = position(cursor, UUID)
    async with uow.read() as connection:
        rows = await quote_repository.list_quotes(
            connection,
            ticket_id=ticket_id,
            contract_id=contract_id,
            customer_id=customer_id,
            after=after[0] if after else None,
            limit=limit + 1,
        )
    return page_of([QuoteView(**row) for row in rows], limit=limit, keys=lambda one: (one.quote_id,))


async def _find(tx: Transaction, quote_id: UUID, *, customer_id: UUID | None) -> dict[str, Any]:
    quote = await quote_repository.find_quote(tx.connection, quote_id, customer_id=customer_id)
    if quote is None:
        raise NotFound(f"there is no quote {quote_id}")
    return quote


async def _lock(tx: Transaction, quote_id: UUID, *, customer_id: UUID | None) -> dict[str, Any]:
    """Return a quote whose contract's books are ours until the transaction ends."""
    quote = await _find(tx, quote_id, customer_id=customer_id)
    await parties.find_contract(tx.connection, quote["contract_id"], lock=True)
    return await _find(tx, quote_id, customer_id=customer_id)


def _require_state(quote: dict[str, Any], state: str) -> None:
    if quote["state"] != state:
        raise QuoteDecided(f"the quote is {quote['state']}; this takes one that is {state}")


async def _decide(tx: Transaction, quote: dict[str, Any], subject: Subject, *, state: str, by: str) -> None:
    """Change the state of a quote, and set aside or free what follows from that."""
    ticket, contract = subject.ticket, subject.contract
    await _change_state(tx, quote, state=state, ticket_id=ticket.ticket_id, by=by)
    policy = await known_policy(tx, policy=ticket.policy, version=ticket.policy_version)
    books = await open_books(tx, contract, policy, ticket_ids=[ticket.ticket_id])
    why = Why(key=f"quote:{quote['quote_id']}:{state}", reason=f"quote {state}", at=tx.now)
    await recharge(books, ticket, why=why, cause="quote")
    if state == "accepted":
        _check_set_aside(books, quote)
    await close_books(books, why)
    await reconsider(tx, contract, why=why)


async def _change_state(tx: Transaction, quote: dict[str, Any], *, state: str, ticket_id: UUID | None, by: str) -> None:
    await quote_repository.decide_quote(tx, quote["quote_id"], state=state, ticket_id=ticket_id, at=tx.now, by=by)
    quote |= {"state": state, "ticket_id": ticket_id}
    _announce(tx, quote)


def _check_set_aside(books: Books, quote: dict[str, Any]) -> None:
    """Refuse a quote that leaves something unfunded of what is set aside, where the account reserves."""
    terms = books.terms.get(quote["account"]) if quote["account"] else None
    if terms is None or terms.on_minimum != "reserve":
        return
    holds = [stored for stored in books.unwritten.draws.values() if stored.draw.kind == "hold"]
    short = sum(stored.draw.quantity - sum(part.quantity for part in stored.funding) for stored in holds)
    if short:
        raise UnitsTaken(
            f"the quote takes {quote['quantity']} of account {terms.name}; {short} of that are not there any more",
            clause=", ".join(terms.clauses),
        )


def _announce(tx: Transaction, quote: dict[str, Any]) -> None:
    about = quote["ticket_id"] or quote["contract_id"]
    fields = QuoteChanged.model_fields.keys()
    event = QuoteChanged(unit=quote["counted_in"], **{name: quote[name] for name in fields if name in quote})
    tx.emit(event, about=about, occurred_at=tx.now)


async def _view(tx: Transaction, quote_id: UUID) -> QuoteView:
    view = QuoteView(**await _find(tx, quote_id, customer_id=None))
    tx.answer = view.model_dump(mode="json")
    return view
