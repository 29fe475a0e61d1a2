"""Who is erased is forgotten by every service: whatever was under way, waits, or is sent again."""

import asyncio
from typing import Any
from uuid import UUID

import pytest
from harness import Client, DeskUnderTest, House, eventually
from integration.escalation.partner import open_partner

from plazo.events.envelope import SERVICES
from plazo.events.escalation import MessageFailed, MessageQueued
from plazo.kernel.ids import new_id
from plazo.runtime.identity import Role
from tickets.usecases import following

NAME, ADDRESS = "Zúrsula Zquarán", "zursula@example.com"
UNTIL = "2026-05-20T10:00:00Z"


@pytest.fixture
async def contract(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a contract under expande."""
    await desk.publish("expande")
    return await desk.customer("expande", plan="basic")


@pytest.fixture
async def contact(desk: DeskUnderTest, contract: dict[str, Any]) -> dict[str, Any]:
    """Return a contact who may ask."""
    about = {"customer_id": contract["customer_id"], "name": NAME, "emails": [ADDRESS], "role": "administrator"}
    made: dict[str, Any] = await desk.admin.ok("POST", "/v1/contacts", json=about)
    return made


async def erase(desk: DeskUnderTest, contact: dict[str, Any]) -> dict[str, Any]:
    erased: dict[str, Any] = await desk.admin.ok(
        "POST", f"/v1/contacts/{contact['contact_id']}/erasure", json={"reason": "lo pide"}
    )
    return erased


async def traces(house: House, desk: DeskUnderTest, *words: str) -> list[str]:
    """Return where the services keep one of some words, for this desk."""
    found = []
    for service in SERVICES:
        tables = await house.fetch(
            service,
            "SELECT table_name AS name FROM information_schema.columns WHERE column_name = 'desk_id' ORDER BY 1",
        )
        for table in tables:
            rows = await house.fetch(
                service,
                f"SELECT t::text AS row FROM {table['name']} t WHERE desk_id = $1 AND t::text ILIKE ANY($2)",
                UUID(str(desk.desk_id)),
                [f"%{word}%" for word in words],
            )
            found += [f"{service}.{table['name']}: {row['row'][:300]}" for row in rows]
    return found


async def test_nobody_is_sent_again_what_was_erased_and_no_service_keeps_it(
    house: House, desk: DeskUnderTest, contract: dict[str, Any], contact: dict[str, Any]
):
    async with open_partner("127.0.0.77") as partner:
        made = {"name": "p", "url": partner.url, "events": ["*"]}
        subscription = await desk.admin.ok("POST", "/v1/subscriptions", json=made)
        path = f"/v1/subscriptions/{subscription['subscription_id']}"
        about = {"role": "requester", "label": "zetiqueta", "contact_id": contact["contact_id"]}
        issued = await desk.admin.ok("POST", "/v1/keys", json=about, headers={"Idempotency-Key": "key"})
        await desk.settled()
        her = house.client(issued["api_key"])
        asked = {"contract_id": contract["contract_id"], "channel": "portal"}
        asked |= {"subject": "zasunto", "description": "zpalabras"}
        ticket = await her.ok("POST", "/v1/tickets", json=asked, headers={"Idempotency-Key": "ticket"})
        colleague = asked | {"subject": "Otra", "description": f"Lo mismo que {ADDRESS}", "contact_name": "Otra"}
        other = await desk.admin.ok("POST", "/v1/tickets", json=colleague)
        await her.ok("POST", f"/v1/tickets/{other['ticket_id']}/replies", json={"text": "A mí también, zrespuesta"})
        await desk.settled()
        offer = {"ticket_id": ticket["ticket_id"], "minutes": 30, "description": f"Para {NAME}", "valid_until": UNTIL}
        quote = await desk.admin.ok("POST", "/v1/quotes", json=offer, headers={"Idempotency-Key": "quote"})
        decline = f"/v1/quotes/{quote['quote_id']}/decline"
        await her.ok("POST", decline, json={}, headers={"Idempotency-Key": "decline"})
        await keep_aside(house, desk)
        await desk.settled()
        words = (NAME, ADDRESS, "zetiqueta", "zasunto", "zpalabras", "zrespuesta")
        assert {one.split(".")[0] for one in await traces(house, desk, *words)} == set(SERVICES)

        await erase(desk, contact)
        await desk.settled()

        assert await traces(house, desk, *words) == []
        partner.posts.clear()
        again = await desk.admin.ok("POST", f"{path}/replay", json={"from": "2026-01-01T00:00:00Z"})

        async def all_sent() -> bool:
            queued = await desk.admin.ok("GET", f"{path}/deliveries?state=queued")
            return len(partner.posts) >= again["events"] and not queued["items"]

        await eventually(all_sent)
        told = str(partner.bodies)
        assert [word for word in words if word.lower() in told.lower()] == []
        assert ticket["ticket_id"] in told
        assert other["number"] in told
        assert "Cliente" in told


async def keep_aside(house: House, desk: DeskUnderTest) -> None:
    """Let every other service have an opening that waits, and one that was given up."""
    opened = await house.fetch(
        "tickets",
        "SELECT * FROM outbox WHERE desk_id = $1 AND type IN ('ticket.opened.v1', 'key.issued.v1')",
        UUID(str(desk.desk_id)),
    )
    for row in opened:
        envelope = {"type": row["type"], "aggregate_id": str(row["aggregate_id"]), "data": row["data"]}
        for service in ("sla_clock", "escalation", "billing"):
            await house.fetch(
                service,
                "INSERT INTO inbox_waiting (desk_id, producer, aggregate_id, aggregate_version, envelope) "
                "VALUES ($1, 'tickets', $2, $3, $4)",
                row["desk_id"],
                row["aggregate_id"],
                row["aggregate_version"] + 1000,
                envelope,
            )
            await house.fetch(
                service,
                "INSERT INTO dead_letter (event_id, desk_id, producer, aggregate_id, aggregate_version, type, "
                "envelope, reason, state) VALUES ($1, $2, 'tickets', $3, $4, $5, $6, $7, 'discarded')",
                row["id"],
                row["desk_id"],
                row["aggregate_id"],
                row["aggregate_version"],
                row["type"],
                envelope,
                "ValueError: zasunto",
            )


async def test_what_is_said_meanwhile_is_erased_or_refused(
    house: House, desk: DeskUnderTest, contract: dict[str, Any], contact: dict[str, Any]
):
    her = await desk.key("requester", contact_id=contact["contact_id"])
    asked = {"contract_id": contract["contract_id"], "channel": "portal", "subject": "zasunto", "description": "zdicho"}
    first = [await her.ok("POST", "/v1/tickets", json=asked) for _ in range(2)]
    opened, refused = [one["ticket_id"] for one in first], set()
    under_way = asyncio.Event()

    async def say(client: Client, paths: list[str], body: dict[str, Any]) -> None:
        for n in range(500):
            answer = await client.post(paths[n % len(paths)], json=body)
            if answer.status_code >= 400:
                refused.add(answer.status_code)
                return
            if paths == ["/v1/tickets"]:
                opened.append(answer.json()["ticket_id"])
            if len(opened) > 5:
                under_way.set()

    replies = [f"/v1/tickets/{one}/replies" for one in opened]
    further = [f"/v1/tickets/{one}/additional-requests" for one in opened]
    more = {"subject": "zasunto", "description": "zdicho", "kind": "additional_request", "channel": "portal"}
    talking = [asyncio.create_task(say(her, replies, {"text": "zdicho"})) for _ in range(4)]
    talking += [asyncio.create_task(say(her, ["/v1/tickets"], asked)) for _ in range(3)]
    talking += [asyncio.create_task(say(her, further, more))]

    await under_way.wait()
    erased = await erase(desk, contact)
    await asyncio.gather(*talking)
    await desk.settled()

    assert refused <= {401, 403}
    tickets = await house.fetch("tickets", "SELECT ticket_id FROM ticket WHERE desk_id = $1", UUID(str(desk.desk_id)))
    assert erased["tickets"] == len(tickets) >= len(opened)
    assert await traces(house, desk, NAME, ADDRESS, "zasunto", "zdicho") == []
    for one in tickets:
        chain = await desk.admin.ok("GET", f"/v1/tickets/{one['ticket_id']}/timeline/verification")
        assert chain["intact"], chain


async def test_what_is_heard_later_brings_no_address_and_no_subject_back(
    house: House, desk: DeskUnderTest, contract: dict[str, Any], contact: dict[str, Any]
):
    ticket = await desk.open_ticket(contract, contact_id=contact["contact_id"], subject="zasunto")
    await erase(desk, contact)
    await desk.settled()
    about = {"ticket_id": UUID(ticket["ticket_id"]), "message_id": new_id(), "channel": "email", "to": ADDRESS}
    queued = MessageQueued(**about, template="receipt", subject="Sobre zasunto")
    failed = MessageFailed(**about, reason=f"550 <{ADDRESS}> unknown")
    runtime = house.runtime("tickets")

    uow = runtime.unit_of_work(desk_id=UUID(str(desk.desk_id)), now=runtime.clock.now())
    await following.follow_message(uow, event=queued, at=uow.now)
    await following.follow_delivery(uow, event=failed, at=uow.now)

    entries = (await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline"))["items"]
    told = [one for one in entries if one["data"].get("message_id") == str(queued.message_id)]
    assert [(one["kind"], one["text"], one["data"]["to"]) for one in told] == [
        ("notified", "[erased]", "[erased]"),
        ("notice_failed", "[erased]", "[erased]"),
    ]


async def test_an_erased_contact_stays_erased(
    house: House, desk: DeskUnderTest, contract: dict[str, Any], contact: dict[str, Any]
):
    path = f"/v1/contacts/{contact['contact_id']}"
    await erase(desk, contact)
    await desk.admin.refused(404, "PATCH", path, json={"name": NAME, "emails": [ADDRESS]})
    key = {"role": Role.REQUESTER, "label": "x", "contact_id": contact["contact_id"]}
    await desk.admin.refused(404, "POST", "/v1/keys", json=key)
    later = await desk.open_ticket(contract, contact_name="Otra", description=f"Como decía {NAME}")

    await erase(desk, contact)
    await desk.settled()

    assert (await desk.ticket(later))["description"] == "[erased]"
    assert await traces(house, desk, NAME, ADDRESS) == []
