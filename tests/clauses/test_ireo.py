"""The clauses of IREO, seen from outside over HTTP. Madrid is UTC+2 in summer, UTC+1 in winter."""

import pytest
from harness import DeskUnderTest, House, clock_of
from mails import known_contact, post, write


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


async def test_ire_17_a_feature_request_is_passed_to_the_manufacturer_and_its_answer_back(desk: DeskUnderTest) -> None:
    contract = await signed(desk, "standard")
    ticket = await desk.open_ticket(contract, facts={"type": "feature_request", "impact": "question"})
    path = f"/v1/tickets/{ticket['ticket_id']}"
    assert ticket["team"] == "vendor_liaison"
    assert "resolution" not in {clock["kind"] for clock in ticket["clocks"]}
    await desk.admin.refused(409, "POST", f"{path}/vendor-answers", json={"text": "no hay referencia aún"})

    await desk.admin.ok("POST", f"{path}/vendor-references", json={"vendor": "Fabricante", "reference": "FR-2231"})
    await desk.admin.ok("POST", f"{path}/waits", json={"cause": "vendor", "reason": "FR-2231"})
    answered = await desk.admin.ok("POST", f"{path}/vendor-answers", json={"text": "Prevista para la versión 9"})
    await desk.admin.ok("POST", f"{path}/vendor-releases", json={"version": "9.0"})
    await desk.settled()

    assert answered["waits"] == []
    customer = await desk.key("requester", customer_id=contract["customer_id"])
    (known,) = await customer.ok("GET", f"{path}/vendor-references")
    assert (known["reference"], known["answer"], known["released_version"]) == (
        "FR-2231",
        "Prevista para la versión 9",
        "9.0",
    )
    messages = (await desk.admin.ok("GET", "/v1/messages", params={"ticket": ticket["ticket_id"]}))["items"]
    told = {message["template"]: message["body"] for message in messages}
    assert "FR-2231" in told["vendor_answer"]
    assert "FR-2231" in told["vendor_release"]


async def test_ire_08_four_severities_drive_the_priority(desk: DeskUnderTest) -> None:
    contract = await signed(desk, "plus")
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "email"}

    for impact, severity in (("stopped", "1"), ("degraded", "2"), ("limited", "3"), ("question", "4")):
        ticket = await desk.admin.ok("POST", "/v1/tickets", json=body | {"facts": {"impact": impact}})
        assert (ticket["severity"], ticket["priority"]) == (severity, f"{severity}-plus")


async def test_ire_14_the_severity_is_provisional_until_the_call_and_the_clock_runs_from_the_report(
    house: House,
) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")  # Monday, 10:00 in Madrid
    ticket = await desk.open_ticket(await signed(desk, "plus"), facts={"suggested_severity": "1"})
    due_at = clock_of(ticket, "first_response")["due_at"]
    assert (ticket["severity"], ticket["severity_confirmed"]) == ("1", False)
    path = f"/v1/tickets/{ticket['ticket_id']}"

    await desk.advance(to="2026-05-04T08:20:00Z")
    wrong = await desk.admin.refused(409, "POST", f"{path}/confirmations", json={"channel": "email"})
    confirmed = await desk.admin.ok("POST", f"{path}/confirmations", json={"channel": "phone"})
    await desk.settled()

    assert wrong["clause"] == "IRE-14"
    assert (confirmed["severity"], confirmed["severity_confirmed"]) == ("1", True)
    assert clock_of(await desk.ticket(ticket), "first_response")["due_at"] == due_at == "2026-05-04T09:00:00Z"
    entries = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
    times = {entry["kind"]: entry["occurred_at"] for entry in entries}
    assert times["severity_provisional"] == "2026-05-04T08:00:00Z"
    assert times["severity_confirmed"] == "2026-05-04T08:20:00Z"
    again = await desk.admin.refused(409, "POST", f"{path}/confirmations", json={"channel": "phone"})
    assert again["type"] == "urn:plazo:problem:nothing-to-confirm"


async def test_ire_15_standard_takes_calls_for_severity_1_and_2_only(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")
    contract = await signed(desk, "standard")
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "phone"}

    problem = await desk.admin.refused(403, "POST", "/v1/tickets", json=body | {"facts": {"impact": "limited"}})
    taken = await desk.admin.ok("POST", "/v1/tickets", json=body | {"facts": {"impact": "degraded"}})

    assert problem["clause"] == "IRE-15"
    (kept,) = (await desk.admin.ok("GET", "/v1/quarantine"))["items"]
    assert (kept["reason"], kept["clauses"], kept["channel"]) == ("phone_not_included", ["IRE-15"], "phone")
    assert (taken["severity"], taken["severity_confirmed"]) == ("2", None)  # told by phone, it needs no other call


async def test_ire_16_professional_services_are_excluded_and_routed(desk: DeskUnderTest) -> None:
    contract = await signed(desk, "vip")
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "email"}

    for category in ("implementation", "travel", "training"):
        ticket = await desk.admin.ok("POST", "/v1/tickets", json=body | {"facts": {"category": category}})
        coverage = ticket["coverage"]
        assert (coverage["covered"], coverage["clauses"]) == (False, ["IRE-16"])
        assert coverage["route"] == "professional_services"
    await desk.settled()
    last = await desk.ticket(ticket)
    assert (last["team"], last["clocks"]) == ("professional_services", [])


async def test_ire_18_unsupported_changes_void_support_of_that_product_from_a_date(desk: DeskUnderTest) -> None:
    await desk.publish("ireo")
    contract = await desk.customer("ireo", plan="plus", products=["sage", "netsuite"])
    before = await desk.open_ticket(contract, facts={"product": "sage"})
    path = f"/v1/contracts/{contract['contract_id']}/voids"

    await desk.admin.ok("POST", path, json={"product": "sage", "from": "2026-05-04", "reason": "cambios en la base"})
    await desk.settled()

    known = await desk.ticket(before)
    after = await desk.open_ticket(contract, facts={"product": "sage"})
    other = await desk.open_ticket(contract, facts={"product": "netsuite"})
    assert [one["coverage"]["covered"] for one in (known, after, other)] == [False, False, True]
    assert known["coverage"]["clauses"] == after["coverage"]["clauses"] == ["IRE-18"]
    assert after["clocks"] == []
    assert {clock["state"] for clock in known["clocks"]} == {"cancelled"}


async def test_ire_05_preventive_consulting_draws_on_bags_of_hours_and_of_workdays(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T07:00:00Z")
    contract = await signed(desk, "vip")
    listed = await desk.admin.ok("GET", "/v1/accounts", params={"contract": contract["contract_id"]})
    accounts = {one["name"]: one["account_id"] for one in listed["items"]}
    for name, quantity in (("preventive_hours", 10), ("preventive_workdays", 5)):
        grant = {"quantity": quantity, "reason": "compra"}
        await desk.admin.ok("POST", f"/v1/accounts/{accounts[name]}/grants", json=grant)
    facts = {"category": "preventive_consulting"}
    by_hour = await desk.open_ticket(contract, facts=facts)
    by_day = await desk.open_ticket(contract, facts=facts | {"consulting_in": "workdays"})
    await desk.advance(to="2026-05-04T16:00:00Z")

    for ticket, minutes in ((by_hour, 95), (by_day, 200)):
        body = {"ticket_id": ticket["ticket_id"], "started_at": "2026-05-04T08:00:00Z", "minutes": minutes}
        await desk.admin.ok("POST", "/v1/work", json=body | {"description": "consultoría"})

    listed = await desk.admin.ok("GET", "/v1/accounts", params={"contract": contract["contract_id"]})
    left = {one["name"]: one["balance_text"]["es"] for one in listed["items"] if one["kind"] == "prepaid"}
    # 95 min are 2 h; 200 min are a workday of 8 h
    assert left == {"preventive_hours": "8 h", "preventive_workdays": "4 jornadas"}


async def test_ire_03_within_a_severity_vip_comes_before_plus_before_standard(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")
    await desk.publish("ireo")
    contracts = [await desk.customer("ireo", plan=plan) for plan in ("standard", "vip", "plus")]
    opened = [
        await desk.open_ticket(contract, facts={"impact": impact})
        for impact in ("limited", "stopped")  # severity 3, then 1
        for contract in contracts
    ]
    standard3, vip3, plus3, standard1, vip1, plus1 = [ticket["number"] for ticket in opened]

    queue = await desk.admin.ok("GET", "/v1/tickets", params={"order": "queue"})

    assert [one["number"] for one in queue["items"]] == [vip1, plus1, standard1, vip3, plus3, standard3]


async def test_ire_12_customer_sees_the_state_of_its_own_tickets_alone(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")
    contract = await signed(desk, "standard")
    mine = await desk.open_ticket(contract, facts={"impact": "limited"})
    theirs = await desk.open_ticket(await desk.customer("ireo", plan="standard"), facts={"impact": "limited"})
    portal = await desk.key("requester", customer_id=contract["customer_id"])

    listed = await portal.ok("GET", "/v1/tickets")

    assert [one["number"] for one in listed["items"]] == [mine["number"]]
    assert (await portal.ok("GET", f"/v1/tickets/{mine['ticket_id']}"))["state"] == mine["state"]
    await portal.refused(404, "GET", f"/v1/tickets/{theirs['ticket_id']}")
    assert await portal.ok("GET", "/v1/search", params={"q": theirs["number"]}) == []


async def test_ire_13_email_and_portal_register_without_a_hand(desk: DeskUnderTest) -> None:
    contract = await known_contact(desk, "ireo", plan="standard")
    requester = await desk.key("requester", customer_id=contract["customer_id"])

    mailed = await post(desk.admin, write(to="support@ireo.example.com"))
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "portal"}
    asked = await requester.ok("POST", "/v1/tickets", json=body)
    await desk.settled()

    assert mailed["outcome"] == "ticket_opened"
    tickets = [await desk.ticket(one) for one in (mailed, asked)]
    assert [ticket["channel"] for ticket in tickets] == ["email", "portal"]
    assert all(clock_of(ticket, "first_response")["state"] == "running" for ticket in tickets)


async def test_ire_06_a_missed_objective_is_never_credited(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T08:00:00Z")
    contract = await signed(desk, "standard")
    ticket = await desk.open_ticket(contract, facts={"impact": "stopped"})

    await desk.advance(to="2026-06-01T08:00:00Z")

    assert clock_of(await desk.ticket(ticket), "first_response")["state"] == "breached"
    assert (await desk.admin.ok("GET", "/v1/service-credits", params={"ticket": ticket["ticket_id"]}))["items"] == []
    statement = await desk.admin.ok("GET", f"/v1/statements/{contract['contract_id']}/2026-05")
    assert (statement["credits"], [one for one in statement["accounts"] if one["credited"]]) == ([], [])
