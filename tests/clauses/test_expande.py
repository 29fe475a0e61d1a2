"""The clauses of eXpande, seen from outside over HTTP. Valencia is UTC+2 in summer."""

import pytest
from harness import DeskUnderTest, clock_of


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
