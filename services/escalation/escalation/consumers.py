"""Events of the other services: each is translated and calls one use case."""

from typing import Any
from uuid import UUID

from escalation.domain.ticket import Ticket, TicketState
from escalation.repository.tickets import Customer
from escalation.usecases import acknowledging, announcing, copying, digesting, escalating, following
from plazo.events import tickets
from plazo.events.billing import AccountLow
from plazo.events.envelope import Event
from plazo.events.sla_clock import (
    ClockBreached,
    ClockBreachRetracted,
    ClockCancelled,
    ClockRescheduled,
    ClockStarted,
    ClockStopped,
    ClockWarned,
    TimerFired,
)
from plazo.events.ticket_dossier import ContactErased
from plazo.events.ticket_intake import ContactRegistered, MessageAnswered, RequestQuarantined, RequestRefused
from plazo.events.ticket_life import PlaybookExhausted, TicketMerged
from plazo.events.tickets import (
    ContractSigned,
    CustomerRegistered,
    PolicyPublished,
    TicketAdmitted,
    TicketAnswered,
    TicketClosed,
    TicketFactsChanged,
    TicketHeld,
    TicketOpened,
    TicketReopened,
    TicketResolved,
)
from plazo.runtime.consumer import Handlers, Received
from plazo.runtime.unit_of_work import UnitOfWork


async def on_policy_published(uow: UnitOfWork, received: Received[PolicyPublished]) -> None:
    """Keep a version of a policy; customers under it are told of a change."""
    await copying.take_in_policy(uow, received.payload)


async def on_customer_registered(uow: UnitOfWork, received: Received[CustomerRegistered]) -> None:
    """Keep what is known of a customer."""
    event = received.payload
    customer = Customer(
        customer_id=event.customer_id, name=event.customer_name, language=event.language, email=event.email
    )
    await copying.take_in_customer(uow, customer)


async def on_contact_registered(uow: UnitOfWork, received: Received[ContactRegistered]) -> None:
    """Keep who speaks for a customer, and who may ask for it. EXP-01"""
    await copying.take_in_contact(uow, received.payload)


async def on_contact_erased(uow: UnitOfWork, received: Received[ContactErased]) -> None:
    """Forget a person."""
    await copying.forget_contact(uow, received.payload)


async def on_contract_signed(uow: UnitOfWork, received: Received[ContractSigned]) -> None:
    """Keep which customer is under which policy."""
    await copying.take_in_contract(uow, received.payload)


async def on_ticket_opened(uow: UnitOfWork, received: Received[TicketOpened]) -> None:
    """Give a new ticket to somebody and confirm its receipt."""
    event = received.payload
    ticket = Ticket(
        ticket_id=event.ticket_id,
        number=event.number,
        subject=event.subject,
        description=event.description or event.subject,
        customer_id=event.customer_id,
        customer_name=event.customer_name,
        contact_name=event.contact_name,
        contact_email=event.contact_email,
        policy=event.policy,
        policy_version=event.policy_version,
        language=event.language,
        customer_timezone=event.customer_timezone,
        customer_region=event.customer_region,
        facts=event.facts,
        opened_at=event.opened_at,
        contract_id=event.contract_id,
    )
    await following.take_in_ticket(uow, ticket, event=event, cause=received.envelope.id)


async def on_ticket_held(uow: UnitOfWork, received: Received[TicketHeld]) -> None:
    """Note that a ticket is held."""
    await following.hold_ticket(uow, held_for=received.payload.reason, **_news(received))


async def on_ticket_admitted(uow: UnitOfWork, received: Received[TicketAdmitted]) -> None:
    """Note that a ticket may be worked on."""
    await following.admit_ticket(uow, **_news(received))


async def on_ticket_facts_changed(uow: UnitOfWork, received: Received[TicketFactsChanged]) -> None:
    """Move a ticket whose facts belong elsewhere now."""
    await following.change_facts(uow, facts=dict(received.payload.facts), **_news(received))


async def on_ticket_resolved(uow: UnitOfWork, received: Received[TicketResolved]) -> None:
    """End what escalated a ticket."""
    await following.end_ticket(uow, state=TicketState.RESOLVED, **_news(received))


async def on_ticket_closed(uow: UnitOfWork, received: Received[TicketClosed]) -> None:
    """End what escalated a ticket; the customer is told. IRE-11"""
    await following.end_ticket(uow, state=TicketState.CLOSED, **_news(received))


async def on_ticket_merged(uow: UnitOfWork, received: Received[TicketMerged]) -> None:
    """End what escalated a ticket that goes on in another one."""
    await following.end_ticket(uow, state=TicketState.CLOSED, **_news(received))


async def on_ticket_reopened(uow: UnitOfWork, received: Received[TicketReopened]) -> None:
    """Give a ticket that is work again to somebody."""
    await following.reopen_ticket(uow, **_news(received))


async def on_playbook_exhausted(uow: UnitOfWork, received: Received[PlaybookExhausted]) -> None:
    """Move a ticket on whose possible solutions are exhausted. SKE-03"""
    await following.exhaust_playbook(uow, **_news(received))


async def on_ticket_answered(uow: UnitOfWork, received: Received[TicketAnswered]) -> None:
    """Tell of an answer, where the policy wants that."""
    news = _news(received)
    news.pop("at")
    await following.tell_of_ticket_event(uow, facts={"activity": received.payload.activity}, **news)


async def on_request_not_taken(uow: UnitOfWork, received: Received[RequestQuarantined | RequestRefused]) -> None:
    """Answer whoever sent a request that is kept and no ticket. EXP-01, SMA-02"""
    await announcing.tell_of_request(uow, received.payload, cause=received.envelope.id)


async def on_message_answered(uow: UnitOfWork, received: Received[MessageAnswered]) -> None:
    """Acknowledge, for whoever replied to what they were told."""
    await acknowledging.acknowledge_by_mail(uow, received.payload.message_id, sender=received.payload.sender)


async def on_other_ticket_event(uow: UnitOfWork, received: Received[Event]) -> None:
    """Tell of an event that changes nothing here, where the policy wants that."""
    news = _news(received)
    news.pop("at")
    await following.tell_of_ticket_event(uow, **news)


def _news(received: Received[Any]) -> dict[str, Any]:
    envelope = received.envelope
    return {
        "ticket_id": envelope.aggregate_id,
        "event": received.payload,
        "cause": envelope.id,
        "at": envelope.occurred_at,
    }


async def on_clock_moved(uow: UnitOfWork, received: Received[ClockStarted | ClockRescheduled]) -> None:
    """Note when a promise is due."""
    await escalating.follow_clock(uow, ticket_id=received.payload.ticket_id, clock=received.payload.clock)


async def on_clock_warned(uow: UnitOfWork, received: Received[ClockWarned]) -> None:
    """Do what the matrix orders for a promise in danger."""
    event = received.payload
    await escalating.escalate_clock(
        uow,
        ticket_id=event.ticket_id,
        clock=event.clock,
        trigger="warning",
        threshold=event.threshold,
        at=event.warned_at,
    )


async def on_clock_breached(uow: UnitOfWork, received: Received[ClockBreached]) -> None:
    """Do what the matrix orders for a promise not kept. EXP-17"""
    event = received.payload
    await escalating.escalate_clock(
        uow, ticket_id=event.ticket_id, clock=event.clock, trigger="breach", threshold=None, at=event.breached_at
    )


async def on_clock_breach_retracted(uow: UnitOfWork, received: Received[ClockBreachRetracted]) -> None:
    """Undo what a breach set off that turned out to be none."""
    event = received.payload
    await escalating.retract_breach(
        uow,
        ticket_id=event.ticket_id,
        clock=event.clock,
        is_promise_changed=event.because == "facts_changed" and event.clock.state != "met",
        at=received.envelope.occurred_at,
    )


async def on_clock_ended(uow: UnitOfWork, received: Received[ClockStopped | ClockCancelled]) -> None:
    """Stop what a clock set off."""
    event = received.payload
    await escalating.end_clock(
        uow,
        ticket_id=event.ticket_id,
        clock=event.clock,
        reason=event.name,
        at=received.envelope.occurred_at,
    )


async def on_timer_fired(uow: UnitOfWork, received: Received[TimerFired]) -> None:
    """Take the step whose time has come."""
    event = received.payload
    if event.requested_by != "escalation":
        return
    if "window_id" in event.context:
        await digesting.release_window(uow, window_id=UUID(event.context["window_id"]), at=event.due_at)
        return
    if "look_for_agent" in event.context:
        await following.look_again(uow, ticket_id=received.envelope.aggregate_id, at=event.due_at)
        return
    await escalating.take_timed_step(
        uow,
        ticket_id=received.envelope.aggregate_id,
        escalation_id=UUID(event.context["escalation_id"]),
        position=event.context["position"],
        timer_id=event.timer_id,
        due_at=event.due_at,
    )


async def on_account_low(uow: UnitOfWork, received: Received[AccountLow]) -> None:
    """Tell whom the policy names that a balance is low."""
    envelope = received.envelope
    await announcing.tell_of_low_balance(uow, received.payload, cause=envelope.id, at=envelope.occurred_at)


_OF_TICKETS: Handlers = {
    PolicyPublished: on_policy_published,
    CustomerRegistered: on_customer_registered,
    ContractSigned: on_contract_signed,
    TicketOpened: on_ticket_opened,
    TicketHeld: on_ticket_held,
    TicketAdmitted: on_ticket_admitted,
    TicketFactsChanged: on_ticket_facts_changed,
    TicketResolved: on_ticket_resolved,
    TicketClosed: on_ticket_closed,
    TicketMerged: on_ticket_merged,
    TicketReopened: on_ticket_reopened,
    PlaybookExhausted: on_playbook_exhausted,
    TicketAnswered: on_ticket_answered,
    RequestQuarantined: on_request_not_taken,
    RequestRefused: on_request_not_taken,
    ContactRegistered: on_contact_registered,
    ContactErased: on_contact_erased,
    MessageAnswered: on_message_answered,
}

HANDLERS: dict[str, Handlers] = {
    # A policy may have people told of any event of a ticket, those it changes nothing here for among them.
    "tickets": {event: on_other_ticket_event for event in tickets.EVENTS if event.name.startswith("ticket.")}
    | dict(_OF_TICKETS),
    "sla_clock": {
        ClockStarted: on_clock_moved,
        ClockRescheduled: on_clock_moved,
        ClockWarned: on_clock_warned,
        ClockBreached: on_clock_breached,
        ClockBreachRetracted: on_clock_breach_retracted,
        ClockStopped: on_clock_ended,
        ClockCancelled: on_clock_ended,
        TimerFired: on_timer_fired,
    },
    "billing": {AccountLow: on_account_low},
}
