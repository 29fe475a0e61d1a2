"""What billing hears from tickets."""

from typing import Any

from billing.domain.parties import Contract, Ticket
from billing.usecases import admission, contracts, tickets
from billing.usecases.books import Why
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
    )
    await contracts.sign_contract(uow, contract=contract, why=_why(received, "contract signed"))


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


async def on_ticket_reopened(uow: UnitOfWork, received: Received[TicketReopened]) -> None:
    """A ticket goes on."""
    await tickets.reopen_ticket(uow, ticket_id=received.envelope.aggregate_id, why=_why(received, "ticket reopened"))


def _why(received: Received[Any], reason: str) -> Why:
    return Why(key=f"event:{received.envelope.id}", reason=reason, at=received.envelope.occurred_at)


HANDLERS: dict[str, Handlers] = {
    "tickets": {
        ContractSigned: on_contract_signed,
        TicketOpened: on_ticket_opened,
        TicketFactsChanged: on_ticket_facts_changed,
        TicketClosed: on_ticket_closed,
        TicketReopened: on_ticket_reopened,
    }
}
