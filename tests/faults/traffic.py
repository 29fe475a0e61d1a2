"""A deterministic mix of requests over several desks: the same seed asks for the same things in the same order."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import uuid4

import httpx

from faults.accepted import Accepted, Exchange
from faults.acts import take_step
from faults.offices import Office
from faults.receiver import Receiver
from faults.sending import PATIENCE_SECONDS, Sender
from faults.trades import TRADES, Pace

DESKS = tuple(TRADES)
_AT_ONCE = 3


@dataclass(frozen=True, slots=True)
class Step:
    """What was asked in one step, by several desks at once."""

    number: int
    exchanges: tuple[Exchange, ...]


class Traffic:
    """Desks at work. `address` is where the gateway is; `transport` goes another way to it. What happens is sent to a
    `receiver`, if there is one.

    What is asked follows from the seed; `run` tells one telling of it from another on the same installation.
    """

    def __init__(
        self,
        address: str,
        operator_key: str,
        seed: int,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        desks: Sequence[str] = DESKS,
        pace: Pace | None = None,
        patience: float = PATIENCE_SECONDS,
        receiver: Receiver | None = None,
    ) -> None:
        self.seed = seed
        self.run = uuid4().hex[:12]
        self.accepted = Accepted()
        self.pace = pace or Pace()
        self.slack = timedelta(milliseconds=50)  # how far the clocks of the replicas and ours may differ
        self.offices = [
            Office(
                name,
                sender=Sender(address, name, self.accepted, transport, patience),
                operator_key=operator_key,
                seed=str(seed),
                run=self.run,
                pace=self.pace,
                receiver=receiver,
            )
            for name in desks
        ]
        self._draw = random.Random(seed)
        self._number = 0

    async def prepare(self) -> None:
        """Make the desks with all that they need."""
        await asyncio.gather(*(office.prepare() for office in self.offices))

    async def steps(self, count: int) -> AsyncIterator[Step]:
        """Take so many steps; each returns once all that it asked for is answered for good."""
        for _ in range(count):
            self._number += 1
            busy = self._draw.sample(self.offices, min(_AT_ONCE, len(self.offices)))
            before = len(self.accepted.exchanges)
            await asyncio.gather(*(take_step(office) for office in busy))
            yield Step(self._number, tuple(self.accepted.exchanges[before:]))

    async def close(self) -> None:
        """Let go of all connections."""
        for office in self.offices:
            await office.sender.close()
