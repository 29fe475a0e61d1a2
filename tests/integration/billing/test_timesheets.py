"""Timers and imports: the ways in which work reaches the books beside one by one."""

import asyncio
import contextlib
import json
import threading
from datetime import timedelta

import pytest

from billing.domain.work_lines import read_lines
from billing.repository import imports
from billing.schemas.timesheets import ImportCreate, TimerCreate, TimerStop
from billing.usecases import importing, timing
from billing.usecases.timing import TimerRunning, TimerStopped
from plazo.kernel.errors import InvalidInput, NotFound


async def a_ticket(ledgers):
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 10)
    return contract, await ledgers.open_ticket(contract)


class TestTimers:
    """An agent's timer on a ticket."""

    async def start(self, ledgers, ticket, *, agent="agent: Ana"):
        return await timing.start_timer(ledgers.uow(), body=TimerCreate(ticket_id=ticket.ticket_id), agent=agent)

    async def test_a_timer_becomes_work_by_the_started_minute(self, ledgers):
        contract, ticket = await a_ticket(ledgers)
        timer = await self.start(ledgers, ticket)
        ledgers.now += timedelta(minutes=60, seconds=1)

        stopped = await timing.stop_timer(
            ledgers.uow(), timer_id=timer.timer_id, body=TimerStop(description="looked into it")
        )

        assert (stopped.logged.work.minutes, stopped.logged.work.logged_by) == (61, "agent: Ana")
        assert stopped.timer.work_id == stopped.logged.work.work_id
        assert await ledgers.balances(contract) == {"main credit_unit": 8}
        with pytest.raises(TimerStopped):
            await timing.discard_timer(ledgers.uow(), timer_id=timer.timer_id)

    async def test_one_runs_at_a_time_for_an_agent_and_a_ticket(self, ledgers):
        _, ticket = await a_ticket(ledgers)
        first = await self.start(ledgers, ticket)
        await self.start(ledgers, ticket, agent="agent: Eva")

        with pytest.raises(TimerRunning):
            await self.start(ledgers, ticket)
        await timing.discard_timer(ledgers.uow(), timer_id=first.timer_id)
        await self.start(ledgers, ticket)
        with pytest.raises(NotFound):
            await timing.discard_timer(ledgers.uow(), timer_id=ticket.ticket_id)

    async def test_one_that_nobody_stopped_is_flagged_and_corrected(self, ledgers):
        _, ticket = await a_ticket(ledgers)
        timer = await self.start(ledgers, ticket)
        started_at = ledgers.now
        ledgers.now += timedelta(hours=12, minutes=1)

        page = await timing.list_timers(ledgers.uow(), ticket_id=None, state="running", cursor=None, limit=50)
        assert [(one.timer_id, one.forgotten) for one in page.items] == [(timer.timer_id, True)]
        with pytest.raises(InvalidInput):
            await timing.stop_timer(
                ledgers.uow(), timer_id=timer.timer_id, body=TimerStop(description="x", stopped_at=started_at)
            )
        body = TimerStop(description="until lunch", stopped_at=started_at + timedelta(hours=2))
        stopped = await timing.stop_timer(ledgers.uow(), timer_id=timer.timer_id, body=body)

        assert (stopped.logged.work.minutes, stopped.timer.forgotten) == (120, False)


async def run_import(ledgers, lines):
    body = ImportCreate(format="jsonl", content="\n".join(json.dumps(line) for line in lines))
    view = await importing.begin_import(ledgers.uow(), body=body, imported_by="integration: sheet")
    assert (view.state, view.logged, view.ended_at) == ("running", 0, None)
    await importing.log_lines(ledgers.uow, import_id=view.import_id)
    return await importing.read_import(ledgers.uow(), import_id=view.import_id)


async def test_an_import_logs_what_it_can_and_says_what_it_refused(ledgers):
    contract, ticket = await a_ticket(ledgers)

    def line(reference, **more):
        good = {"ticket": "T-1", "started_at": "2026-05-04T10:00:00Z", "minutes": 60, "description": "remote"}
        return {"reference": reference, **good, **more}

    lines = [
        line("A-1"),
        line("A-2", ticket=str(ticket.ticket_id)),
        line("A-1"),
        line("A-3", ticket="T-404"),
        line("A-4", minutes=0),
        line("A-5", started_at="2027-01-01T00:00:00Z"),
        line("A-6", facts={"location": "on_site"}),
        line(""),
        line("A-7", started_at="1970-01-02T00:00:00Z"),
    ]

    done = await run_import(ledgers, lines)

    assert (done.total, done.logged, done.known, done.refused) == (9, 2, 1, 6)
    assert (done.state, done.ended_at) == ("done", ledgers.now)
    assert [(one.line, one.code) for one in done.refusals] == [
        (4, "invalid-input"),
        (5, "invalid-input"),
        (6, "invalid-input"),
        (7, "quote-required"),
        (8, "invalid-input"),
        (9, "invalid-input"),
    ]
    assert done.refusals[-1].faults[0].startswith("/started_at: expected work under the contract, which is valid from")
    assert await ledgers.balances(contract) == {"main credit_unit": 8}

    again = await run_import(ledgers, lines[:3])  # sent once more

    assert (again.logged, again.known) == (0, 3)
    assert await ledgers.balances(contract) == {"main credit_unit": 8}


async def test_an_import_that_is_too_long_is_not_read_to_its_end_nor_by_the_loop(ledgers, monkeypatch):
    read = []

    def watch(*asked):
        for line in read_lines(*asked):
            read.append(threading.current_thread())
            yield line

    monkeypatch.setattr(importing, "read_lines", watch)
    body = ImportCreate(format="jsonl", content="{}\n" * 40_000)
    with pytest.raises(InvalidInput) as refused:
        await importing.begin_import(ledgers.uow(), body=body, imported_by="integration: sheet")
    assert refused.value.faults[0].message == "expected 1 to 10000 lines of work, got more"
    assert len(read) == importing.MOST_LINES + 1
    assert threading.main_thread() not in read


async def test_an_import_goes_on_where_a_process_died(ledgers):
    contract, _ = await a_ticket(ledgers)
    good = {"ticket": "T-1", "started_at": "2026-05-04T10:00:00Z", "minutes": 60, "description": "remote"}
    lines = [json.dumps({"reference": f"B-{number}", **good}) for number in range(3)]
    body = ImportCreate(format="jsonl", content="\n".join(lines))
    view = await importing.begin_import(ledgers.uow(), body=body, imported_by="integration: sheet")
    with contextlib.suppress(ConnectionError):
        async with ledgers.uow().begin() as tx:
            assert await imports.take_line(tx, view.import_id) is not None
            raise ConnectionError

    counts = await asyncio.gather(*(importing.log_lines(ledgers.uow, import_id=view.import_id) for _ in range(2)))

    done = await importing.read_import(ledgers.uow(), import_id=view.import_id)
    assert (done.state, done.logged, sum(counts)) == ("done", 3, 3)
    assert await ledgers.balances(contract) == {"main credit_unit": 7}
