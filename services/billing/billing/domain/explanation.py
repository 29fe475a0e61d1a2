"""A charge in words: what was worked, what it was rounded to and by which clause, and what paid for it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from uuid import UUID

from billing.domain.accounts import MAIN, Terms
from billing.domain.funding import Funding, Overage
from billing.domain.rating import Line
from plazo.calendar.zone import load_zone
from plazo.money import format_minor, format_minutes, format_quantity

LANGUAGES = ("es", "en")

_WORDS: Mapping[str, Mapping[str, str]] = {
    "es": {
        "worked": "trabajados",
        "no_show": "cliente ausente a una cita",
        "late_cancellation": "cita cancelada tarde por el cliente",
        "extra": "cargo acordado en el presupuesto",
        "by": "según",
        "free": "sin cargo",
        "nothing": "todavía sin trabajo",
        MAIN: "de la cuenta",
        "from": "de",
        "expires": "vence el",
        "owed": "por pagar",
        "overage": "de exceso",
        "at": "a {price} por {time}",
        "refused": "sin cubrir",
        "in_started_time": "dentro del tiempo ya cobrado",
    },
    "en": {
        "worked": "worked",
        "no_show": "customer absent from an appointment",
        "late_cancellation": "appointment cancelled late by the customer",
        "extra": "charge agreed in the quote",
        "by": "by",
        "free": "no charge",
        "nothing": "no work yet",
        MAIN: "from the account",
        "from": "from",
        "expires": "expires",
        "owed": "owed",
        "overage": "overage",
        "at": "at {price} per {time}",
        "refused": "not covered",
        "in_started_time": "within time already charged",
    },
}
_REASONS: Mapping[str, Mapping[str, str]] = {
    "es": {
        "warranty": "en garantía",
        "included": "incluido",
        "self_diagnosis_complete": "autodiagnóstico completo",
        "already_charged": "esta cita ya se cobró",
        "not_chargeable": "el contrato no lo cobra",
    },
    "en": {
        "warranty": "under warranty",
        "included": "included",
        "self_diagnosis_complete": "self-diagnosis complete",
        "already_charged": "this appointment was charged before",
        "not_chargeable": "the contract does not charge it",
    },
}


@dataclass(frozen=True, slots=True)
class Paid:
    """A line, and what pays for it. `overage` says at what price what no lot covers was charged."""

    line: Line
    funding: Funding
    overage: Overage | None = None


def explain(
    paid: Sequence[Paid], *, accounts: Mapping[str, Terms], expiries: Mapping[UUID, datetime | None], zone: str
) -> dict[str, str]:
    """Say in each language what all work of a ticket comes to; a sentence for each rule that charged it.

    `expiries` says until when each lot is valid; dates are those of `zone`.
    """
    return {language: _explain(paid, accounts, expiries, zone, language) for language in LANGUAGES}


def _explain(
    paid: Sequence[Paid],
    accounts: Mapping[str, Terms],
    expiries: Mapping[UUID, datetime | None],
    zone: str,
    language: str,
) -> str:
    words = _WORDS[language]

    def rule_of(one: Paid) -> tuple[str, str, tuple[str, ...], str]:
        return one.line.kind, one.line.reason or "", one.line.clauses, one.line.account or ""

    sentences = []
    for (kind, reason, clauses, account), group in groupby(sorted(paid, key=rule_of), key=rule_of):
        members = list(group)
        worked = sum(one.line.worked for one in members)
        start = f"{format_minutes(worked)} {words['worked']}" if kind == "work" else words[kind]
        by = f" {words['by']} {', '.join(clauses)}" if clauses else ""
        if reason:
            said = _REASONS[language].get(reason, reason.replace("_", " "))
            sentences.append(f"{start} → {words['free']}{by}: {said}")
            continue
        charged = format_minutes(sum(one.line.charged for one in members))
        sources = _sources(members, accounts.get(account), expiries)
        texts = [_source_text(source, quantity, words, zone, language) for source, quantity in sources.items()]
        rounded = f"{start} → {by.strip()}" if kind == "extra" else f"{start} → {charged}{by}"
        sentences.append(f"{rounded} → {', '.join(texts) or words['in_started_time']}")
    return "; ".join(sentences) or words["nothing"]


@dataclass(frozen=True, slots=True)
class _Source:
    """What parts of several lines have in common."""

    kind: str
    counted_in: str
    account: str
    expires_at: datetime | None
    workday_minutes: int | None
    price: tuple[int, int] | None


def _sources(
    members: Iterable[Paid], terms: Terms | None, expiries: Mapping[UUID, datetime | None]
) -> dict[_Source, int]:
    totals: dict[_Source, int] = {}
    for overage, part in ((one.overage, part) for one in members for part in one.funding):
        is_priced = part.source == "overage" and overage is not None and overage.currency == part.counted_in
        source = _Source(
            kind=part.source,
            counted_in=part.counted_in,
            account=terms.name if terms else MAIN,
            expires_at=expiries.get(part.lot_id) if part.lot_id else None,
            workday_minutes=terms.unit_minutes if terms and terms.unit == "workday" else None,
            price=(overage.minor, overage.per_minutes) if is_priced and overage and overage.minor is not None else None,
        )
        totals[source] = totals.get(source, 0) + part.quantity
    return {source: total for source, total in totals.items() if total}


def _source_text(source: _Source, quantity: int, words: Mapping[str, str], zone: str, language: str) -> str:
    amount = format_quantity(quantity, source.counted_in, language=language, workday_minutes=source.workday_minutes)
    if source.price is not None:
        minor, per_minutes = source.price
        price = words["at"].format(price=format_minor(minor, source.counted_in), time=format_minutes(per_minutes))
        return f"{amount} {words[source.kind]} {price}"
    if source.kind != "lot":
        return f"{amount} {words[source.kind]}"
    where = words[MAIN] if source.account == MAIN else f"{words['from']} {source.account}"
    if source.expires_at is None:
        return f"{amount} {where}"
    return f"{amount} {where} ({words['expires']} {source.expires_at.astimezone(load_zone(zone)).date()})"
