"""Service credits: what the provider owes for guarantees that were not kept. Objectives are never credited. IRE-06"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from plazo.calendar.zone import load_zone
from plazo.money import format_minor, round_to
from plazo.policy.agreed import Fee
from plazo.policy.charging import ServiceCreditRule
from plazo.policy.decide import Facts, FactValue, first_match

#: What is owed is counted in this where the contract names no monthly fee.
PERCENT = "percent"

#: Why nothing, or not all, is owed.
Reason = Literal["no_rule", "excluded", "cap", "retracted"]

_KINDS: Mapping[str, Mapping[str, str]] = {
    "es": {
        "acknowledgement": "acuse de recibo",
        "first_response": "primera respuesta",
        "next_reply": "siguiente respuesta",
        "periodic_update": "información periódica",
        "resolution": "resolución",
        "agreed": "fecha acordada",
        "availability": "disponibilidad",
    },
    "en": {
        "acknowledgement": "acknowledgement",
        "first_response": "first response",
        "next_reply": "next reply",
        "periodic_update": "periodic update",
        "resolution": "resolution",
        "agreed": "agreed date",
        "availability": "availability",
    },
}
_WORDS: Mapping[str, Mapping[str, str]] = {
    "es": {
        "breached": "Garantía de {kind} incumplida el {date}",
        "share": "{percent} % de la cuota mensual",
        "of_fee": "{percent} % de la cuota mensual de {fee} = {amount}",
        "by": " según {clauses}",
        "cap": ", hasta el tope del mes de {cap} %",
        "no_rule": "el contrato no abona nada",
        "excluded": "excluida de abono",
        "retracted": "el incumplimiento se retiró",
    },
    "en": {
        "breached": "Guarantee of {kind} breached on {date}",
        "share": "{percent} % of the monthly fee",
        "of_fee": "{percent} % of the monthly fee of {fee} = {amount}",
        "by": " by {clauses}",
        "cap": ", up to the month's cap of {cap} %",
        "no_rule": "the contract credits nothing",
        "excluded": "excluded from credit",
        "retracted": "the breach was retracted",
    },
}


@dataclass(frozen=True, slots=True)
class Breach:
    """A guarantee that was not kept, under the rules of its ticket's policy. `facts` are the newest of the ticket."""

    credit_id: UUID
    kind: str
    breached_at: datetime
    is_retracted: bool
    facts: Facts
    rules: tuple[ServiceCreditRule, ...]
    fee: Fee | None
    zone: str


@dataclass(frozen=True, slots=True)
class Credit:
    """What is owed for a breach: a percentage of the month's fee, as money where the fee is known."""

    percent: int
    counted_in: str
    amount: int
    reason: Reason | None
    clauses: tuple[str, ...]
    explanation: Mapping[str, str]


def decide_credits(breaches: Iterable[Breach]) -> dict[UUID, Credit]:
    """Decide on all breaches of a contract in one month, in the order in which they happened.

    Rules may ask for the ticket's facts, the `kind` of promise and `breaches_in_month`: how many of those that are
    credited there were so far, this one included. What was granted before leaves the less under the cap.
    """
    decided: dict[UUID, Credit] = {}
    spent = count = 0
    for breach in sorted(breaches, key=lambda one: (one.breached_at, one.credit_id)):
        if breach.is_retracted:
            decided[breach.credit_id] = _credit(breach, percent=0, reason="retracted")
            continue
        about: dict[str, FactValue] = {"commitment": "guarantee", "kind": breach.kind, "breaches_in_month": count + 1}
        found = first_match(breach.rules, {**breach.facts, **about})
        if found is None:
            decided[breach.credit_id] = _credit(breach, percent=0, reason="no_rule")
            continue
        rule = found.rule
        percent = min(rule.percent, max(0, rule.cap_percent - spent))
        reason: Reason | None = "excluded" if rule.percent == 0 else ("cap" if percent < rule.percent else None)
        decided[breach.credit_id] = _credit(breach, percent=percent, reason=reason, rule=rule)
        spent += percent
        count += rule.percent > 0
    return decided


def _credit(breach: Breach, *, percent: int, reason: Reason | None, rule: ServiceCreditRule | None = None) -> Credit:
    fee = breach.fee
    amount = round_to(fee.minor * percent, 100, "nearest") // 100 if fee else percent
    return Credit(
        percent=percent,
        counted_in=fee.currency if fee else PERCENT,
        amount=amount,
        reason=reason,
        clauses=rule.clause if rule else (),
        explanation={
            language: _explain(language, breach, percent=percent, amount=amount, reason=reason, rule=rule)
            for language in _WORDS
        },
    )


def _explain(
    language: str, breach: Breach, *, percent: int, amount: int, reason: Reason | None, rule: ServiceCreditRule | None
) -> str:
    words = _WORDS[language]
    day = breach.breached_at.astimezone(load_zone(breach.zone)).date()
    start = words["breached"].format(kind=_KINDS[language].get(breach.kind, breach.kind), date=day)
    by = words["by"].format(clauses=", ".join(rule.clause)) if rule else ""
    if reason is not None and reason != "cap":
        return f"{start} → {words[reason]}{by}"
    if breach.fee is None:
        share = words["share"].format(percent=percent)
    else:
        currency = breach.fee.currency
        share = words["of_fee"].format(
            percent=percent, fee=format_minor(breach.fee.minor, currency), amount=format_minor(amount, currency)
        )
    cap = words["cap"].format(cap=rule.cap_percent) if rule and reason == "cap" else ""
    return f"{start} → {share}{by}{cap}"
