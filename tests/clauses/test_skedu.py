"""The clauses of Skedu, seen from outside over HTTP. Its hours are UTC-4 all year."""

import pytest
from harness import DeskUnderTest, House, clock_of
from mails import known_contact, post, write


async def signed(desk: DeskUnderTest) -> dict:
    """Publish the policy and sign a contract."""
    await desk.publish("skedu")
    return await desk.customer("skedu")


@pytest.mark.parametrize(
    ("priority", "facts"),
    [
        ("urgent", {"urgency": "high", "complexity": "high"}),
        ("high", {"urgency": "medium", "complexity": "high"}),
        ("normal", {"urgency": "medium", "complexity": "low"}),
        ("low", {"urgency": "low", "complexity": "low"}),
    ],
)
async def test_ske_09_priority_from_complexity_and_urgency(desk: DeskUnderTest, priority: str, facts: dict) -> None:
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="chat", facts=facts)

    assert ticket["priority"] == priority


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        # Chile changed its clocks on 5 April and 6 September 2026; 18:00 is 22:00Z before and after.
        pytest.param("2026-04-02T14:00:00Z", "2026-04-06T22:00:00Z", id="April, over Good Friday"),
        pytest.param("2026-09-04T14:00:00Z", "2026-09-07T22:00:00Z", id="September"),
    ],
)
async def test_ske_10_no_shift_in_april_or_september(house: House, opened: str, due: str) -> None:
    desk = await house.new_desk(at=opened)
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="chat")

    assert clock_of(ticket, "first_response")["due_at"] == due


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        # Monday 10:00: the end of Tuesday.
        pytest.param("2026-05-04T14:00:00Z", "2026-05-05T22:00:00Z", id="in hours"),
        # Monday 20:00 starts on Tuesday: the end of Wednesday.
        pytest.param("2026-05-05T00:00:00Z", "2026-05-06T22:00:00Z", id="in the evening"),
        # Saturday starts on Monday: the end of Tuesday.
        pytest.param("2026-05-09T14:00:00Z", "2026-05-12T22:00:00Z", id="on Saturday"),
        # Thursday 30 April; Friday 1 May is a holiday: the end of Monday.
        pytest.param("2026-04-30T14:00:00Z", "2026-05-04T22:00:00Z", id="before a holiday"),
    ],
)
async def test_ske_11_first_reply_within_one_business_day(house: House, opened: str, due: str) -> None:
    desk = await house.new_desk(at=opened)
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="chat")

    assert clock_of(ticket, "first_response")["due_at"] == due
    assert "SKE-11" in clock_of(ticket, "first_response")["clauses"]


STEPS = ("information_gathered", "priority_set", "problem_identified", "solutions_tried")


async def tick_all(desk: DeskUnderTest, ticket: dict) -> dict:
    """Take every step of the playbook in vain, and return the playbook."""
    path = f"/v1/tickets/{ticket['ticket_id']}/playbook"
    for step in STEPS:
        result = "not_solved" if step == "solutions_tried" else "done"
        await desk.admin.ok("POST", f"{path}/{step}", json={"result": result})
    await desk.settled()
    playbook: dict = await desk.admin.ok("GET", path)
    return playbook


async def move_up(desk: DeskUnderTest, ticket: dict, trigger: str, **about: object) -> None:
    """Refer a ticket to the next level."""
    await desk.admin.ok("POST", "/v1/escalations", json={"ticket_id": ticket["ticket_id"], "trigger": trigger, **about})
    await desk.settled()


async def test_ske_02_level_1_ticks_the_steps_of_the_possible_solutions(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract, channel="chat", facts={"category": "login"})
    assert (ticket["team"], ticket["level"]) == ("level_1", 1)
    path = f"/v1/tickets/{ticket['ticket_id']}/playbook"
    untouched = await desk.admin.ok("GET", path)

    await desk.admin.ok("POST", f"{path}/information_gathered", json={"result": "done", "text": "usa dos cuentas"})
    ticked = await desk.admin.ok("GET", path)

    assert (untouched["name"], untouched["clauses"]) == ("possible_solutions", ["SKE-02"])
    assert [(step["name"], step["result"]) for step in untouched["steps"]] == [(step, None) for step in STEPS]
    assert (ticked["state"], [step["result"] for step in ticked["steps"]]) == ("open", ["done", None, None, None])
    assert ticked["steps"][0]["note"] == "usa dos cuentas"
    other = await desk.open_ticket(contract, channel="chat", facts={"category": "prices"})
    await desk.admin.refused(404, "GET", f"/v1/tickets/{other['ticket_id']}/playbook")


async def test_ske_03_with_the_playbook_exhausted_level_1_can_not_resolve(desk: DeskUnderTest) -> None:
    ticket = await desk.open_ticket(await signed(desk), channel="chat", facts={"category": "login"})
    path = f"/v1/tickets/{ticket['ticket_id']}"

    assert (await tick_all(desk, ticket))["state"] == "exhausted"
    refused = await desk.admin.refused(409, "POST", f"{path}/resolutions", json={"text": "Hecho"})
    without_reason = {"ticket_id": ticket["ticket_id"], "trigger": "playbook_exhausted"}
    asked = await desk.admin.post("/v1/escalations", json=without_reason)
    await move_up(desk, ticket, "playbook_exhausted", reason="agotado el documento")

    assert (refused["clause"], refused["reason"]) == ("SKE-03", "playbook_exhausted")
    assert not asked.is_success
    moved = await desk.ticket(ticket)
    assert (moved["level"], moved["facts"]["playbook"]) == (2, "exhausted")
    assert (await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Hecho"}))["state"] == "resolved"


async def test_ske_06_level_3_assesses_and_its_date_arms_a_clock(desk: DeskUnderTest) -> None:
    ticket = await desk.open_ticket(await signed(desk), channel="chat", facts={"category": "login"})
    path = f"/v1/tickets/{ticket['ticket_id']}"
    await move_up(desk, ticket, "agent_request", reason="no es de nivel 1")
    await move_up(desk, ticket, "agent_request", reason="no es de nivel 2")
    assert (await desk.ticket(ticket))["level"] == 3

    owed = await desk.admin.refused(409, "POST", f"{path}/resolutions", json={"text": "Hecho"})
    vague = await desk.admin.refused(422, "POST", f"{path}/assessments", json={"solvable": True})
    body = {"solvable": True, "due_at": "2026-05-08T22:00:00Z", "missing_information": "el registro del navegador"}
    await desk.admin.ok("POST", f"{path}/assessments", json=body)
    await desk.settled()

    assert (owed["clause"], owed["reason"]) == ("SKE-06", "assessment_owed")
    assert vague["errors"][0]["pointer"] == "/due_at"
    assessed = await desk.ticket(ticket)
    # What is missing pauses the clock that the date armed.
    assert (assessed["waits"], clock_of(assessed, "agreed")["state"]) == (["customer"], "paused")
    await desk.admin.ok("POST", f"{path}/waits/customer/end")
    await desk.settled()
    assert clock_of(await desk.ticket(ticket), "agreed")["due_at"] == "2026-05-08T22:00:00Z"
    assert (await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Hecho"}))["state"] == "resolved"


async def test_ske_01_policy_for_each_account_apart(house: House) -> None:
    desk = await house.new_desk(at="2026-05-04T13:00:00Z")
    await desk.publish("skedu")
    customer = await desk.customer("skedu", account="Sucursal Norte")
    south = {"customer_id": customer["customer_id"], "policy": "skedu", "valid_from": "2026-05-05"}
    later = await desk.admin.ok("POST", "/v1/contracts", json=south | {"account": "Sucursal Sur"})

    north_ticket = await desk.open_ticket(customer, channel="chat")
    south_ticket = await desk.open_ticket(later, channel="chat")

    assert [one["account"] for one in (customer, later)] == ["Sucursal Norte", "Sucursal Sur"]
    assert [one["facts"]["plan_in_force"] for one in (north_ticket, south_ticket)] == [True, False]
    unnamed = await desk.admin.ok("POST", "/v1/contracts", json=south)
    assert unnamed["unstated"] == ["account"]
    early = await house.new_desk(at="2021-06-30T12:00:00Z")  # in force from 1 July 2021
    before = await signed(early)
    body = {"contract_id": before["contract_id"], "subject": "a", "description": "b", "channel": "chat"}
    problem = await early.admin.refused(409, "POST", "/v1/tickets", json=body)
    assert problem["type"] == "urn:plazo:problem:no-policy-in-force"


async def test_ske_04_level_1_is_asked_by_chat_and_help_center(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b"}

    for channel in ("chat", "help_center"):
        assert (await desk.admin.ok("POST", "/v1/tickets", json=body | {"channel": channel}))["level"] == 1
    for channel in ("email", "portal"):
        problem = await desk.admin.refused(403, "POST", "/v1/tickets", json=body | {"channel": channel})
        assert problem["clause"] == "SKE-04"


async def test_ske_05_calls_are_taken_at_level_2_once_referred(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "phone"}
    new = await desk.admin.refused(403, "POST", "/v1/tickets", json=body)
    ticket = await desk.open_ticket(contract, channel="chat")
    path = f"/v1/tickets/{ticket['ticket_id']}/replies"
    call = {"text": "Llamada con el cliente", "channel": "phone"}

    refused = await desk.admin.request("POST", path, json=call)
    referral = {"ticket_id": ticket["ticket_id"], "trigger": "agent_request", "reason": "requiere nivel 2"}
    await desk.admin.ok("POST", "/v1/escalations", json=referral)
    await desk.settled()
    taken = await desk.admin.ok("POST", path, json=call)

    assert new["clause"] == refused.json()["clause"] == "SKE-05"
    assert refused.status_code in (403, 409)
    assert taken["level"] == 2


async def test_ske_08_contracts_may_be_written_about_by_email(desk: DeskUnderTest) -> None:
    await known_contact(desk, "skedu")

    written = await post(desk.admin, write(to="contracts@skedu.example.com", subject="Renovación"))
    elsewhere = await post(desk.admin, write(to="hola@skedu.example.com", message_id="two@example.com"))
    await desk.settled()

    ticket = await desk.ticket(written)
    assert (ticket["facts"]["category"], ticket["team"]) == ("contracts", "managers")
    # Any other matter is asked for by chat and help center.
    assert (elsewhere["outcome"], elsewhere["clause"]) == ("kept", "SKE-04")


async def test_ske_07_payments_go_to_the_manager_and_an_executive_can_not_resolve_them(desk: DeskUnderTest) -> None:
    contract = await signed(desk)
    executive, manager = await desk.key("agent"), await desk.key("manager")
    prices = await desk.open_ticket(contract, channel="chat", facts={"category": "prices"})
    payments = await desk.open_ticket(contract, channel="chat", facts={"category": "payments"})
    paths = {ticket["team"]: f"/v1/tickets/{ticket['ticket_id']}/resolutions" for ticket in (prices, payments)}

    assert list(paths) == ["executives", "managers"]
    refused = await executive.refused(403, "POST", paths["managers"], json={"text": "Cobrado"})
    assert refused["clause"] == "SKE-07"
    await executive.ok("POST", paths["executives"], json={"text": "Son 20 al mes"})
    assert (await manager.ok("POST", paths["managers"], json={"text": "Cobrado"}))["state"] == "resolved"


async def test_ske_12_the_contract_speaks_before_the_policy_and_the_policy_before_the_defaults(
    desk: DeskUnderTest,
) -> None:
    plain = await signed(desk)
    special = await desk.customer(
        "skedu",
        agreed={
            "reference": "Anexo B",
            "targets": [{"first_response": "2h", "calendar": "service", "clause": "SKE-12"}],
        },
    )

    said = {}
    for name, contract in (("policy", plain), ("contract", special)):
        clock = clock_of(await desk.open_ticket(contract, channel="chat"), "first_response")
        said[name] = clock["due_at"], await desk.admin.ok("GET", f"/v1/clocks/{clock['clock_id']}/explanation")

    # Monday 09:00 in Chile: the end of Tuesday by the policy, 11:00 by the contract.
    assert [due for due, _ in said.values()] == ["2026-05-05T22:00:00Z", "2026-05-04T15:00:00Z"]
    by = {
        name: {one["about"]: (one["by"], one["source"]) for one in told["decided_by"]}
        for name, (_, told) in said.items()
    }
    assert by["policy"]["target"] == ("policy", "skedu 2021-07, targets rule 1")
    assert by["contract"]["target"] == ("contract", "Anexo B, targets rule 1")
    assert by["policy"]["pause"][0] == by["contract"]["pause"][0] == "defaults"
    assert "el contrato: Anexo B" in said["contract"][1]["text"]
    assert "SKE-12" in said["contract"][1]["text"]
    # What the contract may not say is refused with its place.
    bad = {"reference": "Anexo C", "targets": [{"first_response": "2h", "calendar": "noches", "clause": "SKE-12"}]}
    terms = {"customer_id": special["customer_id"], "policy": "skedu", "valid_from": "2026-01-01", "agreed": bad}
    problem = await desk.admin.refused(422, "POST", "/v1/contracts", json=terms)
    assert [fault["pointer"] for fault in problem["errors"]] == ["/agreed/targets/0/calendar"]
