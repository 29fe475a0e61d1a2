"""People of a customer, as far as they may decide for it."""

from uuid import UUID

from billing.domain.parties import Contract, Ticket
from billing.repository import contacts
from billing.repository.policies import known_policy
from plazo.events.ticket_dossier import ContactErased
from plazo.kernel.errors import Kind, PlazoError
from plazo.policy.decide import rule_against_unauthorized
from plazo.policy.document import Policy
from plazo.runtime import forgetting, policies
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


class NotAuthorized(PlazoError):
    """The contract lets only authorized contacts of the customer answer."""

    kind = Kind.FORBIDDEN
    code = "contact-not-authorized"


async def keep_contact(uow: UnitOfWork, *, contact_id: UUID, customer_id: UUID, may_ask: bool) -> None:
    """Keep whose person a contact is, and whether it may answer."""
    async with uow.begin() as tx:
        await contacts.put_contact(tx, contact_id, customer_id=customer_id, may_ask=may_ask)


async def forget_contact(uow: UnitOfWork, erased: ContactErased) -> None:
    """Erase what is kept of a person: where a quote names it, and events that wait. Its id is kept, as may not answer.

    What was worked and charged stays as it was written.
    """
    async with uow.begin() as tx:
        await forgetting.require_all_heard(tx, erased)
        person = forgetting.person_of(erased)
        keys = await forgetting.forget_keys(tx, erased.contact_id)
        await contacts.put_contact(tx, erased.contact_id, customer_id=erased.customer_id, may_ask=False)
        about = await contacts.forget_in_quotes(tx, person, customer_id=erased.customer_id, actors=list(keys.values()))
        await forgetting.forget_answers(tx, person, keys=keys, about=about)
        own = {*erased.tickets, *erased.requests, erased.contact_id}
        await forgetting.forget_inbox(tx, person, own=own)


async def require_authorized(tx: Transaction, contact_id: UUID | None, about: Ticket | Contract) -> None:
    """Let a contact decide that may.

    About a ticket, that is who may answer it in `tickets`; about a contract, who may open one with its key.

    Nobody refuses who has a key and has not been heard of yet: `tickets` knew it as it made the key, and authorized is
    how most are; that somebody is not is announced, and arrives as the end of a key does.

    :raises NotAuthorized: if nobody of the customer authorized it, and the policy asks for that (EXP-01)
    """
    if contact_id is None or await contacts.may_ask(tx.connection, contact_id, customer_id=about.customer_id):
        return
    policy = await _policy_of(tx, about)
    facts = about.facts if isinstance(about, Ticket) else about.facts() | {"channel": "portal"}
    if policy is None or (rule := rule_against_unauthorized(policy, facts)) is None:
        return
    note = rule.note.model_dump().get(policy.language) if rule.note else None
    raise NotAuthorized(note or rule.reason or "not_accepted", clause=", ".join(rule.clause) or None)


async def _policy_of(tx: Transaction, about: Ticket | Contract) -> Policy | None:
    if isinstance(about, Ticket):
        return await known_policy(tx, policy=about.policy, version=about.policy_version)
    return await policies.policy_in_force(tx.connection, policy=about.policy, at=tx.now)
