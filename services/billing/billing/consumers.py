"""What billing hears from tickets and of the clocks."""

from typing import Any
from uuid import UUID

from billing.domain.parties import Contract, Ticket
from billing.usecases import admission, appointments, contacts, contracts, quotes, service_credits, tickets
from billing.usecases.books import Why
from plazo.events.sla_clock import ClockBreached, ClockBreachRetracted, TimerFired
from plazo.events.ticket_dossier import ContactErased
from plazo.events.ticket_intake import ContactRegistered
from plazo.events.ticket_life import AppointmentCancelled, AppointmentMissed, TicketMerged
from plazo.events.tickets import ContractSigned, TicketClosed, TicketFactsChanged, TicketOpened, TicketReopened
from plazo.runtime.consumer import Handlers, Received
from plazo.runtime.unit_of_work import UnitOfWork


async def on_contract_signed(uow: UnitOfWork, received: Received[ContractSigned]) -> None:
    """A contract exists, or its terms changed."""
    event = received.payload
    contract = Contract(
        contract_id=event.contract_id,
        customer_id=event.customer_id,
        policy=event.policy,
        plan=event.plan,
        arrangement=event.arrangement,
        valid_from=event.valid_from,
        valid_until=event.valid_until,
        warranty_until=event.warranty_until,
        agreed=event.agreed,
    )
    await contracts.sign_contract(uow, contract=contract, why=_why(received, "contract signed"))


async def on_contact_registered(uow: UnitOfWork, received: Received[ContactRegistered]) -> None:
    """Somebody may answer for a customer, or no longer may."""
    event = received.payload
    may_ask = event.authorized or event.role == "administrator"
    await contacts.keep_contact(uow, contact_id=event.contact_id, customer_id=event.customer_id, may_ask=may_ask)


async def on_contact_erased(uow: UnitOfWork, received: Received[ContactErased]) -> None:
    """Forget a person."""
    await contacts.forget_contact(uow, received.payload)


async def on_ticket_opened(uow: UnitOfWork, received: Received[TicketOpened]) -> None:
    """A ticket asks to be let in."""
    event = received.payload
    ticket = Ticket(
        ticket_id=event.ticket_id,
        number=event.number,
        customer_id=event.customer_id,
        contract_id=event.contract_id,
        policy=event.policy,
        policy_version=event.policy_version,
        facts=event.facts,
        opened_at=event.opened_at,
        closed_at=None,
        admission="not_required",
        admitted_at=None,
        held_for=None,
        held_clauses=(),
        agreed=event.agreed,
    )
    await admission.take_ticket(uow, ticket=ticket, is_gated=event.admission == "pending")


async def on_ticket_facts_changed(uow: UnitOfWork, received: Received[TicketFactsChanged]) -> None:
    """What is known of a ticket changed, and perhaps what its work costs."""
    await tickets.change_facts(
        uow,
        ticket_id=received.envelope.aggregate_id,
        facts=received.payload.facts,
        why=_why(received, "facts changed"),
    )


async def on_ticket_closed(uow: UnitOfWork, received: Received[TicketClosed]) -> None:
    """A ticket is over."""
    await tickets.close_ticket(
        uow,
        ticket_id=received.envelope.aggregate_id,
        closed_at=received.envelope.occurred_at,
        why=_why(received, "ticket closed"),
    )


async def on_ticket_merged(uow: UnitOfWork, received: Received[TicketMerged]) -> None:
    """A ticket goes on in another one: its work stays where it was logged and charged."""
    await tickets.close_ticket(
        uow,
        ticket_id=received.envelope.aggregate_id,
        closed_at=received.envelope.occurred_at,
        why=_why(received, "ticket merged"),
    )


async def on_ticket_reopened(uow: UnitOfWork, received: Received[TicketReopened]) -> None:
    """A ticket goes on."""
    await tickets.reopen_ticket(uow, ticket_id=received.envelope.aggregate_id, why=_why(received, "ticket reopened"))


async def on_clock_breached(uow: UnitOfWork, received: Received[ClockBreached]) -> None:
    """A promise was not kept; where it was a guarantee, the provider may owe for it."""
    event = received.payload
    await service_credits.note_breach(
        uow,
        ticket_id=event.ticket_id,
        clock_id=event.clock.clock_id,
        kind=event.clock.kind,
        is_guarantee=event.clock.commitment == "guarantee",
        breached_at=event.breached_at,
        why=_why(received, "guarantee breached"),
    )


async def on_clock_breach_retracted(uow: UnitOfWork, received: Received[ClockBreachRetracted]) -> None:
    """The promise was kept after all."""
    event = received.payload
    await service_credits.retract_breach(
        uow, ticket_id=event.ticket_id, clock_id=event.clock.clock_id, why=_why(received, "breach retracted")
    )


async def on_appointment_missed(uow: UnitOfWork, received: Received[AppointmentMissed]) -> None:
    """The customer was absent."""
    event = received.payload
    await appointments.charge_appointment(
        uow,
        ticket_id=received.envelope.aggregate_id,
        appointment_id=event.appointment_id,
        kind="no_show",
        at=event.starts_at,
        why=_why(received, "appointment missed"),
    )


async def on_appointment_cancelled(uow: UnitOfWork, received: Received[AppointmentCancelled]) -> None:
    """An appointment will not take place; the customer may have said so too late."""
    event = received.payload
    if event.late:
        await appointments.charge_appointment(
            uow,
            ticket_id=received.envelope.aggregate_id,
            appointment_id=event.appointment_id,
            kind="late_cancellation",
            at=event.cancelled_at,
            why=_why(received, "appointment cancelled late"),
        )


async def on_timer_fired(uow: UnitOfWork, received: Received[TimerFired]) -> None:
    """An instant has come; ours are the ends of quotes."""
    event = received.payload
    if event.requested_by == "billing" and "quote_id" in event.context:
        await quotes.expire_quote(uow, quote_id=UUID(event.context["quote_id"]))


def _why(received: Received[Any], reason: str) -> Why:
    return Why(key=f"event:{received.envelope.id}", reason=reason, at=received.envelope.occurred_at)


HANDLERS: dict[str, Handlers] = {
    "tickets": {
        ContractSigned: on_contract_signed,
        ContactRegistered: on_contact_registered,
        ContactErased: on_contact_erased,
        TicketOpened: on_ticket_opened,
        TicketFactsChanged: on_ticket_facts_changed,
        TicketClosed: on_ticket_closed,
        TicketMerged: on_ticket_merged,
        TicketReopened: on_ticket_reopened,
        AppointmentMissed: on_appointment_missed,
        AppointmentCancelled: on_appointment_cancelled,
    },
    "sla_clock": {
        ClockBreached: on_clock_breached,
        ClockBreachRetracted: on_clock_breach_retracted,
        TimerFired: on_timer_fired,
    },
}
