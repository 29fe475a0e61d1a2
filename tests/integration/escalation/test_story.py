"""Escalation among the other services: time is sla-clock's, tickets are tickets'."""

from typing import Any
from uuid import UUID

import asyncpg
from harness import DeskUnderTest, eventually
from mails import post, write

from escalation.repository.askers import forget_passed_over
from plazo.policies import policy_text


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


async def test_a_step_raises_the_severity_tells_the_customer_and_is_acknowledged_by_mail(desk: DeskUnderTest) -> None:
    """Minor: first response within 16 h. A step of the breach makes it critical and tells the customer's own people."""
    first = "    - when: {trigger: breach, kind: first_response, severity: critical}\n"
    steps = "{to_severity: critical, notify: [manager, customer_administrator]}"
    when = "{trigger: breach, kind: first_response, severity: minor}"
    rule = f"    - {{when: {when}, steps: [{steps}], clause: EXP-17}}\n"
    document = policy_text("expande").replace(first, rule + first)
    await desk.admin.ok("POST", "/v1/policies", json={"document": document})
    contract = await desk.customer("expande", plan="basic", segment="cinema", language="en")
    boss = {"name": "Eva", "emails": ["eva@example.com"], "role": "administrator", "language": "en"}
    await desk.admin.ok("POST", "/v1/contacts", json={"customer_id": contract["customer_id"]} | boss)
    manager = {"name": "mara", "email": "mara@example.com", "roles": ["manager"]}
    await desk.admin.ok("POST", "/v1/agents", json=manager)
    ticket = await desk.open_ticket(contract)
    assert ticket["severity"] == "minor"

    await desk.advance(to="2026-05-06T13:00:00Z")

    assert (await desk.ticket(ticket))["severity"] == "critical"
    listed = (await desk.admin.ok("GET", f"/v1/escalations?ticket={ticket['ticket_id']}"))["items"]
    breach = next(one for one in listed if one["trigger"] == "breach" and one["kind"] == "first_response")
    (step,) = breach["steps"]
    assert step["to_severity"] == "critical"
    told = {one["address"]: one for one in step["notified"]}
    assert told.keys() == {"mara@example.com", "eva@example.com"}

    # A correction of the facts may raise it, never lower it again.
    facts = {"facts": {"suggested_severity": "minor"}}
    await desk.admin.ok("PATCH", f"/v1/tickets/{ticket['ticket_id']}", json=facts)
    await desk.settled()
    assert (await desk.ticket(ticket))["severity"] == "critical"

    # Only who was told can answer it; whoever else knows the id is kept in quarantine.
    async def reply(sender: str) -> dict[str, Any]:
        answers = {"In-Reply-To": f"<{told['mara@example.com']['message_id']}@example.com>"}
        taken = await post(desk.admin, write(sender=sender, message_id=sender, headers=answers))
        await desk.settled()
        return taken

    assert (await reply("mallory@example.com"))["outcome"] == "kept"
    path = f"/v1/escalations/{breach['escalation_id']}"
    assert (await desk.admin.ok("GET", path))["acknowledged_by"] is None
    assert (await reply("mara@example.com"))["reason"] == "answer_to_notice"
    assert (await desk.admin.ok("GET", path))["acknowledged_by"] == "mara@example.com"


async def test_who_may_not_ask_any_more_has_nothing_escalated(desk: DeskUnderTest) -> None:
    """EXP-01."""
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    ticket = await desk.open_ticket(contract, channel="portal")
    about = {"customer_id": contract["customer_id"], "name": "Luis", "emails": ["luis@example.com"]}
    luis = await desk.admin.ok("POST", "/v1/contacts", json=about | {"authorized": True})
    his = await desk.key("requester", contact_id=luis["contact_id"])
    # Without the reason that the step needs, so that who may ask is told that and the ticket stays where it is.
    request = {"ticket_id": ticket["ticket_id"], "trigger": "customer_request"}

    await his.refused(422, "POST", "/v1/escalations", json=request)
    await desk.admin.ok("POST", f"/v1/contacts/{luis['contact_id']}/withdrawals", json={})
    await desk.settled()
    problem = await his.refused(403, "POST", "/v1/escalations", json=request)
    reply = await his.refused(403, "POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "sí"})
    assert problem["type"] == "urn:plazo:problem:contact-not-authorized"
    assert [problem[name] for name in ("type", "detail", "clause")] == [
        reply[name] for name in ("type", "detail", "clause")
    ]
    customers = await desk.key("requester", customer_id=contract["customer_id"])
    await customers.ok("POST", "/v1/escalations", json=request | {"reason": "no avanza"})

    # A version of this service that kept only administrators had passed over what was announced of the others.
    runtime = desk.house.runtime("escalation")
    await runtime.database.system.execute("DELETE FROM asker WHERE contact_id = $1", UUID(luis["contact_id"]))
    await his.refused(422, "POST", "/v1/escalations", json=request)
    assert await forget_passed_over(runtime.database.system) >= 1
    missed = runtime.consumers["tickets"].missed
    assert missed is not None
    missed._compare_at = 0.0

    async def is_known() -> list[asyncpg.Record]:
        return await desk.house.fetch("escalation", "SELECT FROM asker WHERE contact_id = $1", UUID(luis["contact_id"]))

    await eventually(is_known)
    await desk.settled()
    await his.refused(403, "POST", "/v1/escalations", json=request)
    assert await forget_passed_over(runtime.database.system) == 0
