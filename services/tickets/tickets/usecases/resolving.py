"""The end of a ticket: resolved, confirmed, withdrawn or abandoned; and its next cycle."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from plazo.events.tickets import TicketClosed, TicketReopened, TicketResolved
from plazo.kernel.errors import Kind, PlazoError
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain.attempts import require_abandoned, require_awaited
from tickets.domain.lifecycle import Action, State, next_state
from tickets.domain.resolving import (
    ResolvingRefused,
    require_confirmed,
    require_kind,
    require_reopenable,
    require_resolvable,
)
from tickets.repository import lifecycle
from tickets.schemas.lifecycle import ClosingCreate, ResolutionCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases.attempts import reset_attempts
from tickets.usecases.changes import By, Change, changing, decide_again
from tickets.usecases.waits import TIME, drop_waits

_ACTIONS = {"confirmed": Action.CONFIRM, "withdrawn": Action.WITHDRAW, "abandoned": Action.ABANDON}


class StaffOnly(PlazoError):
    """Only the desk says that the customer does not answer."""

    kind = Kind.FORBIDDEN
    code = "forbidden"


class MergedAway(PlazoError):
    """The ticket goes on in another one."""

    kind = Kind.CONFLICT
    code = "merged-away"


async def resolve(uow: UnitOfWork, *, ticket_id: UUID, body: ResolutionCreate, by: By) -> TicketView:
    """Say that it is solved, and how (SMA-11). Waits end with it.

    :raises InvalidInput: for a kind of resolution that the policy does not name
    :raises ResolvingForbidden: if the policy lets only another role resolve it (SKE-07)
    :raises ResolvingRefused: if the policy lets nobody resolve it as it stands (SKE-03, SKE-06)
    """
    async with changing(uow, ticket_id, by) as change:
        await resolve_ticket(change, kind=body.kind, text=body.text, by=by)
    return change.done()


async def resolve_ticket(change: Change, *, kind: str, text: str, by: By) -> None:
    """Say that it is solved; raises as :func:`resolve` does."""
    policy = await change.policy()
    require_kind(policy, kind)
    next_state(change.before.state, Action.RESOLVE)
    require_resolvable(policy, change.before.facts, role=by.role, language=change.before.language)
    if clauses := await lifecycle.owed_assessment(change.tx.connection, change.before.ticket_id):
        raise ResolvingRefused(
            "an escalation asked for an assessment first: can it be solved, by when, and what is missing",
            clause=", ".join(clauses),
            details={"reason": "assessment_owed"},
        )
    drop_waits(change, by)
    reset_attempts(change)
    change.act(Action.RESOLVE, resolution_kind=kind, resolution_text=text, resolved_at=change.now)
    change.note("resolved", by, text=text, resolution=kind)
    change.announce(TicketResolved(kind=kind, text=text, by=by.actor))


async def close(uow: UnitOfWork, *, ticket_id: UUID, body: ClosingCreate, by: By) -> TicketView:
    """Close: the customer confirms the resolution, withdraws the request, or does not answer any more.

    :raises IllegalTransition:
    :raises ConfirmationMissing: if the policy wants the customer's confirmation (PRO-19)
    :raises TooFewAttempts: if the ticket may not be closed as abandoned yet (PRO-20, SMA-12)
    """
    async with changing(uow, ticket_id, by) as change:
        next_state(change.before.state, _ACTIONS[body.reason])
        policy = await change.policy()
        evidence = {"confirmed_by": body.confirmed_by, "channel": body.channel} if body.confirmed_by else {}
        if body.reason == "confirmed":
            require_confirmed(policy, is_customer=by.is_customer, confirmed_by=body.confirmed_by)
        elif body.reason == "abandoned":
            if by.is_customer:
                raise StaffOnly("only the desk says that the customer does not answer")
            require_awaited(change.before)
            rule = policy.lifecycle.abandonment if policy.lifecycle else None
            require_abandoned(rule, change.before, at=change.now)
        await _close(change, body.reason, by, **evidence)
    return change.done()


async def abandon_in_time(uow: UnitOfWork, *, ticket_id: UUID, timer_id: UUID, due_at: datetime) -> None:
    """Close a ticket whose customer did not answer until its time was over; one that did is left alone."""
    async with changing(uow, ticket_id, TIME, at=due_at) as change:
        attempts = change.before.attempts
        if attempts.timer_id == timer_id:
            change.after = replace(change.after, attempts=replace(attempts, timer_id=None))  # it has fired
            await _close(change, "abandoned", TIME)


async def _close(change: Change, reason: str, by: By, **evidence: Any) -> None:
    if reason == "abandoned":
        evidence = await _evidence(change)
    drop_waits(change, by)
    reset_attempts(change)
    change.act(_ACTIONS[reason], closed_at=change.now, closed_for=reason, held_for=None, held_clause=None)
    change.note("closed", by, reason=reason, **evidence)
    change.announce(TicketClosed(reason=reason))


async def _evidence(change: Change) -> dict[str, Any]:
    """Return what shows that the ticket was abandoned: the clause, the attempts that count, and the end of the wait."""
    policy, ticket = await change.policy(), change.before
    rule = policy.lifecycle.abandonment if policy.lifecycle else None
    made = await lifecycle.list_attempts(change.tx.connection, ticket.ticket_id, in_round=ticket.attempts.round)
    return {
        "clauses": list(rule.clause) if rule else [],
        "waited_until": ticket.attempts.closes_at,
        "attempts": [
            {"attempt": one.number, "made_at": one.made_at, "channel": one.channel, "result": one.result}
            for one in made
            if one.number is not None
        ],
    }


async def reopen(uow: UnitOfWork, *, ticket_id: UUID, reason: str, by: By) -> TicketView:
    """Reopen for the same cause: a next cycle begins, the first is kept (SMA-13).

    :raises IllegalTransition:
    :raises ReopeningOver: after the policy's window
    :raises MergedAway: if the ticket goes on in another one
    """
    async with changing(uow, ticket_id, by) as change:
        await reopen_ticket(change, reason=reason, by=by)
    return change.done()


async def reopen_ticket(change: Change, *, reason: str, by: By) -> None:
    """Begin the next cycle; raises as :func:`reopen` does."""
    ticket = change.before
    if ticket.merged_into is not None:
        raise MergedAway(f"the ticket goes on in {ticket.merged_into}", details={"into": str(ticket.merged_into)})
    if ticket.state is State.CLOSED:
        require_reopenable(await change.policy(), ticket, at=change.now, place=await change.place())
    reset_attempts(change)
    if not ticket.clocks:  # what was over when it was imported had none
        await decide_again(change, await change.policy(), given=ticket.given, actor=by.actor)
    change.act(
        Action.REOPEN,
        cycle=ticket.cycle + 1,
        resolution_kind=None,
        resolution_text=None,
        resolved_at=None,
        closed_at=None,
        closed_for=None,
    )
    change.note("reopened", by, text=reason, cycle=change.after.cycle)
    has_clocks = change.after.covered and change.after.clocks
    change.announce(TicketReopened(cycle=change.after.cycle, reason=reason, clocks=has_clocks))
