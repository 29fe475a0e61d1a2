"""The routing, seen through a real gateway with a stand-in behind each of the four names."""

import asyncio
import socket
import subprocess

import httpx
import pytest
from harness import eventually

from plazo.events.envelope import SERVICES
from plazo.local.caddy import ROUTING, Caddy
from plazo.local.ports import choose_port
from plazo.local.process import Process
from plazo.local.service import Service
from plazo.local.wheels import find_program

LIMIT = 40_000_000  # bytes; Caddy's MB are decimal


@pytest.fixture(scope="session")
async def gateway(shared_data, stand_in):
    """A client of a gateway with four stand-ins: `billing` is down."""
    ports = {service: choose_port() for service in SERVICES}
    programs: list[Process] = [
        Service(
            service,
            port=ports[service],
            command=stand_in(service),
            log=shared_data / "logs" / f"{service}.log",
            environment={"PLAZO_SERVICE": service, "PLAZO_LISTEN": f"127.0.0.1:{ports[service]}"},
        )
        for service in SERVICES
        if service != "billing"
    ]
    caddy = Caddy(
        shared_data,
        host="127.0.0.1",
        port=choose_port(),
        upstreams={service: [f"127.0.0.1:{ports[service]}"] for service in SERVICES},
    )
    programs.append(caddy)
    for program in programs:
        await program.start()
    async with httpx.AsyncClient(base_url=caddy.address, trust_env=False, timeout=10) as client:
        yield client
    for program in reversed(programs):
        await program.stop()


@pytest.mark.parametrize(
    ("path", "service"),
    [
        *((f"/v1/{name}", "tickets") for name in ["tickets", "desks", "desks/42", "policies", "customers", "contacts"]),
        *((f"/v1/{name}", "tickets") for name in ["contracts", "products", "intake", "quarantine", "keys", "stream"]),
        pytest.param("/v1/tickets/T-1/messages", "tickets", id="messages of a ticket"),
        pytest.param("/v1/desks/42/clock", "sla_clock", id="the clock of a desk"),
        pytest.param("/v1/desks/clock", "tickets", id="a desk called clock"),
        pytest.param("/v1/desks/42/clock/x", "tickets", id="nothing below the clock"),
        *((f"/v1/{name}", "sla_clock") for name in ["clocks", "clocks/7", "deadlines", "working-times", "calendars"]),
        *((f"/v1/{name}", "sla_clock") for name in ["previews", "recomputations", "outages", "compliance/2026-01"]),
        *((f"/v1/{name}", "escalation") for name in ["escalations", "teams", "agents", "assignments", "messages"]),
        *((f"/v1/{name}", "escalation") for name in ["load", "subscriptions", "subscriptions/3"]),
    ],
)
async def test_sends_a_path_to_its_service(gateway, path, service):
    reply = (await gateway.get(path)).json()
    assert (reply["service"], reply["path"]) == (service, path)


@pytest.mark.parametrize("name", ["tickets", "sla-clock", "escalation"])
@pytest.mark.parametrize("page", ["docs", "docs/oauth2-redirect", "openapi.json", "healthz", "readyz", "metrics"])
async def test_shows_the_pages_of_a_service_under_its_name(gateway, name, page):
    reply = (await gateway.get(f"/{name}/{page}")).json()
    assert (reply["service"], reply["path"]) == (name.replace("-", "_"), f"/{page}")
    assert reply["headers"]["x-forwarded-prefix"] == f"/{name}"


def other_address():
    """An address of this machine that is not its loopback, or None."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unsent:
        try:
            unsent.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = unsent.getsockname()[0]
    return None if address.startswith("127.") else address


def assert_unknown(reply):
    assert (reply.status_code, reply.headers["content-type"]) == (404, "application/problem+json")
    assert reply.json()["type"] == "urn:plazo:problem:not-found"


PATHS_OF_METRICS = ["metrics", "%6detrics", "./metrics", "x/../metrics", "/metrics", "METRICS"]


@pytest.mark.parametrize("page", PATHS_OF_METRICS)
async def test_shows_metrics_to_nobody_whom_another_proxy_passes_on(gateway, page):
    for name in ("tickets", "sla-clock", "escalation", "billing"):
        assert_unknown(await gateway.get(f"/{name}/{page}", headers={"X-Forwarded-For": "192.0.2.66"}))


@pytest.mark.skipif(other_address() is None, reason="this machine has no other address than loopback")
async def test_shows_metrics_to_this_machine_alone(tmp_path):
    nobody = {service: [f"127.0.0.1:{choose_port()}"] for service in SERVICES}
    caddy = Caddy(tmp_path, host="0.0.0.0", port=choose_port(), upstreams=nobody)
    await caddy.start()
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        from_elsewhere = f"http://{other_address()}:{caddy.address.rpartition(':')[2]}"
        for name in ("tickets", "sla-clock", "escalation", "billing"):
            assert_unknown(await client.get(f"{from_elsewhere}/{name}/metrics"))
        for page in (f"{caddy.address}/tickets/metrics", f"{from_elsewhere}/tickets/readyz"):
            assert (await client.get(page)).status_code in {502, 503}, "passed on, to nobody"
    await caddy.stop()


@pytest.mark.parametrize("path", ["/v1", "/v1/ticketsx", "/v2/tickets", "/tickets", "/favicon.ico"])
async def test_answers_404_in_problem_json_where_nobody_serves(gateway, path):
    reply = await gateway.get(path)
    assert reply.status_code == 404
    assert reply.headers["content-type"] == "application/problem+json"
    assert reply.json()["status"] == 404


async def test_answers_in_problem_json_for_a_service_that_is_down(gateway):
    paths = [
        "/v1/accounts",
        "/v1/work",
        "/v1/charges/1",
        "/v1/statements",
        "/v1/ledger",
        "/v1/quotes",
        "/billing/readyz",
    ]
    for reply in await asyncio.gather(*map(gateway.get, paths)):  # each waits for a restart, all at once
        assert reply.status_code in {502, 503}
        assert reply.headers["content-type"] == "application/problem+json"
        assert reply.headers["retry-after"] == "1"
        assert reply.json()["status"] == reply.status_code


async def test_passes_what_identifies_a_request(gateway):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    sent = {"X-Request-Id": "r-1", "traceparent": trace, "Idempotency-Key": "k", "If-Match": '"3"', "Prefer": "wait=2"}
    seen = (await gateway.get("/v1/tickets?state=open&page=%2F", headers=sent)).json()
    assert seen["path"] == "/v1/tickets?state=open&page=%2F"
    assert {name: seen["headers"][name.lower()] for name in sent} == sent


async def test_says_itself_who_asks(gateway):
    forged = {"X-Forwarded-For": "192.0.2.66", "X-Forwarded-Host": "evil.example.com", "X-Forwarded-Proto": "https"}
    headers = (await gateway.get("/v1/tickets", headers=forged)).json()["headers"]
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-forwarded-proto"] == "http"
    assert "evil" not in headers["x-forwarded-host"]


async def test_says_nothing_of_the_software(gateway):
    for path in ("/", "/v1/tickets", "/nowhere"):
        headers = (await gateway.get(path)).headers
        assert "caddy" not in str(headers).lower()
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["content-security-policy"].startswith("default-src 'none'")


async def test_takes_a_body_up_to_40_mb(gateway):
    assert (await gateway.post("/v1/tickets", content=bytes(LIMIT))).json()["bytes"] == LIMIT


async def chunks(size):
    for _ in range(size // 1_000_000):
        yield bytes(1_000_000)


@pytest.mark.parametrize(
    "body", [pytest.param(bytes(LIMIT + 1), id="announced"), pytest.param(chunks(LIMIT + 1_000_000), id="in chunks")]
)
async def test_refuses_a_larger_body_in_problem_json(gateway, body):
    # Half a body may still be under way: nothing else is sent on that connection.
    reply = await gateway.post("/v1/tickets", content=body, headers={"Connection": "close"})
    assert (reply.status_code, reply.headers["content-type"]) == (413, "application/problem+json")


async def test_names_the_services_at_the_root(gateway):
    machine = await gateway.get("/")
    assert set(machine.json()["services"]) == {"tickets", "sla-clock", "escalation", "billing"}
    person = await gateway.get("/", headers={"Accept": "text/html,*/*;q=0.8"})
    assert person.headers["content-type"] == "text/html; charset=utf-8"
    assert '<a href="/billing/docs">' in person.text
    assert (await gateway.post("/")).status_code == 404


async def test_does_not_care_which_name_it_is_called_by(gateway):
    assert (await gateway.get("/v1/tickets", headers={"Host": "desk.example.com"})).status_code == 200


def test_is_written_as_caddy_would_write_it():
    done = subprocess.run(
        [find_program("caddy"), "fmt", "--diff", ROUTING], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


async def test_passes_over_a_replica_that_takes_requests_and_does_not_answer(tmp_path, stand_in):
    port = choose_port()
    answering = Service(
        "tickets",
        port=port,
        command=stand_in("tickets"),
        log=tmp_path / "tickets.log",
        environment={"PLAZO_SERVICE": "tickets", "PLAZO_LISTEN": f"127.0.0.1:{port}"},
    )
    hanging = socket.create_server(("127.0.0.1", 0), backlog=100)  # takes connections, and nobody reads them
    upstreams = [f"127.0.0.1:{port}", f"127.0.0.1:{hanging.getsockname()[1]}"]
    caddy = Caddy(tmp_path, host="127.0.0.1", port=choose_port(), upstreams=dict.fromkeys(SERVICES, upstreams))
    await answering.start()
    await caddy.start()
    async with httpx.AsyncClient(base_url=caddy.address, trust_env=False, timeout=0.5) as client:

        async def both_turns_are_answered() -> bool:
            try:
                return all([(await client.get("/v1/tickets")).is_success for _ in upstreams])
            except httpx.ReadTimeout:
                return False

        assert not await both_turns_are_answered()
        await eventually(both_turns_are_answered, seconds=30)
    await caddy.stop()
    await answering.stop()
    hanging.close()
