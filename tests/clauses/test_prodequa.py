"""The clauses of PRODEQUA, seen from outside over HTTP. Lima is UTC-5 all year."""

import pytest
from harness import DeskUnderTest, House, clock_of


async def signed(desk: DeskUnderTest, plan: str = "basic", **terms: object) -> dict:
    """Publish the policy and sign a contract."""
    await desk.publish("prodequa")
    return await desk.customer("prodequa", plan=plan, **terms)


@pytest.mark.parametrize(
    ("facts", "due"),
    [
        # Thursday 30 April, 20:00 in Lima: 4 h until midnight; Friday is a holiday, then the weekend; 2 h on Monday.
        pytest.param({"out_of_service": True}, "2026-05-04T07:00:00Z", id="severity 1: 6 h"),
        # 4 h on Thursday, 4 h on Monday
        pytest.param({"operational_impact": "significant"}, "2026-05-04T09:00:00Z", id="severity 2: 8 h"),
        # 4 h on Thursday, 20 h on Monday
        pytest.param({}, "2026-05-05T01:00:00Z", id="severity 3: 24 h"),
        # 4 h on Thursday, 24 h on Monday, 8 h on Tuesday
        pytest.param({"type": "suggestion"}, "2026-05-05T13:00:00Z", id="severity 4: 36 h"),
    ],
)
async def test_pro_14_response_counts_every_hour_of_business_days(house: House, facts: dict, due: str) -> None:
    desk = await house.new_desk(at="2026-05-01T01:00:00Z")
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, facts=facts)

    assert clock_of(ticket, "first_response")["due_at"] == due


async def test_pro_15_a_reply_stops_the_response_clock_and_an_internal_note_does_not(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract, facts={"out_of_service": True})
    path = f"/v1/tickets/{ticket['ticket_id']}/replies"

    await desk.advance(to="2026-05-04T15:00:00Z")
    await desk.admin.ok("POST", path, json={"text": "mirar los registros", "internal": True})
    await desk.settled()
    assert clock_of(await desk.ticket(ticket), "first_response")["state"] == "running"

    await desk.advance(to="2026-05-04T16:00:00Z")
    await desk.admin.ok("POST", path, json={"text": "Lo estamos viendo", "channel": "phone"})
    await desk.settled()
    clock = clock_of(await desk.ticket(ticket), "first_response")
    assert (clock["state"], clock["stopped_at"]) == ("met", "2026-05-04T16:00:00Z")


async def test_pro_16_no_resolution_clock_until_a_date_is_agreed(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract, facts={"out_of_service": True})
    assert {clock["kind"] for clock in ticket["clocks"]} == {"first_response"}

    due_at = "2026-05-08T22:00:00Z"
    await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/agreed-dates", json={"due_at": due_at})
    await desk.settled()

    assert clock_of(await desk.ticket(ticket), "agreed")["due_at"] == due_at


async def test_pro_23_a_changed_severity_recomputes_from_the_original_start(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")  # Monday, 09:00 in Lima
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract, facts={"operational_impact": "significant"})
    # 09:00 + 8 h
    assert clock_of(ticket, "first_response")["due_at"] == "2026-05-04T22:00:00Z"

    await desk.advance(to="2026-05-04T16:00:00Z")
    await desk.admin.ok("PATCH", f"/v1/tickets/{ticket['ticket_id']}", json={"facts": {"out_of_service": True}})
    await desk.settled()

    clock = clock_of(await desk.ticket(ticket), "first_response")
    # 09:00 + 6 h, from the opening and not from the change
    assert clock["due_at"] == "2026-05-04T20:00:00Z"
    history = await desk.admin.ok("GET", f"/v1/clocks/{clock['clock_id']}/history")
    assert "2026-05-04T22:00:00Z" in str(history)


async def test_pro_09_without_a_plan_in_force_the_ticket_is_kept_without_clocks(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    contract = await signed(desk, valid_until="2026-05-01")

    ticket = await desk.open_ticket(contract, facts={"out_of_service": True})

    assert ticket["state"] == "held"
    assert ticket["hold"] == {"reason": "no_contract", "clause": "PRO-09"}
    assert ticket["clocks"] == []


@pytest.mark.parametrize(
    ("channel", "clause"), [pytest.param("phone", "PRO-11", id="phone"), pytest.param("chat", "PRO-10", id="chat")]
)
async def test_pro_10_requests_come_by_email(house: House, channel: str, clause: str) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    contract = await signed(desk)
    body = {"contract_id": contract["contract_id"], "subject": "Falla", "description": "Falla", "channel": channel}

    problem = await desk.admin.refused(403, "POST", "/v1/tickets", json=body)
    when_mail_fails = await desk.admin.ok("POST", "/v1/tickets", json=body | {"facts": {"email_failure": True}})

    assert problem["clause"] == clause
    assert when_mail_fails["number"]


async def test_pro_06_service_hours_have_a_lunch_gap(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    await signed(desk)
    span = "from=2026-04-30T00:00:00Z&until=2026-05-05T05:00:00Z"

    hours = await desk.admin.ok("GET", f"/v1/calendars/prodequa/service/hours?{span}")

    # Thursday 30 April and Monday 4 May, 08:00-12:00 and 14:00-18:00; Friday 1 May is a holiday
    assert [(one["from"], one["until"]) for one in hours["items"]] == [
        ("2026-04-30T13:00:00Z", "2026-04-30T17:00:00Z"),
        ("2026-04-30T19:00:00Z", "2026-04-30T23:00:00Z"),
        ("2026-05-04T13:00:00Z", "2026-05-04T17:00:00Z"),
        ("2026-05-04T19:00:00Z", "2026-05-04T23:00:00Z"),
    ]
    question = {
        "calendar": {"policy": "prodequa", "calendar": "service"},
        "start": "2026-05-04T14:00:00Z",
        "target": "6h",
    }
    answer = await desk.admin.ok("POST", "/v1/deadlines", json=question)
    # 09:00 to 12:00 and 14:00 to 17:00
    assert answer["due_at"] == "2026-05-04T22:00:00Z"


async def test_pro_17_waiting_for_the_customer_lengthens_the_response(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract, facts={"out_of_service": True})
    path = f"/v1/tickets/{ticket['ticket_id']}"
    # 6 h
    assert clock_of(ticket, "first_response")["due_at"] == "2026-05-04T20:00:00Z"

    await desk.advance(to="2026-05-04T15:00:00Z")
    await desk.admin.ok("POST", f"{path}/waits", json={"cause": "customer", "reason": "faltan los registros"})
    await desk.settled()
    waiting = clock_of(await desk.ticket(ticket), "first_response")
    await desk.advance(to="2026-05-04T17:30:00Z")
    await desk.admin.ok("POST", f"{path}/waits/customer/end")
    await desk.settled()

    assert (waiting["state"], waiting["due_at"]) == ("paused", None)
    clock = clock_of(await desk.ticket(ticket), "first_response")
    # 6 h and the 2 h 30 of the wait
    assert (clock["state"], clock["due_at"]) == ("running", "2026-05-04T22:30:00Z")
    history = await desk.admin.ok("GET", f"/v1/clocks/{clock['clock_id']}/history")
    assert [(one["from"], one["until"], one["cause"]) for one in history["pauses"]] == [
        ("2026-05-04T15:00:00Z", "2026-05-04T17:30:00Z", "customer")
    ]
