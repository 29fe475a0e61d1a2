"""Appointments: what may become of one when, and whether a cancellation comes too late. SMA-19"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal
from uuid import UUID

from plazo.kernel.errors import Kind, PlazoError
from plazo.policy.document import Policy
from tickets.domain.deadlines import due_after, working_time_of


class AppointmentState(StrEnum):
    """What became of an appointment."""

    SCHEDULED = "scheduled"
    KEPT = "kept"
    MISSED = "missed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Appointment:
    """Desk and customer will meet, or met. `late` is known of one the customer cancelled."""

    appointment_id: UUID
    ticket_id: UUID
    starts_at: datetime
    ends_at: datetime
    place: Literal["remote", "on_site"]
    attendee: str | None
    scheduled_by: str
    scheduled_at: datetime
    is_awaited: bool = False
    state: AppointmentState = AppointmentState.SCHEDULED
    settled_at: datetime | None = None
    settled_by: str | None = None
    late: bool | None = None
    reason: str | None = None


class AppointmentSettled(PlazoError):
    """It is known already what became of the appointment."""

    kind = Kind.CONFLICT
    code = "appointment-settled"


class TooEarly(PlazoError):
    """What did not begin yet can neither be kept nor be missed."""

    kind = Kind.CONFLICT
    code = "appointment-too-early"


def require_open(appointment: Appointment) -> None:
    """Insist that nobody has said yet what became of it. :raises AppointmentSettled:"""
    if appointment.state is not AppointmentState.SCHEDULED:
        raise AppointmentSettled(
            f"the appointment is {appointment.state} already", details={"state": appointment.state}
        )


def require_begun(appointment: Appointment, *, at: datetime) -> None:
    """Insist that it has begun. :raises TooEarly:"""
    if at < appointment.starts_at:
        raise TooEarly(f"the appointment begins at {appointment.starts_at.isoformat()}")


def require_missed(policy: Policy, appointment: Appointment, *, at: datetime) -> None:
    """Insist that the customer had its time to appear. :raises TooEarly: before the policy's grace is over"""
    rule = policy.billing.no_show
    missed_at = due_after(working_time_of(policy, None), appointment.starts_at, rule.grace if rule else "0m")
    if missed_at is None or at < missed_at:
        clause = ", ".join(rule.clause) if rule else None
        until = f" until {missed_at.isoformat()}" if missed_at else ""
        raise TooEarly(f"the customer may still appear{until}", clause=clause)


def is_late(policy: Policy, appointment: Appointment, *, by_customer: bool, at: datetime) -> bool:
    """Tell whether a cancellation comes too late by the policy's notice; only the customer's ever does."""
    rule = policy.billing.no_show
    if not by_customer or rule is None:
        return False
    noticed_at = due_after(working_time_of(policy, None), at, rule.notice)
    return noticed_at is None or noticed_at > appointment.starts_at
