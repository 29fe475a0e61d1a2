"""Credentials: shown once, to the assignee, and nowhere else in any form that can be read (PRO-22)."""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator
from email.message import EmailMessage
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from harness import Client, DeskUnderTest, House, eventually

VALUE = "Tr0ub4dor&3-ñandú"
OTHER = "0tra-d1stinta"
RAW = {"Content-Type": "message/rfc822"}
KEPT, NAMED = "Qu3da-dicho-así", "N0mbra-un-fichero"  # whose traces stay, so that nobody else looks for them


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
    assert texts == ["La clave es [secret 1].", "Otra vez: [secret 1]", "Entré con [secret 1]"]


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
    assert after["description"] == "Entrad con [secret 1], por favor"
    assert after["waiting"][0]["reason"] == "pide [secret 1]"
    entries = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
    rewritten = [entry["text"] for entry in entries if entry["kind"] == "rewritten"]
    assert {"Entrad con [secret 1], por favor", "¿[secret 1]?", "pide [secret 1]", "[secret 1] no vale"} <= set(
        rewritten
    )
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
    assert (appointment["attendee"], cancelled["reason"]) == ("con [secret 1]", "con [secret 1]")
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


async def test_who_saw_it_is_told_by_the_key_too(desk: DeskUnderTest, ticket: dict[str, Any]):
    issued = await desk.admin.ok("POST", "/v1/keys", json={"role": "agent", "label": "Luz"})
    path = f"/v1/tickets/{ticket['ticket_id']}"
    added = await desk.admin.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": VALUE})
    await desk.house.client(issued["api_key"]).ok("POST", f"{path}/secrets/{added['secret_id']}/reveal")
    entries = (await desk.admin.ok("GET", f"{path}/timeline"))["items"]
    [shown] = [entry for entry in entries if entry["kind"] == "secret_revealed"]
    assert (shown["actor"], shown["internal"]) == ("agent: Luz", True)
    assert shown["data"] == {"secret_id": added["secret_id"], "key_id": issued["key_id"]}


async def test_what_is_said_while_it_is_entrusted_does_not_keep_it(
    house: House, desk: DeskUnderTest, ticket: dict[str, Any]
):
    customer = await desk.key("requester", customer_id=ticket["customer_id"])
    path = f"/v1/tickets/{ticket['ticket_id']}"

    async def are_waiting(number: int) -> bool:
        sql = "SELECT FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE NOT granted AND datname = $1"
        return len(await house.fetch("tickets", sql, "plazo_tickets")) >= number

    async def say(text: str) -> None:
        await customer.ok("POST", f"{path}/replies", json={"text": text})

    async def entrust(value: str) -> None:
        await customer.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": value})

    async with asyncio.TaskGroup() as group, held(house, ticket):  # they stand in a line: the secret, then its echoes
        group.create_task(entrust(VALUE))
        await eventually(partial(are_waiting, 1))
        for number in range(2):
            group.create_task(say(f"{number}: {VALUE}"))
        await eventually(partial(are_waiting, 3))
    values = [f"c1ave-{number}" for number in range(6)]
    for value in values:
        async with asyncio.TaskGroup() as group:
            for number in range(8):
                group.create_task(say(f"{number}: {value}"))
                if number == 4:
                    group.create_task(entrust(value))

    texts = await texts_of(customer, ticket)
    assert [text for text in texts if any(value in (text or "") for value in (VALUE, *values))] == []
    assert [await traces(house, value) for value in (VALUE, *values)] == [[]] * 7
    assert len([text for text in texts if text and text[1:] == ": [secret 1]"]) == 2


@contextlib.asynccontextmanager
async def held(house: House, ticket: dict[str, Any]) -> AsyncIterator[None]:
    """Hold the row of a ticket for the time of the block."""
    connection = await asyncpg.connect(house.postgres.dsn("plazo_tickets"))
    try:
        async with connection.transaction():
            await connection.execute("SELECT FROM ticket WHERE ticket_id = $1 FOR UPDATE", UUID(ticket["ticket_id"]))
            yield
    finally:
        await connection.close()


class TestOfAMergedTicket:
    """What is said of a merged ticket is said where that goes on: the secrets of both are taken out."""

    @pytest.fixture
    async def target(self, desk: DeskUnderTest, ticket: dict[str, Any]) -> dict[str, Any]:
        """Return the ticket that the other goes on in."""
        return await desk.open_ticket({"contract_id": ticket["contract_id"]})

    async def test_goes_out_of_what_is_said_of_either(
        self, house: House, desk: DeskUnderTest, ticket: dict[str, Any], target: dict[str, Any]
    ):
        customer = await desk.key("requester", customer_id=ticket["customer_id"])
        source, path = f"/v1/tickets/{ticket['ticket_id']}", f"/v1/tickets/{target['ticket_id']}"
        await customer.ok("POST", f"{source}/secrets", json={"label": "VPN", "value": OTHER})
        await customer.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": VALUE})
        said = f"{VALUE} y {OTHER}"
        merge = {"into": target["ticket_id"], "reason": f"reason: {said}"}

        await desk.admin.ok("POST", f"{source}/merges", json=merge)
        await customer.ok("POST", f"{source}/replies", json={"text": f"by source: {said}"})
        await customer.ok("POST", f"{path}/replies", json={"text": f"by target: {said}"})
        await customer.ok("POST", f"{source}/attachments", content=b"x", params={"name": f"{said}.txt"})
        mail = mail_of(f"Re: {ticket['number']}", f"by mail: {said}", file=f"file {said}.txt")
        heard = await desk.admin.ok("POST", "/v1/intake/email", content=mail, headers=RAW)
        await desk.settled()

        shown = f"[secret 1] y [secret 1 of {ticket['number']}]"
        assert heard["outcome"] == "reply_added"
        assert {f"{by}: {shown}" for by in ("reason", "by source", "by target", "by mail")} | {
            f"file {shown}.txt"
        } <= set(await texts_of(customer, target))
        assert {f"reason: {shown}", f"{shown}.txt"} <= set(await texts_of(customer, ticket))
        assert (await traces(house, VALUE), await traces(house, OTHER)) == ([], [])

    async def test_is_known_until_the_other_is_closed(
        self, house: House, desk: DeskUnderTest, ticket: dict[str, Any], target: dict[str, Any]
    ):
        source, path = f"/v1/tickets/{ticket['ticket_id']}", f"/v1/tickets/{target['ticket_id']}"
        await desk.admin.ok("POST", f"{source}/secrets", json={"label": "VPN", "value": VALUE})
        await desk.admin.ok("POST", f"{source}/merges", json={"into": target["ticket_id"]})
        sql = (
            "SELECT ciphertext IS NULL AS is_gone, mark IS NULL AS is_forgotten, erased_at FROM ticket_secret "
            "WHERE ticket_id = $1"
        )
        [kept] = await house.fetch("tickets", sql, UUID(ticket["ticket_id"]))
        assert (kept["is_gone"], kept["is_forgotten"], kept["erased_at"] is None) == (True, False, False)
        await desk.admin.ok("POST", f"{path}/closings", json={"reason": "withdrawn"})
        [left] = await house.fetch("tickets", sql, UUID(ticket["ticket_id"]))
        assert (left["is_gone"], left["is_forgotten"], left["erased_at"]) == (True, True, kept["erased_at"])


async def test_no_name_of_a_file_repeats_it(house: House, desk: DeskUnderTest, ticket: dict[str, Any]):
    path = f"/v1/tickets/{ticket['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": VALUE})
    upload = {"content": b"x", "params": {"name": f"con {VALUE}.txt"}}
    added = await desk.admin.ok("POST", f"{path}/attachments", **upload)
    mail = mail_of(f"Re: {ticket['number']}", "Adjunto", file=f"por correo {VALUE}.txt")
    await desk.admin.ok("POST", "/v1/intake/email", content=mail, headers=RAW)
    refused = mail_of(f"Re: {ticket['number']}", "Otro adjunto", file=f"{VALUE}.exe")
    await desk.admin.ok("POST", "/v1/intake/email", content=refused, headers=RAW)
    await desk.settled()
    names = {one["name"] for one in (await desk.admin.ok("GET", f"{path}/attachments"))["items"]}
    assert added["name"] == "con [secret 1].txt"
    assert names == {"con [secret 1].txt", "por correo [secret 1].txt"}
    assert await traces(house, VALUE) == []


async def test_what_is_noted_or_kept_of_a_mail_does_not_repeat_it(house: House, desk: DeskUnderTest):
    await desk.publish("smartcloud")
    contract = await desk.customer("smartcloud", plan="dedicated")
    person = {"customer_id": contract["customer_id"], "name": "Luis", "emails": ["luis@example.com"]}
    luis = await desk.admin.ok("POST", "/v1/contacts", json=person | {"authorized": True})
    ticket = await desk.open_ticket(contract, contact_id=luis["contact_id"], facts={"business_impact": "material"})
    path = f"/v1/tickets/{ticket['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": VALUE})
    about = {"From": "luis@example.com", "In-Reply-To": f"<ticket-{ticket['ticket_id']}@example.com>"}
    said = (f"Re: {ticket['number']} {VALUE}", f"La clave es {VALUE}")

    automatic = mail_of(*said, file=f"{VALUE}.txt", **about, **{"Auto-Submitted": "auto-replied"})
    noted = await desk.admin.ok("POST", "/v1/intake/email", content=automatic, headers=RAW)
    await desk.admin.ok("POST", f"/v1/contacts/{luis['contact_id']}/withdrawals")
    again = mail_of(said[0], f"Otra vez: {VALUE}", file=f"{VALUE}.txt", **about)
    kept = await desk.admin.ok("POST", "/v1/intake/email", content=again, headers=RAW)
    await desk.settled()

    assert (noted["outcome"], noted["ticket_id"]) == ("ignored", ticket["ticket_id"])
    assert "La clave es [secret 1]" in {(text or "").strip() for text in await texts_of(desk.admin, ticket)}
    assert (kept["outcome"], kept["ticket_id"]) == ("kept", None)
    assert await traces(house, VALUE) == []


def mail_of(subject: str, text: str, *, file: str, **headers: str) -> bytes:
    """Return a mail of the customer with a file."""
    mail = EmailMessage()
    for name, value in ({"From": "cliente@example.com", "Subject": subject} | headers).items():
        mail[name] = value
    mail.set_content(text)
    mail.add_attachment(b"x", maintype="application", subtype="octet-stream", filename=file)
    return mail.as_bytes()


async def texts_of(client: Client, ticket: dict[str, Any]) -> list[str]:
    entries = (await client.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline?limit=200"))["items"]
    return [entry["text"] for entry in entries]


class TestOfACustomer:
    """What the customer entrusts goes out of its own words; the desk's words are the desk's."""

    @pytest.fixture
    async def customer(self, desk: DeskUnderTest, ticket: dict[str, Any]) -> Client:
        """Return a key of the ticket's customer."""
        return await desk.key("requester", customer_id=ticket["customer_id"])

    async def test_rewords_nothing_that_the_desk_said(
        self, desk: DeskUnderTest, ticket: dict[str, Any], customer: Client
    ):
        path = f"/v1/tickets/{ticket['ticket_id']}"
        said = f"Lo resolvemos gratis antes del martes, con {KEPT}"
        noted = f"Es moroso: {KEPT}"
        await desk.admin.ok("POST", f"{path}/replies", json={"text": said})
        await desk.admin.ok("POST", f"{path}/replies", json={"text": noted, "internal": True})
        await desk.admin.ok("POST", f"{path}/vendor-references", json={"vendor": "ACME", "reference": KEPT})
        await desk.admin.ok("POST", f"{path}/waits", json={"cause": "vendor", "reason": f"pide {KEPT}"})
        await desk.settled()
        seen = await customer.ok("GET", f"{path}/timeline/verification")
        before = await desk.ticket(ticket)
        for value in ("antes del martes", "moroso", "pesado", KEPT, ticket["description"], "vendor"):
            entrusted = {"label": "y pagaremos 1000 euros", "value": value}
            await customer.ok("POST", f"{path}/secrets", json=entrusted)

        assert await customer.ok("GET", f"{path}/timeline/verification") == seen
        assert (await desk.admin.ok("GET", f"{path}/timeline/verification"))["erased"] == 0
        assert {said, noted, ticket["description"]} <= set(await texts_of(desk.admin, ticket))
        assert said in await texts_of(customer, ticket)
        after = await desk.ticket(ticket)
        assert {name for name in after if after[name] != before[name]} == set()
        events = await desk.house.events("tickets", desk.desk_id, "ticket.wait_started.v1")
        assert [event["data"]["reason"] for event in events] == [f"pide {KEPT}"]

    async def test_goes_out_of_what_the_desk_says_from_then_on_if_nobody_says_it_by_chance(
        self, desk: DeskUnderTest, ticket: dict[str, Any], customer: Client
    ):
        path = f"/v1/tickets/{ticket['ticket_id']}"
        for value in ("antes del martes", VALUE):
            await customer.ok("POST", f"{path}/secrets", json={"label": "nunca", "value": value})
        text = f"Vemos {VALUE} antes del martes"
        await desk.admin.ok("POST", f"{path}/replies", json={"text": text})
        await customer.ok("POST", f"{path}/replies", json={"text": text})
        said = (await texts_of(customer, ticket))[-2:]
        assert said == ["Vemos [secret 2] antes del martes", "Vemos [secret 2] [secret 1]"]

    async def test_goes_out_of_all_that_its_own_side_said(
        self, house: House, desk: DeskUnderTest, ticket: dict[str, Any], customer: Client
    ):
        asked = {"contract_id": ticket["contract_id"], "channel": "portal"}
        words = {"subject": f"Con {NAMED}", "description": f"Entrad con {NAMED}, por favor"}
        told = await customer.ok("POST", "/v1/tickets", json=asked | words, headers={"Idempotency-Key": "una"})
        path = f"/v1/tickets/{told['ticket_id']}"
        await customer.ok("POST", f"{path}/replies", json={"text": f"¿{NAMED}?"})
        mail = f"From: cliente@example.com\r\nSubject: Re: {told['number']}: {NAMED}\r\nContent-Type: text/plain; "
        mail += f"charset=utf-8\r\n\r\nOtra vez: {NAMED}"
        raw = {"Content-Type": "message/rfc822"}
        heard = await desk.admin.ok("POST", "/v1/intake/email", content=mail.encode(), headers=raw)
        await customer.ok("POST", f"{path}/attachments", content=b"x", params={"name": f"{NAMED}.txt"})
        await desk.settled()

        await customer.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": NAMED})

        assert heard["outcome"] == "reply_added"
        after = await desk.ticket(told)
        assert (after["subject"], after["description"]) == ("Con [secret 1]", "Entrad con [secret 1], por favor")
        said = {"Entrad con [secret 1], por favor", "¿[secret 1]?", "Otra vez: [secret 1]", "[secret 1].txt"}
        assert said <= set(await texts_of(customer, told))
        assert await traces(house, NAMED) == ["attachment"]  # the name of a file is the file's
        seen = await customer.ok("GET", f"{path}/timeline/verification")
        assert (seen["intact"], seen["erased"]) == (True, 4)

    async def test_is_taken_out_of_all_by_staff_who_entrust_it_too(
        self, house: House, desk: DeskUnderTest, ticket: dict[str, Any], customer: Client
    ):
        path = f"/v1/tickets/{ticket['ticket_id']}"
        await desk.admin.ok("POST", f"{path}/replies", json={"text": f"Con {VALUE}", "internal": True})
        await customer.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": VALUE})
        assert await traces(house, VALUE) != []
        await desk.admin.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": VALUE})
        assert await traces(house, VALUE) == []

    async def test_a_person_that_may_not_answer_adds_nothing(self, desk: DeskUnderTest):
        await desk.publish("smartcloud")
        contract = await desk.customer("smartcloud", plan="dedicated")
        person = {"customer_id": contract["customer_id"], "name": "Luis", "emails": ["luis@example.com"]}
        luis = await desk.admin.ok("POST", "/v1/contacts", json=person | {"authorized": True})
        key = await desk.key("requester", contact_id=luis["contact_id"])
        ticket = await desk.open_ticket(contract, contact_id=luis["contact_id"], facts={"business_impact": "material"})
        path = f"/v1/tickets/{ticket['ticket_id']}"
        secret = {"json": {"label": "VPN", "value": VALUE}}
        await key.ok("POST", f"{path}/secrets", **secret)
        await key.ok("POST", f"{path}/attachments", content=b"x")
        await desk.admin.ok("POST", f"/v1/contacts/{luis['contact_id']}/withdrawals")
        for way, body in (
            ("replies", {"json": {"text": "hola"}}),
            ("secrets", secret),
            ("attachments", {"content": b"x"}),
        ):
            problem = await key.refused(403, "POST", f"{path}/{way}", **body)
            assert problem["type"] == "urn:plazo:problem:contact-not-authorized", way


async def test_a_ticket_has_at_most_twenty(desk: DeskUnderTest, ticket: dict[str, Any]):
    path = f"/v1/tickets/{ticket['ticket_id']}/secrets"
    for number in range(20):
        await desk.admin.ok("POST", path, json={"label": "VPN", "value": f"{VALUE}{number}"})
    problem = await desk.admin.refused(409, "POST", path, json={"label": "VPN", "value": VALUE})
    assert problem["type"] == "urn:plazo:problem:too-many-secrets"
    assert "20" in problem["detail"]


async def test_a_long_text_is_searched_for_long_secrets_while_others_are_answered(
    desk: DeskUnderTest, ticket: dict[str, Any]
):
    luz, path = await desk.key("agent", label="Luz"), f"/v1/tickets/{ticket['ticket_id']}"
    for length in range(4000, 4020):
        added = await desk.admin.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": "z" * length})
        await luz.ok("POST", f"{path}/secrets/{added['secret_id']}/reveal")
    waited, is_over = [], asyncio.Event()

    async def look() -> None:
        while not is_over.is_set():
            began = time.perf_counter()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(is_over.wait(), 0.01)
            assert (await desk.admin.get("/healthz")).is_success
            waited.append(time.perf_counter() - began)

    async with asyncio.TaskGroup() as group:
        group.create_task(look())
        began = time.process_time()
        answer = await desk.admin.post(f"{path}/replies", json={"text": "a" * 100_000})
        spent = time.process_time() - began
        is_over.set()
    assert answer.is_success
    assert len(waited) > 5
    assert max(waited) < 1
    assert spent < 3
