"""What this service keeps of others: policies, customers, contracts."""

from datetime import datetime, time

from escalation.repository import contacts, tickets
from escalation.repository.tickets import Customer
from escalation.usecases.announcing import tell_of_revision
from plazo.calendar.zone import load_zone
from plazo.events.ticket_dossier import ContactErased
from plazo.events.ticket_intake import ContactRegistered
from plazo.events.tickets import ContractSigned, PolicyPublished
from plazo.policy.document import Policy
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
    """Keep who speaks for a customer: its administrators that can be written to."""
    async with uow.begin() as tx:
        if contact.role != "administrator" or not contact.emails:
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
    """Erase what is kept of a person: addresses, and the words of its tickets and of the messages about them."""
    async with uow.begin() as tx:
        await contacts.forget_person(tx, erased.contact_id, ticket_ids=erased.tickets)


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
