"""The clauses of eXpande, seen from outside over HTTP. Valencia is UTC+2 in summer."""

import pytest
from harness import DeskUnderTest, House, clock_of
from mails import known_contact, post, write


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


async def test_exp_07_a_dossier_has_a_unique_number_and_records_every_intervention(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    tickets = [await desk.open_ticket(contract, channel="portal") for _ in range(2)]
    numbers = [ticket["number"] for ticket in tickets]
    assert len(set(numbers)) == 2
    assert all(number.startswith("EXP-") for number in numbers)
    path = f"/v1/tickets/{tickets[0]['ticket_id']}"

    await desk.admin.ok("POST", f"{path}/replies", json={"text": "Lo vemos"})
    await desk.admin.ok("POST", f"{path}/replies", json={"text": "ojo con el disco", "internal": True})
    await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Hecho"})
    await desk.admin.ok("POST", f"{path}/closings", json={"reason": "confirmed"})
    await desk.settled()

    entries = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
    kinds = [entry["kind"] for entry in entries]
    wanted = ["opened", "reply", "internal_note", "resolved", "closed"]
    assert [kind for kind in kinds if kind in wanted] == wanted
    assert {"assigned", "notified", "clock_started", "clock_stopped"} <= set(kinds)
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        answer = await desk.admin.request(method, f"{path}/timeline", json={"text": "nunca dicho"})
        assert answer.status_code == 405


async def person(desk: DeskUnderTest, contract: dict, **about: object) -> dict:
    """Register a contact of the contract's customer."""
    body = {"customer_id": contract["customer_id"], "name": "Ana"} | about
    return await desk.admin.ok("POST", "/v1/contacts", json=body)


async def test_exp_01_only_the_administrator_or_who_it_authorized_opens_incidents(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    boss = await person(desk, contract, role="administrator")
    luis = await person(desk, contract, name="Luis", emails=["luis@example.com"])
    boss_key = await desk.key("requester", contact_id=boss["contact_id"])
    luis_key = await desk.key("requester", contact_id=luis["contact_id"])
    body = {"contract_id": contract["contract_id"], "subject": "No vende", "description": "Nada", "channel": "portal"}

    problem = await luis_key.refused(403, "POST", "/v1/tickets", json=body)
    mail = body | {"channel": "email", "contact_email": "luis@example.com"}
    await desk.admin.refused(403, "POST", "/v1/tickets", json=mail)
    opened = await boss_key.ok("POST", "/v1/tickets", json=body)
    answer = f"/v1/tickets/{opened['ticket_id']}/replies"
    unanswered = await luis_key.refused(403, "POST", answer, json={"text": "Yo también"})

    assert unanswered["clause"] == "EXP-01"
    assert (problem["type"], problem["clause"]) == ("urn:plazo:problem:request-not-taken", "EXP-01")
    assert opened["number"]
    # Nothing is lost: both are kept, and the administrator releases the mail and authorizes its sender.
    refused, quarantined = (await boss_key.ok("GET", "/v1/quarantine"))["items"]
    assert (refused["outcome"], quarantined["outcome"]) == ("refused", "quarantined")
    await desk.advance(to="2026-05-04T14:00:00Z")
    path = f"/v1/quarantine/{quarantined['request_id']}/release"
    released = await boss_key.ok("POST", path, json={"authorize": True})
    ticket = await desk.admin.ok("GET", f"/v1/tickets/{released['ticket_id']}")
    assert (ticket["received_at"], ticket["opened_at"]) == ("2026-05-04T13:00:00Z", "2026-05-04T14:00:00Z")
    assert (await luis_key.ok("POST", "/v1/tickets", json=body))["contact_id"] == luis["contact_id"]
    await luis_key.ok("POST", answer, json={"text": "Yo también"})


async def test_exp_06_asking_for_premium_without_the_plan_has_no_effect(desk: DeskUnderTest) -> None:
    basic = await signed(desk)
    premium = await desk.customer("expande", plan="enterprise_premium")
    request = {"channel": "portal", "facts": {"sales_impossible": True}}

    plain = clock_of(await desk.open_ticket(basic, **request), "first_response")
    bought = clock_of(await desk.open_ticket(premium, **request), "first_response")
    asked = {"channel": "portal", "facts": {"sales_impossible": True, "category": "customer_success"}}
    wished = clock_of(await desk.open_ticket(basic, **asked), "first_response")

    assert (plain["target"], bought["target"], wished["target"]) == ("1h", "30m", "1h")
    assert (bought["clauses"], wished["clauses"]) == (["EXP-06"], plain["clauses"])
    body = {"contract_id": basic["contract_id"], "subject": "a", "description": "b", "facts": {"plan": "premium"}}
    problem = await desk.admin.refused(422, "POST", "/v1/tickets", json=body)
    assert problem["errors"][0]["pointer"] == "/facts/plan"  # nobody states a plan; the contract does


async def excluded(desk: DeskUnderTest, category: str, clause: str) -> None:
    """Open a ticket of a category outside the agreement, and see that it is kept, answered and without clocks."""
    ticket = await desk.open_ticket(await signed(desk), channel="portal", facts={"category": category})

    assert (ticket["clocks"], ticket["coverage"]["covered"]) == ([], False)
    assert ticket["coverage"]["clauses"] == [clause]
    assert set(ticket["coverage"]["note"]) == {"es", "en"}
    answered = await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "No es nuestro"})
    assert answered["state"] == "in_progress"


async def test_exp_09_third_party_connections_are_kept_and_answered_without_clocks(desk: DeskUnderTest) -> None:
    await excluded(desk, "third_party_integration", "EXP-09")


async def test_exp_15_peripherals_are_not_covered(desk: DeskUnderTest) -> None:
    await excluded(desk, "peripherals", "EXP-15")


async def test_exp_10_missing_diagnosis_steps_flag_the_ticket(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    tried = {"affected_users": True, "knowledge_base": True, "recreated": True}

    ticket = await desk.open_ticket(contract, channel="portal", checklist=tried | {"network_checked": False})

    assert (ticket["flags"], ticket["facts"]["checklist"]) == (["checklist_incomplete"], "incomplete")
    assert clock_of(ticket, "first_response")["state"] == "running"  # flagged, never lost
    path = f"/v1/tickets/{ticket['ticket_id']}"
    entries = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
    (lacking,) = [entry["data"] for entry in entries if entry["kind"] == "incomplete"]
    assert (lacking["checklist"], lacking["clauses"]) == (["network_checked"], ["EXP-10"])
    done = await desk.admin.ok("POST", f"{path}/completions", json={"checklist": {"network_checked": True}})
    assert (done["flags"], done["facts"]["checklist"]) == ([], "complete")


@pytest.mark.parametrize(
    ("checklist", "charged", "reason"),
    [
        pytest.param("incomplete", 60, None, id="not tried first"),
        pytest.param("complete", 0, "self_diagnosis_complete", id="tried first"),
    ],
)
async def test_exp_08_wrong_configuration_is_charged_unless_the_administrator_tried_first(
    desk: DeskUnderTest, checklist: str, charged: int, reason: str | None
) -> None:
    rate = {"reference": "Anexo 1", "rates": {"work": {"minor": 5000, "currency": "EUR"}}}
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic", agreed=rate)
    ticket = await desk.open_ticket(contract, channel="portal", facts={"checklist": checklist})
    facts = {"cause": "customer_configuration"}
    await desk.admin.ok("PATCH", f"/v1/tickets/{ticket['ticket_id']}", json={"facts": facts})
    await desk.settled()
    body = {"ticket_id": ticket["ticket_id"], "started_at": "2026-05-04T13:00:00Z", "minutes": 40}
    await desk.advance(to="2026-05-04T15:00:00Z")

    (charge,) = (await desk.admin.ok("POST", "/v1/work", json=body | {"description": "ayuda"}))["charges"]

    # 40 minutes are a started hour at 50.00 EUR
    assert (charge["charged_minutes"], charge["quantity"], charge["reason"]) == (charged, charged * 5000 // 60, reason)
    assert charge["clauses"] == ["EXP-08"]


async def test_exp_01_who_may_not_open_incidents_is_answered_and_the_administrator_is_told(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    await person(desk, contract, name="Luis", emails=["luis@example.com"])
    mail = {"contract_id": contract["contract_id"], "subject": "No vende", "description": "Nada", "channel": "email"}

    await desk.admin.refused(403, "POST", "/v1/tickets", json=mail | {"contact_email": "luis@example.com"})
    await desk.settled()

    told = (await desk.admin.ok("GET", "/v1/messages"))["items"]
    assert {one["to"] for one in told} == {"luis@example.com", "cliente@example.com"}
    assert all("Lo conservamos: No vende" in one["body"] and one["clauses"] == ["EXP-01"] for one in told)


async def test_exp_07_incident_is_a_dossier_with_its_number_in_which_every_intervention_stays(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    first, second = await desk.open_ticket(contract), await desk.open_ticket(contract)
    path = f"/v1/tickets/{first['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/replies", json={"text": "Lo miramos"})
    await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Reparado"})
    await desk.admin.ok("POST", f"{path}/closings", json={"reason": "confirmed"})
    await desk.settled()

    timeline = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
    verified = await desk.admin.ok("GET", f"{path}/timeline/verification")

    assert (first["number"], second["number"]) == ("EXP-1", "EXP-2")
    kinds = [entry["kind"] for entry in timeline]
    assert [kind for kind in kinds if kind in ("opened", "reply", "resolved", "closed")] == [
        "opened",
        "reply",
        "resolved",
        "closed",
    ]
    assert {"clock_started", "notified"} <= set(kinds)
    assert (verified["intact"], verified["entries"]) == (True, len(timeline))
    # No call alters it: there is none that takes an entry.
    document = (await desk.admin.get("/tickets/openapi.json")).json()
    writing = {"put", "patch", "delete", "post"}
    assert not [one for one, calls in document["paths"].items() if "timeline" in one and writing & calls.keys()]


async def test_exp_01_mail_of_who_may_not_open_incidents_is_kept_answered_and_released(desk: DeskUnderTest) -> None:
    contract = await known_contact(desk, "expande", plan="basic", authorized=False)

    kept = await post(desk.admin, write(to="support@expande.example.com", files={"log.txt": b"x"}))
    await desk.settled()

    assert (kept["outcome"], kept["clause"]) == ("kept", "EXP-01")
    answered = [one for one in (await desk.admin.ok("GET", "/v1/messages"))["items"] if one["to"] == "ana@example.com"]
    assert [one["clauses"] for one in answered] == [["EXP-01"]]
    path = f"/v1/quarantine/{kept['request_id']}/release"
    released = await desk.admin.ok("POST", path, json={"authorize": True})
    ticket = await desk.ticket(released)
    assert (ticket["contract_id"], ticket["channel"]) == (contract["contract_id"], "email")
    again = await post(desk.admin, write(to="support@expande.example.com", message_id="two@example.com"))
    assert again["outcome"] == "ticket_opened"
