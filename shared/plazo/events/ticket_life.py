"""What `tickets` announces about the rest of a ticket's life: attempts, links, appointments, vendors, playbooks.

The aggregate is always the ticket.
"""

from datetime import datetime
from typing import ClassVar, Literal
from uuid import UUID

from plazo.events.envelope import Event


class _TicketLifeEvent(Event):
    producer: ClassVar[str] = "tickets"


class TicketAcknowledged(_TicketLifeEvent):
    """Its receipt was confirmed, or somebody took it."""

    name: ClassVar[str] = "ticket.acknowledged"

    by: str


class ContactAttempted(_TicketLifeEvent):
    """The desk tried to reach the customer it waits for, and by the policy it counts (PRO-20, SMA-12).

    `attempt` counts from 1 since the customer's last answer. `closes_at` is when the ticket is closed without one, as
    the customer was told.
    """

    name: ClassVar[str] = "ticket.contact_attempted"

    attempt_id: UUID
    channel: str
    result: Literal["no_answer", "left_message", "sent"]
    by: str
    attempt: int
    closes_at: datetime | None = None


class TicketMerged(_TicketLifeEvent):
    """The ticket goes on as part of another one of the same customer; here it is over, as if closed."""

    name: ClassVar[str] = "ticket.merged"

    into_id: UUID
    into_number: str
    reason: str | None = None


class TicketLinked(_TicketLifeEvent):
    """The ticket has to do with another one: it is `kind` of `other_id`.

    `other_customer_id` is whose that is, where it is another customer's: neither is told of the other's ticket.
    """

    name: ClassVar[str] = "ticket.linked"

    other_id: UUID
    other_number: str
    kind: str
    by: str
    other_customer_id: UUID | None = None


class VendorReferred(_TicketLifeEvent):
    """The request was passed to a vendor, who knows it by `vendor_reference` (IRE-17)."""

    name: ClassVar[str] = "ticket.vendor_referred"

    vendor: str
    vendor_reference: str
    by: str


class VendorAnswered(_TicketLifeEvent):
    """The vendor answered (IRE-17)."""

    name: ClassVar[str] = "ticket.vendor_answered"

    vendor: str
    vendor_reference: str
    text: str


class VendorReleased(_TicketLifeEvent):
    """What was asked of the vendor is available in `released_version` (IRE-17)."""

    name: ClassVar[str] = "ticket.vendor_released"

    vendor: str
    vendor_reference: str
    released_version: str
    text: str | None = None


class PlaybookExhausted(_TicketLifeEvent):
    """Every step of the document of possible solutions was taken, and none solved it (SKE-03)."""

    name: ClassVar[str] = "ticket.playbook_exhausted"

    playbook: str
    level: int
    clauses: tuple[str, ...] = ()


class TicketAssessed(_TicketLifeEvent):
    """Somebody who can tell said whether it can be solved, by when, and what is missing for that (SKE-06)."""

    name: ClassVar[str] = "ticket.assessed"

    assessment_id: UUID
    solvable: bool
    by: str
    due_at: datetime | None = None
    missing: str | None = None
    design: str | None = None


class _AppointmentEvent(_TicketLifeEvent):
    appointment_id: UUID
    starts_at: datetime
    ends_at: datetime
    place: Literal["remote", "on_site"]


class AppointmentScheduled(_AppointmentEvent):
    """Desk and customer will meet. `attendee` is whom the desk expects."""

    name: ClassVar[str] = "appointment.scheduled"

    attendee: str | None = None


class AppointmentKept(_AppointmentEvent):
    """They met."""

    name: ClassVar[str] = "appointment.kept"


class AppointmentMissed(_AppointmentEvent):
    """The customer was absent (SMA-19). Announced once for an appointment, as every end of one."""

    name: ClassVar[str] = "appointment.missed"

    missed_at: datetime


class AppointmentCancelled(_AppointmentEvent):
    """It will not take place; `late` if the customer said so too late by the policy."""

    name: ClassVar[str] = "appointment.cancelled"

    cancelled_at: datetime
    cancelled_by: Literal["customer", "desk"]
    late: bool
    reason: str | None = None


EVENTS: tuple[type[Event], ...] = (
    TicketAcknowledged,
    ContactAttempted,
    TicketMerged,
    TicketLinked,
    VendorReferred,
    VendorAnswered,
    VendorReleased,
    PlaybookExhausted,
    TicketAssessed,
    AppointmentScheduled,
    AppointmentKept,
    AppointmentMissed,
    AppointmentCancelled,
)
