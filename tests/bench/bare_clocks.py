"""What a recomputation is compared with: a million deadlines in one table, and nothing that depends on them."""

from io import BytesIO
from time import perf_counter

import asyncpg
import numpy as np

from bench.mass import Micros
from plazo.calendar import WorkingTime

_TABLE = "CREATE TABLE clock (clock_id bigint PRIMARY KEY, started_at bigint NOT NULL, due_at bigint NOT NULL)"
_INDEX = "CREATE INDEX clock_due_idx ON clock (due_at)"
_CHANGED = "CREATE TEMP TABLE changed (clock_id bigint, due_at bigint) ON COMMIT DROP"
_UPDATE = "UPDATE clock c SET due_at = changed.due_at FROM changed WHERE c.clock_id = changed.clock_id"
_HEAD, _TAIL = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"


class BareClocks:
    """Deadlines in microseconds, without an event, a history or an explanation."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def load(self, started: Micros, due: Micros) -> None:
        """Make the table with its index on the deadline."""
        await self._connection.execute(_TABLE)
        await self._copy_in("clock", np.arange(len(due)), started, due)
        await self._connection.execute(_INDEX)
        await self._connection.execute("VACUUM ANALYZE clock")

    async def rewrite_changed(self, calendar: WorkingTime, target: int) -> float:
        """Compute all deadlines anew in one batch and rewrite those that change; return the seconds."""
        start = perf_counter()
        async with self._connection.transaction():
            output = BytesIO()
            await self._connection.copy_from_query("SELECT * FROM clock", output=output, format="binary")
            body = output.getvalue()[len(_HEAD) : -len(_TAIL)]
            rows = np.frombuffer(body, dtype=_layout(3))
            due = calendar.due_batch(rows["value1"].astype(np.int64), target)
            moved = due != rows["value2"]
            await self._connection.execute(_CHANGED)
            await self._copy_in("changed", rows["value0"][moved], due[moved])
            await self._connection.execute(_UPDATE)
        return perf_counter() - start

    async def update_one_by_one(self, calendar: WorkingTime, target: int, *, count: int) -> float:
        """Do it as is usual: a cursor, one sum at a time, `executemany`; return the seconds for `count` of them."""
        start = perf_counter()
        async with self._connection.transaction():
            rows = await self._connection.fetch("SELECT clock_id, started_at FROM clock LIMIT $1", count)
            due = [(row["clock_id"], calendar.due_micros(row["started_at"], target)) for row in rows]
            await self._connection.executemany("UPDATE clock SET due_at = $2 WHERE clock_id = $1", due)
        return perf_counter() - start

    async def _copy_in(self, table: str, *columns: Micros) -> None:
        rows = np.zeros(len(columns[0]), dtype=_layout(len(columns)))
        rows["count"] = len(columns)
        for place, column in enumerate(columns):
            rows[f"length{place}"], rows[f"value{place}"] = 8, column
        source = BytesIO(_HEAD + rows.tobytes() + _TAIL)
        await self._connection.copy_to_table(table, source=source, format="binary")


def _layout(columns: int) -> np.dtype[np.void]:
    fields = [("count", ">i2")]
    for place in range(columns):
        fields += [(f"length{place}", ">i4"), (f"value{place}", ">i8")]
    return np.dtype(fields)
