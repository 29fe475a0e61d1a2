"""Whose request it is: its sender, the contract it comes under, and the facts that follow from both."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.policy.document import Policy
from plazo.runtime import policies
from plazo.runtime.unit_of_work import Transaction
from tickets.domain.acceptance import Request, is_authorized, stated_by_address, takes_mail_at
from tickets.domain.ticket import Facts
from tickets.repository import contacts, parties, tickets
from tickets.repository.contacts import Contact


class NoPolicyInForce(PlazoError):
    """The contract's policy has no version that is effective yet."""

    kind = Kind.CONFLICT
    code = "no-policy-in-force"


@dataclass(frozen=True, slots=True)
class Terms:
    """A contract, its customer and the policy version in force for it."""

    contract: parties.Contract
    customer: parties.Customer
    policy: Policy


async def find_sender(tx: Transaction, request: Request, *, only_customer: UUID | None) -> Contact | None:
    """Return the contact who asks, if it is one; to a customer nobody else's is one. It is held: nobody erases it now.

    :raises NotFound: for one that is named and unknown
    """
    if request.contact_id is not None:
        contact = await contacts.hold_contact(tx.connection, request.contact_id)
        if contact is None or (only_customer is not None and contact.customer_id != only_customer):
            raise NotFound(f"there is no contact {request.contact_id}")
        return contact
    address, customer_id = named_address(request, only_customer=only_customer)
    contact = await contacts.hold_contact_by_email(tx.connection, address) if address is not None else None
    return contact if contact is None or customer_id in (None, contact.customer_id) else None


def named_address(request: Request, *, only_customer: UUID | None) -> tuple[str | None, UUID | None]:
    """Return the address by which a request names its sender, and whose people alone it names; None for anybody's."""
    if request.contact_email is not None:
        return request.contact_email, only_customer
    return request.told_email, request.customer_id


def address_of(request: Request, contact: Contact | None) -> str | None:
    """Return where the sender of a request is written to: nowhere, if its customer gave an address that is nobody's."""
    known = contact.emails if contact is not None else ()
    if request.contact_email is not None or not known:
        return request.contact_email
    told = (request.told_email or "").lower()
    return told if told in known else known[0]


async def require_own_name(tx: Transaction, request: Request, contact_id: UUID) -> None:
    """Let the person of a key speak in its own name only. `request` is what it says of who asks.

    :raises InvalidInput: with everything that names somebody else, or an address that is not its own
    """
    own = await contacts.find_contact(tx.connection, contact_id)
    if own is None:
        raise NotFound(f"there is no contact {contact_id}")
    name, email = request.contact_name, (request.told_email or "").lower()
    faults = []
    if request.contact_id not in (None, contact_id):
        faults.append(Fault("/contact_id", f"expected the contact of the key, {contact_id}, or none"))
    if name is not None and " ".join(name.split()).casefold() != " ".join(own.name.split()).casefold():
        faults.append(Fault("/contact_name", "expected the name of the key's contact, or none"))
    if email and email not in own.emails + own.unconfirmed_emails:
        faults.append(Fault("/contact_email", "expected an address of the key's contact, or none"))
    if faults:
        raise InvalidInput("the key belongs to a person, who asks in its own name", faults=faults)


async def find_terms(
    tx: Transaction, request: Request, contact: Contact | None, *, only_customer: UUID | None, at: datetime
) -> Terms | None:
    """Return the contract that is named, or else the fittest of the customer's; None if nobody knows the customer.

    :raises NotFound: for a contract that is named and unknown
    :raises NoPolicyInForce: before the first version of its policy
    """
    contract_id = request.contract_id
    if contract_id is None:
        customer_id = only_customer or request.customer_id or (contact.customer_id if contact else None)
        chosen = await _choose(tx, customer_id, sent_to=request.sent_to, at=at) if customer_id else None
        if chosen is None:
            return None
        contract_id = chosen.contract_id
    customer = await parties.hold_contract(tx.connection, contract_id, lock=_lock(request))
    contract = await parties.find_contract(tx.connection, contract_id) if customer else None
    if contract is None or customer is None or only_customer not in (None, customer.customer_id):
        raise NotFound(f"there is no contract {contract_id}")
    policy = await _policy(tx, contract, at=at)
    if policy is None:
        raise NoPolicyInForce(f"no version of policy {contract.policy} is effective on {at.date()}")
    return Terms(contract=contract, customer=customer, policy=policy)


def _lock(request: Request) -> Literal["UPDATE", "KEY SHARE"]:
    """Return how an opening holds its contract, so that what is recorded under it meanwhile is not missed.

    The last event of a purchase order is used once.
    """
    return "KEY SHARE" if request.purchase_order is None else "UPDATE"


async def _policy(tx: Transaction, contract: parties.Contract, *, at: datetime) -> Policy | None:
    policy = await policies.policy_in_force(tx.connection, policy=contract.policy, at=at)
    if policy is None and at < tx.now:  # what was opened before the first version is brought under the present one
        policy = await policies.policy_in_force(tx.connection, policy=contract.policy, at=tx.now)
    return policy


async def _choose(tx: Transaction, customer_id: UUID, *, sent_to: str | None, at: datetime) -> parties.Contract | None:
    """Return the contract whose policy takes mail at the address, then one in force, then the newest."""
    known = [
        (contract, policy)
        for contract in await parties.contracts_of(tx.connection, customer_id)
        if (policy := await _policy(tx, contract, at=at)) is not None
    ]
    if not known:
        return None
    fittest = max(
        known,
        key=lambda one: (
            takes_mail_at(one[1], sent_to),
            one[0].terms().is_in_force(policies.local_date(one[1], at)),
            one[0].created_at,
        ),
    )
    return fittest[0]


async def policy_for(tx: Transaction, *, request: Request) -> Policy | None:
    """Return the policy that would decide about a request; None if nobody knows whose it is, or before its start."""
    contact = await find_sender(tx, request, only_customer=None)
    try:
        terms = await find_terms(tx, request, contact, only_customer=None, at=request.opened_at or tx.now)
    except NoPolicyInForce:
        return None
    return terms.policy if terms else None


async def given_facts(
    tx: Transaction, request: Request, terms: Terms, contact: Contact | None, *, at: datetime
) -> Facts:
    """Return the facts that are stated, or follow from who asks and what is named."""
    customer = terms.customer
    who = (request.contact_id, request.contact_email, request.told_email)
    names_unknown = contact is None and any(one is not None for one in who)
    given: Facts = {
        "channel": request.channel,
        "language": request.language or (contact.language if contact else None) or customer.language,
        "authorized": request.authorized_by is not None
        or is_authorized(
            contact_may_ask=contact.may_ask if contact else None,
            names_unknown_sender=names_unknown,
            customer_has_contacts=names_unknown and await contacts.has_contacts(tx.connection, customer.customer_id),
            is_vouched_for=request.is_vouched_for,
        ),
    }
    if customer.segment is not None:
        given["segment"] = customer.segment
    given |= stated_by_address(terms.policy, request.sent_to) | request.facts
    if request.purchase_order is not None:
        day = policies.local_date(terms.policy, at)
        named = [order for order in terms.contract.orders if order.number == request.purchase_order]
        given["purchase_order"] = any(order.is_open(day) for order in named)
    if request.about_ticket is not None:
        given["existing_ticket"] = await tickets.has_open_ticket(
            tx.connection, number=request.about_ticket, customer_id=customer.customer_id
        )
    return given
