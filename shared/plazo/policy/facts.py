"""The facts a rule may ask about: the ones the services know, to which a document adds its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

FactType = Literal["boolean", "integer", "choice", "text"]


@dataclass(frozen=True, slots=True)
class Fact:
    """One named fact. `values` lists every value it can have; none when the list is open."""

    type: FactType
    values: tuple[str, ...] = ()
    always_known: bool = False


def _choice(*values: str) -> Fact:
    return Fact("choice", values)


_YES_NO = Fact("boolean", ("false", "true"))
_TEXT = Fact("text")

#: Facts whose values a document lists in a section of its own, by the name of that section.
DECLARED_IN: Mapping[str, str] = MappingProxyType(
    {
        "plan": "plans",
        "severity": "severities",
        "priority": "priorities",
        "suggested_severity": "severities",
        "suggested_priority": "priorities",
    }
)

BUILT_IN: Mapping[str, Fact] = MappingProxyType(
    {
        # what was asked
        "plan": Fact("text", always_known=True),
        "severity": Fact("text", always_known=True),
        "priority": Fact("text", always_known=True),
        "suggested_severity": _TEXT,
        "suggested_priority": _TEXT,
        "type": _choice("incident", "question", "request", "feature_request", "suggestion", "update"),
        "category": _TEXT,
        "component": _TEXT,
        "product": _TEXT,
        "segment": _TEXT,
        "cause": _TEXT,
        "language": _TEXT,
        "location": _choice("remote", "on_site"),
        "channel": Fact(
            "choice",
            ("email", "portal", "phone", "chat", "video", "help_center", "adviser", "webhook", "api"),
            always_known=True,
        ),
        # who asks, and under what terms
        "authorized": _YES_NO,
        "standing": _choice("current", "overdue"),
        "arrangement": _choice("plan", "monthly", "warranty", "per_event"),
        "plan_in_force": _YES_NO,
        "product_contracted": _YES_NO,
        "support_voided": _YES_NO,
        "warranty": _YES_NO,
        "purchase_order": _YES_NO,
        "below_minimum": _YES_NO,
        "quote_accepted": _YES_NO,
        "breaches_in_month": Fact("integer"),
        "commitment": _choice("objective", "guarantee"),
        # where the ticket stands
        "level": Fact("integer"),
        "hours": _choice("in", "out"),
        "holiday": _YES_NO,
        "existing_ticket": _YES_NO,
        "email_failure": _YES_NO,
        "checklist": _choice("complete", "incomplete"),
        "playbook": _choice("open", "exhausted"),
        "waiting": _choice("customer", "vendor", "agreed_window"),
        "role": _TEXT,
        # what has just happened
        "activity": _choice("receipt", "reply", "call", "internal_note", "assessment"),
        "event": _TEXT,
        "reopenings": Fact("integer"),
        "warned_percent": Fact("integer"),
        "kind": _choice(
            "acknowledgement",
            "first_response",
            "next_reply",
            "periodic_update",
            "resolution",
            "agreed",
            "availability",
        ),
        "trigger": _choice(
            "breach",
            "warning",
            "customer_request",
            "agent_request",
            "playbook_exhausted",
            "not_acknowledged",
            "reopened",
            "severity_raised",
            "low_balance",
        ),
    }
)


def known_facts(
    *, sections: Mapping[str, Sequence[str]], declared: Mapping[str, tuple[FactType, Sequence[str]]]
) -> dict[str, Fact]:
    """Merge the built-in facts with the names listed in `sections` and the document's own `declared` facts."""
    facts = dict(BUILT_IN)
    for name, section in DECLARED_IN.items():
        if listed := tuple(sections.get(section, ())):
            facts[name] = Fact("choice", listed, always_known=BUILT_IN[name].always_known)
    for name, (kind, choices) in declared.items():
        facts[name] = _YES_NO if kind == "boolean" else Fact(kind, tuple(choices))
    return facts
