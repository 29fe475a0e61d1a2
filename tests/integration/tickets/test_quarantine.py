"""Requests that did not become tickets: kept with reason and clause, released once, or dismissed."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from harness import Client, DeskUnderTest

from plazo.runtime.unit_of_work import UnitOfWork
from tickets.domain.acceptance import Request
from tickets.usecases.opening import Kept, Taken, keep_request, take_request

NOW = datetime(2026, 5, 4, 13, tzinfo=UTC)
MAIL = {"subject": "No arranca", "description": "Desde hoy", "channel": "email", "contact_email": "luis@example.com"}


@pytest.fixture
async def contract(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a contract whose customer has said who may ask: its administrator."""
    await desk.publish("expande")
    signed = await desk.customer("expande", plan="basic")
    boss = {"customer_id": signed["customer_id"], "name": "Jefa", "role": "administrator"}
    registered = await desk.admin.ok("POST", "/v1/contacts", json=boss | {"emails": ["jefa@example.com"]})
    return signed | {"boss": registered["contact_id"]}


async def keep(desk: DeskUnderTest, contract: dict[str, Any], **request: Any) -> dict[str, Any]:
    """Ask for a ticket that is not opened, and return what is kept."""
    body = {"contract_id": contract["contract_id"]} | MAIL | request
    await desk.admin.refused(403, "POST", "/v1/tickets", json=body)
    kept: dict[str, Any] = (await desk.admin.ok("GET", "/v1/quarantine"))["items"][-1]
    return kept


async def taken_in(desk: DeskUnderTest, request: Request) -> Taken | Kept:
    """Take a request in as a channel without a caller does."""
    uow: UnitOfWork = desk.house.runtime("tickets").unit_of_work(desk_id=desk.desk_id, now=NOW)
    async with uow.begin() as tx:
        return await take_request(tx, request=request, actor="e-mail")


async def boss_of(desk: DeskUnderTest, contract: dict[str, Any]) -> Client:
    """Return the customer's administrator as a caller."""
    return await desk.key("requester", contact_id=contract["boss"])


class TestKeeping:
    async def test_keeps_mail_of_a_stranger_with_reason_clause_and_words(
        self, desk: DeskUnderTest, contract: dict[str, Any]
    ):
        kept = await keep(desk, contract)
        assert (kept["outcome"], kept["state"], kept["reason"]) == ("quarantined", "kept", "unauthorized_contact")
        assert (kept["clauses"], kept["channel"], kept["sender"]) == (["EXP-01"], "email", "luis@example.com")
        assert (kept["customer_id"], kept["received_at"]) == (contract["customer_id"], "2026-05-04T13:00:00Z")
        assert set(kept["note"]) == {"es", "en"}
        assert await desk.admin.ok("GET", f"/v1/quarantine/{kept['request_id']}") == kept
        [event] = await desk.house.events("tickets", desk.desk_id, "request.quarantined.v1")
        assert str(event["aggregate_id"]) == kept["request_id"]
        assert (event["data"]["contact_email"], event["data"]["clauses"]) == ("luis@example.com", ["EXP-01"])
        assert (event["data"]["policy"], event["data"]["policy_version"]) == ("expande", "2026-01")

    async def test_refused_is_kept_too_and_announced_as_refused(self, desk: DeskUnderTest, contract: dict[str, Any]):
        kept = await keep(desk, contract, channel="phone")
        assert kept["outcome"] == "refused"
        assert len(await desk.house.events("tickets", desk.desk_id, "request.refused.v1")) == 1
        assert await desk.house.events("tickets", desk.desk_id, "request.quarantined.v1") == []
        refused = await desk.admin.ok("GET", "/v1/quarantine?outcome=refused&state=kept")
        assert [one["request_id"] for one in refused["items"]] == [kept["request_id"]]
        assert (await desk.admin.ok("GET", "/v1/quarantine?outcome=quarantined"))["items"] == []

    async def test_repetition_of_a_refused_request_is_refused_alike_and_kept_once(
        self, desk: DeskUnderTest, contract: dict[str, Any]
    ):
        body = {"contract_id": contract["contract_id"]} | MAIL
        headers = {"Idempotency-Key": "mail-1"}
        first = await desk.admin.refused(403, "POST", "/v1/tickets", json=body, headers=headers)
        again = await desk.admin.refused(403, "POST", "/v1/tickets", json=body, headers=headers)
        assert again | {"instance": 0} == first | {"instance": 0}
        assert len((await desk.admin.ok("GET", "/v1/quarantine"))["items"]) == 1

    @pytest.mark.parametrize(
        ("sent_to", "reason", "clauses"),
        [
            pytest.param("support@expande.example.com", "unauthorized_contact", ["EXP-01"], id="address of a policy"),
            pytest.param("info@example.com", "unknown_sender", [], id="address of none"),
        ],
    )
    async def test_sender_of_no_customer_is_kept_by_the_policy_it_wrote_to(
        self, desk: DeskUnderTest, contract: dict[str, Any], sent_to: str, reason: str, clauses: list[str]
    ):
        request = Request(
            **{**MAIL, "contact_email": "nobody@example.com"},
            sent_to=sent_to,
            is_vouched_for=False,
            original={"raw": "…"},
        )
        outcome = await taken_in(desk, request)
        assert isinstance(outcome, Kept)
        assert (outcome.reason, list(outcome.clauses)) == (reason, clauses)
        [kept] = (await desk.admin.ok("GET", "/v1/quarantine"))["items"]
        assert (kept["customer_id"], kept["original"]) == (None, {"raw": "…"})

        # Whose it is has to be said before it can be released.
        path = f"/v1/quarantine/{kept['request_id']}/release"
        problem = await desk.admin.request("POST", path, json={})
        assert problem.status_code in (403, 422)
        released = await desk.admin.ok("POST", path, json={"contract_id": contract["contract_id"]})
        assert released["state"] == "released"

    async def test_what_cannot_be_mapped_is_kept(self, desk: DeskUnderTest, contract: dict[str, Any]):
        uow = desk.house.runtime("tickets").unit_of_work(desk_id=desk.desk_id, now=NOW)
        async with uow.begin() as tx:
            request = Request(subject="?", description="{}", channel="webhook", original={"a": 1})
            await keep_request(tx, request=request, reason="unmappable", note={"es": "Falta /title"})
        [kept] = (await desk.admin.ok("GET", "/v1/quarantine"))["items"]
        assert (kept["reason"], kept["note"], kept["original"]) == ("unmappable", {"es": "Falta /title"}, {"a": 1})


class TestReleasing:
    async def test_opens_the_ticket_with_both_instants(self, desk: DeskUnderTest, contract: dict[str, Any]):
        kept = await keep(desk, contract)
        await desk.advance(to="2026-05-04T15:00:00Z")
        boss = await boss_of(desk, contract)

        released = await boss.ok("POST", f"/v1/quarantine/{kept['request_id']}/release", json={})

        ticket = await desk.admin.ok("GET", f"/v1/tickets/{released['ticket_id']}")
        assert (ticket["received_at"], ticket["opened_at"]) == ("2026-05-04T13:00:00Z", "2026-05-04T15:00:00Z")
        assert (ticket["contact_email"], ticket["facts"]["authorized"]) == ("luis@example.com", True)
        entries = (await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline"))["items"]
        first, second = entries[:2]
        assert (first["kind"], first["occurred_at"], first["actor"]) == (
            "received",
            "2026-05-04T13:00:00Z",
            "requester: luis@example.com",
        )
        assert (second["kind"], second["occurred_at"]) == ("opened", "2026-05-04T15:00:00Z")
        assert second["data"]["authorized_by"] == released["settled_by"] == "requester: requester"

        # This request was let through, not its sender for good.
        await keep(desk, contract)

    async def test_released_five_times_at_once_is_one_ticket(self, desk: DeskUnderTest, contract: dict[str, Any]):
        kept = await keep(desk, contract)
        path = f"/v1/quarantine/{kept['request_id']}/release"
        released = await asyncio.gather(*(desk.admin.ok("POST", path, json={}) for _ in range(5)))
        assert len({one["ticket_id"] for one in released}) == 1
        assert len((await desk.admin.ok("GET", "/v1/tickets"))["items"]) == 1
        dismiss = {"reason": "no"}
        await desk.admin.refused(409, "POST", f"/v1/quarantine/{kept['request_id']}/dismiss", json=dismiss)

    async def test_may_authorize_the_sender_in_the_same_step(self, desk: DeskUnderTest, contract: dict[str, Any]):
        kept = await keep(desk, contract)
        boss = await boss_of(desk, contract)
        await boss.ok("POST", f"/v1/quarantine/{kept['request_id']}/release", json={"authorize": True})
        [_, luis] = (await boss.ok("GET", "/v1/contacts"))["items"]
        assert (luis["unconfirmed_emails"], luis["emails"], luis["may_ask"]) == (["luis@example.com"], [], True)
        assert luis["authorization"]["decided_by_contact"] == contract["boss"]
        # Its address is its customer's word so far: the next mail is kept too, and makes no second contact.
        another = await keep(desk, contract)
        await boss.ok("POST", f"/v1/quarantine/{another['request_id']}/release", json={"authorize": True})
        assert len((await boss.ok("GET", "/v1/contacts"))["items"]) == 2
        await desk.admin.ok("POST", f"/v1/contacts/{luis['contact_id']}/confirmations", json={})
        again = await desk.open_ticket(contract, **MAIL)
        assert again["contact_id"] == luis["contact_id"]

    async def test_staff_that_authorizes_confirms_the_address(self, desk: DeskUnderTest, contract: dict[str, Any]):
        kept = [await keep(desk, contract) for _ in range(2)]
        boss = await boss_of(desk, contract)
        await boss.ok("POST", f"/v1/quarantine/{kept[0]['request_id']}/release", json={"authorize": True})
        await desk.admin.ok("POST", f"/v1/quarantine/{kept[1]['request_id']}/release", json={"authorize": True})
        [_, luis] = (await boss.ok("GET", "/v1/contacts"))["items"]
        assert (luis["emails"], luis["unconfirmed_emails"]) == (["luis@example.com"], [])

    async def test_customer_authorizes_no_other_customer_s_person(self, desk: DeskUnderTest, contract: dict[str, Any]):
        other = await desk.customer("expande", plan="basic")
        eva = {"customer_id": other["customer_id"], "name": "Eva", "emails": ["luis@example.com"]}
        registered = await desk.admin.ok("POST", "/v1/contacts", json=eva)
        boss = await boss_of(desk, contract)
        kept = await keep(desk, contract)
        path = f"/v1/quarantine/{kept['request_id']}/release"
        released = await boss.ok("POST", path, json={"authorize": True})
        ticket = await boss.ok("GET", f"/v1/tickets/{released['ticket_id']}")
        assert ticket["contact_id"] != registered["contact_id"]
        assert (await desk.admin.ok("GET", f"/v1/contacts/{registered['contact_id']}")) == registered

    async def test_customer_lets_its_sender_through_but_no_other_rule(self, desk: DeskUnderTest):
        await desk.publish("prodequa")
        signed = await desk.customer("prodequa", plan="per_event")
        boss = {"customer_id": signed["customer_id"], "name": "Jefa", "role": "administrator"}
        registered = await desk.admin.ok("POST", "/v1/contacts", json=boss)
        kept = await keep(desk, signed)  # no purchase order
        path = f"/v1/quarantine/{kept['request_id']}/release"
        requester = await desk.key("requester", contact_id=registered["contact_id"])

        problem = await requester.refused(403, "POST", path, json={})
        assert problem["clause"] == "PRO-05"
        assert len((await desk.admin.ok("GET", "/v1/quarantine"))["items"]) == 1
        released = await desk.admin.ok("POST", path, json={})

        entries = (await desk.admin.ok("GET", f"/v1/tickets/{released['ticket_id']}/timeline"))["items"]
        opened = next(entry for entry in entries if entry["kind"] == "opened")
        assert opened["data"]["despite"] == {"reason": "purchase_order_required", "clauses": ["PRO-05"]}
        assert opened["data"]["accepted_by"] == "administrator: first key"

    async def test_is_not_for_everybody(self, desk: DeskUnderTest, contract: dict[str, Any]):
        kept = await keep(desk, contract)
        member = await desk.key("requester", customer_id=contract["customer_id"])
        other = await desk.customer("expande", plan="basic")
        stranger = await desk.key("requester", customer_id=other["customer_id"])
        path = f"/v1/quarantine/{kept['request_id']}"
        await member.refused(403, "POST", f"{path}/release", json={})
        await member.refused(403, "GET", "/v1/quarantine")
        for method, where in (("GET", path), ("POST", f"{path}/release")):
            await stranger.refused(404, method, where, json={} if method == "POST" else None)
        boss = await boss_of(desk, contract)
        assert [one["request_id"] for one in (await boss.ok("GET", "/v1/quarantine"))["items"]] == [kept["request_id"]]

    async def test_dismissed_is_settled_for_good(self, desk: DeskUnderTest, contract: dict[str, Any]):
        kept = await keep(desk, contract)
        path = f"/v1/quarantine/{kept['request_id']}"
        dismissed = await desk.admin.ok("POST", f"{path}/dismiss", json={"reason": "publicidad"})
        assert (dismissed["state"], dismissed["settled_for"]) == ("dismissed", "publicidad")
        assert await desk.admin.ok("POST", f"{path}/dismiss", json={"reason": "otra"}) == dismissed
        await desk.admin.refused(409, "POST", f"{path}/release", json={})

    async def test_refusal_does_not_say_who_settled_it(self, desk: DeskUnderTest, contract: dict[str, Any]):
        manager = await desk.key("manager", label="Marca Gerente")
        boss = await boss_of(desk, contract)
        kept = [(await keep(desk, contract))["request_id"] for _ in range(2)]
        await manager.ok("POST", f"/v1/quarantine/{kept[0]}/dismiss", json={"reason": "marca interna"})
        await manager.ok("POST", f"/v1/quarantine/{kept[1]}/release", json={})
        refusals = [
            await boss.refused(409, "POST", f"/v1/quarantine/{kept[0]}/release", json={}),
            await boss.refused(409, "POST", f"/v1/quarantine/{kept[1]}/dismiss", json={"reason": "x"}),
        ]
        assert [one["detail"].partition(" as ")[0] for one in refusals] == [
            "the request was dismissed",
            "the request was released",
        ]
