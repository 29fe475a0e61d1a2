"""A storm is one message, quiet hours are quiet, and customers are told at once."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from integration.escalation.alone import MONDAY, Alone, Desk, shipped

from plazo.events import sla_clock
from plazo.policy.document import Policy
from plazo.policy.handling import Channel, Digest, Quiet

LATER = MONDAY + timedelta(hours=1)


def channels(**email: Any) -> dict[str, Any]:
    return {"channels": {"email": Channel(**email)}}


async def mail_of(desk: Desk, to: str) -> list[dict[str, Any]]:
    return (await desk.admin.ok("GET", f"/v1/messages?to={to}&limit=200"))["items"]


async def release(desk: Desk, number: int = -1) -> datetime:
    """Say that the time a window asked for has come; returns it."""
    asked = [one for one in await desk.events("timer.requested.v1") if "window_id" in one["data"]["context"]]
    data = asked[number]["data"]
    due = datetime.fromisoformat(data["start"])
    assert (data["after"], data["calendar"]) == ("0m", None)
    event = sla_clock.TimerFired(
        timer_id=UUID(data["timer_id"]), requested_by="escalation", due_at=due, context=data["context"]
    )
    await desk.hear(event, about=UUID(data["ticket_id"]), at=due)
    return due


async def storm(desk: Desk, count: int, facts: dict[str, Any], *kinds: str) -> list[UUID]:
    """Have so many tickets miss their first response (or promises of several kinds) at one instant."""
    tickets = [await desk.ticket("expande", facts, number=f"EXP-{number}") for number in range(1, count + 1)]
    for ticket in tickets:
        for kind in kinds or ("first_response",):
            await desk.breach(ticket, kind, at=LATER)
    return tickets


FACTS = {"severity": "critical", "segment": "cinema"}


async def test_sixty_breaches_at_one_instant_are_one_message_to_each_person(own_desk: Desk) -> None:
    await own_desk.publish("expande", **channels(digest=Digest(every="15m")))
    await own_desk.agent("lea", "level_2", roles=["team_lead"])

    await storm(own_desk, 15, FACTS, "first_response", "next_reply", "periodic_update", "agreed")
    assert {one["state"] for one in await mail_of(own_desk, "lea@example.com")} == {"queued"}
    due = await release(own_desk)
    await release(own_desk)  # again: it has no effect

    assert due == LATER + timedelta(minutes=15)
    for name in ("lea",):
        rows = await own_desk.alone.fetch(
            "SELECT state, count(*) AS count FROM message WHERE desk_id = $1 AND address = $2 GROUP BY 1 ORDER BY 1",
            own_desk.desk_id,
            f"{name}@example.com",
        )
        assert {row["state"]: row["count"] for row in rows} == {"delivered": 1, "digested": 60}
        (digest,) = await own_desk.alone.fetch(
            "SELECT subject, body, html FROM message WHERE desk_id = $1 AND address = $2 AND event = 'digest'",
            own_desk.desk_id,
            f"{name}@example.com",
        )
        assert digest["subject"] == "60 avisos"
        assert len(digest["body"].splitlines()) == 62
        assert digest["html"].count("<tr>") == 61
        assert "EXP-15  " in digest["body"]
    sent = await own_desk.events("message.sent.v1")
    assert len(sent) == 60  # each ticket's timeline tells of it


async def test_a_storm_is_no_storm_of_messages_even_where_nobody_said_so(own_desk: Desk) -> None:
    await own_desk.agent("lea", "level_2", roles=["team_lead"])

    await storm(own_desk, 14, FACTS)

    states = [one["state"] for one in await mail_of(own_desk, "lea@example.com")]
    assert states == ["delivered"] * 10 + ["queued"] * 4
    held = [
        one["data"]["state"] for one in await own_desk.events("message.queued.v1") if one["data"]["to"][:3] == "lea"
    ]
    assert held == ["delivered"] * 10 + ["held"] * 4
    await release(own_desk)
    mail = await mail_of(own_desk, "lea@example.com")
    assert [one["state"] for one in mail] == ["delivered"] * 10 + ["digested"] * 4 + ["delivered"]
    assert mail[-1]["subject"] == "4 avisos"
    assert mail[-2]["digest_id"] == mail[-1]["message_id"]


async def test_a_desk_says_what_a_storm_is(own_desk: Desk) -> None:
    usual = await own_desk.admin.ok("GET", "/v1/channels/email")
    assert usual == {"channel": "email", "every": "15m", "above": 10, "is_usual": True}

    await own_desk.admin.ok("PUT", "/v1/channels/email", json={"every": "1h", "above": 1})
    await own_desk.agent("lea", "level_2", roles=["team_lead"])
    await storm(own_desk, 2, FACTS)

    assert [one["state"] for one in await mail_of(own_desk, "lea@example.com")] == ["delivered", "queued"]
    # One alone is no digest: it is told itself.
    assert await release(own_desk) == LATER + timedelta(hours=1)
    assert [one["state"] for one in await mail_of(own_desk, "lea@example.com")] == ["delivered"] * 2
    await own_desk.admin.refused(422, "PUT", "/v1/channels/email", json={"every": "soon", "above": 1})
    await own_desk.clients["agent"].refused(403, "PUT", "/v1/channels/email", json={"every": "1h", "above": 1})


async def test_customers_are_told_at_once_each_of_their_own_ticket(own_desk: Desk) -> None:
    night = Quiet(calendar=next(iter(shipped("ireo").calendars)))
    await own_desk.publish("ireo", **channels(digest=Digest(every="15m"), quiet=night))

    for number in range(12):
        await own_desk.ticket("ireo", {"severity": "3"}, number=f"IRE-{number}")

    assert [one["state"] for one in await mail_of(own_desk, "ana@example.com")] == ["delivered"] * 12


async def test_quiet_hours_end_with_the_next_service_and_let_the_urgent_through(own_desk: Desk) -> None:
    """Level 3 serves Monday to Thursday 09:30-19:00 in Valencia, UTC+2 in May."""
    policy: Policy = shipped("expande")
    calendar = "level_3" if "level_3" in policy.calendars else next(name for name in policy.calendars if "3" in name)
    quiet = Quiet(calendar=calendar, unless={"severity": ["critical"]})
    await own_desk.publish("expande", **channels(quiet=quiet))
    await own_desk.agent("lea", "level_2", roles=["team_lead"])
    night = datetime(2026, 5, 4, 20, 0, tzinfo=UTC)

    minor = await own_desk.ticket("expande", FACTS | {"severity": "minor"})
    await own_desk.breach(minor, "first_response", at=night)
    assert [one["state"] for one in await mail_of(own_desk, "lea@example.com")] == ["queued"]
    assert await release(own_desk) == datetime(2026, 5, 5, 7, 30, tzinfo=UTC)
    assert [one["state"] for one in await mail_of(own_desk, "lea@example.com")] == ["delivered"]

    urgent = await own_desk.ticket("expande", FACTS)
    await own_desk.breach(urgent, "first_response", at=night)
    assert [one["state"] for one in await mail_of(own_desk, "lea@example.com")] == ["delivered"] * 2


async def test_a_live_desk_holds_back_too(alone: Alone) -> None:
    desk = await alone.new_desk(sandbox=False)
    await desk.admin.ok("PUT", "/v1/channels/email", json={"every": "15m", "above": 0})
    await desk.agent("lea", "level_2", email=f"lea-{desk.desk_id.hex[-6:]}@example.com", roles=["team_lead"])

    await storm(desk, 2, FACTS)

    held = await mail_of(desk, f"lea-{desk.desk_id.hex[-6:]}@example.com")
    assert [(one["state"], one["next_attempt_at"]) for one in held] == [("queued", None)] * 2
