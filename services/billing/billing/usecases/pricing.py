"""What work would cost: it is charged to open books that are never written."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from billing.domain.parties import Contract, FactValue, Ticket
from billing.domain.quotes import say_share
from billing.domain.rating import Work
from billing.repository import parties
from billing.repository.policies import known_policy
from billing.schemas.quotes import CostView, PreviewCreate, PreviewView, QuoteCreate
from billing.schemas.work import LineView
from billing.usecases.books import Books, Why, open_books
from billing.usecases.charging import recharge
from billing.usecases.settling import settle
from billing.usecases.subjects import Subject, check_facts, find_subject
from plazo.kernel.errors import NotFound
from plazo.kernel.ids import new_id
from plazo.runtime import policies
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


@dataclass(frozen=True, slots=True)
class Price:
    """What a piece of work would cost. `account` is drawn on for `quantity` of what it counts, as far as it reaches."""

    contract: Contract
    ticket_id: UUID | None
    work: Work
    account: str | None
    counted_in: str
    quantity: int
    view: PreviewView


async def preview_work(uow: UnitOfWork, *, body: PreviewCreate) -> PreviewView:
    """Say what work would cost. Nothing is kept.

    :raises NotFound: if there is no such ticket or contract
    :raises NoContract: if the ticket has none
    :raises InvalidInput: for facts that the policy does not know
    """
    async with uow.begin() as tx:
        view = (await price_work(tx, body)).view
        tx.answer = view.model_dump(mode="json")
    return view


async def price_work(tx: Transaction, body: PreviewCreate | QuoteCreate) -> Price:
    """Price work on a ticket, or under a contract alone. Raises what :func:`preview_work` raises."""
    at = body.at or tx.now
    work = Work(work_id=new_id(), kind="work", started_at=at, minutes=body.minutes, facts=body.facts)
    if body.ticket_id is not None:
        subject = await find_subject(tx, body.ticket_id)
        policy = await known_policy(tx, policy=subject.ticket.policy, version=subject.ticket.policy_version)
        books = await open_books(tx, subject.contract, policy, ticket_ids=[body.ticket_id])
    else:
        assert body.contract_id is not None, "the input names one of the two"
        contract = await parties.find_contract(tx.connection, body.contract_id, lock=True)
        if contract is None:
            raise NotFound(f"there is no contract {body.contract_id}")
        found = await policies.policy_in_force(tx.connection, policy=contract.policy, at=tx.now)
        if found is None:
            raise NotFound(f"no version of policy {contract.policy} is in force on {tx.now.date()}")
        policy = found
        subject = Subject(_imagined(contract, policy.version, body.facts, at=tx.now), contract)
        books = await open_books(tx, contract, policy)
        books.held.imagine_ticket(subject.ticket.ticket_id)
    check_facts(policy, work)
    why = Why(key=f"price:{work.work_id}", reason="price", at=at)
    await settle(books, why=why)
    before = {name: _available(books, name, at=max(at, tx.now)) for name in books.terms}
    books.held.work[subject.ticket.ticket_id].append(work)
    charges = await recharge(books, subject.ticket, why=why, cause="preview")
    return _price(books, subject, work, charges, before, is_real=body.ticket_id is not None)


def _imagined(contract: Contract, version: str, facts: Mapping[str, FactValue], *, at: datetime) -> Ticket:
    """Return the ticket that work under a contract alone would be for."""
    return Ticket(
        ticket_id=new_id(),
        number="",
        customer_id=contract.customer_id,
        contract_id=contract.contract_id,
        policy=contract.policy,
        policy_version=version,
        facts=facts,
        opened_at=at,
        closed_at=None,
        admission="not_required",
        admitted_at=None,
        held_for=None,
        held_clauses=(),
        agreed=contract.agreed,
    )


def _available(books: Books, name: str, *, at: datetime) -> int:
    lots = books.held.lots[books.prepaid_id(name)].values()
    return sum(lot.remaining for lot in lots if lot.is_valid(at))


def _price(
    books: Books,
    subject: Subject,
    work: Work,
    charges: list[dict[str, Any]],
    before: Mapping[str, int],
    *,
    is_real: bool,
) -> Price:
    names = {books.prepaid_id(name): name for name in books.terms}
    own = [charge for charge in charges if charge["ticket_id"] == subject.ticket.ticket_id]
    costs = [
        CostView(account=names.get(charge["account_id"]), unit=charge["unit"], quantity=charge["quantity"])
        for charge in own
        if charge["quantity"]
    ]
    drawn = books.held.draws[work.work_id]
    account = drawn.line.account if drawn.line else None
    terms = books.terms.get(account) if account else None
    share = None
    if terms is not None:
        # What the whole ticket takes more, whatever pays for it: one more piece of work may move others.
        wanted = sum(cost.quantity for cost in costs if cost.unit == terms.counted_in)
        share = say_share(
            wanted,
            before[terms.name],
            terms.counted_in,
            workday_minutes=terms.unit_minutes if terms.unit == "workday" else None,
        )
    (last,) = own[-1:]
    (line,) = (line for line in last["lines"] if line["work_id"] == work.work_id)
    view = PreviewView(
        worked_minutes=line["worked_minutes"],
        rounded_minutes=line["rounded_minutes"],
        charged_minutes=line["charged_minutes"],
        costs=costs,
        clauses=last["clauses"],
        reason=line["reason"],
        explanation=last["explanation"],
        share=share,
        lines=[LineView.model_validate(one) for one in last["lines"]],
    )
    return Price(
        contract=subject.contract,
        ticket_id=subject.ticket.ticket_id if is_real else None,
        work=work,
        account=account,
        counted_in=terms.counted_in if terms else drawn.draw.counted_in,
        quantity=sum(cost.quantity for cost in costs if cost.account is not None and cost.account == account),
        view=view,
    )
