"""The wording of messages: a policy's templates, filled with what is known of a ticket."""

import re
import string
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from escalation.domain.ticket import Ticket
from plazo.calendar.zone import load_zone
from plazo.policy.document import Policy
from plazo.policy.handling import Template
from plazo.policy.rules import Text

Language = Literal["es", "en"]

UNKNOWN = "—"
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_SPACE = re.compile(r"\s+")

_KINDS: dict[str, tuple[str, str]] = {
    "acknowledgement": ("acuse de recibo", "acknowledgement"),
    "first_response": ("primera respuesta", "first response"),
    "next_reply": ("siguiente respuesta", "next reply"),
    "periodic_update": ("informe periódico", "periodic update"),
    "resolution": ("resolución", "resolution"),
    "agreed": ("fecha acordada", "agreed date"),
    "availability": ("disponibilidad", "availability"),
}
_UNITS: dict[str, tuple[str, str]] = {
    "credit_unit": ("unidades de crédito", "credit units"),
    "minute": ("minutos", "minutes"),
    "hour": ("horas", "hours"),
    "workday": ("jornadas", "workdays"),
}
_TRIGGERS: dict[str, tuple[str, str]] = {
    "breach": ("plazo incumplido", "deadline missed"),
    "warning": ("plazo por vencer", "deadline near"),
    "customer_request": ("a petición del cliente", "at the customer's request"),
    "agent_request": ("a petición de un agente", "at an agent's request"),
    "not_acknowledged": ("nadie acusó recibo", "nobody acknowledged"),
    "playbook_exhausted": ("agotadas las posibles soluciones", "possible solutions exhausted"),
    "reopened": ("reabierto", "reopened"),
    "severity_raised": ("aumentó la severidad", "the severity was raised"),
    "low_balance": ("saldo bajo", "low balance"),
}


# What a step says where the policy gives it no template.
PLAIN_STEP = Template(
    subject=Text(es="{number}: {reason}", en="{number}: {reason}"),
    body=Text(es="{subject} (nivel {level}, cláusula {clause})", en="{subject} (level {level}, clause {clause})"),
)


# What is said when the last step has been taken and nobody took notice.
UNANSWERED = Template(
    subject=Text(es="{number}: NADIE RESPONDE: {reason}", en="{number}: NOBODY ANSWERS: {reason}"),
    body=Text(
        es="Se dio el último paso y nadie acusó recibo. {subject} (nivel {level}, cláusula {clause})",
        en="The last step was taken and nobody acknowledged. {subject} (level {level}, clause {clause})",
    ),
)


@dataclass(frozen=True, slots=True)
class Words:
    """A message as it is sent: text, never markup."""

    subject: str
    body: str


def render(template: Template, values: Mapping[str, str], *, language: Language) -> Words:
    """Fill a template in a language. A placeholder without a value shows as a dash, a value is never read as one."""
    subject = _fill(getattr(template.subject, language), values)
    return Words(subject=clean_line(subject), body=_fill(getattr(template.body, language), values))


def clean_line(text: str) -> str:
    """Return text that is fit for a header: one line, nothing that cannot be seen."""
    return _SPACE.sub(" ", clean_text(text)).strip()


def clean_text(text: str) -> str:
    """Return text without characters that cannot be seen; lines stay lines."""
    return _CONTROL.sub(" ", text)


def _fill(text: str, values: Mapping[str, str]) -> str:
    return "".join(
        literal + (_CONTROL.sub(" ", values.get(name) or UNKNOWN) if name is not None else "")
        for literal, name, _, _ in string.Formatter().parse(text)
    )


def ticket_values(ticket: Ticket, policy: Policy, *, language: Language) -> dict[str, str]:
    """Return what a ticket fills into templates: the three that a receipt confirms (IRE-10) and where it stands."""
    team = policy.routing.teams.get(ticket.team or "")
    return {
        "number": ticket.number,
        "subject": ticket.subject,
        "description": ticket.description,
        "opened_at": local_time(ticket.opened_at, zone=ticket.customer_timezone or policy.timezone),
        "severity": str(ticket.facts.get("severity", "")),
        "priority": str(ticket.facts.get("priority", "")),
        "level": str(ticket.level),
        "team": getattr(team.text, language) if team else "",
        "policy": ticket.policy,
        "policy_version": ticket.policy_version,
    }


def held_reason(policy: Policy, reason: str, *, language: Language) -> str:
    """Return why a ticket is held, in the words of the gate that holds it."""
    gate = next((gate for gate in policy.billing.gates if gate.held == reason), None)
    return getattr(gate.note, language) if gate else reason


def kind_words(kind: str, *, language: Language) -> str:
    """Name a kind of promise."""
    return _pick(_KINDS.get(kind, (kind, kind)), language)


def trigger_words(trigger: str, *, language: Language) -> str:
    """Name what set an escalation off."""
    return _pick(_TRIGGERS.get(trigger, (trigger, trigger)), language)


def balance_words(account: str, balance: int, threshold: int, *, unit: str, language: Language) -> str:
    """Say how low a balance is, in whole units of the account."""
    named = _pick(_UNITS.get(unit, (unit, unit)), language)
    if language == "es":
        return f"{account}: quedan {balance} {named}; se avisa por debajo de {threshold}"
    return f"{account}: {balance} {named} left; told below {threshold}"


def worded(value: object, *, zone: str, language: Language) -> str:
    """Write a value of an event for people."""
    if isinstance(value, datetime):
        return local_time(value, zone=zone)
    if isinstance(value, tuple | list):
        return ", ".join(worded(one, zone=zone, language=language) for one in value)
    if isinstance(value, Mapping):
        return str(value.get(language, ""))
    return str(value)


def local_time(instant: datetime, *, zone: str) -> str:
    """Write an instant as people of that zone read it, with the zone."""
    return f"{instant.astimezone(load_zone(zone)):%d/%m/%Y %H:%M} ({zone})"


def _pick(words: tuple[str, str], language: Language) -> str:
    return words[0] if language == "es" else words[1]
