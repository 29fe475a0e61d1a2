"""PostgreSQL from its wheel, on a folder of ours.

Only the wheel's programs are used. Its own runner would add a system user and open every parent folder to the world.
"""

import asyncio
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic

from plazo.local import databases
from plazo.local.credentials import Credentials
from plazo.local.errors import LocalStackError
from plazo.local.identity import choose_identity, prepare_child
from plazo.local.ports import choose_port
from plazo.local.process import Process
from plazo.local.wheels import find_postgres_home

_SOCKET_PATH_LIMIT = 107  # bytes, on Linux; the socket is called .s.PGSQL.<port>
_LEFTOVER_SECONDS = 5.0


class Postgres(Process):
    """A cluster in `data/postgres`, on 127.0.0.1 and, where the path is short enough, a Unix socket in that folder."""

    stop_signal = signal.SIGINT  # "fast": ends the sessions, keeps what is committed
    stop_within = 10.0

    def __init__(self, data: Path, *, port: int = 0, durable: bool = True) -> None:
        """Describe the server of the folder `data`. Port 0 chooses a free one.

        Without `durable` it never waits for the disk: much faster, and what a power cut (not a kill) would lose is
        for tests to lose.

        :raises LocalStackError: if the wheel is missing, or we are root and cannot become `nobody`
        """
        data = data.resolve()
        data.mkdir(parents=True, exist_ok=True)
        home = find_postgres_home()
        super().__init__(
            "postgres",
            log=data / "logs" / "postgres.log",
            environment={"LC_ALL": "C", "TZ": "UTC"},
            identity=choose_identity(data, home / "bin" / "postgres"),
        )
        self.cluster = data / "postgres"
        self.port = port or choose_port()
        self.credentials = Credentials(data)
        self._programs = home / "bin"
        self._draft = self.cluster.with_name("postgres.new")
        self._durable = durable

    @property
    def socket_folder(self) -> Path | None:
        """Where the Unix socket is, or None where its path would be too long."""
        socket = self.cluster / f".s.PGSQL.{self.port}"
        return self.cluster if len(os.fsencode(socket)) <= _SOCKET_PATH_LIMIT else None

    def dsn(self, database: str = "postgres", *, user: str = "postgres", password: str | None = None) -> str:
        """Return the address of `database` for `user`; the password is the one we keep for that role."""
        password = password or self.credentials.get(_secret_of(user))
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def describe_database(self, service: str) -> databases.DatabaseUrls:
        """Return how the roles of a service reach its database, whether or not it is there yet."""
        return databases.describe(
            self.dsn(), service=service, password=lambda role: self.credentials.get(_secret_of(role))
        )

    async def create_database(
        self, service: str, *, database: str | None = None, replicas: int = 3
    ) -> databases.DatabaseUrls:
        """Make the roles of `service` and a database for it, where missing. See :func:`databases.create`."""
        return await databases.create(
            self.dsn(),
            service=service,
            database=database,
            replicas=replicas,
            password=lambda role: self.credentials.get(_secret_of(role)),
        )

    async def prepare(self) -> None:
        """Wait for what a killed server left behind to go, and make the cluster the first time.

        :raises LocalStackError: if another server runs on this folder, or its passwords are lost
        """
        await self._wait_for_leftovers()
        if not (self.cluster / "PG_VERSION").exists():
            await self._create_cluster()
        elif _secret_of("postgres") not in self.credentials:
            raise LocalStackError(
                f"{self.cluster} exists but its password is not in secrets.json: restore that file, "
                f"or remove {self.cluster.parent} to begin anew"
            )
        self.command = [
            self._programs / "postgres",
            *("-D", self.cluster, "-p", str(self.port)),
            *("-c", "listen_addresses=127.0.0.1"),
            *("-c", f"unix_socket_directories={self.socket_folder or ''}"),
            *("-c", "max_connections=300", "-c", "timezone=UTC", "-c", "log_timezone=UTC"),
            *(() if self._durable else ("-c", "fsync=off", "-c", "full_page_writes=off")),
        ]

    async def is_ready(self) -> bool:
        """Tell whether the server takes connections."""
        ask = [str(self._programs / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(self.port), "-t", "2"]
        answer = await asyncio.to_thread(subprocess.call, ask)
        return self.is_running and answer == 0

    async def _create_cluster(self) -> None:
        """Run initdb beside the final place and move it there: a cluster is whole or absent."""
        draft = self._draft
        password_file = self.cluster.with_name("postgres.password")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        password_file.touch(mode=0o600)
        password_file.write_text(self.credentials.get(_secret_of("postgres")), encoding="utf-8")
        if self.identity is not None:
            for path in (draft, password_file):
                os.chown(path, self.identity.uid, self.identity.gid)
        making = asyncio.create_task(asyncio.to_thread(self._run_initdb, draft, password_file))
        try:
            await asyncio.shield(making)
        finally:
            await asyncio.wait({making})  # a thread goes on though its waiter was cancelled
            password_file.unlink()
        draft.replace(self.cluster)

    def _run_initdb(self, folder: Path, password_file: Path) -> None:
        command = [
            *(str(self._programs / "initdb"), "-D", str(folder), "--username=postgres", f"--pwfile={password_file}"),
            *("--auth-host=scram-sha-256", "--auth-local=scram-sha-256", "--encoding=UTF8", "--locale=C"),
            *("--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--no-instructions"),
            *(() if self._durable else ("--no-sync",)),
        ]
        try:
            done = subprocess.run(
                command,
                cwd="/",
                env={**os.environ, **self.environment},
                capture_output=True,
                text=True,
                check=False,
                preexec_fn=prepare_child(self.identity, death_signal=signal.SIGTERM),
            )
        except (OSError, subprocess.SubprocessError) as failed:
            raise LocalStackError(
                f"cannot run PostgreSQL as the user nobody ({failed}): start it as an ordinary user"
            ) from failed
        if done.returncode != 0:
            raise LocalStackError(f"PostgreSQL could not create {self.cluster}: {done.stderr.strip()}")

    async def _wait_for_leftovers(self) -> None:
        """A server whose parent was killed takes a moment to go; one that stays belongs to somebody."""
        deadline = monotonic() + _LEFTOVER_SECONDS
        while running := [*_find_servers(self.cluster), *_find_servers(self._draft)]:
            if monotonic() > deadline:
                raise LocalStackError(
                    f"another PostgreSQL (process {running[0]}) runs on {self.cluster}: "
                    f"stop it first (kill -INT {running[0]})"
                )
            await asyncio.sleep(0.05)
        # Nobody serves the folder, yet PostgreSQL would believe a pid that some other program now has.
        (self.cluster / "postmaster.pid").unlink(missing_ok=True)


def _secret_of(role: str) -> str:
    return f"postgres_{role}"


def _find_servers(cluster: Path) -> list[int]:
    """Return the processes that serve `cluster`: the postmaster, or what it left when it was killed."""
    if sys.platform != "linux":
        return _named_postmaster(cluster)
    found = []
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                works_in = (process / "cwd").readlink()
                program = (process / "exe").readlink().name
            except OSError:  # it ended meanwhile, or is not ours to look at
                continue
            if works_in == cluster and program.startswith("postgres"):
                found.append(int(process.name))
    return sorted(found)


def _named_postmaster(cluster: Path) -> list[int]:
    try:
        pid = int((cluster / "postmaster.pid").read_text(encoding="utf-8").split()[0])
    except (OSError, ValueError, IndexError):
        return []
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return []
    except PermissionError:  # it lives, under another user
        return [pid]
    return [pid]
