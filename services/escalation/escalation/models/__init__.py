"""The tables of this service: rows only. Migrations make them; a test holds the two together."""

from escalation.models import agents, escalations, messages, subscriptions, tickets
from escalation.models.base import EscalationTable

__all__ = ["METADATA", "agents", "escalations", "messages", "subscriptions", "tickets"]

METADATA = EscalationTable.metadata
