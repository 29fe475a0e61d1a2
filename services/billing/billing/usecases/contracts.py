"""Contracts as billing follows them: accounts, standing, and who is let in because of a change."""

from billing.domain.parties import Contract
from billing.repository import parties
from billing.schemas.accounts import StandingCreate, StandingView
from billing.usecases.admission import reconsider
from billing.usecases.books import Why, close_books, open_books
from billing.usecases.settling import settle
from plazo.events.billing import AccountStandingChanged
from plazo.kernel.errors import NotFound
from plazo.kernel.ids import new_id
from plazo.runtime import policies
from plazo.runtime.unit_of_work import UnitOfWork


async def sign_contract(uow: UnitOfWork, *, contract: Contract, why: Why) -> None:
    """Keep a contract as signed, open its accounts, and let in who waited for it to be in force (PRO-09).

    Where its policy is not in force yet, its accounts open with their first use.
    """
    async with uow.begin() as tx:
        await parties.save_contract(tx, contract)
        policy = await policies.policy_in_force(tx.connection, policy=contract.policy, at=tx.now)
        if policy is not None:
            books = await open_books(tx, contract, policy)
            await settle(books, why=why)
            await close_books(books, why)
        await reconsider(tx, contract, why=why)


async def change_standing(uow: UnitOfWork, *, body: StandingCreate) -> StandingView:
    """Set a contract's standing from now on; a good one lets in who was kept out for it (SMA-02).

    :raises NotFound: if there is no such contract
    """
    async with uow.begin() as tx:
        contract = await parties.find_contract(tx.connection, body.contract_id, lock=True)
        if contract is None:
            raise NotFound(f"there is no contract {body.contract_id}")
        before = await parties.standing_at(tx.connection, contract.contract_id, at=tx.now)
        await parties.add_standing(
            tx, contract_id=contract.contract_id, standing=body.standing, reason=body.reason, effective_at=tx.now
        )
        if before != body.standing:
            event = AccountStandingChanged(contract_id=contract.contract_id, standing=body.standing)
            tx.emit(event, about=contract.contract_id, occurred_at=tx.now)
        await reconsider(tx, contract, why=Why(key=f"standing:{new_id()}", reason=body.reason, at=tx.now))
        view = StandingView(
            contract_id=contract.contract_id, standing=body.standing, reason=body.reason, effective_at=tx.now
        )
        tx.answer = view.model_dump(mode="json")
    return view
