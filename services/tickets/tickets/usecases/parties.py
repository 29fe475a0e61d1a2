"""Customers and contracts."""

from dataclasses import replace
from typing import Any, cast
from uuid import UUID

from plazo.events.tickets import ContractSigned, CustomerRegistered
from plazo.kernel.errors import InvalidInput, NotFound
from plazo.kernel.ids import new_id
from plazo.policy.agreed import AgreedTerms, agreed_faults
from plazo.policy.document import Policy
from plazo.runtime import policies
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.terms import contract_faults, missing_acceptances, unstated_terms
from tickets.repository import contracts, parties
from tickets.repository.parties import Contract, Customer
from tickets.schemas.parties import (
    AcceptanceView,
    Arrangement,
    ContractChange,
    ContractCreate,
    ContractView,
    CustomerChange,
    CustomerCreate,
    CustomerView,
    PeriodView,
)


async def register_customer(uow: UnitOfWork, *, body: CustomerCreate) -> CustomerView:
    """Register a customer."""
    async with uow.begin() as tx:
        customer = Customer(customer_id=new_id(), created_at=tx.now, **body.model_dump())
        await parties.insert_customer(tx, customer)
        _announce_customer(tx, customer)
        view = customer_view(customer)
        tx.answer = view.model_dump(mode="json")
    return view


async def change_customer(uow: UnitOfWork, *, customer_id: UUID, body: CustomerChange) -> CustomerView:
    """Change a customer's particulars. :raises NotFound:"""
    async with uow.begin() as tx:
        customer = await parties.find_customer(tx.connection, customer_id, lock=True)
        if customer is None:
            raise NotFound(f"there is no customer {customer_id}")
        customer = replace(customer, **body.model_dump(exclude_unset=True))
        await parties.update_customer(tx, customer)
        _announce_customer(tx, customer)
        view = customer_view(customer)
        tx.answer = view.model_dump(mode="json")
    return view


def _announce_customer(tx: Transaction, customer: Customer) -> None:
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


async def sign_contract(uow: UnitOfWork, *, body: ContractCreate) -> ContractView:
    """Record a customer's contract under a published policy.

    :raises NotFound: for an unknown customer or policy
    :raises InvalidInput: with all that does not fit the policy or the catalog
    """
    async with uow.begin() as tx:
        if await parties.find_customer(tx.connection, body.customer_id) is None:
            raise NotFound(f"there is no customer {body.customer_id}")
        policy = await newest_policy(tx.connection, body.policy)
        values = body.model_dump(exclude={"agreed"})
        contract = Contract(
            contract_id=new_id(),
            created_at=tx.now,
            agreed=_agreed(body.agreed),
            **values | {"products": tuple(body.products)},
        )
        await _check(tx, contract, policy)
        await parties.insert_contract(tx, contract)
        announce_contract(tx, contract)
        view = contract_view(contract, policy)
        tx.answer = view.model_dump(mode="json")
    return view


async def change_contract(uow: UnitOfWork, *, contract_id: UUID, body: ContractChange) -> ContractView:
    """Change the terms of a contract; tickets that are open keep those they were opened under.

    :raises NotFound: :raises InvalidInput: with all that does not fit the policy or the catalog
    """
    async with uow.begin() as tx:
        contract, policy = await held_contract(tx, contract_id)
        changes: dict[str, Any] = body.model_dump(exclude_unset=True, exclude={"agreed"})
        if "products" in changes:
            changes["products"] = tuple(changes["products"])
        if "agreed" in body.model_fields_set:
            changes["agreed"] = _agreed(body.agreed)
        contract = replace(contract, **changes)
        await _check(tx, contract, policy)
        await parties.update_contract(tx, contract)
        announce_contract(tx, contract)
        view = contract_view(contract, policy)
        tx.answer = view.model_dump(mode="json")
    return view


def _agreed(terms: AgreedTerms | None) -> dict[str, Any] | None:
    return None if terms is None else terms.model_dump(mode="json", exclude_defaults=True)


async def _check(tx: Transaction, contract: Contract, policy: Policy) -> None:
    faults = contract_faults(
        policy,
        plan=contract.plan,
        arrangement=contract.arrangement,
        products=contract.products,
        period=contract.period,
        catalog=await contracts.product_names(tx.connection) if contract.products else (),
    )
    if contract.agreed is not None:
        faults += [
            replace(fault, pointer="/agreed" + fault.pointer)
            for fault in agreed_faults(policy, contract.agreed, now=tx.now)
        ]
    if faults:
        raise InvalidInput("the contract's terms do not fit", faults=faults)


async def held_contract(tx: Transaction, contract_id: UUID) -> tuple[Contract, Policy]:
    """Return a contract, held until the end of the transaction, and its policy. :raises NotFound:"""
    held = await parties.hold_contract(tx.connection, contract_id, lock="UPDATE")
    contract = await parties.find_contract(tx.connection, contract_id) if held else None
    if contract is None:
        raise NotFound(f"there is no contract {contract_id}")
    return contract, await newest_policy(tx.connection, contract.policy)


async def newest_policy(connection: Connection, name: str) -> Policy:
    """Return the version of a policy that is effective last. :raises NotFound: if none is published"""
    version = await connection.fetchval(
        "SELECT version FROM policy_version WHERE policy = $1 ORDER BY effective_from DESC, version DESC LIMIT 1", name
    )
    policy = await policies.find_policy(connection, policy=name, version=version) if version else None
    if policy is None:
        raise NotFound(f"no version of a policy {name!r} is published in this desk")
    return policy


def announce_contract(tx: Transaction, contract: Contract) -> None:
    """Announce a contract as it is now; the newest holds."""
    tx.emit(
        ContractSigned(
            contract_id=contract.contract_id,
            customer_id=contract.customer_id,
            policy=contract.policy,
            plan=contract.plan,
            arrangement=cast("Arrangement", contract.arrangement),
            products=contract.products,
            valid_from=contract.valid_from,
            valid_until=contract.valid_until,
            warranty_until=contract.warranty_until,
            account=contract.account,
            agreed=contract.agreed,
        ),
        about=contract.contract_id,
        occurred_at=tx.now,
    )


async def read_contract(uow: UnitOfWork, *, contract_id: UUID) -> ContractView:
    """Return a contract. :raises NotFound:"""
    async with uow.read() as connection:
        contract = await parties.find_contract(connection, contract_id)
        if contract is None:
            raise NotFound(f"there is no contract {contract_id}")
        return contract_view(contract, await newest_policy(connection, contract.policy))


async def contract_views(connection: Connection, found: list[Contract]) -> list[ContractView]:
    """Return several contracts as they are shown."""
    known = {name: await newest_policy(connection, name) for name in {contract.policy for contract in found}}
    return [contract_view(contract, known[contract.policy]) for contract in found]


def customer_view(customer: Customer) -> CustomerView:
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


def contract_view(contract: Contract, policy: Policy) -> ContractView:
    """Return a contract as it is shown, and what it lacks by its policy."""
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
        account=contract.account,
        agreed=contract.agreed,
        earlier_periods=[
            PeriodView(valid_from=period.valid_from, valid_until=period.valid_until) for period in contract.earlier
        ],
        voided_products=sorted({void.product for void in contract.voids if void.period.valid_until is None}),
        acceptances=[
            AcceptanceView(name=name, accepted_by=by, accepted_at=at) for name, (by, at) in contract.acceptances.items()
        ],
        missing_acceptances=missing_acceptances(policy, contract.acceptances.keys()),
        unstated=unstated_terms(policy, plan=contract.plan, products=contract.products, account=contract.account),
    )
