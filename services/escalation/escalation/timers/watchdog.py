"""The watchdog: proves that nothing due is untaken. It takes no step itself; time is sla-clock's."""

import asyncio
import contextlib
from datetime import timedelta

from prometheus_client import Gauge

from escalation.repository.escalations import count_overdue_steps
from plazo.runtime.database import OUTAGE
from plazo.runtime.service import Runtime

OVERDUE = Gauge("plazo_escalation_overdue_steps", "Steps whose time came over a minute ago and that were not taken")

_GRACE = timedelta(minutes=1)
_EVERY_SECONDS = 15.0


async def watch_steps(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Keep the gauge of overdue steps until `stopping` is set; without a database it keeps its last value."""
    while not stopping.is_set():
        with contextlib.suppress(*OUTAGE):
            await look(runtime)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_EVERY_SECONDS):
                await stopping.wait()


async def look(runtime: Runtime) -> None:
    """Count what is overdue now."""
    async with runtime.database.system.acquire() as connection:
        OVERDUE.set(await count_overdue_steps(connection, now=runtime.clock.now(), grace=_GRACE))
