"""Rating a ticket's work anew, and settling the difference."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.domain import rating
from billing.domain.accounts import MAIN, Terms, month_of
from billing.domain.funding import Draw, Overage
from billing.domain.ledger import StoredDraw
from billing.domain.parties import Ticket
from billing.domain.quotes import extra_line, left_to_hold
from billing.domain.rating import Line
from billing.repository import parties
from billing.usecases.announcing import announce_charges
from billing.usecases.books import Books, Why
from billing.usecases.settling import settle
from plazo.calendar import WorkingTime, compile_calendar
from plazo.money import parse_minutes
from plazo.policy.charging import Billing, Rate
from plazo.policy.decide import Facts, calendar_of, first_match
from plazo.policy.document import Policy


async def recharge(
    books: Books, ticket: Ticket, *, why: Why, cause: str, may_refuse: bool = False
) -> list[dict[str, Any]]:
    """Rate all work of a ticket as it stands now, and post and announce what differs from what was charged.

    Returns the charges that this made for any ticket of the contract.

    :raises BalanceExhausted: with `may_refuse`, if the policy refuses what no account covers
    """
    await books.read_tickets([ticket.ticket_id])
    tickets = {ticket.ticket_id: ticket} | {one.ticket_id: one for one in await _neighbors(books, ticket)}
    lines = rating.rate(
        books.policy.billing,
        [_case(books, one, is_beside=one is not ticket) for one in tickets.values()],
        accounts=books.terms,
        zone=books.policy.timezone,
        calendars=_calendars(books.policy),
    )
    drawn: list[StoredDraw] = []
    dropped: list[StoredDraw] = []
    for one in tickets.values():
        stored = {draw.draw.draw_id: draw for draw in books.held.draws_of(one.ticket_id)}
        wanted = _wanted(books, one, lines[one.ticket_id], stored, is_beside=one is not ticket)
        drawn += [draw for draw in wanted if not _is_same(stored.get(draw.draw.draw_id), draw)]
        kept = {draw.draw.draw_id for draw in wanted}
        dropped += [draw for draw_id, draw in stored.items() if draw_id not in kept]
    settled = await settle(books, why=why, drawn=drawn, dropped=dropped, may_refuse=may_refuse)
    return await announce_charges(books, settled, why=why, cause=cause, always=ticket.ticket_id)


async def _neighbors(books: Books, ticket: Ticket) -> list[Ticket]:
    """Return the other tickets with work in the months of a ticket's, where a rule sums over days or months."""
    if not any(rule.charge and rule.scope in rating.SHARED_SCOPES for rule in books.policy.billing.work):
        return []
    months = _months(books, ticket)
    if months is None:
        return []
    neighbors = await parties.list_neighbors(books.tx.connection, ticket, since=months[0], until=months[1])
    await books.read_tickets([one.ticket_id for one in neighbors])
    return neighbors


def _months(books: Books, ticket: Ticket) -> tuple[datetime, datetime] | None:
    """Return from when until when whole months hold all work of a ticket, as it is and as it was charged."""
    instants = [one.started_at for one in books.held.work[ticket.ticket_id]]
    instants += [one.draw.at for one in books.held.draws_of(ticket.ticket_id) if one.line is not None]
    if not instants:
        return None
    zone = books.policy.timezone
    return month_of(min(instants), zone).start, month_of(max(instants), zone).end


def _case(books: Books, ticket: Ticket, *, is_beside: bool) -> rating.Case:
    agreed = ticket.agreed_terms
    return rating.Case(
        ticket_id=ticket.ticket_id,
        facts=books.contract.facts() | dict(ticket.facts),
        work=books.held.work[ticket.ticket_id],
        rates=agreed.rates if agreed else {},
        is_beside=is_beside,
    )


def _wanted(
    books: Books, ticket: Ticket, lines: Sequence[Line], stored: Mapping[UUID, StoredDraw], *, is_beside: bool
) -> list[StoredDraw]:
    """Return what a ticket should draw. Of one beside the ticket in hand, lines that were not rated stay."""
    rated = {line.work_id for line in lines}
    kept = [one for one in stored.values() if is_beside and one.line is not None and one.line.work_id not in rated]
    facts = books.contract.facts() | dict(ticket.facts)
    agreed, work = ticket.agreed_terms, books.held.work[ticket.ticket_id]
    quotes = books.held.quotes[ticket.ticket_id] if not is_beside else ()
    extras = [extra for quote in quotes if (extra := extra_line(quote, work)) is not None]
    overage_rate = agreed.overage_rate if agreed else None
    wanted = [_line_draw(books, ticket, line, facts, overage_rate) for line in (*lines, *extras)]
    every = [*lines, *(one.line for one in kept if one.line is not None)]
    return [*wanted, *kept, *_hold_draws(books, ticket, every)]


def _is_same(stored: StoredDraw | None, wanted: StoredDraw) -> bool:
    return stored is not None and (stored.draw, stored.account_id, stored.line) == (
        wanted.draw,
        wanted.account_id,
        wanted.line,
    )


def _calendars(policy: Policy) -> dict[str, WorkingTime]:
    """Return the calendars that work rules name, ready to count on."""
    names = {rule.calendar for rule in policy.billing.work if rule.calendar}
    return {name: compile_calendar(calendar_of(policy, name)) for name in names}


def _line_draw(books: Books, ticket: Ticket, line: Line, facts: Facts, overage_rate: Rate | None) -> StoredDraw:
    terms = books.terms.get(line.account) if line.account else None
    draw = Draw(
        draw_id=line.work_id,
        kind="work" if line.kind in {"work", "extra"} else "no_show",
        at=line.at,
        quantity=line.quantity,
        counted_in=line.counted_in,
        unit_minutes=terms.unit_minutes if terms and terms.counted_in == "credit_unit" else 1,
        overage=_overage(books.policy.billing, facts, terms, overage_rate),
    )
    return StoredDraw(
        draw=draw,
        account_id=books.prepaid_id(line.account) if line.account else None,
        ticket_id=ticket.ticket_id,
        clauses=line.clauses,
        line=line,
    )


def _overage(billing: Billing, facts: Facts, terms: Terms | None, agreed: Rate | None) -> Overage | None:
    """Return what happens to what no lot covers; a price agreed in the contract goes before the policy's."""
    found = first_match(billing.overage, facts) if terms is not None else None
    if found is None:
        return None
    rule = found.rule
    price = agreed or rule.rate
    return Overage(
        is_allowed=rule.allowed,
        increment=parse_minutes(rule.increment),
        rounding=rule.rounding,
        minor=price.minor if price else None,
        currency=price.currency if price else None,
        per_minutes=parse_minutes(price.per) if price else 60,
        clauses=rule.clause,
    )


def _hold_draws(books: Books, ticket: Ticket, lines: Sequence[Line]) -> Iterator[StoredDraw]:
    """Give what is set aside for an open ticket: for quotes that were accepted, and the rest of the minimum balance."""
    if ticket.closed_at is not None:
        return
    held = 0
    for quote in books.held.quotes[ticket.ticket_id]:
        left = left_to_hold(quote, lines, books.held.work[ticket.ticket_id])
        if left and quote.account in books.terms:
            held += left if quote.account == MAIN else 0
            yield _hold(
                books, ticket, quote.account, quote.quote_id, at=quote.accepted_at, quantity=left, clauses=quote.clauses
            )
    main = books.main
    if main is None or main.on_minimum != "reserve" or ticket.admission != "granted" or ticket.admitted_at is None:
        return
    charged = sum(line.quantity for line in lines if line.account == main.name)
    if (left := main.floor_to_begin - charged - held) > 0:
        yield _hold(
            books, ticket, main.name, ticket.ticket_id, at=ticket.admitted_at, quantity=left, clauses=main.clauses
        )


def _hold(
    books: Books,
    ticket: Ticket,
    account: str,
    hold_id: UUID,
    *,
    at: datetime,
    quantity: int,
    clauses: tuple[str, ...],
) -> StoredDraw:
    counted_in = books.terms[account].counted_in
    draw = Draw(draw_id=hold_id, kind="hold", at=at, quantity=quantity, counted_in=counted_in)
    return StoredDraw(draw=draw, account_id=books.prepaid_id(account), ticket_id=ticket.ticket_id, clauses=clauses)
