"""Attempts to reach the customer, and what comes of an answer to them. PRO-20, SMA-12"""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from plazo.events.ticket_life import ContactAttempted
from plazo.events.tickets import TicketAnswered, TimerRequested, TimerWithdrawn
from plazo.kernel.errors import Fault, InvalidInput
from plazo.kernel.ids import derived_id, new_id
from plazo.policy.promises import Abandonment
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain.attempts import Attempt, closing_of, reason_not_to_count, require_awaited
from tickets.domain.deadlines import due_after, working_time_of
from tickets.domain.lifecycle import Action
from tickets.domain.ticket import Attempts
from tickets.repository import lifecycle
from tickets.schemas.lifecycle import AttemptCreate, AttemptView
from tickets.schemas.tickets import TicketView
from tickets.usecases.changes import By, Change, changing
from tickets.usecases.reading import visible_ticket

ABANDONMENT = "abandonment"
_CALLS = ("phone", "video")


async def attempt_contact(uow: UnitOfWork, *, ticket_id: UUID, body: AttemptCreate, by: By) -> TicketView:
    """Record an attempt to reach the customer; one that does not count by the policy is kept with the reason.

    After the last one that the policy asks for, `sla-clock` is asked to say when the wait is over.

    :raises NotAwaitingCustomer: if nothing is awaited from the customer
    :raises InvalidInput: if the policy wants the wait stated and it is not, or an instant before it is over
    """
    async with changing(uow, ticket_id, by) as change:
        change.act(Action.ATTEMPT)
        require_awaited(change.before)
        policy = await change.policy()
        rule = policy.lifecycle.abandonment if policy.lifecycle else None
        working = working_time_of(policy, rule.calendar, place=await change.place()) if rule else None
        earliest = due_after(working, change.now, rule.wait) if rule and working else change.now
        _check_wait(body, rule, earliest)
        earlier = await lifecycle.list_attempts(change.tx.connection, change.before.ticket_id, in_round=_round(change))
        refused = reason_not_to_count(
            rule, working, earlier=earlier, channel=body.channel, result=body.result, at=change.now
        )
        counted = [one for one in earlier if one.number is not None]
        attempt = Attempt(
            attempt_id=new_id(),
            round=_round(change),
            made_at=change.now,
            made_by=by.actor,
            channel=body.channel,
            result=body.result,
            text=body.text,
            number=None if refused else len(counted) + 1,
            not_counted_for=refused,
            closes_at=body.closes_at,
        )
        await lifecycle.insert_attempt(change.tx, change.before.ticket_id, attempt)
        _announce(change, attempt, by)
        if refused is None and rule and working:
            _count(change, rule, attempt, closes_at=closing_of(rule, working, [*counted, attempt]))
        elif refused == "reached":
            reset_attempts(change)
    return change.done()


def reset_attempts(change: Change) -> None:
    """Begin the next round: the customer answered, or is not waited for any more."""
    attempts = change.after.attempts
    if attempts.timer_id is not None:
        change.announce(TimerWithdrawn(ticket_id=change.after.ticket_id, timer_id=attempts.timer_id))
    if attempts.made:
        change.after = replace(change.after, attempts=Attempts(round=attempts.round + 1))


async def list_attempts(uow: UnitOfWork, *, ticket_id: UUID) -> list[AttemptView]:
    """Return all attempts to reach a ticket's customer, oldest first. :raises NoSuchTicket:"""
    async with uow.read() as connection:
        await visible_ticket(connection, ticket_id, customer_id=None)
        found = await lifecycle.list_attempts(connection, ticket_id)
    return [
        AttemptView(
            attempt_id=one.attempt_id,
            round=one.round,
            made_at=one.made_at,
            made_by=one.made_by,
            channel=one.channel,
            result=one.result,
            text=one.text,
            attempt=one.number,
            not_counted_for=one.not_counted_for,
            closes_at=one.closes_at,
        )
        for one in found
    ]


def _round(change: Change) -> int:
    return change.before.attempts.round


def _check_wait(body: AttemptCreate, rule: Abandonment | None, earliest: datetime | None) -> None:
    if rule is None or earliest is None or body.result == "reached":  # no instant ends a wait that never does
        return
    clause = ", ".join(rule.clause)
    if body.closes_at is None:
        if not rule.states_wait:
            return
        fault = Fault(
            pointer="/closes_at",
            message=f"expected the instant of the closing that the customer was told, {earliest.isoformat()} or later",
            clause=clause,
        )
        raise InvalidInput(f"{clause} wants each attempt to state the wait", faults=[fault], clause=clause)
    if body.closes_at < earliest:
        fault = Fault(pointer="/closes_at", message=f"expected {earliest.isoformat()} or later", clause=clause)
        raise InvalidInput(f"{clause} gives the customer {rule.wait} to answer", faults=[fault], clause=clause)


def _announce(change: Change, attempt: Attempt, by: By) -> None:
    change.note(
        "contact_attempted",
        by,
        text=attempt.text,
        channel=attempt.channel,
        result=attempt.result,
        attempt=attempt.number,
        not_counted_for=attempt.not_counted_for,
        closes_at=attempt.closes_at,
    )
    if attempt.number is not None and attempt.result != "reached":
        change.announce(
            ContactAttempted(
                attempt_id=attempt.attempt_id,
                channel=attempt.channel,
                result=attempt.result,
                by=by.actor,
                attempt=attempt.number,
                closes_at=attempt.closes_at,
            )
        )
    if attempt.result in ("sent", "reached"):
        activity = "call" if attempt.channel in _CALLS else "reply"
        change.announce(TicketAnswered(activity=activity, channel=attempt.channel, by=by.actor))


def _count(change: Change, rule: Abandonment, attempt: Attempt, *, closes_at: datetime | None) -> None:
    ticket = change.after
    timer_id = ticket.attempts.timer_id
    if rule.automatic and closes_at is not None and closes_at != ticket.attempts.closes_at:
        if timer_id is not None:
            change.announce(TimerWithdrawn(ticket_id=ticket.ticket_id, timer_id=timer_id))
        timer_id = derived_id(ABANDONMENT, attempt.attempt_id)
        change.announce(
            TimerRequested(
                ticket_id=ticket.ticket_id,
                timer_id=timer_id,
                start=closes_at,
                after="0m",
                calendar=None,
                context={"purpose": ABANDONMENT},
            )
        )
    attempts = Attempts(round=attempt.round, made=attempt.number or 0, closes_at=closes_at, timer_id=timer_id)
    change.after = replace(ticket, attempts=attempts)
