"""Who needs whom: tickets goes on while NATS or any other service is away, says so, and all catch up by themselves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from harness import DeskUnderTest, eventually

from faults.replicas import ReplicatedHouse, running_replicas
from plazo.events.envelope import SERVICES

OTHERS = [name for name in SERVICES if name != "tickets"]
IN_TIME = 5.0  # seconds for an answer that nobody waits for, on a busy machine


@pytest.fixture(scope="module")
async def installation(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ReplicatedHouse]:
    """One of each service, which the tests of this module take away in turn."""
    async with running_replicas(tmp_path_factory.mktemp("dependence")) as house:
        yield house


@pytest.fixture
async def desk(installation: ReplicatedHouse) -> DeskUnderTest:
    """A fresh desk with a contract that needs admission and one that does not."""
    return await installation.new_desk()


async def readiness(house: ReplicatedHouse, service: str) -> tuple[int, dict[str, Any]]:
    """Return what a load balancer and an operator see of a service."""
    answer = await house.client().get(f"/{service.replace('_', '-')}/readyz")
    assert (await house.client().get(f"/{service.replace('_', '-')}/healthz")).json() == {"status": "ok"}
    return answer.status_code, answer.json()


async def until_ready(house: ReplicatedHouse) -> None:
    """Wait until all services say that nothing is missing, without anybody's help."""

    async def ready() -> bool:
        return all([(await readiness(house, name))[1]["status"] == "ready" for name in SERVICES])

    await eventually(ready, seconds=30)


class Front:
    """A desk's everyday, as its people go on with it whatever is away."""

    def __init__(self, desk: DeskUnderTest) -> None:
        self.desk = desk
        self.contracts: dict[str, dict[str, Any]] = {}
        self.known: dict[str, Any] = {}
        self.opened: dict[str, dict[str, Any]] = {}

    async def begin(self) -> None:
        """Sign two contracts, one of which asks billing before a ticket is worked on, and open a ticket."""
        for policy, plan in (("smartcloud", "dedicated"), ("expande", "basic")):
            await self.desk.publish(policy)
            self.contracts[policy] = await self.desk.customer(policy, plan=plan)
        path = f"/v1/accounts?contract={self.contracts['smartcloud']['contract_id']}"
        [account] = (await self.desk.admin.ok("GET", path))["items"]
        grant = {"quantity": 9, "reason": "compra"}
        await self.desk.admin.ok("POST", f"/v1/accounts/{account['account_id']}/grants", json=grant)
        self.known = await self.desk.open_ticket(self.contracts["expande"])

    async def go_on(self) -> None:
        """Read, reply, and open tickets."""
        async with asyncio.timeout(4 * IN_TIME):
            assert (await self.desk.ticket(self.known))["subject"] == self.known["subject"]
            assert len((await self.desk.admin.ok("GET", "/v1/tickets"))["items"]) >= 1
            await self.desk.admin.ok("GET", f"/v1/tickets/{self.known['ticket_id']}/timeline")
            reply = {"text": "Estamos en ello", "channel": "email"}
            await self.desk.admin.ok("POST", f"/v1/tickets/{self.known['ticket_id']}/replies", json=reply)
            for policy in self.contracts:
                self.opened[policy] = await self.open(policy)
            assert self.opened["smartcloud"]["number"].startswith("SMA-")

    async def open(self, policy: str, **headers: str) -> dict[str, Any]:
        """Open a ticket."""
        facts = {"business_impact": "material"} if policy == "smartcloud" else {"sales_impossible": True}
        request = {"contract_id": self.contracts[policy]["contract_id"], "channel": "portal", "facts": facts}
        body = request | {"subject": "No sale", "description": "No sale desde hoy"}
        opened: dict[str, Any] = await self.desk.admin.ok("POST", "/v1/tickets", json=body, headers=headers)
        assert opened["state"] in ("new", "acknowledged")
        return opened

    async def all_is_well(self) -> None:
        """What was accepted meanwhile was admitted, has its clocks, and the customers were told, each once."""
        await self.desk.settled()
        for policy, ticket in self.opened.items():
            read = await self.desk.ticket(ticket)
            assert read["admission"] == ("granted" if policy == "smartcloud" else "not_required")
            assert {clock["state"] for clock in read["clocks"]} <= {"running", "met"}
            assert read["clocks"], read
            sent = await self.desk.admin.ok("GET", f"/v1/messages?ticket={ticket['ticket_id']}")
            receipts = [message for message in sent["items"] if message["event"] == "ticket.opened"]
            assert len(receipts) == (1 if policy == "expande" else len(receipts))
        known = await self.desk.ticket(self.known)
        assert {clock["kind"]: clock["state"] for clock in known["clocks"]}["first_response"] == "met"


async def test_everything_goes_on_without_nats(installation: ReplicatedHouse, desk: DeskUnderTest) -> None:
    front = Front(desk)
    await front.begin()
    await until_ready(installation)
    await installation.nats.stop()
    try:
        await front.go_on()
        assert front.opened["smartcloud"]["admission"] == "pending"
        for name in SERVICES:  # each says so, in words, and stays in rotation: no replica would do better
            status, said = await readiness(installation, name)
            assert (status, said["status"], said["checks"]["bus"]) == (200, "degraded", "away")
        assert (await readiness(installation, "tickets"))[1]["checks"]["relay_backlog"] > 0
        # Who prefers to wait is answered after that time, and can see that it was in vain.
        async with asyncio.timeout(1 + IN_TIME):
            answer = await desk.admin.post("/v1/customers", json={"name": "Una"}, headers={"Prefer": "wait=1"})
        assert (answer.status_code, "Preference-Applied" in answer.headers) == (201, False)
        # The others answer from what they know.
        contract = front.contracts["smartcloud"]["contract_id"]
        assert (await desk.admin.ok("GET", f"/v1/accounts?contract={contract}"))["items"]
        work = {"ticket_id": front.known["ticket_id"], "started_at": "2026-05-04T12:00:00Z", "minutes": 5}
        await desk.admin.ok("POST", "/v1/work", json=work | {"description": "d"})
        assert (await desk.admin.ok("GET", f"/v1/clocks?ticket={front.known['ticket_id']}"))["items"]
        assert (await desk.admin.get("/v1/messages")).status_code == 200
    finally:
        await installation.nats.start()
    await until_ready(installation)
    await front.all_is_well()


@pytest.mark.parametrize("missing", OTHERS)
async def test_tickets_goes_on_without(missing: str, installation: ReplicatedHouse, desk: DeskUnderTest) -> None:
    front = Front(desk)
    await front.begin()
    await installation.stop(missing, 0)
    try:
        await front.go_on()
        if missing == "billing":
            waiting = await desk.ticket(front.opened["smartcloud"])
            assert (waiting["state"], waiting["admission"], waiting["clocks"]) == ("new", "pending", [])
        async with asyncio.timeout(1 + IN_TIME):
            answer = await desk.admin.post("/v1/customers", json={"name": "Una"}, headers={"Prefer": "wait=1"})
        assert (answer.status_code, "Preference-Applied" in answer.headers) == (201, False)

        async def said_by_all() -> bool:
            found = [await readiness(installation, name) for name in SERVICES if name != missing]
            return all(
                (status, said["status"], said["checks"]["services_away"]) == (200, "degraded", [missing])
                for status, said in found
            )

        await eventually(said_by_all)
    finally:
        await installation.start(missing, 0)
    await until_ready(installation)
    await front.all_is_well()


async def test_without_postgresql_all_say_when_to_come_again(
    installation: ReplicatedHouse, desk: DeskUnderTest, caplog: pytest.LogCaptureFixture
) -> None:
    front = Front(desk)
    await front.begin()
    await installation.postgres.stop()
    try:
        for request in ("GET tickets", "POST tickets", "GET clocks", "GET messages", "GET accounts", "POST work"):
            method, what = request.split()
            async with asyncio.timeout(2 * IN_TIME):
                answer = await desk.admin.request(method, f"/v1/{what}", json={} if method == "POST" else None)
            assert (answer.status_code, answer.headers.get("Retry-After")) == (503, "1"), answer.text
            assert answer.json()["type"] == "urn:plazo:problem:temporarily-unavailable"
        for name in SERVICES:
            status, said = await readiness(installation, name)
            assert (status, said["status"], said["checks"]["database"]) == (503, "unavailable", "away")
    finally:
        await installation.postgres.start()
    assert "Traceback" not in caplog.text
    await until_ready(installation)
    await front.go_on()
    await front.all_is_well()


async def test_services_start_before_nats_and_find_it(installation: ReplicatedHouse, desk: DeskUnderTest) -> None:
    """Before PostgreSQL: `integration/runtime/test_start.py`."""
    front = Front(desk)
    await front.begin()
    await installation.stop_all()
    await installation.nats.stop()
    async with AsyncExitStack() as stack:
        stack.push_async_callback(installation.nats.start)
        async with asyncio.timeout(60):
            await asyncio.gather(*(installation.start(name, 0) for name in SERVICES))
        await front.go_on()
        assert (await readiness(installation, "tickets"))[1]["checks"]["bus"] == "away"
    await until_ready(installation)
    await front.all_is_well()
