"""Escalation among the other services: time is sla-clock's, tickets are tickets'."""

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
