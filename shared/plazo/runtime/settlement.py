"""Whether all that a change set in motion has come to rest in all four services.

Every service counts what it announced and what it took in, per aggregate, as it works anyway. A change has settled
when, for every pair, what the reader had taken in at a first look is what the writer has announced at a second: two
looks, in that order, so that nothing slips between them.
"""

import asyncio
import itertools
import time
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from plazo.events.envelope import SERVICES
from plazo.runtime.bus import Bus, BusDown
from plazo.runtime.database import Database

_ASK_SECONDS = 1.0
_COUNTS = """
SELECT (SELECT coalesce(sum(version), 0)::bigint FROM outbox_version
        WHERE desk_id = $1 AND ($2::uuid IS NULL OR aggregate_id = $2)) AS announced,
       (SELECT jsonb_object_agg(producer, version) FROM (
          SELECT producer, sum(version)::bigint AS version FROM inbox_position
          WHERE desk_id = $1 AND ($2::uuid IS NULL OR aggregate_id = $2) GROUP BY producer) AS read) AS taken_in,
       (SELECT count(*) FROM dead_letter
        WHERE desk_id = $1 AND state = 'open' AND ($2::uuid IS NULL OR aggregate_id = $2)) AS dead_letters
"""
_REACH_SECONDS = 0.5
_REACHED_SECONDS = 1.0  # for which an answer about who is there is repeated
_PAUSES_SECONDS = (0.002, 0.004, 0.008, 0.015, 0.03)


@dataclass(frozen=True, slots=True)
class Counts:
    """One service's look at a desk, or at one ticket of it."""

    announced: int
    taken_in: dict[str, int]
    dead_letters: int


class Settlement:
    """Answers for this service, and asks all."""

    def __init__(
        self, *, database: Database, bus: Bus, service: str, reads: tuple[str, ...], leaving: asyncio.Event
    ) -> None:
        self._database = database
        self._bus = bus
        self._service = service
        self._reads = reads
        self._leaving = leaving
        self._looked_at = float("-inf")
        self._away: tuple[str, ...] = ()

    async def serve(self) -> None:
        """Answer the others. :raises BusDown: if NATS is away"""
        await self._bus.answer(f"plazo-settlement.{self._service}", group=self._service, to=self._on_question)

    async def _on_question(self, question: Any) -> Any:
        if question["desk"] is None:
            return {"service": self._service}
        aggregate = question["about"]
        counts = await self.counts(desk_id=UUID(question["desk"]), about=UUID(aggregate) if aggregate else None)
        return {"announced": counts.announced, "taken_in": counts.taken_in, "dead_letters": counts.dead_letters}

    async def counts(self, *, desk_id: UUID, about: UUID | None) -> Counts:
        """Count, for a desk or for one aggregate of it, what was announced and what was taken in."""
        row = await self._database.system.fetchrow(_COUNTS, desk_id, about)
        assert row is not None
        taken_in = dict.fromkeys(self._reads, 0) | (row["taken_in"] or {})
        return Counts(announced=row["announced"], taken_in=taken_in, dead_letters=row["dead_letters"])

    async def away(self) -> tuple[str, ...]:
        """Return the other services of which no replica answers now; they are asked once a second at most."""
        if time.monotonic() - self._looked_at > _REACHED_SECONDS:
            self._looked_at = time.monotonic()
            others = [name for name in SERVICES if name != self._service]
            there = await asyncio.gather(*(self._is_there(name) for name in others))
            self._away = tuple(name for name, is_there in zip(others, there, strict=True) if not is_there)
        return self._away

    async def _is_there(self, service: str) -> bool:
        try:
            question = {"desk": None, "about": None}
            await self._bus.ask(f"plazo-settlement.{service}", question, seconds=_REACH_SECONDS)
        except BusDown:
            return False
        return True

    async def look(self, *, desk_id: UUID, about: UUID | None, seconds: float = _ASK_SECONDS) -> dict[str, Counts]:
        """Ask every service once. :raises BusDown: if one does not answer within `seconds`"""
        question = {"desk": str(desk_id), "about": str(about) if about else None}
        answers = await asyncio.gather(
            *(self._bus.ask(f"plazo-settlement.{name}", question, seconds=seconds) for name in SERVICES)
        )
        return {name: Counts(**answer) for name, answer in zip(SERVICES, answers, strict=True)}

    async def wait(self, *, desk_id: UUID, about: UUID | None = None, seconds: float) -> bool:
        """Wait until all has come to rest, `seconds` at most; return whether it has."""
        # By the clock, not by a cancellation: `asyncio.wait_for` of Python 3.11 may swallow one, and this is a loop.
        until = time.monotonic() + seconds
        before: dict[str, Counts] | None = None
        pauses = itertools.chain(_PAUSES_SECONDS, itertools.repeat(_PAUSES_SECONDS[-1]))
        while (left := until - time.monotonic()) > 0 and not self._leaving.is_set():
            try:
                after = await self.look(desk_id=desk_id, about=about, seconds=min(left, _ASK_SECONDS))
            except BusDown:
                after = None
            if before is not None and after is not None and is_at_rest(before, after):
                return True
            before = after
            await asyncio.sleep(min(left, next(pauses)))
        return False  # also as the process ends: the change is made, and that is answered first


def is_at_rest(before: dict[str, Counts], after: dict[str, Counts]) -> bool:
    """Return whether what each reader had taken in `before` is all that its producers have announced `after`."""
    return all(
        taken_in == after[producer].announced
        for reader in before.values()
        for producer, taken_in in reader.taken_in.items()
    )
