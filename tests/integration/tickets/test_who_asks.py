"""What a customer says of who asks: its own people, or just words; nobody else is written to, or asks by it."""

import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import pytest
from harness import Client, DeskUnderTest
from integration.runtime.provider import Provider, running_provider
from mails import post, write

from plazo.runtime.clock import SystemClock

ASKED = {"subject": "No arranca", "description": "Desde hoy", "channel": "portal"}
STRANGER = "victima@elsewhere.example"


@pytest.fixture
async def contract(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a contract whose customer has not said who may ask."""
    await desk.publish("expande")
    return await desk.customer("expande", plan="basic")


async def person(desk: DeskUnderTest, customer_id: str, **about: Any) -> dict[str, Any]:
    """Register a contact, which is confirmed."""
    body = {"customer_id": customer_id, "name": "Eva", "emails": ["eva@example.com"], "authorized": True} | about
    registered: dict[str, Any] = await desk.admin.ok("POST", "/v1/contacts", json=body)
    return registered


async def told(desk: DeskUnderTest, *addresses: str) -> list[str]:
    """Return to which of some addresses anything is written, once all has settled."""
    await desk.settled()
    messages = (await desk.admin.ok("GET", "/v1/messages", params={"limit": 200}))["items"]
    return [address for address in addresses if any(one["to"] == address for one in messages)]


async def opened_data(desk: DeskUnderTest, ticket: dict[str, Any]) -> dict[str, Any]:
    """Return what the dossier says of the opening."""
    entries = (await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline"))["items"]
    data: dict[str, Any] = next(one["data"] for one in entries if one["kind"] == "opened")
    return data


class TestCustomersKey:
    async def test_what_is_kept_is_its_customer_s_whoever_it_names(self, desk: DeskUnderTest, contract: dict[str, Any]):
        boss = await person(desk, contract["customer_id"], name="Jefa", emails=[], role="administrator")
        await person(desk, contract["customer_id"], language="en")
        own = await desk.admin.ok("POST", "/v1/customers", json={"name": "Alfa", "email": "alfa@example.com"})
        key = await desk.key("requester", customer_id=own["customer_id"])

        said = []
        for address in ("Eva@example.com", STRANGER):
            problem = await key.refused(403, "POST", "/v1/tickets", json=ASKED | {"contact_email": address})
            said.append(re.sub(r"[0-9a-f-]{36}", "…", problem["detail"]))

        assert said[0] == said[1]
        kept = (await desk.admin.ok("GET", "/v1/quarantine"))["items"]
        assert [(one["customer_id"], one["contact_id"], one["sender"]) for one in kept] == [
            (own["customer_id"], None, "Eva@example.com"),
            (own["customer_id"], None, STRANGER),
        ]
        assert kept[0]["reason"] == kept[1]["reason"]
        jefa = await desk.key("requester", contact_id=boss["contact_id"])
        assert (await jefa.ok("GET", "/v1/quarantine"))["items"] == []
        assert await told(desk, "eva@example.com", "Eva@example.com", STRANGER) == []

    async def test_names_its_own_people_by_what_is_confirmed(self, desk: DeskUnderTest, contract: dict[str, Any]):
        emails = ["eva@example.com", "e.perez@example.com"]
        eva = await person(desk, contract["customer_id"], emails=emails)
        key = await desk.key("requester", customer_id=contract["customer_id"])
        ticket = await key.ok("POST", "/v1/tickets", json=ASKED | {"contact_email": "E.Perez@example.com"})
        assert (ticket["contact_id"], ticket["contact_name"], ticket["contact_email"]) == (
            eva["contact_id"],
            "Eva",
            "e.perez@example.com",
        )
        assert await told(desk, *emails) == emails[1:]

    async def test_nobody_is_written_to_at_an_address_that_was_only_told(
        self, desk: DeskUnderTest, contract: dict[str, Any]
    ):
        key = await desk.key("requester", customer_id=contract["customer_id"])
        asked = ASKED | {"contact_name": "Luis", "contact_email": STRANGER}
        ticket = await key.ok("POST", "/v1/tickets", json=asked)
        assert (ticket["contact_name"], ticket["contact_email"]) == ("Luis", "cliente@example.com")
        assert (await opened_data(desk, ticket))["told_email"] == STRANGER
        assert await told(desk, STRANGER, "cliente@example.com") == ["cliente@example.com"]

        answer = await post(desk.admin, write(sender=STRANGER, subject=f"Re: {ticket['number']}"))
        assert (answer["outcome"], answer["reason"]) == ("kept", "sender_of_other_customer")

    async def test_what_was_told_is_confirmed_as_the_desk_releases_it(
        self, desk: DeskUnderTest, contract: dict[str, Any]
    ):
        await person(desk, contract["customer_id"])
        key = await desk.key("requester", customer_id=contract["customer_id"])
        kept = []
        for address in ("luis@example.com", STRANGER):
            asked = ASKED | {"contract_id": contract["contract_id"], "channel": "email", "contact_email": address}
            problem = await key.refused(403, "POST", "/v1/tickets", json=asked)
            assert problem["clause"] == "EXP-01"
            kept.append((await desk.admin.ok("GET", "/v1/quarantine"))["items"][-1])
        assert [one["sender"] for one in kept] == ["luis@example.com", STRANGER]
        assert await told(desk, "luis@example.com", STRANGER) == []

        released = [
            await desk.admin.ok("POST", f"/v1/quarantine/{one['request_id']}/release", json={"authorize": authorize})
            for one, authorize in zip(kept, (True, False), strict=True)
        ]

        luis, unknown = [await desk.ticket(one) for one in released]
        found = await desk.admin.ok("GET", f"/v1/contacts/{luis['contact_id']}")
        assert (luis["contact_email"], found["emails"], found["may_ask"]) == (
            "luis@example.com",
            ["luis@example.com"],
            True,
        )
        assert (unknown["contact_id"], unknown["contact_email"]) == (None, "cliente@example.com")
        assert await told(desk, "luis@example.com", STRANGER) == ["luis@example.com"]


class TestPersonsKey:
    async def test_asks_in_no_other_name(self, desk: DeskUnderTest, contract: dict[str, Any]):
        boss = await person(desk, contract["customer_id"], name="Jefa", emails=["jefa@example.com"])
        eva = await person(desk, contract["customer_id"])
        key = await desk.key("requester", contact_id=eva["contact_id"])
        for field, value in (
            ("contact_id", boss["contact_id"]),
            ("contact_name", "Jefa"),
            ("contact_email", "jefa@example.com"),
            ("contact_email", STRANGER),
        ):
            problem = await key.refused(422, "POST", "/v1/tickets", json=ASKED | {field: value})
            assert [one["pointer"] for one in problem["errors"]] == [f"/{field}"]
        assert await told(desk, STRANGER, "jefa@example.com") == []

    async def test_may_say_who_it_is(self, desk: DeskUnderTest, contract: dict[str, Any]):
        jefa = await person(desk, contract["customer_id"], name="Jefa", emails=[], role="administrator")
        boss = await desk.key("requester", contact_id=jefa["contact_id"])
        body = {"customer_id": contract["customer_id"], "name": "Ana Pérez", "authorized": True}
        ana = await boss.ok("POST", "/v1/contacts", json=body | {"emails": ["ana@example.com"]})
        key = await desk.key("requester", contact_id=ana["contact_id"])
        own = {"contact_id": ana["contact_id"], "contact_name": "ana  pérez", "contact_email": "Ana@example.com"}

        unconfirmed = await key.ok("POST", "/v1/tickets", json=ASKED | own)
        assert await told(desk, "ana@example.com") == []
        await desk.admin.ok("POST", f"/v1/contacts/{ana['contact_id']}/confirmations", json={})
        confirmed = await key.ok("POST", "/v1/tickets", json=ASKED | own)

        for ticket, address in ((unconfirmed, "cliente@example.com"), (confirmed, "ana@example.com")):
            assert (ticket["contact_name"], ticket["contact_email"]) == ("Ana Pérez", address)
        assert await told(desk, "ana@example.com") == ["ana@example.com"]


class TestAccessToken:
    """What an access token says of its contact holds as far as `tickets` knows the contact as the customer's."""

    @pytest.fixture
    async def by_token(self, desk: DeskUnderTest) -> AsyncIterator[Callable[..., Client]]:
        """Return who gives requesters of this desk their tokens, which `tickets` and `billing` accept."""
        runtimes = [desk.house.runtime(name) for name in ("tickets", "billing")]
        async with running_provider() as provider:
            provider.now = SystemClock().now()
            with pytest.MonkeyPatch.context() as patch:
                for runtime in runtimes:
                    patch.setattr(runtime, "access_tokens", provider.tokens())
                yield lambda *whose: desk.house.client(token_of(desk, provider, *whose))

    async def test_of_an_erased_contact_asks_no_more(
        self, desk: DeskUnderTest, contract: dict[str, Any], by_token: Callable[..., Client]
    ):
        customer_id = contract["customer_id"]
        boss = await person(desk, customer_id, name="Jefa", role="administrator")
        client = by_token(customer_id, boss["contact_id"])
        opened = await client.ok("POST", "/v1/tickets", json=ASKED)
        answer = f"/v1/tickets/{opened['ticket_id']}/replies"
        await client.ok("POST", "/v1/contacts", json={"customer_id": customer_id, "name": "Uno"})
        await client.ok("POST", answer, json={"text": "sí"})
        accepted = await decide(desk, client, opened)
        assert accepted.status_code == 200, accepted.text

        await desk.admin.ok("POST", f"/v1/contacts/{boss['contact_id']}/erasure", json={"reason": "lo pide"})
        await desk.settled()

        left = await desk.admin.ok("GET", f"/v1/contacts/{boss['contact_id']}")
        assert (left["role"], left["may_ask"]) == ("member", False)
        await client.refused(403, "POST", "/v1/contacts", json={"customer_id": customer_id, "name": "Otro"})
        await client.refused(403, "GET", "/v1/quarantine")
        await client.refused(403, "POST", "/v1/tickets", json=ASKED)
        await client.refused(403, "POST", answer, json={"text": "sí"})
        assert (await decide(desk, client, opened)).status_code == 403

    async def test_with_a_contact_that_is_not_its_customer_s_decides_nothing(
        self, desk: DeskUnderTest, contract: dict[str, Any], by_token: Callable[..., Client]
    ):
        customer_id = contract["customer_id"]
        eva = await person(desk, customer_id)
        other = await desk.customer("expande", plan="basic")
        boss = await person(desk, other["customer_id"], name="Otra", emails=[], role="administrator")
        ticket = await desk.open_ticket(contract, channel="portal", contact_id=eva["contact_id"])
        for contact_id in (boss["contact_id"], str(uuid4())):
            client = by_token(customer_id, contact_id)
            assert (await client.ok("GET", "/v1/contacts"))["items"] == []
            await client.refused(403, "POST", "/v1/contacts", json={"customer_id": customer_id, "name": "Uno"})
            await client.refused(403, "GET", "/v1/quarantine")
            await client.refused(404, "POST", "/v1/tickets", json=ASKED)
            await client.refused(403, "POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "sí"})
            assert (await decide(desk, client, ticket)).status_code == 403
        own = by_token(customer_id, eva["contact_id"])
        assert (await decide(desk, own, ticket)).status_code == 200


def token_of(desk: DeskUnderTest, provider: Provider, customer_id: str, contact_id: str) -> str:
    """Return the token of a person of a customer."""
    claims = {"plazo_customer": customer_id, "plazo_contact": contact_id, "plazo_role": "requester"}
    return provider.token(plazo_desk=str(desk.desk_id), **claims)


async def decide(desk: DeskUnderTest, client: Client, ticket: dict[str, Any]) -> Any:
    """Offer a quote for a ticket, and return how it is answered that somebody declines it."""
    await desk.settled()
    offer = {"ticket_id": ticket["ticket_id"], "minutes": 30, "description": "x"}
    quote = await desk.admin.ok("POST", "/v1/quotes", json=offer | {"valid_until": "2026-06-01T00:00:00Z"})
    return await client.post(f"/v1/quotes/{quote['quote_id']}/decline", json={})
