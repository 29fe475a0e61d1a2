"""The loop that fires what is due in live desks, on the instant."""

import asyncio

import structlog
from prometheus_client import Gauge, Histogram

from plazo.runtime.database import OUTAGE
from plazo.runtime.service import Runtime
from sla_clock.repository.timers import BATCH
from sla_clock.usecases.alarm import ARMED, SWEEP
from sla_clock.usecases.fire_timers import fire_live_timers, look_ahead

log = structlog.get_logger(__name__)

_FINE = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 600, 3600)
DETECTION_LAG = Histogram(
    "plazo_timer_detection_seconds", "time from a due instant to the transaction that fires it", buckets=_FINE
)
PAST_DUE = Gauge("plazo_timers_past_due", "live timers past due and not fired, as of the last look")

# A timer past due that is not ours to take is being fired by another, or its ticket is being changed.
_BUSY_SECONDS = 0.005
_OUTAGE_SECONDS = 0.5


async def fire_when_due(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Fire timers as they fall due, until `stopping` is set."""
    while not stopping.is_set():
        await ARMED.wait(at_most=await fire_and_look(runtime))


async def fire_and_look(runtime: Runtime) -> float:
    """Fire a batch of what is due; return how many seconds there are to sleep."""
    work = runtime.system_work()
    try:
        fired = await fire_live_timers(work)
        now = runtime.clock.now()
        for due_at in fired:
            DETECTION_LAG.observe(max(0.0, (now - due_at).total_seconds()))
        if len(fired) == BATCH:
            return 0.0
        outlook = await look_ahead(work)
    except OUTAGE as error:
        log.info("timers_wait", error=str(error) or type(error).__name__)
        return _OUTAGE_SECONDS
    PAST_DUE.set(outlook.past_due)
    if outlook.next_due_at is None:
        return SWEEP.total_seconds()
    ahead = (outlook.next_due_at - runtime.clock.now()).total_seconds()
    return min(max(ahead, _BUSY_SECONDS), SWEEP.total_seconds())
