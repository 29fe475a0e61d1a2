"""Who may ask, and what each role may see."""

from datetime import timedelta

import pytest
from harness import Client, DeskUnderTest, House

from plazo.kernel.time import format_instant
from plazo.runtime.clock import SystemClock


@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(None, id="none"),
        pytest.param("Bearer plz_000000000000_nothing", id="unknown"),
        pytest.param("Basic cGx6", id="another scheme"),
        pytest.param("Bearer plz_\u00f1_x", id="not ASCII"),
        pytest.param("Bearer " + "x" * 5000, id="very long"),
        pytest.param("Bearer operator-key-of-the-tests", id="the operator's is of no desk"),
    ],
)
async def test_request_without_a_valid_key_is_refused_everywhere(house: House, authorization: str | None):
    headers = {"Authorization": authorization.encode("latin-1")} if authorization else {}
    for service in house.apps:
        path = f"/{service.replace('_', '-')}/v1/dead-letters"
        response = await house.client().get(path, headers=headers)
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer"), service
        assert response.json()["type"] == "urn:plazo:problem:unauthenticated"


async def test_key_with_a_wrong_secret_is_refused(house: House, desk: DeskUnderTest):
    token = desk.admin.headers["authorization"].removeprefix("Bearer ")
    last = "A" if token[-1] != "A" else "B"
    await house.client(token[:-1] + last).refused(401, "GET", "/v1/desk")
    await house.client(token + "A").refused(401, "GET", "/v1/desk")
    await house.client(token).ok("GET", "/v1/desk")


async def test_revoked_key_is_refused_in_every_service(house: House, desk: DeskUnderTest):
    agent = await desk.key("manager")
    keys = await desk.admin.ok("GET", "/v1/keys")
    [key_id] = [key["key_id"] for key in keys if key["role"] == "manager"]
    for service in house.apps:
        await agent.refused(403, "GET", f"/{service.replace('_', '-')}/v1/dead-letters")

    await desk.admin.ok("POST", f"/v1/keys/{key_id}/revoke")
    await desk.settled()

    for service in house.apps:
        problem = await agent.refused(401, "GET", f"/{service.replace('_', '-')}/v1/dead-letters")
        assert "revoked" in problem["detail"]
    await desk.admin.refused(404, "POST", f"/v1/keys/{key_id}/revoke")


async def test_key_expires(house: House, desk: DeskUnderTest):
    # Keys are about the machine's time, not about a sandbox's.
    now = SystemClock().now()
    gone, good = [await desk.key("agent", expires_at=format_instant(now + timedelta(hours=1))) for _ in range(2)]
    [key_id] = gone.headers["authorization"].split("_")[1:2]
    await house.fetch("tickets", "UPDATE api_key SET expires_at = $2 WHERE key_id = $1", key_id, now)
    assert "expired" in (await gone.refused(401, "GET", "/v1/desk"))["detail"]
    await good.ok("GET", "/v1/desk")


@pytest.mark.parametrize("secret", ["wrong", "", "operator-key-of-the-test", "operator-key-of-the-tests "])
async def test_only_the_operator_makes_desks(house: House, secret: str):
    headers = {"Authorization": f"Bearer {secret}"}
    response = await house.client().post("/v1/desks", json={"name": "x"}, headers=headers)
    assert response.status_code == (201 if secret.strip() == "operator-key-of-the-tests" else 401)


@pytest.mark.parametrize(
    ("role", "method", "path"),
    [
        ("requester", "GET", "/v1/contracts"),
        ("requester", "GET", "/v1/policies"),
        ("requester", "GET", "/v1/quarantine"),
        ("requester", "POST", "/v1/customers"),
        ("requester", "GET", "/tickets/v1/dead-letters"),
        ("agent", "POST", "/v1/keys"),
        ("agent", "GET", "/v1/keys"),
        ("agent", "POST", "/v1/policies"),
        ("agent", "POST", "/v1/contracts"),
        ("integration", "POST", "/v1/contracts"),
        ("manager", "POST", "/v1/keys"),
        ("manager", "GET", "/tickets/v1/dead-letters"),
        ("administrator", "POST", "/v1/desks"),
    ],
)
async def test_role_may_not(desk: DeskUnderTest, role: str, method: str, path: str):
    about = {}
    if role == "requester":
        about = {"customer_id": (await desk.admin.ok("POST", "/v1/customers", json={"name": "Una"}))["customer_id"]}
    caller = await desk.key(role, **about)
    await caller.refused(401 if path == "/v1/desks" else 403, method, path, json={} if method == "POST" else None)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        pytest.param({"role": "requester", "label": "x"}, "/customer_id", id="requester of no customer"),
        pytest.param({"role": "king", "label": "x"}, "/role", id="no such role"),
        pytest.param({"role": "agent", "label": ""}, "/label", id="no label"),
        pytest.param({"role": "agent", "label": "x\nadministrator: y"}, "/label", id="label of two lines"),
        pytest.param({"role": "agent", "label": "x\u001b[2K"}, "/label", id="label that steers a terminal"),
        pytest.param({"role": "agent", "label": "x\u2028y"}, "/label", id="label of two lines by Unicode"),
        pytest.param({"role": "agent", "label": "x", "expires_at": "2020-01-01T00:00:00Z"}, "/expires_at", id="past"),
    ],
)
async def test_key_that_makes_no_sense_is_refused(desk: DeskUnderTest, body: dict[str, str], pointer: str):
    problem = await desk.admin.refused(422, "POST", "/v1/keys", json=body)
    assert [error["pointer"] for error in problem["errors"]] == [pointer]


class TestRequester:
    """A customer's key sees that customer, and nothing internal."""

    @pytest.fixture
    async def scene(self, desk: DeskUnderTest) -> tuple[Client, dict[str, str], dict[str, str]]:
        """Return a requester, a ticket of its own and one of another customer."""
        await desk.publish("expande")
        own, other = [await desk.customer("expande", plan="basic") for _ in range(2)]
        requester = await desk.key("requester", customer_id=own["customer_id"])
        return requester, await desk.open_ticket(own), await desk.open_ticket(other)

    async def test_lists_its_own_tickets(self, scene: tuple[Client, dict[str, str], dict[str, str]]):
        requester, own, other = scene
        for query in ({}, {"customer_id": other["customer_id"]}):
            items = (await requester.ok("GET", "/v1/tickets", params=query))["items"]
            assert [item["ticket_id"] for item in items] == [own["ticket_id"]]
        customers = (await requester.ok("GET", "/v1/customers"))["items"]
        assert [customer["customer_id"] for customer in customers] == [own["customer_id"]]

    async def test_another_s_ticket_is_not_there(self, scene: tuple[Client, dict[str, str], dict[str, str]]):
        requester, own, other = scene
        path = f"/v1/tickets/{other['ticket_id']}"
        missing = await requester.refused(404, "GET", f"/v1/tickets/{own['customer_id']}")
        there = await requester.refused(404, "GET", path)
        assert there["type"] == missing["type"], "the two are not told apart"
        await requester.refused(404, "GET", f"{path}/timeline")
        await requester.refused(404, "POST", f"{path}/replies", json={"text": "hola"})
        await requester.refused(404, "POST", f"{path}/closings", json={"reason": "withdrawn"})
        await requester.refused(404, "POST", f"{path}/reopenings", json={"reason": "x"})

    async def test_opens_under_its_own_contracts_only(self, scene: tuple[Client, dict[str, str], dict[str, str]]):
        requester, own, other = scene
        body = {"subject": "a", "description": "b", "channel": "portal"}
        await requester.refused(404, "POST", "/v1/tickets", json=body | {"contract_id": other["contract_id"]})
        opened = await requester.ok("POST", "/v1/tickets", json=body | {"contract_id": own["contract_id"]})
        assert opened["customer_id"] == own["customer_id"]

    async def test_sees_no_internal_note(
        self, desk: DeskUnderTest, scene: tuple[Client, dict[str, str], dict[str, str]]
    ):
        requester, own, _ = scene
        path = f"/v1/tickets/{own['ticket_id']}"
        secret = "el cliente exagera"
        await desk.admin.ok("POST", f"{path}/replies", json={"text": secret, "internal": True})
        await desk.admin.ok("POST", f"{path}/replies", json={"text": "Lo miramos"})
        await requester.ok("POST", f"{path}/replies", json={"text": "Gracias", "internal": True})

        theirs = await requester.get(f"{path}/timeline")
        assert secret not in theirs.text
        assert all(entry["internal"] is False for entry in theirs.json()["items"])
        assert [entry["text"] for entry in theirs.json()["items"] if entry["kind"] in ("reply", "customer_reply")] == [
            "Lo miramos",
            "Gracias",
        ]
        assert secret in (await desk.admin.get(f"{path}/timeline")).text

    @pytest.mark.parametrize("action", ["waits", "agreed-dates", "resolutions"])
    async def test_does_no_staff_work(self, scene: tuple[Client, dict[str, str], dict[str, str]], action: str):
        requester, own, _ = scene
        bodies = {
            "waits": {"cause": "customer", "reason": "x"},
            "agreed-dates": {"due_at": "2026-06-01T00:00:00Z"},
            "resolutions": {"text": "x"},
        }
        await requester.refused(403, "POST", f"/v1/tickets/{own['ticket_id']}/{action}", json=bodies[action])
        await requester.refused(403, "PATCH", f"/v1/tickets/{own['ticket_id']}", json={"facts": {"server_down": True}})
        await requester.refused(403, "GET", f"/v1/tickets/{own['ticket_id']}/decisions")
        await requester.refused(403, "GET", f"/v1/contracts/{own['contract_id']}")
