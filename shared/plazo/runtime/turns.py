"""What has been taken from the bus and waits to be handled: every ticket has its turn, however much another has."""

import asyncio
from collections import deque
from uuid import UUID

from plazo.events.envelope import Envelope
from plazo.runtime.bus import Delivery

_Taken = tuple[Delivery, Envelope]


class Turns:
    """Deliveries by aggregate: in their order within it, one at a time; the aggregates take turns.

    `at_most` deliveries are held, `of_one` of an aggregate.
    """

    def __init__(self, *, at_most: int, of_one: int) -> None:
        self._of_one = of_one
        self._room = asyncio.Semaphore(at_most)
        self._waiting: dict[UUID, deque[_Taken]] = {}  # a key for each aggregate that has a turn, or is having it
        self._turns: asyncio.Queue[UUID] = asyncio.Queue()
        self._held: set[UUID] = set()

    async def put(self, delivery: Delivery, event: Envelope) -> bool:
        """Let a delivery wait for its turn, once there is room; false if its aggregate has too many already.

        A copy of one that waits or is being handled is let go: the end of that one is its own.
        """
        if event.id in self._held:
            return True
        waiting = self._waiting.get(event.aggregate_id)
        if waiting is not None and len(waiting) >= self._of_one:
            return False
        await self._room.acquire()
        self._held.add(event.id)
        if (waiting := self._waiting.get(event.aggregate_id)) is not None:
            waiting.append((delivery, event))
        else:
            self._waiting[event.aggregate_id] = deque([(delivery, event)])
            self._turns.put_nowait(event.aggregate_id)
        return True

    async def take(self) -> _Taken:
        """Return what has its turn; its aggregate has no other until :meth:`finish`."""
        return self._waiting[await self._turns.get()].popleft()

    def finish(self, event: Envelope) -> None:
        """Let the next aggregate have its turn; this one comes again after the others."""
        self._held.discard(event.id)
        self._room.release()
        if self._waiting[event.aggregate_id]:
            self._turns.put_nowait(event.aggregate_id)
        else:
            del self._waiting[event.aggregate_id]
        self._turns.task_done()

    async def join(self) -> None:
        """Wait until nothing waits or is being handled."""
        await self._turns.join()
