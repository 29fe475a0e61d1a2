"""What is recorded under a contract, and the catalog of products."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter

from plazo.runtime.call import Call, allow
from plazo.runtime.identity import Role
from tickets.routes.callers import AnyCall, StaffCall, caller_of
from tickets.schemas.parties import (
    AcceptanceCreate,
    ContractView,
    LiftCreate,
    ProductCreate,
    ProductView,
    PurchaseOrderCreate,
    PurchaseOrderView,
    RenewalCreate,
    VoidCreate,
    VoidView,
)
from tickets.usecases import contracts

router = APIRouter(prefix="/v1", tags=["contracts"])

ManagerCall = Annotated[Call, allow(Role.MANAGER, Role.ADMINISTRATOR)]


@router.post("/contracts/{contract_id}/renewals", status_code=201)
async def renew_contract(contract_id: UUID, body: RenewalCreate, call: ManagerCall) -> ContractView:
    """Renew a contract; tickets that waited for that are let in."""
    actor = caller_of(call).actor
    view = await contracts.renew_contract(call.uow(status=201), contract_id=contract_id, body=body, actor=actor)
    await call.settle(contract_id)
    return view


@router.post("/contracts/{contract_id}/acceptances", status_code=201)
async def accept_terms(contract_id: UUID, body: AcceptanceCreate, call: AnyCall) -> ContractView:
    """Record what the customer accepts with the contract; its administrator may, or the desk's people."""
    caller = caller_of(call)
    return await contracts.accept_terms(call.uow(status=201), contract_id=contract_id, body=body, caller=caller)


@router.post("/contracts/{contract_id}/purchase-orders", status_code=201)
async def record_order(contract_id: UUID, body: PurchaseOrderCreate, call: StaffCall) -> PurchaseOrderView:
    """Record a purchase order of the customer."""
    actor = caller_of(call).actor
    return await contracts.record_order(call.uow(status=201), contract_id=contract_id, body=body, actor=actor)


@router.get("/contracts/{contract_id}/purchase-orders")
async def list_orders(contract_id: UUID, call: StaffCall) -> list[PurchaseOrderView]:
    """List the purchase orders of a contract, oldest first."""
    return await contracts.list_orders(call.uow(), contract_id=contract_id)


@router.post("/contracts/{contract_id}/voids", status_code=201)
async def void_support(contract_id: UUID, body: VoidCreate, call: ManagerCall) -> VoidView:
    """Void the support of a product from a date on; open tickets on it are decided again."""
    actor = caller_of(call).actor
    return await contracts.void_support(call.uow(status=201), contract_id=contract_id, body=body, actor=actor)


@router.post("/contracts/{contract_id}/voids/{void_id}/lift")
async def lift_void(contract_id: UUID, void_id: UUID, body: LiftCreate, call: ManagerCall) -> VoidView:
    """Give a voided product support again from a date on."""
    actor = caller_of(call).actor
    return await contracts.lift_void(call.uow(), contract_id=contract_id, void_id=void_id, body=body, actor=actor)


@router.get("/contracts/{contract_id}/voids")
async def list_voids(contract_id: UUID, call: StaffCall) -> list[VoidView]:
    """List the products without support under a contract, oldest first, lifted ones too."""
    return await contracts.list_voids(call.uow(), contract_id=contract_id)


@router.post("/products", status_code=201)
async def add_product(body: ProductCreate, call: ManagerCall) -> ProductView:
    """Put a product into the catalog, or change its title."""
    return await contracts.add_product(call.uow(status=201), body=body)


@router.get("/products")
async def list_products(call: AnyCall) -> list[ProductView]:
    """List the catalog."""
    return await contracts.list_products(call.uow())
