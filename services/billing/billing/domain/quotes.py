"""Quotes: what is set aside for one that was accepted, and what it adds to the charge. SMA-18"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from billing.domain.rating import Line, Work
from plazo.kernel.ids import derived_id
from plazo.money import format_quantity

State = Literal["offered", "accepted", "declined", "released", "expired"]

_OF_YOURS: Mapping[str, str] = {"es": "{quantity} de sus {available}", "en": "{quantity} of your {available}"}
_SHORT: Mapping[str, str] = {
    "es": "{quantity}; tiene {available}",
    "en": "{quantity}; you have {available}",
}


@dataclass(frozen=True, slots=True)
class Accepted:
    """A quote that the customer accepted: `quantity` of `account` is set aside while it `holds`.

    `extra_minor` is an amount agreed beside what the work costs, due once with the first work done under the quote.
    """

    quote_id: UUID
    account: str | None
    counted_in: str
    quantity: int
    extra_minor: int | None
    extra_currency: str | None
    clauses: tuple[str, ...]
    holds: bool
    accepted_at: datetime


def left_to_hold(quote: Accepted, lines: Iterable[Line], work: Iterable[Work]) -> int:
    """Return what is still set aside once the work done under a quote has taken its part."""
    done = {one.work_id for one in work if one.quote_id == quote.quote_id}
    taken = sum(line.quantity for line in lines if line.work_id in done and line.account == quote.account)
    return max(0, quote.quantity - taken) if quote.holds else 0


def extra_line(quote: Accepted, work: Iterable[Work]) -> Line | None:
    """Return what a quote adds to the charge, at the instant of the first work done under it."""
    done = min((one.started_at for one in work if one.quote_id == quote.quote_id), default=None)
    if done is None or quote.extra_minor is None or quote.extra_currency is None:
        return None
    return Line(
        work_id=derived_id("extra", quote.quote_id),
        kind="extra",
        at=done,
        worked=0,
        rounded=0,
        charged=0,
        quantity=quote.extra_minor,
        counted_in=quote.extra_currency,
        account=None,
        reason=None,
        clauses=quote.clauses,
    )


def say_share(quantity: int, available: int, counted_in: str, *, workday_minutes: int | None) -> dict[str, str]:
    """Say what a quote takes of what the customer has, such as "2 of your 7 units"."""
    said = {}
    for language, words in (_OF_YOURS if quantity <= available else _SHORT).items():
        whole = format_quantity(available, counted_in, language=language, workday_minutes=workday_minutes)
        part = format_quantity(quantity, counted_in, language=language, workday_minutes=workday_minutes)
        if counted_in == "credit_unit" and quantity <= available:
            part = str(quantity)
        said[language] = words.format(quantity=part, available=whole)
    return said
