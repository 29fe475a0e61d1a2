"""A populated installation as SQL, kept for the upgrade tests of later versions.

Made once at each release, by the code of that release, and never changed afterwards:

    PYTHONPATH=tests .venv/bin/python -m compat.populate

writes `tests/compat/databases/<version>/`: a dump of each service's database, and `expected.json`, what the API said of
it then. To make one for an older version, run this file in a clone of it. The desk and its key follow from the operator
key of the tests and :data:`DESK`, so no secret is kept.
"""

import asyncio
import gzip
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness import OPERATOR_KEY, Client, House, running_house

from plazo.events.envelope import SERVICES
from plazo.local.story import ANSWERED_AT, CHAPTERS, STARTS_AT, Chapter, final_state
from plazo.local.wheels import find_postgres_home
from plazo.policies import policy_text
from plazo.runtime.schema import needed_revision

DATABASES = Path(__file__).with_name("databases")
DESK = "a desk of another version"
LEFT_AT = "2026-05-05T14:30:00Z"


async def enter(house: House, *, name: str = DESK) -> Client:
    """Return the administrator of the populated desk, which is made if it is not there."""
    body = {"name": "Mesa", "sandbox": True, "timezone": "Europe/Madrid", "clock_at": STARTS_AT}
    operator = house.client(OPERATOR_KEY)
    made = await operator.ok("POST", "/v1/desks", json=body, headers={"Idempotency-Key": name})
    return house.client(made["api_key"])


async def populate(house: House, *, name: str = DESK, chapters: Sequence[Chapter] = CHAPTERS) -> None:
    """Live through some days under the five contracts; leave clocks running, a wait open and timers pending."""
    admin = await enter(house, name=name)

    async def do(method: str, path: str, body: dict[str, Any]) -> Any:
        return await admin.ok(method, path, json=body, headers={"Prefer": "wait=20"})

    async def move(to: str) -> None:
        await do("POST", f"/v1/desks/{desk['desk_id']}/clock", {"to": to})

    desk = await admin.ok("GET", "/v1/desk")
    first, contracts = {}, {}
    for chapter in chapters:
        await do("POST", "/v1/policies", {"document": policy_text(chapter.policy)})
        customer = await do("POST", "/v1/customers", {"email": "cliente@example.com", **chapter.customer})
        terms = {"customer_id": customer["customer_id"], "policy": chapter.policy, "valid_from": "2026-01-01"}
        contract = await do("POST", "/v1/contracts", terms | dict(chapter.contract))
        contracts[chapter.policy] = contract["contract_id"]
        if chapter.units:
            [account, *_] = (await admin.ok("GET", f"/v1/accounts?contract={contract['contract_id']}"))["items"]
            grant = {"quantity": chapter.units, "reason": "compra de unidades"}
            await do("POST", f"/v1/accounts/{account['account_id']}/grants", grant)
        opened = await do("POST", "/v1/tickets", {"contract_id": contract["contract_id"], **chapter.ticket})
        first[chapter.policy] = opened["ticket_id"]
    await move(ANSWERED_AT)
    for chapter in chapters:
        ticket = f"/v1/tickets/{first[chapter.policy]}"
        await do("POST", f"{ticket}/replies", {"text": "Estamos trabajando en ello.", "channel": "email"})
        work = {"ticket_id": first[chapter.policy], "started_at": ANSWERED_AT, "minutes": chapter.minutes}
        await do("POST", "/v1/work", work | {"description": "diagnóstico"})
        await do("POST", "/v1/tickets", {"contract_id": contracts[chapter.policy], **chapter.ticket})
    await move(LEFT_AT)
    *solved, waiting, _ = first.values()
    for ticket_id in solved:
        await do("POST", f"/v1/tickets/{ticket_id}/resolutions", {"kind": "fix", "text": "Corregido."})
    await do("POST", f"/v1/tickets/{waiting}/waits", {"cause": "customer", "reason": "falta un dato"})


async def describe(house: House, *, name: str = DESK) -> dict[str, Any]:
    """Return what the API says of the desk, in words that every version has."""
    admin = await enter(house, name=name)
    tickets = await read_all(admin, "/v1/tickets")
    numbers = {ticket["ticket_id"]: ticket["number"] for ticket in tickets}
    described, balances = {}, {}
    for ticket in tickets:
        whole = await admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}")
        timeline = await read_all(admin, f"/v1/tickets/{ticket['ticket_id']}/timeline")
        said = [[entry["occurred_at"], entry["kind"], entry["text"]] for entry in timeline]
        described[ticket["number"]] = final_state(whole) | {"timeline": sorted(said)}
        for account in await read_all(admin, "/v1/accounts", contract=ticket["contract_id"]):
            balances[f"{ticket['policy']} {account['name']}"] = account["balance"]
    return {
        "clock_at": (await admin.ok("GET", "/v1/desk"))["clock_at"],
        "tickets": described,
        "balances": balances,
        "messages": sorted(
            [numbers[message["ticket_id"]], message["event"], message["queued_at"], message["role"], message["to"]]
            for message in await read_all(admin, "/v1/messages")
        ),
    }


async def read_all(client: Client, path: str, **query: str) -> list[dict[str, Any]]:
    """Return a list, page by page."""
    items, cursor = [], None
    while True:
        page = await client.ok("GET", path, params=query | ({"cursor": cursor} if cursor else {}))
        items += page["items"]
        if (cursor := page["next_cursor"]) is None:
            return items


def dump(house: House, service: str) -> bytes:
    """Return a service's database as SQL that any PostgreSQL executes, without what differs from run to run."""
    command = [str(find_postgres_home() / "bin" / "pg_dump"), "--rows-per-insert=1000", "--no-comments"]
    done = subprocess.run([*command, house.postgres.dsn(f"plazo_{service}")], capture_output=True, check=True)
    lines = done.stdout.splitlines(keepends=True)
    return b"".join(line for line in lines if not line.startswith((b"--", b"\\")))


async def keep(folder: Path) -> None:
    """Populate an installation of this version and write it to `folder`."""
    with tempfile.TemporaryDirectory() as data:
        os.chmod(data, 0o755)  # noqa: PTH101  # PostgreSQL may run as another user
        async with running_house(Path(data)) as house:
            await populate(house)
            described = await describe(house)
            dumps = {service: dump(house, service) for service in SERVICES}
    write(folder, dumps, described)


def write(folder: Path, dumps: dict[str, bytes], described: dict[str, Any]) -> None:
    """Write what is kept of a version."""
    folder.mkdir(parents=True)
    for service, sql in dumps.items():
        (folder / f"{service}.sql.gz").write_bytes(gzip.compress(sql, compresslevel=9, mtime=0))
    text = json.dumps(described, ensure_ascii=False, indent=1, sort_keys=True) + "\n"
    (folder / "expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    os.umask(0o022)
    newest = max(needed_revision(service) for service in SERVICES)
    asyncio.run(keep(Path(sys.argv[1]) if sys.argv[1:] else DATABASES / newest))
