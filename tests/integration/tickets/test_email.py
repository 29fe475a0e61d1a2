"""Mail comes in over HTTP: tickets, replies, repetitions, what nobody wrote, and what is kept."""

import asyncio
import os
from typing import Any

import pytest
from harness import DeskUnderTest
from mails import MAIL, known_contact, post, write

from plazo.kernel.errors import InvalidInput
from tickets.usecases import mail
from tickets.usecases.changes import Change
from tickets.usecases.replies import hear_customer


class TestTicket:
    async def test_of_a_known_contact_opens_by_itself(self, desk: DeskUnderTest) -> None:
        contract = await known_contact(desk, "ireo", plan="standard")
        answer = await post(desk.admin, write(files={"log.txt": b"line\n"}))
        assert answer["outcome"] == "ticket_opened"
        ticket = await desk.ticket(answer)
        assert ticket["contract_id"] == contract["contract_id"]
        assert (ticket["channel"], ticket["subject"], ticket["contact_email"]) == (
            "email",
            "No arranca",
            "ana@example.com",
        )
        files = await desk.admin.ok("GET", f"/v1/tickets/{answer['ticket_id']}/attachments")
        assert [file["name"] for file in files["items"]] == ["log.txt"]

    async def test_five_at_once_are_one(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        answers = await asyncio.gather(*(post(desk.admin, write()) for _ in range(5)))
        assert sorted(answer["outcome"] for answer in answers) == ["duplicate"] * 4 + ["ticket_opened"]
        assert len({answer["ticket_id"] for answer in answers}) == 1
        assert len((await desk.admin.ok("GET", "/v1/tickets"))["items"]) == 1

    async def test_without_an_id_is_known_again_by_its_content(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        first = await post(desk.admin, write(message_id=None))
        again = await post(desk.admin, b"Received: from elsewhere\r\n" + write(message_id=None))
        assert (again["outcome"], again["ticket_id"]) == ("duplicate", first["ticket_id"])

    async def test_of_an_id_that_was_a_stranger_s_is_taken_all_the_same(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        spam = {"sender": "nadie@example.org", "to": "otro@example.org", "text": "Compre ya"}
        kept = await post(desk.admin, write(**spam))
        assert kept["outcome"] == "kept"
        answers = await asyncio.gather(*(post(desk.admin, write()) for _ in range(5)))
        assert sorted(answer["outcome"] for answer in answers) == ["duplicate"] * 4 + ["ticket_opened"]
        assert len({answer["ticket_id"] for answer in answers}) == 1
        other = await post(desk.admin, write(text="Otra cosa"))
        again = await post(desk.admin, write(**spam))
        assert (other["outcome"], again["outcome"]) == ("ticket_opened", "duplicate")
        assert again["request_id"] == kept["request_id"]
        mails = (await desk.admin.ok("GET", "/v1/intake/emails"))["items"]
        came_in = [one for one in mails if one["direction"] == "in"]
        assert sorted(one["outcome"] for one in came_in) == ["kept", "ticket_opened", "ticket_opened"]  # at one instant
        assert {one["message_id"] for one in came_in} == {"one@example.com"}

    async def test_of_before_digests_is_known_again_by_its_sender(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        first = await post(desk.admin, write())
        await desk.house.fetch("tickets", "UPDATE mail SET digest = NULL WHERE desk_id = $1", desk.desk_id)
        again = await post(desk.admin, write(text="No arranca.\n\nEnviado por mi pasarela"))
        assert (again["outcome"], again["ticket_id"]) == ("duplicate", first["ticket_id"])
        other = await post(desk.admin, write(sender="nadie@example.org"))
        assert other["outcome"] != "duplicate"

    async def test_long_subject_is_cut_for_the_list_and_kept_whole(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        subject = "Muy " + "largo " * 1_666  # 4 + 6 × 1 666 = 10 000 characters
        answer = await post(desk.admin, write(subject=subject.strip()))
        ticket = await desk.ticket(answer)
        assert len(ticket["subject"]) <= 200
        assert ticket["subject"].endswith("…")
        mails = await desk.admin.ok("GET", f"/v1/intake/emails?ticket={ticket['ticket_id']}")
        assert mails["items"][0]["subject"] == subject.strip()

    async def test_of_25_megabytes_is_taken(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        raw = write(files={"a.bin": os.urandom(9_000_000), "b.bin": os.urandom(9_000_000)})
        assert len(raw) > 24_000_000  # 18 MB are 24 MB in base64
        answer = await post(desk.admin, raw)
        files = await desk.admin.ok("GET", f"/v1/tickets/{answer['ticket_id']}/attachments")
        assert sorted(file["size"] for file in files["items"]) == [9_000_000, 9_000_000]

    async def test_beyond_the_limit_is_refused(self, desk: DeskUnderTest) -> None:
        raw = b"From: ana@example.com\r\n\r\n" + b"x" * 35_000_000
        await desk.admin.refused(413, "POST", "/v1/intake/email", content=raw, headers=MAIL)

    async def test_other_bodies_are_refused(self, desk: DeskUnderTest) -> None:
        problem = await desk.admin.refused(422, "POST", "/v1/intake/email", json={"from": "ana@example.com"})
        assert problem["type"].endswith("wrong-media-type")
        problem = await desk.admin.refused(422, "POST", "/v1/intake/email", content=b"hola", headers=MAIL)
        assert problem["type"].endswith("mail-unreadable")

    async def test_a_requester_may_not_hand_in_mail(self, desk: DeskUnderTest) -> None:
        contract = await known_contact(desk, "ireo", plan="standard")
        requester = await desk.key("requester", customer_id=contract["customer_id"])
        await requester.refused(403, "POST", "/v1/intake/email", content=write(), headers=MAIL)


class TestReply:
    async def test_finds_its_ticket_by_headers_and_is_cut(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        opened = await post(desk.admin, write())
        quoted = "El lun, 4 may 2026 a las 15:10, Soporte\n<support@ireo.example.com> escribió:\n> Reinicie.\n"
        text = f"Sigue igual.\n\n{quoted}"
        answer = await post(
            desk.admin, write(message_id="two@example.com", text=text, headers={"In-Reply-To": "<one@example.com>"})
        )
        assert (answer["outcome"], answer["number"]) == ("reply_added", opened["number"])
        timeline = await desk.admin.ok("GET", f"/v1/tickets/{opened['ticket_id']}/timeline")
        assert [entry["text"] for entry in timeline["items"] if entry["kind"] == "customer_reply"] == ["Sigue igual."]
        mails = await desk.admin.ok("GET", f"/v1/intake/emails?ticket={opened['ticket_id']}&outcome=reply_added")
        whole = await desk.admin.ok("GET", f"/v1/intake/emails/{mails['items'][0]['mail_id']}")
        assert "Reinicie." in whole["text"]

    async def test_to_our_own_mail_finds_its_ticket(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        opened = await post(desk.admin, write())
        await desk.settled()
        sent = await desk.admin.ok("GET", f"/v1/intake/emails?ticket={opened['ticket_id']}&outcome=sent")
        assert sent["items"], "the receipt was mailed under a known id"
        message_id = sent["items"][0]["message_id"].replace("@plazo", "@ireo.example.com")
        answer = await post(
            desk.admin, write(message_id="two@example.com", headers={"References": f"<x@y> <{message_id}>"})
        )
        assert (answer["outcome"], answer["ticket_id"]) == ("reply_added", opened["ticket_id"])

    async def test_by_number_of_another_customer_is_kept(self, desk: DeskUnderTest) -> None:
        contract = await known_contact(desk, "ireo", plan="standard")
        opened = await post(desk.admin, write())
        other = await desk.customer("ireo", plan="standard")
        contact = {"customer_id": other["customer_id"], "name": "Eva", "emails": ["eva@example.com"]}
        await desk.admin.ok("POST", "/v1/contacts", json=contact)
        by_number = {"subject": f"Re: [{opened['number']}] No arranca"}
        kept = await post(desk.admin, write(sender="eva@example.com", message_id="two@example.com", **by_number))
        assert (kept["outcome"], kept["reason"]) == ("kept", "sender_of_other_customer")
        own = await post(desk.admin, write(message_id="three@example.com", **by_number))
        assert (own["outcome"], own["ticket_id"]) == ("reply_added", opened["ticket_id"])
        assert contract["customer_id"] != other["customer_id"]

    async def test_to_a_closed_ticket_reopens_it(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        opened = await post(desk.admin, write())
        path = f"/v1/tickets/{opened['ticket_id']}"
        await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Reiniciado"})
        await desk.admin.ok("POST", f"{path}/closings", json={"reason": "confirmed"})
        answer = await post(
            desk.admin, write(message_id="two@example.com", headers={"In-Reply-To": "<one@example.com>"})
        )
        assert answer["outcome"] == "reply_added"
        ticket = await desk.ticket(opened)
        assert (ticket["state"], ticket["cycle"]) == ("in_progress", 2)

    async def test_that_can_not_be_added_is_kept_whatever_the_reason(
        self, desk: DeskUnderTest, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What was half done by then is undone."""
        await known_contact(desk, "ireo", plan="standard")
        opened = await post(desk.admin, write())

        def hear_half(change: Change, **said: Any) -> None:
            hear_customer(change, **said)
            raise InvalidInput("for a reason that nobody thought of")

        monkeypatch.setattr(mail, "hear_customer", hear_half)
        await desk.settled()
        before = await desk.ticket(opened)
        reply = write(message_id="two@example.com", text="Sigue", headers={"In-Reply-To": "<one@example.com>"})
        kept = await post(desk.admin, reply)
        assert (kept["outcome"], kept["reason"]) == ("kept", "invalid-input")
        (waiting,) = (await desk.admin.ok("GET", "/v1/quarantine"))["items"]
        assert waiting["request_id"] == kept["request_id"]
        assert waiting["note"]["es"] == "for a reason that nobody thought of"
        assert (await post(desk.admin, reply))["outcome"] == "duplicate"
        assert await desk.house.events("tickets", desk.desk_id, "ticket.customer_replied.v1") == []
        assert (await desk.ticket(opened))["version"] == before["version"]


class TestAutomatic:
    @pytest.mark.parametrize(
        ("fields", "reason"),
        [
            pytest.param({"headers": {"Auto-Submitted": "auto-replied"}}, "auto_reply", id="RFC 3834"),
            pytest.param({"subject": "Respuesta automática: No arranca"}, "auto_reply", id="out of office"),
            pytest.param({"sender": "MAILER-DAEMON@example.com"}, "bounce", id="bounce"),
        ],
    )
    async def test_opens_nothing_and_is_answered_by_nobody(
        self, desk: DeskUnderTest, fields: dict[str, Any], reason: str
    ) -> None:
        await known_contact(desk, "ireo", plan="standard")
        opened = await post(desk.admin, write())
        await desk.settled()
        before = await desk.house.events("escalation", desk.desk_id, "message.queued.v1")
        alone = await post(desk.admin, write(message_id="two@example.com", **fields))
        assert (alone["outcome"], alone["reason"], alone["ticket_id"]) == ("ignored", reason, None)
        headers = fields.pop("headers", {}) | {"In-Reply-To": "<one@example.com>"}
        about = await post(desk.admin, write(message_id="three@example.com", headers=headers, **fields))
        assert (about["outcome"], about["ticket_id"]) == ("ignored", opened["ticket_id"])
        await desk.settled()
        timeline = await desk.admin.ok("GET", f"/v1/tickets/{opened['ticket_id']}/timeline")
        assert [entry["internal"] for entry in timeline["items"] if entry["kind"] == "internal_note"] == [True]
        assert len(await desk.house.events("escalation", desk.desk_id, "message.queued.v1")) == len(before)


class TestKept:
    async def test_a_sender_that_its_server_denies_is_kept_with_its_files(self, desk: DeskUnderTest) -> None:
        contract = await known_contact(desk, "ireo", plan="standard")
        headers = {"Authentication-Results": "mx.example.com; spf=fail smtp.mailfrom=example.com; dmarc=fail"}
        answer = await post(desk.admin, write(headers=headers, files={"log.txt": b"line\n"}))
        assert (answer["outcome"], answer["reason"]) == ("kept", "sender_disproved")
        released = await desk.admin.ok(
            "POST", f"/v1/quarantine/{answer['request_id']}/release", json={"contract_id": contract["contract_id"]}
        )
        files = await desk.admin.ok("GET", f"/v1/tickets/{released['ticket_id']}/attachments")
        assert [file["name"] for file in files["items"]] == ["log.txt"]

    async def test_a_mail_of_two_senders_is_kept(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        raw = write().replace(b"\nTo:", b"\nFrom: eva@example.com\nTo:", 1)
        answer = await post(desk.admin, raw)
        assert (answer["outcome"], answer["reason"]) == ("kept", "sender_disproved")

    async def test_a_sender_nobody_knows_is_kept(self, desk: DeskUnderTest) -> None:
        await known_contact(desk, "ireo", plan="standard")
        answer = await post(desk.admin, write(sender="nadie@example.org", to="otro@example.org"))
        assert (answer["outcome"], answer["reason"]) == ("kept", "unknown_sender")
        kept = await desk.admin.ok("GET", f"/v1/quarantine/{answer['request_id']}")
        assert kept["original"]["text"].startswith("No arranca desde hoy.")
