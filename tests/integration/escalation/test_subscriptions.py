"""Partner systems are told: each event once known to be taken, in the order of its ticket, whatever they answer."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from typing import Any
from uuid import UUID

import pytest
from harness import eventually
from integration.escalation.alone import MONDAY, Alone, Desk
from integration.escalation.partner import Partner, open_partner
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from escalation.timers.posting import Poster
from escalation.timers.webhooks import WebhookPost
from escalation.usecases import posting
from escalation.usecases.posting import LEASE
from plazo.events import billing, sla_clock, ticket_life, tickets
from plazo.kernel.ids import new_id
from plazo.runtime.inbox import NotYet
from plazo.runtime.unit_of_work import SystemWork

LOOPBACK = (ip_network("127.0.0.0/8"),)
LATER = MONDAY + timedelta(hours=1)


@pytest.fixture
async def partner() -> AsyncIterator[Partner]:
    """A partner's system."""
    async with open_partner() as running:
        yield running


@dataclass
class SetClock:
    """A clock that stands where it is put."""

    at: datetime

    def now(self) -> datetime:
        """Return the instant."""
        return self.at


@dataclass
class Replica:
    """Another process that posts, at the time it is told."""

    poster: Poster
    work: SystemWork
    clock: SetClock

    async def post(self, *, at: datetime) -> None:
        """Post all that is due at an instant."""
        self.clock.at = at
        await self.poster.post_all()


def replica(alone: Alone) -> Replica:
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    work = SystemWork(database=alone.runtime.database, clock=clock, producer="escalation")
    return Replica(Poster(alone.runtime, work, WebhookPost(LOOPBACK, seconds=5)), work, clock)


async def subscribe(desk: Desk, partner: Partner, *events: str, **given: Any) -> dict[str, Any]:
    """Subscribe the partner."""
    body = {"name": "ERP", "url": partner.url, "events": list(events)} | given
    made: dict[str, Any] = await desk.admin.ok("POST", "/v1/subscriptions", json=body)
    return made


async def deliveries(desk: Desk, subscription: dict[str, Any]) -> list[dict[str, Any]]:
    """Read what was sent."""
    path = f"/v1/subscriptions/{subscription['subscription_id']}/deliveries?limit=200"
    items: list[dict[str, Any]] = (await desk.admin.ok("GET", path))["items"]
    return items


async def settled(desk: Desk, subscription: dict[str, Any], *states: str) -> list[dict[str, Any]]:
    """Wait until the deliveries stand in these states, each with an answer where it is the first of its ticket."""

    async def question() -> list[dict[str, Any]] | None:
        found = await deliveries(desk, subscription)
        first = {one["about"]: one for one in reversed(found)}
        is_answered = all(one["attempts"] and one["attempts"][-1]["ended_at"] for one in first.values())
        return found if [one["state"] for one in found] == list(states) and is_answered else None

    found = await eventually(question)
    assert found is not None
    return found


def next_attempt(delivery: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(delivery["next_attempt_at"])


async def hear_reply(desk: Desk, ticket: UUID) -> None:
    await desk.hear(tickets.CustomerReplied(channel="email", by="Ana"), about=ticket, at=LATER)


class TestPosting:
    """What is theirs arrives, signed and in order."""

    async def test_posts_the_events_of_every_service_signed_with_the_secret(
        self, own_desk: Desk, partner: Partner
    ) -> None:
        made = await subscribe(own_desk, partner, "ticket.*", "assignment.made", "clock.breached", "admission.*")
        ticket = await own_desk.ticket("prodequa", {"plan_in_force": True})
        await own_desk.breach(ticket, "first_response", at=LATER)
        await own_desk.hear(billing.AdmissionGranted(ticket_id=ticket), about=ticket)

        await settled(own_desk, made, *["delivered"] * 4)

        opened, assigned, breached, admitted = partner.bodies
        assert [one["source"] for one in partner.bodies] == ["tickets", "escalation", "sla_clock", "billing"]
        assert {one["about"] for one in partner.bodies} == {str(ticket)}
        assert (opened["timestamp"], breached["timestamp"]) == ("2026-05-04T13:00:00Z", "2026-05-04T14:00:00Z")
        assert (opened["type"], assigned["data"]["team"], admitted["type"]) == (
            "ticket.opened.v1",
            "support",
            "admission.granted.v1",
        )
        for headers, body in partner.posts:
            assert headers["webhook-id"] == Webhook(made["secret"]).verify(body, headers)["id"]
        with pytest.raises(WebhookVerificationError):
            Webhook("whsec_" + "A" * 43 + "=").verify(body, headers)

    async def test_names_each_event_as_the_ledger_does(self, own_desk: Desk, partner: Partner) -> None:
        made = await subscribe(own_desk, partner, "assignment.*")
        ticket = await own_desk.ticket("ireo")

        await settled(own_desk, made, "delivered")

        (event,) = await own_desk.events("assignment.made.v1", about=ticket)
        assert partner.ids == [str(event["id"])]
        assert partner.posts[0][0]["content-type"] == "application/json"

    async def test_tells_a_partner_only_of_its_customers(self, own_desk: Desk, partner: Partner) -> None:
        made = await subscribe(own_desk, partner, "*", customers=[str(own_desk.customer_id)])
        await own_desk.ticket("ireo", customer_id=new_id())

        mine = await own_desk.ticket("ireo")

        # opened, assigned, the receipt
        await settled(own_desk, made, "delivered", "delivered", "delivered")
        assert {one["about"] for one in partner.bodies} == {str(mine)}

    async def test_tells_of_a_link_to_another_customer_s_ticket_whoever_may_know_of_both(
        self, own_desk: Desk, partner: Partner
    ) -> None:
        other_customer, other = new_id(), new_id()
        one, both, everyone = [
            await subscribe(own_desk, partner, "ticket.linked", customers=customers)
            for customers in ([str(own_desk.customer_id)], [str(own_desk.customer_id), str(other_customer)], [])
        ]
        ticket = await own_desk.ticket("ireo")
        linked = ticket_life.TicketLinked(other_id=other, other_number="IRE-7", kind="related", by="agent: Eva")

        foreign = await own_desk.hear(
            linked.model_copy(update={"other_customer_id": other_customer}), about=ticket, at=LATER
        )
        own = await own_desk.hear(linked, about=ticket, at=LATER)

        for subscription, events in ((one, [own]), (both, [foreign, own]), (everyone, [foreign, own])):
            told = [delivery["event_id"] for delivery in await deliveries(own_desk, subscription)]
            assert told == [str(event.id) for event in events]

    async def test_waits_for_the_opening_of_a_ticket_that_another_service_speaks_of_first(
        self, own_desk: Desk, partner: Partner
    ) -> None:
        await subscribe(own_desk, partner, "*")
        unknown = new_id()
        clock = own_desk.clock(unknown, "first_response", due_at=LATER, state="running", breached_at=None)
        event = sla_clock.ClockStarted(ticket_id=unknown, clock=clock)

        with pytest.raises(NotYet, match=f"ticket {unknown}"):
            await own_desk.hear(event, about=unknown)

    async def test_holds_back_what_comes_after_a_failure_of_the_same_ticket_and_nothing_else(
        self, alone: Alone, own_desk: Desk, partner: Partner
    ) -> None:
        made = await subscribe(own_desk, partner, "ticket.*")
        partner.answers = ["500 Oops"]
        first = await own_desk.ticket("ireo")
        await settled(own_desk, made, "queued")
        await hear_reply(own_desk, first)
        other = await own_desk.ticket("ireo")

        failed, behind, free = await settled(own_desk, made, "queued", "queued", "delivered")

        assert [one["about"] for one in partner.bodies] == [str(first), str(other)]
        assert (behind["tries"], free["about"]) == (0, str(other))
        (attempt,) = failed["attempts"]
        assert (attempt["status"], attempt["excerpt"]) == (500, "thanks")

        await replica(alone).post(at=next_attempt(failed))

        assert [one["type"] for one in partner.bodies[2:]] == ["ticket.opened.v1", "ticket.customer_replied.v1"]
        assert partner.ids[2] == partner.ids[0]

    async def test_sends_each_event_once_with_several_processes(
        self, alone: Alone, own_desk: Desk, partner: Partner
    ) -> None:
        made = await subscribe(own_desk, partner, "ticket.opened")
        partner.answers = ["500 Oops"] * 6
        for _ in range(6):
            await own_desk.ticket("ireo")
        failed = await settled(own_desk, made, *["queued"] * 6)
        partner.posts.clear()
        latest = max(map(next_attempt, failed))

        await asyncio.gather(*(replica(alone).post(at=latest) for _ in range(3)))

        await settled(own_desk, made, *["delivered"] * 6)
        assert len(partner.ids) == len(set(partner.ids)) == 6


class TestFaults:
    """What a partner's system may do."""

    async def test_a_process_killed_before_it_wrote_the_answer_repeats_the_event_under_its_id(
        self, alone: Alone, own_desk: Desk, partner: Partner
    ) -> None:
        made = await subscribe(own_desk, partner, "ticket.opened")
        partner.answers = ["500 Oops"]
        await own_desk.ticket("ireo")
        (failed,) = await settled(own_desk, made, "queued")
        killed, other = replica(alone), replica(alone)
        killed.clock.at = next_attempt(failed)
        dispatch = await posting.claim_next(killed.work)
        assert dispatch is not None
        assert (await killed.poster._send(dispatch)).is_taken  # and then it dies

        await other.post(at=killed.clock.at + LEASE - timedelta(seconds=1))
        assert len(partner.posts) == 2
        await other.post(at=killed.clock.at + LEASE)

        assert len(partner.posts) == 3
        assert len(set(partner.ids)) == 1
        (done,) = await settled(own_desk, made, "delivered")
        assert [one["ended_at"] is None for one in done["attempts"]] == [False, True, False]

    async def test_days_of_failure_switch_it_off_with_a_notice_and_lose_nothing(
        self, alone: Alone, own_desk: Desk, partner: Partner
    ) -> None:
        made = await subscribe(own_desk, partner, "ticket.*", contact="erp@example.com")
        path = f"/v1/subscriptions/{made['subscription_id']}"
        partner.usual = "503 Away"
        ticket = await own_desk.ticket("ireo")
        (failed,) = await settled(own_desk, made, "queued")
        began, process = next_attempt(failed), replica(alone)
        while failed["next_attempt_at"]:
            await process.post(at=next_attempt(failed))
            (failed,) = await deliveries(own_desk, made)

        off = await own_desk.admin.ok("GET", path)
        assert off["state"] == "off"
        assert off["state_reason"].startswith("nothing got through for 5 days")
        assert timedelta(days=5) <= process.clock.at - began < timedelta(days=6)
        told = (await own_desk.admin.ok("GET", "/v1/messages?to=erp@example.com"))["items"]
        assert [(one["event"], off["url"] in one["body"]) for one in told] == [("subscription.switched_off", True)]

        await hear_reply(own_desk, ticket)
        sent = len(partner.posts)
        partner.usual = "200 OK"
        await process.post(at=process.clock.at + timedelta(days=9))
        assert len(partner.posts) == sent

        assert (await own_desk.admin.ok("PATCH", path, json={"enabled": True}))["state"] == "active"
        await settled(own_desk, made, "delivered", "delivered")
        assert [one["type"] for one in partner.bodies[sent:]] == ["ticket.opened.v1", "ticket.customer_replied.v1"]

    async def test_gone_switches_it_off_at_once(self, own_desk: Desk, partner: Partner) -> None:
        made = await subscribe(own_desk, partner, "ticket.opened")
        await own_desk.agent("eva", roles=["manager"])
        partner.usual = "410 Gone"
        await own_desk.ticket("ireo")

        async def is_off() -> bool:
            read = await own_desk.admin.ok("GET", f"/v1/subscriptions/{made['subscription_id']}")
            return bool(read["state"] == "off")

        assert await eventually(is_off)
        assert len((await own_desk.admin.ok("GET", "/v1/messages?to=eva@example.com"))["items"]) == 1

    @pytest.mark.parametrize(
        ("behavior", "seconds", "words"),
        [
            pytest.param("hang", 0.2, "no whole answer within 0.2 s", id="hangs"),
            pytest.param("drop", 20, "RemoteProtocolError", id="drops the connection"),
        ],
    )
    async def test_no_answer_is_a_failure(self, partner: Partner, behavior: str, seconds: float, words: str) -> None:
        partner.usual = behavior

        answer = await WebhookPost(LOOPBACK, seconds=seconds).send(partner.url, headers={"webhook-id": "1"}, body=b"{}")

        assert (answer.is_taken, answer.status) == (False, None)
        assert words in (answer.failure or "")

    async def test_a_redirection_is_not_followed_and_a_long_answer_not_read(self, partner: Partner) -> None:
        partner.usual, partner.body = "302 Found", b"x" * 1_000_000
        post = WebhookPost(LOOPBACK)

        answer = await post.send(partner.url, headers={"webhook-id": "1"}, body=b"{}")

        assert (answer.status, answer.is_taken, len(answer.excerpt)) == (302, False, 500)
        assert len(partner.posts) == 1

    async def test_a_name_that_leads_home_is_not_connected_to(self, partner: Partner) -> None:
        url = partner.url.replace("127.0.0.1", "localhost")

        refused = await WebhookPost(()).send(url.replace("http:", "https:"), headers={}, body=b"{}")
        allowed = await WebhookPost((*LOOPBACK, ip_network("::1/128"))).send(
            url, headers={"webhook-id": "1"}, body=b"{}"
        )

        assert "is a private, local or reserved address" in (refused.failure or "")
        assert (allowed.status, len(partner.posts)) == (200, 1)
        assert partner.posts[0][0]["host"] == f"localhost:{partner.port}"


class TestSubscriptions:
    """Subscriptions over HTTP."""

    async def test_shows_a_secret_once_and_signs_with_both_while_it_is_rotated(
        self, own_desk: Desk, partner: Partner
    ) -> None:
        made = await subscribe(own_desk, partner, "ticket.opened")
        path = f"/v1/subscriptions/{made['subscription_id']}"
        rotated = await own_desk.admin.ok("POST", f"{path}/rotate", json={"overlap_hours": 1})
        await own_desk.ticket("ireo")
        await settled(own_desk, made, "delivered")
        await own_desk.admin.ok("POST", f"{path}/rotate", json={"overlap_hours": 0})
        await own_desk.ticket("ireo")
        await settled(own_desk, made, "delivered", "delivered")

        (headers, body), (_, later) = partner.posts
        assert Webhook(made["secret"]).verify(body, headers) == Webhook(rotated["secret"]).verify(body, headers)
        with pytest.raises(WebhookVerificationError):
            Webhook(rotated["secret"]).verify(later, partner.posts[1][0])
        assert "secret" not in await own_desk.admin.ok("GET", path)
        listed = await own_desk.admin.ok("GET", "/v1/subscriptions")
        assert made["secret"] not in str(listed)

    async def test_sends_again_from_an_event_on_under_the_same_ids(self, own_desk: Desk, partner: Partner) -> None:
        made = await subscribe(own_desk, partner, "ticket.*")
        ticket = await own_desk.ticket("ireo")
        for _ in range(2):
            await hear_reply(own_desk, ticket)
        before = await settled(own_desk, made, *["delivered"] * 3)
        path = f"/v1/subscriptions/{made['subscription_id']}/replay"

        ordered = await own_desk.admin.ok("POST", path, json={"from_event": before[1]["event_id"]})

        assert ordered == {"events": 2, "kept_since": "2026-05-04T13:00:00Z"}
        await settled(own_desk, made, *["delivered"] * 3)
        await eventually(lambda: asyncio.sleep(0, len(partner.ids) == 5))
        assert partner.ids[3:] == partner.ids[1:3]
        since = await own_desk.admin.ok("POST", path, json={"from": "2026-05-04T13:30:00Z"})
        assert since == {"events": 2, "kept_since": "2026-05-04T13:00:00Z"}
        await own_desk.admin.refused(409, "POST", path, json={"from": "2026-05-05T00:00:00Z"})
        await own_desk.admin.refused(422, "POST", path, json={})

    async def test_is_tried_out(self, own_desk: Desk, partner: Partner) -> None:
        made = await subscribe(own_desk, partner, "clock.breached")
        path = f"/v1/subscriptions/{made['subscription_id']}"

        sent = await own_desk.admin.ok("POST", f"{path}/test")

        (done,) = await settled(own_desk, made, "delivered")
        assert (done["event_id"], partner.bodies[0]["type"]) == (sent["event_id"], "subscription.test.v1")
        await own_desk.admin.ok("PATCH", path, json={"enabled": False})
        await own_desk.admin.refused(409, "POST", f"{path}/test")

    async def test_says_all_that_is_wrong_with_it(self, own_desk: Desk) -> None:
        body = {
            "name": "ERP",
            "url": "https://169.254.169.254/latest",
            "events": ["ticket.*", "ticket.oppened", "key.issued"],
        }

        problem = await own_desk.admin.refused(422, "POST", "/v1/subscriptions", json=body)

        assert [one["pointer"] for one in problem["errors"]] == ["/url", "/events/1", "/events/2"]

    async def test_is_a_lead_s_matter_of_one_desk(self, alone: Alone, own_desk: Desk, partner: Partner) -> None:
        made = await subscribe(own_desk, partner, "*")
        path = f"/v1/subscriptions/{made['subscription_id']}"
        stranger = await alone.new_desk()

        await own_desk.clients["agent"].refused(403, "GET", "/v1/subscriptions")
        await stranger.admin.refused(404, "GET", path)
        await own_desk.admin.refused(412, "PATCH", path, json={"name": "x"}, headers={"If-Match": '"9"'})
        changed = await own_desk.admin.ok("PATCH", path, json={"name": "SAP"}, headers={"If-Match": '"1"'})
        assert (changed["name"], changed["version"]) == ("SAP", 2)
        await stranger.ticket("ireo")
        assert (await own_desk.admin.request("DELETE", path)).status_code == 204
        await own_desk.admin.refused(404, "GET", path)
        await own_desk.ticket("ireo")
        rows = await alone.fetch(
            "SELECT FROM webhook_delivery WHERE subscription_id = $1", UUID(made["subscription_id"])
        )
        assert rows == []
