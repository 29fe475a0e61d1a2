"""Desk and customer agree to meet, and do so, or not."""

from datetime import timedelta
from typing import Any

from faults.offices import Office


async def meet(office: Office) -> None:
    """Agree on an appointment; the ticket may wait for it."""
    if case := office.case(wanted=lambda one: one.is_open):
        await office.settle()  # a receipt that is on its way acknowledges nothing once the ticket waits
        starts = office.now + timedelta(minutes=office.draw.choice((5, 90, 1500)))
        body = {
            "starts_at": starts.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "ends_at": (starts + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            # It waits for one at a time: of two at one instant nobody could say which it waits for.
            "wait": office.draw.random() < 0.5 and all(one is not case for _, one in office.meetings),
        }
        agreed = await office.send("meet", f"/v1/tickets/{case.ticket_id}/appointments", body)
        if agreed.is_accepted:
            office.meetings.append((agreed.answer["appointment_id"], case))
            if body["wait"]:
                case.state, case.waits = "waiting", {*case.waits, "agreed_window"}


async def say_what_became(office: Office) -> None:
    """They met, or the customer was absent, or one of them cancelled; said again, it is refused."""
    if not office.meetings:
        await meet(office)
        return
    meeting_id, case = office.draw.choice(office.meetings[-3:])
    what, who = office.draw.choice((("kept", "desk"), ("no-show", "desk"), ("cancel", "desk"), ("cancel", "customer")))
    token = office.requesters[case.contract_id] if who == "customer" else None
    body: dict[str, Any] | None = {"reason": "no puede ser"} if what == "cancel" else None
    said = await office.send("met", f"/v1/appointments/{meeting_id}/{what}", body, token=token, who=who)
    if said.is_accepted:
        await office.settle()  # it may be charged
