"""Open tickets counted by another version of their policy: tried, done, undone, resumed."""

from uuid import UUID

import pytest
from harness import DeskUnderTest, clock_of, eventually

from plazo.kernel.time import parse_instant
from sla_clock import timers
from sla_clock.repository import recomputations, tickets
from sla_clock.usecases import work_off_recomputations

HOURS = """
policy: hours
version: "{version}"
effective_from: 2020-01-01
timezone: UTC
language: es
provider: {{name: Test}}
clauses: IRE
calendars: {{office: {{hours: {{mon-fri: ["09:00-17:00"]}}, holidays: [{holidays}]}}}}
targets:
  - {{first_response: {target}, resolution: 10h, calendar: office, warn_at: ["50%"], clause: IRE-04}}
"""


def hours(version: str, *, holidays: str = "", target: str = "4h") -> dict:
    return {"document": HOURS.format(version=version, holidays=holidays, target=target)}


@pytest.fixture
async def office(desk: DeskUnderTest) -> dict:
    """A contract on office hours; the desk stands on Monday 4 May 2026 at 13:00 UTC."""
    await desk.admin.ok("POST", "/v1/policies", json=hours("1"))
    return await desk.customer("hours")


async def recompute(desk: DeskUnderTest, **body) -> dict:
    return await desk.admin.ok("POST", "/v1/recomputations", json={"policy": "hours", "reason": "festivo", **body})


async def finished(desk: DeskUnderTest, started: dict, state: str = "done") -> dict:
    path = f"/v1/recomputations/{started['recomputation_id']}"

    async def is_finished():
        view = await desk.admin.ok("GET", path)
        return view if view["state"] == state else None

    view = await eventually(is_finished)
    await desk.settled()
    return view


async def test_a_holiday_is_added_tried_done_and_undone(desk: DeskUnderTest, office: dict) -> None:
    ticket = await desk.open_ticket(office)
    # 13:00 + 4 h = 17:00; 10 h: 4 h on Monday, 6 h on Tuesday from 09:00
    assert clock_of(ticket, "resolution")["due_at"] == "2026-05-05T15:00:00Z"
    await desk.admin.ok("POST", "/v1/policies", json=hours("2", holidays="2026-05-05"))
    await desk.settled()

    tried = await desk.admin.request(
        "POST", "/v1/recomputations",
        json={"policy": "hours", "from_version": "1", "to_version": "2", "reason": "festivo", "dry_run": True},
    )  # fmt: skip
    assert tried.status_code == 200
    page = tried.json()
    assert (page["total"], page["next_cursor"], page["dry_run"]) == (1, None, True)
    changes = {one["kind"]: one for one in page["items"]}
    assert not changes["first_response"]["changed"]
    assert changes["resolution"]["changed"]
    assert (changes["resolution"]["before"]["due_at"], changes["resolution"]["after"]["due_at"]) == (
        "2026-05-05T15:00:00Z", "2026-05-06T15:00:00Z",
    )  # fmt: skip
    assert changes["resolution"]["after"]["policy_version"] == "2"
    assert clock_of(await desk.ticket(ticket), "resolution")["due_at"] == "2026-05-05T15:00:00Z"

    started = await recompute(desk, from_version="1", to_version="2")
    done = await finished(desk, started)
    assert (done["total"], done["done"], done["changed"], done["skipped"]) == (1, 1, 1, 0)
    clock = clock_of(await desk.ticket(ticket), "resolution")
    assert clock["due_at"] == "2026-05-06T15:00:00Z"
    (kept,) = (await desk.admin.ok("GET", f"/v1/recomputations/{started['recomputation_id']}/clocks"))["items"]
    assert kept == changes["resolution"]
    history = await desk.admin.ok("GET", f"/v1/clocks/{clock['clock_id']}/history")
    assert [(one["due_at"], one["because"]) for one in history["changes"]] == [
        ("2026-05-05T15:00:00Z", "started"),
        ("2026-05-06T15:00:00Z", "terms_changed"),
    ]
    told = await desk.admin.ok("GET", f"/v1/clocks/{clock['clock_id']}/explanation")
    assert told["source"] == "hours 2, targets rule 1"
    assert "cambian las condiciones del contrato" in told["text"]
    events = await desk.house.events("sla_clock", desk.desk_id, "clock.rescheduled.v1")
    assert [(event["data"]["because"], event["data"]["clock"]["kind"]) for event in events] == [
        ("terms_changed", "resolution")
    ]

    undone = await desk.admin.ok("POST", f"/v1/recomputations/{started['recomputation_id']}/undo")
    assert undone["state"] in {"undoing", "undone"}
    await finished(desk, started, "undone")
    assert clock_of(await desk.ticket(ticket), "resolution")["due_at"] == "2026-05-05T15:00:00Z"
    path = f"/v1/recomputations/{started['recomputation_id']}/undo"
    problem = await desk.admin.refused(409, "POST", path)
    assert problem["type"] == "urn:plazo:problem:recomputation-not-undoable"


async def test_shorter_target_breaks_and_its_undoing_retracts(desk: DeskUnderTest, office: dict) -> None:
    ticket = await desk.open_ticket(office)
    await desk.advance(to="2026-05-04T15:00:00Z")
    await desk.admin.ok("POST", "/v1/policies", json=hours("2", target="1h"))
    await desk.settled()
    started = await recompute(desk, to_version="2", tickets=[ticket["ticket_id"]])
    await finished(desk, started)
    clock = clock_of(await desk.ticket(ticket), "first_response")
    assert (clock["state"], clock["breached_at"]) == ("breached", "2026-05-04T14:00:00Z")  # 13:00 + 1 h
    await desk.admin.ok("POST", f"/v1/recomputations/{started['recomputation_id']}/undo")
    await finished(desk, started, "undone")
    clock = clock_of(await desk.ticket(ticket), "first_response")
    assert (clock["state"], clock["due_at"]) == ("running", "2026-05-04T17:00:00Z")
    kinds = [event["type"] for event in await desk.house.events("sla_clock", desk.desk_id)]
    assert kinds.count("clock.breached.v1") == kinds.count("clock.breach_retracted.v1") == 1


async def test_closed_tickets_and_ended_promises_stay(desk: DeskUnderTest, office: dict) -> None:
    closed, answered = await desk.open_ticket(office), await desk.open_ticket(office)
    for ticket in (closed, answered):
        await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "Lo miramos"})
    path = f"/v1/tickets/{closed['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Corregido"})
    await desk.admin.ok("POST", f"{path}/closings", json={"reason": "confirmed"})
    await desk.admin.ok("POST", "/v1/policies", json=hours("2", holidays="2026-05-05", target="1h"))
    await desk.settled()
    done = await finished(desk, await recompute(desk, to_version="2"))
    assert (done["total"], done["changed"]) == (1, 1)
    first = clock_of(await desk.ticket(answered), "first_response")
    assert (first["state"], first["target"], first["due_at"]) == ("met", "4h", "2026-05-04T17:00:00Z")
    assert clock_of(await desk.ticket(answered), "resolution")["due_at"] == "2026-05-06T15:00:00Z"
    assert clock_of(await desk.ticket(closed), "resolution")["due_at"] == "2026-05-05T15:00:00Z"
    body = {"policy": "hours", "to_version": "2", "tickets": [closed["ticket_id"]], "reason": "festivo"}
    problem = await desk.admin.refused(422, "POST", "/v1/recomputations", json=body)
    assert problem["errors"][0]["pointer"] == "/tickets/0"


async def test_what_happens_afterwards_is_counted_by_the_new_terms(desk: DeskUnderTest, office: dict) -> None:
    ticket = await desk.open_ticket(office)
    await desk.admin.ok("POST", "/v1/policies", json=hours("2", holidays="2026-05-05"))
    await desk.settled()
    await finished(desk, await recompute(desk, to_version="2"))
    path = f"/v1/tickets/{ticket['ticket_id']}"
    await desk.admin.ok("POST", f"{path}/resolutions", json={"text": "Corregido"})
    await desk.admin.ok("POST", f"{path}/reopenings", json={"reason": "sigue igual"})
    await desk.settled()
    assert clock_of(await desk.ticket(ticket), "resolution", 2)["due_at"] == "2026-05-06T15:00:00Z"


async def test_recomputation_is_part_of_the_instant_at_which_it_was_asked_for(
    desk: DeskUnderTest, office: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The clock moves on only when all is recomputed, so that nothing is broken by terms that do not hold any more."""

    async def rest(_work) -> bool:
        return False

    monkeypatch.setattr(timers, "work_off", rest)  # the loop in the background is slow
    for _ in range(3):
        await desk.open_ticket(office)
    await desk.admin.ok("POST", "/v1/policies", json=hours("2", target="8h"))
    await desk.settled()
    await recompute(desk, to_version="2")
    await desk.advance(to="2026-05-04T18:00:00Z")
    assert await desk.house.events("sla_clock", desk.desk_id, "clock.breached.v1") == []


async def test_bad_requests_name_every_fault(desk: DeskUnderTest, office: dict) -> None:
    body = {"policy": "hours", "from_version": "7", "to_version": "8", "reason": "x", "tickets": [str(desk.desk_id)]}
    problem = await desk.admin.refused(422, "POST", "/v1/recomputations", json=body)
    assert [fault["pointer"] for fault in problem["errors"]] == ["/from_version", "/to_version", "/tickets/0"]
    same = {"policy": "hours", "from_version": "1", "to_version": "1", "reason": "x"}
    await desk.admin.refused(422, "POST", "/v1/recomputations", json=same)
    await desk.admin.refused(404, "GET", f"/v1/recomputations/{desk.desk_id}")
    agent = await desk.key("agent")
    await agent.refused(403, "POST", "/v1/recomputations", json={**same, "from_version": None})
    assert (await agent.ok("GET", "/v1/recomputations"))["items"] == []


async def test_interrupted_recomputation_goes_on_where_it_stopped(
    desk: DeskUnderTest, office: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process dies in the second batch: what it had committed stays, the rest is done by whoever comes next."""
    opened = [await desk.open_ticket(office) for _ in range(5)]
    await desk.admin.ok("POST", "/v1/policies", json=hours("2", holidays="2026-05-05"))
    await desk.settled()
    runtime = desk.house.runtime("sla_clock")
    monkeypatch.setattr(work_off_recomputations, "BATCH", 2)
    work = runtime.system_work()
    async with work.begin() as tx:
        # as the request writes it, without the bell
        asked = recomputations.Recomputation(
            desk.desk_id, desk.desk_id, "hours", None, "2", "festivo", "test", parse_instant("2026-05-04T13:00:00Z"),
            "running",
        )  # fmt: skip
        ids = [UUID(ticket["ticket_id"]) for ticket in opened]
        assert await recomputations.insert_recomputation(
            tx.connection, asked, recomputations.Named("hours", "2", None, ids)
        )

    async def die_before_the_commit() -> None:
        async with work.begin() as tx:
            assert await recomputations.take_unfinished(tx.connection, desk_id=desk.desk_id)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await die_before_the_commit()
    while await work_off_recomputations.work_off(work, desk_id=desk.desk_id):
        pass
    view = await desk.admin.ok("GET", f"/v1/recomputations/{desk.desk_id}")
    assert (view["state"], view["total"], view["done"], view["changed"]) == ("done", 5, 5, 5)
    await desk.settled()
    changed = await desk.house.events("sla_clock", desk.desk_id, "clock.rescheduled.v1")
    assert len(changed) == 5
    async with work.begin() as tx:
        facts = await tickets.load_facts(tx.connection, ids)
    assert all(len([one for one in of_ticket if one.part]) == 1 for of_ticket in facts.values())


async def test_ticket_that_cannot_be_recomputed_is_set_aside_alone(desk: DeskUnderTest, office: dict) -> None:
    whole, broken = await desk.open_ticket(office), await desk.open_ticket(office)
    await desk.admin.ok("POST", "/v1/policies", json=hours("2", holidays="2026-05-05"))
    await desk.settled()
    await desk.house.runtime("sla_clock").database.system.execute(
        "UPDATE ticket SET policy_version = 'lost' WHERE ticket_id = $1", UUID(broken["ticket_id"])
    )
    done = await finished(desk, await recompute(desk, to_version="2"))
    assert (done["total"], done["done"], done["changed"], done["failed"]) == (2, 2, 1, 1)
    assert clock_of(await desk.ticket(whole), "resolution")["due_at"] == "2026-05-06T15:00:00Z"
