"""What is recorded under a contract: renewals, acceptances, purchase orders, products without support; the catalog."""

from dataclasses import replace
from datetime import date
from uuid import UUID

from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.ids import new_id
from plazo.runtime import policies
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.lifecycle import Action
from tickets.domain.terms import Period, PurchaseOrder, renew
from tickets.repository import contracts, parties
from tickets.repository.parties import Contract
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
from tickets.usecases.changes import By, changing_in, decide_again
from tickets.usecases.contacts import Caller, require_administrator
from tickets.usecases.parties import announce_contract, contract_view, held_contract, newest_policy


class AlreadyRecorded(PlazoError):
    """There is one of that name or number, and it says something else."""

    kind = Kind.CONFLICT
    code = "already-recorded"


async def renew_contract(uow: UnitOfWork, *, contract_id: UUID, body: RenewalCreate, actor: str) -> ContractView:
    """Prolong a contract, or begin its next validity after a gap; who waited for that is let in by `billing` (PRO-09).

    :raises NotFound: :raises NothingToRenew: :raises InvalidInput: if it reaches no further
    """
    async with uow.begin() as tx:
        contract, policy = await held_contract(tx, contract_id)
        period, ended = renew(contract.period, valid_from=body.valid_from, valid_until=body.valid_until)
        if ended is not None:
            if period.valid_from > policies.local_date(policy, tx.now):
                expected = "expected a day that has begun: a renewal after a gap is recorded when it begins"
                raise InvalidInput("the renewal has not begun", faults=[Fault("/valid_from", expected)])
            await contracts.insert_period(tx, contract_id, ended, by=actor)
        contract = replace(
            contract,
            valid_from=period.valid_from,
            valid_until=period.valid_until,
            earlier=(*contract.earlier, ended) if ended else contract.earlier,
        )
        await parties.update_contract(tx, contract)
        announce_contract(tx, contract)
        view = contract_view(contract, policy)
        tx.answer = view.model_dump(mode="json")
    return view


async def accept_terms(uow: UnitOfWork, *, contract_id: UUID, body: AcceptanceCreate, caller: Caller) -> ContractView:
    """Record what the customer accepted with the contract; the first time holds (SMA-20).

    :raises NotFound: :raises Forbidden: for a requester who is not the customer's administrator
    :raises InvalidInput: for something the policy does not ask to accept, or an instant to come
    """
    async with uow.begin() as tx:
        contract, policy = await held_contract(tx, contract_id)
        await require_administrator(tx.connection, caller, contract.customer_id)
        asked = [one.name for one in policy.contract.acceptances] if policy.contract else []
        accepted_at = body.accepted_at or tx.now
        faults = []
        if body.name not in asked:
            faults.append(Fault("/name", f"expected one of {', '.join(asked) or 'none: the policy asks for none'}"))
        if accepted_at > tx.now:
            faults.append(Fault("/accepted_at", f"expected an instant up to the present, {tx.now.isoformat()}"))
        if faults:
            raise InvalidInput("this cannot be accepted", faults=faults)
        await contracts.insert_acceptance(
            tx, contract_id, name=body.name, accepted_by=body.accepted_by, accepted_at=accepted_at, by=caller.actor
        )
        recorded = {body.name: (body.accepted_by, accepted_at)} | dict(contract.acceptances)
        view = contract_view(replace(contract, acceptances=recorded), policy)
        tx.answer = view.model_dump(mode="json")
    return view


async def record_order(
    uow: UnitOfWork, *, contract_id: UUID, body: PurchaseOrderCreate, actor: str
) -> PurchaseOrderView:
    """Record a purchase order of the customer (PRO-05).

    :raises NotFound: :raises AlreadyRecorded: if the contract has one of that number
    :raises InvalidInput: if it ends before it begins
    """
    if body.valid_until is not None and body.valid_until <= body.valid_from:
        fault = Fault("/valid_until", "expected a date after valid_from")
        raise InvalidInput("the order ends before it begins", faults=[fault])
    async with uow.begin() as tx:
        _, policy = await held_contract(tx, contract_id)
        order = PurchaseOrder(body.number, Period(body.valid_from, body.valid_until), body.events, used=0)
        if not await contracts.insert_order(tx, contract_id, order, by=actor):
            raise AlreadyRecorded(f"the contract has an order {body.number}")
        view = _order_view(order, policies.local_date(policy, tx.now), recorded_by=actor, recorded_at=tx.now)
        tx.answer = view.model_dump(mode="json")
    return view


async def list_orders(uow: UnitOfWork, *, contract_id: UUID) -> list[PurchaseOrderView]:
    """Return the purchase orders of a contract, and how many events were asked for under each. :raises NotFound:"""
    async with uow.read() as connection:
        contract = await parties.find_contract(connection, contract_id)
        if contract is None:
            raise NotFound(f"there is no contract {contract_id}")
        policy = await newest_policy(connection, contract.policy)
        rows = await contracts.list_orders(connection, contract_id)
    today = policies.local_date(policy, uow.now)
    return [
        _order_view(
            PurchaseOrder(row["number"], Period(row["valid_from"], row["valid_until"]), row["events"], row["used"]),
            today,
            recorded_by=row["recorded_by"],
            recorded_at=row["recorded_at"],
        )
        for row in rows
    ]


def _order_view(order: PurchaseOrder, today: date, **recorded: object) -> PurchaseOrderView:
    return PurchaseOrderView.model_validate(
        {
            "number": order.number,
            "valid_from": order.period.valid_from,
            "valid_until": order.period.valid_until,
            "events": order.events,
            "used": order.used,
            "is_open": order.is_open(today),
            **recorded,
        }
    )


async def void_support(uow: UnitOfWork, *, contract_id: UUID, body: VoidCreate, actor: str) -> VoidView:
    """Void the support of a product from a date on; open tickets on it are decided again (IRE-18).

    :raises NotFound: :raises InvalidInput: for a product that is not the contract's
    """
    async with uow.begin() as tx:
        contract, _ = await held_contract(tx, contract_id)
        if contract.products and body.product not in contract.products:
            fault = Fault("/product", f"expected a product of the contract: {', '.join(contract.products)}")
            raise InvalidInput("the contract does not cover that product anyway", faults=[fault])
        void_id = new_id()
        await contracts.insert_void(
            tx,
            contract_id,
            void_id=void_id,
            product=body.product,
            valid_from=body.valid_from,
            reason=body.reason,
            by=actor,
        )
        return await _decide_again_on(tx, contract, void_id=void_id, product=body.product, actor=actor)


async def lift_void(uow: UnitOfWork, *, contract_id: UUID, void_id: UUID, body: LiftCreate, actor: str) -> VoidView:
    """Give a voided product support again from a date on: the date of the void itself, if it was a mistake.

    :raises NotFound: :raises InvalidInput: for a date before the void :raises AlreadyRecorded: if it was lifted
    """
    async with uow.begin() as tx:
        contract, _ = await held_contract(tx, contract_id)
        row = await contracts.find_void(tx.connection, contract_id, void_id)
        if row is None:
            raise NotFound(f"the contract has no void {void_id}")
        if row["valid_until"] is not None:
            raise AlreadyRecorded(f"the void was lifted from {row['valid_until']} on")
        if body.valid_from < row["valid_from"]:
            fault = Fault("/from", f"expected {row['valid_from']} or later")
            raise InvalidInput("the void begins later", faults=[fault])
        await contracts.lift_void(tx, void_id, lifted_from=body.valid_from, reason=body.reason, by=actor)
        return await _decide_again_on(tx, contract, void_id=void_id, product=row["product"], actor=actor)


async def _decide_again_on(tx: Transaction, contract: Contract, *, void_id: UUID, product: str, actor: str) -> VoidView:
    for ticket_id in await contracts.open_tickets_on(tx.connection, contract.contract_id, product):
        async with changing_in(tx, ticket_id, By(actor=actor, customer_id=None)) as change:
            change.act(Action.CHANGE_FACTS)
            await decide_again(change, await change.policy(), given=change.before.given, actor=actor)
    row = await contracts.find_void(tx.connection, contract.contract_id, void_id)
    assert row is not None, "it was just written"
    view = VoidView(**row)
    tx.answer = view.model_dump(mode="json")
    return view


async def list_voids(uow: UnitOfWork, *, contract_id: UUID) -> list[VoidView]:
    """Return the products without support under a contract, lifted ones too. :raises NotFound:"""
    async with uow.read() as connection:
        if await parties.find_contract(connection, contract_id) is None:
            raise NotFound(f"there is no contract {contract_id}")
        return [VoidView(**row) for row in await contracts.list_voids(connection, contract_id)]


async def add_product(uow: UnitOfWork, *, body: ProductCreate) -> ProductView:
    """Put a product into the catalog; again under the same name, its title changes."""
    async with uow.begin() as tx:
        view = ProductView(**await contracts.put_product(tx, name=body.name, title=body.title))
        tx.answer = view.model_dump(mode="json")
    return view


async def list_products(uow: UnitOfWork) -> list[ProductView]:
    """Return the catalog, by name."""
    async with uow.read() as connection:
        return [ProductView(**row) for row in await contracts.list_products(connection)]
