"""A million tickets with an armed clock each, made of one that the service itself wrote.

The service registers one ticket. Its rows are read out in PostgreSQL's binary COPY format, struck as often as wanted
with other ids and instants, and read in: every other byte is the service's own.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from io import BytesIO
from uuid import UUID

import asyncpg
import numpy as np
from numpy.typing import NDArray

from bench.stage import Stage
from plazo.kernel.ids import derived_id, new_id
from plazo.kernel.time import to_micros
from sla_clock.domain.facts import Fact, Opened
from sla_clock.usecases.record_fact import register_ticket

TARGET = timedelta(hours=4)  # as in the policy of the stage
Bytes = NDArray[np.uint8]
Micros = NDArray[np.int64]

_SIGNATURE = b"PGCOPY\n\xff\r\n\0" + bytes(8)  # then no flags, and no extension
_TRAILER = b"\xff\xff"
_POSTGRES_EPOCH = to_micros(datetime(2000, 1, 1, tzinfo=UTC))
_CHUNK = 100_000
_TABLES = ("ticket", "ticket_fact", "clock", "outbox_version", "timer")


async def register_one(stage: Stage, *, opened_at: datetime) -> UUID:
    """Let the service's own use case register a ticket, which starts one clock."""
    ticket_id = new_id()
    await register_ticket(
        stage.unit_of_work(),
        ticket_id=ticket_id,
        number="B-0000000",
        customer_id=stage.desk_id,
        policy="bench",
        policy_version="1",
        timezone=None,
        region=None,
        opening=Fact(opened_at, 1, Opened({"channel": "email"}, clocks=True, pending=False)),
        recorded_at=opened_at,
    )
    return ticket_id


class Press:
    """Strikes copies of the rows of one ticket."""

    def __init__(self, rows: Mapping[str, "_Row"]) -> None:
        self._rows = rows
        self._count = 0

    @classmethod
    async def of(cls, stage: Stage, ticket_id: UUID) -> "Press":
        """Take the rows of a ticket that has one clock."""
        key = {"outbox_version": "aggregate_id"}
        return cls(
            {
                table: await _Row.read(stage.admin, table, f"{key.get(table, 'ticket_id')} = '{ticket_id}'")
                for table in _TABLES
            }
        )

    async def strike(self, connection: asyncpg.Connection, due: Micros, *, opened: Micros | None = None) -> None:
        """Write a ticket with an armed clock for each due instant, in microseconds since 1970.

        It was opened as long before as the target of the stage's policy is, unless said otherwise.
        """
        begun = due - int(TARGET / timedelta(microseconds=1)) if opened is None else opened
        for start in range(0, len(due), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            async with connection.transaction():
                await self._strike_chunk(connection, begun[chunk], due[chunk])

    async def _strike_chunk(self, connection: asyncpg.Connection, begun: Micros, due: Micros) -> None:
        count = len(due)
        ids = _make_ids(count, first=self._count)
        numbers = _digits(np.arange(self._count, self._count + count), width=7)
        self._count += count
        clock_ids = np.frombuffer(
            b"".join(derived_id("clock", UUID(bytes=one.tobytes()), "resolution", 1).bytes for one in ids),
            dtype=np.uint8,
        ).reshape(count, 16)
        opened, falls_due = _instants(begun), _instants(due)
        values: dict[str, dict[str, Bytes]] = {
            "ticket": {"ticket_id": ids, "number": numbers, "opened_at": opened},
            "ticket_fact": {"ticket_id": ids, "occurred_at": opened, "recorded_at": opened},
            "clock": {"clock_id": clock_ids, "ticket_id": ids, "started_at": opened, "due_at": falls_due},
            "outbox_version": {"aggregate_id": ids},
            "timer": {"timer_id": ids, "ticket_id": ids, "due_at": falls_due},
        }
        for table, columns in values.items():
            source = BytesIO(self._rows[table].strike(count, columns))
            await connection.copy_to_table(table, source=source, format="binary")


class _Row:
    """One row as binary COPY has it: the bytes, and where each column's value ends in them."""

    def __init__(self, data: bytes, ends: dict[str, int]) -> None:
        self._data = np.frombuffer(data, dtype=np.uint8)
        self._ends = ends

    @classmethod
    async def read(cls, connection: asyncpg.Connection, table: str, where: str) -> "_Row":
        output = BytesIO()
        query = f"SELECT * FROM {table} WHERE {where}"
        names = [attribute.name for attribute in (await connection.prepare(query)).get_attributes()]
        await connection.copy_from_query(query, output=output, format="binary")
        data = output.getvalue().removeprefix(_SIGNATURE).removesuffix(_TRAILER)
        ends, place = {}, 2  # the count of columns comes first
        for name in names:
            length = int.from_bytes(data[place : place + 4], "big", signed=True)
            place += 4 + max(length, 0)
            ends[name] = place
        assert place == len(data), f"expected one row of {table}"
        return cls(data, ends)

    def strike(self, count: int, columns: Mapping[str, Bytes]) -> bytes:
        """Repeat the row with the ends of some columns' values replaced."""
        rows = np.tile(self._data, (count, 1))
        for name, values in columns.items():
            end = self._ends[name]
            rows[:, end - values.shape[1] : end] = values
        return _SIGNATURE + rows.tobytes() + _TRAILER


def _make_ids(count: int, *, first: int) -> Bytes:
    """Make ids of version 7 in the order of time, as the application makes them."""
    ids = np.random.default_rng(first).integers(0, 256, (count, 16), dtype=np.uint8)
    millis = (1_700_000_000_000 + np.arange(first, first + count)).astype(">i8")
    ids[:, :6] = millis.view(np.uint8).reshape(count, 8)[:, 2:]
    ids[:, 6] = ids[:, 6] & 0x0F | 0x70
    ids[:, 8] = ids[:, 8] & 0x3F | 0x80
    return ids


def _digits(numbers: Micros, *, width: int) -> Bytes:
    powers = 10 ** np.arange(width - 1, -1, -1)
    return (numbers[:, None] // powers % 10 + ord("0")).astype(np.uint8)


def _instants(micros: Micros) -> Bytes:
    return (micros - _POSTGRES_EPOCH).astype(">i8").view(np.uint8).reshape(len(micros), 8)


def spread_out(count: int, *, start: datetime, per_second: float) -> Micros:
    """Return due instants that follow each other evenly."""
    gaps = np.arange(count) * (1_000_000 / per_second)
    answer: Micros = to_micros(start) + gaps.astype(np.int64)
    return answer


def far_ahead(count: int) -> Micros:
    """Return due instants spread over a month that begins in a month."""
    begin = to_micros(datetime.now(UTC) + timedelta(days=30))
    answer: Micros = begin + np.random.default_rng(count).integers(0, 30 * 86_400_000_000, count)
    return answer


def at_once(count: int, *, at: datetime) -> Micros:
    """Return due instants that are all the same."""
    return np.full(count, to_micros(at), dtype=np.int64)
