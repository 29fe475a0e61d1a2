"""The contacts that were announced to a version of this service that kept only administrators."""

import asyncio
import contextlib

import structlog

from escalation.repository.askers import forget_passed_over
from plazo.runtime.database import OUTAGE
from plazo.runtime.service import Runtime

log = structlog.get_logger(__name__)

_AGAIN_SECONDS = 1.0


async def recall_contacts(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Have those contacts announced again, once; as often as it takes where the database is away.

    Whoever subscribed to contacts is sent them again too, under the ids that they had.
    """
    while not stopping.is_set():
        try:
            if count := await forget_passed_over(runtime.database.system):
                log.info("contacts_asked_for_again", contacts=count)
            await stopping.wait()
        except OUTAGE as error:
            log.info("contacts_wait", error=str(error) or type(error).__name__)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), _AGAIN_SECONDS)
