"""Appointments that came to nothing by the customer's doing: charged once each. SMA-19"""

from datetime import datetime
from uuid import UUID

from billing.domain.rating import Work, WorkKind
from billing.repository import parties
from billing.repository import work as work_repository
from billing.repository.books import NewWork
from billing.repository.policies import known_policy
from billing.usecases.books import Why, close_books, open_books
from billing.usecases.charging import recharge
from plazo.kernel.ids import derived_id
from plazo.runtime.unit_of_work import UnitOfWork

_DESCRIPTIONS = {"no_show": "appointment missed", "late_cancellation": "appointment cancelled late"}


async def charge_appointment(
    uow: UnitOfWork, *, ticket_id: UUID, appointment_id: UUID, kind: WorkKind, at: datetime, why: Why
) -> None:
    """Charge what the policy asks for an appointment that the customer missed or cancelled late, if it asks anything.

    However often it is announced, and by whatever event, an appointment is charged once.
    """
    async with uow.begin() as tx:
        found = await parties.find_subject(tx.connection, ticket_id)
        if found is None:
            return
        contract, ticket = found
        policy = await known_policy(tx, policy=ticket.policy, version=ticket.policy_version)
        work_id = derived_id("appointment", appointment_id)
        if policy.billing.no_show is None or await work_repository.find_work(tx.connection, work_id) is not None:
            return
        books = await open_books(tx, contract, policy, ticket_ids=[ticket_id])
        work = Work(work_id=work_id, kind=kind, started_at=at, minutes=0, facts={}, appointment=str(appointment_id))
        books.held.work[ticket_id].append(work)
        new = NewWork(work, ticket_id=ticket_id, description=_DESCRIPTIONS[kind], logged_by="appointment")
        books.unwritten.work.append(new)
        await recharge(books, ticket, why=why, cause=kind)
        await close_books(books, why)
