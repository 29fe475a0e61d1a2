"""Timers of live desks: fired on the machine's time, by any number of replicas, each once."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg
import pytest
from harness import House, eventually
from prometheus_client import REGISTRY

from plazo.kernel.ids import new_id
from plazo.kernel.time import parse_instant
from plazo.runtime.unit_of_work import SystemWork
from sla_clock import timers as loops
from sla_clock.repository import timers
from sla_clock.usecases.fire_timers import count_past_due, fire_live_timers
from sla_clock.usecases.plan_ahead import plan_ahead

SECONDS = """
policy: seconds
version: "1"
effective_from: 2020-01-01
timezone: UTC
language: en
provider: {name: Test}
clauses: SMA
calendars: {elapsed: {hours: 24x7}}
targets:
  - {first_response: 1s, resolution: 100h, calendar: elapsed, warn_at: ["50%"], clause: SMA-10}
"""


async def test_live_promise_is_broken_on_the_instant(house: House):
    desk = await house.new_desk(sandbox=False)
    await desk.admin.ok("POST", "/v1/policies", json={"document": SECONDS})
    customer = await desk.admin.ok("POST", "/v1/customers", json={"name": "C", "email": "c@example.com"})
    contract = await desk.admin.ok(
        "POST",
        "/v1/contracts",
        json={
            "customer_id": customer["customer_id"], "policy": "seconds", "arrangement": "monthly",
            "valid_from": "2020-01-01",
        },
    )  # fmt: skip
    await desk.settled()
    await desk.open_ticket(contract)

    async def breached():
        return await house.events("sla_clock", desk.desk_id, "clock.breached.v1")

    (breach,) = await eventually(breached)
    lag = breach["recorded_at"] - breach["occurred_at"]
    assert timedelta() <= lag < timedelta(milliseconds=500), lag
    kinds = [event["type"] for event in await house.events("sla_clock", desk.desk_id)]
    assert kinds == ["clock.started.v1", "clock.started.v1", "clock.warned.v1", "clock.breached.v1"]


async def test_replicas_fire_each_timer_once(house: House):
    """A backlog, as after an outage: four replicas at once, in order, none twice."""
    work = house.runtime("sla_clock").system_work()
    before = await count_past_due(work)  # other tests may have left some that failed
    desk_id, count = (await house.new_desk(sandbox=False)).desk_id, 600  # more than a batch
    async with work.begin() as tx:
        await tx.connection.execute(
            "INSERT INTO ticket SELECT gen_random_uuid(), $1, n::text, $1, 'none', '1', NULL, NULL, true, now() "
            "FROM generate_series(1, $2::int) n",
            desk_id,
            count,
        )
        await tx.connection.execute(
            "INSERT INTO timer SELECT gen_random_uuid(), $1, ticket_id, 'request', "
            "now() - number::int * interval '1 s', true, 'armed', 'nobody', '{}' FROM ticket WHERE desk_id = $1",
            desk_id,
        )
    batches = [list(fired.due_at) for fired in await asyncio.gather(*(fire_live_timers(work) for _ in range(4)))]
    assert all(batch == sorted(batch) for batch in batches)
    assert all(len(batch) <= timers.BATCH for batch in batches)

    async def fired():
        return len(await house.events("sla_clock", desk_id, "timer.fired.v1")) >= count

    await eventually(fired)
    events = await house.events("sla_clock", desk_id, "timer.fired.v1")
    assert len({event["data"]["timer_id"] for event in events}) == len(events) == count
    assert await count_past_due(work) == before
    await house.settled(desk_id)


async def test_timer_that_cannot_be_fired_does_not_stand_before_the_others(house: House):
    work = house.runtime("sla_clock").system_work()
    desk_id, broken, whole = (await house.new_desk(sandbox=False)).desk_id, new_id(), new_id()
    async with work.begin() as tx:
        for ticket_id, purpose, requested_by in ((broken, "clocks", None), (whole, "request", "nobody")):
            await tx.connection.execute(
                "INSERT INTO ticket VALUES ($1, $2, 'n', $2, 'no such policy', '1', NULL, NULL, true, now())",
                ticket_id,
                desk_id,
            )
            await tx.connection.execute(
                "INSERT INTO timer VALUES ($1, $2, $1, $3, now() - interval '1 min', true, 'armed', $4, '{}')",
                ticket_id,
                desk_id,
                purpose,
                requested_by,
            )

    async def states():
        rows = await house.fetch("sla_clock", "SELECT timer_id, state FROM timer WHERE desk_id = $1", desk_id)
        found = {row["timer_id"]: row["state"] for row in rows}
        return found == {broken: "failed", whole: "fired"}

    await eventually(states)


def late_timers() -> float:
    """How many timers were fired more than a second late."""
    name = "plazo_timer_detection_seconds"
    in_time = REGISTRY.get_sample_value(f"{name}_bucket", {"le": "1.0"}) or 0.0
    return (REGISTRY.get_sample_value(f"{name}_count") or 0.0) - in_time


async def test_auditor_counts_what_is_past_due_and_the_histogram_how_late(house: House):
    """A timer whose ticket another holds cannot be fired: it is counted; once it has fired, so is how late it was."""
    work, timer_id = house.runtime("sla_clock").system_work(), new_id()
    desk_id = (await house.new_desk(sandbox=False)).desk_id
    before = await count_past_due(work)
    before_late = late_timers()
    other = await asyncpg.connect(house.settings["sla_clock"].system_database_url.get_secret_value())
    try:
        await other.execute(
            "INSERT INTO ticket VALUES ($1, $2, 'n', $2, 'none', '1', NULL, NULL, true, now())", timer_id, desk_id
        )
        async with other.transaction():
            await other.execute("SELECT FROM ticket WHERE ticket_id = $1 FOR UPDATE", timer_id)
            async with work.begin() as tx:
                await tx.connection.execute(
                    "INSERT INTO timer "
                    "VALUES ($1, $2, $1, 'request', now() - interval '2 s', true, 'armed', 'nobody', '{}')",
                    timer_id,
                    desk_id,
                )

            async def is_counted():
                return REGISTRY.get_sample_value("plazo_timers_past_due") == before + 1

            await eventually(is_counted)
    finally:
        await other.close()

    async def is_fired():
        return late_timers() > before_late

    await eventually(is_fired)
    assert await count_past_due(work) == before


class StandingClock:
    """A clock that stands still."""

    def __init__(self, instant: datetime) -> None:
        self._instant = instant

    def now(self) -> datetime:
        return self._instant


HOUR = """
policy: hour
version: "1"
effective_from: 2020-01-01
timezone: UTC
language: en
provider: {name: Hour}
clauses: SMA
calendars: {elapsed: {hours: 24x7}}
targets:
  - {first_response: 1h, calendar: elapsed, warn_at: ["50%"], clause: SMA-10}
"""


@pytest.mark.parametrize("table", ["timer", "ticket"])
async def test_a_timer_in_other_hands_holds_up_no_other(house: House, table: str):
    """Another replica is at it, or its ticket is being changed. The real loops do not see these, half an hour ahead."""
    work, held, free = house.runtime("sla_clock").system_work(), new_id(), new_id()
    later = replace(work, clock=StandingClock(work.clock.now() + timedelta(minutes=40)))
    desk_id = (await house.new_desk(sandbox=False)).desk_id
    async with work.begin() as tx:
        for timer_id in (held, free):
            await tx.connection.execute(
                "INSERT INTO ticket VALUES ($1, $2, 'n', $2, 'none', '1', NULL, NULL, true, now())", timer_id, desk_id
            )
            await tx.connection.execute(
                "INSERT INTO timer "
                "VALUES ($1, $2, $1, 'request', now() + interval '30 min', true, 'armed', 'nobody', '{}')",
                timer_id,
                desk_id,
            )

    async def fired() -> set[UUID]:
        async with asyncio.timeout(5):  # less than anybody waits for a lock
            while (await fire_live_timers(later)).is_more:
                pass
        rows = await house.fetch("sla_clock", "SELECT timer_id, state FROM timer WHERE desk_id = $1", desk_id)
        return {row["timer_id"] for row in rows if row["state"] == "fired"}

    other = await asyncpg.connect(house.settings["sla_clock"].system_database_url.get_secret_value())
    try:
        async with other.transaction():
            await other.execute(f"SELECT FROM {table} WHERE {table}_id = $1 FOR UPDATE", held)
            assert await fired() == {free}
    finally:
        await other.close()
    assert await fired() == {held, free}
    assert len(await house.events("sla_clock", desk_id, "timer.fired.v1")) == 2


async def live_tickets(house: House, count: int):
    desk = await house.new_desk(sandbox=False)
    await desk.admin.ok("POST", "/v1/policies", json={"document": HOUR})
    contract = await desk.customer("hour", arrangement="monthly")
    return desk, [await desk.open_ticket(contract) for _ in range(count)]


def work_at(house: House, ticket, *, minutes: int, seconds: int = 0) -> SystemWork:
    """What the loops work with, as if it were so long after a ticket's opening."""
    instant = parse_instant(ticket["opened_at"]) + timedelta(minutes=minutes, seconds=seconds)
    return replace(house.runtime("sla_clock").system_work(), clock=StandingClock(instant))


async def plan_all(house: House, ticket, *, minutes: int):
    """Plan as the loop does ten minutes before."""
    passed_over: dict[UUID, datetime] = {}
    while await plan_ahead(work_at(house, ticket, minutes=minutes - 10), passed_over=passed_over):
        pass
    return passed_over


async def fire_at(house: House, ticket, *, minutes: int, seconds: int):
    await fire_live_timers(work_at(house, ticket, minutes=minutes, seconds=seconds))


async def plan_of(house: House, ticket):
    (row,) = await house.fetch("sla_clock", "SELECT plan FROM timer WHERE ticket_id = $1", UUID(ticket["ticket_id"]))
    return row["plan"]


async def forget_plan(house: House, ticket):
    await house.fetch("sla_clock", "UPDATE timer SET plan = NULL WHERE ticket_id = $1", UUID(ticket["ticket_id"]))


async def announced(house: House, desk, ticket, type_: str):
    """What was announced about a ticket, without what tells two tickets apart."""
    opened_at = parse_instant(ticket["opened_at"])
    events = await house.events("sla_clock", desk.desk_id, type_)
    (event,) = [event for event in events if str(event["aggregate_id"]) == ticket["ticket_id"]]
    data = event["data"]
    clock = {name: value for name, value in data["clock"].items() if name not in {"clock_id", "started_at", "due_at"}}
    clock["breached_at"] = clock["breached_at"] and parse_instant(clock["breached_at"]) - opened_at
    detected = "detected_at" in data and parse_instant(data["detected_at"]) == event["recorded_at"]
    after = event["occurred_at"] - opened_at
    return event["aggregate_version"], after, clock, data.get("threshold"), sorted(data), detected


async def clock_row(house: House, ticket):
    (row,) = await house.fetch("sla_clock", "SELECT * FROM clock WHERE ticket_id = $1", UUID(ticket["ticket_id"]))
    apart = {"clock_id", "ticket_id", "started_at", "due_at", "breached_at", "detected_at"}
    alike = {name: value for name, value in row.items() if name not in apart}
    return alike | {"detected": row["detected_at"] >= row["breached_at"]}


class TestPlans:
    """What will happen is written beforehand; the real loops do not see these timers, half an hour ahead and more."""

    async def test_what_was_planned_is_what_the_fold_says(self, house: House):
        desk, (planned, folded) = await live_tickets(house, 2)
        for minutes, type_ in ((30, "clock.warned.v1"), (60, "clock.breached.v1")):
            await plan_all(house, planned, minutes=minutes)
            await forget_plan(house, folded)
            assert await plan_of(house, planned) is not None
            await fire_at(house, planned, minutes=minutes, seconds=20)
            assert await announced(house, desk, planned, type_) == await announced(house, desk, folded, type_)
        assert await clock_row(house, planned) == await clock_row(house, folded)
        assert (await clock_row(house, planned))["state"] == "breached"
        timers_left = await house.fetch("sla_clock", "SELECT state, plan FROM timer WHERE desk_id = $1", desk.desk_id)
        assert [(row["state"], row["plan"]) for row in timers_left] == [("fired", None)] * 2

    async def test_whatever_happens_removes_the_plan(self, house: House):
        desk, (ticket,) = await live_tickets(house, 1)
        await plan_all(house, ticket, minutes=30)
        assert await plan_of(house, ticket) is not None
        await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "Lo vemos"})
        await desk.settled()
        assert await plan_of(house, ticket) is None
        await fire_at(house, ticket, minutes=61, seconds=0)
        types = {event["type"] for event in await house.events("sla_clock", desk.desk_id)}
        assert types == {"clock.started.v1", "clock.stopped.v1"}

    async def test_ticket_that_cannot_be_folded_is_passed_over_alone(self, house: House):
        _, (lost, after) = await live_tickets(house, 2)
        await house.fetch(
            "sla_clock", "UPDATE ticket SET policy_version = 'lost' WHERE ticket_id = $1", UUID(lost["ticket_id"])
        )
        passed_over = await plan_all(house, after, minutes=30)
        assert UUID(lost["ticket_id"]) in passed_over
        assert await plan_of(house, lost) is None
        assert await plan_of(house, after) is not None
        assert await plan_ahead(work_at(house, after, minutes=20), passed_over=passed_over) is False
        await plan_ahead(work_at(house, after, minutes=31), passed_over=passed_over)
        assert UUID(lost["ticket_id"]) not in passed_over  # its instant is over

    async def test_several_replicas_carry_out_each_plan_once(self, house: House):
        desk, tickets = await live_tickets(house, 12)
        await plan_all(house, tickets[0], minutes=30)
        await asyncio.gather(*(fire_at(house, tickets[-1], minutes=30, seconds=1) for _ in range(4)))
        warned = await house.events("sla_clock", desk.desk_id, "clock.warned.v1")
        assert len({event["aggregate_id"] for event in warned}) == len(warned) == len(tickets)

    async def test_no_promise_is_broken_by_terms_that_do_not_hold_any_more(
        self, house: House, monkeypatch: pytest.MonkeyPatch
    ):
        """A recomputation was asked for, and has not come to a ticket when that falls due by the old terms."""
        desk, (ticket, other) = await live_tickets(house, 2)
        await plan_all(house, ticket, minutes=60)
        await desk.admin.ok("POST", "/v1/policies", json={"document": HOUR.replace('"1"', '"2"').replace("1h", "10h")})
        await desk.settled()

        async def rest(_work: SystemWork) -> bool:
            return False

        with monkeypatch.context() as patched:
            patched.setattr(loops, "work_off", rest)
            body = {"policy": "hour", "to_version": "2", "reason": "diez horas"}
            asked = await desk.admin.ok("POST", "/v1/recomputations", json=body)
            assert (asked["total"], asked["is_named"]) == (0, False)
            await fire_at(house, other, minutes=61, seconds=0)
            clock = await clock_of_ticket(house, ticket)
            assert (clock["state"], clock["target"]) == ("running", "10h")
        path = f"/v1/recomputations/{asked['recomputation_id']}"

        async def is_done():
            view = await desk.admin.ok("GET", path)
            return view if view["state"] == "done" else None

        done = await eventually(is_done)
        assert (done["total"], done["done"], done["changed"], done["skipped"]) == (2, 2, 2, 0)
        assert await house.events("sla_clock", desk.desk_id, "clock.breached.v1") == []


async def clock_of_ticket(house: House, ticket):
    (row,) = await house.fetch("sla_clock", "SELECT * FROM clock WHERE ticket_id = $1", UUID(ticket["ticket_id"]))
    return row
