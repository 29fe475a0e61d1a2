"""Saying what a change of the books did to the charges of each ticket, and why."""

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import UUID

from billing.domain import explanation
from billing.domain.explanation import Paid
from billing.domain.ledger import StoredDraw
from billing.usecases.books import Books, Why
from billing.usecases.settling import Settled
from plazo.kernel.ids import new_id


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
    paid = [Paid(one.line, one.funding, one.draw.overage) for one in draws if one.line is not None]
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
