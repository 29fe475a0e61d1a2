"""What pays for a charge: the lots of an account, drawn in the order in which work was done.

Everything that lowers an account is a draw: work, the hold of a ticket, the expiry of a lot, the cap on what rolls
over. Draws are served by their instants, each from the lots that are valid then, the soonest to expire first. A late
draw therefore moves those after it, and the difference between what was posted and what should be is posted, never
edited.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, NamedTuple
from uuid import UUID

from plazo.money import Mode, price_of, round_to

DrawKind = Literal["expiry", "cap", "hold", "work", "no_show"]
#: At the same instant a lot expires first: it is valid until, not including, its end.
RANK: Mapping[DrawKind, int] = {"expiry": 0, "cap": 1, "hold": 2, "work": 3, "no_show": 3}
_NEVER = datetime(9999, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Lot:
    """A grant with the time it is valid in, half-open, and what is left of it."""

    lot_id: UUID
    effective_from: datetime
    expires_at: datetime | None
    remaining: int

    def is_valid(self, at: datetime) -> bool:
        """Tell whether it can be drawn on at an instant."""
        return self.effective_from <= at < (self.expires_at or _NEVER)


@dataclass(frozen=True, slots=True)
class Overage:
    """What happens to what no lot covers: charged by the increment at the rate, or refused. PRO-07"""

    is_allowed: bool
    increment: int
    rounding: Mode
    minor: int | None
    currency: str | None
    per_minutes: int
    clauses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Draw:
    """Something that lowers an account at an instant. Without an `overage` what no lot covers is owed in kind.

    `unit_minutes` turns what the account counts into minutes. Its id is that of the work, of the ticket that is held
    for, or of the lot that expires. The `quantity` of a cap is what may stay in the account.
    """

    draw_id: UUID
    kind: DrawKind
    at: datetime
    quantity: int
    counted_in: str
    unit_minutes: int = 1
    overage: Overage | None = None

    @property
    def place(self) -> tuple[datetime, int, UUID]:
        """Where it stands in the order of the account's draws."""
        return self.at, RANK[self.kind], self.draw_id


class Part(NamedTuple):
    """What pays for a part of a draw: a lot, or the customer's debt (`owed`, `overage`, or `refused`)."""

    source: Literal["lot", "owed", "overage", "refused"]
    lot_id: UUID | None
    counted_in: str
    quantity: int


Funding = tuple[Part, ...]


def fund(lots: Iterable[Lot], draws: Iterable[Draw]) -> dict[UUID, Funding]:
    """Serve draws from lots in order; returns what pays for each.

    What is owed in kind is paid by later lots too, the first of them first: a debt of units ends with the next grant.
    Overage is final.
    """
    lots = sorted(lots, key=lambda lot: (lot.expires_at or _NEVER, lot.effective_from, lot.lot_id))
    remaining = {lot.lot_id: lot.remaining for lot in lots}
    funding: dict[UUID, Funding] = {}
    for draw in sorted(draws, key=lambda draw: draw.place):
        if draw.kind == "expiry":
            left, remaining[draw.draw_id] = remaining[draw.draw_id], 0
            funding[draw.draw_id] = (Part("lot", draw.draw_id, draw.counted_in, left),) if left else ()
        elif draw.kind == "cap":
            valid = sum(remaining[lot.lot_id] for lot in lots if lot.is_valid(draw.at))
            excess = replace(draw, kind="hold", quantity=max(0, valid - draw.quantity))
            funding[draw.draw_id] = _serve(excess, lots, remaining)
        else:
            funding[draw.draw_id] = _serve(draw, lots, remaining)
    return funding


def _serve(draw: Draw, lots: list[Lot], remaining: dict[UUID, int]) -> Funding:
    parts, short = [], draw.quantity
    for lot in _candidates(draw, lots):
        if taken := min(short, remaining[lot.lot_id]):
            remaining[lot.lot_id] -= taken
            short -= taken
            parts.append(Part("lot", lot.lot_id, draw.counted_in, taken))
    if short and draw.kind != "hold":
        parts.append(_shortfall(draw, short))
    return tuple(parts)


def fund_in_place(
    lots: Iterable[Lot], taken_since: Collection[UUID], *, paid: Iterable[Funding], draws: Iterable[Draw]
) -> dict[UUID, Funding] | None:
    """Pay for some draws of an account as :func:`fund` would, without knowing the others; None where it takes them.

    `lots` are what all draws left, `paid` is what paid for those that `draws` replace, `taken_since` are the lots that
    something took from since the first of all these. No other draw can notice where all of this concerns one lot that
    never runs dry; nor where no lot has anything for them, before and after. A cap notices everything.
    """
    lots = sorted(lots, key=lambda lot: (lot.expires_at or _NEVER, lot.effective_from, lot.lot_id))
    draws = list(draws)
    old = [part for funding in paid for part in funding]
    sources: set[Lot | None] = {_first_source(draw, lots, taken_since) for draw in draws if draw.quantity}
    sources |= {next((lot for lot in lots if lot.lot_id == part.lot_id), None) for part in old}
    if len(sources) > 1 or any(draw.kind in {"expiry", "cap"} for draw in draws):
        return None
    source = next(iter(sources), None)
    if source is None:
        return {
            draw.draw_id: (_shortfall(draw, draw.quantity),) if draw.quantity and draw.kind != "hold" else ()
            for draw in draws
        }
    left = source.remaining + sum(part.quantity for part in old) - sum(draw.quantity for draw in draws)
    if source.remaining == 0 or left < 0:
        return None
    return {
        draw.draw_id: (Part("lot", source.lot_id, draw.counted_in, draw.quantity),) if draw.quantity else ()
        for draw in draws
    }


def _first_source(draw: Draw, lots: list[Lot], taken_since: Collection[UUID]) -> Lot | None:
    """Return the lot that pays first for a draw, or might: one that ran dry since may have had something then."""
    return next((lot for lot in _candidates(draw, lots) if lot.remaining or lot.lot_id in taken_since), None)


def _candidates(draw: Draw, lots: list[Lot]) -> list[Lot]:
    candidates = [lot for lot in lots if lot.is_valid(draw.at)]
    if draw.overage is None and draw.kind != "hold":
        later = (lot for lot in lots if lot.effective_from > draw.at)
        candidates += sorted(later, key=lambda lot: lot.effective_from)
    return candidates


def _shortfall(draw: Draw, short: int) -> Part:
    overage = draw.overage
    if overage is None:
        return Part("owed", None, draw.counted_in, short)
    if not overage.is_allowed:
        return Part("refused", None, draw.counted_in, short)
    if draw.counted_in not in {"minute", "credit_unit"}:
        return Part("overage", None, draw.counted_in, short)
    minutes = round_to(short * draw.unit_minutes, overage.increment, overage.rounding)
    if overage.minor is None or overage.currency is None:
        return Part("overage", None, "minute", minutes)
    price = price_of(minutes, minor=overage.minor, per_minutes=overage.per_minutes)
    return Part("overage", None, overage.currency, price)


@dataclass(frozen=True, slots=True)
class Change:
    """What must be posted so that a source pays what it should: positive takes more, negative gives back."""

    lot_id: UUID | None
    counted_in: str
    quantity: int


def difference(posted: Funding, wanted: Funding) -> tuple[Change, ...]:
    """Return what to post on top of `posted` to arrive at `wanted`; nothing where they agree."""
    totals: dict[tuple[UUID | None, str], int] = {}
    for sign, funding in ((-1, posted), (1, wanted)):
        for part in funding:
            key = (part.lot_id, part.counted_in)
            totals[key] = totals.get(key, 0) + sign * part.quantity
    return tuple(Change(lot_id, counted_in, total) for (lot_id, counted_in), total in totals.items() if total)
