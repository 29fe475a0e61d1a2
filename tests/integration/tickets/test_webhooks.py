"""Other systems post: signed, once, and by a mapping that is configuration."""

import asyncio
import hashlib
import hmac
import json
from datetime import timedelta
from typing import Any

import httpx
from harness import DeskUnderTest
from mails import known_contact

from plazo.runtime.signatures import sign

MAPPING = {
    "thread": "{id}",
    "action": [{"template": "{kind}", "values": {"new": "open", "said": "reply", "done": "resolve"}}],
    "subject": "{title}",
    "description": "{body|title}",
    "text": "{body|kind}",
}


class Poster:
    """The other system: it has a hook's path and secret, and no key."""

    def __init__(self, desk: DeskUnderTest, hook: dict[str, Any]) -> None:
        self.desk, self.hook = desk, hook
        self.client = desk.house.client()

    async def post(
        self, payload: Any, *, delivery: str = "d1", ago: int = 0, secret: str | None = None
    ) -> httpx.Response:
        """Post by Standard Webhooks."""
        body = json.dumps(payload).encode()
        at = self.desk.house.runtime("tickets").clock.now() - timedelta(seconds=ago)
        headers = sign(body, secret=secret or self.hook["secret"], message_id=delivery, at=at)
        return await self.client.post(self.hook["path"], content=body, headers=headers)

    async def send(self, payload: Any, headers: dict[str, str]) -> httpx.Response:
        """Post with headers of another scheme."""
        return await self.client.post(self.hook["path"], content=json.dumps(payload).encode(), headers=headers)


async def hooked(desk: DeskUnderTest, **hook: Any) -> Poster:
    """Make a hook under a contract of IREO, which takes webhooks."""
    contract = await known_contact(desk, "ireo", plan="standard")
    body = {"name": "monitoring", "contract_id": contract["contract_id"]} | hook
    return Poster(desk, await desk.admin.ok("POST", "/v1/hooks", json=body))


def outcomes(response: httpx.Response) -> list[str]:
    """Return what became of the matters of a post."""
    assert response.is_success, response.text
    return [item["outcome"] for item in response.json()["items"]]


async def test_five_deliveries_at_once_are_one_ticket(desk: DeskUnderTest) -> None:
    poster = await hooked(desk, mapping=MAPPING)
    payload = {"id": "7", "kind": "new", "title": "Disk full"}
    answers = await asyncio.gather(*(poster.post(payload) for _ in range(5)))
    assert sorted(answer.json()["duplicate"] for answer in answers) == [False, True, True, True, True]
    assert {answer.json()["items"][0]["outcome"] for answer in answers} == {"ticket_opened"}
    assert len((await desk.admin.ok("GET", "/v1/tickets"))["items"]) == 1


async def test_one_matter_is_one_ticket_through_its_life(desk: DeskUnderTest) -> None:
    poster = await hooked(desk, mapping=MAPPING)
    opened = await poster.post({"id": "7", "kind": "new", "title": "Disk full"})
    assert outcomes(opened) == ["ticket_opened"]
    said = await poster.post({"id": "7", "kind": "said", "title": "Disk full", "body": "98 %"}, delivery="d2")
    assert outcomes(said) == ["reply_added"]
    done = await poster.post({"id": "7", "kind": "done", "title": "Disk full"}, delivery="d3")
    assert outcomes(done) == ["resolved"]
    assert (await desk.ticket(opened.json()["items"][0]))["state"] == "resolved"
    back = await poster.post({"id": "7", "kind": "new", "title": "Disk full"}, delivery="d4")
    assert outcomes(back) == ["reopened"]


async def test_five_different_posts_about_one_matter_are_one_ticket(desk: DeskUnderTest) -> None:
    poster = await hooked(desk, mapping=MAPPING)
    payload = {"id": "7", "kind": "new", "title": "Disk full"}
    answers = await asyncio.gather(*(poster.post(payload, delivery=f"d{n}") for n in range(5)))
    assert sorted(outcomes(answer)[0] for answer in answers) == ["ignored"] * 4 + ["ticket_opened"]


async def test_old_unsigned_and_foreign_posts_are_refused(desk: DeskUnderTest) -> None:
    poster = await hooked(desk, mapping=MAPPING)
    assert (await poster.post({}, ago=301)).status_code == 401
    assert (await poster.post({}, secret="whsec_AAAA")).status_code == 401
    assert (await poster.send({}, {})).status_code == 401
    # A weaker scheme is not taken where the hook has the stronger one.
    assert (await poster.send({}, {"Authorization": f"Bearer {poster.hook['secret']}"})).status_code == 401
    assert (await poster.client.post("/v1/intake/webhooks/" + str(desk.desk_id), content=b"{}")).status_code == 404


async def test_a_rotated_secret_overlaps_and_a_disabled_hook_takes_nothing(desk: DeskUnderTest) -> None:
    poster = await hooked(desk, mapping=MAPPING)
    old, path = poster.hook["secret"], f"/v1/hooks/{poster.hook['hook_id']}"
    rotated = await desk.admin.ok("POST", f"{path}/rotations", json={"overlap_hours": 1})
    payload = {"id": "7", "kind": "new", "title": "Disk full"}
    assert (await poster.post(payload, delivery="a", secret=old)).is_success
    assert (await poster.post(payload, delivery="b", secret=rotated["secret"])).is_success
    again = await desk.admin.ok("POST", f"{path}/rotations", json={"overlap_hours": 0})
    assert (await poster.post(payload, delivery="c", secret=rotated["secret"])).status_code == 401
    await desk.admin.ok("PATCH", path, json={"disabled": True})
    assert (await poster.post(payload, delivery="d", secret=again["secret"])).status_code == 404
    shown = await desk.admin.ok("GET", path)
    assert "secret" not in shown
    stored = await desk.house.fetch("tickets", "SELECT secrets::text AS it FROM hook WHERE desk_id = $1", desk.desk_id)
    assert old.removeprefix("whsec_") not in stored[0]["it"]


async def test_what_cannot_be_mapped_is_kept(desk: DeskUnderTest) -> None:
    poster = await hooked(desk, mapping=MAPPING)
    answer = await poster.post({"id": "7", "kind": "new", "headline\x00": "\ud800"})
    assert (answer.status_code, outcomes(answer)) == (202, ["kept"])
    kept = await desk.admin.ok("GET", f"/v1/quarantine/{answer.json()['items'][0]['request_id']}")
    assert "the payload has nothing at title" in kept["body"]["description"]
    assert (await poster.post("hola", delivery="d2")).status_code == 202
    no_contract = await desk.admin.ok("POST", "/v1/hooks", json={"name": "x", "mapping": MAPPING})
    unplaced = await Poster(desk, no_contract).post({"id": "8", "kind": "new", "title": "x"})
    assert outcomes(unplaced) == ["kept"]


async def test_what_was_kept_is_kept_once_and_goes_on_when_released(desk: DeskUnderTest) -> None:
    poster = await hooked(desk, mapping=MAPPING, contract_id=None)
    firing = {"id": "7", "kind": "new", "title": "Disk full"}
    first = (await poster.post(firing)).json()["items"][0]
    assert first["outcome"] == "kept"
    again = (await poster.post(firing | {"body": "still"}, delivery="d2")).json()["items"][0]
    assert (again["outcome"], again["reason"], again["request_id"]) == ("ignored", "already_kept", first["request_id"])
    contract = (await desk.admin.ok("GET", "/v1/contracts"))["items"][0]
    release = {"contract_id": contract["contract_id"]}
    released = await desk.admin.ok("POST", f"/v1/quarantine/{first['request_id']}/release", json=release)
    said = (await poster.post(firing | {"kind": "said", "body": "Worse"}, delivery="d3")).json()["items"][0]
    assert (said["outcome"], said["ticket_id"]) == ("reply_added", released["ticket_id"])


async def test_alertmanager(desk: DeskUnderTest) -> None:
    poster = await hooked(desk, kind="alertmanager")
    bearer = {"Authorization": f"Bearer {poster.hook['secret']}"}

    def group(*statuses: str) -> dict[str, Any]:
        alerts = [
            {
                "status": status,
                "labels": {"alertname": "DiskFull", "instance": f"db{place}"},
                "annotations": {"summary": f"Disk full on db{place}"},
                "startsAt": "2026-05-04T12:59:00Z",
                "fingerprint": f"f{place}",
            }
            for place, status in enumerate(statuses)
        ]
        return {"version": "4", "status": "firing", "alerts": alerts}

    fired = await poster.send(group("firing", "firing"), bearer)
    assert outcomes(fired) == ["ticket_opened", "ticket_opened"]
    assert (await poster.send(group("firing", "firing"), bearer)).json()["duplicate"]
    half = await poster.send(group("firing", "resolved"), bearer)
    assert outcomes(half) == ["ignored", "resolved"]


async def test_zammad(desk: DeskUnderTest) -> None:
    poster = await hooked(desk, kind="zammad")

    async def said(sender: str, count: int, *, state: str = "new", delivery: str) -> httpx.Response:
        payload = {
            "ticket": {
                "number": "31001",
                "title": "No arranca",
                "state": state,
                "article_count": count,
                "create_article_type": "email",
                "created_at": "2026-05-04T12:58:00Z",
                "customer": {"email": "ana@example.com", "firstname": "Ana", "lastname": "Pérez"},
            },
            "article": {"sender": sender, "body": "<p>Hola<br>no va</p>", "internal": False, "n": count},
        }
        body = json.dumps(payload).encode()
        digest = hmac.new(poster.hook["secret"].encode(), body, hashlib.sha1).hexdigest()
        headers = {"X-Hub-Signature": f"sha1={digest}", "X-Zammad-Delivery": delivery}
        return await poster.client.post(poster.hook["path"], content=body, headers=headers)

    opened = await said("Customer", 1, delivery="a")
    assert outcomes(opened) == ["ticket_opened"]
    ticket = await desk.ticket(opened.json()["items"][0])
    assert (ticket["channel"], ticket["contact_email"], ticket["description"]) == (
        "email",
        "ana@example.com",
        "Hola\nno va",
    )
    assert outcomes(await said("Agent", 2, state="open", delivery="b")) == ["answered"]
    assert (await said("Agent", 2, state="open", delivery="b")).json()["duplicate"]
    assert outcomes(await said("Customer", 3, state="open", delivery="c")) == ["reply_added"]
    assert outcomes(await said("Agent", 4, state="closed", delivery="d")) == ["resolved"]
    await desk.settled()
    clocks = {clock["kind"]: clock["state"] for clock in (await desk.ticket(ticket))["clocks"]}
    assert clocks["first_response"] == "met"


async def test_glpi_and_jira(desk: DeskUnderTest) -> None:
    glpi = await hooked(desk, kind="glpi")
    body = json.dumps(
        {"event": "new", "item": {"id": 5, "name": "VPN", "content": "&lt;p&gt;no va&lt;/p&gt;", "status": {"id": 1}}}
    ).encode()
    stamp = str(int(desk.house.runtime("tickets").clock.now().timestamp()))
    digest = hmac.digest(glpi.hook["secret"].encode(), body + stamp.encode(), "sha256").hex()
    headers = {"X-GLPI-signature": digest, "X-GLPI-timestamp": stamp}
    opened = await glpi.client.post(glpi.hook["path"], content=body, headers=headers)
    assert outcomes(opened) == ["ticket_opened"]
    assert (await desk.ticket(opened.json()["items"][0]))["description"] == "no va"
    jira = Poster(
        desk,
        await desk.admin.ok(
            "POST",
            "/v1/hooks",
            json={"name": "jsm", "kind": "jira_service_management", "contract_id": glpi.hook["contract_id"]},
        ),
    )

    async def told(event: str, **more: Any) -> httpx.Response:
        issue = {"key": "IT-4", "fields": {"summary": "Pantalla", "status": {"statusCategory": {"key": "new"}}}}
        payload = json.dumps({"webhookEvent": event, "issue": issue} | more).encode()
        digest = hmac.digest(jira.hook["secret"].encode(), payload, "sha256").hex()
        return await jira.client.post(
            jira.hook["path"], content=payload, headers={"X-Hub-Signature": f"sha256={digest}"}
        )

    assert outcomes(await told("jira:issue_created")) == ["ticket_opened"]
    comment = {"body": "Sigue igual", "jsdPublic": True, "author": {"accountType": "customer"}}
    assert outcomes(await told("comment_created", comment=comment)) == ["reply_added"]
    assert outcomes(await told("comment_created", comment=comment | {"jsdPublic": False})) == ["noted"]


async def test_hooks_are_managed_by_managers(desk: DeskUnderTest) -> None:
    agent = await desk.key("agent")
    await agent.refused(403, "POST", "/v1/hooks", json={"name": "x", "kind": "glpi"})
    presets = await agent.ok("GET", "/v1/hooks/presets")
    assert [one["kind"] for one in presets] == ["alertmanager", "zammad", "glpi", "jira_service_management"]
    problem = await desk.admin.refused(422, "POST", "/v1/hooks", json={"name": "x"})
    assert "expected `mapping`" in problem["errors"][0]["message"]


async def test_signed_nonsense_is_told_so_and_never_breaks(desk: DeskUnderTest) -> None:
    hook = await desk.admin.ok("POST", "/v1/hooks", json={"name": "x", "mapping": MAPPING})
    at = desk.house.runtime("tickets").clock.now()
    for name, body in (("deep", b"[" * 100_000), ("cut", b"{"), ("bytes", b"\xff"), ("number", b"1e999999")):
        headers = sign(body, secret=hook["secret"], message_id=name, at=at)
        answer = await desk.house.client().post(hook["path"], content=body, headers=headers)
        assert answer.status_code in (202, 422), name
