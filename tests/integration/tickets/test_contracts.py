"""What is recorded under a contract: terms, renewals, orders, acceptances, voided products."""

import asyncio
from typing import Any

from harness import DeskUnderTest, House

LIMA_NOON = "2026-05-04T17:00:00Z"


def path_of(contract: dict[str, Any], more: str = "") -> str:
    return f"/v1/contracts/{contract['contract_id']}{more}"


class TestTerms:
    async def test_change_is_announced_and_the_newest_holds(self, desk: DeskUnderTest):
        await desk.publish("prodequa")
        contract = await desk.customer("prodequa", plan="basic")
        assert contract["unstated"] == ["products"]  # PRO-21
        change = {"plan": "enterprise", "products": ["erp"], "warranty_until": "2026-07-01", "account": "sede"}
        changed = await desk.admin.ok("PATCH", path_of(contract), json=change)
        assert changed == contract | change | {"unstated": []}
        assert await desk.admin.ok("GET", path_of(contract)) == changed
        rows = await desk.house.events("tickets", desk.desk_id, "contract.signed.v1")
        assert [row["data"]["plan"] for row in rows] == ["basic", "enterprise"]
        await desk.admin.refused(422, "PATCH", path_of(contract), json={"plan": "gold"})
        await desk.admin.refused(422, "PATCH", path_of(contract), json={"arrangement": None})

    async def test_catalog_holds_once_there_is_one(self, desk: DeskUnderTest):
        await desk.publish("prodequa")
        await desk.customer("prodequa", plan="basic", products=["whatever"])
        await desk.admin.ok("POST", "/v1/products", json={"name": "erp", "title": "ERP"})
        await desk.admin.ok("POST", "/v1/products", json={"name": "erp", "title": "ERP financiero"})
        assert [one["title"] for one in await desk.admin.ok("GET", "/v1/products")] == ["ERP financiero"]
        contract = await desk.customer("prodequa", plan="basic", products=["erp"])
        problem = await desk.admin.refused(422, "PATCH", path_of(contract), json={"products": ["erp", "crm"]})
        assert [error["pointer"] for error in problem["errors"]] == ["/products/1"]

    async def test_agreed_terms_must_be_sound(self, desk: DeskUnderTest):
        await desk.publish("skedu")
        contract = await desk.customer("skedu")
        unsound = (
            ({"first_response": "4h", "calendar": "nights", "clause": "SKE-12"}, "/calendar"),
            ({"when": {"moon": "full"}, "none": True, "clause": "SKE-12"}, "/when/moon"),
            ({"first_response": "4 moons", "calendar": "service", "clause": "SKE-12"}, "/first_response"),
        )
        for rule, pointer in unsound:
            agreed = {"agreed": {"reference": "Anexo 2", "targets": [rule]}}
            problem = await desk.admin.refused(422, "PATCH", path_of(contract), json=agreed)
            assert [error["pointer"] for error in problem["errors"]] == [f"/agreed/targets/0{pointer}"]

    async def test_agreed_terms_travel_with_contract_and_ticket(self, desk: DeskUnderTest):
        await desk.publish("skedu")
        terms = {
            "reference": "Anexo 2",
            "targets": [{"first_response": "2h", "calendar": "service", "clause": ["SKE-12"]}],
            "overage_rate": {"minor": 5000, "currency": "CLP"},
        }
        contract = await desk.customer("skedu", agreed=terms)
        assert contract["agreed"] == terms
        await desk.open_ticket(contract, channel="chat")
        [signed] = await desk.house.events("tickets", desk.desk_id, "contract.signed.v1")
        [opened] = await desk.house.events("tickets", desk.desk_id, "ticket.opened.v1")
        assert signed["data"]["agreed"] == opened["data"]["agreed"] == terms


class TestRenewal:
    async def test_prolongs_without_a_gap(self, desk: DeskUnderTest):
        await desk.publish("prodequa")
        contract = await desk.customer("prodequa", plan="basic", valid_until="2026-06-01")
        renewed = await desk.admin.ok("POST", path_of(contract, "/renewals"), json={"valid_until": "2027-06-01"})
        assert (renewed["valid_from"], renewed["valid_until"]) == ("2020-01-01", "2027-06-01")
        assert renewed["earlier_periods"] == []
        shorter = {"valid_until": "2027-01-01"}
        await desk.admin.refused(422, "POST", path_of(contract, "/renewals"), json=shorter)
        await desk.admin.ok("POST", path_of(contract, "/renewals"), json={})
        problem = await desk.admin.refused(409, "POST", path_of(contract, "/renewals"), json={})
        assert problem["type"] == "urn:plazo:problem:nothing-to-renew"

    async def test_after_a_gap_what_was_valid_stays_so(self, house: House):
        desk = await house.new_desk(at="2026-04-01T17:00:00Z")
        await desk.publish("prodequa")
        contract = await desk.customer("prodequa", plan="basic", valid_until="2026-05-01")
        before = await desk.open_ticket(contract)
        await desk.advance(to=LIMA_NOON)
        body = {"valid_from": "2026-05-04", "valid_until": "2027-05-04"}
        early = body | {"valid_from": "2026-05-05"}
        await desk.admin.refused(422, "POST", path_of(contract, "/renewals"), json=early)
        renewed = await desk.admin.ok("POST", path_of(contract, "/renewals"), json=body)
        assert (renewed["valid_from"], renewed["valid_until"]) == ("2026-05-04", "2027-05-04")
        assert renewed["earlier_periods"] == [{"valid_from": "2020-01-01", "valid_until": "2026-05-01"}]
        # What was opened under the first validity is decided again as of its opening.
        changed = {"facts": {"operational_impact": "significant"}}
        again = await desk.admin.ok("PATCH", f"/v1/tickets/{before['ticket_id']}", json=changed)
        assert (again["severity"], again["facts"]["plan_in_force"]) == ("2", True)


class TestPurchaseOrders:
    async def test_counts_the_events_asked_for_and_never_more(self, desk: DeskUnderTest):
        await desk.publish("prodequa")
        contract = await desk.customer("prodequa", plan="per_event", arrangement="per_event")
        order = {"number": "OC-7", "valid_from": "2026-05-01", "valid_until": "2026-06-01", "events": 2}
        await desk.admin.ok("POST", path_of(contract, "/purchase-orders"), json=order)
        await desk.admin.refused(409, "POST", path_of(contract, "/purchase-orders"), json=order)
        body = {
            "contract_id": contract["contract_id"],
            "subject": "a",
            "description": "b",
            "channel": "email",
            "purchase_order": "OC-7",
        }

        answers = await asyncio.gather(*(desk.admin.post("/v1/tickets", json=body) for _ in range(5)))

        assert sorted(answer.status_code for answer in answers) == [201, 201, 403, 403, 403]
        [read] = await desk.admin.ok("GET", path_of(contract, "/purchase-orders"))
        assert (read["used"], read["is_open"]) == (2, False)
        unknown = await desk.admin.refused(403, "POST", "/v1/tickets", json=body | {"purchase_order": "OC-8"})
        assert unknown["clause"] == "PRO-05"


class TestAcceptance:
    async def test_is_recorded_once_with_who_and_when(self, desk: DeskUnderTest):
        await desk.publish("smartcloud")
        contract = await desk.customer("smartcloud", plan="dedicated")
        assert contract["missing_acceptances"] == ["scope_of_change"]
        body = {"name": "scope_of_change", "accepted_by": "Ana Pérez", "accepted_at": "2026-05-01T12:00:00Z"}
        path = path_of(contract, "/acceptances")
        accepted = await desk.admin.ok("POST", path, json=body)
        assert accepted["missing_acceptances"] == []
        later = await desk.admin.ok("POST", path, json=body | {"accepted_by": "otra"})
        assert later["acceptances"] == [body]
        problem = await desk.admin.refused(
            422, "POST", path, json=body | {"name": "x", "accepted_at": "2026-05-05T12:00:00Z"}
        )
        assert [error["pointer"] for error in problem["errors"]] == ["/name", "/accepted_at"]


class TestVoid:
    async def test_decides_open_tickets_again_until_it_is_lifted(self, desk: DeskUnderTest):
        await desk.publish("ireo")
        contract = await desk.customer("ireo", plan="standard", products=["sage", "netsuite"])
        voided = await desk.open_ticket(contract, facts={"product": "sage", "impact": "limited"})
        other = await desk.open_ticket(contract, facts={"product": "netsuite", "impact": "limited"})
        assert voided["covered"]
        body = {"product": "sage", "from": "2026-05-04", "reason": "cambios en la base de datos"}

        void = await desk.admin.ok("POST", path_of(contract, "/voids"), json=body)
        await desk.settled()

        voided, other = await desk.ticket(voided), await desk.ticket(other)
        assert (voided["coverage"]["covered"], voided["coverage"]["clauses"]) == (False, ["IRE-18"])
        assert {clock["state"] for clock in voided["clocks"]} == {"cancelled"}
        assert other["covered"]
        assert (await desk.admin.ok("GET", path_of(contract)))["voided_products"] == ["sage"]

        lift = {"from": "2026-05-04", "reason": "no fue el cliente"}
        lifted = await desk.admin.ok("POST", path_of(contract, f"/voids/{void['void_id']}/lift"), json=lift)
        assert (lifted["valid_until"], lifted["lifted_for"]) == ("2026-05-04", "no fue el cliente")
        assert (await desk.ticket(voided))["covered"]
        assert await desk.admin.ok("GET", path_of(contract, "/voids")) == [lifted]
        await desk.admin.refused(409, "POST", path_of(contract, f"/voids/{void['void_id']}/lift"), json=lift)
        await desk.admin.refused(422, "POST", path_of(contract, "/voids"), json=body | {"product": "crm"})
