"""How a ticket changes after its opening.

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
from plazo.events.tickets import TicketFactsChanged
from plazo.kernel.errors import InvalidInput, Kind, PlazoError
from plazo.policy.decide import Place, place_of, rule_against_unauthorized
from plazo.policy.document import Policy
from plazo.runtime import policies
from plazo.runtime.call import check_version
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain import opening
from tickets.domain.acceptance import Refusal, refusal_of
from tickets.domain.lifecycle import Action, State, next_state
from tickets.domain.queue import queue_rank
from tickets.domain.ticket import Answers, Facts, FactValue, Ticket
from tickets.repository import contacts, dossier, lifecycle, parties, tickets, views
from tickets.repository.contacts import Contact
from tickets.repository.tickets import Entry
from tickets.schemas.tickets import TicketView
from tickets.usecases.reading import ticket_view, visible_ticket


@dataclass(frozen=True, slots=True)
class By:
    """Who changes a ticket: a name for the timeline, the role of the key, the customer whose tickets alone it may see.

    What happens by itself has no role. `contact_id` is the person of the customer that the key belongs to, if any.
    """

    actor: str
    customer_id: UUID | None
    if_match: str | None = None
    role: str | None = None
    contact_id: UUID | None = None

    @property
    def is_customer(self) -> bool:
        """Whether it is the customer's side."""
        return self.customer_id is not None


class NotAuthorized(PlazoError):
    """The contract lets only authorized contacts of the customer answer."""

    kind = Kind.FORBIDDEN
    code = "contact-not-authorized"


@dataclass(slots=True)
class Change:
    """A change under way, of what happened at `now`: set `after` and add what it means."""

    tx: Transaction
    before: Ticket
    after: Ticket
    now: datetime
    entries: list[Entry] = field(default_factory=list)
    view: TicketView | None = None

    def act(self, action: Action, **values: Any) -> None:
        """Take a step of the lifecycle, and set other fields. :raises IllegalTransition:"""
        self.after = replace(self.after, state=next_state(self.after.state, action), **values)

    def note(self, kind: str, by: By, *, text: str | None = None, internal: bool = False, **data: Any) -> None:
        """Write to the timeline."""
        self.entries.append(
            Entry(kind=kind, actor=by.actor, occurred_at=self.now, text=text, internal=internal, data=data)
        )

    def announce(self, *events: Event) -> None:
        """Announce."""
        for event in events:
            self.tx.emit(event, about=self.after.ticket_id, occurred_at=self.now)

    async def policy(self) -> Policy:
        """Return the policy version that the ticket keeps."""
        return await policies.known_policy(
            self.tx.connection, policy=self.before.policy, version=self.before.policy_version
        )

    async def place(self) -> Place | None:
        """Return where the customer is, for calendars that follow it."""
        customer = await parties.find_customer(self.tx.connection, self.before.customer_id)
        if customer is None:
            return None
        return place_of(await self.policy(), timezone=customer.timezone, region=customer.region)

    def done(self) -> TicketView:
        """Return the ticket as it was saved, after the block."""
        assert self.view is not None, "the block has ended"
        return self.view


@asynccontextmanager
async def changing(uow: UnitOfWork, ticket_id: UUID, by: By, *, at: datetime | None = None) -> AsyncIterator[Change]:
    """Open a ticket for a change, and save what the block made of it.

    `at` is when it happened, the present unless given.

    :raises NoSuchTicket: if there is none that the caller may know of
    :raises StaleVersion: if the caller read an older version
    """
    async with uow.begin() as tx, changing_in(tx, ticket_id, by, at=at) as change:
        yield change


@asynccontextmanager
async def changing_in(
    tx: Transaction, ticket_id: UUID, by: By, *, at: datetime | None = None, follow_merge: bool = False
) -> AsyncIterator[Change]:
    """Do as :func:`changing` does, in an open transaction; `follow_merge` changes what the ticket was merged into."""
    await hold_person(tx, by.contact_id)
    ticket = await visible_ticket(tx.connection, ticket_id, customer_id=by.customer_id, lock=True)
    check_version(by.if_match, ticket.version)
    while follow_merge and ticket.merged_into is not None:
        ticket = await visible_ticket(tx.connection, ticket.merged_into, customer_id=by.customer_id, lock=True)
    change = Change(tx=tx, before=ticket, after=ticket, now=at or tx.now)
    await require_authorized(tx.connection, ticket, by.contact_id)
    yield change
    if change.after.state is State.CLOSED:
        await _erase_secrets(change, by)
    if change.entries or change.after != ticket:
        change.after = replace(change.after, version=ticket.version + 1)
        await tickets.update_ticket(tx, change.after)
        await tickets.add_entries(tx, ticket.ticket_id, change.entries)
    announced = await views.read_announced(tx.connection, [ticket.ticket_id])
    change.view = ticket_view(change.after, announced[ticket.ticket_id])
    tx.answer = change.view.model_dump(mode="json")


async def _erase_secrets(change: Change, by: By) -> None:
    """Forget the secrets of a ticket that is over. What they are known by stays while it goes on in another one."""
    ticket = change.after
    if await dossier.erase_secrets(change.tx, ticket.ticket_id):
        change.note("secrets_erased", by, internal=True)
    if ticket.merged_into is None:
        merged = await lifecycle.merged_tickets(change.tx.connection, ticket.ticket_id)
        await dossier.forget_marks(change.tx, [ticket.ticket_id, *merged])


async def hold_person(tx: Transaction, contact_id: UUID | None) -> None:
    """Hold the person in whose name something is written, before any ticket is held: it is not erased meanwhile.

    :raises NotAuthorized: if it was erased before
    """
    if contact_id is not None:
        contact = await contacts.hold_contact(tx.connection, contact_id)
        if contact is not None and contact.is_erased:
            raise NotAuthorized(f"expected a contact that is not erased; {contact_id} is")


async def require_authorized(connection: Connection, ticket: Ticket, contact_id: UUID | None) -> None:
    """Let a contact say something that may; who is no contact may.

    :raises NotAuthorized: for one that nobody authorized (EXP-01), or whom only an access token calls the customer's
    """
    if contact_id is None:
        return
    contact = await contacts.find_contact(connection, contact_id)
    if contact is None or contact.customer_id != ticket.customer_id:
        raise NotAuthorized(f"expected a contact of the ticket's customer; {contact_id} is none")
    refused = await _refusal(connection, ticket, contact)
    if refused is not None:
        raise NotAuthorized(
            refused.note.get(ticket.language) or refused.reason, clause=", ".join(refused.clauses) or None
        )


async def refusal_to_answer(tx: Transaction, ticket: Ticket, contact: Contact | None) -> Refusal | None:
    """Return why a contact may not answer about a ticket: nobody authorized it, and its policy asks for that. EXP-01"""
    return await _refusal(tx.connection, ticket, contact)


async def _refusal(connection: Connection, ticket: Ticket, contact: Contact | None) -> Refusal | None:
    if contact is None or contact.may_ask:
        return None
    policy = await policies.known_policy(connection, policy=ticket.policy, version=ticket.policy_version)
    return refusal_of(rule_against_unauthorized(policy, ticket.facts))


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
    return change.done()


async def decide_again(
    change: Change,
    policy: Policy,
    *,
    given: Facts,
    actor: str,
    answers: Answers | None = None,
    corrects: bool = True,
) -> None:
    """Decide what depends on changed facts, answers or terms, as of the opening, and say what is different now.

    What an escalation changes `corrects` nothing: it does not mend a promise that is broken.
    """
    before = change.before
    terms = None
    if before.contract_id is not None:
        contract = await parties.find_contract(change.tx.connection, before.contract_id)
        assert contract is not None, "a ticket's contract is never removed"
        terms = contract.terms()
    answers = answers or change.after.answers
    decided = opening.decide(
        policy, given=given, terms=terms, at=before.opened_at, level=change.after.level, answers=answers
    )
    names = sorted(before.facts.keys() | decided.facts.keys())
    changed = tuple(name for name in names if before.facts.get(name) != decided.facts.get(name))
    change.after = replace(
        change.after,
        given=given,
        facts=decided.facts,
        covered=decided.covered,
        clocks=decided.clocks,
        answers=answers,
        flags=decided.completeness.flags,
        severity_confirmed=bool(before.severity_confirmed) if decided.is_provisional else None,
        coverage=decided.coverage,
        queue_rank=queue_rank(policy, decided.facts),
    )
    if not changed:
        return
    await tickets.insert_decisions(
        change.tx, replace(change.after, version=before.version + 1, decisions=decided.decisions)
    )
    difference = {name: [before.facts.get(name), decided.facts.get(name)] for name in changed}
    change.entries.append(Entry(kind="facts_changed", actor=actor, occurred_at=change.now, data=difference))
    change.announce(
        TicketFactsChanged(
            facts=decided.facts, changed=changed, covered=decided.covered, clocks=decided.clocks, corrects=corrects
        )
    )
