"""The whole stack, with real PostgreSQL, NATS and Caddy and a stand-in for each service process."""

import asyncio
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic

import asyncpg
import httpx
import pytest

from plazo.events.envelope import SERVICES
from plazo.local.errors import LocalStackError
from plazo.local.folder import read_state
from plazo.local.ports import choose_port
from plazo.local.postgres import Postgres
from plazo.local.stack import Stack
from plazo.runtime.schema import needed_revision

REPLICAS = [name for service in SERVICES for name in (service, f"{service}-2")]


async def migrate_nothing(_service, _environment):
    """The stand-ins have no tables."""


class Told:
    """What the stack said, and a way to wait for it; the environment each migration was given."""

    def __init__(self):
        self.said = []
        self.environments = {}
        self._news = asyncio.Event()

    def __call__(self, step, state):
        self.said.append((step, state))
        self._news.set()

    async def migrate(self, service, environment):
        self.environments[service] = environment

    async def hear(self, step, state):
        async with asyncio.timeout(30):
            while (step, state) not in self.said:
                self._news.clear()
                await self._news.wait()


@pytest.fixture
def told():
    return Told()


@pytest.fixture(scope="session")
def stack_data(make_data_folder):
    """A data folder that is kept from one stack to the next."""
    return make_data_folder()


@pytest.fixture(scope="session")
def describe_stack(stack_data, stand_in):
    """Describe a stack of stand-ins; `change` what is needed."""

    def describe(data=stack_data, **change):
        usual = {"port": choose_port(), "migrate": migrate_nothing, "command": stand_in, "durable": False}
        return Stack(data, **{**usual, **change})

    return describe


@pytest.fixture(scope="session")
async def running(describe_stack, make_data_folder):
    """A stack of two processes a service that stays up from test to test, and what it said."""
    told = Told()
    stack = describe_stack(make_data_folder(), on_progress=told, migrate=told.migrate, replicas=2)
    async with stack:
        yield stack, told


@pytest.fixture
def stack(running):
    return running[0]


async def get(stack, path):
    async with httpx.AsyncClient(base_url=stack.address, trust_env=False, timeout=10) as client:
        return await client.get(path)


def is_alive(pid):
    """Whether a process runs; a zombie, which nobody has waited for yet, does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


async def test_serves_the_four_services_at_one_address(stack):
    for path, service in {"/v1/tickets": "tickets", "/v1/clocks": "sla_clock", "/v1/teams": "escalation"}.items():
        assert (await get(stack, path)).json()["service"] == service


async def test_says_what_it_starts(running):
    _, told = running
    ready = [step for step, state in told.said if state == "ready"]
    assert set(ready[:-1]) == {"postgres", "nats", "migrations", *REPLICAS}
    assert ready.index("postgres") < ready.index("migrations")
    assert ready[-1] == "caddy"


def command_lines(pids):
    """The command lines of processes and of what they have started, such as PostgreSQL's many."""
    found = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            if {int(status.parent.name), int(status.read_text().rpartition(")")[2].split()[1])} & pids:
                found[str(status.parent)] = (status.parent / "cmdline").read_bytes()
    return found


async def test_shows_no_password_to_who_lists_processes_or_reads_logs(stack):
    secrets = [value.encode() for value in json.loads((stack.data / "secrets.json").read_text()).values()]
    assert len(secrets) > 15
    shown = {str(log): log.read_bytes() for log in (stack.data / "logs").iterdir()}
    shown["state.json"] = (stack.data / "state.json").read_bytes()
    pids = {program.pid for program in stack.describe().programs.values()}
    shown |= command_lines(pids)
    assert len(shown) > 2 * len(pids)
    assert [place for place, content in shown.items() if any(one in content for one in secrets)] == []


async def test_says_what_runs_where(stack):
    state = read_state(stack.data)
    assert state == stack.describe()
    assert set(state.programs) == {"postgres", "nats", *REPLICAS, "caddy"}
    assert state.pid == os.getpid()
    assert all(is_alive(program.pid) for program in state.programs.values())


@pytest.mark.parametrize("name", ["postgres", "nats", "tickets", "billing-2", "caddy"])
async def test_starts_again_what_was_killed(running, name):
    stack, told = running
    before = stack.describe().programs[name]

    os.kill(before.pid, signal.SIGKILL)
    await told.hear(name, "restarted")

    after = read_state(stack.data).programs[name]
    assert (name, "ended: it was killed by SIGKILL; starting it again") in told.said
    assert after.pid != before.pid
    assert after.port == before.port
    assert (await get(stack, "/tickets/readyz")).status_code == 200


async def test_keeps_requests_waiting_while_a_service_restarts(stack):
    for name in ("escalation", "escalation-2"):
        os.kill(stack.describe().programs[name].pid, signal.SIGKILL)
    assert (await get(stack, "/v1/teams")).status_code == 200


async def test_shares_the_requests_among_the_processes_of_a_service(stack):
    assert len({(await get(stack, "/v1/tickets")).json()["pid"] for _ in range(6)}) == 2


async def test_tells_a_service_what_it_needs(running):
    _, told = running
    clock = told.environments["sla_clock"]
    for role, name in (("sla_clock", "PLAZO_DATABASE_URL"), ("sla_clock_system", "PLAZO_SYSTEM_DATABASE_URL")):
        connection = await asyncpg.connect(clock[name])
        who_and_where = await connection.fetchval("SELECT current_user || '@' || current_database()")
        assert who_and_where == f"{role}@plazo_sla_clock"
        await connection.close()
    assert clock["PLAZO_OWNER_DATABASE_URL"].startswith("postgresql://sla_clock_owner:")
    assert clock["PLAZO_NATS_URL"].startswith("nats://sla_clock:")
    assert clock["PLAZO_SERVICE"] == "sla_clock"
    assert len(clock["PLAZO_OPERATOR_KEY"]) >= 32
    assert len({environment["PLAZO_OPERATOR_KEY"] for environment in told.environments.values()}) == 1


async def test_stops_everything_in_order_and_starts_again_with_all_data(describe_stack, told):
    seen = []

    async def look(service, environment):
        if service == "tickets":
            connection = await asyncpg.connect(environment["PLAZO_OWNER_DATABASE_URL"])
            await connection.execute("CREATE TABLE IF NOT EXISTS kept (n int)")
            count = await connection.fetchval("INSERT INTO kept VALUES (1) RETURNING (SELECT count(*) FROM kept)")
            await connection.close()
            seen.append((count, environment["PLAZO_OPERATOR_KEY"]))

    async with describe_stack(on_progress=told, migrate=look) as stack:
        pids = [program.pid for program in stack.describe().programs.values()]

    assert not any(map(is_alive, pids))
    assert read_state(stack.data) is None
    stopped = [step for step, state in told.said if state == "stopped"]
    assert (stopped[0], stopped[-2:]) == ("caddy", ["nats", "postgres"])
    await stack.stop()

    began = monotonic()
    async with describe_stack(migrate=look):
        # Alone on a machine this takes one second; the promise to a newcomer is five with real services.
        assert monotonic() - began < 20
    (first_count, first_key), (second_count, second_key) = seen
    assert (first_count, second_count) == (0, 1)
    assert first_key == second_key


async def test_brings_the_roles_of_a_folder_of_before_up_to_date(make_data_folder, describe_stack):
    data, migrated = make_data_folder(), []

    async def migrate(service, environment):
        migrated.append(service)
        connection = await asyncpg.connect(environment["PLAZO_OWNER_DATABASE_URL"])
        await connection.execute(f"CREATE TABLE alembic_version AS SELECT '{needed_revision(service)}' AS version_num")
        await connection.close()

    async def as_superuser(stack, statement):
        connection = await asyncpg.connect(Postgres(data, port=stack.describe().programs["postgres"].port).dsn())
        answer = await connection.fetchval(statement)
        await connection.close()
        return answer

    async with describe_stack(data, migrate=migrate) as stack:
        await as_superuser(stack, "GRANT CONNECT ON DATABASE postgres TO PUBLIC")
        await as_superuser(stack, "ALTER ROLE tickets CONNECTION LIMIT -1")
        assert await as_superuser(stack, "SELECT has_database_privilege('tickets', 'postgres', 'CONNECT')")
    async with describe_stack(data, migrate=migrate) as stack:
        assert not await as_superuser(stack, "SELECT has_database_privilege('tickets', 'postgres', 'CONNECT')")
        assert await as_superuser(stack, "SELECT rolconnlimit FROM pg_roles WHERE rolname = 'tickets'") == 60
    assert sorted(migrated) == sorted(SERVICES)


async def test_refuses_a_folder_another_stack_is_in(stack, describe_stack):
    with pytest.raises(LocalStackError, match=rf"Plazo already runs on .* \(process {os.getpid()}, {stack.address}\)"):
        await describe_stack(stack.data).start()
    assert (await get(stack, "/v1/tickets")).status_code == 200


async def test_refuses_a_busy_port_before_it_starts_anything(describe_stack, told):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LocalStackError, match=rf"port {port} on 127\.0\.0\.1 is in use .* --port"):
            await describe_stack(port=port, on_progress=told).start()
    assert told.said == []


async def test_refuses_a_host_that_is_not_ours(describe_stack):
    with pytest.raises(LocalStackError, match=r"192\.0\.2\.1 is no address of this machine"):
        await describe_stack(host="192.0.2.1").start()


async def test_refuses_a_folder_it_cannot_write(describe_stack, data):
    (data / "file").touch()
    with pytest.raises(LocalStackError, match=r"cannot write to the data folder .*/file/plazo \(Not a directory\)"):
        await describe_stack(data / "file" / "plazo").start()


@pytest.mark.parametrize(
    ("host", "address"),
    [("0.0.0.0", "http://127.0.0.1:8080"), ("::1", "http://[::1]:8080"), ("127.0.0.1", "http://127.0.0.1:8080")],
)
def test_names_an_address_that_can_be_called(data, host, address):
    assert Stack(data, host=host).address == address


async def test_refuses_less_than_one_process(describe_stack):
    with pytest.raises(LocalStackError, match="replicas must be 1 or more, not 0"):
        describe_stack(replicas=0)


async def test_leaves_nothing_behind_when_a_service_cannot_start(describe_stack, stand_in):
    stack = describe_stack(command=lambda service: [*stand_in(service), *(["fail"] if service == "billing" else [])])
    with pytest.raises(LocalStackError, match=r"(?s)billing stopped with exit code 1 .*no such table: tickets"):
        await stack.start()
    assert stack.describe().programs == {}
    assert read_state(stack.data) is None


async def test_leaves_nothing_behind_when_a_migration_fails(describe_stack):
    async def fail(service, _environment):
        raise LocalStackError(f"the migration of {service} stopped with exit code 1")

    stack = describe_stack(migrate=fail)
    with pytest.raises(LocalStackError, match=r"the migration of [a-z_]+ stopped"):
        await stack.start()
    assert stack.describe().programs == {}


RUN = """
import asyncio, sys
from contextlib import suppress
from pathlib import Path
from plazo.local.stack import Stack

async def migrate_nothing(_service, _environment):
    pass

def say(step, state):
    print(step, state, flush=True)

stack = Stack(
    Path(sys.argv[1]), port=int(sys.argv[2]), on_progress=say, migrate=migrate_nothing, durable=False,
    command=lambda _service: [sys.executable, sys.argv[3]],
)

async def announce():
    say("stack", "up")

asyncio.run(stack.run(when_started=announce))
"""


def run_stack(data, stand_in, *, python=sys.executable, **options):
    """Run a stack in a process of its own."""
    command = [python, "-c", RUN, str(data), str(choose_port()), stand_in("")[1]]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def read_until(process, line):
    for said in process.stdout:
        if said.strip() == line:
            return
    raise AssertionError(f"ended without saying {line!r}: {process.stderr.read()}")


@pytest.mark.parametrize(
    ("step", "number"),
    [
        pytest.param("stack up", signal.SIGINT, id="Ctrl-C"),
        pytest.param("tickets starting", signal.SIGTERM, id="stopped while the services start"),
        pytest.param("postgres starting", signal.SIGHUP, id="terminal closed at once"),
    ],
)
def test_stops_cleanly_on_a_signal(stack_data, stand_in, step, number):
    with run_stack(stack_data, stand_in) as process:
        read_until(process, step)
        state = read_state(stack_data)
        process.send_signal(number)
        said, complaints = process.communicate(timeout=60)
    assert (process.returncode, complaints) == (0, "")
    assert said.splitlines()[-1] == "postgres stopped"
    assert read_state(stack_data) is None
    assert not any(is_alive(program.pid) for program in state.programs.values()) if state else True


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel ties a child to its parent on Linux")
async def test_leaves_no_orphan_when_it_is_killed(stack_data, stand_in, describe_stack):
    with run_stack(stack_data, stand_in) as process:
        read_until(process, "stack up")
        pids = [program.pid for program in read_state(stack_data).programs.values()]
        process.kill()

    async with describe_stack(stack_data):  # at once: it waits for what is still going
        pass

    assert not any(map(is_alive, pids))


@pytest.mark.skipif(os.geteuid() != 0, reason="the other tests already run as an ordinary user")
def test_runs_as_an_ordinary_user(data, stand_in, nobody):
    shutil.chown(data, "nobody")
    with run_stack(data, stand_in, **nobody) as process:
        read_until(process, "stack up")
        owners = {Path(f"/proc/{program.pid}").stat().st_uid for program in read_state(data).programs.values()}
        process.send_signal(signal.SIGINT)
        _, complaints = process.communicate(timeout=60)
    assert owners == {data.stat().st_uid}
    assert (process.returncode, complaints) == (0, "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder of somebody else")
def test_says_so_when_an_ordinary_user_may_not_write(data, stand_in, nobody):
    with run_stack(data / "plazo", stand_in, **nobody) as process:
        _, complaints = process.communicate(timeout=60)
    assert complaints.splitlines()[-1].endswith(
        f"cannot write to the data folder {data}/plazo (Permission denied): "
        "give this user the right to, or choose another with --data"
    )
