"""Customers and contracts."""

from uuid import UUID

from plazo.calendar.zone import load_zone
from plazo.events.tickets import ContractSigned, CustomerRegistered
from plazo.kernel.errors import Fault, InvalidInput, NotFound
from plazo.kernel.ids import new_id
from plazo.runtime import policies
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.repository import parties
from tickets.schemas.parties import ContractCreate, ContractView, CustomerCreate, CustomerView


async def register_customer(uow: UnitOfWork, *, body: CustomerCreate) -> CustomerView:
    """Register a customer. :raises InvalidInput: for an unknown zone"""
    if body.timezone is not None:
        load_zone(body.timezone)
    async with uow.begin() as tx:
        customer = parties.Customer(customer_id=new_id(), created_at=tx.now, **body.model_dump())
        await parties.insert_customer(tx, customer)
        tx.emit(
            CustomerRegistered(
                customer_id=customer.customer_id,
                customer_name=customer.name,
                segment=customer.segment,
                language=customer.language,
                timezone=customer.timezone,
                region=customer.region,
                email=customer.email,
            ),
            about=customer.customer_id,
            occurred_at=tx.now,
        )
        view = customer_view(customer)
        tx.answer = view.model_dump(mode="json")
    return view


async def sign_contract(uow: UnitOfWork, *, body: ContractCreate) -> ContractView:
    """Record a customer's contract under a published policy.

    :raises NotFound: for an unknown customer or policy
    :raises InvalidInput: for a plan that the policy does not have, or dates out of order
    """
    async with uow.begin() as tx:
        if await parties.find_customer(tx.connection, body.customer_id) is None:
            raise NotFound(f"there is no customer {body.customer_id}")
        version = await tx.connection.fetchval(
            "SELECT version FROM policy_version WHERE policy = $1 ORDER BY effective_from DESC LIMIT 1", body.policy
        )
        policy = await policies.find_policy(tx.connection, policy=body.policy, version=version) if version else None
        if policy is None:
            raise NotFound(f"no version of a policy {body.policy!r} is published in this desk")
        faults = []
        if policy.plans and body.plan not in policy.plans:
            expected = ", ".join(policy.plans)
            faults.append(Fault(pointer="/plan", message=f"expected a plan of {body.policy}: {expected}"))
        if body.valid_until is not None and body.valid_until <= body.valid_from:
            faults.append(Fault(pointer="/valid_until", message="expected a date after valid_from"))
        if faults:
            raise InvalidInput("the contract's terms do not fit", faults=faults)
        contract = parties.Contract(
            contract_id=new_id(),
            created_at=tx.now,
            **{**body.model_dump(), "products": tuple(body.products)},
        )
        await parties.insert_contract(tx, contract)
        tx.emit(
            ContractSigned(
                contract_id=contract.contract_id,
                customer_id=contract.customer_id,
                policy=contract.policy,
                plan=contract.plan,
                arrangement=body.arrangement,
                products=contract.products,
                valid_from=contract.valid_from,
                valid_until=contract.valid_until,
                warranty_until=contract.warranty_until,
            ),
            about=contract.contract_id,
            occurred_at=tx.now,
        )
        view = contract_view(contract)
        tx.answer = view.model_dump(mode="json")
    return view


async def read_contract(uow: UnitOfWork, *, contract_id: UUID) -> ContractView:
    """Return a contract. :raises NotFound:"""
    async with uow.read() as connection:
        contract = await parties.find_contract(connection, contract_id)
    if contract is None:
        raise NotFound(f"there is no contract {contract_id}")
    return contract_view(contract)


def customer_view(customer: parties.Customer) -> CustomerView:
    """Return a customer as it is shown."""
    return CustomerView(
        customer_id=customer.customer_id,
        name=customer.name,
        segment=customer.segment,
        language=customer.language,
        timezone=customer.timezone,
        region=customer.region,
        email=customer.email,
        created_at=customer.created_at,
    )


def contract_view(contract: parties.Contract) -> ContractView:
    """Return a contract as it is shown."""
    return ContractView(
        contract_id=contract.contract_id,
        customer_id=contract.customer_id,
        policy=contract.policy,
        plan=contract.plan,
        arrangement=contract.arrangement,
        products=list(contract.products),
        valid_from=contract.valid_from,
        valid_until=contract.valid_until,
        warranty_until=contract.warranty_until,
    )
