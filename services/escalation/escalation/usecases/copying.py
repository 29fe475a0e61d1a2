"""What this service keeps of others: policies, customers, contracts."""

from datetime import datetime, time

from escalation.repository import askers, contacts, subscriptions, tickets
from escalation.repository.tickets import Customer
from escalation.usecases.announcing import tell_of_revision
from plazo.calendar.zone import load_zone
from plazo.events.ticket_dossier import ContactErased
from plazo.events.ticket_intake import ContactRegistered
from plazo.events.tickets import ContractSigned, PolicyPublished
from plazo.policy.document import Policy
from plazo.runtime import forgetting
from plazo.runtime.policies import insert_policy, policy_in_force
from plazo.runtime.unit_of_work import UnitOfWork


async def take_in_policy(uow: UnitOfWork, published: PolicyPublished) -> None:
    """Keep a version of a policy; where it replaces one, every customer under it is told. PRO-01"""
    async with uow.begin() as tx:
        new = Policy.model_validate(published.document)
        noon = datetime.combine(new.effective_from, time(12), tzinfo=load_zone(new.timezone))
        before = await policy_in_force(tx.connection, policy=new.policy, at=noon)
        is_new = await insert_policy(
            tx,
            policy=published.policy,
            version=published.policy_version,
            effective_from=published.effective_from,
            document=published.document,
        )
        if is_new and before is not None:
            await tell_of_revision(tx, old=before, new=new)


async def take_in_customer(uow: UnitOfWork, customer: Customer) -> None:
    """Keep what is known of a customer."""
    async with uow.begin() as tx:
        await tickets.put_customer(tx, customer)


async def take_in_contact(uow: UnitOfWork, contact: ContactRegistered) -> None:
    """Keep who may ask for a customer, and who speaks for it: its administrators that can be written to. EXP-01"""
    is_administrator = contact.role == "administrator"
    async with uow.begin() as tx:
        await askers.put_asker(
            tx,
            contact.contact_id,
            customer_id=contact.customer_id,
            may_ask=contact.authorized or is_administrator,
        )
        if not is_administrator or not contact.emails:
            await contacts.remove_administrator(tx, contact.contact_id)
            return
        await contacts.put_administrator(
            tx,
            contact_id=contact.contact_id,
            customer_id=contact.customer_id,
            email=contact.emails[0],
            language=contact.language,
        )


async def forget_contact(uow: UnitOfWork, erased: ContactErased) -> None:
    """Erase what is kept of a person: addresses, the words of its tickets, of messages about them, and of events.

    Its id alone is kept, as one that may not ask.
    """
    async with uow.begin() as tx:
        await forgetting.require_all_heard(tx, erased)
        person = forgetting.person_of(erased)
        keys = await forgetting.forget_keys(tx, erased.contact_id)
        await askers.put_asker(tx, erased.contact_id, customer_id=erased.customer_id, may_ask=False)
        own = {*erased.tickets, *erased.requests, erased.contact_id}
        others = await tickets.tickets_of_customer(tx.connection, erased.customer_id)
        await subscriptions.forget_person(tx, person, contact_id=erased.contact_id, own=own, others=others)
        await contacts.forget_person(tx, person, ticket_ids=erased.tickets, others=others)
        await forgetting.forget_announced(tx, person, own=own, others=others)
        await forgetting.forget_answers(tx, person, keys=keys, about=others)
        await forgetting.forget_inbox(tx, person, own=own)


async def take_in_contract(uow: UnitOfWork, contract: ContractSigned) -> None:
    """Keep which customer is under which policy, and how long."""
    async with uow.begin() as tx:
        await tickets.put_contract(
            tx,
            contract_id=contract.contract_id,
            customer_id=contract.customer_id,
            policy=contract.policy,
            valid_until=contract.valid_until,
        )
