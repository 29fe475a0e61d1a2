"""What `tickets` announces at its front door: who may ask, what was not taken, and what a request lacks."""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from plazo.events.envelope import Event


class _TicketIntakeEvent(Event):
    producer: ClassVar[str] = "tickets"


class ContactRegistered(_TicketIntakeEvent):
    """A person of a customer is known, or its particulars changed; the newest holds. Aggregate: the contact.

    `authorized` says whether it may open and answer tickets; an administrator of the customer always may (EXP-01).
    """

    name: ClassVar[str] = "contact.registered"

    contact_id: UUID
    customer_id: UUID
    contact_name: str
    emails: tuple[str, ...]
    phone: str | None
    language: str | None
    role: Literal["administrator", "member"]
    authorized: bool


class _NotTaken(_TicketIntakeEvent):
    """What both ways of not taking a request say. `note` words the reason for its sender, by language."""

    request_id: UUID
    channel: str
    subject: str
    contact_name: str | None
    contact_email: str | None
    customer_id: UUID | None
    contact_id: UUID | None
    contract_id: UUID | None
    policy: str | None
    policy_version: str | None
    language: str
    reason: str
    note: dict[str, str]
    clauses: tuple[str, ...]
    received_at: datetime


class RequestQuarantined(_NotTaken):
    """A request is kept until somebody releases or dismisses it (EXP-01, SMA-03). Aggregate: the request."""

    name: ClassVar[str] = "request.quarantined"


class RequestRefused(_NotTaken):
    """A request was refused, and is kept with the reason (PRO-10, IRE-15). Aggregate: the request."""

    name: ClassVar[str] = "request.refused"


class TicketPartsMissing(_TicketIntakeEvent):
    """A request lacks what the contract asks for (SMA-04, PRO-22). Aggregate: the ticket.

    `parts` are their names, `missing` their wording by language, in the same order.
    """

    name: ClassVar[str] = "ticket.parts_missing"

    parts: tuple[str, ...]
    missing: tuple[dict[str, str], ...]
    clauses: tuple[str, ...]


class MessageAnswered(_TicketIntakeEvent):
    """Somebody whom a message told of a ticket, none of the customer's people, replied to it. Aggregate: the ticket."""

    name: ClassVar[str] = "message.answered"

    ticket_id: UUID
    message_id: UUID
    sender: str


EVENTS: tuple[type[Event], ...] = (
    ContactRegistered,
    RequestQuarantined,
    RequestRefused,
    TicketPartsMissing,
    MessageAnswered,
)
