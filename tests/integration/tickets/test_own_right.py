"""What a customer's key may ask for by itself: by the right of the contact whose key it is, and with an order where one
is needed, whatever channel, facts and tickets it names.
"""

from typing import Any

import pytest
from harness import Client, DeskUnderTest

REQUEST = {"subject": "Otra cosa", "description": "También el calendario"}
NOT_AUTHORIZED = "urn:plazo:problem:contact-not-authorized"
NOT_TAKEN = "urn:plazo:problem:request-not-taken"


async def person(desk: DeskUnderTest, contract: dict[str, Any], name: str, **about: Any) -> tuple[str, Client]:
    """Register a contact; returns its id, and the caller with its key."""
    body = {"customer_id": contract["customer_id"], "name": name, "emails": [f"{name.lower()}@example.com"]} | about
    registered = await desk.admin.ok("POST", "/v1/contacts", json=body)
    return registered["contact_id"], await desk.key("requester", contact_id=registered["contact_id"])


def path_of(ticket: dict[str, Any], more: str = "") -> str:
    return f"/v1/tickets/{ticket['ticket_id']}{more}"


class TestWhoMayNotAsk:
    """EXP-01, SMA-02: whatever the channel, and whosever ticket it is about."""

    @pytest.fixture
    async def contract(self, desk: DeskUnderTest) -> dict[str, Any]:
        """Return a contract under which anybody's monitoring reports outages by itself."""
        await desk.publish("expande")
        return await desk.customer("expande", plan="basic")

    async def test_opens_nothing_by_a_channel_of_its_choice(self, desk: DeskUnderTest, contract: dict[str, Any]):
        boss_id, boss = await person(desk, contract, "Jefa", role="administrator")
        luis_id, luis = await person(desk, contract, "Luis")
        customers = await desk.key("requester", customer_id=contract["customer_id"])
        body = REQUEST | {"contract_id": contract["contract_id"], "channel": "webhook"}

        for channel in ("webhook", "api", "portal", "email"):
            problem = await luis.refused(403, "POST", "/v1/tickets", json=body | {"channel": channel})
            assert (problem["type"], problem["clause"]) == (NOT_TAKEN, "EXP-01"), channel
        for caller in (boss, customers, desk.admin):
            await caller.ok("POST", "/v1/tickets", json=body)
        named = await desk.admin.ok("POST", "/v1/tickets", json=body | {"contact_id": luis_id})

        # Nothing is lost: the administrator lets one of them through, in the name of who asked.
        kept = (await boss.ok("GET", "/v1/quarantine"))["items"]
        assert [(one["channel"], one["contact_id"]) for one in kept][:2] == [("webhook", luis_id), ("api", luis_id)]
        released = await boss.ok("POST", f"/v1/quarantine/{kept[0]['request_id']}/release", json={})
        assert (await desk.ticket(released))["contact_id"] == named["contact_id"] == luis_id != boss_id

    async def test_asks_for_nothing_more_on_a_colleague_s_ticket(self, desk: DeskUnderTest, contract: dict[str, Any]):
        boss_id, boss = await person(desk, contract, "Jefa", role="administrator")
        luis_id, luis = await person(desk, contract, "Luis")
        ana_id, ana = await person(desk, contract, "Ana", authorized=True, language="en")
        customers = await desk.key("requester", customer_id=contract["customer_id"])
        ticket = await desk.open_ticket(contract, contact_id=boss_id, contact_name="La Jefa", language="es")
        await desk.admin.ok("POST", path_of(ticket, "/resolutions"), json={"text": "Hecho"})
        other_cause = {"reason": "Ahora no imprime", "same_cause": False}

        for way, body in (("/additional-requests", REQUEST), ("/reopenings", other_cause)):
            problem = await luis.refused(403, "POST", path_of(ticket, way), json=body)
            assert (problem["type"], problem["clause"]) == (NOT_TAKEN, "EXP-01"), way
            hers = await ana.ok("POST", path_of(ticket, way), json=body)
            of_whom = (hers["contact_id"], hers["contact_name"], hers["contact_email"], hers["language"])
            assert of_whom == (ana_id, "Ana", "ana@example.com", "en"), way
            for caller in (boss, customers, desk.admin):
                further = await caller.ok("POST", path_of(ticket, way), json=body)
                of_whom = (further["contact_id"], further["contact_name"], further["contact_email"])
                assert of_whom == (boss_id, "La Jefa", "jefa@example.com"), way
                assert further["language"] == "es"

        kept = (await boss.ok("GET", "/v1/quarantine"))["items"]
        assert [one["contact_id"] for one in kept] == [luis_id] * 2
        released = await boss.ok("POST", f"/v1/quarantine/{kept[0]['request_id']}/release", json={})
        (link,) = await boss.ok("GET", path_of(released, "/links"))
        assert (link["kind"], link["number"]) == ("additional_request", ticket["number"])

    async def test_answers_about_no_ticket_that_anybody_may_open(self, desk: DeskUnderTest, contract: dict[str, Any]):
        _, luis = await person(desk, contract, "Luis")
        outage = await desk.open_ticket(contract, channel="webhook")
        problem = await luis.refused(403, "POST", path_of(outage, "/replies"), json={"text": "soy yo"})
        assert (problem["type"], problem["clause"]) == (NOT_AUTHORIZED, "EXP-01")
        quote = await offered(desk, outage)
        problem = await luis.refused(403, "POST", f"/v1/quotes/{quote}/accept", json={})
        assert (problem["type"], problem["clause"]) == (NOT_AUTHORIZED, "EXP-01")

    async def test_answers_about_no_ticket_of_a_channel_that_is_not_offered(self, desk: DeskUnderTest):
        await desk.publish("smartcloud")
        contract = await desk.customer("smartcloud", plan="dedicated")
        (account,) = (await desk.admin.ok("GET", f"/v1/accounts?contract={contract['contract_id']}"))["items"]
        grants = f"/v1/accounts/{account['account_id']}/grants"
        await desk.admin.ok("POST", grants, json={"quantity": 9, "reason": "factura 7"})
        _, luis = await person(desk, contract, "Luis")
        _, ana = await person(desk, contract, "Ana", authorized=True)
        ticket = await desk.open_ticket(contract, channel="portal")
        by_the_desk = await desk.admin.ok("POST", path_of(ticket, "/additional-requests"), json=REQUEST)
        assert by_the_desk["channel"] == "api"
        await desk.settled()
        quote = await offered(desk, by_the_desk)

        for path, body in (
            (path_of(by_the_desk, "/replies"), {"text": "soy yo"}),
            (path_of(by_the_desk, "/secrets"), {"label": "VPN", "value": "Zx9-clave-77"}),
            (f"/v1/quotes/{quote}/accept", {}),
        ):
            problem = await luis.refused(403, "POST", path, json=body)
            assert (problem["type"], problem["clause"]) == (NOT_AUTHORIZED, "SMA-02"), path
            await ana.ok("POST", path, json=body)


async def offered(desk: DeskUnderTest, ticket: dict[str, Any]) -> str:
    """Offer a quote for a ticket; returns its id."""
    offer = {"ticket_id": ticket["ticket_id"], "minutes": 30, "description": "x", "valid_until": "2026-06-01T00:00:00Z"}
    quote: str = (await desk.admin.ok("POST", "/v1/quotes", json=offer))["quote_id"]
    return quote


class TestOrder:
    """PRO-05: a customer names an order, and the desk sees what it is."""

    @pytest.fixture
    async def contract(self, desk: DeskUnderTest) -> dict[str, Any]:
        """Return a contract per event, with an order for two."""
        await desk.publish("prodequa")
        signed = await desk.customer("prodequa", plan="per_event", arrangement="per_event")
        order = {"number": "OC-1", "valid_from": "2026-05-01", "events": 2}
        await desk.admin.ok("POST", f"/v1/contracts/{signed['contract_id']}/purchase-orders", json=order)
        return signed

    async def test_is_not_a_statement_of_the_customer_s(self, desk: DeskUnderTest, contract: dict[str, Any]):
        customer = await desk.key("requester", customer_id=contract["customer_id"])
        body = REQUEST | {"contract_id": contract["contract_id"], "channel": "email"}
        stated = {"purchase_order": True, "existing_ticket": True}

        for channel, clause in (("email", "PRO-05"), ("phone", "PRO-11"), ("portal", "PRO-10")):
            asked = body | {"channel": channel, "facts": stated}
            assert (await customer.refused(403, "POST", "/v1/tickets", json=asked))["clause"] == clause
        ordered = await customer.ok("POST", "/v1/tickets", json=body | {"facts": stated, "purchase_order": "OC-1"})
        by_staff = await desk.admin.ok("POST", "/v1/tickets", json=body | {"facts": stated})

        assert {name: ordered["facts"][name] for name in stated} == {"purchase_order": True, "existing_ticket": False}
        assert {name: by_staff["facts"][name] for name in stated} == stated

    async def test_is_needed_for_what_follows_a_ticket_too(self, desk: DeskUnderTest, contract: dict[str, Any]):
        customer = await desk.key("requester", customer_id=contract["customer_id"])
        body = REQUEST | {"contract_id": contract["contract_id"], "channel": "email"}
        ticket = await customer.ok("POST", "/v1/tickets", json=body | {"purchase_order": "OC-1"})
        await desk.admin.ok("POST", path_of(ticket, "/replies"), json={"text": "hola"})
        await desk.admin.ok("POST", path_of(ticket, "/resolutions"), json={"text": "Hecho"})
        ways = (
            (path_of(ticket, "/additional-requests"), REQUEST),
            (path_of(ticket, "/additional-requests"), REQUEST | {"facts": {"purchase_order": True}}),
            (path_of(ticket, "/reopenings"), {"reason": "Ahora no imprime", "same_cause": False}),
            ("/v1/tickets", body | {"channel": "phone", "about_ticket": ticket["number"]}),
        )

        for path, asked in ways:
            problem = await customer.refused(403, "POST", path, json=asked)
            assert (problem["type"], problem["clause"]) == (NOT_TAKEN, "PRO-05"), path
        for path, asked in ways:  # the desk's people take them in as they see fit
            await desk.admin.ok("POST", path, json=asked)
        ordered = ways[2][1] | {"purchase_order": "OC-1"}
        followed = await customer.ok("POST", ways[2][0], json=ordered)
        used_up = await customer.refused(403, "POST", ways[2][0], json=ordered)

        assert (followed["facts"]["purchase_order"], used_up["clause"]) == (True, "PRO-05")
        (order,) = await desk.admin.ok("GET", f"/v1/contracts/{contract['contract_id']}/purchase-orders")
        assert (order["used"], order["is_open"]) == (2, False)
        entries = (await desk.admin.ok("GET", path_of(followed, "/timeline")))["items"]
        (opened,) = [entry["data"] for entry in entries if entry["kind"] == "opened"]
        assert opened["accepted_by"] == f"reopening of {ticket['number']}"

    async def test_is_needed_by_no_other_plan(self, desk: DeskUnderTest):
        await desk.publish("prodequa")
        contract = await desk.customer("prodequa", plan="basic")
        _, jefa = await person(desk, contract, "Jefa", role="administrator")
        customers = await desk.key("requester", customer_id=contract["customer_id"])
        for customer in (jefa, customers):
            body = REQUEST | {"contract_id": contract["contract_id"], "channel": "email"}
            ticket = await customer.ok("POST", "/v1/tickets", json=body)
            call = body | {"channel": "phone", "about_ticket": ticket["number"]}
            assert (await customer.ok("POST", "/v1/tickets", json=call))["facts"]["existing_ticket"] is True
            await customer.ok("POST", path_of(ticket, "/additional-requests"), json=REQUEST)
            await desk.admin.ok("POST", path_of(ticket, "/replies"), json={"text": "hola"})
            await desk.admin.ok("POST", path_of(ticket, "/resolutions"), json={"text": "Hecho"})
            other_cause = {"reason": "Ahora no imprime", "same_cause": False}
            await customer.ok("POST", path_of(ticket, "/reopenings"), json=other_cause)
