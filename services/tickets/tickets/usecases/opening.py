"""Taking a request in: the one way by which every channel opens a ticket, or has the request kept."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from pydantic import TypeAdapter

from plazo.events.envelope import Event
from plazo.events.ticket_intake import TicketPartsMissing
from plazo.events.tickets import TicketOpened
from plazo.kernel.errors import Fault, InvalidInput
from plazo.kernel.ids import new_id
from plazo.policy.document import Policy
from plazo.runtime.unit_of_work import AlreadyDone, Transaction, UnitOfWork
from tickets.domain import opening
from tickets.domain.acceptance import Refusal, Request, own_refusal
from tickets.domain.completeness import answer_faults, clauses_of
from tickets.domain.lifecycle import State
from tickets.domain.queue import queue_rank
from tickets.domain.ticket import Answers, Facts, Ticket
from tickets.repository import contracts, tickets
from tickets.repository.contacts import Contact
from tickets.repository.tickets import Entry
from tickets.schemas.requests import TicketCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases.changes import hold_person
from tickets.usecases.keeping import Kept, keep, keep_request, keep_unplaced
from tickets.usecases.placing import (
    NoPolicyInForce,
    Terms,
    address_of,
    find_sender,
    find_terms,
    given_facts,
    policy_for,
    require_own_name,
)
from tickets.usecases.reading import ticket_view
from tickets.usecases.relating import follow_ticket

# What the channels need to take a request in.
__all__ = ["Kept", "NoPolicyInForce", "Past", "Taken", "keep_request", "open_ticket", "policy_for", "take_request"]


@dataclass(frozen=True, slots=True)
class Taken:
    """The request became this ticket."""

    ticket: Ticket


@dataclass(frozen=True, slots=True)
class Past:
    """What became of a ticket in another desk: the ticket as it is now, and what happened, by instant."""

    ticket: Ticket
    entries: Sequence[Entry]
    events: Sequence[tuple[datetime, Event]]


async def open_ticket(
    uow: UnitOfWork, *, body: TicketCreate, actor: str, customer_id: UUID | None, contact_id: UUID | None = None
) -> TicketView:
    """Open a ticket under a contract, with all that its policy decides about it.

    `customer_id` confines a requester to its own contracts; `contact_id` is the person its key belongs to.

    :raises NotFound: for an unknown contract or contact
    :raises NotAuthorized: in the name of a contact that is erased
    :raises InvalidInput: with every stated fact or answer that is unknown or cannot be; if a person's key names another
    :raises NoPolicyInForce: before the policy's first version
    :raises NotTaken: if the intake rules refuse it; the request is kept and can be looked up
    """
    request = Request(**body.model_dump(mode="python"), customer_id=customer_id)
    if customer_id is not None:  # what a customer says of who asks is heard, and nobody is written to for it
        request = replace(request, contact_email=None, told_email=body.contact_email)
    if request.contract_id is None and request.contact_id is None and customer_id is None:
        fault = Fault("/contract_id", "expected a contract, or a contact whose contract it is")
        raise InvalidInput("nothing says under which contract to open the ticket", faults=[fault])
    try:
        async with uow.begin() as tx:
            if contact_id is not None:
                await hold_person(tx, contact_id)
                await require_own_name(tx, request, contact_id)
                request = replace(request, contact_id=contact_id, contact_name=None)
            outcome = await take_request(
                tx, request=request, actor=actor, only_customer=customer_id, by_contact=contact_id is not None
            )
            if isinstance(outcome, Taken):
                view = ticket_view(outcome.ticket)
                tx.answer = view.model_dump(mode="json")
            else:
                tx.answer = {"kept": TypeAdapter(Kept).dump_python(outcome, mode="json")}
    except AlreadyDone as done:
        # A repetition of what was refused is refused alike.
        if isinstance(done.answer, dict) and "kept" in done.answer:
            raise TypeAdapter(Kept).validate_python(done.answer["kept"]).error() from None
        raise
    if isinstance(outcome, Kept):
        raise outcome.error()
    return view


async def take_request(
    tx: Transaction,
    *,
    request: Request,
    actor: str,
    only_customer: UUID | None = None,
    by_contact: bool = False,
    past: Callable[[Ticket], Past] | None = None,
) -> Taken | Kept:
    """Open a ticket for a request, or keep it, in an open transaction; every channel comes by here.

    `only_customer` confines a requester to its own contracts and contacts, and to facts that it may state;
    `by_contact` says that the key is the contact's own. `past` adds what happened elsewhere.

    :raises NotFound: for a contract, customer or contact that is named and unknown
    :raises InvalidInput: with every stated fact or answer that is unknown or cannot be
    :raises NoPolicyInForce: before the first version of the contract's policy
    """
    contact = await find_sender(tx, request, only_customer=only_customer)
    at = request.opened_at or tx.now
    terms = await find_terms(tx, request, contact, only_customer=only_customer, at=at)
    if terms is None:
        return await keep_unplaced(tx, request, contact, at=at)
    if contact is not None and contact.customer_id != terms.customer.customer_id:
        contact = None
    policy = terms.policy
    answers = Answers(parts=request.parts, checklist=request.checklist)
    faults = opening.stated_faults(policy, request.facts)
    if request.is_vouched_for:
        faults += answer_faults(policy, answers)
    if faults:
        raise InvalidInput("the stated facts and answers do not fit the policy", faults=faults)
    if only_customer is not None:
        request = replace(request, facts={**request.facts, **opening.UNPROVEN})
    given = await given_facts(tx, request, terms, contact, at=at)
    decided = opening.decide(policy, given=given, terms=terms.contract.terms(), at=at, answers=answers)
    refused = _refusal(request, decided, policy, by_customer=only_customer is not None, by_contact=by_contact)
    if refused is not None:
        return await keep(tx, request, refused, contact=contact, terms=terms)
    if request.purchase_order is not None and given.get("purchase_order") is True:
        await contracts.use_order(tx, terms.contract.contract_id, request.purchase_order)
    ticket = await _ticket(tx, request, terms=terms, contact=contact, given=given, decided=decided, answers=answers)
    entries = _entries(request, ticket, decided, actor=actor)
    _announce(tx, request, ticket, terms=terms, decided=decided)
    if past is not None:
        before = past(ticket)
        ticket, entries = before.ticket, [*entries, *before.entries]
        for at, event in before.events:
            tx.emit(event, about=ticket.ticket_id, occurred_at=at)
    await tickets.insert_ticket(tx, ticket)
    await tickets.add_entries(tx, ticket.ticket_id, entries)
    if request.about_ticket is not None:
        number, customer_id = request.about_ticket, ticket.customer_id
        source = await tickets.hold_numbered(tx, number=number, customer_id=customer_id)
        if source is not None:
            await follow_ticket(tx, ticket, source, kind=request.relation, actor=actor)
    return Taken(ticket)


def _refusal(
    request: Request, decided: opening.Opening, policy: Policy, *, by_customer: bool, by_contact: bool
) -> Refusal | None:
    """Return why a request is not taken; `accepted_by` lifts what the channel's rules say, not what a customer owes."""
    if decided.refusal is not None and request.accepted_by is None:
        return decided.refusal
    return own_refusal(policy, decided.facts, by_contact=by_contact) if by_customer else None


async def _ticket(
    tx: Transaction,
    request: Request,
    *,
    terms: Terms,
    contact: Contact | None,
    given: Facts,
    decided: opening.Opening,
    answers: Answers,
) -> Ticket:
    policy, customer = terms.policy, terms.customer
    if request.number is None:
        prefix = policy.numbering.prefix if policy.numbering else policy.clauses
        number = f"{prefix}-{await tickets.next_number(tx)}"
    else:
        number = await _foreign_number(tx, request.number)
    return Ticket(
        ticket_id=new_id(),
        number=number,
        version=1,
        state=State.NEW,
        cycle=1,
        subject=request.subject,
        description=request.description,
        channel=request.channel,
        customer_id=customer.customer_id,
        customer_name=customer.name,
        contact_name=request.contact_name or (contact.name if contact else None),
        contact_email=address_of(request, contact) or customer.email,
        contract_id=terms.contract.contract_id,
        policy=policy.policy,
        policy_version=policy.version,
        language=str(given["language"]),
        given=given,
        facts=decided.facts,
        covered=decided.covered,
        clocks=decided.clocks and request.has_clocks,
        admission=decided.admission if request.has_clocks else "not_required",
        opened_at=request.opened_at or tx.now,
        contact_id=contact.contact_id if contact else None,
        received_at=request.received_at,
        answers=answers,
        flags=decided.completeness.flags,
        severity_confirmed=False if decided.is_provisional else None,
        coverage=decided.coverage,
        queue_rank=queue_rank(policy, decided.facts),
        decisions=decided.decisions,
    )


async def _foreign_number(tx: Transaction, number: str) -> str:
    """Keep the number of another desk. :raises InvalidInput: if a ticket of this one has it"""
    if await tickets.is_number_taken(tx.connection, number):
        fault = Fault("/number", f"another ticket of the desk has the number {number}")
        raise InvalidInput("the number is taken", faults=[fault])
    await tickets.skip_numbers(tx, number)
    return number


def _entries(request: Request, ticket: Ticket, decided: opening.Opening, *, actor: str) -> list[Entry]:
    """Return how the dossier begins."""
    opened: dict[str, object] = {"channel": ticket.channel}
    for name in ("source", "about_ticket", "purchase_order", "accepted_by", "authorized_by", "told_email"):
        if value := getattr(request, name):
            opened[name] = value
    if decided.refusal is not None:
        opened["despite"] = {"reason": decided.refusal.reason, "clauses": list(decided.refusal.clauses)}
    by_policy = f"policy {ticket.policy} {ticket.policy_version}"
    entries = [
        Entry(kind="opened", actor=actor, occurred_at=ticket.opened_at, text=ticket.description, data=opened),
        *(
            Entry(
                kind=f"decided_{decision.about}",
                actor=by_policy,
                occurred_at=ticket.opened_at,
                text=decision.value,
                data={"rule": decision.rule, "clauses": list(decision.clauses)},
            )
            for decision in decided.decisions
        ),
    ]
    if ticket.received_at is not None:
        sender = ticket.contact_name or ticket.contact_email or "sender"
        entries.insert(
            0,
            Entry(
                kind="received",
                actor=f"requester: {sender}",
                occurred_at=ticket.received_at,
                data={"channel": ticket.channel},
            ),
        )
    lacking = decided.completeness
    if lacking.flags:
        missing = {
            "checklist": [one.name for one in lacking.missing_steps],
            "parts": [one.name for one in lacking.missing_parts],
            "clauses": list(clauses_of((*lacking.missing_steps, *lacking.missing_parts))),
        }
        entries.append(Entry(kind="incomplete", actor=by_policy, occurred_at=ticket.opened_at, data=missing))
    if decided.is_provisional:
        reported = {"severity": decided.facts.get("severity")}
        entries.append(Entry(kind="severity_provisional", actor=by_policy, occurred_at=ticket.opened_at, data=reported))
    return entries


def _announce(tx: Transaction, request: Request, ticket: Ticket, *, terms: Terms, decided: opening.Opening) -> None:
    lacking = decided.completeness
    tx.emit(
        TicketOpened(
            ticket_id=ticket.ticket_id,
            number=ticket.number,
            subject=ticket.subject,
            description=ticket.description,
            customer_id=ticket.customer_id,
            customer_name=ticket.customer_name,
            contact_name=ticket.contact_name,
            contact_email=ticket.contact_email,
            contact_id=ticket.contact_id,
            contract_id=ticket.contract_id,
            policy=ticket.policy,
            policy_version=ticket.policy_version,
            facts=ticket.facts,
            covered=ticket.covered,
            clocks=ticket.clocks,
            admission="pending" if ticket.admission == "pending" else "not_required",
            opened_at=ticket.opened_at,
            received_at=ticket.received_at,
            language=ticket.language,
            customer_timezone=terms.customer.timezone,
            customer_region=terms.customer.region,
            agreed=terms.contract.agreed,
            flags=ticket.flags,
            missing=tuple(dict(one.text) for one in lacking.missing_steps),
            imported=request.source.get("kind") == "import",
        ),
        about=ticket.ticket_id,
        occurred_at=ticket.opened_at,
    )
    if lacking.missing_parts and request.opened_at is None:
        tx.emit(
            TicketPartsMissing(
                parts=tuple(one.name for one in lacking.missing_parts),
                missing=tuple(dict(one.text) for one in lacking.missing_parts),
                clauses=clauses_of(lacking.missing_parts),
            ),
            about=ticket.ticket_id,
            occurred_at=ticket.opened_at,
        )
