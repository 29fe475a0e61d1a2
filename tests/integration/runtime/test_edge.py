"""The edge of a service: how much comes in, and what every answer tells a browser."""

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import APIRouter
from harness import Client, DeskUnderTest, House
from integration.runtime.annex import NOW, Annex

from plazo.events.envelope import SERVICES
from plazo.runtime.identity import new_key
from plazo.runtime.service import Service
from plazo.runtime.web import create_app
from tickets.routes import desks as desk_routes
from tickets.schemas.desks import DeskCreate
from tickets.usecases.desks import create_desk


@asynccontextmanager
async def small_service(annex: Annex, **settings: Any) -> AsyncIterator[tuple[Client, Client]]:
    """Run a service with small limits; gives an administrator of a desk, and one of another."""
    slow = APIRouter()
    gate = asyncio.Event()

    @slow.get("/slow")
    async def wait() -> None:
        await gate.wait()

    @slow.get("/open")
    async def let_go() -> None:
        gate.set()

    service = Service(name="tickets", title="x", description="", routers=(desk_routes.router, slow), handlers={})
    app = create_app(service, settings=annex.settings.model_copy(update=settings))
    async with app.router.lifespan_context(app):
        clients = []
        for _ in range(2):
            key, desk_id = new_key(), uuid4()
            uow = app.state.runtime.unit_of_work(desk_id=desk_id, now=NOW)
            await create_desk(uow, body=DeskCreate(name="Mesa", sandbox=True), key=key)
            transport = httpx.ASGITransport(app=app)
            headers = {"Authorization": f"Bearer {key.token}"}
            clients.append(Client(transport=transport, base_url="http://annex", headers=headers))
        yield clients[0], clients[1]


async def test_who_asks_too_fast_is_told_when_to_come_back(annex: Annex):
    async with small_service(annex, requests_per_second_of_key=1, request_burst_seconds=5) as (greedy, other):
        answers = await asyncio.gather(*(greedy.get("/v1/desk") for _ in range(20)))
        statuses = [answer.status_code for answer in answers]
        assert (statuses.count(200), statuses.count(429)) == (5, 15)
        refused = next(answer for answer in answers if answer.status_code == 429)
        assert refused.headers["retry-after"] == "1"
        assert refused.json()["type"] == "urn:plazo:problem:too-many-requests"
        await other.ok("GET", "/v1/desk")
        assert (await greedy.get("/healthz")).status_code == (await greedy.get("/readyz")).status_code == 200


async def test_keys_of_a_desk_share_the_desk_s_limit(annex: Annex):
    async with small_service(annex, requests_per_second_of_desk=1, request_burst_seconds=4) as (admin, other):
        issued = await admin.ok("POST", "/v1/keys", json={"role": "agent", "label": "x"})
        headers = {"Authorization": f"Bearer {issued['api_key']}"}
        answers = [await admin.get("/v1/desk", headers=headers) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert "this desk" in answers[-1].json()["detail"]
        await other.ok("GET", "/v1/desk")


async def test_health_answers_through_a_flood(annex: Annex):
    async with small_service(annex, concurrent_requests=50) as (caller, _):
        held = [asyncio.ensure_future(caller.get("/slow")) for _ in range(50)]
        await asyncio.sleep(0)
        flood = [asyncio.ensure_future(caller.get("/v1/desk")) for _ in range(400)]
        ready, alive = await asyncio.gather(caller.get("/readyz"), caller.get("/healthz"))
        assert (ready.status_code, alive.status_code) == (200, 200)
        answers = await asyncio.gather(*flood)
        assert {answer.status_code for answer in answers} == {503}
        assert {answer.headers["retry-after"] for answer in answers} == {"1"}
        held[0].cancel()  # one leaves, one may come
        await asyncio.wait(held[:1])
        await caller.ok("GET", "/open")
        assert {answer.status_code for answer in await asyncio.gather(*held[1:])} == {200}
        await caller.ok("GET", "/v1/desk")


@pytest.mark.parametrize(
    ("status", "options"),
    [
        pytest.param(414, {"params": {"x": "y" * 8200}}, id="address"),
        pytest.param(431, {"headers": {"X-Long": "y" * 33_000}}, id="one header"),
        pytest.param(431, {"headers": {f"X-{n}": "y" * 300 for n in range(120)}}, id="many headers"),
        pytest.param(401, {"headers": {"Authorization": f"Bearer {'a' * 10_000}.b.c"}}, id="token"),
    ],
)
async def test_head_that_is_too_large_is_refused(desk: DeskUnderTest, status: int, options: dict[str, Any]):
    await desk.admin.refused(status, "GET", "/v1/desk", **options)


PAGES = ("/healthz", "/docs", "/openapi.json", "/v1/dead-letters", "/none", "/v1/audit?limit=x")


@pytest.mark.parametrize("service", SERVICES)
async def test_every_answer_tells_a_browser_to_do_nothing(house: House, desk: DeskUnderTest, service: str):
    for path in PAGES:
        answer = await desk.admin.get(f"/{service.replace('_', '-')}{path}")
        headers = answer.headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert headers["cache-control"] == "no-store", path
        assert headers["x-frame-options"] == "DENY", path
        assert headers["content-security-policy"].startswith("default-src 'none'"), path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert "strict-transport-security" not in headers, "said where a setting asks for it"


async def test_documentation_runs_its_own_script_and_no_other(house: House):
    page = await house.client().get("/tickets/docs")
    policy = page.headers["content-security-policy"]
    assert "unsafe-inline" not in policy.partition("style-src")[0]
    [script] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy
    assert "https://" not in page.text.replace("http://www.w3.org", ""), "nothing is fetched from elsewhere"
    static = await house.client().get("/tickets/docs/static/swagger-ui.css")
    assert static.headers.get("cache-control") != "no-store"
    assert static.headers["x-content-type-options"] == "nosniff"


async def test_transport_security_is_said_where_asked_for(annex: Annex):
    async with small_service(annex, hsts_seconds=600) as (caller, _):
        answer = await caller.get("/healthz")
        assert answer.headers["strict-transport-security"] == "max-age=600; includeSubDomains"
