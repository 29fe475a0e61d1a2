"""Three replicas of every service at once behave as one."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from compat.populate import describe, populate
from harness import Client, DeskUnderTest, eventually

from faults.replicas import ReplicatedHouse, running_replicas
from plazo.events.envelope import SERVICES
from plazo.local.story import CHAPTERS
from plazo.policies import policy_text
from plazo.runtime.clock import SystemClock
from plazo.runtime.signatures import sign
from tickets.usecases.streaming import follow_timelines

REPLICAS = range(3)
WAIT = {"Prefer": "wait=20"}
PORTAL = {"channel": "portal"}
TIMERS = 600  # more than a batch, and at least two replicas want them; twenty thousand are in `make bench`


@pytest.fixture(scope="module")
async def three(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReplicatedHouse]:
    """Three of each service."""
    async with running_replicas(tmp_path_factory.mktemp("three"), replicas=len(REPLICAS)) as house:
        yield house


@pytest.fixture
async def desk(three: ReplicatedHouse) -> DeskUnderTest:
    """A fresh desk of the replicas."""
    return await three.new_desk()


def each(house: ReplicatedHouse, client: Client) -> list[Client]:
    """Return the same caller once for each replica."""
    return [house.through(client, number) for number in REPLICAS]


async def test_what_one_wrote_all_read(three: ReplicatedHouse, desk: DeskUnderTest) -> None:
    one, two, other = each(three, desk.admin)
    customer = await one.ok("POST", "/v1/customers", json={"name": "C", "email": "c@example.com"})
    await two.ok("POST", "/v1/policies", json={"document": policy_text("smartcloud")})
    terms = {"customer_id": customer["customer_id"], "policy": "smartcloud", "plan": "dedicated"}
    contract = await other.ok("POST", "/v1/contracts", json=terms | {"valid_from": "2020-01-01"}, headers=WAIT)
    [account] = (await one.ok("GET", f"/v1/accounts?contract={contract['contract_id']}"))["items"]
    await two.ok("POST", f"/v1/accounts/{account['account_id']}/grants", json={"quantity": 3, "reason": "r"})

    request = {"contract_id": contract["contract_id"], "channel": "portal", "subject": "S", "description": "D"}
    for writer in (one, two, other):
        body = request | {"facts": {"business_impact": "material"}}
        answer = await writer.post("/v1/tickets", json=body, headers=WAIT)
        assert answer.headers["Preference-Applied"] == "wait=20", "any replica can tell that all has settled"
        ticket_id = answer.json()["ticket_id"]
        views = [await reader.ok("GET", f"/v1/tickets/{ticket_id}") for reader in (one, two, other)]
        assert views[0] == views[1] == views[2]
        clocks = [await reader.ok("GET", f"/v1/clocks?ticket={ticket_id}") for reader in (one, two, other)]
        assert clocks[0] == clocks[1] == clocks[2]
        assert [clock["state"] for clock in clocks[0]["items"]] == ["running", "running"]


async def test_a_key_used_at_all_replicas_at_once_has_one_effect(three: ReplicatedHouse, desk: DeskUnderTest) -> None:
    contract = await contract_with(desk, units=50)
    ticket = await desk.open_ticket(contract, facts={"business_impact": "material"})
    [account] = (await desk.admin.ok("GET", f"/v1/accounts?contract={contract['contract_id']}"))["items"]
    work = {"ticket_id": ticket["ticket_id"], "started_at": "2026-05-04T11:00:00Z", "minutes": 61, "description": "d"}
    for path, body in (
        ("/v1/customers", {"name": "Una", "email": "una@example.com"}),
        ("/v1/tickets", {"contract_id": contract["contract_id"], "subject": "S", "description": "D"} | PORTAL),
        (f"/v1/tickets/{ticket['ticket_id']}/replies", {"text": "Hola", "channel": "email"}),
        (f"/v1/accounts/{account['account_id']}/grants", {"quantity": 5, "reason": "r"}),
        ("/v1/work", work),
    ):
        headers = {"Idempotency-Key": f"once {path}"}
        answers = await asyncio.gather(
            *(one.post(path, json=body, headers=headers) for one in each(three, desk.admin) * 2)
        )
        assert {answer.status_code for answer in answers} == {201}, answers[0].text
        assert len({json.dumps(identity(answer), sort_keys=True) for answer in answers}) == 1, path
        replayed = Counter("Idempotency-Replayed" in answer.headers for answer in answers)
        assert replayed == {False: 1, True: 5}, path
    await desk.settled()
    [after] = (await desk.admin.ok("GET", f"/v1/accounts?contract={contract['contract_id']}"))["items"]
    assert after["balance"] == 50 + 5 - 2


def identity(answer: httpx.Response) -> Any:
    """Return what names the effect of a request; the first answer may already have been read again."""
    body = answer.json()
    names = ("ticket_id", "customer_id", "work_id", "entry_id", "transaction_id", "number")
    return {name: body[name] for name in names if name in body}


async def test_what_is_revoked_at_one_is_refused_by_all_at_once(three: ReplicatedHouse, desk: DeskUnderTest) -> None:
    issued = await desk.admin.ok("POST", "/v1/keys", json={"role": "manager", "label": "m"}, headers=WAIT)
    manager = three.client(issued["api_key"])
    for service in ("tickets", "sla-clock", "escalation", "billing"):
        for one in each(three, manager):
            assert (await one.get(f"/{service}/v1/audit")).status_code == 403, "known, and not let in there"

    revoked = await three.through(desk.admin, 1).ok("POST", f"/v1/keys/{issued['key_id']}/revoke")

    # No waiting: the answer said that every service knows, and a replica keeps nothing of a key in memory.
    assert revoked["everywhere"] is True
    for service in ("tickets", "sla-clock", "escalation", "billing"):
        for one in each(three, manager):
            assert (await one.get(f"/{service}/v1/audit")).status_code == 401


async def test_a_policy_published_at_one_is_known_to_all(three: ReplicatedHouse, desk: DeskUnderTest) -> None:
    one, two, other = each(three, desk.admin)
    await two.ok("POST", "/v1/policies", json={"document": policy_text("ireo")}, headers=WAIT)
    for reader in (one, two, other):
        assert [found["policy"] for found in await reader.ok("GET", "/v1/policies")] == ["ireo"]
    contract = await desk.customer("ireo", plan="standard")
    request = {"contract_id": contract["contract_id"], "channel": "email", "subject": "S", "description": "D"}
    opened = await asyncio.gather(
        *(who.ok("POST", "/v1/tickets", json=request, headers=WAIT) for who in (one, two, other))
    )
    for ticket in opened:
        read = await desk.ticket(ticket)
        assert [clock["state"] for clock in read["clocks"]] == ["running"] * len(read["clocks"])
        assert read["clocks"]


async def test_a_secret_rotated_at_one_is_taken_by_all(three: ReplicatedHouse, desk: DeskUnderTest) -> None:
    await desk.publish("ireo")
    contract = await desk.customer("ireo", plan="standard")
    action = [{"template": "{kind}", "values": {"new": "open"}}]
    mapping = {"thread": "{id}", "action": action, "subject": "{title}", "description": "{title}"}
    hook = await desk.admin.ok(
        "POST", "/v1/hooks", json={"name": "m", "contract_id": contract["contract_id"], "mapping": mapping}
    )
    now = three.runtime("tickets").clock.now()

    async def post(number: int, secret: str, delivery: str) -> httpx.Response:
        body = json.dumps({"id": delivery, "kind": "new", "title": "Disk full"}).encode()
        headers = sign(body, secret=secret, message_id=delivery, at=now)
        return await three.through(desk.admin, number).post(hook["path"], content=body, headers=headers)

    rotated = await three.through(desk.admin, 2).ok(
        "POST", f"/v1/hooks/{hook['hook_id']}/rotations", json={"overlap_hours": 0}
    )
    for number in REPLICAS:
        assert (await post(number, hook["secret"], f"old {number}")).status_code == 401
        assert (await post(number, rotated["secret"], f"new {number}")).is_success
    at_once = await asyncio.gather(*(post(number, rotated["secret"], "the same") for number in REPLICAS))
    assert sorted(answer.json()["duplicate"] for answer in at_once) == [False, True, True]


async def test_thousands_of_timers_of_one_instant_fire_once_each(three: ReplicatedHouse) -> None:
    desk = await three.new_desk(sandbox=False)
    system = three.runtime("sla_clock").database.system
    async with system.acquire() as connection, connection.transaction():
        await connection.execute(
            "INSERT INTO ticket SELECT gen_random_uuid(), $1, n::text, $1, 'none', '1', NULL, NULL, true, now() "
            "FROM generate_series(1, $2::int) n",
            desk.desk_id,
            TIMERS,
        )
        await connection.execute(
            "INSERT INTO timer SELECT gen_random_uuid(), $1, ticket_id, 'request', now() + interval '1 s', true, "
            "'armed', 'nobody', '{}' FROM ticket WHERE desk_id = $1",
            desk.desk_id,
        )

    async def all_fired() -> bool:
        armed = await three.fetch(
            "sla_clock", "SELECT count(*) AS n FROM timer WHERE desk_id = $1 AND state <> 'fired'", desk.desk_id
        )
        return bool(armed[0]["n"] == 0)

    await eventually(all_fired, seconds=30)
    [fired] = await three.fetch(
        "sla_clock",
        "SELECT count(*) AS events, count(DISTINCT data->>'timer_id') AS timers, bool_and(recorded_at >= occurred_at) "
        "AS in_time FROM outbox WHERE desk_id = $1 AND type = 'timer.fired.v1'",
        desk.desk_id,
    )
    assert (fired["events"], fired["timers"], fired["in_time"]) == (TIMERS, TIMERS, True)
    await three.settled(desk.desk_id, seconds=60)


async def test_charges_of_three_replicas_on_one_account_add_up(three: ReplicatedHouse, desk: DeskUnderTest) -> None:
    contract = await contract_with(desk, units=20)
    tickets = [await desk.open_ticket(contract, facts={"business_impact": "material"}) for _ in range(3)]

    async def log(number: int, at: int) -> Any:
        body = {"ticket_id": tickets[at % 3]["ticket_id"], "minutes": 60, "description": "d"}
        body["started_at"] = f"2026-05-0{1 + at // 20}T{at % 20:02}:00:00Z"
        return await three.through(desk.admin, number).ok("POST", "/v1/work", json=body)

    logged = await asyncio.gather(*(log(at % 3, at) for at in range(36)))
    assert len({one["work"]["work_id"] for one in logged}) == 36

    await desk.settled()
    path = f"/v1/accounts?contract={contract['contract_id']}"
    for reader in each(three, desk.admin):
        balances = {account["kind"]: account["balance"] for account in (await reader.ok("GET", path))["items"]}
        assert balances == {"prepaid": 0, "owed": -16}, "20 from the account, never below nothing; 36 - 20 are owed"
    rows = await three.fetch(
        "billing",
        "SELECT sum(amount) AS off, min(remaining) AS least FROM ledger_entry e LEFT JOIN lot l USING (lot_id) "
        "WHERE e.desk_id = $1",
        desk.desk_id,
    )
    assert (rows[0]["off"], rows[0]["least"]) == (0, 0)

    async def sealed() -> bool:
        verdict = await desk.admin.ok("GET", "/v1/ledger/verification")
        assert verdict["agrees"] is True, verdict
        return bool(verdict["waiting"] == 0 and verdict["sealed"] == verdict["transactions"])

    await eventually(sealed)  # three seal at once, in one chain


async def test_a_stream_goes_on_at_another_replica(three: ReplicatedHouse, desk: DeskUnderTest) -> None:
    await desk.publish("expande")
    ticket = await desk.open_ticket(await desk.customer("expande", plan="basic"))
    cursor: str | None = None
    heard: list[str] = []
    said = [f"{text} desde {number}" for number in REPLICAS for text in ("uno", "dos")]
    for text in said:
        number = int(text[-1])
        runtime = three.running["tickets"][number][0].state.runtime
        now = SystemClock().now()
        principal = await runtime.admit(desk.admin.headers["authorization"], now=now)
        stream = follow_timelines(
            runtime.unit_of_work(desk_id=desk.desk_id, now=now),
            runtime,
            reader=principal,
            cursor=cursor,
            ticket_id=UUID(ticket["ticket_id"]),
            customer_id=None,
            with_internal=True,
        )
        first = await asyncio.wait_for(anext(stream), 5)
        assert first.kind == "ready"
        cursor = cursor or first.cursor
        # It is said at another replica than the one that is listened to.
        path = f"/v1/tickets/{ticket['ticket_id']}/replies"
        speaker = three.through(desk.admin, (number + 1) % 3)
        await speaker.ok("POST", path, json={"text": text, "channel": "email"}, headers=WAIT)
        while text not in heard:
            event = await asyncio.wait_for(anext(stream), 5)
            cursor = event.cursor
            heard += [one for one in said if one == event.data.get("text")]
        await stream.aclose()
    assert heard == said, "each once, in order"


async def test_the_test_clock_is_moved_at_all_replicas_at_once(three: ReplicatedHouse, desk: DeskUnderTest) -> None:
    contract = await contract_with(desk, units=5)
    ticket = await desk.open_ticket(contract, facts={"business_impact": "material"})
    path = f"/v1/desks/{desk.desk_id}/clock"
    answers = await asyncio.gather(*(one.post(path, json={"advance": "2h"}) for one in each(three, desk.admin)))
    assert {answer.status_code for answer in answers} <= {200, 409}, [answer.text for answer in answers]
    moved = [answer for answer in answers if answer.status_code == 200]
    now = datetime(2026, 5, 4, 13 + 2 * len(moved), tzinfo=UTC)
    for reader in each(three, desk.admin):
        assert datetime.fromisoformat((await reader.ok("GET", path))["clock_at"]) == now
    await desk.advance(to="2026-05-04T20:00:00Z")
    breaches = await three.events("sla_clock", desk.desk_id, "clock.breached.v1")
    assert [breach["occurred_at"].hour for breach in breaches] == [17], "4 h after 13:00, once"
    assert (await desk.ticket(ticket))["escalations"]


async def test_one_two_and_three_replicas_end_alike(three: ReplicatedHouse) -> None:
    """Last, for it stops replicas: one of each service after the other."""
    ends = []
    for left in (3, 2, 1):
        assert {len(three.running[service]) for service in SERVICES} == {left}
        before = three.answered.copy()
        name = f"the same story {uuid4()}"
        await populate(three, name=name, chapters=[CHAPTERS[0], CHAPTERS[4]])
        ends.append(await describe(three, name=name))
        took_part = three.answered - before
        assert {int(one.split()[1]) for one in took_part} == set(range(left)), "every replica had its share"
        await asyncio.gather(*(three.stop(service, left - 1) for service in SERVICES))
    assert ends[0] == ends[1] == ends[2]
    assert ends[0]["messages"]


async def contract_with(desk: DeskUnderTest, *, units: int) -> dict[str, Any]:
    """Sign a contract under SmartCloud's policy, with units on its account."""
    await desk.publish("smartcloud")
    contract = await desk.customer("smartcloud", plan="dedicated")
    [account] = (await desk.admin.ok("GET", f"/v1/accounts?contract={contract['contract_id']}"))["items"]
    body = {"quantity": units, "reason": "compra"}
    await desk.admin.ok("POST", f"/v1/accounts/{account['account_id']}/grants", json=body, headers=WAIT)
    return contract
