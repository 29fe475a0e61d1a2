"""What this service keeps of others: policies, customers, contracts."""

from datetime import datetime, time

from escalation.repository import tickets
from escalation.repository.tickets import Customer
from escalation.usecases.announcing import tell_of_revision
from plazo.calendar.zone import load_zone
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
