"""The loop that posts events to partner systems: woken by the commit that queued one, or by the instant of a retry."""

import asyncio
import contextlib
from collections import Counter as Tally
from collections.abc import Callable
from uuid import UUID

import structlog
from prometheus_client import Counter

from escalation.domain.posting import Answer
from escalation.domain.sealing import SecretUnreadable, unseal
from escalation.repository.posting import Dispatch
from escalation.timers.webhooks import WebhookPost
from escalation.usecases import posting
from escalation.usecases.subscribing import allowed_networks, sealing_keys
from plazo.runtime.database import OUTAGE
from plazo.runtime.ending import end
from plazo.runtime.service import Runtime
from plazo.runtime.signatures import sign
from plazo.runtime.unit_of_work import SystemWork

log = structlog.get_logger(__name__)

POSTS = Counter(
    "plazo_escalation_webhook_attempts_total", "Attempts to post an event, by what they came to", ["outcome"]
)

_MOST_AT_ONCE = 16
# An endpoint that hangs must not take the places of all others.
_MOST_OF_ONE = 4
_SWEEP_SECONDS = 5.0
_TIDY_SECONDS = 600.0


async def post_events(runtime: Runtime, stopping: asyncio.Event) -> None:
    """Post what is due until `stopping` is set; without a database it waits for one."""
    bell = runtime.outbox_wake.also()
    poster = Poster(runtime, runtime.system_work(), WebhookPost(allowed_networks(runtime.settings)), done=bell.set)
    stop = asyncio.create_task(_ring_when(stopping, bell.set))
    loop = asyncio.get_running_loop()
    tidy_at = loop.time()
    try:
        while not stopping.is_set():
            seconds = 1.0
            with contextlib.suppress(*OUTAGE):
                await poster.start_due(stopping)
                if loop.time() >= tidy_at:
                    await posting.tidy(runtime.system_work())
                    tidy_at = loop.time() + _TIDY_SECONDS
                seconds = await _seconds_to_next(runtime)
            await bell.wait(at_most=seconds)
        await poster.finish()
    finally:
        stop.cancel()
        await poster.abandon()


async def _ring_when(stopping: asyncio.Event, ring: Callable[[], None]) -> None:
    await stopping.wait()
    ring()


async def _seconds_to_next(runtime: Runtime) -> float:
    due = await posting.next_due(runtime.system_work())
    if due is None:
        return _SWEEP_SECONDS
    return min(max((due - runtime.clock.now()).total_seconds(), 0.5), _SWEEP_SECONDS)


class Poster:
    """Posts many events at once, those about one ticket one after the other."""

    def __init__(
        self, runtime: Runtime, work: SystemWork, post: WebhookPost, *, done: Callable[[], None] = lambda: None
    ) -> None:
        self._runtime = runtime
        self._work = work
        self._post = post
        self._done = done
        self._keys = sealing_keys(runtime.settings)
        self._under_way: set[asyncio.Task[None]] = set()
        self._of_one: Tally[UUID] = Tally()

    async def start_due(self, stopping: asyncio.Event) -> None:
        """Start as much of what is due as there is room for."""
        while not stopping.is_set() and len(self._under_way) < _MOST_AT_ONCE:
            busy = frozenset(one for one, count in self._of_one.items() if count >= _MOST_OF_ONE)
            dispatch = await posting.claim_next(self._work, passing_over=busy)
            if dispatch is None:
                return
            self._of_one[dispatch.subscription_id] += 1
            task = asyncio.create_task(self._run(dispatch))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
            task.add_done_callback(lambda _: self._done())

    async def finish(self) -> None:
        """Wait for what is under way."""
        await asyncio.gather(*self._under_way, return_exceptions=True)

    async def abandon(self) -> None:
        """Leave what is under way: it is sent again, under the same id."""
        await end(self._under_way)

    async def post_all(self) -> None:
        """Post all that is due, one after the other."""
        while (dispatch := await posting.claim_next(self._work)) is not None:
            await self.post_one(dispatch)

    async def _run(self, dispatch: Dispatch) -> None:
        try:
            await self.post_one(dispatch)
        except OUTAGE as error:
            log.info("database_away", error=str(error) or type(error).__name__)  # its lease runs out
        except Exception:
            log.exception("webhook_unexpected", delivery_id=dispatch.delivery_id)  # as above
        finally:
            self._of_one[dispatch.subscription_id] -= 1

    async def post_one(self, dispatch: Dispatch) -> None:
        """Post an event and write what came of it; a subscription that nothing gets through to is switched off."""
        answer = await self._send(dispatch)
        POSTS.labels("taken" if answer.is_taken else "failed").inc()
        reason = await posting.settle(self._work, dispatch, answer)
        if reason is not None:
            log.warning("webhook_switched_off", subscription_id=str(dispatch.subscription_id), reason=reason)
            uow = self._runtime.unit_of_work(
                desk_id=dispatch.desk_id, now=dispatch.desk_clock_at or self._runtime.clock.now()
            )
            await posting.switch_off(uow, dispatch.subscription_id, reason=reason)

    async def _send(self, dispatch: Dispatch) -> Answer:
        body = posting.body_of(dispatch)
        sealed = [one for one in (dispatch.secret, dispatch.previous_secret) if one]
        try:
            valid = [unseal(one, keys=self._keys, place=dispatch.subscription_id) for one in sealed]
        except SecretUnreadable as error:
            return Answer(None, 0, failure=f"not sent: {error.message}")
        signed = [
            sign(body, secret=secret, message_id=str(dispatch.event_id), at=self._work.clock.now()) for secret in valid
        ]
        headers = signed[0] | {
            "webhook-signature": " ".join(one["webhook-signature"] for one in signed),
            "Content-Type": "application/json",
            "User-Agent": "Plazo-Webhooks/1",
        }
        return await self._post.send(dispatch.url, headers=headers, body=body)
