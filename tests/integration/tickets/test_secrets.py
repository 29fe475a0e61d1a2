"""Credentials: shown once, to the assignee, and nowhere else in any form that can be read (PRO-22)."""

import asyncio
import logging
from typing import Any

import pytest
from harness import DeskUnderTest, House

VALUE = "Tr0ub4dor&3-ñandú"


@pytest.fixture
async def ticket(desk: DeskUnderTest) -> dict[str, Any]:
    """Return a ticket of expande that Luz handles."""
    await desk.publish("expande")
    ticket = await desk.open_ticket(await desk.customer("expande", plan="basic"))
    await desk.house.fetch(
        "tickets", "UPDATE ticket SET assignee = 'Luz' WHERE ticket_id = $1::uuid", ticket["ticket_id"]
    )
    return ticket


async def traces(house: House, value: str) -> list[str]:
    """Return the tables of the service's database that hold a value, as text or in bytes."""
    tables = await house.fetch(
        "tickets", "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename <> 'alembic_version'"
    )
    found = []
    for table in tables:
        name = table["tablename"]
        sql = f"SELECT count(*) FROM {name} t WHERE t::text LIKE $1 OR t::text LIKE $2"
        [row] = await house.fetch("tickets", sql, f"%{value}%", f"%{value.encode().hex()}%")
        if row["count"]:
            found.append(name)
    return found


async def test_is_shown_once_to_the_assignee_and_leaves_no_trace(
    house: House, desk: DeskUnderTest, ticket: dict[str, Any], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    customer = await desk.key("requester", customer_id=ticket["customer_id"])
    luz, ana = await desk.key("agent", label="Luz"), await desk.key("agent", label="Ana")
    path = f"/v1/tickets/{ticket['ticket_id']}/secrets"
    key = {"Idempotency-Key": "una vez"}

    added = await customer.ok("POST", path, json={"label": "VPN", "value": VALUE}, headers=key)
    same = await customer.ok("POST", path, json={"label": "VPN", "value": VALUE}, headers=key)
    await customer.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": f"La clave es {VALUE}."})
    mail = f"From: cliente@example.com\r\nSubject: Re: {ticket['number']}: {VALUE}\r\nContent-Type: text/plain; "
    mail += f"charset=utf-8\r\n\r\nOtra vez: {VALUE}"
    raw = {"Content-Type": "message/rfc822"}
    heard = await desk.admin.ok("POST", "/v1/intake/email", content=mail.encode(), headers=raw)
    assert heard["outcome"] == "reply_added"
    reveal = f"{path}/{added['secret_id']}/reveal"
    not_hers = await ana.refused(403, "POST", reveal)
    await customer.refused(403, "POST", reveal)
    shown = await luz.ok("POST", reveal, headers=key)
    repeated = await luz.ok("POST", reveal, headers=key)
    gone = await luz.refused(409, "POST", reveal)
    await luz.ok(
        "POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": f"Entré con {VALUE}", "internal": True}
    )
    await desk.settled()

    assert same == added
    assert "Luz" in not_hers["detail"]
    assert (shown["value"], repeated["value"]) == (VALUE, None)
    assert "shown once" in gone["detail"]
    assert await traces(house, VALUE) == []
    assert VALUE not in caplog.text
    entries = (await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline"))["items"]
    texts = [entry["text"] for entry in entries if entry["kind"] in ("customer_reply", "internal_note")]
    assert texts == ["La clave es [VPN].", "Otra vez: [VPN]", "Entré con [VPN]"]


async def test_what_was_said_before_loses_it_and_nothing_else(
    house: House, desk: DeskUnderTest, ticket: dict[str, Any]
):
    told = await desk.open_ticket({"contract_id": ticket["contract_id"]}, description=f"Entrad con {VALUE}, por favor")
    path = f"/v1/tickets/{told['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/replies", json={"text": f"¿{VALUE}?"}, headers={"Idempotency-Key": "una"})
    await desk.admin.ok("POST", f"{path}/vendor-references", json={"vendor": "ACME", "reference": "1"})
    await desk.admin.ok("POST", f"{path}/vendor-answers", json={"text": f"{VALUE} no vale"})
    await desk.admin.ok("POST", f"{path}/waits", json={"cause": "vendor", "reason": f"pide {VALUE}"})
    await desk.settled()
    await desk.admin.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": VALUE})
    after = await desk.ticket(told)
    assert after["description"] == "Entrad con [VPN], por favor"
    assert after["waiting"][0]["reason"] == "pide [VPN]"
    entries = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
    rewritten = [entry["text"] for entry in entries if entry["kind"] == "rewritten"]
    assert {"Entrad con [VPN], por favor", "¿[VPN]?", "pide [VPN]", "[VPN] no vale"} <= set(rewritten)
    assert (await desk.admin.ok("GET", f"{path}/timeline/verification"))["intact"]
    assert await traces(house, VALUE) == []


async def test_no_way_to_say_something_repeats_it(house: House, desk: DeskUnderTest, ticket: dict[str, Any]):
    path = f"/v1/tickets/{ticket['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": VALUE})
    said = f"con {VALUE}"
    for way, body in (
        ("additional-requests", {"subject": said, "description": said}),
        ("splits", {"subject": said, "description": said}),
        ("vendor-references", {"vendor": "ACME", "reference": said}),
        ("vendor-releases", {"version": said, "text": said}),
        ("completions", {"checklist": {"restarted": True}}),
        ("assessments", {"solvable": True, "missing_information": said}),
        ("resolutions", {"kind": "fix", "text": said}),
        ("reopenings", {"reason": said}),
    ):
        await desk.admin.post(f"{path}/{way}", json=body)
    starts = {"starts_at": "2026-05-05T10:00:00Z", "ends_at": "2026-05-05T11:00:00Z", "attendee": said}
    appointment = await desk.admin.ok("POST", f"{path}/appointments", json=starts)
    cancelled = await desk.admin.ok(
        "POST", f"/v1/appointments/{appointment['appointment_id']}/cancel", json={"reason": said}
    )
    assert (appointment["attendee"], cancelled["reason"]) == ("con [VPN]", "con [VPN]")
    await desk.settled()
    assert await traces(house, VALUE) == []


async def test_the_search_for_traces_would_find_one(house: House, ticket: dict[str, Any]):
    assert "ticket" in await traces(house, ticket["description"])


async def test_two_who_ask_at_once_see_it_once(desk: DeskUnderTest, ticket: dict[str, Any]):
    luz = await desk.key("agent", label="Luz")
    path = f"/v1/tickets/{ticket['ticket_id']}/secrets"
    added = await desk.admin.ok("POST", path, json={"label": "VPN", "value": VALUE})
    answers = await asyncio.gather(*(luz.post(f"{path}/{added['secret_id']}/reveal") for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_is_erased_on_closing(house: House, desk: DeskUnderTest, ticket: dict[str, Any]):
    luz = await desk.key("agent", label="Luz")
    path = f"/v1/tickets/{ticket['ticket_id']}"
    added = await desk.admin.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": VALUE})

    await desk.admin.ok("POST", f"{path}/closings", json={"reason": "withdrawn"})

    await luz.refused(409, "POST", f"{path}/secrets/{added['secret_id']}/reveal")
    await desk.admin.refused(409, "POST", f"{path}/secrets", json={"label": "VPN", "value": VALUE})
    [kept] = await house.fetch("tickets", "SELECT * FROM ticket_secret WHERE ticket_id = $1::uuid", ticket["ticket_id"])
    assert [kept[name] for name in ("key_id", "nonce", "ciphertext", "mark", "length")] == [None] * 5
    assert kept["erased_at"] is not None


async def test_a_missing_key_names_the_setting(
    house: House, desk: DeskUnderTest, ticket: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(house.runtime("tickets").settings, "secrets_key", None)
    path = f"/v1/tickets/{ticket['ticket_id']}/secrets"
    problem = await desk.admin.refused(503, "POST", path, json={"label": "VPN", "value": VALUE})
    assert problem["type"] == "urn:plazo:problem:no-secrets-key"
    assert "PLAZO_SECRETS_KEY" in problem["detail"]
