"""Acknowledging by the link in a message, and by a reply to it."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

from bs4 import BeautifulSoup
from harness import Client
from integration.escalation.alone import MONDAY, Alone, Desk

from plazo.events import sla_clock, tickets
from plazo.runtime.identity import new_key

HOUR = timedelta(hours=1)
BROWSER = {"Accept": "text/html,application/xhtml+xml", "Authorization": ""}


async def warned_lead(desk: Desk) -> tuple[UUID, dict[str, Any]]:
    """Return a ticket whose promise was not kept, and what the team lead was told of it."""
    await desk.agent("lea", "level_2", roles=["team_lead"])
    ticket = await desk.ticket("expande", {"severity": "critical", "segment": "cinema"})
    await desk.breach(ticket, "first_response", at=MONDAY)
    (message,) = [one for one in await desk.messages(ticket) if one["to"] == "lea@example.com"]
    return ticket, message


def nobody(alone: Alone) -> Client:
    return alone.client("")


class TestLink:
    """By whoever has the message."""

    async def test_looking_changes_nothing_and_the_button_acknowledges_once(self, alone: Alone, own_desk: Desk) -> None:
        ticket, message = await warned_lead(own_desk)
        path, reader = message["acknowledge_path"], nobody(alone)

        first = await reader.get(path, headers=BROWSER)
        (before,) = await own_desk.escalations(ticket)
        pressed = await reader.post(path, headers=BROWSER)
        (after,) = await own_desk.escalations(ticket)
        again = await reader.post(path, headers=BROWSER)

        assert (first.status_code, pressed.status_code, again.status_code) == (200, 200, 200)
        page = BeautifulSoup(first.text, "html.parser")
        assert page.find("form", method="post").find("button").text == "Acusar recibo"
        assert page.find("script") is None
        assert before["acknowledged_at"] is None
        assert (after["acknowledged_by"], after["acknowledged_at"]) == ("lea@example.com", "2026-05-04T13:00:00Z")
        assert (await own_desk.escalations(ticket)) == [after]
        done = BeautifulSoup(again.text, "html.parser")
        assert done.find("form") is None
        assert "lea@example.com, 2026-05-04 13:00 UTC" in done.find(role="status").text

    async def test_is_not_shown_to_a_key_that_may_only_read(self, alone: Alone, own_desk: Desk) -> None:
        _, message = await warned_lead(own_desk)
        made = new_key()
        key = tickets.KeyCopy(key_id=made.key_id, secret_hash=made.secret_hash, role="manager", label="reader")
        await own_desk.hear(tickets.KeyIssued(key=key, scopes=("escalation:read",)), about=own_desk.desk_id)
        pages = {}
        for caller in (own_desk.admin, alone.client(made.token)):
            shown = await caller.ok("GET", f"/v1/messages/{message['message_id']}")
            page = await caller.get(f"/v1/mailbox/{message['message_id']}", headers={"Accept": "text/html"})
            pages[shown["acknowledge_path"]] = "/v1/acknowledgements/" in page.text

        assert pages == {message["acknowledge_path"]: True, None: False}

    async def test_a_page_may_load_nothing_and_run_nothing(self, alone: Alone, own_desk: Desk) -> None:
        _, message = await warned_lead(own_desk)

        page = await nobody(alone).get(message["acknowledge_path"], headers=BROWSER)

        policy = page.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; style-src 'sha256-")
        assert "script-src" not in policy
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cache-control"] == "no-store"

    async def test_a_program_gets_json_and_problems(self, alone: Alone, own_desk: Desk) -> None:
        _, message = await warned_lead(own_desk)
        reader = nobody(alone)

        view = await reader.ok("GET", message["acknowledge_path"], headers={"Accept": "application/json"})
        forged = await reader.refused(404, "POST", "/v1/acknowledgements/AAAA", headers={"Accept": "application/json"})

        assert (view["open"], view["acknowledged_now"]) == (1, 0)
        assert forged["type"].endswith("link-invalid")

    async def test_a_forged_link_gets_a_page_that_says_so(self, alone: Alone, own_desk: Desk) -> None:
        ticket, message = await warned_lead(own_desk)
        path = message["acknowledge_path"]
        forged = path[:-5] + ("A" if path[-5] != "A" else "B") + path[-4:]

        page = await nobody(alone).post(forged, headers=BROWSER)

        assert page.status_code == 404
        assert "Enlace no válido" in page.text
        assert (await own_desk.escalations(ticket))[0]["acknowledged_at"] is None

    async def test_a_link_expires_by_the_present_of_its_desk(self, alone: Alone, own_desk: Desk) -> None:
        ticket, message = await warned_lead(own_desk)
        moved = sla_clock.DeskClockAdvanced(clock_at=MONDAY + timedelta(days=7))
        await own_desk.hear(moved, about=own_desk.desk_id)

        page = await nobody(alone).post(message["acknowledge_path"], headers=BROWSER)

        assert page.status_code == 409
        assert "Enlace caducado" in page.text
        assert (await own_desk.escalations(ticket))[0]["acknowledged_at"] is None

    async def test_customers_get_no_link(self, own_desk: Desk) -> None:
        ticket, _ = await warned_lead(own_desk)

        receipt = next(one for one in await own_desk.messages(ticket) if one["event"] == "ticket.opened")

        assert receipt["acknowledge_path"] is None

    async def test_the_link_of_a_digest_acknowledges_all_that_is_in_it(self, alone: Alone, own_desk: Desk) -> None:
        await own_desk.admin.ok("PUT", "/v1/channels/email", json={"every": "15m", "above": 0})
        await own_desk.agent("lea", "level_2", roles=["team_lead"])
        tickets = [await own_desk.ticket("expande", {"severity": "critical", "segment": "cinema"}) for _ in range(3)]
        for ticket in tickets:
            await own_desk.breach(ticket, "first_response", at=MONDAY)
        (asked,) = [one for one in await own_desk.events("timer.requested.v1") if "window_id" in one["data"]["context"]]
        fired = sla_clock.TimerFired(
            timer_id=UUID(asked["data"]["timer_id"]),
            requested_by="escalation",
            due_at=MONDAY + HOUR,
            context=asked["data"]["context"],
        )
        await own_desk.hear(fired, about=UUID(asked["data"]["ticket_id"]), at=MONDAY + HOUR)
        listed = (await own_desk.admin.ok("GET", "/v1/messages?to=lea@example.com"))["items"]
        digest = next(one for one in listed if one["event"] == "digest")

        json = {"Accept": "application/json"}
        view = await nobody(alone).ok("POST", digest["acknowledge_path"], headers=json)

        assert (view["open"], view["acknowledged_now"]) == (0, 3)
        for ticket in tickets:
            (escalation,) = await own_desk.escalations(ticket)
            assert escalation["acknowledged_by"] == "lea@example.com"


class TestReply:
    """By answering the e-mail."""

    async def test_the_addressee_acknowledges(self, own_desk: Desk) -> None:
        ticket, message = await warned_lead(own_desk)
        path = f"/v1/messages/{message['message_id']}/replies"

        refused = await own_desk.admin.refused(403, "POST", path, json={"sender": "eva@example.com"})
        answer = await own_desk.admin.ok("POST", path, json={"sender": "Lea@example.com", "text": "Voy"})

        assert refused["type"].endswith("not-the-addressee")
        assert answer["acknowledged_now"] == 1
        assert (await own_desk.escalations(ticket))[0]["acknowledged_by"] == "lea@example.com"

    async def test_a_message_that_asks_for_nothing_is_left_alone(self, own_desk: Desk) -> None:
        ticket, _ = await warned_lead(own_desk)
        receipt = next(one for one in await own_desk.messages(ticket) if one["event"] == "ticket.opened")

        path = f"/v1/messages/{receipt['message_id']}/replies"
        answer = await own_desk.admin.ok("POST", path, json={"sender": "ana@example.com"})

        assert (answer["escalations"], answer["acknowledged_now"]) == ([], 0)


class TestMailbox:
    """The page."""

    async def test_a_key_opens_it_and_a_cookie_keeps_it_open(self, alone: Alone, own_desk: Desk) -> None:
        _, message = await warned_lead(own_desk)
        key = own_desk.admin.headers["Authorization"].removeprefix("Bearer ")
        reader = nobody(alone)
        reader.headers.pop("Authorization")
        reader.headers["Accept"] = "text/html"

        closed = await reader.get("/v1/mailbox")
        wrong = await reader.post("/v1/mailbox", data={"key": "plz_wrong_key"})
        opened = await reader.post("/v1/mailbox", data={"key": f" {key} "})
        page = await reader.get("/v1/mailbox")
        shown = await reader.get(f"/v1/mailbox/{message['message_id']}")

        assert (closed.status_code, wrong.status_code) == (401, 401)
        assert 'name="key"' in closed.text
        assert opened.status_code == 303
        cookie = opened.headers["set-cookie"]
        assert re.search(r"HttpOnly; Path=/v1/mailbox; SameSite=strict", cookie)
        assert message["subject"] in page.text
        assert message["acknowledge_path"] in shown.text
        assert key not in page.text + shown.text
        await reader.post("/v1/mailbox/closings")
        assert (await reader.get("/v1/mailbox")).status_code == 401

    async def test_requesters_and_other_desks_see_nothing(self, alone: Alone, own_desk: Desk) -> None:
        _, message = await warned_lead(own_desk)
        other = await alone.new_desk()

        requester = await own_desk.clients["requester"].get("/v1/mailbox")
        stranger = await other.admin.get(f"/v1/mailbox/{message['message_id']}")

        assert requester.status_code == 401
        assert stranger.status_code == 404
        assert message["subject"] not in stranger.text

    async def test_what_customers_write_is_text(self, own_desk: Desk) -> None:
        evil = "<script>alert(1)</script>"
        ticket = await own_desk.ticket("smartcloud", description=evil, subject=evil, contact_email="a'\"b@example.com")
        (message,) = await own_desk.messages(ticket)

        pages = [
            await own_desk.admin.get(path)
            for path in ("/v1/mailbox", f"/v1/mailbox/{message['message_id']}", "/v1/mailbox?to=%22%3E%3Cscript%3E")
        ]

        assert [page.status_code for page in pages] == [200, 200, 200]
        assert all("<script" not in page.text for page in pages)
        assert "&lt;script&gt;" in pages[1].text

    async def test_goes_back_page_by_page(self, own_desk: Desk) -> None:
        for number in range(52):
            await own_desk.ticket("smartcloud", number=f"SMA-{number:03}")

        newest = BeautifulSoup((await own_desk.admin.get("/v1/mailbox")).text, "html.parser")
        older = BeautifulSoup((await own_desk.admin.get(newest.find("a", string="Older")["href"])).text, "html.parser")

        assert len(newest.find_all("tr")) == 51
        assert len(older.find_all("tr")) == 3
        assert "SMA-051" in newest.find_all("tr")[1].text
        assert "SMA-000" in older.find_all("tr")[-1].text
