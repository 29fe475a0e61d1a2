"""The test clock of a sandbox desk."""

import asyncio
from uuid import UUID, uuid4

import pytest
from harness import DeskUnderTest, House, clock_of

from plazo.runtime.service import Runtime
from sla_clock.repository.desks import hold_desk
from sla_clock.usecases import move_desk_clock as use_case


async def test_clock_moves_by_instant_and_by_length(desk: DeskUnderTest):
    path = f"/v1/desks/{desk.desk_id}/clock"
    assert await desk.admin.ok("GET", path) == {
        "desk_id": str(desk.desk_id), "sandbox": True, "clock_at": "2026-05-04T13:00:00Z",
    }  # fmt: skip
    assert (await desk.admin.ok("POST", path, json={"advance": "4h"}))["clock_at"] == "2026-05-04T17:00:00Z"
    assert (await desk.admin.ok("POST", path, json={"advance": "2 days"}))["clock_at"] == "2026-05-06T17:00:00Z"
    there = {"to": "2026-05-06T17:00:00Z"}
    assert (await desk.admin.ok("POST", path, json=there))["fired"] == 0  # there already
    for service in ("tickets", "sla_clock", "escalation", "billing"):
        rows = await desk.house.fetch(service, "SELECT clock_at FROM desk WHERE desk_id = $1", desk.desk_id)
        assert rows[0]["clock_at"].isoformat() == "2026-05-06T17:00:00+00:00", service


async def test_clock_refuses_what_makes_no_sense(desk: DeskUnderTest):
    path = f"/v1/desks/{desk.desk_id}/clock"
    back = await desk.admin.refused(409, "POST", path, json={"to": "2026-05-04T12:59:59Z"})
    assert back["type"] == "urn:plazo:problem:clock-goes-forward"
    await desk.admin.refused(422, "POST", path, json={})
    await desk.admin.refused(422, "POST", path, json={"to": "2026-05-05T00:00:00Z", "advance": "1h"})
    await desk.admin.refused(422, "POST", path, json={"advance": "1 business_day"})
    await desk.admin.refused(422, "POST", path, json={"advance": "-1h"})
    await desk.admin.refused(422, "POST", path, json={"advance": "100 days", "to": None, "by": 1})
    agent = await desk.key("agent")
    await agent.refused(403, "POST", path, json={"advance": "1h"})


async def test_live_desk_and_other_desks_cannot_be_moved(house: House, desk: DeskUnderTest):
    live = await house.new_desk(sandbox=False)
    problem = await live.admin.refused(409, "POST", f"/v1/desks/{live.desk_id}/clock", json={"advance": "1h"})
    assert problem["type"] == "urn:plazo:problem:desk-is-live"
    assert (await live.admin.ok("GET", f"/v1/desks/{live.desk_id}/clock"))["sandbox"] is False
    await live.admin.refused(404, "POST", f"/v1/desks/{desk.desk_id}/clock", json={"advance": "1h"})


async def test_repeated_request_leads_to_the_same_instant(desk: DeskUnderTest, ticket):
    path, key = f"/v1/desks/{desk.desk_id}/clock", {"Idempotency-Key": "once"}
    first = await desk.admin.ok("POST", path, json={"advance": "1h"}, headers=key)
    again = await desk.admin.ok("POST", path, json={"advance": "1h"}, headers=key)
    assert first == again == {"desk_id": str(desk.desk_id), "clock_at": "2026-05-04T14:00:00Z", "fired": 3}
    other = await desk.admin.refused(409, "POST", path, json={"advance": "2h"}, headers=key)
    assert other["type"] == "urn:plazo:problem:idempotency-key-reused"


async def test_request_that_broke_off_goes_on_where_it_stopped(desk: DeskUnderTest, ticket):
    path, key = f"/v1/desks/{desk.desk_id}/clock", {"Idempotency-Key": "broken"}
    call = asyncio.create_task(desk.admin.post(path, json={"advance": "1 day"}, headers=key))
    await asyncio.sleep(0.15)  # somewhere on the way
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    moved = await desk.admin.ok("POST", path, json={"advance": "1 day"}, headers=key)
    assert (moved["clock_at"], moved["fired"]) == ("2026-05-05T13:00:00Z", 6)
    breaches = await desk.house.events("sla_clock", desk.desk_id, "clock.breached.v1")
    assert len(breaches) == 2


async def test_one_request_at_a_time(house: House, desk: DeskUnderTest):
    path = f"/v1/desks/{desk.desk_id}/clock"
    async with hold_desk(house.settings["sla_clock"], desk.desk_id) as is_ours:
        assert is_ours
        problem = await desk.admin.refused(409, "POST", path, json={"advance": "1h"})
        assert problem["type"] == "urn:plazo:problem:clock-is-moving"
    await desk.admin.ok("POST", path, json={"advance": "1h"})


async def test_the_same_request_waits_for_the_attempt_that_is_under_way(house: House, desk: DeskUnderTest, ticket):
    path, key = f"/v1/desks/{desk.desk_id}/clock", {"Idempotency-Key": "sent twice"}
    answers = await asyncio.gather(
        *(desk.admin.ok("POST", path, json={"advance": "1 day"}, headers=key) for _ in range(3))
    )
    assert answers == [{"desk_id": str(desk.desk_id), "clock_at": "2026-05-05T13:00:00Z", "fired": 6}] * 3


async def test_who_has_lost_its_hold_takes_no_further_step(
    house: House, desk: DeskUnderTest, ticket, monkeypatch: pytest.MonkeyPatch
):
    settle = use_case._settle
    moved = "UPDATE desk SET clock_at = clock_at + interval '1 minute' WHERE desk_id = $1"

    async def settle_while_another_moves_the_clock(runtime: Runtime, desk_id: UUID) -> None:
        await settle(runtime, desk_id)
        await house.fetch("sla_clock", moved, desk_id)

    monkeypatch.setattr(use_case, "_settle", settle_while_another_moves_the_clock)
    problem = await desk.admin.refused(503, "POST", f"/v1/desks/{desk.desk_id}/clock", json={"advance": "1 day"})
    assert problem["type"] == "urn:plazo:problem:clock-still-moving"
    assert await house.events("sla_clock", desk.desk_id, "desk.clock_advanced.v1") == []


async def test_nothing_stays_behind_when_tickets_open_while_the_clock_moves(desk: DeskUnderTest, contract):
    body = {
        "contract_id": contract["contract_id"], "subject": "s", "description": "d", "channel": "email",
        "facts": {"impact": "stopped"},
    }  # fmt: skip
    opened, *_ = await asyncio.gather(
        asyncio.gather(*(desk.admin.ok("POST", "/v1/tickets", json=body) for _ in range(12))),
        desk.advance(to="2026-05-04T14:30:00Z"),
    )
    await desk.settled()
    behind = await desk.house.fetch(
        "sla_clock",
        "SELECT t.due_at FROM timer t JOIN desk d USING (desk_id) "
        "WHERE d.desk_id = $1 AND t.state = 'armed' AND t.due_at <= d.clock_at",
        desk.desk_id,
    )
    assert behind == []
    await desk.advance(to="2026-05-05T13:00:00Z")
    breaches = await desk.house.events("sla_clock", desk.desk_id, "clock.breached.v1")
    assert len(breaches) == 2 * len(opened)


async def test_at_the_end_of_time_promises_run_that_are_never_due(house: House):
    desk = await house.new_desk(at="2199-12-31T22:00:00Z")
    await desk.publish("ireo")
    contract = await desk.customer("ireo", plan="vip")
    ticket = await desk.open_ticket(contract, facts={"impact": "stopped"})
    # 1 h of 24x7 is left, 4 h are not
    first, resolution = clock_of(ticket, "first_response"), clock_of(ticket, "resolution")
    assert (first["state"], first["due_at"]) == ("running", "2199-12-31T23:00:00Z")
    assert (resolution["state"], resolution["due_at"], resolution["target"]) == ("running", None, "4h")
    path = f"/v1/clocks/{resolution['clock_id']}/explanation"
    told = await desk.admin.get(path, params={"language": "en"}, headers={"Accept": "text/plain"})
    assert "Due: never; the calendar does not have that much time of service before the year 2200" in told.text
    asked = {"policy": "ireo", "facts": {"impact": "stopped", "plan": "vip"}, "opened_at": "2199-12-31T22:00:00Z"}
    problem = await desk.admin.refused(422, "POST", "/v1/previews", json=asked)
    assert problem["type"] == "urn:plazo:problem:never-due"
    await desk.advance(to="2199-12-31T23:30:00Z")
    assert clock_of(await desk.ticket(ticket), "first_response")["state"] == "breached"
    await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/resolutions", json={"text": "Hecho"})
    await desk.settled()
    assert clock_of(await desk.ticket(ticket), "resolution")["state"] == "met"


async def test_the_clock_says_at_once_which_dead_letters_keep_it_from_moving(house: House, desk: DeskUnderTest, ticket):
    path = f"/v1/desks/{desk.desk_id}/clock"
    position = (
        "UPDATE inbox_position SET version = version + $2 WHERE producer = 'tickets' AND aggregate_id = $1",
        UUID(ticket["ticket_id"]),
    )
    system = house.runtime("escalation").database.system
    letter = uuid4()
    await system.execute(*position, -1)
    await system.execute(
        "INSERT INTO dead_letter "
        "(event_id, desk_id, producer, aggregate_id, aggregate_version, type, envelope, reason) "
        "VALUES ($1, $2, 'tickets', $3, 1, 'ticket.opened.v1', '{}', 'a test')",
        letter,
        desk.desk_id,
        UUID(ticket["ticket_id"]),
    )
    begun = asyncio.get_running_loop().time()
    problem = await desk.admin.refused(409, "POST", path, json={"advance": "1h"})
    assert asyncio.get_running_loop().time() - begun < 5
    assert problem["type"] == "urn:plazo:problem:desk-has-dead-letters"
    assert "1 of escalation (GET /escalation/v1/dead-letters)" in problem["detail"]
    assert problem["dead_letters"] == [
        {"service": "escalation", "open": 1, "path": "/escalation/v1/dead-letters"},
    ]
    await system.execute("UPDATE dead_letter SET state = 'discarded' WHERE event_id = $1", letter)
    await system.execute(*position, 1)
    assert (await desk.admin.ok("POST", path, json={"advance": "1h"}))["clock_at"] == "2026-05-04T14:00:00Z"
