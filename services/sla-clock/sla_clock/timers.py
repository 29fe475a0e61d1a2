"""The loops beside the API: what is due in live desks is fired on the instant, recomputations are worked off."""

import asyncio
import contextlib
from datetime import datetime
from uuid import UUID

import structlog
from prometheus_client import Gauge, Histogram

from plazo.runtime.database import OUTAGE
from plazo.runtime.service import Runtime
from sla_clock.usecases.alarm import ARMED, ASKED, SWEEP
from sla_clock.usecases.fire_timers import count_past_due, fire_live_timers
from sla_clock.usecases.plan_ahead import plan_ahead
from sla_clock.usecases.work_off_recomputations import work_off

log = structlog.get_logger(__name__)

_FINE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, 3600)
DETECTION_LAG = Histogram(
    "plazo_timer_detection_seconds", "time from a due instant to the transaction that fires it", buckets=_FINE
)
PAST_DUE = Gauge("plazo_timers_past_due", "live timers past due and not fired, failed ones included")

_BUSY_SECONDS = 0.005
_OUTAGE_SECONDS = 0.5
_AUDIT_SECONDS = 1.0


async def fire_when_due(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Fire timers as they fall due, until `stopping` is set."""
    while not stopping.is_set():
        await ARMED.wait(at_most=await fire_and_look(runtime))


async def fire_and_look(runtime: Runtime) -> float:
    """Fire a batch of what is due; return how many seconds there are to sleep."""
    work = runtime.system_work()
    try:
        fired = await fire_live_timers(work)
    except OUTAGE as error:
        log.info("timers_wait", error=str(error) or type(error).__name__)
        return _OUTAGE_SECONDS
    now = runtime.clock.now()
    for due_at in fired.due_at:
        DETECTION_LAG.observe(max(0.0, (now - due_at).total_seconds()))
    if fired.is_more and fired.due_at:
        return 0.0
    if fired.is_more or fired.is_busy:
        return _BUSY_SECONDS
    if fired.next_due_at is None:
        return SWEEP.total_seconds()
    return min(max((fired.next_due_at - now).total_seconds(), 0.0), SWEEP.total_seconds())


async def plan_when_near(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Plan what will be due soon, until `stopping` is set."""
    work = runtime.system_work()
    passed_over: dict[UUID, datetime] = {}
    while not stopping.is_set():
        try:
            is_more = await plan_ahead(work, passed_over=passed_over)
        except OUTAGE as error:
            log.info("planning_waits", error=str(error) or type(error).__name__)
            is_more = False
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), 0 if is_more else SWEEP.total_seconds())


async def audit_timers(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Count what is past due and not fired, each second, whatever the loop that fires is doing."""
    work = runtime.system_work()
    while not stopping.is_set():
        try:
            PAST_DUE.set(await count_past_due(work))
        except OUTAGE as error:
            log.info("audit_waits", error=str(error) or type(error).__name__)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _AUDIT_SECONDS)


async def recompute_when_asked(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Work off recomputations, until `stopping` is set; what another process left is taken up too."""
    work = runtime.system_work()
    while not stopping.is_set():
        try:
            is_busy = await work_off(work)
        except OUTAGE as error:
            log.info("recomputations_wait", error=str(error) or type(error).__name__)
            is_busy = False
        if not is_busy:
            await ASKED.wait(at_most=SWEEP.total_seconds())
