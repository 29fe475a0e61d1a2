"""Messages of a live desk leave by SMTP: each once, whatever the server does."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from harness import eventually
from integration.escalation.alone import MONDAY, Alone, Desk

from escalation.timers.delivery import Lane
from escalation.timers.smtp import SmtpPost
from escalation.usecases import delivering
from plazo.runtime.unit_of_work import SystemWork

CLOSED = "smtp://127.0.0.1:1"


@dataclass
class SetClock:
    """A clock that stands where it is put."""

    at: datetime

    def now(self) -> datetime:
        """Return the instant."""
        return self.at


@dataclass
class Replica:
    """A process that delivers, at the time it is told."""

    clock: SetClock
    lane: Lane
    work: SystemWork

    async def deliver(self, message: dict[str, Any], *, at: datetime | None = None) -> None:
        """Deliver all that is due when the message is (or at an instant), itself among it."""
        self.clock.at = at or datetime.fromisoformat(message["next_attempt_at"])
        await self.lane.deliver_all(asyncio.Event())


@asynccontextmanager
async def replica(alone: Alone, url: str, *, send_seconds: float = 5.0) -> AsyncIterator[Replica]:
    clock = SetClock(datetime(2026, 1, 1, tzinfo=UTC))
    work = SystemWork(database=alone.runtime.database, clock=clock, producer="escalation")
    post = SmtpPost(url, send_seconds=send_seconds)
    try:
        yield Replica(clock, Lane(work, post, alone.runtime.settings), work)
    finally:
        await post.close()


def somebody() -> str:
    return f"ana{secrets.token_hex(4)}@example.com"


async def open_ticket(desk: Desk, to: str) -> UUID:
    """Open a ticket, whose receipt goes to somebody."""
    return await desk.ticket("ireo", {"severity": "2"}, number="IRE-7", contact_email=to)


async def receipt_in(desk: Desk, ticket: UUID, state: str) -> dict[str, Any]:
    """Wait until the receipt is in a state, with at least one try behind it."""

    async def question() -> dict[str, Any] | None:
        (message,) = await desk.messages(ticket)
        return message if message["state"] == state and message["tries"] > 0 else None

    message = await eventually(question)
    assert message is not None
    return message


async def deferred(alone: Alone, desk: Desk, to: str) -> dict[str, Any]:
    """Return the receipt of a new ticket, which the server said to bring later."""
    alone.postbox.refusals[to] = "451 4.7.1 greylisted"
    ticket = await open_ticket(desk, to)

    async def question() -> dict[str, Any] | None:
        (message,) = await desk.messages(ticket)
        return message if message["failure"] else None

    message = await eventually(question)
    assert message is not None
    del alone.postbox.refusals[to]
    return message


async def read(desk: Desk, message: dict[str, Any]) -> dict[str, Any]:
    return await desk.admin.ok("GET", f"/v1/messages/{message['message_id']}")


async def attempts(desk: Desk, message: dict[str, Any]) -> list[tuple[str | None, str | None]]:
    listed = await desk.admin.ok("GET", f"/v1/messages/{message['message_id']}/attempts")
    return [(one["outcome"], one["reply"]) for one in listed["items"]]


async def test_a_receipt_leaves_by_smtp_in_the_thread_of_its_ticket(alone: Alone) -> None:
    """IRE-10: with date, first description and number."""
    desk, to = await alone.new_desk(sandbox=False), somebody()

    ticket = await open_ticket(desk, to)
    message = await receipt_in(desk, ticket, "sent")

    (mail,) = alone.postbox.to(to)
    assert mail["Subject"] == "Ticket IRE-7 registrado"
    assert mail["Message-ID"].startswith(f"<{message['message_id']}@")
    assert mail["References"].startswith(f"<ticket-{ticket}@")
    assert mail["From"].endswith("@ireo.example.com")
    body = mail.get_body(("plain",))
    assert body is not None
    assert "Descripción inicial: La taquilla no cobra" in body.get_content()
    assert "Acusar recibo" not in body.get_content()
    assert await attempts(desk, message) == [("accepted", "Taken")]
    (event,) = await desk.events("message.sent.v1", about=ticket)
    assert event["data"]["message_id"] == message["message_id"]


async def test_a_sandbox_sends_nothing(alone: Alone) -> None:
    desk, to = await alone.new_desk(), somebody()

    ticket = await open_ticket(desk, to)

    (message,) = await desk.messages(ticket)
    assert (message["state"], message["delivered_at"]) == ("delivered", "2026-05-04T13:00:00Z")
    assert alone.postbox.to(to) == []
    assert await attempts(desk, message) == []


async def test_a_refused_address_fails_at_once_and_holds_up_nobody(alone: Alone) -> None:
    desk, bad, good = await alone.new_desk(sandbox=False), somebody(), somebody()
    alone.postbox.refusals[bad] = "550 5.1.1 no such mailbox"

    refused = await receipt_in(desk, await open_ticket(desk, bad), "failed")
    await receipt_in(desk, await open_ticket(desk, good), "sent")

    assert "550 5.1.1 no such mailbox" in refused["failure"]
    (event,) = await desk.events("message.failed.v1")
    assert (event["data"]["permanent"], event["data"]["to"]) == (True, bad)
    mended = await desk.admin.ok("POST", f"/v1/messages/{refused['message_id']}/resend", json={"to": somebody()})
    assert mended["state"] == "queued"
    await receipt_in(desk, UUID(refused["ticket_id"]), "sent")
    again = await desk.admin.refused(409, "POST", f"/v1/messages/{refused['message_id']}/resend")
    assert again["type"].endswith("message-not-undelivered")


async def test_a_server_that_is_away_is_asked_again_later(alone: Alone) -> None:
    desk, to = await alone.new_desk(sandbox=False), somebody()
    message = await deferred(alone, desk, to)
    first = datetime.fromisoformat(message["next_attempt_at"])

    async with replica(alone, CLOSED) as away:
        await away.deliver(message)
    later = await read(desk, message)

    # The second pause is two minutes, a fifth more or less.
    pause = datetime.fromisoformat(later["next_attempt_at"]) - first
    assert timedelta(minutes=1.6) <= pause <= timedelta(minutes=2.4)
    assert "cannot be reached" in later["failure"]
    async with replica(alone, alone.postbox.url) as back:
        await back.deliver(later)
    assert (await read(desk, message))["state"] == "sent"
    assert len(alone.postbox.to(to)) == 1


async def test_what_was_given_up_is_listed_and_can_be_sent_again(alone: Alone) -> None:
    desk, to = await alone.new_desk(sandbox=False), somebody()
    message = await deferred(alone, desk, to)
    await alone.fetch("UPDATE message SET tries = 15 WHERE message_id = $1", UUID(message["message_id"]))

    async with replica(alone, CLOSED) as away:
        await away.deliver(message)

    (dead,) = (await desk.admin.ok("GET", "/v1/messages?state=dead"))["items"]
    assert dead["message_id"] == message["message_id"]
    assert dead["failure"].startswith("given up after 16 tries")
    (event,) = await desk.events("message.failed.v1")
    assert event["data"]["permanent"] is False
    await desk.admin.ok("POST", f"/v1/messages/{message['message_id']}/resend")
    await receipt_in(desk, UUID(message["ticket_id"]), "sent")


async def test_a_connection_cut_off_after_the_letter_repeats_it_under_the_same_id(alone: Alone) -> None:
    desk, to = await alone.new_desk(sandbox=False), somebody()
    alone.postbox.cut_off.add(to)
    ticket = await open_ticket(desk, to)

    async def cut() -> dict[str, Any] | None:
        (message,) = await desk.messages(ticket)
        return message if message["failure"] else None

    message = await eventually(cut)
    assert message is not None
    alone.postbox.cut_off.clear()
    async with replica(alone, alone.postbox.url) as back:
        await back.deliver(message)

    first, second = alone.postbox.to(to)
    assert first["Message-ID"] == second["Message-ID"]
    assert (await read(desk, message))["state"] == "sent"


async def test_a_process_killed_before_it_wrote_down_repeats_that_message_only(alone: Alone) -> None:
    desk, to, other = await alone.new_desk(sandbox=False), somebody(), somebody()
    message = await deferred(alone, desk, to)
    bystander = await deferred(alone, desk, other)
    at = max(datetime.fromisoformat(one["next_attempt_at"]) for one in (message, bystander))

    async with replica(alone, alone.postbox.url) as killed:
        killed.clock.at = at
        while (dispatch := await delivering.claim_next(killed.work)) and dispatch.letter.to != to:
            await delivering.settle(killed.work, dispatch, await killed.lane.post.send(dispatch.letter))
        assert dispatch is not None
        await killed.lane.post.send(dispatch.letter)  # and dies here
    async with replica(alone, alone.postbox.url) as heir:
        await heir.deliver(message, at=at + delivering.LEASE - timedelta(seconds=1))
        assert len(alone.postbox.to(to)) == 1
        await heir.deliver(message, at=at + delivering.LEASE)
        await heir.deliver(message, at=at + 3 * delivering.LEASE)

    first, second = alone.postbox.to(to)
    assert first["Message-ID"] == second["Message-ID"]
    assert len(alone.postbox.to(other)) == 1
    outcomes = [outcome for outcome, _ in await attempts(desk, message)]
    assert outcomes == ["deferred", None, "accepted"]


async def test_a_server_that_does_not_answer_is_left(alone: Alone) -> None:
    desk, to = await alone.new_desk(sandbox=False), somebody()
    message = await deferred(alone, desk, to)
    alone.postbox.slow.add(to)

    async with replica(alone, alone.postbox.url, send_seconds=0.2) as impatient:
        await impatient.deliver(message)

    after = await read(desk, message)
    assert (after["state"], after["failure"]) == ("queued", "no answer within 0.2 s")


async def test_two_replicas_send_each_message_once(alone: Alone) -> None:
    desk = await alone.new_desk(sandbox=False)
    people = [somebody() for _ in range(12)]
    held = [await deferred(alone, desk, to) for to in people]
    at = max(datetime.fromisoformat(one["next_attempt_at"]) for one in held)

    async with replica(alone, alone.postbox.url) as one, replica(alone, alone.postbox.url) as two:
        await asyncio.gather(*(each.deliver(held[0], at=at) for each in (one, two)))

    assert [len(alone.postbox.to(to)) for to in people] == [1] * 12


async def test_a_bounce_makes_it_failed(alone: Alone) -> None:
    desk, to = await alone.new_desk(sandbox=False), somebody()
    ticket = await open_ticket(desk, to)
    message = await receipt_in(desk, ticket, "sent")
    (mail,) = alone.postbox.to(to)

    report = {"message_id": mail["Message-ID"], "reason": "5.2.2 mailbox full"}
    failed = await desk.admin.ok("POST", "/v1/messages/bounces", json=report)
    again = await desk.admin.ok("POST", "/v1/messages/bounces", json=report)

    assert (failed["state"], failed["failure"]) == ("failed", "5.2.2 mailbox full")
    assert again == failed
    assert len(await desk.events("message.failed.v1", about=ticket)) == 1
    await desk.admin.refused(409, "POST", "/v1/messages/arrivals", json={"message_id": message["message_id"]})
    await desk.admin.refused(404, "POST", "/v1/messages/bounces", json={"message_id": "<x@y>", "reason": "r"})
    await desk.clients["agent"].refused(403, "POST", "/v1/messages/bounces", json=report)


async def test_an_arrival_makes_it_delivered(alone: Alone) -> None:
    desk, to = await alone.new_desk(sandbox=False), somebody()
    message = await receipt_in(desk, await open_ticket(desk, to), "sent")

    arrived = await desk.admin.ok("POST", "/v1/messages/arrivals", json={"message_id": message["message_id"]})

    assert arrived["state"] == "delivered"
    assert arrived["delivered_at"] is not None


async def test_an_escalation_brings_a_link_to_acknowledge(alone: Alone) -> None:
    desk, lead = await alone.new_desk(sandbox=False), somebody()
    await desk.agent("lea", "level_2", email=lead, roles=["team_lead"])
    ticket = await desk.ticket("expande", {"severity": "critical", "segment": "cinema"})

    await desk.breach(ticket, "first_response", at=MONDAY + timedelta(hours=1))

    async def arrived() -> bool:
        return bool(alone.postbox.to(lead))

    await eventually(arrived)
    body = alone.postbox.to(lead)[0].get_body(("plain",))
    assert body is not None
    assert "Acusar recibo: https://desk.example.com/v1/acknowledgements/" in body.get_content()
