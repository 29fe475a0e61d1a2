"""Policies, customers and contracts."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from plazo.kernel.errors import NotFound
from plazo.runtime import policies as policy_versions
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import EVERYBODY, STAFF, Role
from plazo.runtime.pagination import MAX_LIMIT, Page, page_of, position
from tickets.repository import parties as parties_repository
from tickets.schemas.parties import (
    ContractChange,
    ContractCreate,
    ContractView,
    CustomerChange,
    CustomerCreate,
    CustomerView,
    NewPolicyVersion,
    PolicyPublish,
    PolicyView,
)
from tickets.usecases import parties, policies

router = APIRouter(prefix="/v1", tags=["terms"])

ManagerCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]
StaffCall = Annotated[Call, allow(*STAFF)]
AnyCall = Annotated[Call, allow(*EVERYBODY)]
Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT)]


@router.post("/policies", status_code=201)
async def publish_policy(body: PolicyPublish, call: ManagerCall) -> NewPolicyVersion:
    """Publish a version of a policy document; all its faults are answered at once, each with its line."""
    published = await policies.publish_policy(call.uow(status=201), document=body.document)
    await call.settle(policy_versions.policy_id(call.desk_id, published.policy))
    return published


@router.get("/policies")
async def list_policies(call: StaffCall) -> list[PolicyView]:
    """List the published versions of all policies."""
    return await policies.list_policies(call.uow())


@router.get("/policies/{policy}/{version}")
async def read_policy(policy: str, version: str, call: StaffCall) -> dict[str, object]:
    """Return a published version as JSON."""
    async with call.uow().read() as connection:
        found = await policy_versions.find_policy(connection, policy=policy, version=version)
    if found is None:
        raise NotFound(f"policy {policy} has no published version {version}")
    return found.model_dump(mode="json", exclude_defaults=True)


@router.post("/customers", status_code=201)
async def register_customer(body: CustomerCreate, call: StaffCall) -> CustomerView:
    """Register a customer."""
    customer = await parties.register_customer(call.uow(status=201), body=body)
    await call.settle(customer.customer_id)
    return customer


@router.patch("/customers/{customer_id}")
async def change_customer(customer_id: UUID, body: CustomerChange, call: StaffCall) -> CustomerView:
    """Change a customer's particulars."""
    customer = await parties.change_customer(call.uow(), customer_id=customer_id, body=body)
    await call.settle(customer.customer_id)
    return customer


@router.get("/customers")
async def list_customers(call: AnyCall, limit: Limit = 50, cursor: str | None = None) -> Page[CustomerView]:
    """List customers, oldest first; a requester sees its own."""
    async with call.uow().read() as connection:
        rows = await parties_repository.list_customers(
            connection, after=position(cursor, datetime, UUID), only=call.principal.customer_id, limit=limit + 1
        )
    return page_of(
        [parties.customer_view(row) for row in rows],
        limit=limit,
        keys=lambda customer: (customer.created_at, customer.customer_id),
    )


@router.post("/contracts", status_code=201)
async def sign_contract(body: ContractCreate, call: ManagerCall) -> ContractView:
    """Record a customer's contract under a published policy."""
    contract = await parties.sign_contract(call.uow(status=201), body=body)
    await call.settle(contract.contract_id)
    return contract


@router.get("/contracts")
async def list_contracts(
    call: StaffCall, customer_id: UUID | None = None, limit: Limit = 50, cursor: str | None = None
) -> Page[ContractView]:
    """List contracts, oldest first."""
    async with call.uow().read() as connection:
        rows = await parties_repository.list_contracts(
            connection, after=position(cursor, datetime, UUID), customer_id=customer_id, limit=limit + 1
        )
        page = page_of(rows, limit=limit, keys=lambda contract: (contract.created_at, contract.contract_id))
        views = await parties.contract_views(connection, page.items)
    return Page(items=views, next_cursor=page.next_cursor)


@router.patch("/contracts/{contract_id}")
async def change_contract(contract_id: UUID, body: ContractChange, call: ManagerCall) -> ContractView:
    """Change the terms of a contract; what is open keeps those it was opened under."""
    contract = await parties.change_contract(call.uow(), contract_id=contract_id, body=body)
    await call.settle(contract.contract_id)
    return contract


@router.get("/contracts/{contract_id}")
async def read_contract(contract_id: UUID, call: StaffCall) -> ContractView:
    """Return a contract."""
    return await parties.read_contract(call.uow(), contract_id=contract_id)
