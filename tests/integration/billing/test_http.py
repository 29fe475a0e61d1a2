"""Billing as its callers see it, behind the gateway and together with tickets."""

from uuid import UUID

import pytest
from harness import eventually

from billing.repository.contacts import forget_passed_over

ONE_HOUR_AGO = "2026-05-04T12:00:00Z"


@pytest.fixture
async def contract(desk):
    """A contract of SmartCloud."""
    await desk.publish("smartcloud")
    return await desk.customer("smartcloud", plan="dedicated")


async def main_account(desk, contract):
    """Return the main account of a contract."""
    page = await desk.admin.ok("GET", f"/v1/accounts?contract={contract['contract_id']}")
    (account,) = [one for one in page["items"] if one["name"] == "main"]
    return account


async def top_up(desk, contract, quantity, **more):
    """Grant units to the main account."""
    account = await main_account(desk, contract)
    body = {"quantity": quantity, "reason": "invoice 7", **more}
    granted = await desk.admin.ok("POST", f"/v1/accounts/{account['account_id']}/grants", json=body)
    await desk.settled()
    return granted


async def set_standing(desk, contract, standing):
    """Record whether the customer has paid."""
    body = {"contract_id": contract["contract_id"], "standing": standing, "reason": "invoice 6"}
    await desk.admin.ok("POST", "/v1/standings", json=body)
    await desk.settled()


def work(ticket, minutes=5, **more):
    """Return the body of a work entry."""
    return {
        "ticket_id": ticket["ticket_id"],
        "started_at": ONE_HOUR_AGO,
        "minutes": minutes,
        "description": "looked into it",
        **more,
    }


async def test_from_the_grant_to_the_charge_on_the_ticket(desk, contract):
    granted = await top_up(desk, contract, 7)
    assert granted["account"]["balance"] == granted["account"]["available"] == 7
    assert granted["account"]["balance_text"] == {"es": "7 unidades", "en": "7 units"}
    ticket = await desk.open_ticket(contract)

    planned = {"ticket_id": ticket["ticket_id"], "minutes": 61, "at": work(ticket, 61)["started_at"]}
    preview = await desk.admin.ok("POST", "/v1/work/previews", json=planned)
    done = await desk.admin.ok("POST", "/v1/work", json=work(ticket, 61))

    assert preview["costs"][0]["quantity"] == done["charges"][0]["quantity"] == 2
    assert preview["share"]["en"] == "2 of your 7 units"
    assert done["work"]["logged_by"].startswith("administrator")
    charges = await desk.admin.ok("GET", f"/v1/charges?ticket={ticket['ticket_id']}")
    assert charges["items"] == done["charges"]

    await desk.settled()
    (charge,) = (await desk.ticket(ticket))["charges"]
    assert (charge["quantity"], charge["total"], charge["unit"]) == (2, 2, "credit_unit")
    assert charge["explanation"]["es"].startswith("1 h 01 min trabajados → 2 h según SMA-16, SMA-17")

    voided = await desk.admin.ok("POST", f"/v1/work/{done['work']['work_id']}/void", json={"reason": "other ticket"})
    assert voided["charges"][0]["quantity"] == -2
    assert voided["work"]["void_reason"] == "other ticket"
    assert (await main_account(desk, contract))["balance"] == 7
    listed = await desk.admin.ok("GET", f"/v1/work?ticket={ticket['ticket_id']}")
    assert [one["voided_at"] for one in listed["items"]] == ["2026-05-04T13:00:00Z"]


async def test_a_held_ticket_is_let_in_by_a_top_up(desk, contract):
    """SMA-14."""
    held = await desk.open_ticket(contract)
    assert held["hold"] == {"reason": "awaiting_credit", "clause": "SMA-14"}
    problem = await desk.admin.refused(409, "POST", "/v1/work", json=work(held))
    assert (problem["type"], problem["clause"]) == ("urn:plazo:problem:ticket-held", "SMA-14")

    await top_up(desk, contract, 2)

    assert (await desk.ticket(held))["hold"] is None
    await desk.admin.ok("POST", "/v1/work", json=work(held))


async def test_an_overdue_contract(desk, contract):
    """SMA-02."""
    await top_up(desk, contract, 2)
    await set_standing(desk, contract, "overdue")
    held = await desk.open_ticket(contract)
    assert held["hold"] == {"reason": "overdue", "clause": "SMA-02"}

    await set_standing(desk, contract, "good")

    assert (await desk.ticket(held))["hold"] is None


async def test_hours_of_a_month_and_the_overage_beyond_them(desk):
    """PRO-05, PRO-07."""
    await desk.publish("prodequa")
    contract = await desk.customer("prodequa", plan="basic")
    ticket = await desk.open_ticket(contract, facts={"product": "erp"})
    await desk.admin.ok("POST", "/v1/work", json=work(ticket, 1170, started_at="2026-05-03T13:00:00Z"))

    charges = (await desk.admin.ok("POST", "/v1/work", json=work(ticket, 45)))["charges"]

    assert [(one["quantity"], one["total"], one["unit"]) for one in charges] == [
        (30, 1200, "minute"),  # 1200 - 1170 are left of 20 h
        (60, 1260, "minute"),  # 15 more are a started hour
    ]
    statement = await desk.admin.ok("GET", f"/v1/statements?contract={contract['contract_id']}&month=2026-05")
    assert {one["name"]: one["closing"] for one in statement["accounts"]} == {"main": 0, "owed": -60}
    for month in ("2026-13", "1969-12", "may"):
        await desk.admin.refused(422, "GET", f"/v1/statements?contract={contract['contract_id']}&month={month}")


async def test_a_repeated_request_is_charged_once(desk, contract):
    await top_up(desk, contract, 7)
    ticket = await desk.open_ticket(contract)
    key = {"Idempotency-Key": "timer-1"}

    first = await desk.admin.post("/v1/work", json=work(ticket, 61), headers=key)
    again = await desk.admin.post("/v1/work", json=work(ticket, 61), headers=key)
    other = await desk.admin.post("/v1/work", json=work(ticket, 62), headers=key)

    assert (first.status_code, again.status_code, other.status_code) == (201, 201, 409)
    assert first.json() == again.json()
    assert (await main_account(desk, contract))["balance"] == 5


async def test_balances_and_entries(desk, contract):
    await top_up(desk, contract, 7, effective_at="2026-05-01T00:00:00Z", expires_at="2026-12-31T00:00:00Z")
    ticket = await desk.open_ticket(contract)
    await desk.admin.ok("POST", "/v1/work", json=work(ticket, 61))
    account = await main_account(desk, contract)
    path = f"/v1/accounts/{account['account_id']}"

    async def balance(query):
        return (await desk.admin.ok("GET", path + query))["balance"]

    assert await balance("") == 5
    assert await balance("?at=2026-05-04T11:59:59Z") == 7  # before the work
    assert await balance("?at=2026-04-30T00:00:00Z") == 0  # before the grant
    assert await balance("?at=2026-05-04T12:30:00Z&by=recorded") == 0  # nothing was written down yet
    (lot,) = (await desk.admin.ok("GET", path))["lots"]
    assert (lot["granted"], lot["remaining"], lot["expires_at"]) == (7, 5, "2026-12-31T00:00:00Z")
    first = await desk.admin.ok("GET", path + "/entries?limit=1")
    rest = await desk.admin.ok("GET", path + f"/entries?cursor={first['next_cursor']}")
    entries = first["items"] + rest["items"]
    assert [(one["amount"], one["cause"], one["effective_at"]) for one in entries] == [
        (7, "grant", "2026-05-01T00:00:00Z"),
        (-2, "post", ONE_HOUR_AGO),
    ]
    assert entries[1]["clauses"] == ["SMA-16", "SMA-17"]
    assert rest["next_cursor"] is None


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        pytest.param({"started_at": "2026-05-04T13:00:01Z"}, ["/started_at"], id="in the future"),
        pytest.param({"minutes": -1, "kind": "nap"}, ["/kind", "/minutes"], id="two faults at once"),
        pytest.param({"minutes": 1.5}, ["/minutes"], id="no whole minutes"),
        pytest.param({"minutes": 0}, [""], id="work of no length"),
        pytest.param({"kind": "no_show"}, [""], id="a no-show without its appointment"),
        pytest.param({"price": 5}, ["/price"], id="an unknown field"),
    ],
)
async def test_work_that_makes_no_sense(desk, body, pointers):
    ticket = {"ticket_id": "0199d0c4-0000-7000-8000-000000000000"}
    problem = await desk.admin.refused(422, "POST", "/v1/work", json=work(ticket) | body)
    assert sorted(one["pointer"] for one in problem["errors"]) == pointers


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        pytest.param({"quantity": 0}, ["/quantity"], id="nothing"),
        pytest.param({"quantity": 1.5}, ["/quantity"], id="half a unit"),
        pytest.param({"quantity": "90m"}, ["/quantity"], id="time on an account of units"),
        pytest.param({"effective_at": "2026-05-05T00:00:00Z"}, ["/effective_at"], id="in the future"),
        pytest.param({"expires_at": "2026-05-01T00:00:00Z"}, ["/expires_at"], id="over before it begins"),
    ],
)
async def test_grants_that_make_no_sense(desk, contract, body, pointers):
    account = await main_account(desk, contract)
    path = f"/v1/accounts/{account['account_id']}/grants"
    problem = await desk.admin.refused(422, "POST", path, json={"quantity": 1, "reason": "x"} | body)
    assert {one["pointer"].split("/")[1] for one in problem["errors"]} == {one.strip("/") for one in pointers}


async def test_what_is_not_there(desk):
    nobody = "0199d0c4-0000-7000-8000-000000000000"
    await desk.admin.refused(404, "GET", f"/v1/accounts/{nobody}")
    await desk.admin.refused(404, "POST", f"/v1/accounts/{nobody}/grants", json={"quantity": 1, "reason": "x"})
    await desk.admin.refused(404, "POST", "/v1/work", json=work({"ticket_id": nobody}))
    await desk.admin.refused(404, "POST", f"/v1/work/{nobody}/void", json={"reason": "x"})
    body = {"contract_id": nobody, "standing": "good", "reason": "x"}
    await desk.admin.refused(404, "POST", "/v1/standings", json=body)


async def test_who_may_do_what(desk, contract, house):
    await top_up(desk, contract, 7)
    ticket = await desk.open_ticket(contract)
    await desk.admin.ok("POST", "/v1/work", json=work(ticket, 61))
    account = await main_account(desk, contract)
    grants = f"/v1/accounts/{account['account_id']}/grants"
    agent = await desk.key("agent")
    own = await desk.key("requester", customer_id=contract["customer_id"])
    stranger_contract = await desk.customer("smartcloud", plan="dedicated")
    stranger = await desk.key("requester", customer_id=stranger_contract["customer_id"])
    other_desk = (await house.new_desk()).admin

    await agent.refused(403, "POST", grants, json={"quantity": 1, "reason": "x"})
    await own.refused(403, "POST", "/v1/work", json=work(ticket))
    charges = f"/v1/charges?ticket={ticket['ticket_id']}"
    assert len((await own.ok("GET", charges))["items"]) == 1
    assert [one["balance"] for one in (await own.ok("GET", "/v1/accounts"))["items"]] == [5]
    for client in (stranger, other_desk):
        assert (await client.ok("GET", charges))["items"] == []
        await client.refused(404, "GET", f"/v1/accounts/{account['account_id']}")
        await client.refused(404, "GET", f"/v1/accounts/{account['account_id']}/entries")
    await other_desk.refused(404, "POST", "/v1/work", json=work(ticket))


async def test_work_of_before_the_contract_is_refused(desk, contract):
    await top_up(desk, contract, 7)
    ticket = await desk.open_ticket(contract)
    # valid from 2020-01-01 in Caracas, where it is four hours later than in UTC that the year begins
    for started_at in ("1970-01-02T00:00:00Z", "2020-01-01T03:59:59Z"):
        problem = await desk.admin.refused(422, "POST", "/v1/work", json=work(ticket, started_at=started_at))
        assert [one["pointer"] for one in problem["errors"]] == ["/started_at"]
        assert "valid from 2020-01-01 (2020-01-01T04:00:00Z)" in problem["errors"][0]["message"]
    await desk.admin.ok("POST", "/v1/work", json=work(ticket, started_at="2020-01-01T04:00:00Z"))


async def test_who_may_not_ask_any_more_decides_about_no_quote(desk, contract):
    await top_up(desk, contract, 7)
    ticket = await desk.open_ticket(contract, channel="portal")
    about = {"customer_id": contract["customer_id"], "name": "Luis", "emails": ["luis@example.com"]}
    luis = await desk.admin.ok("POST", "/v1/contacts", json=about | {"authorized": True})
    his = await desk.key("requester", contact_id=luis["contact_id"])
    customers = await desk.key("requester", customer_id=contract["customer_id"])

    async def decide(decision, by, **about):
        offer = about | {"minutes": 30, "description": "x", "valid_until": "2026-06-01T00:00:00Z"}
        quote = await desk.admin.ok("POST", "/v1/quotes", json=offer)
        answer = await by.post(f"/v1/quotes/{quote['quote_id']}/{decision}", json={})
        return answer.status_code, answer.json()

    async def accept(by):
        return await decide("accept", by, ticket_id=ticket["ticket_id"])

    assert (await accept(his))[0] == 200
    await desk.admin.ok("POST", f"/v1/contacts/{luis['contact_id']}/withdrawals", json={})
    await desk.settled()
    status, problem = await accept(his)
    assert (status, problem["type"]) == (403, "urn:plazo:problem:contact-not-authorized")
    for about in ({"ticket_id": ticket["ticket_id"]}, {"contract_id": contract["contract_id"]}):
        status, other = await decide("decline", his, **about)
        assert (status, other["type"], other["clause"]) == (403, problem["type"], problem["clause"])
        assert (await decide("decline", customers, **about))[0] == 200
    reply = await his.refused(403, "POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "sí"})
    assert (reply["type"], reply["detail"], reply["clause"]) == (problem["type"], problem["detail"], problem["clause"])
    available = (await main_account(desk, contract))["available"]
    assert (await accept(customers))[0] == 200
    assert (await main_account(desk, contract))["available"] == available - 1

    # A version of this service that kept no contacts had passed over what was announced of them.
    runtime = desk.house.runtime("billing")
    await runtime.database.system.execute("DELETE FROM contact WHERE contact_id = $1", UUID(luis["contact_id"]))
    assert (await accept(his))[0] == 200
    assert await forget_passed_over(runtime.database.system) >= 1
    missed = runtime.consumers["tickets"].missed
    missed._compare_at = 0.0

    async def is_known():
        return await desk.house.fetch("billing", "SELECT FROM contact WHERE contact_id = $1", UUID(luis["contact_id"]))

    await eventually(is_known)
    await desk.settled()
    assert (await accept(his))[0] == 403
    assert await forget_passed_over(runtime.database.system) == 0
