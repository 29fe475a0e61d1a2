"""The edge of a service: how much comes in, and what every answer tells a browser."""

import asyncio
import base64
import gzip
import hashlib
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import uuid4

import httpx
import pytest
import structlog
from fastapi import APIRouter
from harness import Client, DeskUnderTest, House, eventually
from integration.runtime.annex import NOW, Annex

from plazo.events.envelope import SERVICES
from plazo.runtime.call import Call, allow
from plazo.runtime.identity import Role, new_key
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

    @slow.get("/held")
    async def wait_known(call: Annotated[Call, allow(Role.ADMINISTRATOR)]) -> None:
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


async def test_who_guesses_keys_is_soon_not_listened_to(annex: Annex):
    async with small_service(annex, refusals_per_second_of_address=1, request_burst_seconds=4) as (known, other):
        await known.ok("GET", "/v1/desk")
        guesses = [{"Authorization": f"Bearer plz_{n}_guess"} for n in range(3)]
        ways = [("GET", "/v1/desk", one) for one in guesses] + [("GET", "/v1/desks", guesses[0])]
        for method, path, headers in ways:
            await known.refused(401, method, path, headers=headers)
        problem = await known.refused(429, "GET", "/v1/desk", headers=guesses[0])
        assert problem["type"] == "urn:plazo:problem:refused-too-often"
        assert (await known.get("/docs", headers=guesses[0])).headers["retry-after"] == "1"
        await known.ok("GET", "/v1/desk")  # known from before
        await other.refused(429, "GET", "/v1/desk")  # not yet, and from the same address
        assert (await known.get("/readyz", headers=guesses[0])).status_code == 200


async def test_desk_has_its_share_of_what_is_answered_at_once(annex: Annex):
    async with small_service(annex, concurrent_requests_of_one=2) as (greedy, other):
        far = httpx.ASGITransport(app=greedy._transport.app, client=("192.0.2.9", 1))
        async with Client(transport=far, base_url="http://annex", headers=other.headers) as neighbour:
            held = [asyncio.ensure_future(greedy.get("/held")) for _ in range(2)]
            inside = far.app.state.runtime.limits._at_once._desks._held

            async def two_are_held() -> bool:
                return list(inside.values()) == [2]

            await eventually(two_are_held)
            async with Client(transport=far, base_url="http://annex", headers=greedy.headers) as same_desk:
                problem = await same_desk.refused(429, "GET", "/v1/desk")
            assert "this desk" in problem["detail"]
            await neighbour.ok("GET", "/v1/desk")
            await neighbour.ok("GET", "/open")
            assert {answer.status_code for answer in await asyncio.gather(*held)} == {200}
            await greedy.ok("GET", "/v1/desk")


async def test_key_has_its_share_of_what_its_desk_may_have_at_once(annex: Annex):
    async with small_service(annex, concurrent_requests_of_key=2) as (greedy, _):
        issued = await greedy.ok("POST", "/v1/keys", json={"role": "agent", "label": "x"})
        colleague = {"Authorization": f"Bearer {issued['api_key']}"}
        held = [asyncio.ensure_future(greedy.get("/held")) for _ in range(2)]
        inside = greedy._transport.app.state.runtime.limits._at_once._keys._held

        async def two_are_held() -> bool:
            return 2 in inside.values()

        await eventually(two_are_held)
        answer = await greedy.get("/v1/desk")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
        assert "this key" in answer.json()["detail"]
        await greedy.ok("GET", "/v1/desk", headers=colleague)
        await greedy.ok("GET", "/open")
        await asyncio.gather(*held)
        await greedy.ok("GET", "/v1/desk")
        assert not inside, "nothing is left behind"


async def test_token_of_a_link_is_in_no_log(house: House):
    token = "N" * 78
    with structlog.testing.capture_logs() as lines:
        for path in (f"/v1/acknowledgements/{token}", f"/v1/acknowledgements/{token}/x", f"/{token}"):
            await house.client().get(path)
    told = [line["path"] for line in lines if line["event"] == "request"]
    assert told == ["/v1/acknowledgements/*", "/v1/acknowledgements/*/x", "/*"]
    assert token not in str(lines)


async def test_nobody_is_sent_past_the_gateway_s_prefix(house: House):
    for path in ("/tickets/docs/", "/v1/tickets/"):
        await house.client().refused(404, "GET", path)


async def test_body_of_nothing_but_faults_is_refused_in_a_few_words(desk: DeskUnderTest):
    heap = {f"f{number}": 1 for number in range(60_000)}
    for body, told in ((heap, "fields"), ({"name": "Una", "timezone": "UTC", "emails": heap}, "emails")):
        problem = await desk.admin.refused(422, "POST", "/v1/customers", json=body)
        assert len(problem["errors"]) == 1
        assert told in problem["errors"][0]["message"]


@pytest.mark.parametrize(
    ("path", "token", "status"),
    [
        pytest.param("/v1/keys", "", 401, id="no key"),
        pytest.param("/v1/keys", "plz_x_y", 401, id="wrong key"),
        pytest.param("/v1/keys", "agent", 403, id="role that may not"),
        pytest.param("/v1/desks", "agent", 401, id="not the operator"),
        pytest.param(f"/v1/intake/webhooks/{uuid4()}", "", 404, id="no such hook"),
    ],
)
async def test_nothing_is_read_of_whoever_may_not(
    house: House, desk: DeskUnderTest, path: str, token: str, status: int
):
    if token == "agent":
        token = (await desk.admin.ok("POST", "/v1/keys", json={"role": "agent", "label": "x"}))["api_key"]

    async def body() -> AsyncIterator[bytes]:
        read.append(path)
        yield b"{}"

    read: list[str] = []
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    await house.client().refused(status, "POST", path, content=body(), headers=headers)
    assert read == []


async def test_body_is_not_unpacked(desk: DeskUnderTest):
    body = gzip.compress(b'{"name": "Una"}')
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    await desk.admin.refused(415, "POST", "/v1/customers", content=body, headers=headers)


@pytest.mark.parametrize("service", SERVICES)
async def test_no_other_site_may_read_and_no_cookie_is_set(desk: DeskUnderTest, service: str):
    headers = {"Origin": "https://evil.example.com", "Access-Control-Request-Method": "GET"}
    for method in ("GET", "OPTIONS"):
        answer = await desk.admin.request(method, f"/{service.replace('_', '-')}/v1/audit", headers=headers)
        assert answer.status_code == (200 if method == "GET" else 405)
        assert not [name for name in answer.headers if name.startswith("access-control") or name == "set-cookie"]


async def test_cookie_of_the_mailbox_is_for_the_mailbox_alone(house: House, desk: DeskUnderTest):
    key = (await desk.admin.ok("POST", "/v1/keys", json={"role": "manager", "label": "x"}))["api_key"]
    narrow = {"role": "manager", "label": "x", "scopes": ["tickets:write"]}
    narrow_key = (await desk.admin.ok("POST", "/v1/keys", json=narrow))["api_key"]
    await desk.settled()
    async with house.client() as browser:
        refused = await browser.post("/v1/mailbox", data={"key": narrow_key}, headers={"Accept": "text/html"})
        assert (refused.status_code, "set-cookie" in refused.headers) == (401, False)
        await house.client(narrow_key).refused(401, "GET", "/v1/mailbox")
        opened = await browser.post("/v1/mailbox", data={"key": key}, headers={"X-Forwarded-Proto": "https"})
        cookie = opened.headers["set-cookie"].lower()
        assert {"httponly", "samesite=strict", "secure", "path=/v1/mailbox"} <= set(cookie.split("; "))
        as_cookie = {"Cookie": f"plazo_mailbox={key}"}
        assert (await browser.get("/v1/mailbox", headers=as_cookie)).status_code == 200
        await browser.refused(401, "GET", "/v1/messages", headers=as_cookie)
        await browser.refused(401, "GET", "/v1/desk", headers=as_cookie)


async def test_key_that_cannot_be_one_is_none_in_the_mailbox_s_form_too(house: House):
    await house.client().refused(401, "POST", "/v1/mailbox", data={"key": "plz_\x00_x"})


async def test_methods_made_up_by_callers_are_one_in_the_metrics(desk: DeskUnderTest):
    for number in range(3):
        await desk.admin.refused(405, f"MADEUP{number}", "/v1/desk")
    text = (await desk.admin.get("/tickets/metrics")).text
    assert "MADEUP" not in text
    assert 'plazo_http_seconds_count{method="other",route="/v1/desk",status="405"}' in text


async def test_length_of_an_upload_that_is_no_number_is_none(desk: DeskUnderTest):
    await desk.publish("expande")
    ticket = await desk.open_ticket(await desk.customer("expande", plan="basic"))
    path = f"/v1/tickets/{ticket['ticket_id']}/attachments"
    for length in ("many", "-1", "٣", "9" * 5000):
        headers = {"Content-Length": length.encode()}
        answer = await desk.admin.post(path, params={"name": "a.txt"}, content=b"a\n", headers=headers)
        assert answer.status_code in (201, 413), (length, answer.text)
