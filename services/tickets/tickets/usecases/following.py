"""Following what the other services announce: admission, assignment, and what a ticket's page shows of them."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.events import billing, escalation, sla_clock
from plazo.events.tickets import TicketAdmitted, TicketAnswered, TicketHeld
from plazo.kernel.forgetting import TOMBSTONE
from plazo.runtime.inbox import NotYet
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.email import sent_message_id
from tickets.domain.lifecycle import OVER, Action, State, next_state
from tickets.domain.ticket import Ticket
from tickets.repository import contacts, intake, personal_data, tickets, views
from tickets.repository.tickets import Entry
from tickets.usecases.changes import By, Change, decide_again
from tickets.usecases.replies import take_ticket

# Where a ticket is let in or kept out; one that people work on stays where it is.
_ADMITTED = (State.NEW, State.ACKNOWLEDGED, State.HELD)
_BY_ESCALATION = By(actor="escalation", customer_id=None)


async def _locked(tx: Transaction, ticket_id: UUID) -> Ticket:
    ticket = await tickets.find_ticket(tx.connection, ticket_id, lock=True)
    if ticket is None:
        raise NotYet(f"ticket {ticket_id}")
    return ticket


async def _save(tx: Transaction, ticket: Ticket, *entries: Entry) -> None:
    await tickets.update_ticket(tx, replace(ticket, version=ticket.version + 1))
    await tickets.add_entries(tx, ticket.ticket_id, entries)


async def admit(uow: UnitOfWork, *, ticket_id: UUID, clauses: tuple[str, ...], granted_at: datetime) -> None:
    """Let a ticket in: its clocks count from its opening, or from the release if it was held (SMA-14)."""
    async with uow.begin() as tx:
        ticket = await _locked(tx, ticket_id)
        was_held = ticket.admission == "withheld"
        counts_from = granted_at if was_held else ticket.opened_at
        state = next_state(ticket.state, Action.ADMIT) if ticket.state in _ADMITTED else ticket.state
        admitted = replace(ticket, state=state, admission="granted", held_for=None, held_clause=None)
        kind = "released" if was_held else "admitted"
        entry = Entry(kind=kind, actor="billing", occurred_at=granted_at, data={"clauses": list(clauses)})
        await _save(tx, admitted, entry)
        tx.emit(TicketAdmitted(counts_from=counts_from), about=ticket_id, occurred_at=granted_at)


async def hold(uow: UnitOfWork, *, ticket_id: UUID, reason: str, clause: str | None, held_at: datetime) -> None:
    """Keep a ticket without working on it (SMA-02, SMA-14). One that is over stays over."""
    async with uow.begin() as tx:
        ticket = await _locked(tx, ticket_id)
        if ticket.state not in _ADMITTED:
            return
        held = replace(
            ticket,
            state=next_state(ticket.state, Action.HOLD),
            admission="withheld",
            held_for=reason,
            held_clause=clause,
        )
        entry = Entry(
            kind="held", actor="billing", occurred_at=held_at, text=reason, data={"clauses": [clause] if clause else []}
        )
        await _save(tx, held, entry)
        tx.emit(TicketHeld(reason=reason, clause=clause), about=ticket_id, occurred_at=held_at)


async def assign(uow: UnitOfWork, *, event: escalation.AssignmentMade, assigned_at: datetime) -> None:
    """Note who handles the ticket now; a new level may change what rules decide."""
    async with uow.begin() as tx:
        ticket = await _locked(tx, event.ticket_id)
        assigned = replace(ticket, team=event.team, level=event.level, assignee=event.agent_name)
        entry = Entry(
            kind="assigned",
            actor="escalation",
            occurred_at=assigned_at,
            text=event.reason,
            data={
                "team": event.team,
                "level": event.level,
                "agent": event.agent_name,
                "clauses": list(event.clauses),
            },
        )
        change = Change(tx=tx, before=ticket, after=assigned, now=tx.now)
        if event.level != ticket.level and ticket.state not in OVER:
            await decide_again(change, await change.policy(), given=ticket.given, actor="escalation")
        await _save(tx, change.after, entry, *change.entries)


async def follow_clock(
    uow: UnitOfWork, *, ticket_id: UUID, clock: sla_clock.ClockCopy, kind: str, at: datetime, data: dict[str, Any]
) -> None:
    """Show a clock as it is now, and write what happened to it into the timeline."""
    async with uow.begin() as tx:
        copy = clock.model_dump(mode="json")
        await views.save_clock(tx, ticket_id, clock.clock_id, copy)
        await views.update_queue(tx, ticket_id)
        about = {"kind": clock.kind, "cycle": clock.cycle, "due_at": copy["due_at"], "clauses": list(clock.clauses)}
        await tickets.add_entries(
            tx, ticket_id, [Entry(kind=kind, actor="sla-clock", occurred_at=at, internal=True, data=about | data)]
        )


async def follow_charge(uow: UnitOfWork, *, event: billing.ChargeAccrued) -> None:
    """Show a charge, and write it into the timeline."""
    async with uow.begin() as tx:
        charge = event.model_dump(mode="json")
        await views.save_charge(
            tx, event.ticket_id, charge_id=event.charge_id, charged_at=event.charged_at, charge=charge
        )
        await tickets.add_entries(
            tx,
            event.ticket_id,
            [
                Entry(
                    kind="charged",
                    actor="billing",
                    occurred_at=event.charged_at,
                    internal=True,
                    text=event.explanation.get("es"),
                    data={"quantity": event.quantity, "unit": event.unit, "clauses": list(event.clauses)},
                )
            ],
        )


async def follow_escalation(
    uow: UnitOfWork,
    *,
    ticket_id: UUID,
    escalation_id: UUID,
    kind: str,
    at: datetime,
    change: dict[str, Any],
    to_severity: str | None = None,
) -> None:
    """Show an escalation as it is now, and write what happened to it into the timeline.

    With `to_severity` the ticket is at least that severe from now on, whatever the rules say; never less than it was.
    """
    async with uow.begin() as tx:
        if to_severity is not None:
            await _make_severe(tx, ticket_id, severity=to_severity, at=at)
        await views.save_escalation(tx, ticket_id, escalation_id=escalation_id, raised_at=at, change=change)
        entry = Entry(kind=kind, actor="escalation", occurred_at=at, internal=True, data=change)
        await tickets.add_entries(tx, ticket_id, [entry])


async def _make_severe(tx: Transaction, ticket_id: UUID, *, severity: str, at: datetime) -> None:
    ticket = await _locked(tx, ticket_id)
    if ticket.state in OVER:
        return
    change = Change(tx=tx, before=ticket, after=ticket, now=at)
    policy = await change.policy()
    names = [grade.name for grade in policy.severities]
    known = [name for name in (ticket.given.get("severity"), severity) if name in names]
    if known:
        given = ticket.given | {"severity": min(known, key=names.index)}
        await decide_again(change, policy, given=given, actor="escalation", corrects=False)
        await _save(tx, change.after, *change.entries)


async def follow_message(uow: UnitOfWork, *, event: escalation.MessageQueued, at: datetime) -> None:
    """Write into the timeline that somebody is told something. The customer's receipt acknowledges (EXP-02)."""
    if event.ticket_id is None:
        return  # about a policy or a request
    async with uow.begin() as tx:
        await contacts.hold_contact_by_email(tx.connection, event.to)
        if event.event == "ticket.opened" and event.role == "requester" and event.state != "failed":
            receipt = TicketAnswered(activity="receipt", channel=event.channel, by="escalation")
            tx.emit(receipt, about=event.ticket_id, occurred_at=at)
            ticket = await _locked(tx, event.ticket_id)
            if ticket.acknowledged_at is None and ticket.state in _ADMITTED:
                change = Change(tx=tx, before=ticket, after=ticket, now=at)
                take_ticket(change, _BY_ESCALATION)
                await _save(tx, change.after, *change.entries)
        entry = Entry(
            kind="notified",
            actor="escalation",
            occurred_at=at,
            internal=True,
            text=event.subject,
            data={
                "message_id": str(event.message_id),
                "template": event.template,
                "channel": event.channel,
                "to": event.to,
                "clauses": list(event.clauses),
            },
        )
        await _add_told(tx, event.ticket_id, entry)
        if event.channel == "email":
            await intake.note_sent_mail(tx, message_id=sent_message_id(event.message_id), ticket_id=event.ticket_id)


async def follow_delivery(
    uow: UnitOfWork, *, event: escalation.MessageSent | escalation.MessageFailed, at: datetime
) -> None:
    """Write into the timeline that a message went out, or that it did not arrive and why."""
    reason = event.reason if isinstance(event, escalation.MessageFailed) else None
    async with uow.begin() as tx:
        await contacts.hold_contact_by_email(tx.connection, event.to or "")
        entry = Entry(
            kind="notice_sent" if reason is None else "notice_failed",
            actor="escalation",
            occurred_at=at,
            internal=True,
            text=reason,
            data={"message_id": str(event.message_id), "channel": event.channel, "to": event.to},
        )
        await _add_told(tx, event.ticket_id, entry)


async def _add_told(tx: Transaction, ticket_id: UUID, entry: Entry) -> None:
    """Write what somebody was told; whom, and in what words, only if it is nobody who was erased since.

    A message that was worded before the erasure of its ticket repeats what that erased. The caller holds the contact
    that is told, if it is one.
    """
    ticket = await _locked(tx, ticket_id)  # whoever erases its contact holds it too
    text, data = entry.text, entry.data
    for person in await personal_data.erased_of(tx.connection, ticket.customer_id):
        text, data = person.forgotten([text, data], all_words=False)
    if text is not None and ticket.subject == TOMBSTONE:
        text = TOMBSTONE
    await tickets.add_entries(tx, ticket_id, [replace(entry, text=text, data=data)])
