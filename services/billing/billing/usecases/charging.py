"""Rating a ticket's work anew, settling the difference, and saying what it changed for whom."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.domain import explanation, rating
from billing.domain.accounts import MAIN, Terms
from billing.domain.explanation import Paid
from billing.domain.funding import Draw, Overage
from billing.domain.ledger import StoredDraw
from billing.domain.parties import Ticket
from billing.domain.quotes import extra_line, left_to_hold
from billing.domain.rating import Line
from billing.usecases.books import Books, Why
from billing.usecases.settling import Settled, settle
from plazo.calendar import WorkingTime, compile_calendar
from plazo.kernel.errors import Kind, PlazoError
from plazo.kernel.ids import new_id
from plazo.money import parse_minutes
from plazo.policy.charging import Billing, Rate
from plazo.policy.decide import Facts, calendar_of, first_match
from plazo.policy.document import Policy


class BalanceExhausted(PlazoError):
    """The account does not cover the work, and the contract allows no overage."""

    kind = Kind.CONFLICT
    code = "balance-exhausted"


async def recharge(
    books: Books, ticket: Ticket, *, why: Why, cause: str, may_refuse: bool = False
) -> list[dict[str, Any]]:
    """Rate all work of a ticket as it stands now, and post and announce what differs from what was charged.

    Returns the charges that this made for any ticket of the contract.

    :raises BalanceExhausted: with `may_refuse`, if the policy refuses what no account covers
    """
    await books.read_tickets([ticket.ticket_id])
    facts = books.contract.facts() | dict(ticket.facts)
    work, quotes = books.held.work[ticket.ticket_id], books.held.quotes[ticket.ticket_id]
    agreed = ticket.agreed_terms
    lines = rating.rate(
        books.policy.billing,
        facts=facts,
        accounts=books.terms,
        zone=books.policy.timezone,
        work=work,
        calendars=_calendars(books.policy),
        rates=agreed.rates if agreed else {},
    )
    extras = [extra for quote in quotes if (extra := extra_line(quote, work)) is not None]
    overage_rate = agreed.overage_rate if agreed else None
    wanted = [_line_draw(books, ticket, line, facts, overage_rate) for line in (*lines, *extras)]
    wanted += _hold_draws(books, ticket, lines)
    stored = {one.draw.draw_id: one for one in books.held.draws_of(ticket.ticket_id)}
    gone = stored.keys() - {one.draw.draw_id for one in wanted}
    settled = await settle(
        books,
        why=why,
        drawn=[one for one in wanted if not _is_same(stored.get(one.draw.draw_id), one)],
        dropped=[stored[draw_id] for draw_id in gone],
    )
    if may_refuse:
        _check_covered(settled)
    return await announce_charges(books, settled, why=why, cause=cause, always=ticket.ticket_id)


def _is_same(stored: StoredDraw | None, wanted: StoredDraw) -> bool:
    return stored is not None and (stored.draw, stored.account_id, stored.line) == (
        wanted.draw,
        wanted.account_id,
        wanted.line,
    )


def _check_covered(settled: Settled) -> None:
    for stored in settled.after.values():
        if any(part.source == "refused" for part in stored.funding):
            overage = stored.draw.overage
            raise BalanceExhausted(
                "the account does not cover this work and the contract allows no overage",
                clause=", ".join(overage.clauses) if overage else None,
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


async def announce_charges(
    books: Books, settled: Settled, *, why: Why, cause: str, always: UUID | None = None
) -> list[dict[str, Any]]:
    """Write down what settling changed for each ticket; for `always` also that nothing did."""
    concerned = {
        stored.ticket_id
        for stored in (*settled.before.values(), *settled.after.values())
        if stored.line is not None and stored.ticket_id is not None
    }
    await books.read_tickets(concerned)
    expiries = {lot.lot_id: lot.expires_at for lots in books.held.lots.values() for lot in lots.values()}
    charges: list[dict[str, Any]] = []
    for ticket_id in sorted(concerned):
        draws = [one for one in books.held.draws_of(ticket_id) if one.line is not None]
        deltas = _deltas(books, settled, ticket_id)
        if not deltas and ticket_id == always:
            deltas = {_quiet_account(draws): 0}
        charges += _charges(books, ticket_id, draws, deltas, expiries=expiries, why=why, cause=cause)
    books.unwritten.charges += charges
    return charges


def _deltas(books: Books, settled: Settled, ticket_id: UUID) -> dict[tuple[UUID | None, str], int]:
    """Return by how much a ticket takes more, by account and what it counts."""
    deltas: dict[tuple[UUID | None, str], int] = {}
    for sign, draws in ((-1, settled.before), (1, settled.after)):
        for stored in draws.values():
            if stored.ticket_id != ticket_id or stored.line is None:
                continue
            for part in stored.funding:
                account_id = stored.account_id if part.lot_id else books.chart.need("owed", part.counted_in)
                key = (account_id, part.counted_in)
                deltas[key] = deltas.get(key, 0) + sign * part.quantity
    return {key: delta for key, delta in deltas.items() if delta}


def _quiet_account(draws: list[StoredDraw]) -> tuple[UUID | None, str]:
    """Return the account and unit to name where nothing was charged."""
    for stored in draws:
        if stored.account_id is not None:
            return stored.account_id, stored.draw.counted_in
    return None, "minute"


def _charges(
    books: Books,
    ticket_id: UUID,
    draws: list[StoredDraw],
    deltas: Mapping[tuple[UUID | None, str], int],
    *,
    expiries: Mapping[UUID, Any],
    why: Why,
    cause: str,
) -> list[dict[str, Any]]:
    paid = [Paid(line=one.line, funding=one.funding) for one in draws if one.line is not None]
    paid.sort(key=lambda one: (one.line.at, one.line.work_id))
    words = explanation.explain(paid, accounts=books.terms, expiries=expiries, zone=books.policy.timezone)
    reasons = {one.line.reason for one in paid}
    overage = [
        clause for one in draws if _is_over(one) for clause in (one.draw.overage.clauses if one.draw.overage else ())
    ]
    clauses = list(dict.fromkeys([*(clause for one in paid for clause in one.line.clauses), *overage]))
    running = _totals(paid)
    for (_, unit), delta in deltas.items():
        running[unit] = running.get(unit, 0) - delta
    charges = []
    for (account_id, unit), delta in deltas.items():
        running[unit] += delta
        charges.append(
            {
                "charge_id": new_id(),
                "ticket_id": ticket_id,
                "contract_id": books.contract.contract_id,
                "account_id": account_id,
                "cause": cause,
                "unit": unit,
                "quantity": delta,
                "total": running[unit],
                "worked_minutes": sum(one.line.worked for one in paid),
                "rounded_minutes": sum(one.line.rounded for one in paid),
                "charged_minutes": sum(one.line.charged for one in paid),
                "reason": next(iter(reasons)) if len(reasons) == 1 else None,
                "clauses": clauses,
                "explanation": words,
                "lines": [_line_view(one) for one in paid],
                "charged_at": why.at,
            }
        )
    return charges


def _is_over(stored: StoredDraw) -> bool:
    return any(part.source in {"overage", "refused"} for part in stored.funding)


def _totals(paid: Iterable[Paid]) -> dict[str, int]:
    totals: dict[str, int] = {}
    for one in paid:
        for part in one.funding:
            totals[part.counted_in] = totals.get(part.counted_in, 0) + part.quantity
    return totals


def _line_view(paid: Paid) -> dict[str, Any]:
    line = paid.line
    return {
        "work_id": line.work_id,
        "kind": line.kind,
        "at": line.at,
        "worked_minutes": line.worked,
        "rounded_minutes": line.rounded,
        "charged_minutes": line.charged,
        "reason": line.reason,
        "clauses": line.clauses,
        "paid_by": [
            {"source": part.source, "lot_id": part.lot_id, "unit": part.counted_in, "quantity": part.quantity}
            for part in paid.funding
        ],
    }
