"""The clauses of eXpande, seen from outside over HTTP. Valencia is UTC+2 in summer."""

import pytest
from harness import DeskUnderTest, House, clock_of


async def signed(desk: DeskUnderTest, **customer: object) -> dict:
    """Publish the policy and sign a contract."""
    await desk.publish("expande")
    return await desk.customer("expande", plan="basic", **customer)


@pytest.mark.parametrize(
    ("minutes", "severity"), [pytest.param(45, "minor", id="45 min"), pytest.param(46, "semi_critical", id="46 min")]
)
async def test_exp_03_a_partial_interruption_counts_from_over_45_minutes(
    desk: DeskUnderTest, minutes: int, severity: str
) -> None:
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="portal", facts={"partial_interruption_minutes": minutes})

    assert ticket["severity"] == severity
    decisions = await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/decisions")
    (decision,) = [one for one in decisions if one["about"] == "severity"]
    assert decision["clauses"] == ["EXP-03"]
    assert decision["rule"] is not None


@pytest.mark.parametrize("cause", ["provider_decision"])
async def test_exp_04_a_deliberate_decision_of_the_provider_is_out_of_coverage(desk: DeskUnderTest, cause: str) -> None:
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="portal", facts={"sales_impossible": True, "cause": cause})

    assert not ticket["covered"]
    assert ticket["clocks"] == []
    decisions = await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/decisions")
    assert ("out_of_coverage", ["EXP-04"]) in [(one["value"], one["clauses"]) for one in decisions]


async def test_exp_11_language_alone_changes_the_deadline(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    await desk.advance(to="2026-05-04T14:30:00Z")  # Monday, 16:30 in Valencia

    spanish = await desk.open_ticket(contract, channel="portal", language="es", facts={"sales_impossible": True})
    english = await desk.open_ticket(contract, channel="portal", language="en", facts={"sales_impossible": True})

    # Around the clock: 16:30 + 1 h = 17:30.
    assert clock_of(english, "first_response")["due_at"] == "2026-05-04T15:30:00Z"
    # 08:00-17:00: 30 min on Monday, 30 min on Tuesday from 08:00.
    assert clock_of(spanish, "first_response")["due_at"] == "2026-05-05T06:30:00Z"
    assert clock_of(spanish, "first_response")["clauses"] == ["EXP-11"]


async def test_exp_12_cloud_servers_run_around_the_clock_whatever_the_language(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    await desk.advance(to="2026-05-09T20:00:00Z")  # Saturday, 22:00

    ticket = await desk.open_ticket(contract, channel="portal", facts={"component": "cloud", "server_down": True})

    # 22:00 + 1 h, + 4 h
    assert clock_of(ticket, "first_response")["due_at"] == "2026-05-09T21:00:00Z"
    assert clock_of(ticket, "resolution")["due_at"] == "2026-05-10T00:00:00Z"


async def test_exp_17_a_breach_moves_the_ticket_up_by_the_matrix(desk: DeskUnderTest) -> None:
    contract = await signed(desk, segment="cinema")
    ticket = await desk.open_ticket(contract, channel="portal", facts={"sales_impossible": True})
    assert (ticket["level"], ticket["team"]) == (1, "level_1_cinema")

    # Opened Monday 15:00 in Valencia, first response due at 16:00; level 3 an hour after that.
    await desk.advance(to="2026-05-04T14:00:00Z")
    second = await desk.ticket(ticket)
    assert (second["level"], second["team"]) == (2, "level_2")

    await desk.advance(to="2026-05-04T15:00:00Z")
    third = await desk.ticket(ticket)
    assert (third["level"], third["team"]) == (3, "level_3")
    first_response = [one for one in third["escalations"] if one["trigger"] == "breach"]
    assert first_response[0]["clauses"] == ["EXP-17"]


@pytest.mark.parametrize(
    ("segment", "team"),
    [("cinema", "level_1_cinema"), ("theater", "level_1_shows"), ("promoter", "level_1_shows")],
)
async def test_exp_18_the_segment_decides_which_partner_answers(desk: DeskUnderTest, segment: str, team: str) -> None:
    contract = await signed(desk, segment=segment)

    ticket = await desk.open_ticket(contract, channel="portal")

    assert ticket["team"] == team


async def test_exp_02_handling_time_ends_when_receipt_is_confirmed(desk: DeskUnderTest) -> None:
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="portal", facts={"sales_impossible": True})

    acknowledgement = clock_of(ticket, "acknowledgement")
    assert (acknowledgement["state"], acknowledgement["clauses"]) == ("met", ["EXP-11"])
    assert acknowledgement["stopped_at"] == ticket["opened_at"]
    assert clock_of(ticket, "first_response")["state"] == "running"


async def test_exp_02_handling_times_are_reported_per_period(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    await desk.open_ticket(contract, channel="portal", facts={"sales_impossible": True})

    report = await desk.admin.ok("GET", "/v1/compliance?from=2026-05-01&until=2026-06-01")

    (group,) = [group for group in report["groups"] if group["kind"] == "acknowledgement"]
    assert (group["met"], group["missed"], group["percentage"]) == (1, 0, 100.0)
    assert group["longest_seconds"] == 0  # confirmed at the instant of the opening


async def test_exp_05_monitoring_gives_the_availability_of_a_month(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    agreed = {"contract_id": contract["contract_id"], "agreed_percent": "99.9"}
    await desk.admin.ok("PUT", "/v1/availability/agreements", json=agreed)
    monitoring = await desk.key("integration")
    firing = {
        "status": "firing",
        "labels": {"alertname": "ShopDown", "contract_id": contract["contract_id"]},
        "annotations": {},
        "startsAt": "2026-05-04T13:00:00Z",
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": "5ef77f1f8a3ecb8d",
    }
    resolved = firing | {"status": "resolved", "endsAt": "2026-05-04T13:45:00Z"}

    for alert in (firing, firing, resolved):
        await monitoring.ok("POST", "/v1/outages/webhook", json={"version": "4", "alerts": [alert]})
    await desk.advance(to="2026-06-02T00:00:00Z")
    month = await desk.admin.ok("GET", f"/v1/availability?contract={contract['contract_id']}&month=2026-05")

    # 31 days in Valencia are 2,678,400 s; 45 min of them down; 99.9% would allow 2,678.4 s
    assert (month["total_seconds"], month["down_seconds"]) == (2_678_400, 2_700)
    assert (month["percentage"], month["agreed_percent"], month["met"]) == ("99.8991", "99.9", False)
    assert "EXP-05" in month["clauses"]
    assert len(month["outages"]) == 1


async def at_level_3(desk: DeskUnderTest, ticket: dict) -> dict:
    """Escalate a ticket from level 1 to level 3 by hand."""
    for _ in range(2):
        request = {"ticket_id": ticket["ticket_id"], "trigger": "agent_request", "reason": "requiere al nivel 3"}
        await desk.admin.ok("POST", "/v1/escalations", json=request)
        await desk.settled()
    read = await desk.ticket(ticket)
    assert read["level"] == 3
    return read


async def test_exp_13_level_3_keeps_short_fridays(house: House) -> None:
    desk = await house.new_desk(at="2026-05-08T12:00:00Z")  # Friday, 14:00
    ticket = await desk.open_ticket(await signed(desk), channel="portal", facts={"server_down": True})

    clock = clock_of(await at_level_3(desk, ticket), "resolution")

    # 4 h: Friday 14:00 to 15:00, then Monday from 09:30 to 12:30
    assert clock["due_at"] == "2026-05-11T10:30:00Z"
    assert clock["clauses"] == ["EXP-13"]


async def test_exp_14_stopped_sales_run_until_midnight_on_every_day(house: House) -> None:
    desk = await house.new_desk(at="2026-05-09T21:00:00Z")  # Saturday, 23:00
    ticket = await desk.open_ticket(await signed(desk), channel="portal", facts={"sales_impossible": True})

    third = await at_level_3(desk, ticket)

    # 1 h: from 23:00 to midnight
    assert clock_of(third, "first_response")["due_at"] == "2026-05-09T22:00:00Z"
    # 4 h: one of them on Saturday, three on Sunday from 10:00
    assert clock_of(third, "resolution")["due_at"] == "2026-05-10T11:00:00Z"
    assert clock_of(third, "resolution")["clauses"] == ["EXP-14"]


async def test_exp_16_customer_success_keeps_the_hours_and_holidays_of_the_customer(house: House) -> None:
    desk = await house.new_desk(at="2026-04-30T13:00:00Z")  # Thursday; 15:00 in Valencia, 08:00 in Lima
    await desk.publish("expande")
    request = {"channel": "portal", "facts": {"category": "customer_success"}}
    here = await desk.customer("expande", plan="enterprise_premium", timezone="Europe/Madrid", region="es-vc")
    there = await desk.customer("expande", plan="enterprise_premium", timezone="America/Lima")

    valencia = clock_of(await desk.open_ticket(here, **request), "first_response")
    lima = clock_of(await desk.open_ticket(there, **request), "first_response")

    # 8 h: Thursday 15:00 to 18:00; Friday 1 May is a holiday there; Monday 09:30 to 14:30
    assert valencia["due_at"] == "2026-05-04T12:30:00Z"
    # 8 h: Thursday 09:30 to 17:30 in Lima, UTC-5
    assert lima["due_at"] == "2026-04-30T22:30:00Z"
    assert valencia["clauses"] == lima["clauses"] == ["EXP-16"]
