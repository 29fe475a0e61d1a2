"""Telling partner systems: what is theirs is queued with the event itself, sent, and its answer written down."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from escalation.domain.posting import Answer, health_after, judge, reason_to_stop
from escalation.domain.subscriptions import is_customer_wanted, is_event_wanted
from escalation.repository import agents, posting, subscriptions
from escalation.repository.messages import Message
from escalation.repository.posting import Dispatch
from escalation.repository.subscriptions import Listener, Post, Subscription
from escalation.schemas.subscriptions import EventBody
from escalation.usecases.digesting import keep_message
from plazo.events.envelope import Envelope
from plazo.events.registry import EVENTS
from plazo.kernel.ids import derived_id
from plazo.runtime.inbox import NotYet
from plazo.runtime.unit_of_work import SystemWork, Transaction, UnitOfWork

TRIAL = "subscription.test.v1"
# Keys hold the digests of secrets, and timers are a matter of the services among themselves.
_INTERNAL = (
    "desk.created",
    "key.issued",
    "key.revoked",
    "key.rotated",
    "timer.requested",
    "timer.withdrawn",
    "timer.fired",
)
#: The names of the events that may be subscribed to.
OFFERED = frozenset(event.name for event in EVENTS.values()) - frozenset(_INTERNAL)

# Longer than any attempt may take: a lane whose process died with it is free again after this.
LEASE = timedelta(minutes=2)
#: How long what was sent can be read and sent again.
KEPT = timedelta(days=30)


async def queue_deliveries(tx: Transaction, events: Sequence[Envelope]) -> bool:
    """Queue events for whoever subscribed to them, in the transaction of the events themselves.

    :raises NotYet: if an event is about a ticket that this service has yet to hear of: its opening comes first
    """
    offered = [event for event in events if _name(event) in OFFERED]
    if not offered:
        return False
    listeners = await subscriptions.listeners_in(tx.connection, sorted({event.desk_id for event in offered}))
    wanted = [
        (event, one)
        for event in offered
        for one in listeners
        if one.desk_id == event.desk_id and is_event_wanted(one.events, _name(event))
    ]
    if not wanted:
        return False
    customers = await _customers_of(tx, [event for event, _ in wanted])
    posts = [_post(event, one) for event, one in wanted if is_customer_wanted(one.customers, customers[event.id])]
    await subscriptions.queue_posts(tx, posts)
    return bool(posts)


async def _customers_of(tx: Transaction, events: Sequence[Envelope]) -> dict[UUID, set[UUID]]:
    """Return, by event, the customers it concerns: one as a rule, none, or two where it tells of another's ticket."""
    named = {event.id: _ids_in(event) for event in events}
    owners = await subscriptions.owners_of(tx.connection, sorted({one for ids in named.values() for one in ids}))
    found: dict[UUID, set[UUID]] = {}
    for event in events:
        ticket = event.data.get("ticket_id")
        if ticket and UUID(ticket) not in owners:
            raise NotYet(f"ticket {ticket}")
        direct, other = event.data.get("customer_id"), event.data.get("other_customer_id")
        owner = UUID(direct) if direct else next((owners[one] for one in named[event.id] if one in owners), None)
        found[event.id] = {one for one in (owner, other and UUID(other)) if one}
    return found


def _ids_in(event: Envelope) -> tuple[UUID, ...]:
    named = (event.data.get("ticket_id"), event.data.get("contract_id"))
    return (event.aggregate_id, *(UUID(one) for one in named if one))


def _name(event: Envelope) -> str:
    return event.type.rpartition(".v")[0]


def _post(event: Envelope, listener: Listener) -> Post:
    return Post(
        subscription_id=listener.subscription_id,
        desk_id=event.desk_id,
        event_id=event.id,
        producer=event.producer,
        type=event.type,
        aggregate_id=event.aggregate_id,
        occurred_at=event.occurred_at,
        recorded_at=event.recorded_at,
        data=event.data,
        is_active=listener.is_active,
    )


def body_of(dispatch: Dispatch) -> bytes:
    """Return what is sent; the same bytes however often it is sent."""
    body = EventBody(
        type=dispatch.type,
        timestamp=dispatch.occurred_at,
        id=dispatch.event_id,
        source=dispatch.producer,
        about=dispatch.aggregate_id,
        recorded_at=dispatch.recorded_at,
        desk_id=dispatch.desk_id,
        data=dispatch.data,
    )
    return body.model_dump_json().encode()


async def claim_next(work: SystemWork, *, passing_over: frozenset[UUID] = frozenset()) -> Dispatch | None:
    """Take on the event that has been due longest; None if none is."""
    async with work.begin() as tx:
        return await posting.claim_delivery(tx, now=tx.now, lease=LEASE, passing_over=passing_over)


async def next_due(work: SystemWork) -> datetime | None:
    """Return when the next event is due; None if none waits."""
    async with work.begin() as tx:
        return await posting.next_due(tx.connection)


async def settle(work: SystemWork, dispatch: Dispatch, answer: Answer) -> str | None:
    """Write what an attempt came to. Returns why the subscription has to be switched off; None if it has not."""
    async with work.begin() as tx:
        before = await posting.lock_health(tx, dispatch.subscription_id)
        after = health_after(before, answer, now=tx.now)
        reason = reason_to_stop(after, answer, now=tx.now)
        verdict = judge(
            answer,
            tries=dispatch.tries,
            delivery_id=dispatch.delivery_id,
            subscription_id=dispatch.subscription_id,
            now=tx.now,
        )
        if reason is not None and verdict.state == "dead":
            # It waits with the others until the subscription is enabled again.
            verdict = replace(verdict, state="queued", next_attempt_at=tx.now)
        await posting.settle_attempt(tx, dispatch, answer, verdict, now=tx.now)
        if after != before:
            await posting.set_health(tx, dispatch.subscription_id, after)
        return reason


async def tidy(work: SystemWork) -> None:
    """Wake lanes that nobody woke, and forget what was queued long ago."""
    async with work.begin() as tx:
        await posting.wake_idle_lanes(tx, now=tx.now)
        await posting.forget_before(tx, tx.now - KEPT)


async def switch_off(uow: UnitOfWork, subscription_id: UUID, *, reason: str) -> None:
    """Send nothing more to a subscription, and tell somebody of it; what waits and what comes is kept."""
    async with uow.begin() as tx:
        held = await subscriptions.find_subscription(tx.connection, subscription_id, lock=True)
        if held is None or held.state != "active":
            return
        await subscriptions.update_subscription(tx, replace(held, state="off", state_reason=reason))
        await subscriptions.stop_lanes(tx, subscription_id)
        for notice in await _notices(tx, held, reason=reason):
            await keep_message(tx, notice, about=subscription_id)


async def _notices(tx: Transaction, held: Subscription, *, reason: str) -> list[Message]:
    everybody = await agents.list_staff(tx.connection, at=tx.now)
    staff = [one for one in everybody if {"administrator", "manager"} & {*one.roles}]
    addresses: list[str | None] = [*sorted({one.email for one in staff})] or [held.contact]
    return [_notice(tx, held, address=address, reason=reason) for address in addresses]


def _notice(tx: Transaction, held: Subscription, *, address: str | None, reason: str) -> Message:
    key = f"subscription:{held.subscription_id}:{held.version}:{address}"
    words: dict[str, Any] = {
        "subject": f"Webhook apagado / switched off: {held.name}",
        "body": (
            f"«{held.name}» ({held.url}) no recibe más avisos: {reason}. Lo pendiente se conserva; "
            f"PATCH /v1/subscriptions/{held.subscription_id} con enabled: true lo envía.\n\n"
            f"“{held.name}” ({held.url}) is sent no more events: {reason}. What waits is kept; "
            f"PATCH /v1/subscriptions/{held.subscription_id} with enabled: true sends it."
        ),
    }
    return Message(
        message_id=derived_id("message", tx.desk_id, key),
        ticket_id=None,
        customer_id=None,
        escalation_id=None,
        position=None,
        event="subscription.switched_off",
        template="subscription_switched_off",
        role="administrator",
        channel="email",
        address=address,
        language="es",
        clauses=(),
        state="queued" if address else "failed",
        failure=None if address else "no administrator, manager or contact is known",
        dedupe_key=key,
        queued_at=tx.now,
        **words,
    )
