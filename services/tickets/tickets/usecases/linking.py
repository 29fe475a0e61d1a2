"""Tickets that have to do with each other: links, further requests, parts that become tickets, merged tickets."""

from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from pydantic import TypeAdapter

from plazo.events.ticket_life import TicketMerged
from plazo.kernel.errors import Fault, InvalidInput, Kind, PlazoError
from plazo.runtime.unit_of_work import AlreadyDone, Transaction, UnitOfWork
from tickets.domain import opening
from tickets.domain.acceptance import Request
from tickets.domain.lifecycle import Action, State, next_state
from tickets.domain.ticket import Ticket
from tickets.repository import contacts, lifecycle
from tickets.schemas.lifecycle import AdditionalRequestCreate, LinkCreate, LinkView, MergeCreate, PartCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases.attempts import reset_attempts
from tickets.usecases.changes import By, Change, changing, changing_in, hold_person
from tickets.usecases.opening import Kept, Taken, take_request
from tickets.usecases.reading import ticket_view, visible_ticket
from tickets.usecases.relating import relate_ticket
from tickets.usecases.waits import drop_waits

_KEPT: TypeAdapter[Kept] = TypeAdapter(Kept)


class CanNotMerge(PlazoError):
    """Only open tickets of one customer are merged."""

    kind = Kind.CONFLICT
    code = "can-not-merge"


async def link_ticket(uow: UnitOfWork, *, ticket_id: UUID, body: LinkCreate, by: By) -> TicketView:
    """Say what a ticket has to do with another one; saying it twice is saying it once.

    :raises NoSuchTicket: for either of them
    :raises InvalidInput: for a link with itself
    """
    _require_other(ticket_id, body.ticket, pointer="/ticket")
    async with changing(uow, ticket_id, by) as change:
        other = await visible_ticket(change.tx.connection, body.ticket, customer_id=by.customer_id)
        await _link(change, other, kind=body.kind, by=by)
    return change.done()


async def list_links(uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None) -> list[LinkView]:
    """Return the tickets that one is linked with, either way. :raises NoSuchTicket:"""
    async with uow.read() as connection:
        await visible_ticket(connection, ticket_id, customer_id=customer_id)
        rows = await lifecycle.list_links(connection, ticket_id, customer_id=customer_id)
    return [
        LinkView(
            kind=row["kind"],
            direction="out" if row["outgoing"] else "in",
            ticket_id=row["ticket_id"],
            number=row["number"],
            subject=row["subject"],
            state=row["state"],
            linked_at=row["linked_at"],
        )
        for row in rows
    ]


async def split_ticket(uow: UnitOfWork, *, ticket_id: UUID, body: PartCreate, by: By) -> TicketView:
    """Make a part of a ticket one of its own, with its own clocks; work stays where it was logged. Return the new one.

    What the customer stated of the whole holds for the part too, unless it is stated anew.

    :raises InvalidInput: if its clocks were to count from before the ticket, or from the future
    """
    async with uow.begin() as tx:
        await contacts.hold_contact_of(tx.connection, ticket_id)
        source = await visible_ticket(tx.connection, ticket_id, customer_id=by.customer_id, lock=True)
        if body.since is not None and not source.opened_at <= body.since <= tx.now:
            expected = f"expected an instant from {source.opened_at.isoformat()} to {tx.now.isoformat()}"
            raise InvalidInput("the part can not begin then", faults=[Fault(pointer="/since", message=expected)])
        stated = {name: value for name, value in source.given.items() if name in opening.STATABLE}
        request = _request(source, subject=body.subject, description=body.description, channel=source.channel, by=by)
        request = replace(request, facts=stated | body.facts, opened_at=body.since, accepted_by=by.actor)
        outcome = await open_linked(tx, source=source, request=request, kind="split_from", by=by)
        assert isinstance(outcome, Taken), "what the desk splits off is accepted"
        view = ticket_view(outcome.ticket)
        tx.answer = view.model_dump(mode="json")
    return view


async def request_more(uow: UnitOfWork, *, ticket_id: UUID, body: AdditionalRequestCreate, by: By) -> TicketView:
    """Open a further request, linked to a ticket, with clocks and charges of its own (SMA-15). Return the new one.

    A contact asks in its own name and by its own right (EXP-01); a customer needs an order as for any request (PRO-05).

    :raises NotTaken: if the intake rules do not take it; it is kept
    """

    def ask(source: Ticket) -> Request:
        request = _request(source, subject=body.subject, description=body.description, channel=body.channel, by=by)
        accepted_by = None if by.is_customer else by.actor
        return replace(request, facts=dict(body.facts), purchase_order=body.purchase_order, accepted_by=accepted_by)

    return await _open_further(uow, ticket_id=ticket_id, ask=ask, kind=body.kind, by=by)


async def reopen_for_other_cause(
    uow: UnitOfWork, *, ticket_id: UUID, reason: str, by: By, purchase_order: str | None = None
) -> TicketView:
    """Take what a customer reports after a resolution, for another cause, as a further request (SMA-15).

    It comes by whatever channel the ticket came; who asks and the order count as in :func:`request_more`.

    :raises IllegalTransition: for a ticket that goes on anyhow
    :raises NotTaken: if who asks may not, or an order is needed; it is kept
    """

    def ask(source: Ticket) -> Request:
        next_state(source.state, Action.REOPEN)
        subject = f"{source.number}: {reason}"[:500]
        request = _request(source, subject=subject, description=reason, channel=source.channel, by=by)
        accepted_by = f"reopening of {source.number}" if by.is_customer else by.actor
        return replace(request, purchase_order=purchase_order, accepted_by=accepted_by)

    return await _open_further(uow, ticket_id=ticket_id, ask=ask, kind="additional_request", by=by)


async def _open_further(
    uow: UnitOfWork, *, ticket_id: UUID, ask: Callable[[Ticket], Request], kind: str, by: By
) -> TicketView:
    try:
        async with uow.begin() as tx:
            await hold_person(tx, by.contact_id)
            await contacts.hold_contact_of(tx.connection, ticket_id)
            source = await visible_ticket(tx.connection, ticket_id, customer_id=by.customer_id, lock=True)
            outcome = await open_linked(tx, source=source, request=ask(source), kind=kind, by=by)
            if isinstance(outcome, Taken):
                view = ticket_view(outcome.ticket)
                tx.answer = view.model_dump(mode="json")
            else:
                tx.answer = {"kept": _KEPT.dump_python(outcome, mode="json")}
    except AlreadyDone as done:
        if isinstance(done.answer, dict) and "kept" in done.answer:
            raise _KEPT.validate_python(done.answer["kept"]).error() from None
        raise
    if isinstance(outcome, Kept):
        raise outcome.error()
    return view


async def open_linked(tx: Transaction, *, source: Ticket, request: Request, kind: str, by: By) -> Taken | Kept:
    """Open a ticket that is `kind` of `source`, whose row the caller holds; raises as :func:`take_request` does."""
    about = replace(request, about_ticket=source.number, relation=kind)
    return await take_request(
        tx, request=about, actor=by.actor, only_customer=by.customer_id, by_contact=by.contact_id is not None
    )


async def merge_ticket(uow: UnitOfWork, *, ticket_id: UUID, body: MergeCreate, by: By) -> TicketView:
    """Let a ticket go on in another one of the same customer. Both keep their history; this one is over.

    :raises IllegalTransition: for a ticket that is closed
    :raises CanNotMerge: into a ticket that is closed, or another customer's
    """
    _require_other(ticket_id, body.into, pointer="/into")
    async with uow.begin() as tx:
        await lifecycle.lock_tickets(tx.connection, [ticket_id, body.into])
        async with (
            changing_in(tx, ticket_id, by) as change,
            changing_in(tx, body.into, replace(by, if_match=None)) as target,
        ):
            _require_mergeable(change.before, target.before)
            await _link(change, target.before, kind="merged_into", by=by)
            drop_waits(change, by)
            reset_attempts(change)
            change.act(
                Action.MERGE,
                closed_at=change.now,
                closed_for="merged",
                merged_into=body.into,
                held_for=None,
                held_clause=None,
            )
            change.note("merged", by, text=body.reason, into=body.into, number=target.before.number)
            change.announce(TicketMerged(into_id=body.into, into_number=target.before.number, reason=body.reason))
            target.note("merged_in", by, text=body.reason, ticket_id=ticket_id, number=change.before.number)
    return change.done()


def _request(source: Ticket, *, subject: str, description: str, channel: str, by: By) -> Request:
    """Return a request under the contract of `source`, in the name of the contact whose key asks, or as in `source`."""
    own = Request(
        subject=subject,
        description=description,
        channel=channel,
        contract_id=source.contract_id,
        customer_id=source.customer_id,
        contact_id=source.contact_id,
        contact_name=source.contact_name,
        contact_email=source.contact_email if source.contact_id is None else None,
        language=source.language,
    )
    if by.contact_id in (None, source.contact_id):
        return own
    return replace(own, contact_id=by.contact_id, contact_name=None, contact_email=None, language=None)


async def _link(change: Change, other: Ticket, *, kind: str, by: By) -> None:
    change.entries += await relate_ticket(change.tx, change.before, other, kind=kind, actor=by.actor)


def _require_mergeable(source: Ticket, target: Ticket) -> None:
    if source.customer_id != target.customer_id:
        raise CanNotMerge(f"{target.number} is another customer's")
    if target.state is State.CLOSED:
        raise CanNotMerge(f"{target.number} is closed")


def _require_other(ticket_id: UUID, other_id: UUID, *, pointer: str) -> None:
    if ticket_id == other_id:
        raise InvalidInput("the ticket is the same", faults=[Fault(pointer=pointer, message="expected another ticket")])
