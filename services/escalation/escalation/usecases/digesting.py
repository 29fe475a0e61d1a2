"""Quiet hours and storms: what the provider's people are told later, and together."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from escalation.domain.addressees import CUSTOMER_ROLES, language_of
from escalation.domain.digest import STORM, Line, digest_of, place_message, quiet_until, word_digest
from escalation.domain.ticket import Ticket
from escalation.repository import messages as kept
from escalation.repository import tickets, windows
from escalation.repository.messages import Message
from escalation.schemas.messages import ChannelChange, ChannelView
from plazo.events.escalation import MessageQueued, MessageSent, TimerRequested
from plazo.kernel.ids import derived_id, new_id
from plazo.policy.document import Policy
from plazo.policy.handling import ChannelName, Digest
from plazo.runtime.unit_of_work import Transaction, UnitOfWork


async def hold_back(
    tx: Transaction,
    ticket: Ticket,
    policy: Policy,
    *,
    messages: Sequence[Message],
    channel: ChannelName,
    at: datetime,
) -> dict[UUID, UUID]:
    """Return which messages are held back, by id, and for which window; its end is asked for.

    Customers are never held back: what they are told is promised to them.
    """
    bound = [one for one in messages if one.address and one.role not in CUSTOMER_ROLES and channel == "email"]
    if not bound:
        return {}
    digest = digest_of(policy, channel, of_desk=await windows.digest_of_desk(tx.connection, channel))
    facts = {**ticket.facts, "level": ticket.level}
    quiet = quiet_until(policy, channel, at=at, facts=facts, place=ticket.place_under(policy))
    held = {}
    # In the order of addresses, so that two storms do not lock each other out.
    for message in sorted(bound, key=lambda one: one.address or ""):
        address = message.address or ""
        window = await windows.lock_window(tx, channel=channel, address=address, new_id=new_id(), at=at)
        placed = place_message(window, new_id=new_id(), at=at, digest=digest, quiet=quiet)
        await windows.save_window(tx, placed.window, channel=channel, address=address)
        if placed.is_held:
            held[message.message_id] = placed.window.window_id
        if placed.ask_for is not None:
            _ask_for(tx, ticket, placed.window.window_id, at=placed.ask_for)
    return held


def _ask_for(tx: Transaction, ticket: Ticket, window_id: UUID, *, at: datetime) -> None:
    tx.emit(
        TimerRequested(
            ticket_id=ticket.ticket_id,
            timer_id=derived_id("digest", window_id),
            start=at,
            after="0m",
            calendar=None,
            context={"window_id": str(window_id)},
        ),
        about=ticket.ticket_id,
        occurred_at=tx.now,
    )


async def release_window(uow: UnitOfWork, *, window_id: UUID, at: datetime) -> None:
    """Tell what a window held, many things as one message. A second time there is nothing to tell."""
    async with uow.begin() as tx:
        held = await windows.close_window(tx, window_id, at=at)
        if not held:
            return
        if len(held) == 1:
            await windows.release_held(tx, window_id, digest_id=None)
            state = await kept.find_message(tx.connection, held[0].message_id)
            if state is not None and state.state == "delivered":
                announce_sent(tx, held, attempt=1)
            return
        digest = await _digest(tx, window_id, held)
        await windows.release_held(tx, window_id, digest_id=digest.message_id)
        if await keep_message(tx, digest, about=window_id) == "delivered":
            announce_sent(tx, held, attempt=1)


async def _digest(tx: Transaction, window_id: UUID, held: Sequence[Message]) -> Message:
    numbers = await tickets.ticket_numbers(tx.connection, [one.ticket_id for one in held if one.ticket_id])
    lines = [Line(numbers.get(one.ticket_id, "") if one.ticket_id else "", one.subject) for one in held]
    first = held[0]
    words, markup = word_digest(lines, language=language_of(first.language))
    return Message(
        message_id=derived_id("message", tx.desk_id, "digest", window_id),
        ticket_id=None,
        customer_id=None,
        escalation_id=None,
        position=None,
        event="digest",
        template="digest",
        role=first.role,
        channel=first.channel,
        address=first.address,
        language=first.language,
        subject=words.subject,
        body=words.body,
        clauses=tuple(dict.fromkeys(clause for one in held for clause in one.clauses)),
        state="queued",
        failure=None,
        dedupe_key=f"digest:{window_id}",
        queued_at=tx.now,
        sender=first.sender,
        html=markup,
    )


async def keep_message(tx: Transaction, message: Message, *, about: UUID) -> str | None:
    """Write a message and announce it; None, and nothing announced, if it was written before."""
    state = await kept.insert_message(tx, message)
    if state is None:
        return None
    tx.emit(
        MessageQueued(
            ticket_id=message.ticket_id,
            message_id=message.message_id,
            template=message.template,
            channel=message.channel,
            to=message.address or f"role:{message.role}",
            subject=message.subject,
            clauses=message.clauses,
            event=message.event,
            role=message.role,
            state="held" if message.window_id else state,
        ),
        about=about,
        occurred_at=tx.now,
    )
    return state


def announce_sent(tx: Transaction, messages: Sequence[Message], *, attempt: int, desk_id: UUID | None = None) -> None:
    """Announce, about the ticket of each message, that it is on its way."""
    for message in messages:
        if message.ticket_id is not None:
            tx.emit(
                MessageSent(
                    ticket_id=message.ticket_id,
                    message_id=message.message_id,
                    channel=message.channel,
                    to=message.address or f"role:{message.role}",
                    attempt=attempt,
                ),
                about=message.ticket_id,
                occurred_at=tx.now,
                desk_id=desk_id,
            )


async def set_channel(uow: UnitOfWork, channel: ChannelName, change: ChannelChange, *, by: str) -> ChannelView:
    """Set what a channel does where the policies of the desk say nothing. :raises InvalidInput: for no such span"""
    async with uow.begin() as tx:
        await windows.put_channel_setting(tx, channel, Digest(every=change.every, above=change.above), by=by)
        return ChannelView(channel=channel, every=change.every, above=change.above, is_usual=False)


async def read_channel(uow: UnitOfWork, channel: ChannelName) -> ChannelView:
    """Return what a channel does where the policies of the desk say nothing."""
    async with uow.read() as connection:
        own = await windows.digest_of_desk(connection, channel)
    digest = own or STORM
    return ChannelView(channel=channel, every=digest.every, above=digest.above, is_usual=own is None)
