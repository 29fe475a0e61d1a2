"""Who stands behind a role: on the customer's side and on the provider's."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from escalation.domain.ticket import Agent, Ticket
from plazo.policy.document import Policy

CUSTOMER_ROLES = frozenset({"requester", "customer_administrator", "all_customers"})
# Whoever has the ticket answers to all of these.
_HANDLER_ROLES = frozenset({"assignee", "consultant"})


@dataclass(frozen=True, slots=True)
class Addressee:
    """Somebody to be told. Without an `address` the message cannot be delivered, which is kept and shown."""

    role: str
    side: Literal["customer", "provider"]
    address: str | None
    language: str


def is_asked(role: str, *, escalates: bool) -> bool:
    """Return whether a message asks its reader to acknowledge: one of the provider's, told by an escalation."""
    return escalates and role not in CUSTOMER_ROLES


def language_of(language: str) -> Literal["es", "en"]:
    """Return the language messages are worded in for somebody who speaks `language`: Spanish, else English."""
    return "es" if language.lower().startswith("es") else "en"


def find_addressees(
    role: str,
    *,
    ticket: Ticket,
    policy: Policy,
    staff: Iterable[Agent],
    customer_email: str | None,
    administrators: Iterable[tuple[str, str]] = (),
) -> tuple[Addressee, ...]:
    """Return who is told when a policy names `role`.

    Nobody is passed over in silence: where no agent stands behind a provider's role, the team's address is told, or
    else the provider's; a customer without an address is an addressee without one. `administrators` are those of the
    customer, each an address and a language.
    """
    if role == "customer_administrator" and (known := tuple(administrators)):
        return tuple(Addressee(role, "customer", address, language_of(language)) for address, language in known)
    if role in CUSTOMER_ROLES:
        first, second = ticket.contact_email, customer_email
        if role == "customer_administrator":
            first, second = second, first
        return (Addressee(role, "customer", first or second, language_of(ticket.language)),)
    language = language_of(policy.language)
    people = sorted(_behind(role, ticket, staff), key=lambda agent: agent.agent_id)
    if people:
        return tuple(Addressee(role, "provider", agent.email, language) for agent in people)
    team = policy.routing.teams.get(ticket.team or "")
    address = (team.address if team else None) or policy.provider.email
    return (Addressee(role, "provider", address, language),)


def _behind(role: str, ticket: Ticket, staff: Iterable[Agent]) -> list[Agent]:
    available = [agent for agent in staff if agent.is_available]
    if role in _HANDLER_ROLES:
        return [agent for agent in available if agent.agent_id == ticket.agent_id]
    if role == "team":
        return [agent for agent in available if agent.serves(ticket.policy, ticket.team)]
    holders = [agent for agent in available if role in agent.roles]
    # A lead of the ticket's own team comes before one of another.
    return [agent for agent in holders if agent.serves(ticket.policy, ticket.team)] or holders
