"""The delivery of messages: woken by the commit that wrote one, by the instant of a retry, and swept for safety."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import replace

from prometheus_client import Counter

from escalation.domain.delivery import Outcome, Reply
from escalation.repository.delivery import Dispatch
from escalation.timers.smtp import CapturedPost, Post, SmtpPost
from escalation.usecases import delivering
from escalation.usecases.linking import acknowledge_path
from plazo.runtime.database import OUTAGE
from plazo.runtime.service import Runtime
from plazo.runtime.settings import Settings
from plazo.runtime.unit_of_work import SystemWork

ATTEMPTS = Counter(
    "plazo_escalation_message_attempts_total", "Attempts to send a message, by what they came to", ["outcome"]
)

_LANES = 4
_SWEEP_SECONDS = 5.0
# Many commits in a row are one look.
_GATHER_SECONDS = 0.05
# A mail server that is away is not asked by every message in turn.
_REST_SECONDS = 5.0


async def deliver_messages(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Deliver what is due until `stopping` is set; without a database it waits for one."""
    bell = runtime.outbox_wake.also()
    lanes = [Lane(runtime.system_work(), make_post(runtime.settings), runtime.settings) for _ in range(_LANES)]
    stop = asyncio.create_task(_ring_when(stopping, bell.set))
    try:
        while not stopping.is_set():
            seconds = 1.0
            with contextlib.suppress(*OUTAGE):
                await deliver_due(lanes, stopping)
                seconds = await _seconds_to_next(runtime)
            await bell.wait(at_most=seconds)
            await asyncio.sleep(_GATHER_SECONDS)
    finally:
        stop.cancel()
        await asyncio.gather(*(lane.post.close() for lane in lanes))


async def _ring_when(stopping: asyncio.Event, ring: Callable[[], None]) -> None:
    await stopping.wait()
    ring()


async def _seconds_to_next(runtime: Runtime) -> float:
    due = await delivering.next_due(runtime.system_work())
    if due is None:
        return _SWEEP_SECONDS
    return min(max((due - runtime.clock.now()).total_seconds(), _REST_SECONDS / 10), _SWEEP_SECONDS)


def make_post(settings: Settings) -> Post:
    """Return the way out that the settings name. :raises ValueError: if it is no way"""
    return CapturedPost() if settings.smtp_url is None else SmtpPost(settings.smtp_url.get_secret_value())


async def deliver_due(lanes: "list[Lane]", stopping: asyncio.Event) -> None:
    """Deliver all that is due now; the first lane sees whether there is work for the others."""
    while not stopping.is_set() and await lanes[0].deliver_next():
        await asyncio.gather(*(lane.deliver_all(stopping) for lane in lanes))


class Lane:
    """Delivers one message at a time."""

    def __init__(self, work: SystemWork, post: Post, settings: Settings) -> None:
        self.post = post
        self._work = work
        self._settings = settings

    async def deliver_all(self, stopping: asyncio.Event) -> None:
        """Deliver until nothing is due."""
        while not stopping.is_set() and await self.deliver_next():
            pass

    async def deliver_next(self) -> bool:
        """Deliver the message that has been due longest; false if none is, or nothing can be sent now."""
        dispatch = await delivering.claim_next(self._work)
        if dispatch is None:
            return False
        reply = await self._send(dispatch)
        ATTEMPTS.labels(reply.outcome.value).inc()
        await delivering.settle(self._work, dispatch, reply)
        return not reply.is_away

    async def _send(self, dispatch: Dispatch) -> Reply:
        letter = replace(dispatch.letter, sender=dispatch.letter.sender or self._settings.mail_sender or "")
        if not letter.sender:
            return Reply(Outcome.DEFERRED, "no sender: neither the policy's provider nor PLAZO_MAIL_SENDER names one")
        path = acknowledge_path(
            self._settings,
            desk_id=dispatch.desk_id,
            message_id=letter.message_id,
            queued_at=letter.queued_at,
            role=dispatch.role,
            event=dispatch.event,
            escalation_id=dispatch.escalation_id,
        )
        link = f"{self._settings.public_url}{path}" if path and self._settings.public_url else None
        return await self.post.send(replace(letter, link=link))
