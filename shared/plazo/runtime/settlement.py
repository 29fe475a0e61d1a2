"""Whether all that a change set in motion has come to rest in all four services.

Every service counts what it announced and what it took in, per aggregate, as it works anyway. A change has settled
when, for every pair, what the reader had taken in at a first look is what the writer has announced at a second: two
looks, in that order, so that nothing slips between them.
"""

import asyncio
import itertools
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
_PAUSES_SECONDS = (0.002, 0.004, 0.008, 0.015, 0.03)


@dataclass(frozen=True, slots=True)
class Counts:
    """One service's look at a desk, or at one ticket of it."""

    announced: int
    taken_in: dict[str, int]
    dead_letters: int


class Settlement:
    """Answers for this service, and asks all."""

    def __init__(self, *, database: Database, bus: Bus, service: str, reads: tuple[str, ...]) -> None:
        self._database = database
        self._bus = bus
        self._service = service
        self._reads = reads

    async def serve(self) -> None:
        """Answer the others. :raises BusDown: if NATS is away"""
        await self._bus.answer(f"plazo-settlement.{self._service}", group=self._service, to=self._on_question)

    async def _on_question(self, question: Any) -> Any:
        aggregate = question["about"]
        counts = await self.counts(desk_id=UUID(question["desk"]), about=UUID(aggregate) if aggregate else None)
        return {"announced": counts.announced, "taken_in": counts.taken_in, "dead_letters": counts.dead_letters}

    async def counts(self, *, desk_id: UUID, about: UUID | None) -> Counts:
        """Count, for a desk or for one aggregate of it, what was announced and what was taken in."""
        row = await self._database.system.fetchrow(_COUNTS, desk_id, about)
        assert row is not None
        taken_in = dict.fromkeys(self._reads, 0) | (row["taken_in"] or {})
        return Counts(announced=row["announced"], taken_in=taken_in, dead_letters=row["dead_letters"])

    async def look(self, *, desk_id: UUID, about: UUID | None) -> dict[str, Counts]:
        """Ask every service once. :raises BusDown: if one does not answer"""
        question = {"desk": str(desk_id), "about": str(about) if about else None}
        answers = await asyncio.gather(
            *(self._bus.ask(f"plazo-settlement.{name}", question, seconds=_ASK_SECONDS) for name in SERVICES)
        )
        return {name: Counts(**answer) for name, answer in zip(SERVICES, answers, strict=True)}

    async def wait(self, *, desk_id: UUID, about: UUID | None = None, seconds: float) -> bool:
        """Wait until all has come to rest, `seconds` at most; return whether it has."""
        try:
            async with asyncio.timeout(seconds):
                await self._until_at_rest(desk_id=desk_id, about=about)
        except TimeoutError:
            return False
        return True

    async def _until_at_rest(self, *, desk_id: UUID, about: UUID | None) -> None:
        before: dict[str, Counts] | None = None
        for attempt in itertools.count():
            try:
                after = await self.look(desk_id=desk_id, about=about)
            except BusDown:
                after = None
            if before is not None and after is not None and is_at_rest(before, after):
                return
            before = after
            await asyncio.sleep(_PAUSES_SECONDS[min(attempt, len(_PAUSES_SECONDS) - 1)])


def is_at_rest(before: dict[str, Counts], after: dict[str, Counts]) -> bool:
    """Return whether what each reader had taken in `before` is all that its producers have announced `after`."""
    return all(
        taken_in == after[producer].announced
        for reader in before.values()
        for producer, taken_in in reader.taken_in.items()
    )
