"""Tickets go to who is there: by calendar, absence, room and policy."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from integration.escalation.alone import MONDAY, Desk

from plazo.events import sla_clock, tickets

# The desk stands at Monday, 4 May 2026, 13:00 UTC: 08:00 in Lima, where service opens.
IN_FORCE = {"plan_in_force": True}
LATER = MONDAY + timedelta(hours=3)


async def holder(desk: Desk, ticket: UUID) -> str | None:
    """Return the name of who has a ticket."""
    name: str | None = (await desk.assignments(ticket))[-1]["agent_name"]
    return name


async def look_again(desk: Desk, ticket: UUID) -> sla_clock.TimerFired:
    """Say that the instant has come that was asked for last."""
    asked = (await desk.events("timer.requested.v1", about=ticket))[-1]["data"]
    event = sla_clock.TimerFired(
        timer_id=UUID(asked["timer_id"]), requested_by="escalation", due_at=asked["start"], context=asked["context"]
    )
    await desk.hear(event, about=ticket, at=event.due_at)
    return event


async def opened(desk: Desk, **given: Any) -> UUID:
    return await desk.ticket("prodequa", given.pop("facts", IN_FORCE), **given)


async def test_a_ticket_out_of_hours_waits_for_who_opens_first(own_desk: Desk) -> None:
    await own_desk.publish("prodequa")
    service = {"policy": "prodequa", "calendar": "service"}
    late = {"timezone": "America/Lima", "hours": {"mon-fri": ["10:00-18:00"]}}
    await own_desk.agent("ana", "support", calendar=service)
    await own_desk.agent("luis", "support", calendar=late)

    # 04:00 in Lima on Tuesday
    ticket = await opened(own_desk, opened_at=MONDAY + timedelta(hours=20))

    assert await holder(own_desk, ticket) is None
    fired = await look_again(own_desk, ticket)
    assert fired.due_at == MONDAY + timedelta(days=1)  # 08:00 in Lima
    assert await holder(own_desk, ticket) == "ana"
    last = (await own_desk.assignments(ticket))[-1]
    assert (last["reason"], last["assigned_at"]) == ("agent_available", "2026-05-05T13:00:00Z")
    # In hours there is nothing to wait for, and who is not there yet is passed over.
    assert await holder(own_desk, await opened(own_desk)) == "ana"


async def test_an_absence_hands_over_what_lies_there_as_it_begins(own_desk: Desk) -> None:
    ana = await own_desk.agent("ana", "support")
    ticket = await opened(own_desk)
    await own_desk.agent("luis", "support")
    path = f"/v1/agents/{ana['agent_id']}/absences"

    plan = {"from": "2026-05-04T16:00:00Z", "until": "2026-05-06T13:00:00Z", "reason": "vacaciones"}
    absence = await own_desk.clients["agent"].ok("POST", path, json=plan)

    assert await holder(own_desk, ticket) == "ana"
    fired = await look_again(own_desk, ticket)
    assert (await holder(own_desk, ticket), fired.due_at) == ("luis", LATER)
    # Somebody away is not chosen, however little lies there.
    assert await holder(own_desk, await opened(own_desk, opened_at=LATER)) == "luis"
    assert (await own_desk.admin.ok("GET", path))["items"] == [absence]
    await own_desk.admin.refused(422, "POST", path, json={"until": "2026-05-01T00:00:00Z"})


async def test_an_absence_from_now_on_hands_over_at_once_and_its_end_gives_what_waits(own_desk: Desk) -> None:
    ana = await own_desk.agent("ana", "support")
    ticket = await opened(own_desk)
    path = f"/v1/agents/{ana['agent_id']}/absences"

    absence = await own_desk.admin.ok("POST", path, json={"reason": "enferma"})

    assert await holder(own_desk, ticket) is None
    assert [one["is_available"] for one in (await own_desk.admin.ok("GET", "/v1/load"))["agents"]] == [False]
    await own_desk.admin.ok("POST", f"{path}/{absence['absence_id']}/end")
    assert await holder(own_desk, ticket) == "ana"
    await own_desk.admin.refused(404, "POST", f"{path}/{absence['absence_id']}/end")


async def test_who_leaves_leaves_nothing_behind(own_desk: Desk) -> None:
    ana = await own_desk.agent("ana", "support")
    ticket = await opened(own_desk)
    luis = await own_desk.agent("luis", "support")

    left = await own_desk.admin.ok("POST", f"/v1/agents/{ana['agent_id']}/leave")

    assert (left["active"], left["open_tickets"]) == (False, 0)
    assert await holder(own_desk, ticket) == "luis"
    given = {"agent_id": luis["agent_id"], "reason": "conoce el producto"}
    made = await own_desk.clients["agent"].ok("POST", f"/v1/assignments/{ticket}/handover", json=given)
    assert (made["agent_id"], made["note"]) == (luis["agent_id"], "conoce el producto")
    await own_desk.admin.refused(
        409, "POST", f"/v1/assignments/{ticket}/handover", json={"agent_id": ana["agent_id"], "reason": "x"}
    )


async def test_teams_of_one_name_are_of_their_policies(own_desk: Desk) -> None:
    """`support` of two providers is not the same people."""
    await own_desk.agent("ana", "prodequa/support")
    await own_desk.agent("eva", "ireo/support")

    mine, theirs = await opened(own_desk), await own_desk.ticket("prodequa", {"plan_in_force": False})

    assert [await holder(own_desk, one) for one in (mine, theirs)] == ["ana", None]
    load = (await own_desk.admin.ok("GET", "/v1/load"))["teams"]
    assert [(one["policy"], one["team"], one["open_tickets"], one["agents"]) for one in load] == [
        ("prodequa", "renewals", 1, 0),
        ("ireo", "support", 0, 1),
        ("prodequa", "support", 1, 1),
    ]


async def test_whoever_has_room_again_gets_the_first_of_the_queue(own_desk: Desk) -> None:
    """IRE-03: VIP before Plus before Standard."""
    await own_desk.agent("ana", "support", capacity=1)
    first = await own_desk.ticket("ireo", {"severity": "1", "priority": "1-standard"})
    waiting = {
        plan: await own_desk.ticket("ireo", {"severity": "1", "priority": f"1-{plan}"})
        for plan in ("standard", "plus", "vip")
    }
    assert await holder(own_desk, first) == "ana"

    order = []
    current = first
    while len(order) < 3:
        await own_desk.hear(tickets.TicketClosed(reason="confirmed"), about=current, at=LATER)
        (plan,) = [one for one in waiting if one not in order and await holder(own_desk, waiting[one])]
        order.append(plan)
        current = waiting[plan]

    assert order == ["vip", "plus", "standard"]


async def test_the_load_says_what_is_broken_and_what_is_due_next(own_desk: Desk) -> None:
    await own_desk.agent("ana", "support", capacity=5)
    broken, running = await opened(own_desk), await opened(own_desk)
    await own_desk.breach(broken, "first_response", at=LATER)
    for ticket, hours in ((broken, 9), (running, 5)):
        due_at = MONDAY + timedelta(hours=hours)
        clock = own_desk.clock(ticket, "resolution", due_at=due_at, state="running", breached_at=None)
        await own_desk.hear(sla_clock.ClockStarted(ticket_id=ticket, clock=clock), about=ticket)

    load = await own_desk.admin.ok("GET", "/v1/load")

    (team,), (ana,) = load["teams"], load["agents"]
    for one in (team, ana):
        assert (one["open_tickets"], one["breached"], one["next_due_at"], one["capacity"]) == (
            2,
            1,
            "2026-05-04T18:00:00Z",
            5,
        )
    assert (team["available"], team["unassigned"]) == (1, 0)


async def test_a_calendar_that_is_none_is_refused(own_desk: Desk) -> None:
    await own_desk.publish("prodequa")
    body = {"name": "Ana", "email": "ana@example.com"}
    for calendar, pointer in (
        ({"policy": "prodequa", "calendar": "nights"}, "/calendar/calendar"),
        ({"policy": "nobody", "calendar": "service"}, "/calendar/policy"),
        ({"timezone": "Moon/Base", "hours": {"mon": ["09:00-17:00"]}}, "/calendar/timezone"),
    ):
        problem = await own_desk.admin.refused(422, "POST", "/v1/agents", json={**body, "calendar": calendar})
        assert [one["pointer"] for one in problem["errors"]] == [pointer]
