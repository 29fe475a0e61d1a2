"""The limit that timers are compared with: claimed by one statement that also writes an event, and nothing else.

No tickets, no fold, no row-level security, no relay. It sleeps until the next due instant, as the service does.
"""

import asyncio
from datetime import UTC, datetime
from io import BytesIO

import asyncpg
import numpy as np

from bench.mass import Micros
from plazo.runtime.database import Connection

_BATCH = 500
_TABLES = """
CREATE TABLE timer (timer_id bigint PRIMARY KEY, due_at timestamptz NOT NULL, state text NOT NULL);
CREATE INDEX timer_due_idx ON timer (due_at) WHERE state = 'armed';
CREATE TABLE outbox (seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, timer_id bigint NOT NULL,
                     occurred_at timestamptz NOT NULL, data jsonb NOT NULL);
"""
_CLAIM = """
WITH due AS (
  SELECT timer_id FROM timer WHERE state = 'armed' AND due_at <= $1 ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
), fired AS (
  UPDATE timer t SET state = 'fired' FROM due WHERE t.timer_id = due.timer_id RETURNING t.timer_id, t.due_at
)
INSERT INTO outbox (timer_id, occurred_at, data)
SELECT timer_id, due_at, jsonb_build_object('timer_id', timer_id, 'due_at', due_at) FROM fired
"""
_NEXT = "SELECT min(due_at) FROM timer WHERE state = 'armed'"
_ARM = """
WITH armed AS (INSERT INTO timer VALUES ($1, $2, 'armed') RETURNING timer_id, due_at)
INSERT INTO outbox (timer_id, occurred_at, data)
SELECT timer_id, due_at, jsonb_build_object('timer_id', timer_id, 'due_at', due_at) FROM armed
"""
_POSTGRES_EPOCH_MICROS = 946_684_800_000_000
_LONGEST_SLEEP = 1.0


class BareTimers:
    """Timers with nothing behind them."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection
        self._count = 0

    async def create(self) -> None:
        """Make the two tables."""
        await self._connection.execute(_TABLES)

    async def load(self, due: Micros) -> None:
        """Arm timers by binary COPY."""
        layout = np.dtype(
            [
                ("columns", ">i2"), ("id_length", ">i4"), ("id", ">i8"), ("due_length", ">i4"), ("due", ">i8"),
                ("state_length", ">i4"), ("state", "S5"),
            ]
        )  # fmt: skip
        rows = np.zeros(len(due), dtype=layout)
        rows["columns"], rows["id_length"], rows["due_length"], rows["state_length"] = 3, 8, 8, 5
        rows["id"] = np.arange(self._count, self._count + len(due))
        rows["due"] = due - _POSTGRES_EPOCH_MICROS
        rows["state"] = b"armed"
        self._count += len(due)
        data = b"PGCOPY\n\xff\r\n\0" + bytes(8) + rows.tobytes() + b"\xff\xff"
        await self._connection.copy_to_table("timer", source=BytesIO(data), format="binary")

    async def arm(self, connection: Connection, due_at: datetime) -> None:
        """Arm one timer and write an event about it, in one statement."""
        timer_id, self._count = self._count, self._count + 1
        await connection.execute(_ARM, timer_id, due_at)

    async def look(self) -> None:
        """Do what an idle loop does: claim nothing, ask for the next instant."""
        await self._connection.execute(_CLAIM, datetime.now(UTC), _BATCH)
        await self._connection.fetchval(_NEXT)

    async def fire(self, count: int) -> None:
        """Fire what falls due until that many have fired."""
        while count > 0:
            fired = int((await self._connection.execute(_CLAIM, datetime.now(UTC), _BATCH)).split()[-1])
            count -= fired
            if fired < _BATCH and count > 0:
                next_due_at = await self._connection.fetchval(_NEXT)
                ahead = (next_due_at - datetime.now(UTC)).total_seconds()
                await asyncio.sleep(min(max(ahead, 0), _LONGEST_SLEEP))
