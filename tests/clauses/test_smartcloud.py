"""The clauses of SmartCloud Solutions, seen from outside over HTTP. Caracas is UTC-4 all year."""

import pytest
from harness import DeskUnderTest, clock_of
from mails import known_contact, post, write

OPENED_AT = "2026-05-04T13:00:00Z"  # Monday, 09:00 in Caracas


async def signed(desk: DeskUnderTest, *, units: int = 7, standing: str | None = None) -> dict:
    """Publish the policy and sign a contract with some units in its account."""
    await desk.publish("smartcloud")
    contract = await desk.customer("smartcloud", plan="dedicated")
    if units:
        await top_up(desk, contract, units)
    if standing:
        await set_standing(desk, contract, standing)
    return contract


async def top_up(desk: DeskUnderTest, contract: dict, units: int) -> None:
    """Add prepaid units."""
    account = await account_of(desk, contract)
    grant = {"quantity": units, "reason": "compra de unidades"}
    await desk.admin.ok("POST", f"/v1/accounts/{account['account_id']}/grants", json=grant)
    await desk.settled()


async def account_of(desk: DeskUnderTest, contract: dict) -> dict:
    """Return the contract's account."""
    accounts = await desk.admin.ok("GET", "/v1/accounts", params={"contract": contract["contract_id"]})
    (account,) = accounts["items"]
    return account


async def set_standing(desk: DeskUnderTest, contract: dict, standing: str) -> None:
    """Record whether the customer has paid."""
    body = {"contract_id": contract["contract_id"], "standing": standing, "reason": "factura de abril"}
    await desk.admin.ok("POST", "/v1/standings", json=body)
    await desk.settled()


async def work(desk: DeskUnderTest, ticket: dict, minutes: int, *, at: str = OPENED_AT) -> dict:
    """Log work on a ticket."""
    body = {"ticket_id": ticket["ticket_id"], "started_at": at, "minutes": minutes, "description": "diagnóstico"}
    charge = await desk.admin.ok("POST", "/v1/work", json=body)
    await desk.settled()
    return charge


async def open_p1(desk: DeskUnderTest, contract: dict, **ticket: object) -> dict:
    """Open a ticket of priority 1 through the portal."""
    return await desk.open_ticket(contract, channel="portal", facts={"business_impact": "material"}, **ticket)


async def test_sma_02_an_overdue_customers_ticket_is_held_and_released_on_payment(desk: DeskUnderTest) -> None:
    contract = await signed(desk, standing="overdue")

    held = await open_p1(desk, contract)

    assert held["state"] == "held"
    assert held["hold"] == {"reason": "overdue", "clause": "SMA-02"}
    assert held["clocks"] == []

    await desk.advance(to="2026-05-05T15:00:00Z")
    await set_standing(desk, contract, "good")
    released = await desk.ticket(held)

    assert released["state"] == "new"
    assert released["hold"] is None
    # Released on Tuesday at 15:00Z: 4 h of attention from there.
    assert clock_of(released, "first_response")["due_at"] == "2026-05-05T19:00:00Z"


async def test_sma_05_receipt_is_confirmed_to_the_customer(desk: DeskUnderTest) -> None:
    contract = await signed(desk)

    ticket = await open_p1(desk, contract, subject="El correo no sale", contact_email="ana@example.com")

    messages = await desk.admin.ok("GET", "/v1/messages", params={"ticket": ticket["ticket_id"]})
    (receipt,) = [message for message in messages["items"] if message["template"] == "receipt"]
    assert receipt["to"] == "ana@example.com"
    assert ticket["number"] in receipt["subject"]
    assert "El correo no sale" in receipt["body"]
    assert "SMA-05" in receipt["clauses"]


@pytest.mark.parametrize("facts", [{}, {"shared_responsibility": True}], ids=["by default", "shared responsibility"])
async def test_sma_09_agreed_priority_has_no_deadlines(desk: DeskUnderTest, facts: dict) -> None:
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="portal", facts=facts)

    assert ticket["priority"] == "agreed"
    assert ticket["clocks"] == []


@pytest.mark.parametrize(
    ("impact", "attention", "resolution"),
    [
        # 09:00 + 4 h, + 24 h
        pytest.param("material", "2026-05-04T17:00:00Z", "2026-05-05T13:00:00Z", id="P1"),
        # 09:00 + 24 h, + 48 h
        pytest.param("important", "2026-05-05T13:00:00Z", "2026-05-06T13:00:00Z", id="P2"),
        # 09:00 + 48 h, + 72 h
        pytest.param("moderate", "2026-05-06T13:00:00Z", "2026-05-07T13:00:00Z", id="P3"),
        pytest.param("slight", "2026-05-06T13:00:00Z", "2026-05-07T13:00:00Z", id="P4"),
    ],
)
async def test_sma_10_deadlines_count_from_the_registration(
    desk: DeskUnderTest, impact: str, attention: str, resolution: str
) -> None:
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="portal", facts={"business_impact": impact})

    assert clock_of(ticket, "first_response")["due_at"] == attention
    assert clock_of(ticket, "resolution")["due_at"] == resolution
    assert clock_of(ticket, "resolution")["clauses"] == ["SMA-10"]


async def test_sma_10_a_breach_is_dated_at_its_due_instant(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ticket = await open_p1(desk, contract)

    await desk.advance(to="2026-05-04T16:59:59Z")
    assert clock_of(await desk.ticket(ticket), "first_response")["state"] == "running"

    await desk.advance(to="2026-05-04T18:30:00Z")
    clock = clock_of(await desk.ticket(ticket), "first_response")
    assert clock["state"] == "breached"
    assert clock["breached_at"] == "2026-05-04T17:00:00Z"


async def test_sma_14_below_two_units_a_ticket_awaits_credit_and_starts_on_the_top_up(desk: DeskUnderTest) -> None:
    contract = await signed(desk, units=1)

    held = await open_p1(desk, contract)

    assert held["state"] == "held"
    assert held["hold"] == {"reason": "awaiting_credit", "clause": "SMA-14"}
    assert held["clocks"] == []

    await desk.advance(to="2026-05-06T13:00:00Z")
    await top_up(desk, contract, 1)  # 1 + 1 = 2 units: enough
    released = await desk.ticket(held)

    assert released["state"] == "new"
    assert clock_of(released, "first_response")["due_at"] == "2026-05-06T17:00:00Z"
    assert clock_of(released, "resolution")["due_at"] == "2026-05-07T13:00:00Z"


async def test_sma_16_five_minutes_are_charged_as_one_unit(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ticket = await open_p1(desk, contract)
    await desk.advance(to="2026-05-04T15:00:00Z")

    await work(desk, ticket, 5)

    assert (await account_of(desk, contract))["balance"] == 6
    (charge,) = (await desk.ticket(ticket))["charges"]
    assert (charge["worked_minutes"], charge["quantity"], charge["unit"]) == (5, 1, "credit_unit")
    assert "SMA-16" in charge["clauses"]


@pytest.mark.parametrize(
    ("entries", "units"),
    [
        pytest.param([60], 1, id="60 min"),
        pytest.param([61], 2, id="61 min"),
        pytest.param([119], 2, id="119 min"),
        pytest.param([120], 2, id="120 min"),
        pytest.param([121], 3, id="121 min"),
        # 20 + 20 + 20 = 60: one unit, not three
        pytest.param([20, 20, 20], 1, id="three of 20 min"),
        # 50 + 71 = 121
        pytest.param([50, 71], 3, id="50 and 71 min"),
    ],
)
async def test_sma_17_a_further_fraction_is_a_unit_over_the_whole_request(
    desk: DeskUnderTest, entries: list[int], units: int
) -> None:
    contract = await signed(desk)
    ticket = await open_p1(desk, contract)
    await desk.advance(to="2026-05-04T22:00:00Z")

    for number, minutes in enumerate(entries):
        await work(desk, ticket, minutes, at=f"2026-05-04T{13 + 2 * number}:00:00Z")

    charges = (await desk.ticket(ticket))["charges"]
    assert sum(charge["quantity"] for charge in charges) == units
    assert charges[-1]["total"] == units
    assert (await account_of(desk, contract))["balance"] == 7 - units


async def test_sma_07_communications_are_logged(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ticket = await open_p1(desk, contract)
    path = f"/v1/tickets/{ticket['ticket_id']}"
    customer = await desk.key("requester", customer_id=contract["customer_id"])
    await desk.admin.ok("POST", f"{path}/replies", json={"text": "Lo vemos", "channel": "phone"})
    await customer.ok("POST", f"{path}/replies", json={"text": "Sigue igual", "channel": "portal"})

    timeline = (await customer.ok("GET", f"{path}/timeline"))["items"]

    kinds = ("opened", "call", "customer_reply")
    said = [(one["kind"], one["text"], one["data"]["channel"]) for one in timeline if one["kind"] in kinds]
    assert said == [
        ("opened", "No arranca desde hoy", "portal"),
        ("call", "Lo vemos", "phone"),
        ("customer_reply", "Sigue igual", "portal"),
    ]


async def test_sma_11_a_resolution_has_a_kind_and_a_text(desk: DeskUnderTest) -> None:
    ticket = await open_p1(desk, await signed(desk))
    path = f"/v1/tickets/{ticket['ticket_id']}/resolutions"

    other = await desk.admin.refused(422, "POST", path, json={"kind": "fix", "text": "Hecho"})
    silent = await desk.admin.refused(422, "POST", path, json={"kind": "instructions"})
    resolved = await desk.admin.ok("POST", path, json={"kind": "instructions", "text": "Reinicie el servicio"})

    assert other["errors"] == [
        {"pointer": "/kind", "message": "expected one of description, instructions, accompaniment", "clause": "SMA-11"}
    ]
    assert silent["errors"][0]["pointer"] == "/text"
    assert (resolved["resolution"]["kind"], resolved["resolution"]["text"]) == ("instructions", "Reinicie el servicio")


async def test_sma_12_may_be_closed_after_two_unanswered_attempts(desk: DeskUnderTest) -> None:
    ticket = await open_p1(desk, await signed(desk))
    path = f"/v1/tickets/{ticket['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/waits", json={"cause": "customer", "reason": "falta el registro"})
    call = {"channel": "phone", "result": "no_answer"}

    await desk.admin.ok("POST", f"{path}/attempts", json=call)
    refused = await desk.admin.refused(409, "POST", f"{path}/closings", json={"reason": "abandoned"})
    await desk.admin.ok("POST", f"{path}/attempts", json=call)
    await desk.settled()
    assert (await desk.ticket(ticket))["state"] == "waiting"  # by hand alone
    closed = await desk.admin.ok("POST", f"{path}/closings", json={"reason": "abandoned"})

    assert (refused["clause"], refused["attempts"]) == ("SMA-12", 1)
    assert (closed["state"], closed["closed_for"]) == ("closed", "abandoned")


async def test_sma_13_the_customer_reopens_with_a_fresh_resolution_cycle(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ticket = await open_p1(desk, contract)
    path = f"/v1/tickets/{ticket['ticket_id']}"
    customer = await desk.key("requester", customer_id=contract["customer_id"])
    await desk.advance(to="2026-05-04T15:00:00Z")
    await desk.admin.ok("POST", f"{path}/resolutions", json={"kind": "description", "text": "Era el disco"})
    await desk.admin.ok("POST", f"{path}/closings", json={"reason": "confirmed"})
    await desk.advance(to="2026-05-06T13:00:00Z")

    await customer.ok("POST", f"{path}/reopenings", json={"reason": "volvió a fallar"})
    await desk.settled()

    reopened = await desk.ticket(ticket)
    assert (reopened["state"], reopened["cycle"]) == ("in_progress", 2)
    first, second = clock_of(reopened, "resolution", 1), clock_of(reopened, "resolution", 2)
    assert (first["state"], first["stopped_at"]) == ("met", "2026-05-04T15:00:00Z")
    # 24 h from the reopening
    assert (second["state"], second["due_at"]) == ("running", "2026-05-07T13:00:00Z")
    kinds = [one["kind"] for one in (await desk.admin.ok("GET", f"{path}/timeline"))["items"]]
    assert [kind for kind in kinds if kind in ("resolved", "closed", "reopened")] == ["resolved", "closed", "reopened"]


async def test_sma_15_a_further_request_is_a_linked_ticket_with_its_own_minimum(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ticket = await open_p1(desk, contract)
    path = f"/v1/tickets/{ticket['ticket_id']}"
    await desk.advance(to="2026-05-04T14:00:00Z")
    await work(desk, ticket, 5)

    body = {"subject": "Otra cosa", "description": "También el calendario", "channel": "portal"}
    further = await desk.admin.ok("POST", f"{path}/additional-requests", json=body)
    await desk.settled()
    await desk.advance(to="2026-05-04T14:30:00Z")
    await work(desk, further, 5, at="2026-05-04T14:10:00Z")

    (link,) = await desk.admin.ok("GET", f"{path}/links")
    assert (link["kind"], link["direction"], link["number"]) == ("additional_request", "in", further["number"])
    # 7 - 1 for the first - 1 for the second
    assert (await account_of(desk, contract))["balance"] == 5
    await desk.admin.ok("POST", f"{path}/resolutions", json={"kind": "description", "text": "Hecho"})
    other = {"reason": "ahora no imprime", "same_cause": False}
    another = await desk.admin.ok("POST", f"{path}/reopenings", json=other)
    assert another["number"] not in (ticket["number"], further["number"])
    assert (await desk.ticket(ticket))["state"] == "resolved"


async def test_sma_01_projects_go_to_professional_services_without_clocks(desk: DeskUnderTest) -> None:
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="portal", facts={"category": "project"})

    assert (ticket["team"], ticket["clocks"]) == ("professional_services", [])
    assert (ticket["coverage"]["covered"], ticket["coverage"]["clauses"]) == (False, ["SMA-01"])


async def test_sma_03_three_channels_and_authorized_addresses_only(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ana = {"customer_id": contract["customer_id"], "name": "Ana", "emails": ["ana@example.com"], "authorized": True}
    await desk.admin.ok("POST", "/v1/contacts", json=ana)
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b"}
    known = body | {"contact_email": "ana@example.com"}

    for channel in ("portal", "email", "adviser"):
        assert (await desk.admin.ok("POST", "/v1/tickets", json=known | {"channel": channel}))["contact_name"] == "Ana"
    for channel in ("chat", "phone"):
        problem = await desk.admin.refused(403, "POST", "/v1/tickets", json=known | {"channel": channel})
        assert problem["clause"] == "SMA-03"
    stranger = body | {"contact_email": "otro@example.com", "channel": "email"}
    assert (await desk.admin.refused(403, "POST", "/v1/tickets", json=stranger))["clause"] == "SMA-03"
    kept = (await desk.admin.ok("GET", "/v1/quarantine?outcome=quarantined"))["items"]
    assert [one["sender"] for one in kept] == ["otro@example.com"]


async def test_sma_04_missing_parts_are_flagged_and_asked_for(desk: DeskUnderTest) -> None:
    contract = await signed(desk)

    ticket = await desk.open_ticket(
        contract, channel="email", facts={"suggested_priority": "P2"}, parts={"expected_result": "Que salga"}
    )

    assert ticket["flags"] == ["parts_missing"]
    (event,) = await desk.house.events("tickets", desk.desk_id, "ticket.parts_missing.v1")
    assert (event["data"]["parts"], event["data"]["clauses"]) == (["category", "business_impact"], ["SMA-04"])
    assert event["data"]["missing"][0] == {"es": "Categoría", "en": "The category"}
    path = f"/v1/tickets/{ticket['ticket_id']}"
    stated = {"facts": {"category": "mail", "business_impact": "important"}}
    assert (await desk.admin.ok("PATCH", path, json=stated))["flags"] == []


async def test_sma_06_a_suggested_priority_is_verified_and_both_are_kept(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract, channel="portal", facts={"suggested_priority": "P1"})
    # suggested: 4 h
    assert (ticket["priority"], clock_of(ticket, "first_response")["due_at"]) == ("P1", "2026-05-04T17:00:00Z")
    path = f"/v1/tickets/{ticket['ticket_id']}"

    await desk.admin.ok("PATCH", path, json={"facts": {"business_impact": "important"}})
    await desk.settled()

    verified = await desk.ticket(ticket)
    # verified against the definitions: 24 h from the registration
    assert (verified["priority"], verified["facts"]["suggested_priority"]) == ("P2", "P1")
    assert clock_of(verified, "first_response")["due_at"] == "2026-05-05T13:00:00Z"
    decisions = await desk.admin.ok("GET", f"{path}/decisions")
    assert [one["value"] for one in decisions if one["about"] == "priority"] == ["P1", "P2"]


async def test_sma_20_what_the_customer_accepts_is_recorded_with_the_contract(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    assert contract["missing_acceptances"] == ["scope_of_change"]
    boss = {"customer_id": contract["customer_id"], "name": "Ana Pérez", "role": "administrator"}
    registered = await desk.admin.ok("POST", "/v1/contacts", json=boss)
    ana = await desk.key("requester", contact_id=registered["contact_id"])
    path = f"/v1/contracts/{contract['contract_id']}/acceptances"

    accepted = await ana.ok("POST", path, json={"name": "scope_of_change", "accepted_by": "Ana Pérez"})

    assert accepted["missing_acceptances"] == []
    (recorded,) = accepted["acceptances"]
    assert (recorded["accepted_by"], recorded["accepted_at"]) == ("Ana Pérez", "2026-05-04T13:00:00Z")


async def test_sma_18_on_site_work_takes_a_quote_that_the_customer_accepted(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ticket = await open_p1(desk, contract)
    customer = await desk.key("requester", customer_id=contract["customer_id"])
    visit = {"ticket_id": ticket["ticket_id"], "minutes": 90, "facts": {"location": "on_site"}}
    done = visit | {"started_at": "2026-05-05T13:00:00Z", "description": "visita"}
    offer = visit | {"description": "visita", "valid_until": "2026-05-06T13:00:00Z"}

    first, second = [
        await desk.admin.ok("POST", "/v1/quotes", json=offer | {"extra": {"minor": 4500, "currency": "USD"}})
        for _ in range(2)
    ]
    assert "2 of your 7 units" in first["explanation"]["en"]
    for quote in (first, second):
        await customer.ok("POST", f"/v1/quotes/{quote['quote_id']}/accept", json={})
    accounts = await desk.admin.ok("GET", "/v1/accounts", params={"contract": contract["contract_id"]})
    # 7 units, of which 2 are set aside for each
    assert {one["name"]: one["balance"] for one in accounts["items"]} == {"main": 3, "reserved": 4}

    await desk.advance(to="2026-05-05T15:00:00Z")
    problem = await desk.admin.refused(409, "POST", "/v1/work", json=done)
    charged = await desk.admin.ok("POST", "/v1/work", json=done | {"quote_id": first["quote_id"]})
    assert problem["clause"] == "SMA-18"
    assert {(one["unit"], one["quantity"]) for one in charged["charges"]} == {("credit_unit", 2), ("USD", 4500)}

    # What nobody used is free again when the quote ends.
    await desk.advance(to="2026-05-06T13:00:00Z")
    assert (await desk.admin.ok("GET", f"/v1/quotes/{second['quote_id']}"))["state"] == "expired"
    accounts = await desk.admin.ok("GET", "/v1/accounts", params={"contract": contract["contract_id"]})
    assert {one["name"]: one["balance"] for one in accounts["items"]} == {"main": 5, "reserved": 0, "owed": -4500}


async def test_sma_19_an_absent_customer_is_charged_the_minimum_once(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ticket = await open_p1(desk, contract)
    body = {"starts_at": "2026-05-04T14:00:00Z", "ends_at": "2026-05-04T15:00:00Z", "place": "remote"}
    appointment = await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/appointments", json=body)
    await desk.advance(to="2026-05-04T16:00:00Z")
    path = f"/v1/appointments/{appointment['appointment_id']}/no-show"

    await desk.admin.ok("POST", path)
    await desk.admin.refused(409, "POST", path)
    await desk.settled()

    assert (await account_of(desk, contract))["balance"] == 6
    (charge,) = (await desk.ticket(ticket))["charges"]
    assert (charge["quantity"], charge["clauses"]) == (1, ["SMA-19"])


async def test_sma_03_mail_from_an_authorized_address_opens_a_ticket_and_from_another_does_not(
    desk: DeskUnderTest,
) -> None:
    await known_contact(desk, "smartcloud", plan="dedicated")
    to = {"to": "servicedesk@smartcloud.example.com"}

    taken = await post(desk.admin, write(**to))
    kept = await post(desk.admin, write(**to, sender="otro@example.com", message_id="two@example.com"))

    assert taken["outcome"] == "ticket_opened"
    assert (kept["outcome"], kept["reason"], kept["clause"]) == ("kept", "unauthorized_address", "SMA-03")


async def test_sma_04_a_mail_states_business_impact_and_suggested_priority(desk: DeskUnderTest) -> None:
    await known_contact(desk, "smartcloud", plan="dedicated")
    text = (
        "No sale el correo.\n\nImpacto para el negocio: moderate\nPrioridad sugerida: P1\n"
        "Categoría: correo\nResultados esperados: que salga\n"
    )

    complete = await desk.ticket(await post(desk.admin, write(to="servicedesk@smartcloud.example.com", text=text)))
    bare = write(to="servicedesk@smartcloud.example.com", message_id="two@example.com")
    lacking = await desk.ticket(await post(desk.admin, bare))

    assert (complete["facts"]["business_impact"], complete["facts"]["suggested_priority"]) == ("moderate", "P1")
    # Verified against the definitions: a moderate impact is priority 3.
    assert (complete["priority"], complete["flags"], lacking["flags"]) == ("P3", [], ["parts_missing"])


async def test_sma_08_the_priorities_are_the_four_defined_ones(desk: DeskUnderTest) -> None:
    contract = await signed(desk)

    given = []
    for impact in ("material", "important", "moderate", "slight"):
        ticket = await desk.open_ticket(contract, channel="portal", facts={"business_impact": impact})
        decisions = await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/decisions")
        (decided,) = [one for one in decisions if one["about"] == "priority"]
        given.append((ticket["priority"], "SMA-08" in decided["clauses"]))

    assert given == [("P1", True), ("P2", True), ("P3", True), ("P4", True)]
    # Nobody names another.
    body = {"contract_id": contract["contract_id"], "subject": "s", "description": "d", "channel": "portal"}
    problem = await desk.admin.refused(422, "POST", "/v1/tickets", json=body | {"facts": {"suggested_priority": "P0"}})
    assert problem["errors"][0]["pointer"] == "/facts/suggested_priority"
