"""Part `recompute`: a holiday is added while a million clocks are open.

The service is measured for as long as fits the time, and its rate told; the whole is an estimate from that.
"""

import asyncio
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

from bench.bare_clocks import BareClocks
from bench.figures import Bar, Chart, Goal, Report, Spread, Table, show, times
from bench.mass import Press, at_once, register_one
from bench.stage import Stage, open_stage
from plazo.calendar import compile_calendar
from plazo.kernel.time import DAY, HOUR, to_micros
from plazo.policy import calendar_of
from plazo.policy.load import load_policy
from sla_clock.schemas.recomputation import RecomputationInput
from sla_clock.usecases.fire_timers import fire_live_timers
from sla_clock.usecases.recompute_tickets import start_recomputation
from sla_clock.usecases.work_off_recomputations import BATCH, work_off

OPEN = 1_000_000
_TARGET_HOURS = 200  # five weeks and a half of these hours
_SECONDS = 20.0
_SOME = 20_000
_WORKED_AT_ONCE = 41  # the naming of ten thousand, and their recomputation
_POLICY = """
policy: bench
version: "{version}"
effective_from: 2020-01-01
timezone: Europe/Madrid
language: en
provider: {{name: Bench}}
clauses: SMA
calendars:
  office:
    hours: {{mon-thu: ["09:00-17:30"], fri: ["09:00-14:00"]}}
    holidays: [{holidays}]
targets:
  - {{resolution: {hours}h, calendar: office, clause: SMA-10}}
"""
Say = Callable[[str], None]


def run(say: Say) -> Report:
    """Measure a recomputation; about two minutes."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user where we are root
        return asyncio.run(_measure_in(Path(folder), say))


async def _measure_in(folder: Path, say: Say) -> Report:
    now = datetime.now(UTC)
    before, after = _policy("1", now, holiday_in=None), _policy("2", now, holiday_in=28)
    async with open_stage(folder, policies=(before, after)) as stage:
        old, new = (compile_calendar(calendar_of(load_policy(text), "office")) for text in (before, after))
        opened = np.sort(to_micros(now) - np.random.default_rng(1).integers(0, 30 * DAY, OPEN))
        due = old.due_batch(opened, _TARGET_HOURS * HOUR)
        moved = float(np.mean(new.due_batch(opened, _TARGET_HOURS * HOUR) != due))
        say(f"{OPEN:,} open clocks: loading")
        press = await Press.of(stage, await register_one(stage, opened_at=now))
        await press.strike(stage.admin, due, opened=opened)
        bare = BareClocks(stage.bare)
        await bare.load(opened, due)
        await stage.settle_disk()
        say("one by one, and all at once, on the bare table")
        slow, fast = [], []
        for calendar in (new, old, new):
            slow.append(await bare.update_one_by_one(calendar, _TARGET_HOURS * HOUR, count=_SOME) / _SOME * 1e6)
            fast.append(await bare.rewrite_changed(calendar, _TARGET_HOURS * HOUR) / OPEN * 1e6)
        say("the service")
        asked, first, rates, processor = await _recompute(stage, press)
    return _report(moved, asked, first, rates, processor, slow=slow, fast=fast)


def _policy(version: str, now: datetime, *, holiday_in: int | None) -> str:
    """Write the policy; the holiday is a working day about that many days ahead."""
    day = now.date() + timedelta(days=holiday_in or 0)
    while day.weekday() >= 5:
        day += timedelta(days=1)
    return _POLICY.format(version=version, hours=_TARGET_HOURS, holidays=day.isoformat() if holiday_in else "")


async def _recompute(stage: Stage, press: Press) -> tuple[float, float, list[float], float]:
    """Return the seconds until the request was answered, those that a ticket takes which falls due right then and is
    recomputed out of its turn, µs a clock by round, and of it the processor time of the process.
    """
    work = stage.system_work()
    await press.strike(stage.admin, at_once(1, at=datetime.now(UTC)))
    start, used = perf_counter(), process_time()
    body = RecomputationInput(policy="bench", from_version="1", to_version="2", reason="a holiday was added")
    await start_recomputation(stage.unit_of_work(), body=body, requested_by="bench")
    asked = perf_counter() - start
    start = perf_counter()
    assert len((await fire_live_timers(work)).due_at) == 1
    first = perf_counter() - start
    rates: list[float] = []
    used, batches = process_time(), 0
    while perf_counter() - start < _SECONDS:
        begin = perf_counter()
        for _ in range(_WORKED_AT_ONCE):
            assert await work_off(work)
        rates.append((perf_counter() - begin) / (_WORKED_AT_ONCE * BATCH) * 1e6)
        batches += _WORKED_AT_ONCE
    return asked, first, rates, (process_time() - used) / (batches * BATCH) * 1e6


def _report(
    moved: float, asked: float, first: float, rates: list[float], processor: float, *,
    slow: list[float], fast: list[float],
) -> Report:  # fmt: skip
    service, one_by_one, at_once = Spread.of(rates), Spread.of(slow), Spread.of(fast)
    right = asked + first
    whole = asked + service.middle * OPEN / 1e6
    lead = Spread.of([one / service.middle for one in slow])
    goals = (
        Goal(
            "G10",
            "first breach decision right, from the request on",
            f"{show(1e3 * right)} ms",
            "<= 100 ms",
            right <= 0.1,
        ),
        Goal("G10", "all rewritten (estimate from the rate)", f"{show(whole)} s", "<= 6 s", whole <= 6),
        Goal("G10", "against a cursor and executemany on a bare table", times(lead), ">= 5x", lead.middle >= 5),
    )
    rows = (
        ("the service: fold, save, history, event, timer", str(service)),
        ("of that, processor time of the process", show(processor)),
        ("bare table: cursor, one sum each, executemany", str(one_by_one)),
        ("bare table: one batch, rewrite what changes", str(at_once)),
    )
    bars = tuple(
        Bar(label, value, is_ours)
        for label, value, is_ours in (
            ("service", service, True),
            ("cursor, executemany", one_by_one, False),
            ("one batch, what changes", at_once, False),
        )
    )
    title = f"{OPEN:,} open clocks, {moved:.0%} of them moved by the holiday; the request takes {show(1e3 * asked)} ms"
    return Report(
        part="recompute",
        goals=goals,
        tables=(Table(f"{title}. µs a clock", ("way", "µs"), rows),),
        charts=(Chart("recompute", "A holiday is added", "µs a clock", (("all clocks open", bars),)),),
    )
