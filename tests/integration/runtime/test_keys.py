"""A key's life: its secret is changed while both work, its uses are seen, and its end is everywhere at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import httpx
import pytest
from harness import OPERATOR_KEY, Client, DeskUnderTest, House
from integration.runtime.annex import NOW, Annex

from plazo.kernel.time import format_instant
from plazo.runtime.clock import SystemClock
from plazo.runtime.identity import new_key
from plazo.runtime.service import Runtime, Service
from plazo.runtime.web import create_app
from tickets.repository.bell import CHANNEL
from tickets.routes import desks as desk_routes
from tickets.schemas.desks import DeskCreate
from tickets.usecases.desks import create_desk
from tickets.usecases.streaming import follow_timelines


async def key_of(desk: DeskUnderTest, label: str) -> dict[str, Any]:
    [key] = [key for key in await desk.admin.ok("GET", "/v1/keys") if key["label"] == label]
    return key


async def everywhere(house: House, token: str) -> set[int]:
    """Return how all services answer a key that none of them lets do this."""
    client = house.client(token)
    answers = [await client.get(f"/{name.replace('_', '-')}/v1/dead-letters") for name in house.apps]
    return {answer.status_code for answer in answers}


async def test_rotated_key_has_two_secrets_for_a_while(house: House, desk: DeskUnderTest):
    issued = await desk.admin.ok("POST", "/v1/keys", json={"role": "manager", "label": "robot"})
    path = f"/v1/keys/{issued['key_id']}/rotate"
    first = issued["api_key"]
    rotated = await desk.admin.ok("POST", path, json={"overlap_minutes": 60})
    second = rotated["api_key"]
    assert second.startswith(f"plz_{issued['key_id']}_")
    assert second != first
    assert await everywhere(house, first) == await everywhere(house, second) == {403}, "both are known everywhere"
    left = datetime.fromisoformat(rotated["previous_until"]) - SystemClock().now()
    assert timedelta(minutes=59) < left <= timedelta(minutes=60)
    shown = await key_of(desk, "robot")
    assert (shown["prefix"], shown["previous_until"]) == (f"plz_{issued['key_id']}_", rotated["previous_until"])

    third = (await desk.admin.ok("POST", path, json={"overlap_minutes": 0}))["api_key"]
    assert await everywhere(house, third) == {403}
    assert await everywhere(house, first) == await everywhere(house, second) == {401}
    assert (await key_of(desk, "robot"))["previous_until"] is None

    revoked = await desk.admin.ok("POST", f"/v1/keys/{issued['key_id']}/revoke")
    assert revoked == {"key_id": issued["key_id"], "state": "revoked", "everywhere": True}
    assert await everywhere(house, third) == {401}, "no waiting: it was said to be known everywhere"
    await desk.admin.refused(404, "POST", path, json={})


async def test_rotation_repeated_under_its_idempotency_key_changes_nothing_more(house: House, desk: DeskUnderTest):
    issued = await desk.admin.ok("POST", "/v1/keys", json={"role": "agent", "label": "robot"})
    request = {"json": {}, "headers": {"Idempotency-Key": "rotate-1"}}
    first = await desk.admin.ok("POST", f"/v1/keys/{issued['key_id']}/rotate", **request)
    again = await desk.admin.ok("POST", f"/v1/keys/{issued['key_id']}/rotate", **request)
    assert again["api_key"].startswith("shown once")
    await house.client(first["api_key"]).ok("GET", "/v1/desk")


@pytest.mark.parametrize("overlap", [-1, 43_201, "1h", 1.5, None])
async def test_overlap_that_makes_no_sense_is_refused(desk: DeskUnderTest, overlap: Any):
    await desk.admin.refused(422, "POST", "/v1/keys/none/rotate", json={"overlap_minutes": overlap})


async def test_last_use_is_told_by_all_services(house: House, desk: DeskUnderTest):
    before = SystemClock().now()
    agent = await desk.key("agent")
    assert (await key_of(desk, "agent"))["last_used_at"] is None
    await agent.ok("GET", "/v1/accounts")  # billing's
    assert datetime.fromisoformat((await key_of(desk, "agent"))["last_used_at"]) > before
    stranger = await house.new_desk()
    assert len(await stranger.admin.ok("GET", "/v1/keys")) == 1


async def test_looking_a_key_up_is_one_indexed_query(house: House, desk: DeskUnderTest):
    await house.fetch("tickets", "ANALYZE api_key")
    async with house.runtime("tickets").database.system.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL enable_seqscan = off")
        plan = await connection.fetch(
            "EXPLAIN SELECT FROM api_key k JOIN desk d USING (desk_id) WHERE k.key_id = $1", "x"
        )
    assert "Seq Scan" not in "\n".join(row[0] for row in plan)


@pytest.mark.parametrize(
    ("way", "body"), [("revoke", None), ("rotate", {"overlap_minutes": 0})], ids=["revoked", "rotated without overlap"]
)
async def test_stream_ends_with_the_secret_that_opened_it(house: House, desk: DeskUnderTest, way: str, body: Any):
    issued = await desk.admin.ok("POST", "/v1/keys", json={"role": "agent", "label": "reader"})
    async with reading(house.runtime("tickets"), issued["api_key"]) as ended:
        await desk.admin.ok("POST", f"/v1/keys/{issued['key_id']}/{way}", json=body)
        assert await asyncio.wait_for(ended, timeout=3) is None


async def test_stream_goes_on_through_a_rotation_with_overlap(house: House, desk: DeskUnderTest):
    issued = await desk.admin.ok("POST", "/v1/keys", json={"role": "agent", "label": "reader"})
    contract = await contract_of(desk)
    async with reading(house.runtime("tickets"), issued["api_key"]) as event:
        await desk.admin.ok("POST", f"/v1/keys/{issued['key_id']}/rotate", json={"overlap_minutes": 5})
        await desk.open_ticket(contract)
        assert (await asyncio.wait_for(event, timeout=3)).kind == "opened"


async def contract_of(desk: DeskUnderTest) -> dict[str, Any]:
    await desk.publish("expande")
    return await desk.customer("expande", plan="basic")


@asynccontextmanager
async def reading(runtime: Runtime, token: str) -> AsyncIterator["asyncio.Future[Any]"]:
    """Open a stream; gives what comes behind `ready`: None for its end."""
    now = SystemClock().now()
    principal = await runtime.admit(f"Bearer {token}", now=now)
    stream = follow_timelines(
        runtime.unit_of_work(desk_id=principal.desk_id, now=now),
        runtime,
        reader=principal,
        cursor=None,
        ticket_id=None,
        customer_id=None,
        with_internal=True,
    )
    assert (await anext(stream)).kind == "ready"
    event = asyncio.ensure_future(anext(stream, None))
    try:
        yield event
    finally:
        event.cancel()
        await asyncio.gather(event, return_exceptions=True)
        await stream.aclose()


async def test_revocation_rings_at_all_replicas_and_whoever_hears_it_ends_its_streams(
    house: House, desk: DeskUnderTest
):
    """Replicas share nothing but the database, so each side is asked alone: the ring that goes out, and one heard."""
    key = {"role": "agent", "label": "reader"}
    first, second = [await desk.admin.ok("POST", "/v1/keys", json=key) for _ in range(2)]
    rung = asyncio.Event()
    connection = await asyncpg.connect(house.postgres.dsn("plazo_tickets"))
    try:
        await connection.add_listener(CHANNEL, lambda *_: rung.set())
        await desk.admin.ok("POST", f"/v1/keys/{first['key_id']}/revoke")
        await asyncio.wait_for(rung.wait(), timeout=3)
        async with reading(house.runtime("tickets"), second["api_key"]) as ended:
            revoke = "UPDATE api_key SET revoked_at = now() WHERE key_id = $1"
            await connection.execute(revoke, second["key_id"])  # as another replica does
            await connection.execute("SELECT pg_notify($1, '')", CHANNEL)
            assert await asyncio.wait_for(ended, timeout=3) is None
    finally:
        await connection.close()


async def test_replica_knows_at_once_what_another_did(annex: Annex, monkeypatch: pytest.MonkeyPatch):
    """Nothing about a key is kept by a process: what one revokes or rotates, the next request at another sees."""
    monkeypatch.setattr(desk_routes, "_SETTLE_SECONDS", 0.01)  # nobody else is there to be waited for
    service = Service(name="tickets", title="x", description="", routers=(desk_routes.router,), handlers={})
    async with AsyncExitStack() as stack:
        apps = [create_app(service, settings=annex.settings) for _ in range(2)]
        for app in apps:
            await stack.enter_async_context(app.router.lifespan_context(app))
        key, desk_id = new_key(), uuid4()
        uow = apps[0].state.runtime.unit_of_work(desk_id=desk_id, now=NOW)
        await create_desk(uow, body=DeskCreate(name="Mesa", sandbox=True), key=key)

        def caller(number: int, token: str) -> Client:
            transport = httpx.ASGITransport(app=apps[number])
            return Client(transport=transport, base_url="http://annex", headers={"Authorization": f"Bearer {token}"})

        here, there = caller(0, key.token), caller(1, key.token)
        issued = await here.ok("POST", "/v1/keys", json={"role": "agent", "label": "x"})
        await caller(1, issued["api_key"]).ok("GET", "/v1/desk")
        rotated = await there.ok("POST", f"/v1/keys/{issued['key_id']}/rotate", json={"overlap_minutes": 0})
        await caller(0, issued["api_key"]).refused(401, "GET", "/v1/desk")
        await caller(0, rotated["api_key"]).ok("GET", "/v1/desk")
        await here.ok("POST", f"/v1/keys/{issued['key_id']}/revoke")
        for number in (1, 0):
            await caller(number, rotated["api_key"]).refused(401, "GET", "/v1/desk")


class TestReach:
    """A key gives no more than it has: not by a new key, not by the secret of another, not by what it is sent."""

    async def test_new_key_has_no_more_scopes_than_its_issuer(self, house: House, desk: DeskUnderTest):
        narrow = await desk.key("administrator", scopes=["tickets:write"])
        body = {"role": "administrator", "label": "heir"}
        heir = await narrow.ok("POST", "/v1/keys", json=body)
        assert heir["scopes"] == ["tickets:write"], "what is not named is inherited"
        assert (await key_of(desk, "heir"))["scopes"] == ["tickets:write"]
        reader = await narrow.ok("POST", "/v1/keys", json=body | {"scopes": ["tickets:read"]})
        assert reader["scopes"] == ["tickets:read"], "who may write may read"
        for scopes in (["billing:read"], ["tickets:write", "escalation:write"]):
            problem = await narrow.refused(403, "POST", "/v1/keys", json=body | {"scopes": scopes})
            assert problem["type"] == "urn:plazo:problem:key-too-wide"
        await desk.settled()
        await house.client(heir["api_key"]).refused(403, "GET", "/v1/accounts")
        wide = await desk.admin.ok("POST", "/v1/keys", json=body)
        assert (wide["scopes"], wide["expires_at"]) == (None, None)

    async def test_secret_of_a_wider_key_is_not_given_out(self, house: House, desk: DeskUnderTest):
        [wide] = await desk.admin.ok("GET", "/v1/keys")
        narrow = await desk.key("administrator", scopes=["tickets:write", "billing:read"])
        like, other = [
            await desk.admin.ok("POST", "/v1/keys", json={"role": "agent", "label": "x", "scopes": [scope]})
            for scope in ("tickets:read", "billing:write")
        ]
        for key in (wide, other):
            problem = await narrow.refused(403, "POST", f"/v1/keys/{key['key_id']}/rotate", json={})
            assert problem["type"] == "urn:plazo:problem:key-too-wide"
        await house.client(other["api_key"]).refused(403, "GET", "/v1/desk")  # it is as it was
        for key_id in (like["key_id"], narrow.headers["authorization"].split("_")[1]):
            await narrow.ok("POST", f"/v1/keys/{key_id}/rotate", json={})
        await desk.admin.ok("POST", f"/v1/keys/{other['key_id']}/rotate", json={})
        await narrow.refused(404, "POST", "/v1/keys/none/rotate", json={})

    async def test_wider_key_is_not_revoked(self, house: House, desk: DeskUnderTest):
        [wide] = await desk.admin.ok("GET", "/v1/keys")
        narrow = await desk.key("administrator", scopes=["tickets:write"])
        body = {"role": "agent", "label": "x", "scopes": ["billing:read"]}
        other = await desk.admin.ok("POST", "/v1/keys", json=body)
        like = await desk.admin.ok("POST", "/v1/keys", json=body | {"scopes": ["tickets:read"]})
        for key in (wide, other):
            problem = await narrow.refused(403, "POST", f"/v1/keys/{key['key_id']}/revoke")
            assert problem["type"] == "urn:plazo:problem:key-too-wide"
        await desk.admin.ok("GET", "/v1/desk")
        await narrow.refused(404, "POST", "/v1/keys/none/revoke")
        await narrow.ok("POST", f"/v1/keys/{like['key_id']}/revoke")
        await house.client(like["api_key"]).refused(401, "GET", "/v1/desk")
        # One that is lost is ended by whoever learns of it, however long it would have been valid.
        end = format_instant(SystemClock().now().replace(microsecond=0) + timedelta(days=1))
        for_a_day = await desk.key("administrator", expires_at=end)
        await for_a_day.ok("POST", f"/v1/keys/{other['key_id']}/revoke")

    async def test_no_key_outlives_the_one_it_comes_from(self, desk: DeskUnderTest):
        end = SystemClock().now().replace(microsecond=0) + timedelta(days=1)
        for_a_day = await desk.key("administrator", expires_at=format_instant(end))
        body = {"role": "administrator", "label": "heir"}
        heir = await for_a_day.ok("POST", "/v1/keys", json=body)
        assert datetime.fromisoformat(heir["expires_at"]) == end
        sooner = format_instant(end - timedelta(hours=1))
        await for_a_day.ok("POST", "/v1/keys", json=body | {"expires_at": sooner})
        later = format_instant(end + timedelta(seconds=1))
        problem = await for_a_day.refused(403, "POST", "/v1/keys", json=body | {"expires_at": later})
        assert problem["type"] == "urn:plazo:problem:key-too-wide"
        [endless] = [key for key in await desk.admin.ok("GET", "/v1/keys") if key["label"] == "first key"]
        await for_a_day.refused(403, "POST", f"/v1/keys/{endless['key_id']}/rotate", json={})
        await for_a_day.ok("POST", f"/v1/keys/{heir['key_id']}/rotate", json={})

    async def test_webhook_tells_what_its_maker_may_read(self, desk: DeskUnderTest):
        wide, narrow = desk.admin, await desk.key("administrator", scopes=["escalation:write", "tickets:read"])
        body = {"url": "https://partner.example.com/plazo", "events": ["ticket.*"]}
        made = await narrow.ok("POST", "/v1/subscriptions", json=body)
        path = f"/v1/subscriptions/{made['subscription_id']}"
        for events in (["*"], ["clock.*"], ["ticket.*", "clock.breached"]):
            for method, where in (("POST", "/v1/subscriptions"), ("PATCH", path)):
                problem = await narrow.refused(403, method, where, json=body | {"events": events})
                assert problem["type"] == "urn:plazo:problem:beyond-scopes"
        await narrow.ok("POST", f"{path}/rotate")
        await wide.ok("PATCH", path, json={"events": ["*"]})
        await narrow.refused(403, "PATCH", path, json={"url": "https://other.example.com/"})
        problem = await narrow.refused(403, "POST", f"{path}/rotate", json={"overlap_hours": 0})
        assert problem["type"] == "urn:plazo:problem:beyond-scopes"
        await wide.ok("POST", f"{path}/rotate")

    async def test_webhook_tells_nothing_of_secrets(self, desk: DeskUnderTest):
        for event in ("key.issued", "key.rotated", "key.revoked"):
            body = {"url": "https://partner.example.com/plazo", "events": [event]}
            await desk.admin.refused(422, "POST", "/v1/subscriptions", json=body)


class TestOperator:
    async def test_repeats_what_made_a_desk_and_is_told_of_another(self, house: House):
        operator, headers = house.client(OPERATOR_KEY), {"Idempotency-Key": f"desk {uuid4()}"}
        body = {"name": "Mesa", "sandbox": True, "timezone": "UTC", "clock_at": "2026-05-04T13:00:00Z"}
        first = await operator.ok("POST", "/v1/desks", json=body, headers=headers)
        assert await operator.ok("POST", "/v1/desks", json=body, headers=headers) == first
        for other in (
            {"name": "Otra"},
            {"timezone": "America/Caracas"},
            {"sandbox": False, "clock_at": None},
            {"clock_at": "2027-01-01T00:00:00Z"},
        ):
            problem = await operator.refused(409, "POST", "/v1/desks", json=body | other, headers=headers)
            assert problem["type"] == "urn:plazo:problem:idempotency-key-reused"
            assert next(iter(other)) in problem["detail"]
        desk = house.client(first["api_key"])
        await house.settled(UUID(first["desk_id"]))
        await desk.ok("POST", f"/v1/desks/{first['desk_id']}/clock", json={"to": "2026-05-05T13:00:00Z"})
        again = await operator.ok("POST", "/v1/desks", json=body, headers=headers)
        assert again == first | {"clock_at": "2026-05-05T13:00:00Z"}, "as it stands"

    async def test_lists_desks(self, house: House, desk: DeskUnderTest):
        operator, found, cursor = house.client(OPERATOR_KEY), {}, None
        while True:
            query = {"limit": "200"} | ({"cursor": cursor} if cursor else {})
            page = await operator.ok("GET", "/v1/desks", params=query)
            found |= {one["desk_id"]: one for one in page["items"]}
            cursor = page["next_cursor"]
            if cursor is None:
                break
        assert found[str(desk.desk_id)]["valid_keys"] == 1
        assert found[str(desk.desk_id)]["sandbox"] is True

    async def test_revokes_all_keys_of_a_desk_and_lets_it_in_again(self, house: House, desk: DeskUnderTest):
        operator = house.client(OPERATOR_KEY)
        agent = await desk.key("agent")
        revoked = await operator.ok("POST", f"/v1/desks/{desk.desk_id}/revocations", json={})
        assert (len(revoked["key_ids"]), revoked["everywhere"]) == (2, True)
        for caller in (agent, desk.admin):
            for path in ("/v1/desk", "/v1/clocks", "/v1/escalations", "/v1/accounts"):
                await caller.refused(401, "GET", path)

        created = await operator.ok("POST", f"/v1/desks/{desk.desk_id}/keys", json={"label": "found again"})
        admin = house.client(created["api_key"])
        [act, *_] = (await admin.ok("GET", "/tickets/v1/audit"))["items"]
        assert (act["role"], act["action"], act["subject"]["key_id"]) == (
            "operator",
            "issue_administrator_key",
            created["key_id"],
        )
        again = await operator.ok("POST", f"/v1/desks/{desk.desk_id}/revocations", json={"key_id": created["key_id"]})
        assert again["key_ids"] == [created["key_id"]]

    async def test_is_told_what_is_not_there(self, house: House, desk: DeskUnderTest):
        operator = house.client(OPERATOR_KEY)
        await operator.refused(404, "POST", f"/v1/desks/{uuid4()}/keys", json={"label": "x"})
        await operator.refused(404, "POST", f"/v1/desks/{uuid4()}/revocations", json={})
        await operator.refused(404, "POST", f"/v1/desks/{desk.desk_id}/revocations", json={"key_id": "none"})
