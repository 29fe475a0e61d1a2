"""A customer's key asks every route it may ask: nothing is told of other customers, and nothing internal.

Whatever may not be told has a mark in it; the answers are searched for the marks.
"""

import json
import re

import pytest
from harness import Client, DeskUnderTest, House
from integration.runtime.test_walls import Belongings, Writer, fill
from integration.tickets.test_stream import opened

from plazo.events.envelope import SERVICES
from plazo.runtime import routes

NOBODY = "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01"

# Each stands in a place of its own; the word says which.
INTERNAL = "marca-nota-interna"
STAFF = "Marca Agente"
MANAGER = "Marca Gerente"
OTHER = "Marca Otro Cliente"
OTHER_PERSON = "Marca Otra Persona"
CREDENTIAL = "marca-contraseña-7Kq2"
WORK = "marca-trabajo-ajeno"
INTERNAL_FILE = "marca-archivo-interno.txt"
ADDRESS = "marca@example.com"
MARKS = (INTERNAL, STAFF, ADDRESS, MANAGER, OTHER, OTHER_PERSON, CREDENTIAL, WORK, INTERNAL_FILE)


class Scene:
    """Two customers of a desk, a requester of the first, and what either has, by the name of a path's parameter."""

    def __init__(self, requester: Client, own: dict[str, str], other: dict[str, str]) -> None:
        self.requester = requester
        self.own = own
        self.other = other


@pytest.fixture(scope="module")
async def desk(house: House) -> DeskUnderTest:
    """A desk of its own."""
    return await house.new_desk()


@pytest.fixture(scope="module")
async def scene(desk: DeskUnderTest) -> Scene:
    """Both customers have one of everything; what the other has is marked, and what is internal of the first."""
    await desk.publish("smartcloud")
    agent = await desk.key("agent", label=STAFF)
    manager = await desk.key("manager", label=MANAGER)
    person = {"name": STAFF, "email": ADDRESS, "levels": [1, 2, 3]}
    teams = [f"{team['policy']}:{team['team']}" for team in (await desk.admin.ok("GET", "/v1/teams"))["items"]]
    staff = await desk.admin.ok("POST", "/v1/agents", json=person | {"teams": teams})
    own = await furnish(desk, agent, manager, staff["agent_id"], name="Una", person="Ana", words="Lo miramos")
    other = await furnish(desk, agent, manager, staff["agent_id"], name=OTHER, person=OTHER_PERSON, words=WORK)
    await agent.ok("POST", f"/v1/tickets/{own['ticket_id']}/links", json={"ticket": other["ticket_id"]})
    requester = await desk.key("requester", contact_id=own["contact_id"], label="Ana")
    return Scene(requester, own, other)


async def furnish(
    desk: DeskUnderTest, agent: Client, manager: Client, agent_id: str, *, name: str, person: str, words: str
) -> dict[str, str]:
    """Give a customer one of everything, and return the ids."""
    ok = desk.admin.ok
    customer = await ok("POST", "/v1/customers", json={"name": name, "email": "c@example.com"})
    signed = {"customer_id": customer["customer_id"], "policy": "smartcloud", "plan": "dedicated"}
    contract = await ok("POST", "/v1/contracts", json=signed | {"valid_from": "2020-01-01"})
    contact = await ok(
        "POST", "/v1/contacts", json={"customer_id": customer["customer_id"], "name": person, "role": "administrator"}
    )
    await desk.settled()
    [account, *_] = (await ok("GET", "/v1/accounts", params={"contract": contract["contract_id"]}))["items"]
    await manager.ok("POST", f"/v1/accounts/{account['account_id']}/grants", json={"quantity": 90, "reason": "factura"})
    ticket = await desk.open_ticket(
        contract, subject=words, contact_id=contact["contact_id"], facts={"business_impact": "material"}
    )
    path = f"/v1/tickets/{ticket['ticket_id']}"
    await agent.ok("POST", f"{path}/acknowledgements", json={})
    await manager.ok(
        "POST", "/v1/assignments", json={"ticket_id": ticket["ticket_id"], "agent_id": agent_id, "reason": INTERNAL}
    )
    await agent.ok("POST", f"{path}/replies", json={"text": words})
    await agent.ok("POST", f"{path}/replies", json={"text": INTERNAL, "internal": True})
    await agent.ok("POST", f"{path}/attachments", content=b"x", params={"name": INTERNAL_FILE, "internal": "true"})
    file = await agent.ok("POST", f"{path}/attachments", content=b"x", params={"name": f"{words}.txt"})
    secret = await ok("POST", f"{path}/secrets", json={"label": "vpn", "value": CREDENTIAL})
    work = {"ticket_id": ticket["ticket_id"], "started_at": "2026-05-04T12:00:00Z", "minutes": 30}
    await agent.ok("POST", "/v1/work", json=work | {"description": words})
    asked = {"ticket_id": ticket["ticket_id"], "minutes": 30, "valid_until": "2026-06-04T12:00:00Z"}
    quote = await agent.ok("POST", "/v1/quotes", json=asked | {"description": words})
    mail = {"contract_id": contract["contract_id"], "subject": words, "description": words, "channel": "email"}
    await desk.admin.refused(403, "POST", "/v1/tickets", json=mail | {"contact_email": "nadie@example.com"})
    [*_, kept] = (await ok("GET", "/v1/quarantine"))["items"]
    await manager.ok("POST", f"/v1/quarantine/{kept['request_id']}/dismiss", json={"reason": words})
    await desk.settled()
    [clock, *_] = (await ok("GET", "/v1/clocks", params={"ticket": ticket["ticket_id"]}))["items"]
    return {
        "customer_id": customer["customer_id"],
        "contract_id": contract["contract_id"],
        "contact_id": contact["contact_id"],
        "account_id": account["account_id"],
        "ticket_id": ticket["ticket_id"],
        "attachment_id": file["attachment_id"],
        "secret_id": secret["secret_id"],
        "quote_id": quote["quote_id"],
        "clock_id": clock["clock_id"],
        "request_id": kept["request_id"],
    }


def questions(house: House, ids: dict[str, str], desk: DeskUnderTest) -> list[tuple[str, dict[str, str]]]:
    """Return every address that a requester may ask, with ids in path and query."""
    plain = {
        "desk_id": str(desk.desk_id),
        "month": "2026-05",
        "policy": "smartcloud",
        "name": "elapsed",
        "q": "marca",
        "contract": ids["contract_id"],
        "ticket": ids["ticket_id"],
        "customer": ids["customer_id"],
    }
    known = plain | ids
    found = []
    for service in SERVICES:
        document = house.apps[service].openapi()
        for rule in routes.rules_of(routes.services()[service]):
            if rule.method != "GET" or "requester" not in rule.roles or rule.path == "/v1/stream":
                continue
            path = re.sub(r"\{([^}]+)\}", lambda match: known.get(match[1], NOBODY), rule.path)
            query = [one for one in document["paths"][rule.path]["get"].get("parameters", []) if one["in"] == "query"]
            needed = {one["name"]: known.get(one["name"], "x") for one in query if one.get("required")}
            wide = needed | {one["name"]: known[one["name"]] for one in query if one["name"] in known}
            prefix = f"/{service.replace('_', '-')}"
            found += [(prefix + path, needed)] + ([(prefix + path, wide)] if wide != needed else [])
    return found


def marks_in(text: str) -> list[str]:
    return [mark for mark in MARKS if mark.lower() in text.lower()]


async def test_nothing_internal_is_told_and_nothing_of_others(house: House, desk: DeskUnderTest, scene: Scene):
    told, answered = [], 0
    for ids in (scene.own, scene.other):
        for path, query in questions(house, ids, desk):
            answer = await scene.requester.get(path, params=query)
            assert answer.status_code < 500, (path, answer.text)
            if ids is scene.own:
                answered += answer.status_code == 200
            if found := marks_in(answer.text):
                told.append((path, query, found, answer.text[:2000]))
            if answer.status_code == 200 and any(one in answer.text for one in scene.other.values()):
                told.append((path, query, "ids of another", answer.text[:300]))
    assert told == []
    assert answered > 40, "most had something to tell"


async def test_stream_tells_what_the_timeline_tells(house: House, scene: Scene):
    path = f"/v1/tickets/{scene.own['ticket_id']}/timeline"
    timeline = (await scene.requester.ok("GET", path))["items"]
    async with opened(house, scene.requester, "cursor=0-0") as stream:
        kinds = await stream.kinds(len(timeline) + 1)
    assert sorted(kinds) == sorted(["ready", *(entry["kind"] for entry in timeline)])
    told = json.dumps(stream.events, ensure_ascii=False)
    assert marks_in(told) == []
    assert not [one for one in scene.other.values() if one in told]
    query = f"cursor=0-0&customer_id={scene.other['customer_id']}&ticket_id={scene.other['ticket_id']}"
    async with opened(house, scene.requester, query) as stream:
        assert await stream.kinds(1) == ["ready"]


async def test_no_change_is_answered_with_what_is_internal(house: House, desk: DeskUnderTest, scene: Scene):
    """Refusals too: what is in the way may have been done by somebody. The last of all: things are changed."""
    told, done = [], 0
    for ids in (scene.other, scene.own):
        belongings = Belongings()
        for name, one in (ids | {"desk_id": str(desk.desk_id)}).items():
            belongings.take(one, name)
        for service in SERVICES:
            document = house.apps[service].openapi()
            for rule in routes.rules_of(routes.services()[service]):
                if rule.method == "GET" or "requester" not in rule.roles:
                    continue
                path, _ = fill("", rule.path, [], belongings)
                operation = document["paths"][rule.path][rule.method.lower()]
                content = operation.get("requestBody", {}).get("content", {}).get("application/json")
                body = Writer(document, belongings).write(content["schema"]) if content else None
                prefix = f"/{service.replace('_', '-')}"
                answer = await scene.requester.request(rule.method, prefix + path, json=body)
                assert answer.status_code < 500, (path, answer.text)
                done += answer.is_success
                if ids is scene.other and answer.is_success and "_id}" in rule.path:
                    told.append((rule.method, path, "did it", answer.text[:300]))
                if found := marks_in(answer.text):
                    told.append((rule.method, path, found, answer.text[:2000]))
    assert told == []
    assert done >= 8, "much could be done"
