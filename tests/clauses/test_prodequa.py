"""The clauses of PRODEQUA, seen from outside over HTTP. Lima is UTC-5 all year."""

import pytest
from harness import DeskUnderTest, House, clock_of
from mails import known_contact, post, write

from plazo.policies import policy_text


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


async def test_pro_01_an_open_ticket_keeps_the_version_it_opened_under(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    contract = await signed(desk)
    old = await desk.open_ticket(contract, facts={"out_of_service": True})
    text = policy_text("prodequa").replace('version: "2017-01"', 'version: "2026-05"', 1)
    text = text.replace("effective_from: 2017-01-01", "effective_from: 2026-05-05", 1)
    text = text.replace("severity: 1}, first_response: 6h", "severity: 1}, first_response: 2h", 1)
    await desk.admin.ok("POST", "/v1/policies", json={"document": text})

    await desk.advance(to="2026-05-05T14:00:00Z")
    new = await desk.open_ticket(contract, facts={"out_of_service": True})

    old = await desk.ticket(old)
    assert (old["policy_version"], new["policy_version"]) == ("2017-01", "2026-05")
    assert clock_of(old, "first_response")["target"] == "6h"
    # 09:00 in Lima + 2 h
    assert clock_of(new, "first_response")["due_at"] == "2026-05-05T16:00:00Z"


async def test_pro_19_resolved_is_closed_when_the_customer_confirms(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract)
    path = f"/v1/tickets/{ticket['ticket_id']}"
    customer = await desk.key("requester", customer_id=contract["customer_id"])
    await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Reinstalado"})

    refused = await desk.admin.refused(409, "POST", f"{path}/closings", json={"reason": "confirmed"})
    closed = await customer.ok("POST", f"{path}/closings", json={"reason": "confirmed"})

    assert (refused["type"], refused["clause"]) == ("urn:plazo:problem:confirmation-missing", "PRO-19")
    assert (closed["state"], closed["closed_for"]) == ("closed", "confirmed")

    other = await desk.open_ticket(contract)
    path = f"/v1/tickets/{other['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Reinstalado"})
    told = {"reason": "confirmed", "confirmed_by": "Ana", "channel": "phone"}
    assert (await desk.admin.ok("POST", f"{path}/closings", json=told))["state"] == "closed"


async def test_pro_20_after_three_attempts_on_business_days_and_the_wait_it_is_closed(house: House) -> None:
    desk = await house.new_desk(at="2026-04-29T15:00:00Z")  # Wednesday, 10:00 in Lima
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract)
    path = f"/v1/tickets/{ticket['ticket_id']}"
    call = {"channel": "phone", "result": "no_answer", "closes_at": "2026-05-08T23:00:00Z"}
    await desk.admin.refused(409, "POST", f"{path}/attempts", json=call)  # nothing is awaited yet
    await desk.admin.ok("POST", f"{path}/waits", json={"cause": "customer", "reason": "faltan los registros"})

    silent = await desk.admin.refused(
        422, "POST", f"{path}/attempts", json={"channel": "phone", "result": "no_answer"}
    )  # it says how long until the closing
    # Friday 1 May is a holiday, 2 May a Saturday: neither counts.
    for day in ("2026-04-30", "2026-05-01", "2026-05-02", "2026-05-04", "2026-05-06"):
        await desk.advance(to=f"{day}T15:00:00Z")
        tried = await desk.admin.ok("POST", f"{path}/attempts", json=call)
        if day == "2026-05-04":
            refused = await desk.admin.refused(409, "POST", f"{path}/closings", json={"reason": "abandoned"})

    assert (silent["clause"], silent["errors"][0]["pointer"]) == ("PRO-20", "/closes_at")
    assert (refused["clause"], refused["attempts"], refused["required"]) == ("PRO-20", 2, 3)
    made = await desk.admin.ok("GET", f"{path}/attempts")
    assert [(one["attempt"], one["not_counted_for"]) for one in made] == [
        (1, None),
        (None, "closed_day"),
        (None, "closed_day"),
        (2, None),
        (3, None),
    ]
    # Wednesday 6 May and two business days: Friday, 18:00.
    assert tried["attempts"] == {"made": 3, "closes_at": "2026-05-08T23:00:00Z"}
    await desk.advance(to="2026-05-08T22:59:00Z")
    assert (await desk.ticket(ticket))["state"] == "waiting"
    await desk.advance(to="2026-05-09T15:00:00Z")
    closed = await desk.ticket(ticket)
    assert (closed["state"], closed["closed_for"], closed["closed_at"]) == (
        "closed",
        "abandoned",
        "2026-05-08T23:00:00Z",
    )
    timeline = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
    (end,) = [entry["data"] for entry in timeline if entry["kind"] == "closed"]
    assert (end["clauses"], [one["made_at"] for one in end["attempts"]]) == (
        ["PRO-20"],
        ["2026-04-30T15:00:00Z", "2026-05-04T15:00:00Z", "2026-05-06T15:00:00Z"],
    )
    messages = await desk.admin.ok("GET", "/v1/messages", params={"ticket": ticket["ticket_id"]})
    told = [message["body"] for message in messages["items"] if message["template"] == "attempt"]
    assert len(told) == 3
    assert all("08/05/2026 18:00" in body for body in told)


async def test_pro_02_three_kinds_of_contract(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    path = f"/v1/contracts/{contract['contract_id']}"
    request = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "email"}

    for arrangement, until in (("plan", None), ("monthly", None), ("warranty", "2026-07-01")):
        await desk.admin.ok("PATCH", path, json={"arrangement": arrangement, "warranty_until": until})
        ticket = await desk.admin.ok("POST", "/v1/tickets", json=request)
        assert ticket["facts"]["arrangement"] == arrangement
        assert ticket["facts"]["warranty"] is (arrangement == "warranty")
    body = {"customer_id": contract["customer_id"], "policy": "prodequa", "plan": "basic", "valid_from": "2026-01-01"}
    await desk.admin.refused(422, "POST", "/v1/contracts", json=body | {"arrangement": "lease"})


async def test_pro_05_an_event_needs_an_open_purchase_order(desk: DeskUnderTest) -> None:
    contract = await signed(desk, plan="per_event", arrangement="per_event")
    order = {"number": "OC-2026-7", "valid_from": "2026-05-01", "events": 1}
    await desk.admin.ok("POST", f"/v1/contracts/{contract['contract_id']}/purchase-orders", json=order)
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "email"}

    none = await desk.admin.refused(403, "POST", "/v1/tickets", json=body)
    taken = await desk.admin.ok("POST", "/v1/tickets", json=body | {"purchase_order": "OC-2026-7"})
    used_up = await desk.admin.refused(403, "POST", "/v1/tickets", json=body | {"purchase_order": "OC-2026-7"})

    assert none["clause"] == used_up["clause"] == "PRO-05"
    assert taken["facts"]["purchase_order"] is True


async def test_pro_08_only_products_the_company_supplied(desk: DeskUnderTest) -> None:
    contract = await signed(desk, products=["erp"])

    ours = await desk.open_ticket(contract, facts={"product": "erp"})
    theirs = await desk.open_ticket(contract, facts={"product": "crm"})

    assert (ours["covered"], theirs["covered"], theirs["clocks"]) == (True, False, [])
    assert theirs["coverage"]["clauses"] == ["PRO-08"]
    assert "proporcionados por la empresa" in theirs["coverage"]["note"]["es"]


async def test_pro_09_on_renewal_the_ticket_is_released_and_its_clocks_start(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")  # Monday, 09:00 in Lima
    contract = await signed(desk, valid_until="2026-05-01")
    ticket = await desk.open_ticket(contract, facts={"out_of_service": True})
    assert (ticket["state"], ticket["team"]) == ("held", "renewals")

    await desk.advance(to="2026-05-04T16:00:00Z")
    renewal = {"valid_from": "2026-05-04", "valid_until": "2027-05-04"}
    await desk.admin.ok("POST", f"/v1/contracts/{contract['contract_id']}/renewals", json=renewal)
    await desk.settled()

    released = await desk.ticket(ticket)
    assert (released["state"], released["hold"]) == ("new", None)
    # 11:00 + 6 h
    assert clock_of(released, "first_response")["due_at"] == "2026-05-04T22:00:00Z"


async def test_pro_11_a_call_needs_an_existing_ticket(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "phone"}

    first = await desk.admin.refused(403, "POST", "/v1/tickets", json=body)
    mailed = await desk.open_ticket(contract)
    other = await desk.customer("prodequa", plan="basic")
    elsewhere = body | {"contract_id": other["contract_id"], "about_ticket": mailed["number"]}
    await desk.admin.refused(403, "POST", "/v1/tickets", json=elsewhere)  # it is another customer's
    called = await desk.admin.ok("POST", "/v1/tickets", json=body | {"about_ticket": mailed["number"]})

    assert first["clause"] == "PRO-11"
    assert called["facts"]["existing_ticket"] is True


async def test_pro_12_exclusions_name_the_next_step(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "email"}

    for facts in ({"category": "training"}, {"cause": "third_party"}):
        excluded = (await desk.admin.ok("POST", "/v1/tickets", json=body | {"facts": facts}))["coverage"]
        assert (excluded["covered"], excluded["clauses"], excluded["route"]) == (False, ["PRO-12"], None)
    ticket = await desk.open_ticket(contract, facts={"category": "business_consulting"})

    assert (ticket["coverage"]["clauses"], ticket["clocks"]) == (["PRO-12"], [])
    # An offer is the next step.
    assert "oferta" in ticket["coverage"]["note"]["es"]
    assert ticket["coverage"]["route"] == ticket["team"] == "consulting"


async def test_pro_21_the_contract_states_plan_validity_and_products(desk: DeskUnderTest) -> None:
    whole = await signed(desk, products=["erp"], valid_until="2027-01-01")
    partial = await desk.customer("prodequa", plan="basic")

    assert (whole["plan"], whole["valid_from"], whole["valid_until"]) == ("basic", "2020-01-01", "2027-01-01")
    assert (whole["products"], whole["unstated"]) == (["erp"], [])
    assert partial["unstated"] == ["products"]


async def log_work(desk: DeskUnderTest, ticket: dict, minutes: int, *, at: str = "2026-05-04T13:00:00Z") -> dict:
    """Log work on a ticket once it is done; returns its last charge."""
    body = {"ticket_id": ticket["ticket_id"], "started_at": at, "minutes": minutes, "description": "análisis"}
    done = await desk.admin.ok("POST", "/v1/work", json=body)
    charge: dict = done["charges"][-1]
    return charge


async def test_pro_03_work_is_free_within_the_warranty_and_charged_the_day_after(desk: DeskUnderTest) -> None:
    contract = await signed(desk, plan="basic", warranty_until="2026-05-05")  # exclusive
    within = await desk.open_ticket(contract)
    await desk.advance(to="2026-05-05T14:00:00Z")
    after = await desk.open_ticket(contract)
    await desk.advance(to="2026-05-05T16:00:00Z")

    free = await log_work(desk, within, 40)
    charged = await log_work(desk, after, 40, at="2026-05-05T14:00:00Z")

    assert (free["quantity"], free["reason"], free["clauses"]) == (0, "warranty", ["PRO-03"])
    assert (charged["quantity"], charged["unit"], charged["reason"]) == (40, "minute", None)


@pytest.mark.parametrize("cause", ["misuse", "third_party_change"])
async def test_pro_04_misuse_and_changes_by_others_are_charged_in_warranty_too(desk: DeskUnderTest, cause: str) -> None:
    contract = await signed(desk, plan="basic", warranty_until="2026-06-01")
    ticket = await desk.open_ticket(contract)
    await desk.advance(to="2026-05-04T15:00:00Z")
    free = await log_work(desk, ticket, 40)

    # The cause is found later: all work of the ticket is charged by it.
    await desk.admin.ok("PATCH", f"/v1/tickets/{ticket['ticket_id']}", json={"facts": {"cause": cause}})
    await desk.settled()

    (last,) = (await desk.ticket(ticket))["charges"][-1:]
    assert (free["quantity"], last["quantity"], last["clauses"]) == (0, 40, ["PRO-04"])


async def test_pro_05_an_update_takes_three_hours_and_a_month_has_its_hours(desk: DeskUnderTest) -> None:
    contract = await signed(desk, plan="per_event", arrangement="per_event")
    order = {"number": "OC-1", "valid_from": "2026-05-01", "events": 2}
    await desk.admin.ok("POST", f"/v1/contracts/{contract['contract_id']}/purchase-orders", json=order)
    tickets = [
        await desk.open_ticket(contract, facts=facts, purchase_order="OC-1") for facts in ({"type": "update"}, {})
    ]
    enterprise = await desk.customer("prodequa", plan="enterprise")
    await desk.advance(to="2026-05-04T15:00:00Z")

    # An update of 40 minutes takes three hours, another event one.
    assert [(await log_work(desk, ticket, 40))["quantity"] for ticket in tickets] == [180, 60]
    for signed_as, hours in ((enterprise, 40), (await desk.customer("prodequa", plan="basic"), 20)):
        accounts = await desk.admin.ok("GET", "/v1/accounts", params={"contract": signed_as["contract_id"]})
        assert [one["balance"] for one in accounts["items"]] == [60 * hours]


async def test_pro_07_beyond_the_months_hours_each_started_hour_is_charged_at_its_rate(desk: DeskUnderTest) -> None:
    rate = {"reference": "Anexo 1", "overage_rate": {"minor": 9000, "currency": "PEN"}}
    contract = await signed(desk, plan="basic", agreed=rate)
    ticket = await desk.open_ticket(contract)
    await desk.advance(to="2026-05-06T15:00:00Z")
    await log_work(desk, ticket, 19 * 60 + 30)

    charge = await log_work(desk, ticket, 95, at="2026-05-05T13:00:00Z")

    # 30 of 20 h are left; 65 minutes more are two started hours at 90.00 PEN
    assert (charge["quantity"], charge["unit"]) == (18000, "PEN")
    assert "PRO-07" in charge["clauses"]
    assert charge["explanation"]["en"].endswith("180.00 PEN overage at 90.00 PEN per 1 h")


async def test_pro_01_a_change_is_communicated_to_every_customer(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    await signed(desk)
    text = policy_text("prodequa").replace('version: "2017-01"', 'version: "2026-06"', 1)
    text = text.replace("effective_from: 2017-01-01", "effective_from: 2026-06-01", 1)
    text = text.replace("severity: 1}, first_response: 6h", "severity: 1}, first_response: 2h", 1)

    await desk.admin.ok("POST", "/v1/policies", json={"document": text})
    await desk.settled()

    (told,) = (await desk.admin.ok("GET", "/v1/messages"))["items"]
    assert (told["to"], told["template"], told["clauses"]) == ("cliente@example.com", "policy_changed", ["PRO-01"])
    assert told["body"].startswith("Rige desde el 01/06/2026: ")
    assert "6h" in told["body"]
    assert "2h" in told["body"]


async def test_pro_22_images_are_attached_and_credentials_are_shown_once_to_the_assignee(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    contract = await signed(desk)
    agent = {"name": "Luz", "email": "luz@example.com", "teams": ["support"], "levels": [1]}
    await desk.admin.ok("POST", "/v1/agents", json=agent)
    ticket = await desk.open_ticket(contract)
    path = f"/v1/tickets/{ticket['ticket_id']}"
    portal = await desk.key("requester", customer_id=contract["customer_id"])
    luz, ana = await desk.key("agent", label="Luz"), await desk.key("agent", label="Ana")

    file = {"file": ("captura.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "image/png")}
    image = await portal.ok("POST", f"{path}/attachments", files=file)
    secret = await portal.ok("POST", f"{path}/secrets", json={"label": "AnyDesk", "value": "483 221 904"})
    await portal.ok("POST", f"{path}/replies", json={"text": "Entren con 483 221 904", "channel": "email"})
    refused = await ana.refused(403, "POST", f"{path}/secrets/{secret['secret_id']}/reveal")
    shown = await luz.ok("POST", f"{path}/secrets/{secret['secret_id']}/reveal")
    again = await luz.refused(409, "POST", f"{path}/secrets/{secret['secret_id']}/reveal")
    await desk.settled()

    assert ticket["assignee"] == "Luz"
    assert (image["found_type"], image["is_suspect"]) == ("image/png", False)
    assert refused["clause"] == "PRO-22"
    assert shown["value"] == "483 221 904"
    assert "shown once" in again["detail"]
    for service in house.apps:
        events = await house.events(service, desk.desk_id)
        assert not [event["type"] for event in events if "483 221 904" in str(event["data"])]
    timeline = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
    assert "Entren con [secret 1]" in [entry["text"] for entry in timeline]


async def test_pro_22_credentials_are_erased_on_closing(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    ticket = await desk.open_ticket(await signed(desk))
    path = f"/v1/tickets/{ticket['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/secrets", json={"label": "AnyDesk", "value": "483 221 904"})

    await desk.admin.ok("POST", f"{path}/closings", json={"reason": "withdrawn"})

    [left] = await desk.admin.ok("GET", f"{path}/secrets")
    assert left["erased_at"] == "2026-05-04T14:00:00Z"


async def test_pro_10_a_request_by_email_gets_a_ticket(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    await known_contact(desk, "prodequa", plan="basic")

    mailed = await post(desk.admin, write(to="support@prodequa.example.com"))
    await desk.settled()

    assert mailed["outcome"] == "ticket_opened"
    ticket = await desk.ticket(mailed)
    assert (ticket["channel"], ticket["number"]) == ("email", mailed["number"])


async def test_pro_05_the_monthly_hours_stand_on_the_statement_and_what_is_left_expires(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract)
    work = {"ticket_id": ticket["ticket_id"], "started_at": "2026-05-04T12:00:00Z", "minutes": 90, "description": "x"}
    await desk.admin.ok("POST", "/v1/work", json=work)
    await desk.advance(to="2026-06-01T05:00:00Z")  # midnight in Lima

    may = await desk.admin.ok("GET", f"/v1/statements/{contract['contract_id']}/2026-05")

    (hours,) = [one for one in may["accounts"] if one["name"] == "main"]
    # 20 h are 1200 minutes: 90 used, 1110 left
    assert [hours[name] for name in ("opening", "granted", "used", "expired", "closing")] == [0, 1200, 90, 1110, 0]
    assert (may["state"], may["locale"], may["plan"]) == ("closed", "es_PE", "basic")


async def test_pro_21_the_statement_names_the_plan(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    page = await desk.admin.get(f"/v1/statements/{contract['contract_id']}/2026-05/page")
    assert "<dt>Plan</dt><dd>basic</dd>" in page.text


async def test_pro_13_every_problem_gets_a_ticket_and_the_least_loaded_consultant(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    contract = await signed(desk)
    for name in ("ana", "luz"):
        body = {"name": name, "email": f"{name}@example.com", "teams": ["prodequa/support"]}
        await desk.admin.ok("POST", "/v1/agents", json=body)

    opened = [await desk.open_ticket(contract) for _ in range(4)]

    assert [ticket["assignee"] for ticket in opened] == ["ana", "luz", "ana", "luz"]
    assert len({ticket["number"] for ticket in opened}) == 4
    load = (await desk.admin.ok("GET", "/v1/load"))["agents"]
    assert [(one["name"], one["open_tickets"]) for one in load] == [("ana", 2), ("luz", 2)]


async def test_pro_18_the_customer_asks_the_consultant_first_and_then_the_project_manager(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T14:00:00Z")
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract)
    customer = await desk.key("requester", customer_id=contract["customer_id"])
    request = {"ticket_id": ticket["ticket_id"], "trigger": "customer_request"}

    skipped = await customer.refused(409, "POST", "/v1/escalations", json=request | {"to_role": "project_manager"})
    first = await customer.ok("POST", "/v1/escalations", json=request)
    second = await customer.ok("POST", "/v1/escalations", json=request | {"to_role": "project_manager"})

    assert (skipped["clause"], skipped["type"]) == ("PRO-18", "urn:plazo:problem:escalation-step-skipped")
    assert [step["state"] for step in first["steps"]] == ["fired", "planned"]
    assert [(step["to_role"], step["state"]) for step in second["steps"]] == [
        ("consultant", "fired"),
        ("project_manager", "fired"),
    ]
    await customer.refused(409, "POST", "/v1/escalations", json=request)
