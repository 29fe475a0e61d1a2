"""The books of a contract: what was granted, what was worked, what is left of it, counted anew from the first day."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

_NEVER = datetime(9999, 1, 1, tzinfo=UTC)
_HOUR = 60


@dataclass(slots=True)
class Lot:
    """A grant and what is left of it."""

    granted: int
    effective_from: datetime
    expires_at: datetime | None
    remaining: int = 0
    place: int = 0

    def is_valid(self, at: datetime) -> bool:
        """Whether it can be drawn on."""
        return self.effective_from <= at < (self.expires_at or _NEVER)


@dataclass(frozen=True, slots=True)
class Work:
    """A piece of work; `fee` is what an appointment takes that came to nothing."""

    work_id: str
    ticket_id: str
    started_at: datetime
    minutes: int
    quote_id: str | None = None
    fee: int = 0


@dataclass(slots=True)
class Quote:
    """Work that was offered at a price: what it takes is set aside while it is accepted and its ticket open."""

    quote_id: str
    ticket_id: str
    quantity: int
    valid_until: datetime
    state: str = "offered"
    accepted_at: datetime = _NEVER


@dataclass(slots=True)
class Books:
    """What is known of one contract's account. `rule` is how work is charged: `units`, `minutes` or `free`.

    `lows` are the balances of which somebody has to be told.
    """

    rule: str
    allotment: int = 0
    grants: list[Lot] = field(default_factory=list)
    works: dict[str, Work] = field(default_factory=dict)
    quotes: dict[str, Quote] = field(default_factory=dict)
    closed: set[str] = field(default_factory=set)
    reached: set[datetime] = field(default_factory=set)
    standing: str = "good"
    balance: int = 0
    lows: list[int] = field(default_factory=list)

    def charges(self) -> dict[str, int]:
        """Return what each piece of work costs: started hours over the ticket, or the minutes of each piece."""
        charged: dict[str, int] = {}
        sums: dict[str, int] = {}
        for work in sorted(self.works.values(), key=lambda one: (one.started_at, one.work_id)):
            if self.rule == "minutes":
                charged[work.work_id] = work.minutes
            elif self.rule == "units":
                before = sums.get(work.ticket_id, 0)
                sums[work.ticket_id] = before + work.minutes
                charged[work.work_id] = -(-(before + work.minutes) // _HOUR) - -(-before // _HOUR) + work.fee
            else:
                charged[work.work_id] = 0
        return charged

    def settle(self, now: datetime) -> tuple[list[Lot], dict[str, int]]:
        """Return the lots with what is left of them now, and what each ticket was charged in all."""
        charged = self.charges()
        lots = [
            Lot(one.granted, one.effective_from, one.expires_at, one.granted, n) for n, one in enumerate(self.grants)
        ]
        if self.allotment:
            for start, end in sorted({_month_of(at) for at in (*self.reached, now)}):
                lots.append(Lot(self.allotment, start, end, self.allotment, len(lots)))
        lots.sort(key=lambda lot: (lot.expires_at or _NEVER, lot.effective_from, lot.place))
        totals: dict[str, int] = {}
        ends = ((lot.expires_at, 0, lot) for lot in lots if lot.expires_at is not None and lot.expires_at <= now)
        holds = ((quote.accepted_at, 1, quote) for quote in self.quotes.values() if self._is_held(quote))
        draws = ((work.started_at, 2, work) for work in self.works.values())
        order: list[tuple[datetime, int, Lot | Quote | Work]] = [*ends, *holds, *draws]
        for at, _, what in sorted(order, key=lambda one: (one[0], one[1])):
            if isinstance(what, Lot):
                what.remaining = 0
                continue
            if isinstance(what, Quote):
                _draw((lot for lot in lots if lot.is_valid(at)), self._set_aside(what, charged))
                continue
            short = _draw(self._sources(lots, at), charged[what.work_id])
            # Beyond an allotment the started hour of each piece is charged.
            beyond = short if not self.allotment else -(-short // _HOUR) * _HOUR
            totals[what.ticket_id] = totals.get(what.ticket_id, 0) + charged[what.work_id] - short + beyond
        return lots, totals

    def _is_held(self, quote: Quote) -> bool:
        return quote.state == "accepted" and quote.ticket_id not in self.closed

    def _set_aside(self, quote: Quote, charged: Mapping[str, int]) -> int:
        """Return what is set aside for a quote once the work under it has taken its part."""
        return max(
            0, quote.quantity - sum(charged[w.work_id] for w in self.works.values() if w.quote_id == quote.quote_id)
        )

    def price(self, ticket_id: str, minutes: int, at: datetime) -> int:
        """Return what more work on a ticket takes of the account now, as far as that reaches."""
        before = sum(one.minutes for one in self.works.values() if one.ticket_id == ticket_id)
        return min(-(-(before + minutes) // _HOUR) - -(-before // _HOUR), self.available(at))

    def _sources(self, lots: Iterable[Lot], at: datetime) -> list[Lot]:
        valid = [lot for lot in lots if lot.is_valid(at)]
        if self.allotment:
            return valid
        later = [lot for lot in lots if lot.effective_from > at]
        return valid + sorted(later, key=lambda lot: lot.effective_from)

    def available(self, now: datetime) -> int:
        """Return what could be drawn on now."""
        return sum(lot.remaining for lot in self.settle(now)[0] if lot.is_valid(now))


def _draw(sources: Iterable[Lot], quantity: int) -> int:
    """Take a quantity from the first that have any; return what they lack."""
    for lot in sources:
        taken = min(quantity, lot.remaining)
        lot.remaining -= taken
        quantity -= taken
    return quantity


def _month_of(at: datetime) -> tuple[datetime, datetime]:
    lima = ZoneInfo("America/Lima")
    local = at.astimezone(lima)
    start = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = (start + timedelta(days=40)).replace(day=1)
    return start.astimezone(UTC), end.astimezone(UTC)
