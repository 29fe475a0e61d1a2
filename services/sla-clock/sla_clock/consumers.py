"""Events of other services, each translated into one use case."""

from typing import Any

from plazo.events import billing, escalation, tickets
from plazo.events.ticket_dossier import ContactErased
from plazo.events.ticket_life import TicketMerged
from plazo.events.tickets import (
    ContractSigned,
    CustomerReplied,
    TicketAdmitted,
    TicketAnswered,
    TicketClosed,
    TicketDateAgreed,
    TicketFactsChanged,
    TicketHeld,
    TicketOpened,
    TicketReopened,
    TicketResolved,
    TicketWaitEnded,
    TicketWaitStarted,
)
from plazo.events.timers import TimerRequest, TimerWithdrawal
from plazo.policy import AgreedTerms
from plazo.runtime import forgetting
from plazo.runtime.consumer import Handlers, Received
from plazo.runtime.unit_of_work import UnitOfWork
from sla_clock.domain import facts
from sla_clock.repository.agreements import Contract
from sla_clock.usecases.measure_availability import keep_contract
from sla_clock.usecases.record_fact import record_fact, register_ticket
from sla_clock.usecases.request_timer import request_timer, withdraw_timer


async def on_ticket_opened(uow: UnitOfWork, received: Received[TicketOpened]) -> None:
    """Register the ticket and start its clocks."""
    event, envelope = received.payload, received.envelope
    what = facts.Opened(event.facts, clocks=event.covered and event.clocks, pending=event.admission == "pending")
    await register_ticket(
        uow,
        ticket_id=event.ticket_id,
        number=event.number,
        customer_id=event.customer_id,
        policy=event.policy,
        policy_version=event.policy_version,
        timezone=event.customer_timezone,
        region=event.customer_region,
        agreed=AgreedTerms.model_validate(event.agreed) if event.agreed else None,
        opening=facts.Fact(event.opened_at, envelope.aggregate_version, what),
        recorded_at=envelope.recorded_at,
    )


async def _record(uow: UnitOfWork, received: Received[Any], what: facts.What) -> None:
    envelope = received.envelope
    await record_fact(
        uow,
        ticket_id=envelope.aggregate_id,
        fact=facts.Fact(envelope.occurred_at, envelope.aggregate_version, what),
        recorded_at=envelope.recorded_at,
    )


async def on_ticket_admitted(uow: UnitOfWork, received: Received[TicketAdmitted]) -> None:
    """Let the clocks count from the opening or the release."""
    await _record(uow, received, facts.Admitted(received.payload.counts_from))


async def on_ticket_held(uow: UnitOfWork, received: Received[TicketHeld]) -> None:
    """Take the clocks back until the release."""
    await _record(uow, received, facts.Held(received.payload.reason))


async def on_ticket_facts_changed(uow: UnitOfWork, received: Received[TicketFactsChanged]) -> None:
    """Decide the promises anew."""
    event = received.payload
    await _record(uow, received, facts.FactsChanged(event.facts, event.changed, corrects=event.corrects))


async def on_ticket_answered(uow: UnitOfWork, received: Received[TicketAnswered]) -> None:
    """Stop what the contact keeps."""
    event = received.payload
    await _record(uow, received, facts.Answered(event.activity, event.channel))


async def on_customer_replied(uow: UnitOfWork, received: Received[CustomerReplied]) -> None:
    """Owe the customer a next reply."""
    await _record(uow, received, facts.CustomerReplied())


async def on_wait_started(uow: UnitOfWork, received: Received[TicketWaitStarted]) -> None:
    """Pause what the policy says."""
    await _record(uow, received, facts.WaitStarted(received.payload.cause))


async def on_wait_ended(uow: UnitOfWork, received: Received[TicketWaitEnded]) -> None:
    """End the pauses of that cause."""
    await _record(uow, received, facts.WaitEnded(received.payload.cause))


async def on_date_agreed(uow: UnitOfWork, received: Received[TicketDateAgreed]) -> None:
    """Arm or move the agreed clock."""
    await _record(uow, received, facts.DateAgreed(received.payload.due_at))


async def on_ticket_resolved(uow: UnitOfWork, received: Received[TicketResolved]) -> None:
    """Stop everything that is owed."""
    await _record(uow, received, facts.Resolved())


async def on_ticket_reopened(uow: UnitOfWork, received: Received[TicketReopened]) -> None:
    """Begin the next cycle."""
    await _record(uow, received, facts.Reopened(received.payload.cycle, received.payload.clocks))


async def on_ticket_closed(uow: UnitOfWork, received: Received[TicketClosed]) -> None:
    """End what is still owed."""
    await _record(uow, received, facts.Closed(received.payload.reason))


async def on_ticket_merged(uow: UnitOfWork, received: Received[TicketMerged]) -> None:
    """End what is still owed: the ticket goes on in another one."""
    await _record(uow, received, facts.Closed("merged"))


async def on_contract_signed(uow: UnitOfWork, received: Received[ContractSigned]) -> None:
    """Keep what availability needs of it."""
    event = received.payload
    await keep_contract(
        uow,
        Contract(
            contract_id=event.contract_id,
            customer_id=event.customer_id,
            policy=event.policy,
            valid_from=event.valid_from,
        ),
    )


async def on_contact_erased(uow: UnitOfWork, received: Received[ContactErased]) -> None:
    """Forget a person: of its words nothing is kept here, but for those of events that wait."""
    erased = received.payload
    async with uow.begin() as tx:
        await forgetting.require_all_heard(tx, erased)
        await forgetting.forget_keys(tx, erased.contact_id)
        own = {*erased.tickets, *erased.requests, erased.contact_id}
        await forgetting.forget_inbox(tx, forgetting.person_of(erased), own=own)


async def on_timer_requested(uow: UnitOfWork, received: Received[TimerRequest]) -> None:
    """Arm a timer for another service."""
    event = received.payload
    await request_timer(
        uow,
        timer_id=event.timer_id,
        ticket_id=event.ticket_id,
        start=event.start,
        after=event.after,
        calendar=event.calendar,
        requested_by=received.envelope.producer,
        context=event.context,
    )


async def on_timer_withdrawn(uow: UnitOfWork, received: Received[TimerWithdrawal]) -> None:
    """Disarm it."""
    await withdraw_timer(uow, timer_id=received.payload.timer_id)


HANDLERS: dict[str, Handlers] = {
    "tickets": {
        ContactErased: on_contact_erased,
        ContractSigned: on_contract_signed,
        TicketOpened: on_ticket_opened,
        TicketAdmitted: on_ticket_admitted,
        TicketHeld: on_ticket_held,
        TicketFactsChanged: on_ticket_facts_changed,
        TicketAnswered: on_ticket_answered,
        CustomerReplied: on_customer_replied,
        TicketWaitStarted: on_wait_started,
        TicketWaitEnded: on_wait_ended,
        TicketDateAgreed: on_date_agreed,
        TicketResolved: on_ticket_resolved,
        TicketReopened: on_ticket_reopened,
        TicketClosed: on_ticket_closed,
        TicketMerged: on_ticket_merged,
        tickets.TimerRequested: on_timer_requested,
        tickets.TimerWithdrawn: on_timer_withdrawn,
    },
    "escalation": {
        escalation.TimerRequested: on_timer_requested,
        escalation.TimerWithdrawn: on_timer_withdrawn,
    },
    "billing": {billing.TimerRequested: on_timer_requested, billing.TimerWithdrawn: on_timer_withdrawn},
}
