"""Crediting breached guarantees, and taking that back where a breach is retracted or excluded."""

from datetime import datetime
from uuid import UUID

from billing.domain.accounts import month_of
from billing.domain.ledger import Entry, Posting
from billing.domain.parties import Contract
from billing.domain.service_credits import PERCENT, Breach, Credit, decide_credits
from billing.repository import parties, service_credits
from billing.repository.policies import known_policy
from billing.repository.service_credits import StoredBreach
from billing.schemas.service_credits import ServiceCreditView
from billing.usecases.books import Books, Why, close_books, open_books, post
from plazo.events.billing import ServiceCreditGranted, ServiceCreditReversed
from plazo.runtime.inbox import NotYet
from plazo.runtime.pagination import Page, page_of, position
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


async def note_breach(
    uow: UnitOfWork, *, ticket_id: UUID, clock_id: UUID, kind: str, is_guarantee: bool, breached_at: datetime, why: Why
) -> None:
    """Learn of a promise that was not kept; a guarantee is credited as the policy says, an objective never (IRE-06).

    :raises NotYet: if its ticket or contract is not known yet
    """
    async with uow.begin() as tx:
        if not is_guarantee:
            return
        contract = await _contract_of(tx, ticket_id)
        if contract is None:
            return
        ticket = await parties.find_ticket(tx.connection, ticket_id)
        assert ticket is not None, "its contract was found by it"
        policy = await known_policy(tx, policy=ticket.policy, version=ticket.policy_version)
        month = month_of(breached_at, policy.timezone).name
        fee = contract.agreed_terms.monthly_fee if contract.agreed_terms else None
        before = await service_credits.find_month(tx.connection, clock_id)
        await service_credits.add_breach(
            tx,
            credit_id=clock_id,
            ticket_id=ticket_id,
            contract_id=contract.contract_id,
            kind=kind,
            month=month,
            breached_at=breached_at,
            fee=fee,
            counted_in=fee.currency if fee else PERCENT,
        )
        await _decide(tx, contract, {month, before or month}, why=why)


async def retract_breach(uow: UnitOfWork, *, ticket_id: UUID, clock_id: UUID, why: Why) -> None:
    """Take back what a breach was credited: the promise was kept after all."""
    async with uow.begin() as tx:
        contract = await _contract_of(tx, ticket_id)
        month = await service_credits.find_month(tx.connection, clock_id)
        if contract is None or month is None:
            return
        await service_credits.retract(tx, clock_id, at=why.at)
        await _decide(tx, contract, {month}, why=why)


async def reconsider_credits(tx: Transaction, contract: Contract, ticket_id: UUID, *, why: Why) -> None:
    """Decide again on the breaches of a ticket whose facts changed, and on those of the same months."""
    if months := await service_credits.months_of(tx.connection, ticket_id):
        await _decide(tx, contract, set(months), why=why)


async def list_credits(
    uow: UnitOfWork,
    *,
    contract_id: UUID | None,
    ticket_id: UUID | None,
    customer_id: UUID | None,
    cursor: str | None,
    limit: int,
) -> Page[ServiceCreditView]:
    """Return breached guarantees with what is owed for each, in the order in which they happened."""
    async with uow.read() as connection:
        rows = await service_credits.list_credits(
            connection,
            contract_id=contract_id,
            ticket_id=ticket_id,
            customer_id=customer_id,
            after=position(cursor, datetime, UUID),
            limit=limit + 1,
        )
    views = [ServiceCreditView(**{name: row[name] for name in ServiceCreditView.model_fields}) for row in rows]
    return page_of(views, limit=limit, keys=lambda one: (one.breached_at, one.credit_id))


async def _contract_of(tx: Transaction, ticket_id: UUID) -> Contract | None:
    contract = await parties.find_contract_of(tx.connection, ticket_id, lock=True)
    if contract is None and await parties.find_ticket(tx.connection, ticket_id) is None:
        raise NotYet(f"ticket {ticket_id}")
    return contract


async def _decide(tx: Transaction, contract: Contract, months: set[str], *, why: Why) -> None:
    books: Books | None = None
    for month in sorted(months):
        stored = await service_credits.breaches_of(tx.connection, contract.contract_id, month)
        decided = decide_credits([await breach_of(tx, one) for one in stored])
        for one in stored:
            credit = decided[one.credit_id]
            if _is_same(one, credit):
                continue
            if credit.amount != one.amount:
                if books is None:
                    policy = await known_policy(tx, policy=one.policy, version=one.policy_version)
                    books = await open_books(tx, contract, policy)
                _post(books, one, credit, why)
                _announce(tx, one, credit, why)
            await service_credits.save_credit(tx, one.credit_id, credit, revision=one.revision + 1)
    if books is not None:
        await close_books(books, why)


async def breach_of(tx: Transaction, stored: StoredBreach) -> Breach:
    """Return a breach with the rules that decide on it: those its ticket opened under."""
    policy = await known_policy(tx, policy=stored.policy, version=stored.policy_version)
    return Breach(
        credit_id=stored.credit_id,
        kind=stored.kind,
        breached_at=stored.breached_at,
        is_retracted=stored.retracted_at is not None,
        facts=stored.facts,
        rules=policy.billing.service_credits,
        fee=stored.monthly_fee,
        zone=policy.timezone,
    )


def _is_same(stored: StoredBreach, credit: Credit) -> bool:
    return (stored.percent, stored.amount, stored.reason, stored.clauses, stored.explanation) == (
        credit.percent,
        credit.amount,
        credit.reason,
        credit.clauses,
        credit.explanation,
    )


def _post(books: Books, stored: StoredBreach, credit: Credit, why: Why) -> None:
    more, unit = credit.amount - stored.amount, credit.counted_in
    post(
        books,
        [
            Posting(
                cause="penalty" if more > 0 else "reversal",
                reason=why.reason,
                clauses=credit.clauses or stored.clauses,
                ticket_id=stored.ticket_id,
                work_id=None,
                effective_at=stored.breached_at,
                idempotency_key=f"credit:{stored.credit_id}:{stored.revision + 1}",
                entries=(
                    Entry(books.chart.need("credited", unit), None, unit, more),
                    Entry(books.chart.need("penalty", unit), None, unit, -more),
                ),
            )
        ],
    )


def _announce(tx: Transaction, stored: StoredBreach, credit: Credit, why: Why) -> None:
    more = credit.amount - stored.amount
    if more > 0:
        tx.emit(
            ServiceCreditGranted(
                ticket_id=stored.ticket_id,
                contract_id=stored.contract_id,
                credit_id=stored.credit_id,
                kind=stored.kind,
                month=stored.month,
                breached_at=stored.breached_at,
                percent=credit.percent,
                unit=credit.counted_in,
                amount=more,
                total=credit.amount,
                clauses=credit.clauses,
                explanation=dict(credit.explanation),
            ),
            about=stored.ticket_id,
            occurred_at=why.at,
        )
        return
    tx.emit(
        ServiceCreditReversed(
            ticket_id=stored.ticket_id,
            contract_id=stored.contract_id,
            credit_id=stored.credit_id,
            month=stored.month,
            unit=credit.counted_in,
            amount=-more,
            total=credit.amount,
            because=credit.reason or why.reason,
            clauses=credit.clauses or stored.clauses,
            explanation=dict(credit.explanation),
        ),
        about=stored.ticket_id,
        occurred_at=why.at,
    )
