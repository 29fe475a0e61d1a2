"""Attempts to reach a customer: which of them count, and when a ticket that nobody answers may be closed.

PRO-20, SMA-12.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from plazo.calendar import WorkingTime
from plazo.kernel.errors import Kind, PlazoError
from plazo.policy.promises import Abandonment
from tickets.domain.deadlines import due_after, is_open_day
from tickets.domain.lifecycle import State
from tickets.domain.ticket import Ticket

Result = Literal["no_answer", "left_message", "sent", "reached"]


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt to reach the customer.

    `number` counts those of its `round` that count, from 1; one that does not has none, and `not_counted_for` says
    why. A customer's answer begins the next round. `closes_at` is the closing that the customer was told of.
    """

    attempt_id: UUID
    round: int
    made_at: datetime
    made_by: str
    channel: str
    result: Result
    text: str | None
    number: int | None
    not_counted_for: str | None
    closes_at: datetime | None


class NotAwaitingCustomer(PlazoError):
    """Nobody waits for the customer: neither for information nor for a confirmation."""

    kind = Kind.CONFLICT
    code = "not-awaiting-customer"


class TooFewAttempts(PlazoError):
    """The ticket may not be closed as abandoned yet, by the policy's number of attempts and the wait after them."""

    kind = Kind.CONFLICT
    code = "not-abandoned-yet"


def require_awaited(ticket: Ticket) -> None:
    """Insist that the ticket waits for its customer. :raises NotAwaitingCustomer:"""
    if ticket.state is State.WAITING and "customer" not in ticket.waits:
        waits = ", ".join(ticket.waits)
        raise NotAwaitingCustomer(f"the ticket waits for {waits}, not for the customer; begin that wait first")


def reason_not_to_count(
    rule: Abandonment | None,
    working: WorkingTime | None,
    *,
    earlier: Sequence[Attempt],
    channel: str,
    result: Result,
    at: datetime,
) -> str | None:
    """Return why an attempt does not count, or None if it does; `earlier` are those of its round."""
    if rule is None or working is None:
        return "no_rule"
    counted = [one.made_at for one in earlier if one.number is not None]
    spaced_at = due_after(working, max(counted), rule.spacing) if counted else at
    reasons = {
        "reached": result == "reached",
        "channel": bool(rule.channels) and channel not in rule.channels,
        "closed_day": not is_open_day(working, at),
        "closed_hours": rule.within == "hours" and not working.is_open(at),
        "too_soon": spaced_at is None or at < spaced_at,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


def closing_of(rule: Abandonment, working: WorkingTime, counted: Sequence[Attempt]) -> datetime | None:
    """Return from when the ticket counts as abandoned, once the attempts that the policy asks for were made.

    That is the policy's wait after the last one it asks for, and never before an instant the customer was told; never,
    None, where that wait does not end.
    """
    if len(counted) < rule.attempts:
        return None
    waited = due_after(working, counted[rule.attempts - 1].made_at, rule.wait)
    told = [one.closes_at for one in counted if one.closes_at is not None]
    return None if waited is None else max([waited, *told])


def require_abandoned(rule: Abandonment | None, ticket: Ticket, *, at: datetime) -> None:
    """Insist that the ticket may be closed as abandoned. :raises TooFewAttempts: naming count and clause"""
    if rule is None:
        raise TooFewAttempts("the policy has no rule for tickets that nobody answers")
    clause, made = ", ".join(rule.clause), ticket.attempts.made
    if made < rule.attempts:
        raise TooFewAttempts(
            f"{made} of the {rule.attempts} unanswered attempts that {clause} asks for were made",
            clause=clause,
            details={"attempts": made, "required": rule.attempts},
        )
    closes_at = ticket.attempts.closes_at
    if closes_at is None or at < closes_at:
        until = closes_at and closes_at.isoformat()
        raise TooFewAttempts(
            f"the wait that {clause} gives the customer " + (f"lasts until {until}" if until else "never ends"),
            clause=clause,
            details={"attempts": made, "required": rule.attempts, "closes_at": until},
        )
