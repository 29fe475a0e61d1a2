"""Appointments of desk and customer."""

from uuid import UUID

from fastapi import APIRouter

from plazo.runtime.call import Call
from tickets.routes.callers import AnyCall, StaffCall, TicketRoute, by_of
from tickets.schemas.lifecycle import AppointmentCreate, AppointmentView, CancellationCreate
from tickets.usecases import appointments
from tickets.usecases.secrets import known_cipher

router = APIRouter(prefix="/v1", tags=["appointments"], route_class=TicketRoute)


async def _answer(call: Call, view: AppointmentView) -> AppointmentView:
    await call.settle(view.ticket_id)
    return view


@router.post("/tickets/{ticket_id}/appointments", status_code=201)
async def schedule(ticket_id: UUID, body: AppointmentCreate, call: StaffCall) -> AppointmentView:
    """Agree on an appointment; with `wait` the ticket waits for it."""
    view = await appointments.schedule_appointment(call.uow(status=201), ticket_id=ticket_id, body=body, by=by_of(call))
    return await _answer(call, view)


@router.get("/tickets/{ticket_id}/appointments")
async def list_appointments(ticket_id: UUID, call: AnyCall) -> list[AppointmentView]:
    """List the appointments of a ticket by their beginning."""
    return await appointments.list_appointments(call.uow(), ticket_id=ticket_id, customer_id=call.principal.customer_id)


@router.post("/appointments/{appointment_id}/kept")
async def keep(appointment_id: UUID, call: StaffCall) -> AppointmentView:
    """Record that desk and customer met."""
    view = await appointments.keep_appointment(call.uow(), appointment_id=appointment_id, by=by_of(call))
    return await _answer(call, view)


@router.post("/appointments/{appointment_id}/no-show")
async def miss(appointment_id: UUID, call: StaffCall) -> AppointmentView:
    """Record that the customer was absent, once the policy's grace is over."""
    view = await appointments.miss_appointment(call.uow(), appointment_id=appointment_id, by=by_of(call))
    return await _answer(call, view)


@router.post("/appointments/{appointment_id}/cancel")
async def cancel(appointment_id: UUID, body: CancellationCreate, call: AnyCall) -> AppointmentView:
    """Cancel an appointment; the policy says whether the customer does so too late."""
    view = await appointments.cancel_appointment(
        call.uow(), appointment_id=appointment_id, body=body, by=by_of(call), cipher=known_cipher(call.runtime)
    )
    return await _answer(call, view)
