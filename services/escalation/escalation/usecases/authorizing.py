"""Whether a person of a customer may ask for it."""

from uuid import UUID

from escalation.domain.ticket import Ticket
from escalation.repository import askers
from plazo.kernel.errors import Kind, PlazoError
from plazo.policy.decide import rule_against_unauthorized
from plazo.policy.document import Policy
from plazo.runtime.unit_of_work import Transaction


class NotAuthorized(PlazoError):
    """The contract lets only authorized contacts of the customer ask."""

    kind = Kind.FORBIDDEN
    code = "contact-not-authorized"


async def require_authorized(tx: Transaction, contact_id: UUID | None, ticket: Ticket, policy: Policy) -> None:
    """Let a contact ask about a ticket that may answer it in `tickets`; who is no contact may.

    Nobody refuses who has a key and has not been heard of yet: `tickets` knew it as it made the key, and authorized is
    how most are; that somebody is not is announced, and arrives as the end of a key does.

    :raises NotAuthorized: if nobody of the customer authorized it, and the policy asks for that (EXP-01)
    """
    if contact_id is None or await askers.may_ask(tx.connection, contact_id, customer_id=ticket.customer_id):
        return
    if (rule := rule_against_unauthorized(policy, ticket.facts)) is None:
        return
    note = rule.note.model_dump().get(ticket.language) if rule.note else None
    raise NotAuthorized(note or rule.reason or "not_accepted", clause=", ".join(rule.clause) or None)
