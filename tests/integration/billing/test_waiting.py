"""`Prefer: wait` on a change of money covers the tickets that it lets in."""

from harness import DeskUnderTest


async def test_a_top_up_answers_when_the_released_ticket_has_its_clocks(desk: DeskUnderTest) -> None:
    await desk.publish("smartcloud")
    contract = await desk.customer("smartcloud", plan="dedicated")
    held = await desk.open_ticket(contract, channel="portal", facts={"business_impact": "material"})
    assert held["state"] == "held"
    accounts = await desk.admin.ok("GET", "/v1/accounts", params={"contract": contract["contract_id"]})

    response = await desk.admin.post(
        f"/v1/accounts/{accounts['items'][0]['account_id']}/grants",
        json={"quantity": 2, "reason": "recarga"},
        headers={"Prefer": "wait=10"},
    )

    assert response.headers["Preference-Applied"] == "wait=10"
    ticket = await desk.ticket(held)
    assert (ticket["state"], len(ticket["clocks"])) == ("new", 2)
