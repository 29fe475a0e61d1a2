"""What goes on at each desk of the traffic: its policy, its contracts, what is asked for there, and what is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Trade:
    """What goes on at a desk under one policy: whose contracts there are, what is asked for, and how."""

    policy: str
    channel: str
    plans: Sequence[str | None]
    facts: Sequence[Mapping[str, Any]]
    acts: Sequence[str]
    customer: Mapping[str, Any] = field(default_factory=dict)
    agents: Sequence[Mapping[str, Any]] = ()
    resolution: str = "fix"
    has_gates: bool = False
    prefix: str = ""
    units: int = 0
    call_channel: str | None = "phone"


_COMMON = (
    "open",
    "open",
    "reply",
    "reply",
    "note",
    "customer",
    "attach",
    "attach",
    "wait",
    "end_wait",
    "resolve",
    "close",
    "reopen",
    "refused",
)

TRADES: Mapping[str, Trade] = {
    "smartcloud": Trade(
        policy="smartcloud",
        channel="portal",
        plans=("dedicated", "dedicated"),
        facts=tuple({"business_impact": impact} for impact in ("material", "important", "moderate", "slight")),
        acts=(
            *_COMMON,
            "grant",
            "grant",
            "work",
            "work",
            "work",
            "void",
            "void",
            "standing",
            "attempt",
            "abandon",
            "facts",
            "quote",
            "quote",
            "quote",
            "meet",
            "met",
            "met",
        ),
        resolution="description",
        has_gates=True,
        units=3,
    ),
    "prodequa": Trade(
        policy="prodequa",
        channel="email",
        plans=("basic", "enterprise"),
        facts=({"out_of_service": True}, {"operational_impact": "significant"}, {}, {"type": "suggestion"}),
        acts=(
            *_COMMON,
            "end_wait",
            "end_wait",
            "work",
            "work",
            "void",
            "grant",
            "date",
            "attempt",
            "attempt",
            "facts",
            "ask_to_escalate",
            "hand_over",
        ),
        agents=(
            {"name": "Carla", "email": "carla@example.com", "teams": ["support"]},
            {"name": "Pablo", "email": "pablo@example.com", "roles": ["project_manager"]},
        ),
        has_gates=True,
    ),
    "ireo": Trade(
        policy="ireo",
        channel="email",
        plans=("standard", "plus", "vip"),
        facts=tuple({"impact": impact} for impact in ("stopped", "degraded", "limited", "question")),
        acts=(*_COMMON, "facts", "work", "hook", "hook", "meet", "met", "hand_over", "hand_over"),
        agents=(
            {"name": "Berta", "email": "berta@example.com", "teams": ["support"]},
            {"name": "Marta", "email": "marta@example.com", "roles": ["manager"]},
        ),
    ),
    "skedu": Trade(
        policy="skedu",
        channel="chat",
        plans=(None,),
        facts=({"urgency": "high", "complexity": "high"}, {"urgency": "low", "complexity": "low"}, {}),
        acts=(*_COMMON, "date", "facts", "escalate", "escalate"),
        agents=({"name": "Jorge", "email": "jorge@example.com", "roles": ["manager"]},),
        call_channel=None,
    ),
    "expande": Trade(
        policy="expande",
        channel="portal",
        plans=("basic", "enterprise_premium"),
        facts=({"sales_impossible": True}, {"random_errors": True}, {}, {"component": "cloud", "server_down": True}),
        acts=(*_COMMON, "escalate", "acknowledge", "acknowledge", "facts", "facts"),
        customer={"segment": "cinema", "timezone": "Europe/Madrid"},
        agents=(
            {"name": "Lola", "email": "lola@example.com", "teams": ["level_1_cinema"]},
            {"name": "Leo", "email": "leo@example.com", "roles": ["team_lead"]},
            {"name": "Mia", "email": "mia@example.com", "roles": ["manager"]},
        ),
    ),
    "prompt": Trade(
        policy="prompt",
        channel="portal",
        plans=(None, None),
        facts=({"stopped": True}, {"stopped": True}, {}),
        acts=(*_COMMON, "wait", "end_wait", "end_wait", "work", "grant", "void", "void"),
        agents=(
            {"name": "Ada", "email": "ada@example.com", "teams": ["support"]},
            {"name": "Tom", "email": "tom@example.com", "roles": ["team_lead"]},
            {"name": "Max", "email": "max@example.com", "roles": ["manager"]},
        ),
    ),
}

MAPPING = {
    "thread": "{id}",
    "action": [{"template": "{kind}", "values": {"new": "open", "said": "reply", "done": "resolve"}}],
    "subject": "{title}",
    "description": "{body|title}",
    "text": "{body|kind}",
    "facts": {"impact": {"template": "{impact?}"}},
}


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the promises of the live desk are, in seconds: first response, resolution, between steps."""

    first: int = 20
    whole: int = 60
    long: int = 90
    step: int = 5


def live_document(pace: Pace) -> str:
    """Return the policy of the live desk."""
    text = Path(__file__).with_name("live_policy.yaml").read_text(encoding="utf-8")
    for word, seconds in (("FIRST", pace.first), ("WHOLE", pace.whole), ("LONG", pace.long), ("STEP", pace.step)):
        text = text.replace(f"{word}s", f"{seconds}s")
    return text
