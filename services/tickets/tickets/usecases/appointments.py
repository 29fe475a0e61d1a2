"""Appointments of desk and customer. SMA-19"""

from dataclasses import asdict, replace
from typing import Any
from uuid import UUID

from plazo.events.envelope import Event
from plazo.events.ticket_life import (
    AppointmentCancelled,
    AppointmentKept,
    AppointmentMissed,
    AppointmentScheduled,
)
from plazo.kernel.errors import Fault, InvalidInput, NotFound
from plazo.kernel.ids import new_id
from plazo.runtime.unit_of_work import Transaction, UnitOfWork
from tickets.domain.appointments import (
    Appointment,
    AppointmentState,
    is_late,
    require_begun,
    require_missed,
    require_open,
)
from tickets.domain.lifecycle import OVER, IllegalTransition, legal_actions
from tickets.domain.secrecy import Cipher
from tickets.repository import lifecycle
from tickets.schemas.lifecycle import AppointmentCreate, AppointmentView, CancellationCreate
from tickets.usecases.changes import By, Change, changing_in
from tickets.usecases.reading import visible_ticket
from tickets.usecases.redacting import redact_texts
from tickets.usecases.waits import Cause, begin_wait, finish_wait, require_future

_WINDOW: Cause = "agreed_window"


class NoSuchAppointment(NotFound):
    """There is no such appointment, or the caller may not know of it."""

    code = "no-such-appointment"


async def schedule_appointment(uow: UnitOfWork, *, ticket_id: UUID, body: AppointmentCreate, by: By) -> AppointmentView:
    """Agree on an appointment; with `wait` the ticket waits for it, as an agreed window.

    :raises InvalidInput: for one that has begun, or ends before it begins
    :raises IllegalTransition: for a ticket that is over
    """
    async with uow.begin() as tx:
        async with changing_in(tx, ticket_id, by) as change:
            require_future(body.starts_at, now=change.now, pointer="/starts_at")
            if body.ends_at <= body.starts_at:
                raise InvalidInput(
                    "the appointment has no length",
                    faults=[
                        Fault(pointer="/ends_at", message=f"expected an instant after {body.starts_at.isoformat()}")
                    ],
                )
            state = change.before.state
            if state in OVER:
                legal = legal_actions(state)
                raise IllegalTransition(
                    f"a ticket that is {state} does not allow an appointment; it allows {', '.join(legal)}",
                    details={"state": state, "legal": list(legal)},
                )
            appointment = Appointment(
                appointment_id=new_id(),
                ticket_id=ticket_id,
                starts_at=body.starts_at,
                ends_at=body.ends_at,
                place=body.place,
                attendee=body.attendee,
                scheduled_by=by.actor,
                scheduled_at=change.now,
                is_awaited=body.wait and _WINDOW not in change.before.waits,
            )
            await lifecycle.save_appointment(tx, appointment)
            _note(change, "appointment_scheduled", appointment, by)
            change.announce(AppointmentScheduled(**_about(appointment), attendee=appointment.attendee))
            if appointment.is_awaited:
                begin_wait(
                    change,
                    _WINDOW,
                    reason=f"appointment {appointment.starts_at.isoformat()}",
                    by=by,
                    until=appointment.starts_at,
                )
        view = _view(appointment)
        tx.answer = view.model_dump(mode="json")
    return view


async def keep_appointment(uow: UnitOfWork, *, appointment_id: UUID, by: By) -> AppointmentView:
    """Record that desk and customer met. :raises AppointmentSettled: :raises TooEarly:"""
    async with uow.begin() as tx:
        appointment = await _open_appointment(tx, appointment_id, by)
        async with changing_in(tx, appointment.ticket_id, by) as change:
            require_begun(appointment, at=change.now)
            settled = _settle(appointment, AppointmentState.KEPT, change, by)
            view = await _save(change, settled, AppointmentKept(**_about(settled)), by)
        tx.answer = view.model_dump(mode="json")
    return view


async def miss_appointment(uow: UnitOfWork, *, appointment_id: UUID, by: By) -> AppointmentView:
    """Record that the customer was absent, which `billing` may charge (SMA-19).

    :raises AppointmentSettled:
    :raises TooEarly: before the policy's grace is over
    """
    async with uow.begin() as tx:
        appointment = await _open_appointment(tx, appointment_id, by)
        async with changing_in(tx, appointment.ticket_id, by) as change:
            require_missed(await change.policy(), appointment, at=change.now)
            settled = _settle(appointment, AppointmentState.MISSED, change, by)
            event = AppointmentMissed(**_about(settled), missed_at=change.now)
            view = await _save(change, settled, event, by)
        tx.answer = view.model_dump(mode="json")
    return view


async def cancel_appointment(
    uow: UnitOfWork, *, appointment_id: UUID, body: CancellationCreate, by: By, cipher: Cipher | None = None
) -> AppointmentView:
    """Cancel an appointment; the customer may do so too late by the policy. :raises AppointmentSettled:

    `cipher` knows the credentials of tickets, which the reason must not repeat.
    """
    async with uow.begin() as tx:
        appointment = await _open_appointment(tx, appointment_id, by)
        reason = body.reason
        if reason is not None and cipher is not None:
            (reason,) = await redact_texts(
                tx, cipher, ticket_id=appointment.ticket_id, texts=[reason], by_customer=by.is_customer
            )
        async with changing_in(tx, appointment.ticket_id, by) as change:
            by_customer = by.is_customer or body.by == "customer"
            late = is_late(await change.policy(), appointment, by_customer=by_customer, at=change.now)
            settled = replace(_settle(appointment, AppointmentState.CANCELLED, change, by), late=late, reason=reason)
            event = AppointmentCancelled(
                **_about(settled),
                cancelled_at=change.now,
                cancelled_by="customer" if by_customer else "desk",
                late=late,
                reason=reason,
            )
            view = await _save(change, settled, event, by)
        tx.answer = view.model_dump(mode="json")
    return view


async def list_appointments(uow: UnitOfWork, *, ticket_id: UUID, customer_id: UUID | None) -> list[AppointmentView]:
    """Return the appointments of a ticket by their beginning. :raises NoSuchTicket:"""
    async with uow.read() as connection:
        await visible_ticket(connection, ticket_id, customer_id=customer_id)
        found = await lifecycle.list_appointments(connection, ticket_id)
    return [_view(one) for one in found]


async def _open_appointment(tx: Transaction, appointment_id: UUID, by: By) -> Appointment:
    """Return an appointment that nobody settled, its ticket held."""
    found = await lifecycle.find_appointment(tx.connection, appointment_id)
    if found is not None:
        await visible_ticket(tx.connection, found.ticket_id, customer_id=by.customer_id, lock=True)
        found = await lifecycle.find_appointment(tx.connection, appointment_id)
    if found is None:
        raise NoSuchAppointment(f"there is no appointment {appointment_id}")
    require_open(found)
    return found


def _settle(appointment: Appointment, state: AppointmentState, change: Change, by: By) -> Appointment:
    return replace(appointment, state=state, settled_at=change.now, settled_by=by.actor)


async def _save(change: Change, settled: Appointment, event: Event, by: By) -> AppointmentView:
    await lifecycle.save_appointment(change.tx, settled)
    _note(change, f"appointment_{settled.state}", settled, by)
    change.announce(event)
    if settled.is_awaited and _is_waited_for(settled, change):
        finish_wait(change, _WINDOW, by)
    return _view(settled)


def _is_waited_for(appointment: Appointment, change: Change) -> bool:
    """Tell whether the wait that goes on is for this one: its own may have ended, and another begun."""
    return any(wait.cause == _WINDOW and wait.until == appointment.starts_at for wait in change.after.waiting)


def _note(change: Change, kind: str, appointment: Appointment, by: By) -> None:
    change.note(
        kind,
        by,
        text=appointment.reason,
        appointment_id=appointment.appointment_id,
        starts_at=appointment.starts_at,
        ends_at=appointment.ends_at,
        place=appointment.place,
        late=appointment.late,
    )


def _about(appointment: Appointment) -> dict[str, Any]:
    return {
        "appointment_id": appointment.appointment_id,
        "starts_at": appointment.starts_at,
        "ends_at": appointment.ends_at,
        "place": appointment.place,
    }


def _view(appointment: Appointment) -> AppointmentView:
    shown = asdict(appointment)
    return AppointmentView(**{name: shown[name] for name in AppointmentView.model_fields})
