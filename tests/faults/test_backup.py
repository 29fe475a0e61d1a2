"""A back-up under load, restored into an empty place, is the same house, and goes on; a bad file is refused."""

import asyncio
import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from compat.populate import DATABASES
from harness import Client, DeskUnderTest, House, clock_of, eventually, running_house

from plazo.events.envelope import SERVICES
from plazo.local import backup
from plazo.local.archive import MANIFEST, SEAL, BackupError, fingerprint, seal
from plazo.local.folder import DataFolder, ProgramState, StackState
from plazo.local.loading import load_rows
from plazo.local.postgres import Postgres
from plazo.local.wheels import find_postgres_home
from plazo.policies import policy_text
from tickets.repository.search import read_feed

LIVE_TARGET = "8s"  # long enough for the snapshots to be taken before
OCTETS = {"Content-Type": "application/octet-stream"}


@contextmanager
def seen_as_running(house: House) -> Iterator[Path]:
    """Let the house's data folder look as that of `plazo up`, which holds its lock and says where its database is."""
    data = house.postgres.cluster.parent
    folder = DataFolder(data)
    folder.enter(address="the tests")
    folder.save_state(
        StackState("http://house", 0, {"postgres": ProgramState(pid=0, port=house.postgres.port, log="")})
    )
    yield data
    folder.leave()


async def grow_old(house: House) -> None:
    """Let the cluster have seen more transactions than a new one has."""
    connection = await asyncpg.connect(house.postgres.dsn("plazo_tickets"))
    try:
        await connection.execute(
            "DO $$ BEGIN FOR number IN 1..20000 LOOP PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
        )
    finally:
        await connection.close()


async def sign(desk: DeskUnderTest, document: str) -> dict[str, Any]:
    """Sign a contract under a variant of SmartCloud's policy, and buy seven units."""
    admin = desk.admin
    await admin.ok("POST", "/v1/policies", json={"document": document})
    contract = await desk.customer("smartcloud", plan="dedicated")
    [account] = (await admin.ok("GET", "/v1/accounts", params={"contract": contract["contract_id"]}))["items"]
    await admin.ok("POST", f"/v1/accounts/{account['account_id']}/grants", json={"quantity": 7, "reason": "factura 17"})
    await desk.settled()
    return contract | {"account_id": account["account_id"]}


async def tell_a_story(desk: DeskUnderTest) -> dict[str, Any]:
    """Fill a desk: a ticket with clocks, a breach, its escalation, a charge, a file and a secret."""
    admin = desk.admin
    contract = await sign(desk, policy_text("smartcloud"))
    ticket = await desk.open_ticket(contract, facts={"business_impact": "material"})
    path = f"/v1/tickets/{ticket['ticket_id']}"
    await admin.ok("POST", f"{path}/replies", json={"text": "Lo miramos"})
    await admin.ok("POST", f"{path}/attachments", params={"name": "a.txt"}, content=b"siete", headers=OCTETS)
    await admin.ok("POST", f"{path}/secrets", json={"label": "VPN", "value": "Tr0ub4dor"})
    work = {"ticket_id": ticket["ticket_id"], "started_at": "2026-05-04T11:30:00Z", "minutes": 61, "description": "x"}
    await admin.ok("POST", "/v1/work", json=work)
    await admin.ok("POST", f"/v1/desks/{desk.desk_id}/clock", json={"advance": "5h"})
    return contract | {"ticket_id": ticket["ticket_id"]}


async def everything(client: Client, told: dict[str, Any]) -> dict[str, Any]:
    """Return all that can be read of the story."""
    ticket = told["ticket_id"]
    paths = {
        "evidence": f"/v1/tickets/{ticket}/evidence",
        "chain": f"/v1/tickets/{ticket}/timeline/verification",
        "clocks": f"/v1/clocks?ticket={ticket}",
        "escalations": f"/v1/escalations?ticket={ticket}",
        "messages": f"/v1/messages?ticket={ticket}",
        "account": f"/v1/accounts/{told['account_id']}",
        "work": f"/v1/work?ticket={ticket}",
        "ledger": "/v1/ledger/verification",
        "policies": "/v1/policies",
        "attachments": f"/v1/tickets/{ticket}/attachments",
    }
    found = {name: await client.ok("GET", path) for name, path in paths.items()}
    # Seals are set by and by.
    found["ledger"] = {name: found["ledger"][name] for name in ("agrees", "faults", "transactions", "entries")}
    return found


async def work_on(desk: DeskUnderTest, contract: dict[str, Any], stop: asyncio.Event) -> list[str]:
    """Open tickets and answer them until told to stop; returns those whose reply was accepted too."""
    done = []
    while not stop.is_set():
        body = {"contract_id": contract["contract_id"], "subject": "s", "description": "d", "channel": "email"}
        opened = await desk.admin.ok("POST", "/v1/tickets", json=body)
        await desk.admin.ok("POST", f"/v1/tickets/{opened['ticket_id']}/replies", json={"text": "Hola"})
        done.append(opened["ticket_id"])
    return done


async def readers_ahead(house: House) -> list[Any]:
    """Return what a service has taken in and its announcer does not know."""
    announced = {
        name: {row["aggregate_id"]: row["version"] for row in await house.fetch(name, "SELECT * FROM outbox_version")}
        for name in SERVICES
    }
    return [
        (reader, row["producer"], row["aggregate_id"])
        for reader in SERVICES
        for row in await house.fetch(reader, "SELECT producer, aggregate_id, version FROM inbox_position")
        if announced[row["producer"]].get(row["aggregate_id"], 0) < row["version"]
    ]


async def test_a_restored_house_is_the_same_and_goes_on(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await grow_old(house)
    desk, busy, live = await house.new_desk(), await house.new_desk(), await house.new_desk(sandbox=False)
    lively = await sign(
        live, policy_text("smartcloud").replace("first_response: 4h", f"first_response: {LIVE_TARGET}", 1)
    )
    told = await tell_a_story(desk)
    await busy.publish("expande")
    contract = await busy.customer("expande", plan="basic")
    before = await everything(desk.admin, told)
    assert before["chain"]["intact"]
    assert before["ledger"]["agrees"]

    # Tickets that are opened just before and just after the snapshot of their service, and before the others'.
    take_snapshot, around = backup._take_snapshot, []

    async def open_around(connection: asyncpg.Connection) -> backup._Snapshot:
        if not around:
            around.append(await busy.admin.ok("POST", "/v1/tickets", json=_ticket(contract)))
            snapshot = await take_snapshot(connection)
            around.append(await busy.admin.ok("POST", "/v1/tickets", json=_ticket(contract)))
            await asyncio.sleep(0.5)  # it would be everywhere by now
            return snapshot
        return await take_snapshot(connection)

    monkeypatch.setattr(backup, "_take_snapshot", open_around)
    stop = asyncio.Event()
    working = [asyncio.create_task(work_on(busy, contract, stop)) for _ in range(2)]
    file = tmp_path / "backup.tar"
    pending = await live.open_ticket(lively, facts={"business_impact": "material"})
    with seen_as_running(house) as data:
        house.postgres.credentials.encryption_key("secrets_key")
        manifest = await backup.back_up(data, file)
        stop.set()
    answered = [ticket for task in working for ticket in await task]
    assert answered, "nothing was done meanwhile"

    copy = tmp_path / "elsewhere" / "copy"
    copy.parent.mkdir()
    assert await backup.restore(file, copy, durable=False) == manifest
    assert manifest.encryption_key == fingerprint((data / "secrets.json").read_bytes()) != ""
    due_at = clock_of(pending, "first_response")["due_at"]
    assert manifest.taken_at < datetime.fromisoformat(due_at)
    assert (copy / "secrets.json").read_bytes() == (data / "secrets.json").read_bytes()
    assert sorted(path.name for path in copy.parent.iterdir()) == ["copy"]

    async with running_house(copy) as restored:
        assert await readers_ahead(restored) == []
        desk, busy, live = (moved(one, restored) for one in (desk, busy, live))

        async def breached_at() -> str | None:
            return clock_of(await live.ticket(pending), "first_response")["breached_at"]

        assert await eventually(breached_at, seconds=20) == due_at
        await desk.settled()
        await busy.settled()
        assert await everything(desk.admin, told) == before
        [attached] = before["attachments"]["items"]
        content = await desk.admin.get(f"/v1/attachments/{attached['attachment_id']}/content")
        assert content.content == b"siete"
        # What had not left tickets arrived; what it did not know then is nowhere.
        kept, gone = around
        assert clock_of(await busy.ticket(kept), "first_response")["state"] == "running"
        await busy.admin.refused(404, "GET", f"/v1/tickets/{gone['ticket_id']}")
        assert (await busy.admin.ok("GET", f"/v1/clocks?ticket={gone['ticket_id']}"))["items"] == []
        known = {row["ticket_id"] for row in await restored.fetch("tickets", "SELECT ticket_id FROM ticket")}
        for ticket_id in known & {UUID(ticket) for ticket in answered}:
            assert (await busy.ticket({"ticket_id": ticket_id}))["clocks"]
        # It goes on: a timer of a sandbox fires too, a new ticket goes all the way, cursors of streams are good.
        moved_on = await desk.advance(to="2026-05-08T13:00:00Z")
        assert moved_on["fired"] > 0
        cursor = await last_entry(restored)
        new = await busy.open_ticket(contract)
        assert clock_of(new, "first_response")["state"] == "running"
        assert await feed(restored, busy, behind=cursor) == {new["ticket_id"]}
        assert await readers_ahead(restored) == []


async def test_a_back_up_without_secrets_holds_none_and_is_restored_with_them_beside_it(
    house: House, tmp_path: Path
) -> None:
    house.postgres.credentials.encryption_key("secrets_key")
    file = tmp_path / "backup.tar"
    with seen_as_running(house) as data:
        desk = data / "desk.json"
        desk.write_text('{"api_key": "of the first desk"}')
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                *("-m", "plazo.cli", "backup", str(file), "--data", str(data), "--no-secrets"),
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            said, _ = await process.communicate()
        finally:
            desk.unlink()
    assert process.returncode == 0, said.decode()
    assert "holds no secrets" in said.decode()
    secrets = (data / "secrets.json").read_bytes()
    with tarfile.open(file) as tar:
        assert {"secrets.json", "desk.json"} & set(tar.getnames()) == set()
    content = file.read_bytes()
    assert b"of the first desk" not in content
    assert [name for name, secret in json.loads(secrets).items() if secret.encode() in content] == []

    copy = tmp_path / "copy"
    manifest = await backup.restore(file, copy, secrets=data / "secrets.json", durable=False)
    assert not manifest.has_secrets
    assert (copy / "secrets.json").read_bytes() == secrets
    assert (copy / "secrets.json").stat().st_mode & 0o777 == 0o600


VERSIONS = sorted(folder for folder in DATABASES.iterdir() if folder.is_dir())


@asynccontextmanager
async def installation(data: Path, version: Path) -> AsyncIterator[Postgres]:
    """Run a cluster with the databases that a version left."""
    postgres = Postgres(data, durable=False)
    async with running(postgres):
        for service in SERVICES:
            await postgres.create_database(service)
            left = gzip.decompress((version / f"{service}.sql.gz").read_bytes()).decode()
            await execute(postgres, left, database=f"plazo_{service}")
        yield postgres


@asynccontextmanager
async def running(postgres: Postgres) -> AsyncIterator[None]:
    await postgres.start()
    try:
        yield
    finally:
        await postgres.stop()


async def execute(postgres: Postgres, sql: str, *, database: str = "postgres") -> None:
    connection = await asyncpg.connect(postgres.dsn(database))
    try:
        await connection.execute(sql)
    finally:
        await connection.close()


def dumped(postgres: Postgres, database: str, *arguments: str) -> bytes:
    command = [str(find_postgres_home() / "bin" / "pg_dump"), "--no-comments", *arguments, postgres.dsn(database)]
    return subprocess.run(command, capture_output=True, check=True).stdout


def whole(postgres: Postgres, service: str) -> list[str]:
    """Return all that there is in a database, in no order."""
    lines = dumped(postgres, f"plazo_{service}").decode().splitlines()
    # A restored cluster counts its transactions from elsewhere; the key of a dump is of that dump.
    return sorted(
        line for line in lines if not line.startswith("\\") and not re.search(r"SELECT '?\d+'?::bigint", line)
    )


@pytest.mark.timeout(180)
@pytest.mark.parametrize("version", VERSIONS, ids=lambda folder: folder.name)
async def test_an_older_version_is_loaded_into_tables_of_its_own(version: Path, tmp_path: Path) -> None:
    file, copy = tmp_path / "backup.tar", tmp_path / "copy"
    async with installation(tmp_path / "data", version) as postgres:
        before = {service: whole(postgres, service) for service in SERVICES}
    manifest = await backup.back_up(tmp_path / "data", file, durable=False)
    assert {one.revision for one in manifest.databases.values()} >= {version.name}

    assert await backup.restore(file, copy, secrets=tmp_path / "data" / "secrets.json", durable=False) == manifest
    restored = Postgres(copy, durable=False)
    async with running(restored):
        for service in SERVICES:
            assert whole(restored, service) == before[service]


def alter(file: Path, target: Path, change: Callable[[dict[str, bytes]], object]) -> None:
    """Change the files of a back-up, with their checksums and, by the key inside, its seal."""
    with tarfile.open(file) as tar:
        files = {name: tar.extractfile(name).read() for name in tar.getnames()}  # type: ignore[union-attr]
    del files[SEAL]
    manifest = json.loads(files.pop(MANIFEST))
    change(files)
    manifest["files"] = {
        name: {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()
    }
    files[MANIFEST] = json.dumps(manifest).encode()
    files[SEAL] = seal(files[MANIFEST], secrets=files["secrets.json"])
    with tarfile.open(target, "w") as tar:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, BytesIO(content))


CHECKED_BY_A_PROGRAM = """
CREATE FUNCTION public.run(integer) RETURNS integer LANGUAGE plpgsql AS
  $run$ BEGIN COPY (SELECT 1) {program}; RETURN $1; END $run$;
CREATE TABLE public.t (a integer CHECK (public.run(a) > 0));
INSERT INTO public.t VALUES (1);
"""


@pytest.fixture
def marker() -> Iterator[Path]:
    """Where a program would leave its trace; PostgreSQL, which may run as another user, may write there."""
    with tempfile.TemporaryDirectory() as room:
        os.chmod(room, 0o777)  # noqa: PTH101
        yield Path(room, "m")


@pytest.mark.timeout(180)
async def test_nothing_in_a_back_up_is_run(tmp_path: Path, marker: Path) -> None:
    """Whoever has the key of the seal, which is in the file, and alters the file as he likes, runs nothing."""
    program = f"TO PROGRAM $$touch {marker}$$"
    async with installation(tmp_path / "data", VERSIONS[-1]) as postgres:
        await execute(postgres, "CREATE DATABASE other")
        await execute(postgres, CHECKED_BY_A_PROGRAM.format(program=program), database="other")
        assert names(marker.parent) == {"m"}, "loading it runs no program"
        another = dumped(postgres, "other", "--format=custom")
    marker.unlink()  # noqa: ASYNC240
    file, altered = tmp_path / "backup.tar", tmp_path / "altered.tar"
    await backup.back_up(tmp_path / "data", file, durable=False)
    alter(file, altered, lambda files: files.update({"databases/tickets.dump": another}))
    with pytest.raises(BackupError, match=r"tickets\.dump was altered: it holds 'COPY public\.t "):
        await backup.restore(altered, tmp_path / "copy", durable=False)
    assert names(marker.parent) == set()
    assert names(tmp_path) == {"data", "backup.tar", "altered.tar"}


@pytest.mark.timeout(180)
async def test_statements_of_a_dump_are_read_and_not_executed(tmp_path: Path, marker: Path) -> None:
    rows, number = rb"COPY public\.ticket \([^;]*;", rb"SELECT pg_catalog\.setval\([^;]*;"
    async with installation(tmp_path, VERSIONS[-1]) as postgres:
        before = whole(postgres, "tickets")
        dump = dumped(postgres, "plazo_tickets", "--format=custom")
        connection = await asyncpg.connect(postgres.dsn("plazo_tickets", user="tickets_owner"))
        for pattern, statement in (
            (rows, f"COPY (SELECT 1) TO PROGRAM $$touch {marker}$$;"),
            (rows, f"\\! touch {marker}\n"),
            (rows, "COPY public.ticket (desk_id) FROM stdin;"),
            (rows, "COPY public.pg_authid (ticket_id) FROM stdin;"),
            (rows, "DELETE FROM public.ticket;"),
            (number, "SELECT after_restore();"),
            (number, "SELECT pg_catalog.setval('public.x', 1, true);"),
        ):
            found = re.search(pattern, dump)
            assert found is not None
            (file := tmp_path / "tickets.dump").write_bytes(
                dump.replace(found[0], statement.encode().ljust(len(found[0])))
            )
            with pytest.raises(BackupError, match=f"was altered: it holds .*{re.escape(statement[:10].strip())}"):
                await load_rows(connection, file)
        await connection.close()
        assert whole(postgres, "tickets") == before
    assert names(marker.parent) == set()


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


async def last_entry(house: House) -> tuple[int, int]:
    """Return where a stream of timelines would be resumed."""
    [row] = await house.fetch(
        "tickets", "SELECT transaction_id, seq FROM timeline_entry ORDER BY transaction_id DESC, seq DESC LIMIT 1"
    )
    return row["transaction_id"], row["seq"]


async def feed(house: House, desk: DeskUnderTest, *, behind: tuple[int, int]) -> set[str]:
    """Return the tickets that a stream shows behind a cursor, when nothing is under way any more."""

    async def settled() -> list[Any]:
        async with house.runtime("tickets").database.system.acquire() as connection:
            rows = await read_feed(
                connection, after=behind, ticket_id=None, customer_id=None, with_internal=True, limit=200
            )
        return rows if all(row["is_settled"] for row in rows) else []

    return {str(row["ticket_id"]) for row in await eventually(settled)}


def _ticket(contract: dict[str, Any]) -> dict[str, Any]:
    return {"contract_id": contract["contract_id"], "subject": "s", "description": "d", "channel": "email"}


def moved(desk: DeskUnderTest, house: House) -> DeskUnderTest:
    """Return the same desk, with the same key, in another house."""
    token = desk.admin.headers["Authorization"].removeprefix("Bearer ")
    return DeskUnderTest(house=house, desk_id=desk.desk_id, admin=house.client(token))
