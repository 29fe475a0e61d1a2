"""Desks are walls: every route and every list, asked with the ids, cursors and keys of another desk."""

import asyncio
import json
import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from harness import DeskUnderTest, House
from integration.runtime.routes import TICKETS_WRITES

from plazo.events.envelope import SERVICES
from plazo.policies import policy_text
from plazo.runtime.clock import SystemClock
from plazo.runtime.signatures import sign
from tickets.usecases.streaming import Cursor, follow_timelines

NOBODY = "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01"
# Values of parameters that are not ids.
PLAIN = {
    "month": "2026-05",
    "from": "2026-05-01",
    "until": "2026-05-31",
    "start": "2026-05-01",
    "policy": "smartcloud",
    "version": "2026-01",
    "channel": "email",
    "name": "standard",
    "cause": "customer",
    "q": "secreto",
    "address": "help@example.com",
    "number": "1",
    "step": "x",
    "token": "x",
    "year": "2026",
    "event": "breached",
    "source": "old",
    "by": "policy",
}
# Takes no id of anything, or (a view) a filter that finds nothing.
NAMES_NOTHING = ("/v1/desks", "/v1/deadlines", "/v1/working-times", "/v1/views")
SAID = "secreto de la otra mesa"


class Belongings:
    """What a desk has, by the name it goes under: `ticket_id` and the like, and the cursors of its lists."""

    def __init__(self) -> None:
        self.ids: dict[str, set[str]] = defaultdict(set)
        self.listed: dict[tuple[str, str], set[str]] = defaultdict(set)
        self.cursors: dict[str, str] = {}

    def take(self, value: Any, name: str = "", *, at: str = "") -> None:
        """Remember every id in the answer of a path."""
        if isinstance(value, dict):
            for key, one in value.items():
                self.take(one, key, at=at)
        elif isinstance(value, list):
            for one in value:
                self.take(one, name, at=at)
        elif isinstance(value, str) and (
            name == "key_id" or re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-.{12}", value)
        ):
            name = name if name.endswith("_id") else f"{name}_id"
            self.ids[name].add(value)
            self.listed[at, name].add(value)

    def of(self, name: str, *, at: str = "") -> str:
        """Return the oldest that goes under a name, in the list at a path if it has some; or what nobody has."""
        if name in PLAIN:
            return PLAIN[name]
        name = {"about": "ticket_id"}.get(name, name if name.endswith("_id") else f"{name}_id")
        found = self.listed.get((at, name)) or self.ids.get(name)
        return min(found) if found else NOBODY


def operations(house: House) -> Iterator[tuple[str, str, str, list[dict[str, Any]]]]:
    """Return prefix, method, path and query parameters of every operation of every service."""
    for service in SERVICES:
        document = house.apps[service].openapi()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                query = [one for one in operation.get("parameters", []) if one["in"] == "query"]
                yield f"/{service.replace('_', '-')}", method.upper(), path, query


def fill(prefix: str, path: str, query: list[dict[str, Any]], belongings: Belongings) -> tuple[str, dict[str, str]]:
    """Return a path and its query with a desk's ids in all their places."""

    def filled(match: re.Match[str]) -> str:
        return belongings.of(match[1], at=prefix + path[: match.start()].rstrip("/"))

    at = re.sub(r"\{([^}]+)\}", filled, path)
    about = {
        one["name"]: belongings.of(one["name"])
        for one in query
        if one.get("required") or belongings.of(one["name"]) not in (NOBODY, PLAIN.get(one["name"]))
    }
    return at, about


@pytest.fixture(scope="module")
async def desk(house: House) -> DeskUnderTest:
    """A desk with one of everything."""
    desk = await house.new_desk()
    ok = desk.admin.ok
    await desk.publish("ireo")
    await ok("POST", "/v1/products", json={"name": "sage", "title": SAID})
    bought = await desk.customer("ireo", plan="standard", products=["sage"])
    void = {"product": "sage", "from": "2026-06-04", "reason": SAID}
    await ok("POST", f"/v1/contracts/{bought['contract_id']}/voids", json=void)
    await desk.publish("smartcloud")
    contract = await desk.customer("smartcloud", plan="dedicated")
    customer = contract["customer_id"]
    await ok("POST", "/v1/contacts", json={"customer_id": customer, "name": SAID, "emails": ["ana@example.com"]})
    agent = await ok("POST", "/v1/agents", json={"name": "eva", "email": "eva@example.com"})
    await ok("POST", f"/v1/agents/{agent['agent_id']}/absences", json={"reason": SAID})
    [account, *_] = (await ok("GET", "/v1/accounts", params={"contract": contract["contract_id"]}))["items"]
    await ok("POST", f"/v1/accounts/{account['account_id']}/grants", json={"quantity": 90, "reason": SAID})
    first, _ = [await desk.open_ticket(contract, subject=SAID, facts={"business_impact": "material"}) for _ in range(2)]
    await in_tickets(desk, contract, first)
    await in_others(desk, contract, first)
    await dead_letters(desk)
    await desk.key("agent")
    await desk.advance(to="2026-05-06T13:00:00Z")
    return desk


async def in_tickets(desk: DeskUnderTest, contract: dict[str, Any], ticket: dict[str, Any]) -> None:
    """Leave one of everything that tickets keeps."""
    ok, path = desk.admin.ok, f"/v1/tickets/{ticket['ticket_id']}"
    await ok("POST", "/v1/intake/addresses", json={"address": "help@example.com"})
    await ok("POST", f"{path}/replies", json={"text": SAID})
    await ok("POST", f"{path}/attachments", content=b"x", params={"name": f"{SAID}.txt"})
    await ok("POST", f"{path}/secrets", json={"label": "vpn", "value": SAID})
    meeting = {"starts_at": "2026-05-20T08:00:00Z", "ends_at": "2026-05-20T09:00:00Z", "place": "remote"}
    await ok("POST", f"{path}/appointments", json=meeting)
    await ok("POST", "/v1/hooks", json={"name": SAID, "kind": "alertmanager"})
    await ok("POST", "/v1/views", json={"name": SAID, "filter": {}})
    line = json.dumps({"reference": "A", "subject": SAID, "opened_at": "2026-05-04T08:00:00Z"})
    asked = {"source": "old", "contract_id": contract["contract_id"]}
    await ok("POST", "/v1/imports", params=asked, content=line, headers={"Content-Type": "application/x-ndjson"})
    await desk.publish("expande")
    strict = await desk.customer("expande", plan="basic")
    boss = {"customer_id": strict["customer_id"], "name": SAID, "role": "administrator"}
    await ok("POST", "/v1/contacts", json=boss | {"emails": ["jefa@example.com"]})
    asked = {"contract_id": strict["contract_id"], "subject": SAID, "description": SAID, "channel": "email"}
    await desk.admin.refused(403, "POST", "/v1/tickets", json=asked | {"contact_email": "luis@example.com"})


async def in_others(desk: DeskUnderTest, contract: dict[str, Any], ticket: dict[str, Any]) -> None:
    """Leave one of everything that the other services keep."""
    ok, about = desk.admin.ok, {"ticket_id": ticket["ticket_id"]}
    await ok("POST", "/v1/outages", json={"contract_id": contract["contract_id"], "summary": SAID})
    [known] = [one for one in await ok("GET", "/v1/policies") if one["policy"] == "smartcloud"]
    text = policy_text("smartcloud").replace(f"version: {known['version']}", "version: 2027-01", 1)
    await ok("POST", "/v1/policies", json={"document": text.replace(f'"{known["version"]}"', '"2027-01"', 1)})
    await desk.settled()
    asked = {"policy": "smartcloud", "from_version": known["version"], "to_version": "2027-01", "reason": SAID}
    await ok("POST", "/v1/recomputations", json=asked)
    wanted = {"url": "https://partner.example.com/x", "events": ["ticket.*"], "name": SAID}
    await ok("POST", "/v1/subscriptions", json=wanted)
    words = {"es": SAID, "en": SAID}
    for name in [one["name"] for one in (await ok("GET", "/v1/templates"))["items"]][:1]:
        await ok("PUT", f"/v1/templates/{name}", json={"subject": words, "body": words})
    done = {"started_at": "2026-05-04T12:00:00Z", "minutes": 30, "description": SAID}
    await ok("POST", "/v1/work", json=about | done)
    await ok("POST", "/v1/work/timers", json=about | {"note": SAID})
    work = json.dumps(about | done | {"started_at": "2026-05-04T10:00:00Z"})
    await ok("POST", "/v1/work/imports", json={"format": "jsonl", "content": work})
    offer = {"minutes": 30, "valid_until": "2026-06-04T12:00:00Z", "description": SAID}
    await ok("POST", "/v1/quotes", json=about | offer)
    await desk.settled()


async def dead_letters(desk: DeskUnderTest) -> None:
    """Leave a dead letter at every service."""
    sql = (
        "INSERT INTO dead_letter (event_id, desk_id, producer, aggregate_id, aggregate_version, type, envelope, reason)"
        " VALUES (gen_random_uuid(), $1, 'tickets', gen_random_uuid(), 1, 'x.v1', '{}', 'x')"
    )
    for service in SERVICES:
        await desk.house.fetch(service, sql, desk.desk_id)


@pytest.fixture(scope="module")
async def stranger(house: House) -> DeskUnderTest:
    """Another desk, where nothing is."""
    return await house.new_desk()


@pytest.fixture(scope="module")
async def belongings(house: House, desk: DeskUnderTest) -> Belongings:
    """What the desk has, gathered from all its lists."""
    found = Belongings()
    for _ in range(2):  # what the lists give is asked about in turn
        for prefix, method, path, query in operations(house):
            if method != "GET" or "text/event-stream" in path or path == "/v1/stream":
                continue
            at, about = fill(prefix, path, query, found)
            needed = {one["name"]: about[one["name"]] for one in query if one.get("required")}
            is_paged = any(one["name"] == "limit" for one in query)
            for limit in ({"limit": "1"}, {}) if is_paged else ({},):
                answer = await desk.admin.get(prefix + at, params=needed | limit)
                if answer.status_code == 200 and answer.headers["content-type"] == "application/json":
                    body = answer.json()
                    found.take(body, at=prefix + path)
                    if isinstance(body, dict) and body.get("next_cursor"):
                        found.cursors[prefix + path] = body["next_cursor"]
    found.ids.pop("instance_id", None)
    [work] = await house.fetch("billing", "SELECT import_id FROM work_import WHERE desk_id = $1", desk.desk_id)
    found.take(str(work["import_id"]), "import_id", at="/billing/v1/work/imports")  # they have no list
    return found


def of_the_other(text: str, belongings: Belongings) -> list[str]:
    """Return what an answer tells of another desk."""
    return [one for ids in belongings.ids.values() for one in ids if one in text] + ([SAID] if SAID in text else [])


async def test_every_place_for_an_id_is_tried_with_one(house: House, belongings: Belongings):
    """A new kind of thing fails this until the desk above has one."""
    nobody_s = {
        (method, path)
        for prefix, method, path, query in operations(house)
        for address in fill(prefix, path, query, belongings)
        if NOBODY in str(address)
    }
    assert nobody_s == set(), sorted(nobody_s)
    assert len(belongings.cursors) >= 15, belongings.cursors


async def test_owner_finds_what_the_stranger_is_asked_for(house: House, desk: DeskUnderTest, belongings: Belongings):
    """Ids that were wrong would find nothing for anybody, and every wall would seem to stand."""
    missing = []
    for prefix, method, path, query in operations(house):
        if method == "GET" and "_id}" in path and not path.endswith("/playbook"):  # these policies have none
            at, about = fill(prefix, path, query, belongings)
            answer = await desk.admin.get(prefix + at, params=about)
            if answer.status_code != 200:
                missing.append((path, answer.status_code, answer.text[:200]))
    assert missing == [], "\n".join(map(str, missing))


async def test_nothing_is_read_by_another_s_ids(house: House, stranger: DeskUnderTest, belongings: Belongings):
    told = []
    for prefix, method, path, query in operations(house):
        if method != "GET" or path == "/v1/stream":
            continue
        at, about = fill(prefix, path, query, belongings)
        answer = await stranger.admin.get(prefix + at, params=about)
        assert answer.status_code < 500, (at, answer.text)
        if answer.status_code < 400 and (found := of_the_other(answer.text, belongings)):
            told.append((path, found))
        if "_id}" in path and re.search(r"\{(\w+_id)\}$", path) and answer.status_code == 200:
            told.append((path, answer.text[:200]))
    assert told == []


async def test_nothing_is_listed_behind_another_s_cursor(house: House, stranger: DeskUnderTest, belongings: Belongings):
    for path, cursor in belongings.cursors.items():
        if "{" in path:
            continue
        answer = await stranger.admin.get(path, params={"cursor": cursor, "limit": 200})
        assert answer.status_code in (200, 422), (path, answer.text)
        assert of_the_other(answer.text, belongings) == [], path


async def test_nothing_is_changed_by_another_s_ids(
    house: House, desk: DeskUnderTest, stranger: DeskUnderTest, belongings: Belongings
):
    changed = []
    for prefix, method, path, query in operations(house):
        if method == "GET" or "_id}" not in path:
            continue
        at, about = fill(prefix, path, query, belongings)
        for body in (None, {}):
            answer = await stranger.admin.request(method, prefix + at, params=about, json=body)
            if answer.status_code not in (401, 403, 404, 409, 422):
                changed.append((method, path, answer.status_code, answer.text[:200]))
    # What takes a whole body: one that is right, but for the desk.
    scene = {name: belongings.of(name) for name in ("ticket_id", "contract_id", "customer_id", "key_id", "event_id")}
    for route in TICKETS_WRITES:
        if "_id}" in route.path or "_id" in json.dumps(route.body(scene)):
            answer = await stranger.admin.request(
                route.method, route.at(scene | {"cause": "customer"}), json=route.body(scene)
            )
            if answer.status_code not in (404, 422):
                changed.append((route.method, route.path, answer.status_code, answer.text[:200]))
    assert changed == []


class Writer:
    """Writes the body that a schema asks for, with a desk's ids wherever one has a place."""

    def __init__(self, document: dict[str, Any], belongings: Belongings) -> None:
        self._schemas = document["components"]["schemas"]
        self._belongings = belongings
        self.named: set[str] = set()

    def write(self, schema: dict[str, Any], name: str = "") -> Any:
        """Return a value for a schema; what may be left out is, unless it is an id."""
        if self._is_id(name):
            self.named.add(name)
            return self._belongings.of(name)
        schema = self._resolved(schema)
        if said := [schema[one] for one in ("const", "default") if schema.get(one) is not None]:
            return said[0]
        if several := [schema[one] for one in ("enum", "examples") if schema.get(one)]:
            return several[0][0]
        if schema.get("type") == "object":
            needed = schema.get("required", ())
            fields = schema.get("properties", {}).items()
            return {one: self.write(about, one) for one, about in fields if one in needed or self._is_id(one)}
        if schema.get("type") == "array":
            return [self.write(schema.get("items", {}), name)]
        plain = {"date": "2026-05-04", "date-time": "2026-05-04T12:00:00Z", "uuid": NOBODY}
        numbers = {"integer": 1, "number": 1, "boolean": True}
        return plain.get(schema.get("format", "")) or numbers.get(schema.get("type", ""), PLAIN.get(name, "x"))

    def _resolved(self, schema: dict[str, Any]) -> dict[str, Any]:
        while True:
            first = [schema[one][0] for one in ("anyOf", "oneOf", "allOf") if one in schema]
            if "$ref" in schema:
                schema = self._schemas[schema["$ref"].rpartition("/")[2]]
            elif first:
                schema = first[0]
            else:
                return schema

    def _is_id(self, name: str) -> bool:
        return name.endswith("_id") and self._belongings.of(name) != NOBODY


async def test_nothing_is_changed_by_a_right_body_with_another_s_ids(
    house: House, stranger: DeskUnderTest, belongings: Belongings
):
    changed, missing = [], 0
    for service in SERVICES:
        document = house.apps[service].openapi()
        for path, methods in document["paths"].items():
            for method, operation in methods.items():
                content = operation.get("requestBody", {}).get("content", {}).get("application/json")
                if content is None or path in NAMES_NOTHING:
                    continue
                writer = Writer(document, belongings)
                body = writer.write(content["schema"])
                prefix = f"/{service.replace('_', '-')}"
                at, _ = fill(prefix, path, [], belongings)
                if "_id}" not in path and not writer.named:
                    continue  # it has no place for an id
                answer = await stranger.admin.request(method, prefix + at, json=body)
                missing += answer.status_code == 404
                if answer.status_code not in (401, 403, 404, 409, 422):
                    changed.append((method, path, body, answer.status_code, answer.text[:200]))
    assert changed == []
    assert missing > 40, f"most bodies are right, and what they name is not there: {missing}"


async def test_hook_takes_its_own_secret_and_not_another_desk_s(
    house: House, stranger: DeskUnderTest, belongings: Belongings
):
    own = await stranger.admin.ok("POST", "/v1/hooks", json={"name": "x", "kind": "alertmanager"})
    signed = sign(b"{}", secret=own["secret"], message_id="m", at=SystemClock().now())
    path = f"/v1/intake/webhooks/{belongings.of('hook_id')}"
    await house.client().refused(401, "POST", path, content=b"{}", headers=signed)


async def test_idempotency_key_of_another_desk_is_another_key(desk: DeskUnderTest, stranger: DeskUnderTest):
    request = {"json": {"name": "Una"}, "headers": {"Idempotency-Key": "the same"}}
    first = await desk.admin.post("/v1/customers", **request)
    other = await stranger.admin.post("/v1/customers", **request)
    assert "idempotency-replayed" not in other.headers
    assert first.json()["customer_id"] != other.json()["customer_id"]


async def test_stream_from_the_beginning_of_time_tells_one_desk_s(
    house: House, desk: DeskUnderTest, stranger: DeskUnderTest
):
    runtime, now = house.runtime("tickets"), SystemClock().now()

    async def first_behind_ready(one: DeskUnderTest, reader_desk: UUID) -> Any:
        principal = await runtime.admit(one.admin.headers["authorization"], now=now)
        stream = follow_timelines(
            runtime.unit_of_work(desk_id=reader_desk, now=now),
            runtime,
            reader=principal,
            cursor=Cursor(0, 0),
            ticket_id=None,
            customer_id=None,
            with_internal=True,
        )
        await anext(stream)
        try:
            return await asyncio.wait_for(anext(stream, None), timeout=0.3)
        except TimeoutError:
            return None

    assert await first_behind_ready(desk, desk.desk_id) is not None
    assert await first_behind_ready(stranger, stranger.desk_id) is None
