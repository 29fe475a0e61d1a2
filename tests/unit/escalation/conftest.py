"""Tickets, agents and the five policies."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from escalation.domain.ticket import Ticket
from plazo.policies import policy_text
from plazo.policy.document import Policy
from plazo.policy.load import load_policy

OPENED = datetime(2026, 5, 4, 13, 0, tzinfo=UTC)


@pytest.fixture(scope="session")
def policy_of() -> Callable[[str], Policy]:
    """Load a shipped policy document by name, each once."""
    known: dict[str, Policy] = {}

    def policy(name: str) -> Policy:
        if name not in known:
            known[name] = load_policy(policy_text(name))
        return known[name]

    return policy


@pytest.fixture
def make_ticket() -> Callable[..., Ticket]:
    """Make a ticket; what is not given is ordinary."""

    def ticket(**given: Any) -> Ticket:
        ordinary = {
            "ticket_id": UUID(int=1),
            "number": "EXP-1042",
            "subject": "No se puede vender",
            "description": "La taquilla no cobra desde las nueve",
            "customer_id": UUID(int=2),
            "customer_name": "Cines del Sur",
            "contact_name": "Ana",
            "contact_email": "ana@example.com",
            "policy": "expande",
            "policy_version": "1",
            "language": "es",
            "customer_timezone": None,
            "customer_region": None,
            "facts": {},
            "opened_at": OPENED,
        }
        return Ticket(**(ordinary | given))

    return ticket
