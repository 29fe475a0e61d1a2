"""The dossier: its chain, evidence to take away, and forgetting a person without breaking either."""

import asyncio
import json
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from harness import DeskUnderTest, House, eventually
from integration.tickets.test_secrets import traces


@pytest.fixture
async def contract(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a contract under expande."""
    await desk.publish("expande")
    return await desk.customer("expande", plan="basic")


async def verification(desk: DeskUnderTest, ticket: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline/verification")
    return found


async def forge(house: House, ticket: dict[str, Any], change: str, *, position: int) -> None:
    """Change an entry as only somebody with the superuser's key could: past every trigger."""
    connection = await asyncpg.connect(house.postgres.dsn("plazo_tickets"))
    try:
        await connection.execute("SET session_replication_role = replica")
        statement = f"{change} WHERE ticket_id = $1 AND position = $2"
        await connection.execute(statement, UUID(ticket["ticket_id"]), position)
    finally:
        await connection.close()


class TestChain:
    async def test_covers_every_entry_of_every_service(self, desk: DeskUnderTest, contract: dict[str, Any]):
        ticket = await desk.open_ticket(contract, facts={"partial_interruption_minutes": 46})
        await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "Lo miramos"})
        await desk.settled()
        entries = (await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline"))["items"]
        found = await verification(desk, ticket)
        assert (found["intact"], found["entries"]) == (True, len(entries))
        assert {"policy expande 2026-01", "sla-clock", "escalation"} <= {entry["actor"] for entry in entries}

    async def test_holds_when_many_write_at_once(self, desk: DeskUnderTest, contract: dict[str, Any]):
        ticket = await desk.open_ticket(contract)
        path = f"/v1/tickets/{ticket['ticket_id']}"
        before = (await verification(desk, ticket))["entries"]
        replies = [desk.admin.post(f"{path}/replies", json={"text": str(n), "internal": True}) for n in range(20)]
        files = [desk.admin.post(f"{path}/attachments", params={"name": str(n)}, content=b"x") for n in range(5)]
        answers = await asyncio.gather(*replies, *files)
        assert {answer.status_code for answer in answers} == {201}
        found = await verification(desk, ticket)
        assert (found["intact"], found["entries"]) == (True, before + 25)

    async def test_counts_for_the_customer_what_it_sees(
        self, house: House, desk: DeskUnderTest, contract: dict[str, Any]
    ):
        ticket = await desk.open_ticket(contract)
        path = f"/v1/tickets/{ticket['ticket_id']}"
        customer = await desk.key("requester", customer_id=contract["customer_id"])
        await desk.admin.ok("POST", f"{path}/replies", json={"text": "Lo miramos"})
        await desk.settled()
        seen = await customer.ok("GET", f"{path}/timeline/verification")
        assert seen["entries"] == len((await customer.ok("GET", f"{path}/timeline"))["items"])
        await desk.admin.ok("POST", f"{path}/replies", json={"text": "Es moroso", "internal": True})
        await desk.admin.ok("POST", f"{path}/secrets", json={"label": "x", "value": "moroso"})
        found = await verification(desk, ticket)
        assert (found["intact"], found["erased"]) == (True, 1)
        assert found["entries"] > seen["entries"]
        assert await customer.ok("GET", f"{path}/timeline/verification") == seen
        await forge(house, ticket, "UPDATE timeline_entry SET text = text || '.'", position=1)
        told = await customer.ok("GET", f"{path}/timeline/verification")
        assert told == seen | {"intact": False, "reason": "the timeline is not what was recorded"}

    async def test_names_the_first_entry_that_is_not_what_was_recorded(
        self, house: House, desk: DeskUnderTest, contract: dict[str, Any]
    ):
        for change, reason in (
            ("UPDATE timeline_entry SET text = text || '.'", "its actor, text or data"),
            ("UPDATE timeline_entry SET occurred_at = occurred_at - interval '1 microsecond'", "its instants"),
            ("UPDATE timeline_entry SET internal = NOT internal", "its instants"),
            ("DELETE FROM timeline_entry", "is missing"),
            ("UPDATE timeline_entry SET salt = NULL", "no erasure"),
        ):
            ticket = await desk.open_ticket(contract)
            await forge(house, ticket, change, position=2)
            found = await verification(desk, ticket)
            assert (found["intact"], found["position"]) == (False, 2), change
            assert reason in found["reason"], change

    async def test_misses_entries_cut_off_at_the_end(self, house: House, desk: DeskUnderTest, contract: dict[str, Any]):
        ticket = await desk.open_ticket(contract)
        count = (await verification(desk, ticket))["entries"]
        await forge(house, ticket, "DELETE FROM timeline_entry", position=count)
        found = await verification(desk, ticket)
        assert (found["intact"], found["position"]) == (False, count)

    async def test_what_lets_an_erasure_through_lets_nothing_else(
        self, house: House, desk: DeskUnderTest, contract: dict[str, Any]
    ):
        ticket = await desk.open_ticket(contract)
        connection = await asyncpg.connect(house.postgres.dsn("plazo_tickets"))
        try:
            await connection.execute("SET plazo.erasing = 'words'")
            for change in (
                "text = 'never said'",
                "text = NULL",
                "kind = 'x'",
                "occurred_at = now()",
                "data = '{\"a\": 1}'",
                "hash = '\\x00'",
            ):
                erasure = "salt = NULL, erased_at = now(), " + ("" if "data" in change else "data = '{}', ")
                erasure += "" if "text" in change else "text = CASE WHEN text IS NOT NULL THEN '[erased]' END, "
                with pytest.raises(asyncpg.RestrictViolationError):
                    await connection.execute(
                        f"UPDATE timeline_entry SET {erasure} {change} WHERE ticket_id = $1", UUID(ticket["ticket_id"])
                    )
        finally:
            await connection.close()


class TestErasure:
    @pytest.fixture
    async def contact(self, desk: DeskUnderTest, contract: dict[str, Any]) -> dict[str, Any]:
        """Return a contact who may ask."""
        contact: dict[str, Any] = await desk.admin.ok(
            "POST",
            "/v1/contacts",
            json={
                "customer_id": contract["customer_id"],
                "name": "Úrsula Iguarán",
                "emails": ["ursula@example.com"],
                "role": "administrator",
            },
        )
        return contact

    async def test_leaves_structure_and_chain_and_not_a_word(
        self, house: House, desk: DeskUnderTest, contract: dict[str, Any], contact: dict[str, Any]
    ):
        ticket = await desk.open_ticket(
            contract,
            contact_email="ursula@example.com",
            contact_name="Úrsula Iguarán",
            description="Me llamo Úrsula Iguarán y no puedo entrar",
        )
        path = f"/v1/tickets/{ticket['ticket_id']}"
        file = {"file": ("foto de ursula@example.com.txt", b"hola", "text/plain")}
        requester = await desk.key("requester", customer_id=contract["customer_id"])
        added = await requester.ok("POST", f"{path}/attachments", files=file)
        await desk.admin.ok("POST", f"{path}/replies", json={"text": "Hola, Úrsula Iguarán"})
        mail = f"From: ursula@example.com\r\nTo: a@example.com\r\nSubject: Re: {ticket['number']}\r\n\r\n"
        mail += "Sigue sin entrar por la tarde"
        raw = {"Content-Type": "message/rfc822"}
        await desk.admin.ok("POST", "/v1/intake/email", content=mail.encode(), headers=raw)
        colleague = {"customer_id": contract["customer_id"], "name": "Otra", "emails": ["otra@example.com"]}
        await desk.admin.ok("POST", "/v1/contacts", json=colleague | {"role": "administrator"})
        about_her = {"contact_email": "otra@example.com", "description": "Lo mismo que ursula@example.com"}
        other = await desk.open_ticket(contract, **about_her)
        await desk.settled()
        before = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
        export = await desk.admin.ok("GET", f"/v1/contacts/{contact['contact_id']}/export")

        key = {"Idempotency-Key": "olvido"}
        erased = await desk.admin.ok(
            "POST", f"/v1/contacts/{contact['contact_id']}/erasure", json={"reason": "lo pide"}, headers=key
        )
        await desk.settled()

        assert [one["ticket_id"] for one in export["tickets"]] == [ticket["ticket_id"]]
        assert "Me llamo Úrsula Iguarán y no puedo entrar" in [entry["text"] for entry in export["entries"]]
        assert (erased["tickets"], erased["attachments"]) == (1, 1)
        after = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
        shape = [(entry["seq"], entry["occurred_at"], entry["kind"], entry["internal"]) for entry in before]
        assert [(one["seq"], one["occurred_at"], one["kind"], one["internal"]) for one in after][: len(shape)] == shape
        assert after[-1]["kind"] == "personal_data_erased"
        for one in (ticket, other):
            found = await verification(desk, one)
            assert found["intact"], found
            assert found["erased"] > 0
        assert await traces(house, "ursula@example.com") == []
        assert await traces(house, "Úrsula Iguarán") == []
        assert await traces(house, "Sigue sin entrar por la tarde") == []
        await desk.admin.refused(404, "GET", f"/v1/attachments/{added['attachment_id']}/content")
        [event] = await house.events("tickets", desk.desk_id, "contact.erased.v1")
        assert event["data"]["tickets"] == [ticket["ticket_id"]]

    async def test_reaches_refused_lines_and_what_is_kept_beside_a_ticket(
        self, house: House, desk: DeskUnderTest, contract: dict[str, Any], contact: dict[str, Any]
    ):
        ticket = await desk.open_ticket(contract, contact_email="ursula@example.com")
        starts = {"starts_at": "2026-05-05T10:00:00Z", "ends_at": "2026-05-05T11:00:00Z", "attendee": "Úrsula Iguarán"}
        await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/appointments", json=starts)
        line = json.dumps({"reference": "de ursula@example.com", "subject": "Hola", "contact_name": "Úrsula Iguarán"})
        imported = await desk.admin.ok(
            "POST", "/v1/imports?source=old", content=line, headers={"Content-Type": "application/x-ndjson"}
        )

        async def refused() -> bool:
            return bool((await desk.admin.ok("GET", f"/v1/imports/{imported['import_id']}"))["refused"])

        await eventually(refused)
        await desk.admin.ok("POST", f"/v1/contacts/{contact['contact_id']}/erasure", json={"reason": "lo pide"})
        assert await traces(house, "ursula@example.com") == []
        assert await traces(house, "Úrsula Iguarán") == []

    async def test_is_for_those_who_answer_for_it(self, desk: DeskUnderTest, contact: dict[str, Any]):
        agent = await desk.key("agent")
        await agent.refused(403, "GET", f"/v1/contacts/{contact['contact_id']}/export")
        await agent.refused(403, "POST", f"/v1/contacts/{contact['contact_id']}/erasure", json={"reason": "x"})
