"""Back-up and restore of a data folder.

The four databases are dumped as of one cut: events leave a database only under the lock of its relay
(:data:`plazo.runtime.relay.LOCK`), so all four locks are taken, a snapshot is made in each, and the locks are given
back. What a service has taken in by its snapshot had left its announcer before the locks were held, and so is in the
snapshot of that one too: nobody remembers an event that another has forgotten. What had not arrived is in an outbox,
and is asked for when the restored services meet their new, empty streams. Only publishing pauses, for milliseconds;
the dumps read the snapshots afterwards.

Attachments are copied after the snapshots: a file is there before the row that names it. JetStream is not saved.

A restore takes rows and files from a back-up, and nothing that runs: the tables, their functions and rights are made by
our own migrations, of the version that the back-up names, and the rows loaded by the role that owns them.
"""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import asyncpg

from plazo.events.envelope import SERVICES
from plazo.kernel.errors import PlazoError
from plazo.local.archive import (
    FORMAT,
    SECRETS,
    ArchiveReader,
    ArchiveWriter,
    BackupError,
    DumpedDatabase,
    Manifest,
    fingerprint,
    written_archive,
)
from plazo.local.errors import LocalStackError
from plazo.local.folder import DataFolder, read_state
from plazo.local.loading import load_rows
from plazo.local.postgres import Postgres
from plazo.local.wheels import find_postgres_home
from plazo.runtime import migrations
from plazo.runtime.relay import LOCK
from plazo.runtime.schema import known_revisions, needed_revision

_SECRETS = (SECRETS, "desk.json")
_LOCK_WAIT = "60s"
_TABLES = """
SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname
"""


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """A database as of the common cut, for as long as its transaction is open."""

    connection: asyncpg.Connection
    name: str
    at: datetime


async def back_up(data: Path, target: Path, *, with_secrets: bool = True, durable: bool = True) -> Manifest:
    """Write a back-up of the data folder `data` to the file `target`, while Plazo runs on it or not.

    :raises BackupError: if `target` exists, or `data` holds no Plazo
    :raises LocalStackError: if its database cannot be reached or started
    """
    if not (data / "postgres" / "PG_VERSION").exists():
        raise BackupError(f"{data} is not the data folder of a Plazo that was started; name it with --data")
    async with AsyncExitStack() as stack:
        archive = stack.enter_context(written_archive(target))
        dumps = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=target.parent, prefix=".plazo-backup-")))
        postgres = await stack.enter_async_context(_reach_postgres(data, durable=durable))
        snapshots = await stack.enter_async_context(_common_cut(postgres))
        databases = await asyncio.gather(*(_describe(snapshots[service].connection) for service in SERVICES))
        for service in SERVICES:
            file = dumps / f"{service}.dump"
            await _run(
                postgres,
                f"plazo_{service}",
                *("pg_dump", "--format=custom", "--compress=gzip:3", "--no-password", f"--file={file}"),
                f"--snapshot={snapshots[service].name}",
            )
            await asyncio.to_thread(archive.add, f"databases/{service}.dump", file)
            file.unlink()
        postgres.credentials.get("secrets_key")  # the seal's; there since the first start of the services
        secrets = (data / SECRETS).read_bytes()
        await asyncio.to_thread(_add_files, archive, data, with_secrets=with_secrets)
        manifest = Manifest(
            format=FORMAT,
            plazo=version("plazo"),
            postgres=snapshots[SERVICES[0]].connection.get_settings().server_version,
            taken_at=max(snapshot.at for snapshot in snapshots.values()),
            databases=dict(zip(SERVICES, databases, strict=True)),
            files=archive.files,
            encryption_key=fingerprint(secrets),
        )
        archive.finish(manifest, secrets=secrets)
    return manifest


async def restore(source: Path, data: Path, *, secrets: Path | None = None, durable: bool = True) -> Manifest:
    """Make the data folder `data`, which must be absent or empty, from the back-up `source`.

    `secrets` is the file `secrets.json` of the installation: a back-up that was written without it needs it, any other
    is compared with it. Without `secrets` a back-up that holds its own vouches for itself. An older version is migrated
    by the next start. The folder appears when it is whole.

    :raises BackupError: if `data` is not empty, or `source` is not whole, was altered, or is of a newer version
    :raises LocalStackError: if PostgreSQL cannot be started
    """
    data = DataFolder(data).path
    if data.is_mount():
        raise BackupError(f"{data} is a disk of its own: restore into a new folder on it")
    if data.exists() and (not data.is_dir() or any(data.iterdir())):
        raise BackupError(f"{data} is not empty: restore into a new folder")
    with ArchiveReader.open(source) as archive:
        manifest = archive.manifest
        kept_secrets = _checked_secrets(source, archive, secrets)
        _refuse_strange_versions(source, manifest)
        folder = DataFolder(data.with_name(f".{data.name}.restoring"))
        folder.enter(address="being restored")
        try:
            _clear(folder.path)
            await asyncio.to_thread(archive.extract, folder.path)
            if not manifest.has_secrets:
                (folder.path / SECRETS).touch(mode=0o600)
                (folder.path / SECRETS).write_bytes(kept_secrets)
            await _load(folder.path, manifest, durable=durable)
            _clear(folder.path, only=("databases", "logs"))
        except BaseException:
            _clear(folder.path)
            folder.leave()
            shutil.rmtree(folder.path)
            raise
        folder.leave()
    with suppress(FileNotFoundError):
        data.rmdir()
    folder.path.rename(data)
    return manifest


@asynccontextmanager
async def _reach_postgres(data: Path, *, durable: bool) -> AsyncIterator[Postgres]:
    """Reach the server of a Plazo that runs, or run it ourselves meanwhile."""
    folder = DataFolder(data)
    try:
        folder.enter(address="being backed up")
    except LocalStackError:
        state = read_state(data)
        if state is None or "postgres" not in state.programs:
            raise
        yield Postgres(data, port=state.programs["postgres"].port)
        return
    try:
        postgres = Postgres(data, durable=durable)
        try:
            await postgres.start()
            yield postgres
        finally:
            await postgres.stop()
    finally:
        folder.leave()


@asynccontextmanager
async def _common_cut(postgres: Postgres) -> AsyncIterator[dict[str, _Snapshot]]:
    """Hold back events in all databases for the moment in which a snapshot is made of each."""
    async with AsyncExitStack() as stack:
        connections: dict[str, asyncpg.Connection] = {}
        for service in SERVICES:
            connections[service] = await _connect(postgres, service)
            stack.push_async_callback(connections[service].close)
        for connection in connections.values():
            await connection.execute(f"SET lock_timeout = '{_LOCK_WAIT}'")
            await connection.execute("SELECT pg_advisory_lock($1)", LOCK)
        snapshots = {service: await _take_snapshot(connection) for service, connection in connections.items()}
        for connection in connections.values():
            await connection.execute("SELECT pg_advisory_unlock($1)", LOCK)
        yield snapshots


async def _connect(postgres: Postgres, service: str, *, user: str = "postgres") -> asyncpg.Connection:
    try:
        return await asyncpg.connect(postgres.dsn(f"plazo_{service}", user=user), timeout=10)
    except (OSError, asyncpg.PostgresError) as error:
        raise BackupError(f"the database of {service} cannot be reached: {error}") from error


async def _take_snapshot(connection: asyncpg.Connection) -> _Snapshot:
    await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
    row = await connection.fetchrow("SELECT pg_export_snapshot() AS name, clock_timestamp() AS at")
    assert row is not None
    return _Snapshot(connection=connection, name=row["name"], at=row["at"])


async def _describe(connection: asyncpg.Connection) -> DumpedDatabase:
    return DumpedDatabase(
        revision=str(await connection.fetchval("SELECT version_num FROM alembic_version")),
        rows=await _count_rows(connection),
    )


async def _count_rows(connection: asyncpg.Connection) -> dict[str, int]:
    tables = [row["relname"] for row in await connection.fetch(_TABLES)]
    return {table: await connection.fetchval(f'SELECT count(*) FROM "{table}"') for table in tables}  # noqa: S608


def _add_files(archive: ArchiveWriter, data: Path, *, with_secrets: bool) -> None:
    for name in _SECRETS if with_secrets else ():
        if (data / name).exists():
            archive.add(name, data / name)
    for file in sorted(_walk(data / "attachments")):
        with suppress(FileNotFoundError):  # erased since, as its row will be
            archive.add(file.relative_to(data).as_posix(), file)


def _walk(folder: Path) -> Iterable[Path]:
    """Return the files below `folder` that are whole: one that is being written has a number behind its name."""
    return (file for file in folder.rglob("*") if file.is_file() and "#" not in file.name)


def _refuse_strange_versions(source: Path, manifest: Manifest) -> None:
    newer = [name for name, database in manifest.databases.items() if database.revision > needed_revision(name)]
    if newer:
        raise BackupError(
            f"{source} was taken by a newer version, plazo {manifest.plazo} "
            f"({', '.join(f'{name} at {manifest.databases[name].revision}' for name in newer)}): restore it with that"
        )
    for name, database in manifest.databases.items():
        if database.revision not in known_revisions(name):
            raise BackupError(f"{source} was altered: there never was a version {database.revision} of {name}")


def _checked_secrets(source: Path, archive: ArchiveReader, given: Path | None) -> bytes:
    """Return the `secrets.json` for a back-up, when its manifest is the one that was sealed with it."""
    if given is None:
        if not archive.manifest.has_secrets:
            raise BackupError(
                f"{source} was written without secrets: name the secrets.json of that installation with --secrets"
            )
        secrets = archive.own_secrets()
    else:
        try:
            secrets = given.read_bytes()
        except OSError as error:
            raise BackupError(f"cannot read {given}: {error.strerror or error}") from error
        if fingerprint(secrets) != archive.manifest.encryption_key:
            raise BackupError(
                f"{given} is not the secrets.json of the installation that {source} was taken from: its encryption key "
                "is another or missing"
            )
    archive.check_seal(secrets)
    return secrets


def _clear(folder: Path, *, only: Iterable[str] | None = None) -> None:
    """Remove what is in a folder that we have locked, all or what is named."""
    for path in folder.iterdir():
        if path.name == "lock" or (only is not None and path.name not in only):
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


async def _load(data: Path, manifest: Manifest, *, durable: bool) -> None:
    postgres = Postgres(data, durable=durable)
    try:
        await postgres.start()
        for service in SERVICES:  # one after the other: the migration tools are the whole process's
            urls = await postgres.create_database(service)
            await migrations.upgrade(service, dsn=urls.owner, to=manifest.databases[service].revision)
        async with asyncio.TaskGroup() as group:
            for service in SERVICES:
                group.create_task(_load_database(postgres, service, manifest.databases[service]))
    except* PlazoError as failed:
        raise failed.exceptions[0] from None
    finally:
        await postgres.stop()


async def _load_database(postgres: Postgres, service: str, described: DumpedDatabase) -> None:
    """Load the rows of a service, see that all are there, and let the database find its way in its new cluster."""
    connection = await _connect(postgres, service, user=f"{service}_owner")
    try:
        await load_rows(connection, postgres.cluster.with_name("databases") / f"{service}.dump")
        found = await _describe(connection)
        if found != described:
            raise BackupError(f"the database of {service} was not loaded whole: {_difference(described, found)}")
        if await connection.fetchval("SELECT to_regprocedure('after_restore()') IS NOT NULL"):
            await connection.execute("SELECT after_restore()")
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


def _difference(expected: DumpedDatabase, found: DumpedDatabase) -> str:
    if found.revision != expected.revision:
        return f"it is at {found.revision} instead of {expected.revision}"
    return ", ".join(
        f"{table} has {found.rows.get(table)} rows instead of {expected.rows.get(table)}"
        for table in sorted({*expected.rows, *found.rows})
        if expected.rows.get(table) != found.rows.get(table)
    )


async def _run(postgres: Postgres, database: str, program: str, *arguments: Any) -> None:
    """Run a program of PostgreSQL on a database. :raises BackupError: with its words if it fails"""
    environment = {
        **os.environ,
        "PGHOST": "127.0.0.1",
        "PGPORT": str(postgres.port),
        "PGUSER": "postgres",
        "PGPASSWORD": postgres.credentials.get("postgres_postgres"),
        "LC_ALL": "C",
    }
    process = await asyncio.create_subprocess_exec(
        *(str(find_postgres_home() / "bin" / program), f"--dbname={database}", *arguments),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate()
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        raise BackupError(f"{program} failed on {database}: {errors.decode(errors='replace').strip()}")
