"""When keys were last used: noted in memory, written once a minute, asked of all services together."""

import asyncio
import contextlib
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog

from plazo.events.envelope import SERVICES
from plazo.runtime.bus import Bus, BusDown
from plazo.runtime.database import OUTAGE, Database

log = structlog.get_logger(__name__)

_WRITE_SECONDS = 60.0
_ASK_SECONDS = 0.5

_WRITE = """
UPDATE api_key k SET last_used_at = u.at FROM unnest($1::text[], $2::timestamptz[]) AS u (key_id, at)
WHERE k.key_id = u.key_id AND coalesce(k.last_used_at < u.at, true)
"""
_READ = "SELECT key_id, last_used_at FROM api_key WHERE desk_id = $1 AND last_used_at IS NOT NULL"


class KeyUses:
    """The uses of keys at this service."""

    def __init__(self, *, database: Database, bus: Bus, service: str) -> None:
        self._database = database
        self._bus = bus
        self._service = service
        self._uses: dict[str, datetime] = {}

    def note(self, key_id: str, *, at: datetime) -> None:
        """Remember a use."""
        self._uses[key_id] = at

    async def serve(self) -> None:
        """Answer the others. :raises BusDown: if NATS is away"""
        await self._bus.answer(f"plazo-key-uses.{self._service}", group=self._service, to=self._on_question)

    async def run(self, stopping: asyncio.Event) -> None:
        """Write what was noted, once a minute and at the end."""
        while not stopping.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), timeout=_WRITE_SECONDS)
            await self.write()

    async def write(self) -> None:
        """Write what was noted; while the database is away it is kept for the next time."""
        uses, self._uses = self._uses, {}
        if not uses:
            return
        try:
            await self._database.system.execute(_WRITE, list(uses), list(uses.values()))
        except OUTAGE as error:
            log.info("key_uses_wait", error=str(error) or type(error).__name__)
            self._uses = uses | self._uses

    async def _on_question(self, question: Any) -> Any:
        await self.write()
        rows = await self._database.system.fetch(_READ, UUID(question["desk"]))
        return {row["key_id"]: row["last_used_at"].isoformat() for row in rows}

    async def ask(self, desk_id: UUID) -> dict[str, datetime]:
        """Return when the keys of a desk were last used anywhere; a service that does not answer is left out.

        Other replicas tell within a minute.
        """
        answers = await asyncio.gather(*(self._ask(service, desk_id) for service in SERVICES))
        uses: dict[str, datetime] = {}
        for answer in answers:
            for key_id, text in answer.items():
                at = datetime.fromisoformat(text)
                uses[key_id] = max(at, uses.get(key_id, at))
        return uses

    async def _ask(self, service: str, desk_id: UUID) -> dict[str, str]:
        with contextlib.suppress(BusDown):
            answer: dict[str, str] = await self._bus.ask(
                f"plazo-key-uses.{service}", {"desk": str(desk_id)}, seconds=_ASK_SECONDS
            )
            return answer
        return {}
