"""Contacts, and who of them may ask; customers; the keys of contacts."""

from typing import Any

import pytest
from harness import Client, DeskUnderTest
from mails import post, write


@pytest.fixture
async def contract(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a contract under the policy of expande, which asks who may ask."""
    await desk.publish("expande")
    return await desk.customer("expande", plan="basic")


async def contact(desk: DeskUnderTest, contract: dict[str, Any], **about: Any) -> dict[str, Any]:
    """Register a contact of the contract's customer."""
    body = {"customer_id": contract["customer_id"], "name": "Ana"} | about
    registered: dict[str, Any] = await desk.admin.ok("POST", "/v1/contacts", json=body)
    return registered


async def ask(client: Client, contract: dict[str, Any], **request: Any) -> int:
    """Ask for a ticket, and return how that was answered."""
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "portal"} | request
    return (await client.post("/v1/tickets", json=body)).status_code


class TestContacts:
    async def test_is_read_and_listed_as_registered(self, desk: DeskUnderTest, contract: dict[str, Any]):
        emails = ["Ana@Example.com", "ana.perez@example.com"]
        ana = await contact(desk, contract, emails=emails, phone="+34 600", language="en")
        assert ana | {"contact_id": 0, "customer_id": 0} == {
            "contact_id": 0,
            "customer_id": 0,
            "version": 1,
            "name": "Ana",
            "emails": ["ana@example.com", "ana.perez@example.com"],
            "unconfirmed_emails": [],
            "phone": "+34 600",
            "language": "en",
            "role": "member",
            "may_ask": False,
            "authorization": {
                "authorized": False,
                "decided_by": None,
                "decided_by_contact": None,
                "decided_at": None,
            },
            "created_at": "2026-05-04T13:00:00Z",
        }
        assert await desk.admin.ok("GET", f"/v1/contacts/{ana['contact_id']}") == ana
        listed = await desk.admin.ok("GET", f"/v1/contacts?customer_id={contract['customer_id']}")
        assert listed == {"items": [ana], "next_cursor": None}

    async def test_address_names_one_contact_whatever_its_letter_case(
        self, desk: DeskUnderTest, contract: dict[str, Any]
    ):
        ana = await contact(desk, contract, emails=["ana@example.com"])
        luis = {"customer_id": contract["customer_id"], "name": "Luis"}
        taken = await desk.admin.refused(409, "POST", "/v1/contacts", json=luis | {"emails": ["ANA@example.com"]})
        twice = ["luis@example.com", "Luis@example.com"]
        doubled = await desk.admin.refused(422, "POST", "/v1/contacts", json=luis | {"emails": twice})
        assert (taken["type"], taken["errors"][0]["pointer"]) == ("urn:plazo:problem:address-taken", "/emails")
        assert doubled["errors"][0]["pointer"] == "/emails/1"

        # Its own address is no other's.
        path = f"/v1/contacts/{ana['contact_id']}"
        changed = await desk.admin.ok("PATCH", path, json={"emails": ["ana@example.com", "a@example.com"]})
        assert (changed["version"], changed["emails"]) == (2, ["ana@example.com", "a@example.com"])
        await desk.admin.refused(422, "PATCH", path, json={"name": None})
        await desk.admin.refused(412, "PATCH", path, json={"name": "A"}, headers={"If-Match": '"1"'})

    async def test_only_the_administrator_of_the_customer_authorizes(
        self, desk: DeskUnderTest, contract: dict[str, Any]
    ):
        boss = await contact(desk, contract, name="Jefa", role="administrator")
        luis = await contact(desk, contract, name="Luis")
        elsewhere = await contact(desk, await desk.customer("expande", plan="basic"), name="Otra", role="administrator")
        boss_key, luis_key, stranger_key = [
            await desk.key("requester", contact_id=one["contact_id"]) for one in (boss, luis, elsewhere)
        ]
        path = f"/v1/contacts/{luis['contact_id']}/authorizations"

        await luis_key.refused(403, "POST", path)
        await stranger_key.refused(404, "POST", path)
        assert [await ask(one, contract) for one in (boss_key, luis_key)] == [201, 403]
        authorized = await boss_key.ok("POST", path)

        assert authorized["may_ask"]
        assert authorized["authorization"] == {
            "authorized": True,
            "decided_by": "requester: requester",
            "decided_by_contact": boss["contact_id"],
            "decided_at": "2026-05-04T13:00:00Z",
        }
        assert await ask(luis_key, contract) == 201
        assert (await boss_key.ok("POST", path))["version"] == authorized["version"]  # twice is once
        await boss_key.ok("POST", f"/v1/contacts/{luis['contact_id']}/withdrawals")
        assert await ask(luis_key, contract) == 403
        await desk.admin.refused(409, "POST", f"/v1/contacts/{boss['contact_id']}/withdrawals")

    async def test_key_of_a_contact_is_its_customer_s(self, desk: DeskUnderTest, contract: dict[str, Any]):
        ana = await contact(desk, contract)
        other = await desk.customer("expande", plan="basic")
        key = {"role": "requester", "label": "x", "contact_id": ana["contact_id"]}
        await desk.admin.refused(404, "POST", "/v1/keys", json=key | {"customer_id": other["customer_id"]})
        await desk.admin.refused(422, "POST", "/v1/keys", json=key | {"role": "agent"})
        luis = await contact(desk, contract, name="Luis")
        boss = await contact(desk, contract, name="Jefa", role="administrator")
        everybody = [one["contact_id"] for one in (ana, luis, boss)]
        for about, seen in (
            ({"contact_id": ana["contact_id"]}, everybody[:1]),
            ({"contact_id": boss["contact_id"]}, everybody),
            ({"customer_id": contract["customer_id"]}, everybody),
            ({"customer_id": other["customer_id"]}, []),
        ):
            client = await desk.key("requester", **about)
            assert [one["contact_id"] for one in (await client.ok("GET", "/v1/contacts"))["items"]] == seen
            found = [(await client.get(f"/v1/contacts/{one}")).status_code for one in everybody]
            assert found == [200 if one in seen else 404 for one in everybody]

    async def test_announces_the_newest_particulars(self, desk: DeskUnderTest, contract: dict[str, Any]):
        ana = await contact(desk, contract, emails=["ana@example.com"])
        await desk.admin.ok("PATCH", f"/v1/contacts/{ana['contact_id']}", json={"role": "administrator"})
        rows = await desk.house.events("tickets", desk.desk_id, "contact.registered.v1")
        assert [(row["data"]["role"], row["data"]["emails"]) for row in rows] == [
            ("member", ["ana@example.com"]),
            ("administrator", ["ana@example.com"]),
        ]


class TestUnconfirmed:
    """An address that a customer gives names nobody until the desk has confirmed it."""

    @pytest.fixture
    async def boss(self, desk: DeskUnderTest, contract: dict[str, Any]) -> Client:
        """Return the customer's administrator as a caller."""
        one = await contact(desk, contract, name="Jefa", role="administrator")
        return await desk.key("requester", contact_id=one["contact_id"])

    async def test_mail_from_it_is_a_stranger_s(self, desk: DeskUnderTest, contract: dict[str, Any], boss: Client):
        eva = {"customer_id": contract["customer_id"], "name": "Eva", "authorized": True}
        claimed = await boss.ok("POST", "/v1/contacts", json=eva | {"emails": ["Eva@example.com"]})
        assert (claimed["emails"], claimed["unconfirmed_emails"]) == ([], ["eva@example.com"])
        assert await desk.admin.ok("GET", f"/v1/contacts/{claimed['contact_id']}") == claimed
        [*_, announced] = await desk.house.events("tickets", desk.desk_id, "contact.registered.v1")
        assert announced["data"]["emails"] == []

        mail = {"sender": "eva@example.com", "to": "otro@example.org"}
        kept = await post(desk.admin, write(**mail))
        assert (kept["outcome"], kept["reason"]) == ("kept", "unknown_sender")
        assert (await boss.ok("GET", "/v1/quarantine"))["items"] == []

        # It is another customer's person, as the desk knows.
        other = await contact(
            desk, await desk.customer("expande", plan="basic"), authorized=True, emails=["eva@example.com"]
        )
        opened = await post(desk.admin, write(**mail, message_id="two@example.com"))
        assert (await desk.ticket(opened))["contact_id"] == other["contact_id"]
        assert (await boss.ok("GET", "/v1/tickets"))["items"] == []
        path = f"/v1/contacts/{claimed['contact_id']}/confirmations"
        taken = await desk.admin.refused(409, "POST", path, json={})
        assert (taken["type"], taken["errors"][0]["pointer"]) == ("urn:plazo:problem:address-taken", "/emails")

    async def test_nothing_is_told_of_who_is_known(self, desk: DeskUnderTest, contract: dict[str, Any], boss: Client):
        await contact(desk, await desk.customer("expande", plan="basic"), emails=["eva@example.com"])
        body = {"customer_id": contract["customer_id"], "name": "Luis"}
        answers = [
            await boss.ok("POST", "/v1/contacts", json=body | {"emails": [address]})
            for address in ("eva@example.com", "nobody@example.com")
        ]
        changed = await boss.ok(
            "PATCH", f"/v1/contacts/{answers[1]['contact_id']}", json={"emails": ["eva@example.com"]}
        )
        shown = [one["emails"] + one["unconfirmed_emails"] for one in (*answers, changed)]
        assert shown == [["eva@example.com"], ["nobody@example.com"], ["eva@example.com"]]

    async def test_the_desk_confirms_some_or_all(self, desk: DeskUnderTest, contract: dict[str, Any], boss: Client):
        emails = [f"eva{number}@example.com" for number in range(3)]
        body = {"customer_id": contract["customer_id"], "name": "Eva", "authorized": True, "emails": emails}
        eva = await boss.ok("POST", "/v1/contacts", json=body)
        path = f"/v1/contacts/{eva['contact_id']}"
        agent = await desk.key("agent")
        await boss.refused(403, "POST", f"{path}/confirmations", json={})
        problem = await agent.refused(
            422, "POST", f"{path}/confirmations", json={"emails": [emails[0], "x@example.com"]}
        )
        assert problem["errors"][0]["pointer"] == "/emails/1"
        one = await agent.ok("POST", f"{path}/confirmations", json={"emails": [emails[1].upper()]})
        assert (one["version"], one["emails"], one["unconfirmed_emails"]) == (2, emails[1:2], [emails[0], emails[2]])
        again = await agent.ok("POST", f"{path}/confirmations", json={"emails": emails[1:2]})
        assert again == one  # twice is once
        everything = await agent.ok("POST", f"{path}/confirmations", json={})
        assert (everything["emails"], everything["unconfirmed_emails"]) == ([emails[1], emails[0], emails[2]], [])
        [*_, announced] = await desk.house.events("tickets", desk.desk_id, "contact.registered.v1")
        assert announced["data"]["emails"] == everything["emails"]
        opened = await post(desk.admin, write(sender=emails[2]))
        assert (await desk.ticket(opened))["contact_id"] == eva["contact_id"]

    async def test_what_is_confirmed_stays_so_and_is_taken_away(
        self, desk: DeskUnderTest, contract: dict[str, Any], boss: Client
    ):
        eva = await contact(desk, contract, name="Eva", emails=["a@example.com", "b@example.com"])
        path = f"/v1/contacts/{eva['contact_id']}"
        for given, confirmed, unconfirmed in (
            (["B@example.com", "c@example.com"], ["b@example.com"], ["c@example.com"]),
            (["c@example.com", "a@example.com"], [], ["c@example.com", "a@example.com"]),
            ([], [], []),
        ):
            changed = await boss.ok("PATCH", path, json={"emails": given})
            assert (changed["emails"], changed["unconfirmed_emails"]) == (confirmed, unconfirmed)
        await boss.ok("PATCH", path, json={"emails": ["d@example.com"]})
        by_staff = await desk.admin.ok("PATCH", path, json={"emails": ["d@example.com"]})
        assert (by_staff["emails"], by_staff["unconfirmed_emails"]) == (["d@example.com"], [])

    async def test_is_exported_and_forgotten_with_the_contact_but_finds_nobody_s_mail(
        self, desk: DeskUnderTest, contract: dict[str, Any], boss: Client
    ):
        kept = await post(desk.admin, write(sender="eva@example.com", to="otro@example.org"))
        body = {"customer_id": contract["customer_id"], "name": "Remedios", "emails": ["eva@example.com"]}
        claimed = await boss.ok("POST", "/v1/contacts", json=body, headers={"Idempotency-Key": "alta"})
        path = f"/v1/contacts/{claimed['contact_id']}"
        export = await desk.admin.ok("GET", f"{path}/export")
        assert (export["contact"]["unconfirmed_emails"], export["requests"]) == (["eva@example.com"], [])
        await desk.admin.ok("POST", f"{path}/erasure", json={"reason": "lo pide"})
        left = await desk.admin.ok("GET", path)
        assert (left["name"], left["unconfirmed_emails"]) == ("[erased]", [])
        sql = "SELECT answer FROM idempotency_key WHERE answer->>'contact_id' = $1"
        [row] = await desk.house.fetch("tickets", sql, claimed["contact_id"])
        assert "eva@example.com" not in str(row["answer"])
        read = await desk.admin.ok("GET", f"/v1/quarantine/{kept['request_id']}")
        assert read["sender"] == "eva@example.com"


@pytest.mark.parametrize(
    "address", ["<a@b.cd>", "Ana <a@b.cd>", "\u202ea@b.cd", "a\u200b@b.cd", "a @b.cd", "a@b.cd,", "a@b@c.d", '"a"@b.cd']
)
async def test_only_a_bare_address_is_one(desk: DeskUnderTest, address: str):
    customer = await desk.admin.ok("POST", "/v1/customers", json={"name": "Una"})
    body = {"customer_id": customer["customer_id"], "name": "Ana", "emails": [address]}
    problem = await desk.admin.refused(422, "POST", "/v1/contacts", json=body)
    assert problem["errors"][0]["pointer"] == "/emails/0"


class TestWhoAsks:
    async def test_named_contact_decides_by_its_own_right(self, desk: DeskUnderTest, contract: dict[str, Any]):
        stranger, ana = {"contact_email": "x@example.com"}, {"contact_email": "ANA@example.com"}
        # Nobody is named, or the customer has not said who may ask: the key stands for the request.
        assert [await ask(desk.admin, contract, **named) for named in ({}, stranger)] == [201, 201]
        registered = await contact(desk, contract, emails=["ana@example.com"])
        assert [await ask(desk.admin, contract, **named) for named in ({}, stranger, ana)] == [201, 403, 403]
        path = f"/v1/contacts/{registered['contact_id']}"
        await desk.admin.ok("PATCH", path, json={"role": "administrator"})
        assert await ask(desk.admin, contract, **ana) == 201

    async def test_contact_chooses_the_contract_in_force(self, desk: DeskUnderTest, contract: dict[str, Any]):
        ana = await contact(desk, contract, authorized=True, language="en")
        ended = {"customer_id": contract["customer_id"], "policy": "expande", "plan": "basic"}
        dates = {"valid_from": "2020-01-01", "valid_until": "2021-01-01"}
        await desk.admin.ok("POST", "/v1/contracts", json=ended | dates)
        body = {"contact_id": ana["contact_id"], "subject": "a", "description": "b", "channel": "portal"}
        opened = await desk.admin.ok("POST", "/v1/tickets", json=body)
        assert (opened["contract_id"], opened["contact_id"]) == (contract["contract_id"], ana["contact_id"])
        assert (opened["contact_name"], opened["language"]) == ("Ana", "en")
        nothing = {"subject": "a", "description": "b"}
        assert (await desk.admin.refused(422, "POST", "/v1/tickets", json=nothing))["errors"][0]["pointer"] == (
            "/contract_id"
        )


async def test_customer_s_particulars_change_and_are_announced(desk: DeskUnderTest, contract: dict[str, Any]):
    path = f"/v1/customers/{contract['customer_id']}"
    changed = await desk.admin.ok("PATCH", path, json={"segment": "cinema", "email": None})
    assert (changed["segment"], changed["email"]) == ("cinema", None)
    await desk.admin.refused(422, "PATCH", path, json={"timezone": "Europe/Nowhere"})
    rows = await desk.house.events("tickets", desk.desk_id, "customer.registered.v1")
    assert [row["data"]["segment"] for row in rows] == [None, "cinema"]
