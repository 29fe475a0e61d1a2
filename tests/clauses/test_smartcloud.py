"""The clauses of SmartCloud Solutions, seen from outside over HTTP. Caracas is UTC-4 all year."""

import pytest
from harness import DeskUnderTest, clock_of

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
