"""Settling the books: what every draw is paid with, and posting the difference to what was posted before."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from billing.domain import accounts as chart_of
from billing.domain import funding, ledger
from billing.domain.funding import Draw, Lot
from billing.domain.ledger import StoredDraw
from billing.repository import ledger as ledger_repository
from billing.usecases.allotments import grant_allotments
from billing.usecases.books import Books, Why, post
from plazo.kernel.errors import Kind, PlazoError
from plazo.kernel.time import EPOCH


class BalanceExhausted(PlazoError):
    """The account does not cover the work, and the contract allows no overage."""

    kind = Kind.CONFLICT
    code = "balance-exhausted"


@dataclass(frozen=True, slots=True)
class Settled:
    """What settling changed: the draws that are paid for otherwise than before, as they were and as they are."""

    before: dict[UUID, StoredDraw]
    after: dict[UUID, StoredDraw]


async def settle(
    books: Books,
    *,
    why: Why,
    drawn: Iterable[StoredDraw] = (),
    dropped: Collection[StoredDraw] = (),
    granted: Mapping[UUID, Lot] | None = None,
    may_refuse: bool = False,
) -> Settled:
    """Bring the books up to date: `drawn` are new or changed draws, `dropped` are no more.

    `granted` are new lots by the account that holds them. Months that were reached get their allotment, lots past
    their end expire, and every draw from the first change on is paid for anew; the difference is posted.

    :raises BalanceExhausted: with `may_refuse`, if the policy refuses what no account covers
    """
    changed = {stored.draw.draw_id: stored for stored in drawn}
    instants = {stored.draw.at for stored in changed.values()} | {books.tx.now}
    allotted, caps = grant_allotments(books, instants)
    new_lots = [*(granted or {}).items(), *allotted]
    expiring = _expiries(books) | caps
    before = {stored.draw.draw_id: stored for stored in dropped}
    before |= {draw_id: books.held.draws[draw_id] for draw_id in changed if draw_id in books.held.draws}
    after = None if new_lots or expiring else _paid_in_place(books, before, changed)
    if after is None:
        if may_refuse:
            _refuse_more_than_there_is(books, before, changed)
        changed |= expiring
        before, after = await _paid_anew(books, before, changed, new_lots)
    if may_refuse:
        _refuse_uncovered(after)
    gone = before.keys() - after.keys()

    post(books, ledger.postings(before, after, books.chart, cause=why.key, reason=why.reason))
    different = {
        draw_id: stored
        for draw_id, stored in after.items()
        if draw_id in changed or stored.funding != before[draw_id].funding
    }
    for draw_id in gone:
        books.held.draws.pop(draw_id, None)
        books.unwritten.draws.pop(draw_id, None)
    books.held.draws |= different
    books.unwritten.draws |= different
    books.unwritten.gone |= gone
    books.held.expired |= expiring.keys() - caps.keys()
    concerned = different.keys() | gone
    return Settled(before={key: one for key, one in before.items() if key in concerned}, after=different)


def _refuse_more_than_there_is(
    books: Books, before: Mapping[UUID, StoredDraw], changed: Mapping[UUID, StoredDraw]
) -> None:
    """Refuse at once what all that is left, set aside or expired could not pay, without looking at every draw."""
    accounts = books.held.accounts.values()
    for account_id in {stored.account_id for stored in changed.values() if stored.account_id is not None}:
        more = [stored.draw for stored in changed.values() if stored.account_id == account_id]
        less = [stored.draw for stored in before.values() if stored.account_id == account_id]
        counted_in = books.held.accounts[account_id].counted_in
        there_is = sum(lot.remaining for lot in books.held.lots[account_id].values()) + sum(
            one.balance for one in accounts if one.kind in {"reserved", "expired"} and one.counted_in == counted_in
        )
        if sum(draw.quantity for draw in more) - sum(draw.quantity for draw in less) > there_is:
            for draw in more:
                _refuse(draw)


def _refuse_uncovered(after: Mapping[UUID, StoredDraw]) -> None:
    for stored in after.values():
        if any(part.source == "refused" for part in stored.funding):
            _refuse(stored.draw)


def _refuse(draw: Draw) -> None:
    """Refuse a draw for what no lot covers, unless that may be owed. :raises BalanceExhausted:"""
    if draw.overage is not None and not draw.overage.is_allowed:
        raise BalanceExhausted(
            "the account does not cover this work and the contract allows no overage",
            clause=", ".join(draw.overage.clauses),
        )


def _paid_in_place(
    books: Books, before: Mapping[UUID, StoredDraw], changed: Mapping[UUID, StoredDraw]
) -> dict[UUID, StoredDraw] | None:
    """Pay for draws without looking at others, where those cannot notice."""
    since = books.held.since
    allotment = chart_of.allotment_of(books.policy.billing, books.contract.facts())
    if allotment is not None and allotment.cap is not None:
        return None
    every = (*before.values(), *changed.values())
    if since is None or any(stored.draw.at < since for stored in every):
        return None
    accounts = {stored.account_id for stored in every}
    paid: dict[UUID, funding.Funding] = {}
    for account_id in accounts:
        lots = books.held.lots[account_id].values() if account_id else ()
        some = funding.fund_in_place(
            lots,
            books.held.taken_since,
            paid=[stored.funding for stored in before.values() if stored.account_id == account_id],
            draws=[stored.draw for stored in changed.values() if stored.account_id == account_id],
        )
        if some is None:
            return None
        paid |= some
    # Something was drawn: a second settlement of these books must know.
    books.held.taken_since |= {part.lot_id for one in paid.values() for part in one if part.lot_id}
    return {draw_id: replace(stored, funding=paid[draw_id]) for draw_id, stored in changed.items()}


async def _paid_anew(
    books: Books,
    before: Mapping[UUID, StoredDraw],
    changed: Mapping[UUID, StoredDraw],
    new_lots: list[tuple[UUID, Lot]],
) -> tuple[dict[UUID, StoredDraw], dict[UUID, StoredDraw]]:
    """Pay for all draws from the first change on. Returns them as they were, and as they are."""
    connection, held = books.tx.connection, books.held
    touched: dict[UUID, datetime] = {}

    def touch(account_id: UUID | None, at: datetime) -> None:
        if account_id is not None:
            touched[account_id] = min(at, touched.get(account_id, at))

    for stored in (*before.values(), *changed.values()):
        touch(stored.account_id, stored.draw.at)
    for account_id, lot in new_lots:
        touch(account_id, _first_to_gain(books, account_id, lot))
    # A new draw only takes; what gives something back lets earlier debts be paid.
    gives_back = bool(before or new_lots)
    gone = before.keys() - changed.keys()
    were = dict(before)
    for account_id, at in touched.items():
        owed_at = await ledger_repository.first_owed_at(connection, account_id) if gives_back else None
        since = min(at, owed_at) if owed_at else at
        for stored in await ledger_repository.draws_from(connection, account_id, at=since):
            draw_id = stored.draw.draw_id
            if draw_id not in were and draw_id not in books.unwritten.gone:
                were[draw_id] = books.unwritten.draws.get(draw_id, stored)
        were |= {
            draw_id: stored
            for draw_id, stored in books.unwritten.draws.items()
            if stored.account_id == account_id and stored.draw.at >= since and draw_id not in were
        }
    after = {draw_id: stored for draw_id, stored in {**were, **changed}.items() if draw_id not in gone}
    held.taken_since |= {lot_id for account_id in touched for lot_id in held.lots[account_id]}
    return were, _funded(books, were, after, touched)


def _funded(
    books: Books, before: dict[UUID, StoredDraw], after: dict[UUID, StoredDraw], touched: Collection[UUID]
) -> dict[UUID, StoredDraw]:
    """Pay for all draws of the accounts touched, with what is left in their lots once their old draws let go of it."""
    released: dict[UUID, int] = {}
    for stored in before.values():
        for part in stored.funding:
            if part.lot_id is not None:
                released[part.lot_id] = released.get(part.lot_id, 0) + part.quantity
    paid: dict[UUID, funding.Funding] = {}
    for account_id in (*touched, None):
        free = [
            replace(lot, remaining=lot.remaining + released.get(lot.lot_id, 0))
            for lot in (books.held.lots[account_id].values() if account_id else ())
        ]
        paid |= funding.fund(free, [one.draw for one in after.values() if one.account_id == account_id])
    return {draw_id: replace(stored, funding=paid[draw_id]) for draw_id, stored in after.items()}


def _expiries(books: Books) -> dict[UUID, StoredDraw]:
    """Return draws that take out the rest of lots past their end."""
    now, expiries = books.tx.now, {}
    for account_id, lots in books.held.lots.items():
        for lot in lots.values():
            if lot.expires_at is not None and lot.expires_at <= now and lot.lot_id not in books.held.expired:
                counted_in = books.held.accounts[account_id].counted_in
                draw = Draw(
                    draw_id=lot.lot_id,
                    kind="expiry",
                    at=lot.expires_at,
                    quantity=lot.remaining,
                    counted_in=counted_in,
                )
                expiries[lot.lot_id] = StoredDraw(draw=draw, account_id=account_id, ticket_id=None, clauses=())
    return expiries


def _first_to_gain(books: Books, account_id: UUID, lot: Lot) -> datetime:
    """Return from when on a new lot may pay: from its start, or from the first debt if it goes before a later lot."""
    lots = books.held.lots[account_id].values()
    goes_before = any(other.effective_from > lot.effective_from for other in lots)
    return EPOCH if goes_before else lot.effective_from
