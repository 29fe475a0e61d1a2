"""What happens to a ticket after its opening.

Each change locks the ticket, asks the lifecycle whether it is legal, saves the next version, appends to the timeline
and announces what happened.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.events.envelope import Event
from plazo.events.tickets import (
    CustomerReplied,
    TicketAnswered,
    TicketClosed,
    TicketDateAgreed,
    TicketFactsChanged,
    TicketReopened,
    TicketResolved,
    TicketWaitEnded,
    TicketWaitStarted,
)
from plazo.kernel.errors import Fault, InvalidInput, Kind, PlazoError
from plazo.policy.document import Policy
from plazo.runtime import policies
from plazo.runtime.call import check_version
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain import opening
from tickets.domain.lifecycle import Action, next_state
from tickets.domain.ticket import Facts, FactValue, Ticket
from tickets.repository import parties, tickets, views
from tickets.repository.tickets import Entry
from tickets.schemas.lifecycle import DateCreate, ReplyCreate, ResolutionCreate, WaitCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases.reading import ticket_view, visible_ticket

_CALLS = ("phone", "video")


class NothingToEnd(PlazoError):
    """The ticket does not wait for that."""

    kind = Kind.CONFLICT
    code = "no-such-wait"


@dataclass(frozen=True, slots=True)
class By:
    """Who changes a ticket: a name for the timeline, the customer whose tickets alone it may see, if any."""

    actor: str
    customer_id: UUID | None
    if_match: str | None = None

    @property
    def is_customer(self) -> bool:
        """Whether it is the customer's side."""
        return self.customer_id is not None


@dataclass(slots=True)
class Change:
    """A change under way: set `after` and add what it means."""

    tx: Transaction
    before: Ticket
    after: Ticket
    entries: list[Entry] = field(default_factory=list)
    view: TicketView | None = None

    @property
    def now(self) -> datetime:
        """The present of the desk."""
        return self.tx.now

    def act(self, action: Action, **values: Any) -> None:
        """Take a step of the lifecycle, and set other fields. :raises IllegalTransition:"""
        self.after = replace(self.after, state=next_state(self.after.state, action), **values)

    def note(self, kind: str, by: By, *, text: str | None = None, internal: bool = False, **data: Any) -> None:
        """Write to the timeline, as of now."""
        self.entries.append(
            Entry(kind=kind, actor=by.actor, occurred_at=self.now, text=text, internal=internal, data=data)
        )

    def announce(self, *events: Event) -> None:
        """Announce, as of now."""
        for event in events:
            self.tx.emit(event, about=self.after.ticket_id, occurred_at=self.now)

    async def policy(self) -> Policy:
        """Return the policy version that the ticket keeps."""
        return await policies.known_policy(
            self.tx.connection, policy=self.before.policy, version=self.before.policy_version
        )


@asynccontextmanager
async def changing(uow: UnitOfWork, ticket_id: UUID, by: By) -> AsyncIterator[Change]:
    """Open a ticket for a change, and save what the block made of it.

    :raises NoSuchTicket: if there is none that the caller may know of
    :raises StaleVersion: if the caller read an older version
    """
    async with uow.begin() as tx:
        ticket = await visible_ticket(tx.connection, ticket_id, customer_id=by.customer_id, lock=True)
        check_version(by.if_match, ticket.version)
        change = Change(tx=tx, before=ticket, after=ticket)
        yield change
        change.after = replace(change.after, version=ticket.version + 1)
        await tickets.update_ticket(tx, change.after)
        await tickets.add_entries(tx, ticket_id, change.entries)
        announced = await views.read_announced(tx.connection, [ticket_id])
        change.view = ticket_view(change.after, announced[ticket_id])
        tx.answer = change.view.model_dump(mode="json")


def _done(change: Change) -> TicketView:
    assert change.view is not None, "the block has ended"
    return change.view


async def reply(uow: UnitOfWork, *, ticket_id: UUID, body: ReplyCreate, by: By) -> TicketView:
    """Record something said. The desk's reply or call answers the customer, an internal note never does (PRO-15).

    A customer's reply ends the wait for the customer.

    :raises IllegalTransition: for a reply of the desk to a held ticket
    """
    async with changing(uow, ticket_id, by) as change:
        if by.is_customer:
            change.act(Action.CUSTOMER_REPLY)
            change.note("customer_reply", by, text=body.text, channel=body.channel)
            change.announce(CustomerReplied(channel=body.channel, by=by.actor))
            if "customer" in change.after.waits:
                _end_wait(change, "customer", by)
        elif body.internal:
            change.note("internal_note", by, text=body.text, internal=True)
        else:
            activity = "call" if body.channel in _CALLS else "reply"
            change.act(Action.ANSWER)
            change.note(activity, by, text=body.text, channel=body.channel)
            change.announce(TicketAnswered(activity=activity, channel=body.channel, by=by.actor))
    return _done(change)


async def start_wait(uow: UnitOfWork, *, ticket_id: UUID, body: WaitCreate, by: By) -> TicketView:
    """Begin to wait for somebody; asking twice is one wait. :raises IllegalTransition:"""
    async with changing(uow, ticket_id, by) as change:
        change.act(Action.WAIT)
        if body.cause not in change.before.waits:
            change.after = replace(change.after, waits=(*change.before.waits, body.cause))
            change.note("wait_started", by, text=body.reason, cause=body.cause)
            change.announce(TicketWaitStarted(cause=body.cause, reason=body.reason))
    return _done(change)


async def end_wait(uow: UnitOfWork, *, ticket_id: UUID, cause: str, by: By) -> TicketView:
    """End one wait; the ticket goes on when it waits for nobody else. :raises NothingToEnd:"""
    async with changing(uow, ticket_id, by) as change:
        if cause not in change.before.waits:
            waits = ", ".join(change.before.waits) or "nobody"
            raise NothingToEnd(f"the ticket does not wait for {cause}; it waits for {waits}")
        _end_wait(change, cause, by)
    return _done(change)


def _end_wait(change: Change, cause: str, by: By) -> None:
    left = tuple(wait for wait in change.after.waits if wait != cause)
    if left:
        change.after = replace(change.after, waits=left)
    else:
        change.act(Action.END_WAIT, waits=())
    change.note("wait_ended", by, cause=cause)
    change.announce(TicketWaitEnded(cause=cause))


async def change_facts(uow: UnitOfWork, *, ticket_id: UUID, facts: dict[str, FactValue | None], by: By) -> TicketView:
    """Change stated facts and decide again what depends on them: severity, priority, coverage (IRE-09, PRO-23).

    :raises InvalidInput: with every fact that is unknown or cannot be
    """
    async with changing(uow, ticket_id, by) as change:
        change.act(Action.CHANGE_FACTS)
        policy = await change.policy()
        stated = {name: value for name, value in facts.items() if value is not None}
        if faults := opening.stated_faults(policy, stated):
            raise InvalidInput("the stated facts do not fit the policy", faults=faults)
        given = {name: value for name, value in change.before.given.items() if facts.get(name, value) is not None}
        await decide_again(change, policy, given=given | stated, actor=by.actor)
    return _done(change)


async def decide_again(change: Change, policy: Policy, *, given: Facts, actor: str) -> None:
    """Decide what depends on changed facts, as of the opening, and say what is different now."""
    before = change.before
    terms = None
    if before.contract_id is not None:
        contract = await parties.find_contract(change.tx.connection, before.contract_id)
        assert contract is not None, "a ticket's contract is never removed"
        terms = opening.Terms(
            plan=contract.plan,
            arrangement=contract.arrangement,
            products=contract.products,
            valid_from=contract.valid_from,
            valid_until=contract.valid_until,
            warranty_until=contract.warranty_until,
        )
    decided = opening.decide(policy, given=given, terms=terms, at=before.opened_at, level=change.after.level)
    names = sorted(before.facts.keys() | decided.facts.keys())
    changed = tuple(name for name in names if before.facts.get(name) != decided.facts.get(name))
    change.after = replace(
        change.after, given=given, facts=decided.facts, covered=decided.covered, clocks=decided.clocks
    )
    if not changed:
        return
    await tickets.insert_decisions(
        change.tx, replace(change.after, version=before.version + 1, decisions=decided.decisions)
    )
    difference = {name: [before.facts.get(name), decided.facts.get(name)] for name in changed}
    change.entries.append(Entry(kind="facts_changed", actor=actor, occurred_at=change.now, data=difference))
    change.announce(
        TicketFactsChanged(facts=decided.facts, changed=changed, covered=decided.covered, clocks=decided.clocks)
    )


async def agree_date(uow: UnitOfWork, *, ticket_id: UUID, body: DateCreate, by: By) -> TicketView:
    """Record the date by which the work shall be done; it arms a clock of its own (PRO-16, SKE-06).

    :raises InvalidInput: for a date that has passed
    """
    async with changing(uow, ticket_id, by) as change:
        if body.due_at <= change.now:
            fault = Fault(pointer="/due_at", message=f"expected an instant after the present, {change.now.isoformat()}")
            raise InvalidInput("the agreed date has passed", faults=[fault])
        change.act(Action.AGREE_DATE)
        change.note("date_agreed", by, due_at=body.due_at)
        change.announce(TicketDateAgreed(due_at=body.due_at, by=by.actor))
    return _done(change)


async def resolve(uow: UnitOfWork, *, ticket_id: UUID, body: ResolutionCreate, by: By) -> TicketView:
    """Say that it is solved, and how (SMA-11). Waits end with it.

    :raises InvalidInput: for a kind of resolution that the policy does not name
    """
    async with changing(uow, ticket_id, by) as change:
        policy = await change.policy()
        kinds = policy.lifecycle.resolution.kinds if policy.lifecycle and policy.lifecycle.resolution else ()
        if kinds and body.kind not in kinds:
            fault = Fault(pointer="/kind", message=f"expected one of {', '.join(kinds)}")
            raise InvalidInput(f"policy {policy.policy} has no resolution {body.kind!r}", faults=[fault])
        _end_all_waits(change, by)
        change.act(Action.RESOLVE, resolution_kind=body.kind, resolution_text=body.text, resolved_at=change.now)
        change.note("resolved", by, text=body.text, resolution=body.kind)
        change.announce(TicketResolved(kind=body.kind, text=body.text, by=by.actor))
    return _done(change)


async def close(uow: UnitOfWork, *, ticket_id: UUID, reason: str, by: By) -> TicketView:
    """Close: the customer confirms the resolution, or withdraws the request. :raises IllegalTransition:"""
    action = Action.CONFIRM if reason == "confirmed" else Action.WITHDRAW
    async with changing(uow, ticket_id, by) as change:
        next_state(change.before.state, action)
        _end_all_waits(change, by)
        change.act(
            action,
            closed_at=change.now,
            closed_for=reason,
            held_for=None,
            held_clause=None,
        )
        change.note("closed", by, reason=reason)
        change.announce(TicketClosed(reason=reason))
    return _done(change)


def _end_all_waits(change: Change, by: By) -> None:
    for cause in change.before.waits:
        _end_wait(change, cause, by)


async def reopen(uow: UnitOfWork, *, ticket_id: UUID, reason: str, by: By) -> TicketView:
    """Reopen: a next cycle begins, the first is kept (SMA-13). :raises IllegalTransition:"""
    async with changing(uow, ticket_id, by) as change:
        change.act(
            Action.REOPEN,
            cycle=change.before.cycle + 1,
            resolution_kind=None,
            resolution_text=None,
            resolved_at=None,
            closed_at=None,
            closed_for=None,
        )
        change.note("reopened", by, text=reason, cycle=change.after.cycle)
        change.announce(TicketReopened(cycle=change.after.cycle, reason=reason))
    return _done(change)
