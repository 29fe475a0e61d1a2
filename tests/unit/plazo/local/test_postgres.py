import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest

from plazo.local import databases
from plazo.local import postgres as postgres_module
from plazo.local.errors import LocalStackError
from plazo.local.postgres import Postgres

is_root = os.geteuid() == 0


async def fetch_value(dsn, query):
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def execute(dsn, *statements):
    connection = await asyncpg.connect(dsn)
    try:
        for statement in statements:
            await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture(scope="session")
async def server(shared_data):
    server = Postgres(shared_data, durable=False)
    yield server
    await server.stop()


@pytest.fixture
async def postgres(server):
    """The shared server, running."""
    await server.start()
    return server


async def test_keeps_what_was_committed_when_it_is_killed(postgres):
    await execute(postgres.dsn(), "CREATE TABLE promise (n int)", "INSERT INTO promise VALUES (7)")

    postgres.kill()
    assert await postgres.ended() == -signal.SIGKILL
    await postgres.start()

    assert await fetch_value(postgres.dsn(), "SELECT n FROM promise") == 7


async def test_stops_cleanly_and_starts_again_with_the_same_passwords(postgres, shared_data):
    await postgres.stop()
    assert postgres.exit_code == 0
    await postgres.stop()

    again = Postgres(shared_data, durable=False)
    await again.start()

    assert await fetch_value(again.dsn(), "SELECT current_setting('TimeZone')") == "UTC"
    await again.stop()


async def test_listens_on_loopback_and_a_unix_socket_only(postgres):
    assert await fetch_value(postgres.dsn(), "SELECT current_setting('listen_addresses')") == "127.0.0.1"
    socket = postgres.cluster / f".s.PGSQL.{postgres.port}"
    assert stat.S_ISSOCK(socket.stat().st_mode)


async def test_asks_every_connection_for_its_password(postgres):
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.dsn(password="wrong"))
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(
            host=str(postgres.cluster), port=postgres.port, user="postgres", password="wrong", database="postgres"
        )


async def test_keeps_the_passwords_to_its_owner(postgres, shared_data):
    assert stat.S_IMODE((shared_data / "secrets.json").stat().st_mode) == 0o600
    assert not (shared_data / "postgres.password").exists()
    assert postgres.credentials.get("postgres_postgres") not in postgres.log.read_text()


async def test_sorts_and_folds_text_without_the_machine_s_locale(postgres):
    urls = await postgres.create_database("tickets")
    assert await fetch_value(urls.app, "SELECT lower('ÑANDÚ')") == "ñandú"
    assert (
        await fetch_value(urls.app, "SELECT datlocprovider::text FROM pg_database WHERE datname = current_database()")
        == "b"
    )


async def test_gives_each_service_three_roles_without_power(postgres):
    await asyncio.gather(*(postgres.create_database(service) for service in ("tickets", "sla_clock")))
    await execute(postgres.dsn(), "ALTER ROLE tickets SUPERUSER BYPASSRLS CREATEDB CREATEROLE")
    await postgres.create_database("tickets")

    columns = "rolname, rolsuper, rolbypassrls, rolcreatedb, rolcreaterole"
    rows = f"SELECT json_agg(json_build_array({columns}) ORDER BY rolname)::text FROM pg_roles"
    roles = await fetch_value(postgres.dsn(), f"{rows} WHERE rolname LIKE 'tickets%'")
    assert roles == (
        '[["tickets", false, false, false, false], '
        '["tickets_owner", false, false, false, false], '
        '["tickets_system", false, false, false, false]]'
    )


async def test_keeps_a_service_out_of_the_database_of_another(postgres):
    tickets = await postgres.create_database("tickets")
    billing = await postgres.create_database("billing")

    stranger = tickets.app.replace("/plazo_tickets", "/plazo_billing")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(stranger)
    assert await fetch_value(billing.system, "SELECT current_user") == "billing_system"


async def test_lets_only_the_owner_make_tables(postgres):
    urls = await postgres.create_database("tickets", database="plazo_test_1")
    assert urls.owner.endswith("/plazo_test_1")

    await execute(urls.owner, "CREATE TABLE ticket (id int)")
    for url in (urls.app, urls.system):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await execute(url, "CREATE TABLE mine (id int)")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await fetch_value(url, "SELECT count(*) FROM ticket")


async def test_makes_databases_as_often_and_at_the_same_time_as_asked(postgres):
    names = ["plazo_a", "plazo_b", "plazo_a", "plazo_c"]
    urls = await asyncio.gather(*(postgres.create_database("tickets", database=name) for name in names))
    assert [await fetch_value(url.app, "SELECT current_database()") for url in urls] == names


async def test_gives_more_connections_to_more_processes_and_to_larger_pools(postgres, monkeypatch):
    limits = "SELECT array_agg(rolconnlimit ORDER BY rolname) FROM pg_roles WHERE rolname LIKE 'tickets%'"
    await postgres.create_database("tickets", replicas=1)
    assert await fetch_value(postgres.dsn(), limits) == [60, 10, 30]  # requests, owner, system
    await postgres.create_database("tickets", replicas=5)
    assert await fetch_value(postgres.dsn(), limits) == [100, 10, 50]
    monkeypatch.setenv("PLAZO_DATABASE_CONNECTIONS", "30")
    await postgres.create_database("tickets")
    assert await fetch_value(postgres.dsn(), limits) == [180, 10, 66]


async def test_needs_no_superuser(postgres):
    """A managed PostgreSQL gives nobody one."""
    await postgres.create_database("tickets")
    await execute(
        postgres.dsn(),
        "CREATE ROLE chief LOGIN CREATEROLE CREATEDB PASSWORD 'pchief'",
        "GRANT CONNECT ON DATABASE postgres TO chief",  # a superuser made the roles of tickets: nobody else is let in
    )
    chief = postgres.dsn(user="chief", password="pchief")
    for _ in range(2):
        urls = await databases.create(chief, service="escalation", password=lambda role: f"p{role}")
    await execute(urls.owner, "CREATE TABLE thing (id int)")
    assert await fetch_value(urls.app, "SELECT current_user") == "escalation"


async def test_names_what_postgres_refuses(postgres):
    with pytest.raises(LocalStackError, match=r"cannot create the database plazo_tickets: .*authentication failed"):
        await databases.create(postgres.dsn(password="wrong"), service="tickets", password=lambda role: role)


async def test_refuses_a_folder_another_server_runs_on(postgres, shared_data, monkeypatch):
    monkeypatch.setattr(postgres_module, "_LEFTOVER_SECONDS", 0.1)
    with pytest.raises(LocalStackError, match=rf"another PostgreSQL \(process {postgres.pid}\) runs on"):
        await Postgres(shared_data, durable=False).start()
    assert await postgres.is_ready()


async def test_is_not_stopped_by_a_pid_file_that_names_somebody_else(postgres):
    # After a power cut the old pid may belong to any program of the same user.
    pid_file = postgres.cluster / "postmaster.pid"
    kept = pid_file.read_text().splitlines()
    postgres.kill()
    await postgres.ended()
    stranger = start_stranger(postgres.cluster.stat().st_uid)
    pid_file.write_text("\n".join([str(stranger.pid), *kept[1:]]) + "\n")

    try:
        await postgres.start()
        assert await postgres.is_ready()
    finally:
        stranger.kill()
        stranger.wait()


def start_stranger(uid):
    return subprocess.Popen(["sleep", "60"], **({"user": uid} if is_root else {}))


async def test_says_so_when_the_passwords_are_lost(postgres, shared_data):
    await postgres.stop()
    kept = (shared_data / "secrets.json").rename(shared_data / "elsewhere.json")
    with pytest.raises(LocalStackError, match=r"its password is not in secrets\.json"):
        await Postgres(shared_data, durable=False).start()
    kept.rename(shared_data / "secrets.json")


async def test_begins_anew_after_an_interrupted_first_start(data):
    (data / "postgres.new").mkdir()
    (data / "postgres.new" / "half").touch()
    server = Postgres(data, durable=False)
    await server.start()
    assert not (data / "postgres.new").exists()
    await server.stop()


async def test_does_without_the_socket_where_its_path_is_too_long(data):
    deep = data / ("long-" * 20)
    server = Postgres(deep, durable=False)
    assert server.socket_folder is None
    await server.start()
    assert await fetch_value(server.dsn(), "SELECT 1") == 1
    await server.stop()


@pytest.mark.skipif(not is_root, reason="only root switches to another user")
async def test_runs_below_a_closed_folder_and_changes_no_permission(data):
    closed = data / "home"
    closed.mkdir(mode=0o700)
    server = Postgres(closed / "plazo", durable=False)
    await server.start()

    assert owner_of(server.pid) != 0
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700
    assert closed.stat().st_uid == 0
    assert stat.S_IMODE(data.stat().st_mode) == 0o755
    await server.stop()


async def test_shows_the_end_of_the_log_when_it_cannot_start(postgres, shared_data):
    await postgres.stop()
    taken = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    server = Postgres(shared_data, port=taken.sockets[0].getsockname()[1], durable=False)
    with pytest.raises(
        LocalStackError, match=r"(?s)postgres stopped with exit code 1 while starting.*Address already in use"
    ):
        await server.start()
    taken.close()
    await taken.wait_closed()


START_AND_WAIT = """
import asyncio, sys
from pathlib import Path
from plazo.local.postgres import Postgres

async def main():
    server = Postgres(Path(sys.argv[1]), durable=False)
    await server.start()
    print(server.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def owner_of(pid):
    return Path(f"/proc/{pid}").stat().st_uid


def start_in_child(data, *, python=sys.executable, **options):
    """Start a server in a process of its own; return that process when the server is up."""
    return subprocess.Popen([python, "-c", START_AND_WAIT, data], stdout=subprocess.PIPE, text=True, **options)


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ties a child to its parent on Linux")
async def test_goes_with_its_parent_when_that_is_killed(postgres, shared_data):
    await postgres.stop()
    with start_in_child(shared_data) as parent:
        parent.stdout.readline()
        parent.kill()

    await postgres.start()  # waits for the other to go, instead of refusing

    assert await fetch_value(postgres.dsn(), "SELECT 1") == 1


@pytest.mark.skipif(not is_root, reason="the other tests already run as an ordinary user")
async def test_runs_as_an_ordinary_user(data, nobody):
    shutil.chown(data, "nobody")
    with start_in_child(data, **nobody) as parent:
        pid = parent.stdout.readline().strip()
        assert owner_of(pid) == data.stat().st_uid
        parent.kill()
    await Postgres(data, durable=False)._wait_for_leftovers()
