"""What a month brings: allotments, what rolls over of them, and the cap on that. PRO-05"""

from datetime import datetime, timedelta
from uuid import UUID

from billing.domain import accounts as chart_of
from billing.domain.accounts import MAIN, Month, Terms
from billing.domain.funding import Draw, Lot
from billing.domain.ledger import StoredDraw
from billing.usecases.books import Books, Why, add_grant
from plazo.kernel.ids import derived_id
from plazo.policy.charging import Allotment

# Who signs long after a contract began is not granted more than ten years of months.
_FURTHEST_BACK = timedelta(days=3653)


def grant_allotments(books: Books, instants: set[datetime]) -> tuple[list[tuple[UUID, Lot]], dict[UUID, StoredDraw]]:
    """Grant what the plan includes in each month reached (PRO-05), unless the contract is not valid in it.

    What rolls over is granted for every month there was, reached or not. Returns the lots that are new, with their
    account, and the caps on what rolled over.
    """
    contract, main = books.contract, books.main
    allotment = chart_of.allotment_of(books.policy.billing, contract.facts())
    if allotment is None or main is None or allotment.amount == 0:
        return [], {}
    zone, now = books.policy.timezone, books.tx.now
    starts = chart_of.midnight(contract.valid_from, zone)
    ends = chart_of.midnight(contract.valid_until, zone) if contract.valid_until else None
    account_id = books.prepaid_id(MAIN)
    months = {chart_of.month_of(at, zone) for at in instants}
    if allotment.rollover:
        months |= set(chart_of.months_between(max(starts, now - _FURTHEST_BACK), now, zone))
    new_lots: list[tuple[UUID, Lot]] = []
    caps: dict[UUID, StoredDraw] = {}
    for month in sorted(months, key=lambda month: month.start):
        lot_id = derived_id("allotment", account_id, month.name)
        if month.end <= starts or (ends is not None and ends <= month.start) or lot_id in books.held.lots[account_id]:
            continue
        lot = Lot(
            lot_id=lot_id,
            effective_from=max(month.start, starts),
            expires_at=_expires_at(allotment, month, ends, zone=zone),
            remaining=0,
        )
        add_grant(
            books,
            account_id=account_id,
            lot=lot,
            cause="allotment",
            quantity=main.in_counted(allotment.amount),
            clauses=allotment.clause,
            why=Why(key=f"allotment:{lot.lot_id}", reason=f"allotment {month.name}", at=lot.effective_from),
        )
        new_lots.append((account_id, lot))
        if allotment.cap is not None:
            cap = _cap(account_id, main, allotment, at=lot.effective_from)
            caps[cap.draw.draw_id] = cap
    return new_lots, caps


def _cap(account_id: UUID, terms: Terms, allotment: Allotment, *, at: datetime) -> StoredDraw:
    """Return the draw that takes out what rolled over beyond the cap."""
    assert allotment.cap is not None
    draw = Draw(
        draw_id=derived_id("cap", account_id, at.isoformat()),
        kind="cap",
        at=at,
        quantity=terms.in_counted(allotment.cap),
        counted_in=terms.counted_in,
    )
    return StoredDraw(draw=draw, account_id=account_id, ticket_id=None, clauses=allotment.clause)


def _expires_at(allotment: Allotment, month: Month, ends: datetime | None, *, zone: str) -> datetime | None:
    """The rest of a month's allotment ends with the month, or later if it rolls over; never after the contract."""
    if allotment.rollover and allotment.rollover_months is None:
        return ends
    last = chart_of.months_after(month, allotment.rollover_months or 0, zone)
    return min(last.end, ends) if ends else last.end
