"""Loading the rows of a dump into tables that our own migrations made.

A dump is a program: who runs it lets it do all that his role may. So nothing of it is run. `pg_restore` writes it out
as a script, without a server; of that the rows are taken, and the numbers of the sequences. Its statements are read
and never executed, and one that no dump of rows has is refused.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from plazo.local.archive import BackupError
from plazo.local.wheels import find_postgres_home

_PIECE = 1024 * 1024
_END_OF_ROWS = b"\\.\n"
_COPY = re.compile(r'COPY public\."?([a-z0-9_]+)"? \(([a-z0-9_", ]+)\) FROM stdin;')
_SETVAL = re.compile(r"SELECT pg_catalog\.setval\('public\.\"?([a-z0-9_]+)\"?', ([0-9]+), (true|false)\);")
_IDLE = re.compile(r"|--.*|SET [a-z_]+ = .*;|SELECT pg_catalog\.set_config\('search_path', '', false\);|\\\w+ \w+")

_COLUMNS = """
SELECT relname AS table, array_agg(attname::text) FILTER (WHERE attgenerated = '') AS columns
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid AND attnum > 0 AND NOT attisdropped
WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace
GROUP BY relname
"""
_SEQUENCES = "SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace"
# Rows come in the order of their tables' names, and what a trigger does was done when they were written first.
_IN_THE_WAY = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname) AS remove,
  format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid)) AS put_back
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
UNION ALL
SELECT format('ALTER TABLE %s DISABLE TRIGGER %I', tgrelid::regclass, tgname),
  format('ALTER TABLE %s ENABLE TRIGGER %I', tgrelid::regclass, tgname)
FROM pg_trigger JOIN pg_class ON pg_class.oid = tgrelid
WHERE relnamespace = 'public'::regnamespace AND NOT tgisinternal AND tgenabled = 'O'
"""


async def load_rows(connection: asyncpg.Connection, dump: Path) -> None:
    """Replace all rows by those of `dump`, in one transaction; references between tables are checked.

    `connection` is one of the tables' owner, who needs no other right.

    :raises BackupError: if the dump holds anything but rows of these tables, or they do not fit
    """
    try:
        async with _rows_as_script(dump) as script, connection.transaction():
            await _load(connection, script)
    except asyncpg.PostgresError as error:
        raise BackupError(f"{dump.name} does not fit into its tables: {error}") from error


async def _load(connection: asyncpg.Connection, script: "Script") -> None:
    tables = {row["table"]: set(row["columns"]) for row in await connection.fetch(_COLUMNS)}
    sequences = {row["relname"] for row in await connection.fetch(_SEQUENCES)}
    obstacles = await connection.fetch(_IN_THE_WAY)
    for obstacle in obstacles:
        await connection.execute(obstacle["remove"])
    await connection.execute("TRUNCATE " + ", ".join(f'"{table}"' for table in tables))
    while (line := await script.line()) is not None:
        if copy := _COPY.fullmatch(line):
            table, columns = copy[1], [name.strip('"') for name in copy[2].split(", ")]
            if set(columns) != tables.get(table):
                raise script.refused(line)
            await connection.copy_to_table(table, source=script.rows(), columns=columns, schema_name="public")
        elif (setval := _SETVAL.fullmatch(line)) and setval[1] in sequences:
            await connection.execute(
                "SELECT setval($1::text::regclass, $2::text::bigint, $3)",
                *(f'public."{setval[1]}"', setval[2], setval[3] == "true"),
            )
        elif not _IDLE.fullmatch(line):
            raise script.refused(line)
    for obstacle in obstacles:
        await connection.execute(obstacle["put_back"])


class Script:
    """What `pg_restore` writes: statements of a line each, and rows behind those that begin them."""

    def __init__(self, name: str, source: asyncio.StreamReader) -> None:
        """Read the script of the dump called `name`."""
        self._name = name
        self._source = source
        self._held = b""

    async def line(self) -> str | None:
        """Return the next line, without its end; None behind the last. :raises BackupError: if it is too long"""
        while b"\n" not in self._held:
            if len(self._held) > _PIECE:
                raise self.refused(self._held.decode(errors="replace"))
            if not await self._more():
                break
        if not self._held:
            return None
        line, _, self._held = self._held.partition(b"\n")
        return line.decode(errors="replace")

    async def rows(self) -> AsyncIterator[bytes]:
        """Return the rows of a table, in pieces, up to the line that ends them. :raises BackupError: without one"""
        while not self._held.startswith(_END_OF_ROWS):
            end = self._held.find(b"\n" + _END_OF_ROWS) + 1 or self._held.rfind(b"\n") + 1
            if end:
                piece, self._held = self._held[:end], self._held[end:]
                yield piece
            elif not await self._more():
                raise BackupError(f"{self._name} ends among the rows of a table")
        self._held = self._held.removeprefix(_END_OF_ROWS)

    def refused(self, line: str) -> BackupError:
        """Return the error that names what does not belong into a dump of rows."""
        return BackupError(f"{self._name} was altered: it holds {line[:200]!r}, which is not of the tables it is for")

    async def _more(self) -> bool:
        piece = await self._source.read(_PIECE)
        self._held += piece
        return bool(piece)


@asynccontextmanager
async def _rows_as_script(dump: Path) -> AsyncIterator[Script]:
    """Have the rows of a dump written out. :raises BackupError: with the words of `pg_restore` if it fails"""
    process = await asyncio.create_subprocess_exec(
        str(find_postgres_home() / "bin" / "pg_restore"),
        *("--format=custom", "--data-only", "--file=-", str(dump)),
        env={**os.environ, "LC_ALL": "C"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=_PIECE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    complaints = asyncio.create_task(process.stderr.read())
    try:
        yield Script(dump.name, process.stdout)
        if await process.wait() != 0:
            raise BackupError(f"{dump.name} cannot be read: {(await complaints).decode(errors='replace').strip()}")
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await complaints
