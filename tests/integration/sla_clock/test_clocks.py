"""Clocks over HTTP: started, warned, broken, retracted, paused and explained, on the real servers."""

from uuid import UUID, uuid4

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from harness import DeskUnderTest, House, clock_of

from plazo.events.envelope import Envelope
from plazo.events.escalation import TimerRequested, TimerWithdrawn
from plazo.events.tickets import TicketAnswered, TicketWaitEnded, TicketWaitStarted
from plazo.kernel.ids import new_id
from plazo.kernel.time import parse_instant
from plazo.policies import policy_text
from plazo.runtime.migrations import run_with_connection
from plazo.runtime.tables import RuntimeTable
from sla_clock.models import METADATA


async def clocks_of(desk: DeskUnderTest, ticket) -> dict[str, dict]:
    page = await desk.admin.ok("GET", f"/v1/clocks?ticket={ticket['ticket_id']}")
    return {f"{clock['kind']}.{clock['cycle']}": clock for clock in page["items"]}


async def told(desk: DeskUnderTest, kind: str) -> list[tuple[str, str]]:
    events = await desk.house.events("sla_clock", desk.desk_id)
    return [
        (event["type"].removesuffix(".v1"), event["occurred_at"].strftime("%H:%M"))
        for event in events
        if event["data"].get("clock", {}).get("kind") == kind
    ]


async def learn(desk: DeskUnderTest, ticket, producer: str, event, *, at: str) -> None:
    """Let sla-clock take in an event that another service announces late, as the next of its ticket."""
    position = await desk.house.fetch(
        "sla_clock",
        "SELECT coalesce(max(version), 0) AS version FROM inbox_position WHERE producer = $1 AND aggregate_id = $2",
        producer,
        UUID(ticket["ticket_id"]),
    )
    await (
        desk.house.runtime("sla_clock")
        .consumers[producer]
        .handle(
            Envelope(
                id=new_id(),
                producer=producer,
                type=event.type(),
                desk_id=desk.desk_id,
                aggregate_id=ticket["ticket_id"],
                aggregate_version=position[0]["version"] + 1,
                occurred_at=parse_instant(at),
                recorded_at=parse_instant(at),
                correlation_id=uuid4(),
                data=event.model_dump(mode="json"),
            )
        )
    )


async def test_models_are_what_the_migrations_made(house: House) -> None:
    def compare(connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, [RuntimeTable.metadata, METADATA]))

    dsn = house.settings["sla_clock"].system_database_url.get_secret_value()
    assert await run_with_connection(dsn, compare) == []


async def test_promises_are_told_in_order_and_dated_at_their_instants(desk, ticket):
    assert clock_of(ticket, "first_response")["due_at"] == "2026-05-04T14:00:00Z"
    moved = await desk.advance(to="2026-05-05T13:00:00Z")
    assert moved == {"desk_id": str(desk.desk_id), "clock_at": "2026-05-05T13:00:00Z", "fired": 6}
    # 1 h: half of it, 48 min of it, all of it
    assert await told(desk, "first_response") == [
        ("clock.started", "13:00"),
        ("clock.warned", "13:30"),
        ("clock.warned", "13:48"),
        ("clock.breached", "14:00"),
    ]
    read = await desk.ticket(ticket)
    assert clock_of(read, "resolution")["breached_at"] == "2026-05-04T17:00:00Z"


async def test_reply_stops_the_first_response(desk, ticket):
    await desk.advance(to="2026-05-04T13:45:00Z")
    await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "nota", "internal": True})
    await desk.settled()
    assert (await clocks_of(desk, ticket))["first_response.1"]["state"] == "running"
    await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "Lo miramos"})
    await desk.settled()
    clock = (await clocks_of(desk, ticket))["first_response.1"]
    assert (clock["state"], clock["stopped_at"]) == ("met", "2026-05-04T13:45:00Z")
    await desk.advance(to="2026-05-04T14:30:00Z")
    assert (await told(desk, "first_response"))[-1] == ("clock.stopped", "13:45")


async def test_late_reply_retracts_the_breach(desk, ticket):
    await desk.advance(to="2026-05-04T15:00:00Z")
    reply = TicketAnswered(activity="call", channel="phone", by="agent")
    await learn(desk, ticket, "tickets", reply, at="2026-05-04T13:20:00Z")
    clock = (await clocks_of(desk, ticket))["first_response.1"]
    assert (clock["state"], clock["breached_at"], clock["detected_at"]) == ("met", None, None)
    assert (await told(desk, "first_response"))[-3:] == [
        ("clock.breached", "14:00"),
        ("clock.breach_retracted", "13:20"),
        ("clock.stopped", "13:20"),
    ]


async def test_past_instants_can_be_asked_for(desk, ticket):
    await desk.advance(to="2026-05-04T18:00:00Z")
    clock = (await clocks_of(desk, ticket))["resolution.1"]
    at_noon = await desk.admin.ok("GET", f"/v1/clocks/{clock['clock_id']}?at=2026-05-04T16:59:59Z")
    assert (clock["state"], at_noon["state"]) == ("breached", "running")
    await desk.admin.refused(404, "GET", f"/v1/clocks/{clock['clock_id']}?at=2026-05-04T12:00:00Z")
    await desk.admin.refused(404, "GET", f"/v1/clocks/{uuid4()}")


async def test_change_of_severity_keeps_the_old_due_in_the_history(desk, ticket):
    await desk.advance(to="2026-05-04T13:10:00Z")
    await desk.admin.ok("PATCH", f"/v1/tickets/{ticket['ticket_id']}", json={"facts": {"impact": "degraded"}})
    await desk.settled()
    clock = (await clocks_of(desk, ticket))["first_response.1"]
    assert clock["due_at"] == "2026-05-04T17:00:00Z"  # severity 2: 4 h from the original start
    history = await desk.admin.ok("GET", f"/v1/clocks/{clock['clock_id']}/history")
    assert [(change["due_at"], change["because"]) for change in history["changes"]] == [
        ("2026-05-04T14:00:00Z", "started"),
        ("2026-05-04T17:00:00Z", "facts_changed"),
    ]


async def test_explanation_in_both_languages(desk, ticket):
    clock = (await clocks_of(desk, ticket))["first_response.1"]
    path = f"/v1/clocks/{clock['clock_id']}/explanation"
    told = await desk.admin.ok("GET", path)
    assert (told["counted_seconds"], told["language"]) == (3600, "es")
    assert [segment["kind"] for segment in told["segments"]] == ["counted"]
    assert told["reading"]["choice"]
    assert told["source"] == "ireo 2026-01, targets rule 2"
    spanish = await desk.admin.get(path, headers={"Accept": "text/plain"})
    assert "Primera respuesta (ciclo 1): en curso" in spanish.text
    assert "Cláusulas: IRE-04, IRE-06" in spanish.text
    english = await desk.admin.get(path, params={"language": "en"}, headers={"Accept": "text/plain"})
    assert "Time allowed: 1 h of business time" in english.text


async def test_requester_sees_its_own_clocks_only(desk, contract, ticket):
    mine = await desk.key("requester", customer_id=contract["customer_id"])
    other = await desk.customer("ireo", plan="vip")
    stranger = await desk.key("requester", customer_id=other["customer_id"])
    assert len((await mine.ok("GET", "/v1/clocks"))["items"]) == 2
    assert (await stranger.ok("GET", "/v1/clocks"))["items"] == []
    clock = (await clocks_of(desk, ticket))["first_response.1"]
    await stranger.refused(404, "GET", f"/v1/clocks/{clock['clock_id']}")


async def test_clocks_come_in_pages(desk, ticket):
    first = await desk.admin.ok("GET", "/v1/clocks?limit=1")
    second = await desk.admin.ok("GET", f"/v1/clocks?limit=1&cursor={first['next_cursor']}")
    assert {clock["kind"] for page in (first, second) for clock in page["items"]} == {"first_response", "resolution"}
    assert second["next_cursor"] is None
    assert (await desk.admin.ok("GET", "/v1/clocks?state=paused"))["items"] == []


async def test_requested_timers_fire_once(desk, ticket):
    soon, late, withdrawn, past, never = uuid4(), uuid4(), uuid4(), uuid4(), uuid4()
    start = parse_instant("2026-05-04T13:00:00Z")

    def request(timer_id, after, calendar=None, begin=start):
        return TimerRequested(
            ticket_id=ticket["ticket_id"], timer_id=timer_id, start=begin, after=after, calendar=calendar,
            context={"escalation_id": str(uuid4()), "position": 1},
        )  # fmt: skip

    await learn(desk, ticket, "escalation", request(soon, "30m"), at="2026-05-04T13:00:00Z")
    # 13:00–15:30 is what is left of the standard hours of Madrid: 1.5 h of 2.5 h, the rest tomorrow from 07:00
    await learn(desk, ticket, "escalation", request(late, "3h30m", "standard"), at="2026-05-04T13:00:00Z")
    await learn(desk, ticket, "escalation", request(withdrawn, "10m"), at="2026-05-04T13:00:00Z")
    await learn(
        desk, ticket, "escalation", TimerWithdrawn(ticket_id=ticket["ticket_id"], timer_id=withdrawn),
        at="2026-05-04T13:00:00Z",
    )  # fmt: skip
    # 42.5 h a week are 384,000 h to the year 2200, holidays included
    await learn(desk, ticket, "escalation", request(never, "400000h", "standard"), at="2026-05-04T13:00:00Z")
    early = parse_instant("2026-05-04T12:00:00Z")
    await learn(desk, ticket, "escalation", request(past, "15m", None, early), at="2026-05-04T13:00:00Z")
    fired = await desk.house.fetch("sla_clock", "SELECT timer_id, state, due_at FROM timer WHERE purpose = 'request'")
    states = {row["timer_id"]: (row["state"], row["due_at"]) for row in fired}
    assert states[past] == ("fired", parse_instant("2026-05-04T12:15:00Z"))
    assert states[withdrawn][0] == "withdrawn"
    assert never not in states
    assert states[soon] == ("armed", parse_instant("2026-05-04T13:30:00Z"))
    assert states[late] == ("armed", parse_instant("2026-05-05T08:00:00Z"))  # 2.5 h + 1 h from 07:00 UTC


async def test_late_wait_that_was_over_before_the_breach(desk, ticket):
    """IREO pauses for nothing: the facts are kept and change no clock."""
    await desk.advance(to="2026-05-04T14:10:00Z")
    before = await told(desk, "first_response")
    await learn(desk, ticket, "tickets", TicketWaitStarted(cause="customer", reason="x"), at="2026-05-04T13:10:00Z")
    await learn(desk, ticket, "tickets", TicketWaitEnded(cause="customer"), at="2026-05-04T13:40:00Z")
    assert await told(desk, "first_response") == before


async def test_a_target_that_is_never_due_is_not_published_nor_agreed(desk: DeskUnderTest, contract):
    text = policy_text("smartcloud").replace("hours: 24x7", 'hours: {mon: ["09:00-09:01"]}')
    odd = text.replace("resolution: 24h", "resolution: 900h", 1)
    problem = await desk.admin.refused(422, "POST", "/v1/policies", json={"document": odd})
    line = next(number for number, words in enumerate(odd.splitlines(), 1) if "resolution: 900h" in words)
    assert [(one["pointer"], one["line"]) for one in problem["errors"]] == [("/targets/1/resolution", line)]
    await desk.admin.ok("POST", "/v1/policies", json={"document": text})

    rule = {"resolution": "876000h", "calendar": "standard", "clause": "IRE-06"}
    agreed = {"agreed": {"reference": "Anexo B", "targets": [rule]}}
    problem = await desk.admin.refused(422, "PATCH", f"/v1/contracts/{contract['contract_id']}", json=agreed)
    assert [one["pointer"] for one in problem["errors"]] == ["/agreed/targets/0/resolution"]
