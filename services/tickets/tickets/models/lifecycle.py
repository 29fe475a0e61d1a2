"""The rest of a ticket's life: attempts, appointments, links, vendors, playbooks, assessments."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, Index, SmallInteger, Text
from sqlmodel import Field

from plazo.runtime.tables import instant
from tickets.models.base import TicketsTable


class ContactAttempt(TicketsTable, table=True):
    """An attempt to reach a customer. Rows are never changed: they are evidence (PRO-20)."""

    __tablename__ = "contact_attempt"
    __table_args__ = (
        CheckConstraint("result IN ('no_answer', 'left_message', 'sent', 'reached')", name="result"),
        Index(None, "ticket_id", "round", "made_at"),
    )

    attempt_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    round: int = Field(sa_type=SmallInteger)
    made_at: datetime = instant()
    made_by: str = Field(sa_type=Text)
    channel: str = Field(sa_type=Text)
    result: str = Field(sa_type=Text)
    text: str | None = Field(sa_type=Text)
    number: int | None = Field(sa_type=SmallInteger)
    not_counted_for: str | None = Field(sa_type=Text)
    closes_at: datetime | None = instant(nullable=True)


class Appointment(TicketsTable, table=True):
    """An appointment, and what became of it."""

    __tablename__ = "appointment"
    __table_args__ = (
        CheckConstraint("state IN ('scheduled', 'kept', 'missed', 'cancelled')", name="state"),
        CheckConstraint("place IN ('remote', 'on_site')", name="place"),
        Index(None, "ticket_id", "starts_at"),
    )

    appointment_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    starts_at: datetime = instant()
    ends_at: datetime = instant()
    place: str = Field(sa_type=Text)
    attendee: str | None = Field(sa_type=Text)
    scheduled_by: str = Field(sa_type=Text)
    scheduled_at: datetime = instant()
    is_awaited: bool
    state: str = Field(sa_type=Text)
    settled_at: datetime | None = instant(nullable=True)
    settled_by: str | None = Field(sa_type=Text)
    late: bool | None
    reason: str | None = Field(sa_type=Text)


class TicketLink(TicketsTable, table=True):
    """A ticket is `kind` of another one: `additional_request`, `duplicate_of`, `caused_by`."""

    __tablename__ = "ticket_link"
    __table_args__ = (Index(None, "other_id"),)

    ticket_id: UUID = Field(primary_key=True)
    other_id: UUID = Field(primary_key=True)
    kind: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    linked_by: str = Field(sa_type=Text)
    linked_at: datetime = instant()


class VendorReference(TicketsTable, table=True):
    """What a vendor knows a request by, and what it answered (IRE-17)."""

    __tablename__ = "vendor_reference"

    ticket_id: UUID = Field(primary_key=True)
    vendor: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    reference: str = Field(sa_type=Text)
    referred_at: datetime = instant()
    answer: str | None = Field(sa_type=Text)
    answered_at: datetime | None = instant(nullable=True)
    released_version: str | None = Field(sa_type=Text)
    released_at: datetime | None = instant(nullable=True)


class PlaybookTick(TicketsTable, table=True):
    """A step of a playbook that was taken; the last result holds."""

    __tablename__ = "playbook_tick"
    __table_args__ = (CheckConstraint("result IN ('done', 'solved', 'not_solved')", name="result"),)

    ticket_id: UUID = Field(primary_key=True)
    playbook: str = Field(primary_key=True, sa_type=Text)
    step: str = Field(primary_key=True, sa_type=Text)
    desk_id: UUID
    result: str = Field(sa_type=Text)
    text: str | None = Field(sa_type=Text)
    ticked_by: str = Field(sa_type=Text)
    ticked_at: datetime = instant()


class Assessment(TicketsTable, table=True):
    """What an expert said of a ticket: whether it can be solved, by when, what is missing (SKE-06)."""

    __tablename__ = "assessment"
    __table_args__ = (Index(None, "ticket_id", "assessed_at"),)

    assessment_id: UUID = Field(primary_key=True)
    desk_id: UUID
    ticket_id: UUID
    assessed_at: datetime = instant()
    assessed_by: str = Field(sa_type=Text)
    level: int = Field(sa_type=SmallInteger)
    solvable: bool
    due_at: datetime | None = instant(nullable=True)
    missing: str | None = Field(sa_type=Text)
    design: str | None = Field(sa_type=Text)
