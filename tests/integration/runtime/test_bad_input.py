"""Whatever is thrown at a service gets an answer that names the fault, never a 5xx; and the service goes on."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Any
from uuid import uuid4

import pytest
from harness import DeskUnderTest, House
from integration.runtime.routes import TICKETS_WRITES, Route

NOT_JSON = [
    pytest.param(b"{", id="unfinished"),
    pytest.param(b"\xff\xfe", id="no UTF-8"),
    pytest.param(b'{"a": NaN}', id="NaN"),
    pytest.param(b'{"a": Infinity}', id="Infinity"),
    pytest.param(b'{"a": 1e999}', id="a number without end"),
    pytest.param(b"[" * 100_000, id="deep nesting"),
    pytest.param(b'{"a":' * 20_000 + b"1" + b"}" * 20_000, id="deep objects"),
    pytest.param(b'{"a": 1, "a": 2}', id="a field twice"),
    pytest.param(b'{"a": "\\ud800"}', id="half a character"),
]
NO_OBJECT: list[Any] = [None, [], "x", 7, True, {}, [{}]]


@pytest.fixture(scope="module")
async def desk(house: House) -> DeskUnderTest:
    """One desk for all: nothing here has an effect."""
    return await house.new_desk()


@pytest.fixture(scope="module")
async def scene(desk: DeskUnderTest) -> dict[str, str]:
    """Return the ids that the paths ask for: of a ticket, a contract and a customer that exist."""
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    ticket = await desk.open_ticket(contract)
    return {
        "ticket_id": ticket["ticket_id"],
        "contract_id": contract["contract_id"],
        "customer_id": contract["customer_id"],
        "cause": "customer",
        "key_id": "none",
        "event_id": str(uuid4()),
    }


def faults(problem: dict[str, Any]) -> list[str]:
    return sorted(error.get("pointer", "") for error in problem["errors"])


async def is_alive(desk: DeskUnderTest, scene: dict[str, str]) -> bool:
    ticket = await desk.admin.ok("GET", f"/v1/tickets/{scene['ticket_id']}")
    return bool(ticket["version"] >= 1)


@pytest.mark.parametrize("route", TICKETS_WRITES, ids=str)
class TestEveryWrite:
    async def test_refuses_what_is_no_json(self, desk: DeskUnderTest, scene: dict[str, str], route: Route):
        for case in NOT_JSON:
            response = await desk.admin.request(
                route.method, route.at(scene), content=case.values[0], headers={"Content-Type": "application/json"}
            )
            assert response.status_code in (400, 422), (case.id, response.status_code, response.text[:300])
            assert response.headers["content-type"] == "application/problem+json"
        assert await is_alive(desk, scene)

    async def test_refuses_what_is_no_object(self, desk: DeskUnderTest, scene: dict[str, str], route: Route):
        for body in NO_OBJECT:
            await desk.admin.refused(422, route.method, route.at(scene), json=body)
        await desk.admin.refused(422, route.method, route.at(scene))

    async def test_refuses_another_content_type(self, desk: DeskUnderTest, scene: dict[str, str], route: Route):
        for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
            body = json.dumps(route.body(scene)).encode()
            await desk.admin.refused(
                422, route.method, route.at(scene), content=body, headers={"Content-Type": kind} if kind else {}
            )

    async def test_refuses_a_body_that_is_too_large(self, desk: DeskUnderTest, scene: dict[str, str], route: Route):
        problem = await desk.admin.refused(
            413,
            route.method,
            route.at(scene),
            content=b'{"text": "' + b"x" * 1_048_576 + b'"}',
            headers={"Content-Type": "application/json"},
        )
        assert problem["type"] == "urn:plazo:problem:body-too-large"

    async def test_refuses_unknown_fields_and_names_them(
        self, desk: DeskUnderTest, scene: dict[str, str], route: Route
    ):
        body = route.body(scene) | {"unknown/field": 1}
        problem = await desk.admin.refused(422, route.method, route.at(scene), json=body)
        assert faults(problem) == ["/unknown~1field"]

    async def test_refuses_every_wrong_value_and_points_at_it(
        self, desk: DeskUnderTest, scene: dict[str, str], route: Route
    ):
        for name, wrong in route.wrong_values(scene):
            body = route.body(scene) | {name: wrong}
            response = await desk.admin.request(route.method, route.at(scene), json=body)
            assert response.status_code == 422, (name, wrong, response.text)
            pointers = faults(response.json())
            assert pointers, (name, wrong)
            assert all(pointer.split("/")[1] == name for pointer in pointers), (name, wrong, pointers)


@pytest.mark.parametrize(
    "instant",
    [
        "2026-05-04T13:00:00",
        "9999-12-31T23:59:59Z",
        "2026-13-01T00:00:00Z",
        "2026-05-04",
        "",
        1_777_885_200,
        None,
        "2026-05-04T13:00:00+99:00",
    ],
)
async def test_refuses_what_is_no_instant(desk: DeskUnderTest, scene: dict[str, str], instant: Any):
    path = f"/v1/tickets/{scene['ticket_id']}/agreed-dates"
    problem = await desk.admin.refused(422, "POST", path, json={"due_at": instant})
    assert faults(problem) == ["/due_at"]


async def test_points_at_all_faults_at_once(desk: DeskUnderTest, scene: dict[str, str]):
    body = {"contract_id": "7", "subject": "", "description": "a\x00b", "channel": "pigeon", "extra": 1}
    problem = await desk.admin.refused(422, "POST", "/v1/tickets", json=body)
    assert faults(problem) == ["/channel", "/contract_id", "/description", "/extra", "/subject"]


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "large"}], ids=["plain", "under a key"])
async def test_refuses_20_megabytes_that_come_in_pieces(desk: DeskUnderTest, headers: dict[str, str]):
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b" " * 1_000_000

    content_type = {"Content-Type": "application/json"}
    await desk.admin.refused(413, "POST", "/v1/customers", content=pieces(), headers=content_type | headers)


async def test_three_wrong_facts_are_three_faults(desk: DeskUnderTest, scene: dict[str, str]):
    body = {
        "contract_id": scene["contract_id"],
        "subject": "a",
        "description": "b",
        "facts": {"server_down": "perhaps", "blocked_process_minutes": "46", "unheard_of": True},
    }
    problem = await desk.admin.refused(422, "POST", "/v1/tickets", json=body)
    assert faults(problem) == ["/facts/blocked_process_minutes", "/facts/server_down", "/facts/unheard_of"]


async def test_secret_in_a_faulty_body_is_not_echoed(desk: DeskUnderTest, scene: dict[str, str]):
    response = await desk.admin.post(
        f"/v1/tickets/{scene['ticket_id']}/replies", json={"text": {"password": "hunter2"}, "channel": "hunter2"}
    )
    assert (response.status_code, "hunter2" in response.text) == (422, False)


_NOBODY = "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01"


def _paths() -> Iterator[Any]:
    for path in ("tickets/{}", "tickets/{}/timeline", "tickets/{}/decisions", "contracts/{}", "desks/{}"):
        for value in ("7", "%00", "ñ", "..", "' OR 1=1--", "x" * 3000, _NOBODY):
            yield pytest.param(f"/v1/{path.format(value)}", id=f"{path[:18]}-{value[:6]}")


@pytest.mark.parametrize("path", list(_paths()))
async def test_path_that_names_nothing_is_refused(desk: DeskUnderTest, path: str):
    response = await desk.admin.get(path)
    assert response.status_code in (404, 405, 422), response.text


@pytest.mark.parametrize(
    "query",
    [
        {"limit": "0"},
        {"limit": "201"},
        {"limit": "-1"},
        {"limit": "x"},
        {"limit": "1e3"},
        {"limit": "9" * 40},
        {"cursor": "x"},
        {"cursor": ""},
        {"cursor": "\u00f1"},
        {"state": "sleeping"},
        {"customer_id": "7"},
    ],
    ids=str,
)
async def test_query_that_makes_no_sense_is_refused(desk: DeskUnderTest, query: dict[str, str]):
    await desk.admin.refused(422, "GET", "/v1/tickets", params=query)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Prefer", "wait=999999999999999999999999"),
        ("Prefer", "wait=-1"),
        ("Prefer", "\u00ff" * 50),
        ("If-Match", "\u00ff"),
        ("traceparent", "x" * 3000),
        ("traceparent", "\u00ff"),
    ],
)
async def test_odd_headers_do_no_harm(desk: DeskUnderTest, name: str, value: str):
    response = await desk.admin.post("/v1/customers", json={"name": "Una"}, headers={name: value.encode("latin-1")})
    assert response.status_code in (201, 412, 422), response.text


async def test_method_that_is_not_offered_is_a_problem_too(desk: DeskUnderTest):
    problem = await desk.admin.refused(405, "DELETE", "/v1/tickets")
    assert problem["type"] == "urn:plazo:problem:method-not-allowed"
    assert (await desk.admin.refused(404, "GET", "/v2/tickets"))["type"] == "urn:plazo:problem:no-such-path"
