"""What is said about a ticket, and that it was taken."""

from typing import Literal
from uuid import UUID

from plazo.events.ticket_life import TicketAcknowledged
from plazo.events.tickets import CustomerReplied, TicketAnswered
from plazo.kernel.errors import Kind, PlazoError
from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain.acceptance import level_refusal
from tickets.domain.lifecycle import Action
from tickets.schemas.lifecycle import AcknowledgementCreate, ReplyCreate
from tickets.schemas.tickets import TicketView
from tickets.usecases.attempts import reset_attempts
from tickets.usecases.changes import By, Change, changing, changing_in
from tickets.usecases.waits import finish_wait

_CALLS = ("phone", "video")


class ChannelNotOffered(PlazoError):
    """The policy does not offer that channel at the ticket's level. SKE-05"""

    kind = Kind.FORBIDDEN
    code = "channel-not-offered"


async def acknowledge(uow: UnitOfWork, *, ticket_id: UUID, body: AcknowledgementCreate, by: By) -> TicketView:
    """Take a ticket that nobody answered yet, or confirm its receipt (EXP-02). :raises IllegalTransition:"""
    async with changing(uow, ticket_id, by) as change:
        take_ticket(change, by)
        if body.channel is not None:
            change.announce(TicketAnswered(activity="receipt", channel=body.channel, by=by.actor))
    return change.done()


def take_ticket(change: Change, by: By) -> None:
    """Note that a ticket was taken, or its receipt confirmed. :raises IllegalTransition:"""
    change.act(Action.ACKNOWLEDGE, acknowledged_at=change.after.acknowledged_at or change.now)
    change.note("acknowledged", by)
    change.announce(TicketAcknowledged(by=by.actor))


async def reply(uow: UnitOfWork, *, ticket_id: UUID, body: ReplyCreate, by: By) -> TicketView:
    """Record something said; of a merged ticket, in the one it goes on in.

    The desk's reply or call answers the customer, an internal note never does (PRO-15).

    :raises IllegalTransition: for a reply of the desk to a held ticket
    :raises ChannelNotOffered: for a call at a level that offers none
    """
    async with uow.begin() as tx, changing_in(tx, ticket_id, by, follow_merge=True) as change:
        if by.is_customer:
            hear_customer(change, text=body.text, channel=body.channel, by=by)
        elif body.internal:
            change.note("internal_note", by, text=body.text, internal=True)
        else:
            await _answer(change, body, by)
    return change.done()


def hear_customer(change: Change, *, text: str, channel: str, by: By) -> None:
    """Record what the customer said: it ends the wait for it, and attempts to reach it begin anew."""
    change.act(Action.CUSTOMER_REPLY)
    change.note("customer_reply", by, text=text, channel=channel)
    change.announce(CustomerReplied(channel=channel, by=by.actor))
    reset_attempts(change)
    if "customer" in change.after.waits:
        finish_wait(change, "customer", by)


async def _answer(change: Change, body: ReplyCreate, by: By) -> None:
    activity: Literal["call", "reply"] = "call" if body.channel in _CALLS else "reply"
    if activity == "call":
        await _require_channel(change, body.channel)
    change.act(Action.ANSWER)
    change.note(activity, by, text=body.text, channel=body.channel)
    change.announce(TicketAnswered(activity=activity, channel=body.channel, by=by.actor))


async def _require_channel(change: Change, channel: str) -> None:
    ticket = change.before
    refused = level_refusal(await change.policy(), ticket.facts, channel=channel)
    if refused is not None:
        note = refused.note.get(ticket.language) or refused.reason
        raise ChannelNotOffered(note, clause=", ".join(refused.clauses), details={"reason": refused.reason})
