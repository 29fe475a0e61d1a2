"""Escalation among the other services: time is sla-clock's, tickets are tickets'."""

from typing import Any

from harness import DeskUnderTest


async def test_a_missed_first_response_climbs_the_matrix_by_the_clock(desk: DeskUnderTest) -> None:
    """EXP-17. Monday 15:00 in Madrid; in English level 1 works around the clock, and must answer within 1 h."""
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic", segment="cinema", language="en")
    for name, team, roles in (("ana", "level_1_cinema", []), ("lea", "level_2", ["team_lead"])):
        body = {"name": name, "email": f"{name}@example.com", "teams": [team], "roles": roles}
        await desk.admin.ok("POST", "/v1/agents", json=body)
    ticket = await desk.open_ticket(contract, facts={"sales_impossible": True})
    assert (ticket["team"], ticket["level"], ticket["assignee"]) == ("level_1_cinema", 1, "ana")

    await desk.advance(to="2026-05-04T13:59:59Z")
    assert (await desk.ticket(ticket))["level"] == 1
    await desk.advance(to="2026-05-04T14:00:00Z")
    assert (await desk.ticket(ticket))["level"] == 2
    await desk.advance(to="2026-05-04T20:00:00Z")

    after = await desk.ticket(ticket)
    assert (after["team"], after["level"]) == ("level_3", 3)
    listed = (await desk.admin.ok("GET", f"/v1/escalations?ticket={ticket['ticket_id']}"))["items"]
    breach = next(one for one in listed if one["trigger"] == "breach" and one["kind"] == "first_response")
    # Due at 14:00, level 3 one hour later, although the clock was moved by six.
    assert [step["fired_at"] for step in breach["steps"]] == ["2026-05-04T14:00:00Z", "2026-05-04T15:00:00Z"]
    assert breach["state"] == "completed"


async def test_an_answer_stops_what_is_to_come(desk: DeskUnderTest) -> None:
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic", segment="cinema", language="en")
    ticket = await desk.open_ticket(contract, facts={"sales_impossible": True})
    await desk.advance(to="2026-05-04T14:30:00Z")

    reply = {"text": "We are on it.", "channel": "email"}
    await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json=reply)
    await desk.settled()
    await desk.advance(to="2026-05-04T16:00:00Z")

    listed = (await desk.admin.ok("GET", f"/v1/escalations?ticket={ticket['ticket_id']}&state=stopped"))["items"]
    assert [(one["kind"], one["end_reason"], one["ended_at"]) for one in listed] == [
        ("first_response", "clock.stopped", "2026-05-04T14:30:00Z")
    ]
    assert (await desk.ticket(ticket))["level"] == 2


async def test_a_storm_comes_as_one_message_when_its_window_ends(desk: DeskUnderTest) -> None:
    """First response is due within 1 h; a window is contract time, which the test clock moves."""
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic", segment="cinema", language="en")
    lead = {"name": "lea", "email": "lea@example.com", "teams": ["level_2"], "roles": ["team_lead"]}
    await desk.admin.ok("POST", "/v1/agents", json=lead)
    await desk.admin.ok("PUT", "/v1/channels/email", json={"every": "15m", "above": 0})
    tickets = [await desk.open_ticket(contract, facts={"sales_impossible": True}) for _ in range(2)]

    async def told(*states: str) -> list[dict[str, Any]]:
        listed = (await desk.admin.ok("GET", "/v1/messages?to=lea@example.com"))["items"]
        return [one for one in listed if one["state"] in states]

    await desk.advance(to="2026-05-04T13:29:59Z")
    assert await told("queued", "digested", "delivered") == []
    await desk.advance(to="2026-05-04T13:30:00Z")  # half of the hour
    held = await told("queued")
    await desk.advance(to="2026-05-04T13:44:59Z")
    assert await told("delivered") == []
    await desk.advance(to="2026-05-04T13:45:00Z")

    assert [one["template"] for one in held] == ["warned", "warned"]
    (digest,) = await told("delivered")
    assert digest["subject"] == "2 avisos"
    assert {one["digest_id"] for one in await told("digested")} == {digest["message_id"]}
    path = f"/v1/tickets/{tickets[0]['ticket_id']}/timeline"
    assert "notice_sent" in {entry["kind"] for entry in (await desk.admin.ok("GET", path))["items"]}
