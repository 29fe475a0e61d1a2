"""Upgrades: what another version left goes on under this one, and a migration refuses no request."""

import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from compat.populate import DATABASES, LEFT_AT, describe, enter, read_all

from faults.replicas import ReplicatedHouse, running_replicas
from plazo.events.envelope import SERVICES
from plazo.local.postgres import Postgres

VERSIONS = sorted(folder for folder in DATABASES.iterdir() if folder.is_dir())


@asynccontextmanager
async def installation(folder: Path, data: Path) -> AsyncIterator[ReplicatedHouse]:
    """Run this version's services on the databases that another version left, without the streams it had."""

    async def load(postgres: Postgres) -> None:
        for service in SERVICES:
            await postgres.create_database(service)
            connection = await asyncpg.connect(postgres.dsn(f"plazo_{service}"))
            try:
                await connection.execute(gzip.decompress((folder / f"{service}.sql.gz").read_bytes()).decode())
            finally:
                await connection.close()

    async with running_replicas(data, fill=load) as house:
        yield house


@pytest.mark.timeout(180)
@pytest.mark.parametrize("folder", VERSIONS, ids=lambda folder: folder.name)
async def test_what_another_version_left_goes_on(folder: Path, tmp_path: Path) -> None:
    async with installation(folder, tmp_path) as house:
        admin = await enter(house)
        desk = await admin.ok("GET", "/v1/desk")
        await house.settled(desk["desk_id"])

        # Nothing is another than it was, nothing was said or charged anew.
        described = json.loads(json.dumps(await describe(house)))
        assert described == json.loads((folder / "expected.json").read_text(encoding="utf-8"))
        assert desk["clock_at"] == LEFT_AT
        assert (await admin.ok("GET", "/v1/ledger/verification"))["agrees"] is True
        tickets = {ticket["number"]: ticket for ticket in await read_all(admin, "/v1/tickets")}
        assert len(tickets) == 10
        for ticket in tickets.values():
            verdict = await admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline/verification")
            assert verdict["intact"] is True, verdict

        # What was pending then comes about now, on its instant, and is told.
        left = tickets["SMA-10"]
        assert states(left) == {"first_response": "running", "resolution": "running"}
        moved = await admin.ok("POST", f"/v1/desks/{desk['desk_id']}/clock", json={"to": "2026-05-05T18:30:00Z"})
        assert moved["fired"] > 0
        late = await admin.ok("GET", f"/v1/tickets/{left['ticket_id']}")
        [answer] = [clock for clock in late["clocks"] if clock["kind"] == "first_response"]
        assert (answer["state"], answer["breached_at"]) == ("breached", "2026-05-05T18:00:00Z")
        assert [one["trigger"] for one in late["escalations"]].count("breach") == 1

        # And work goes on: on what was left, and on what is new.
        wait = {"headers": {"Prefer": "wait=20"}}
        await admin.ok("POST", f"/v1/tickets/{tickets['SKE-4']['ticket_id']}/waits/customer/end", json={}, **wait)
        assert (await admin.ok("GET", f"/v1/tickets/{tickets['SKE-4']['ticket_id']}"))["waits"] == []
        work = {"ticket_id": left["ticket_id"], "started_at": LEFT_AT, "minutes": 61, "description": "diagnóstico"}
        charged = await admin.ok("POST", "/v1/work", json=work, **wait)
        assert charged["charges"][0]["quantity"] == 2
        new = {"contract_id": left["contract_id"], "channel": "portal", "subject": "Otra vez", "description": "No sale"}
        opened = await admin.ok("POST", "/v1/tickets", json=new | {"facts": {"business_impact": "material"}}, **wait)
        assert opened["number"] == "SMA-11"
        assert states(await admin.ok("GET", f"/v1/tickets/{opened['ticket_id']}")) == {
            "first_response": "running",
            "resolution": "running",
        }
        await house.settled(desk["desk_id"])
        assert (await admin.ok("GET", "/v1/ledger/verification"))["agrees"] is True
        for service in SERVICES:
            letters = await house.fetch(service, "SELECT type, reason FROM dead_letter")
            assert [dict(letter) for letter in letters] == []


def states(ticket: dict[str, Any]) -> dict[str, str]:
    """Return the states of a ticket's clocks by kind."""
    return {clock["kind"]: clock["state"] for clock in ticket["clocks"]}
