"""The loops beside the API: what was written to the ledger is sealed soon after, and imports go on."""

import asyncio
import contextlib

import structlog

from billing.repository.contacts import forget_passed_over
from billing.usecases import importing
from billing.usecases.sealing import seal_behind_writers
from plazo.runtime.database import OUTAGE
from plazo.runtime.service import Runtime
from plazo.runtime.wake import Wake

log = structlog.get_logger(__name__)

# What is written within this time goes under one seal.
_BATCH_SECONDS = 1.0
# What another process wrote before it died is found by then.
_SWEEP_SECONDS = 30.0


async def seal_when_written(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Seal behind whoever writes in this process, until `stopping` is set. Any number of processes do so at once."""
    written = runtime.outbox_wake.also()
    while not stopping.is_set():
        try:
            await seal_behind_writers(
                runtime.system_work(), lambda desk_id: runtime.unit_of_work(desk_id=desk_id, now=runtime.clock.now())
            )
        except OUTAGE as error:
            log.info("seals_wait", error=str(error) or type(error).__name__)
        await _listen(written, stopping)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), _BATCH_SECONDS)


async def log_imports(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Log the lines of imports that wait, until `stopping` is set. Any number of processes do so at once."""
    begun = importing.BELL.also()
    while not stopping.is_set():
        try:
            if await importing.log_waiting(runtime):
                continue
        except OUTAGE as error:
            log.info("imports_wait", error=str(error) or type(error).__name__)
        await _listen(begun, stopping)


async def recall_contacts(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Have the contacts announced again that were announced to a version of this service that kept none."""
    while not stopping.is_set():
        try:
            if count := await forget_passed_over(runtime.database.system):
                log.info("contacts_asked_for_again", contacts=count)
            await stopping.wait()
        except OUTAGE as error:
            log.info("contacts_wait", error=str(error) or type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _BATCH_SECONDS)


async def _listen(written: Wake, stopping: asyncio.Event) -> None:
    tasks = [asyncio.create_task(written.wait(at_most=_SWEEP_SECONDS)), asyncio.create_task(stopping.wait())]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
