"""The clauses of IREO, seen from outside over HTTP. Madrid is UTC+2 in summer, UTC+1 in winter."""

import pytest
from harness import DeskUnderTest, House, clock_of


async def signed(desk: DeskUnderTest, plan: str) -> dict:
    """Publish the policy and sign a contract."""
    await desk.publish("ireo")
    return await desk.customer("ireo", plan=plan)


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        # Thursday 16:00 to 17:30 is 1 h 30; Friday 1 May is a holiday; Monday from 09:00 another 6 h 30.
        pytest.param("2026-04-30T14:00:00Z", "2026-05-04T13:30:00Z", id="over 1 May"),
        # Friday 8 May 10:00 to 14:00 is 4 h; Monday from 09:00 another 4 h.
        pytest.param("2026-05-08T08:00:00Z", "2026-05-11T11:00:00Z", id="over a short Friday"),
        # Thursday 14 May 15:00 to 17:30 is 2 h 30; San Isidro, 15 May, is closed in Madrid; Monday 5 h 30 from 09:00.
        pytest.param("2026-05-14T13:00:00Z", "2026-05-18T12:30:00Z", id="over San Isidro"),
    ],
)
async def test_ire_01_standard_hours_and_madrid_holidays(house: House, opened: str, due: str) -> None:
    desk = await house.new_desk(at=opened)
    contract = await signed(desk, "standard")

    ticket = await desk.open_ticket(contract, facts={"impact": "limited"})  # severity 3: 8 h

    assert ticket["severity"] == "3"
    assert clock_of(ticket, "first_response")["due_at"] == due


async def test_ire_02_plus_runs_until_eight_in_the_evening(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T16:00:00Z")  # Monday, 18:00
    contract = await signed(desk, "plus")

    ticket = await desk.open_ticket(contract, facts={"impact": "stopped"})  # severity 1: 1 h

    assert clock_of(ticket, "first_response")["due_at"] == "2026-05-04T17:00:00Z"


async def test_ire_02_by_phone_outside_hours_severity_2_is_taken_and_3_is_refused(house: House) -> None:
    desk = await house.new_desk(at="2026-05-09T10:00:00Z")  # Saturday
    contract = await signed(desk, "plus")
    call = {"contract_id": contract["contract_id"], "subject": "Avería", "description": "Avería", "channel": "phone"}

    refused = await desk.admin.refused(403, "POST", "/v1/tickets", json=call | {"facts": {"impact": "limited"}})
    taken = await desk.admin.ok("POST", "/v1/tickets", json=call | {"facts": {"impact": "degraded"}})

    assert refused["clause"] == "IRE-02"
    assert taken["severity"] == "2"
    kept = await desk.admin.ok("GET", "/v1/quarantine")
    assert [(one["reason"], one["clauses"]) for one in kept["items"]] == [("outside_hours", ["IRE-02"])]


async def test_ire_04_vip_severity_1_runs_on_christmas_day(house: House) -> None:
    desk = await house.new_desk(at="2026-12-25T02:00:00Z")  # 03:00 in Madrid
    contract = await signed(desk, "vip")

    ticket = await desk.open_ticket(contract, facts={"impact": "stopped"})

    # 03:00 + 1 h, + 4 h
    assert clock_of(ticket, "first_response")["due_at"] == "2026-12-25T03:00:00Z"
    assert clock_of(ticket, "resolution")["due_at"] == "2026-12-25T06:00:00Z"


async def test_ire_06_targets_are_objectives_and_tracked(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")
    contract = await signed(desk, "standard")
    ticket = await desk.open_ticket(contract, facts={"impact": "stopped"})

    await desk.advance(to="2026-05-04T10:00:00Z")

    clock = clock_of(await desk.ticket(ticket), "first_response")
    assert clock["commitment"] == "objective"
    # 10:00 in Madrid + 1 h
    assert (clock["state"], clock["breached_at"]) == ("breached", "2026-05-04T09:00:00Z")


async def test_ire_07_time_stops_outside_service_hours(house: House) -> None:
    desk = await house.new_desk(at="2026-05-02T10:00:00Z")  # Saturday, and a holiday in Madrid
    contract = await signed(desk, "standard")

    ticket = await desk.open_ticket(contract, facts={"impact": "stopped"})

    # Nothing counts until Monday 09:00; + 1 h.
    assert clock_of(ticket, "first_response")["due_at"] == "2026-05-04T08:00:00Z"


async def test_ire_09_priority_follows_from_plan_and_severity(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")
    contract = await signed(desk, "vip")
    ticket = await desk.open_ticket(contract, facts={"impact": "limited"})

    problem = await desk.admin.refused(
        422, "PATCH", f"/v1/tickets/{ticket['ticket_id']}", json={"facts": {"priority": "P1"}}
    )
    raised = await desk.admin.ok("PATCH", f"/v1/tickets/{ticket['ticket_id']}", json={"facts": {"impact": "stopped"}})

    assert problem["errors"][0]["pointer"] == "/facts/priority"
    assert raised["severity"] == "1"
    assert raised["priority"] != ticket["priority"]


async def test_ire_10_receipt_is_confirmed_with_date_description_and_number(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")
    contract = await signed(desk, "standard")

    ticket = await desk.open_ticket(contract, description="El informe no incluye a todos", facts={"impact": "limited"})

    messages = await desk.admin.ok("GET", "/v1/messages", params={"ticket": ticket["ticket_id"]})
    (receipt,) = [message for message in messages["items"] if message["template"] == "receipt"]
    assert ticket["number"] in receipt["subject"]
    assert "El informe no incluye a todos" in receipt["body"]
    assert "2026" in receipt["body"]
    assert "IRE-10" in receipt["clauses"]


async def test_ire_11_closing_is_notified_by_email(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")
    contract = await signed(desk, "standard")
    ticket = await desk.open_ticket(contract, facts={"impact": "limited"})
    path = f"/v1/tickets/{ticket['ticket_id']}"

    await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Corregido"})
    await desk.admin.ok("POST", f"{path}/closings", json={"reason": "confirmed"})
    await desk.settled()

    messages = await desk.admin.ok("GET", "/v1/messages", params={"ticket": ticket["ticket_id"]})
    (closed,) = [message for message in messages["items"] if message["template"] == "closed"]
    assert closed["channel"] == "email"
    assert "IRE-11" in closed["clauses"]


async def test_ire_19_compliance_is_reported_with_cause_and_measure_of_each_miss(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")
    contract = await signed(desk, "standard")
    kept, missed = [await desk.open_ticket(contract, facts={"impact": "stopped"}) for _ in range(2)]
    await desk.admin.ok("POST", f"/v1/tickets/{kept['ticket_id']}/replies", json={"text": "Lo miramos"})
    await desk.settled()
    await desk.advance(to="2026-05-04T10:00:00Z")  # an hour after both were due
    broken = clock_of(await desk.ticket(missed), "first_response")
    review = {"cause": "sin guardia", "corrective_action": "guardia los lunes"}

    await desk.admin.ok("POST", f"/v1/clocks/{broken['clock_id']}/review", json=review)
    report = await desk.admin.ok("GET", "/v1/compliance?from=2026-05-01&until=2026-06-01")

    (group,) = [group for group in report["groups"] if group["kind"] == "first_response"]
    assert (group["plan"], group["severity"], group["commitment"]) == ("standard", "1", "objective")
    assert (group["met"], group["missed"], group["decided"], group["percentage"]) == (1, 1, 2, 50.0)
    (miss,) = group["misses"]
    assert (miss["number"], miss["cause"], miss["corrective_action"]) == (missed["number"], *review.values())
    behind = await desk.admin.ok("GET", group["promises"]["met"])
    assert [one["number"] for one in behind["items"]] == [kept["number"]]
