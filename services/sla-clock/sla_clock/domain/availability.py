"""How much of its service time something was available. EXP-05"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from plazo.calendar import WorkingTime
from plazo.calendar.zone import first_reading, load_zone
from plazo.kernel.time import from_micros, merge_spans, to_micros

Span = tuple[int, int]

_DIGITS = 4  # of a percentage, behind the point
_WHOLE = 100 * 10**_DIGITS


@dataclass(frozen=True, slots=True)
class Outage:
    """A stretch of time out of service; it lasts while `ended_at` is None.

    Without a `contract_id` it is a component's that contracts share.
    """

    outage_id: UUID
    contract_id: UUID | None
    component: str | None
    cause: str | None
    planned: bool
    summary: str | None
    fingerprint: str | None
    started_at: datetime
    ended_at: datetime | None
    reported_by: str
    recorded_at: datetime
    revision: int


@dataclass(frozen=True, slots=True)
class Considered:
    """An outage within a period: its service time there in microseconds, and why it does not count, if so."""

    outage: Outage
    length: int
    excluded: str | None


@dataclass(frozen=True, slots=True)
class Measured:
    """Service time in microseconds: all of the period, that which was down, and that which is left out of `down`.

    Outages that overlap are counted once; where one that is excluded overlaps another, that time is not down.
    """

    total: int
    down: int
    excluded: int
    considered: tuple[Considered, ...]

    @property
    def up(self) -> int:
        """The service time that was not down."""
        return self.total - self.down

    @property
    def percentage(self) -> Decimal | None:
        """The available share in percent, rounded down, so that it never flatters; None without any service time."""
        if not self.total:
            return None
        return Decimal(_WHOLE * self.up // self.total).scaleb(-_DIGITS)

    def has_met(self, agreed_percent: Decimal) -> bool | None:
        """Tell, by the exact quotient, whether what was agreed was kept; None without any service time."""
        return self.up * _WHOLE >= int(agreed_percent.scaleb(_DIGITS)) * self.total if self.total else None


def measure(
    outages: Sequence[Outage],
    working: WorkingTime,
    *,
    start: datetime,
    until: datetime,
    excluded_causes: Sequence[str] = (),
) -> Measured:
    """Measure the service time of `[start, until)`; an outage that goes on lasts to `until`."""
    begin, end = to_micros(start), to_micros(until)
    down: list[Span] = []
    excluded: list[Span] = []
    considered: list[Considered] = []
    for outage in outages:
        opens = max(begin, to_micros(outage.started_at))
        closes = min(end, end if outage.ended_at is None else to_micros(outage.ended_at))
        if closes <= opens:
            continue
        why = _exclusion(outage, excluded_causes)
        (excluded if why else down).append((opens, closes))
        considered.append(Considered(outage, working.working_micros(opens, closes), why))
    left_out = merge_spans(excluded)
    return Measured(
        total=working.working_micros(begin, end),
        down=sum(working.working_micros(opens, closes, left_out) for opens, closes in merge_spans(down)),
        excluded=sum(working.working_micros(opens, closes) for opens, closes in left_out),
        considered=tuple(considered),
    )


def month_bounds(month: date, timezone: str) -> tuple[datetime, datetime]:
    """Return where the month that a date lies in begins and ends in a zone."""
    first = month.replace(day=1)
    following = date(first.year + first.month // 12, first.month % 12 + 1, 1)
    zone = load_zone(timezone)
    return from_micros(first_reading(zone, first)), from_micros(first_reading(zone, following))


def agreed_for(month: date, agreements: Iterable[tuple[date, Decimal]]) -> Decimal | None:
    """Return the percentage agreed for a month: the newest that had begun by then."""
    begun = [(since, percent) for since, percent in agreements if since <= month.replace(day=1)]
    return max(begun)[1] if begun else None


def _exclusion(outage: Outage, excluded_causes: Sequence[str]) -> str | None:
    if outage.planned:
        return "planned"
    return f"cause {outage.cause}" if outage.cause in excluded_causes else None
