"""Every route has a rule, the documentation says which, and every route keeps to it."""

import re
from collections.abc import Iterator
from uuid import uuid4

import pytest
from fastapi import APIRouter
from harness import OPERATOR_KEY, Client, DeskUnderTest, House

from plazo.events.envelope import SERVICES
from plazo.runtime import routes
from plazo.runtime.call import allow
from plazo.runtime.identity import EVERYBODY, Role
from plazo.runtime.routes import NoRule, Rule, rules_of
from plazo.runtime.service import Service

NOBODY = "0198f0c2-7a10-7c3e-9b1d-2f6a5d3e4c01"


def test_page_is_current():
    assert routes.PAGE.read_text("utf-8") == routes.page(), "run `python -m plazo.runtime.routes`"


@pytest.mark.parametrize("service", SERVICES)
async def test_table_has_every_route_that_is_served(house: House, service: str):
    app, described = house.apps[service], routes.services()[service]
    known = {id(router) for router in routes.routers_of(described)}
    included = {id(route.original_router) for route in app.routes if hasattr(route, "original_router")}
    assert included == known, "a router is served that the table does not read"
    own = {route.path for route in app.routes if not hasattr(route, "original_router")}
    assert own == {"/docs", "/docs/static", "/openapi.json"}
    rules = {(rule.method, rule.path) for rule in rules_of(described)}
    assert {
        (method.upper(), path) for path, operations in app.openapi()["paths"].items() for method in operations
    } <= rules


def test_route_without_a_rule_fails_the_table():
    router = APIRouter()

    @router.get("/v1/open")
    async def open_to_all() -> None:
        return None

    @router.get("/v1/two", dependencies=[allow(Role.AGENT), allow(Role.MANAGER)])
    async def ruled_twice() -> None:
        return None

    for number, route in enumerate(router.routes):
        one = APIRouter()
        one.routes.append(route)
        service = Service(name="x", title="x", description="", routers=(one,), handlers={})
        with pytest.raises(NoRule, match=["has 0 rules", "has 2 rules"][number]):
            list(rules_of(service))


@pytest.fixture(scope="module")
async def desk(house: House) -> DeskUnderTest:
    """One desk for all: nothing here has an effect."""
    return await house.new_desk()


@pytest.fixture(scope="module")
async def callers(house: House, desk: DeskUnderTest) -> dict[str, Client]:
    """A caller of each role."""
    customer = await desk.admin.ok("POST", "/v1/customers", json={"name": "Una"})
    about = {"requester": {"customer_id": customer["customer_id"]}}
    issued = {
        str(role): await desk.admin.ok(
            "POST", "/v1/keys", json={"role": role, "label": role} | about.get(str(role), {})
        )
        for role in EVERYBODY
    }
    await desk.settled()
    return {role: house.client(key["api_key"]) for role, key in issued.items()}


def closed_to(rule: Rule) -> Iterator[str]:
    return (str(role) for role in EVERYBODY if role not in rule.roles)


@pytest.mark.parametrize("service", SERVICES)
async def test_every_route_is_closed_to_everybody_else(house: House, callers: dict[str, Client], service: str):
    nobody, wrong = house.client(), []
    for rule in rules_of(routes.services()[service]):
        if rule.reason is not None:
            continue
        path = f"/{service.replace('_', '-')}" + re.sub(r"\{[^}]+\}", NOBODY, rule.path)
        answers = {"no key": await nobody.request(rule.method, path)}
        for role in closed_to(rule):
            answers[role] = await callers[role].request(rule.method, path)
        is_keyed = rule.roles[0] not in ("signature", "link")
        for who, answer in answers.items():
            refused = (401,) if who == "no key" and is_keyed else (401, 403) if is_keyed else (401, 403, 404, 422)
            if answer.status_code not in refused:
                wrong.append((rule.method, rule.path, who, answer.status_code, answer.text[:200]))
    assert wrong == []


@pytest.mark.parametrize("service", SERVICES)
async def test_no_route_passes_over_a_parameter_it_does_not_know(house: House, desk: DeskUnderTest, service: str):
    """A filter with a typo would answer with everything."""
    operator, wrong = house.client(OPERATOR_KEY), []
    for rule in rules_of(routes.services()[service]):
        if rule.reason is not None or rule.roles[0] in ("signature", "link"):
            continue  # probes, partner systems and readers of mail add their own
        path = f"/{service.replace('_', '-')}" + re.sub(r"\{[^}]+\}", NOBODY, rule.path)
        caller = operator if rule.roles[0] == "operator" else desk.admin
        answer = await caller.request(rule.method, path, params={"stauts": "open"})
        faults = answer.json().get("errors", []) if answer.status_code == 422 else []
        if not any(fault.get("parameter") == "stauts" and "unknown" in fault["message"] for fault in faults):
            wrong.append((rule.method, rule.path, answer.status_code, answer.text[:200]))
    assert wrong == []


async def test_all_that_is_wrong_with_a_query_is_said_at_once(desk: DeskUnderTest):
    query = [("limit", "0"), ("stauts", "open"), ("cursor", "a"), ("cursor", "b"), ("customer_id", "7")]
    problem = await desk.admin.refused(422, "GET", "/v1/tickets", params=query)
    said = {fault["parameter"]: fault["message"] for fault in problem["errors"]}
    assert said.keys() == {"limit", "stauts", "cursor", "customer_id"}
    assert "state" in said["stauts"], "what it may have meant"
    assert "more than once" in said["cursor"]
    await desk.admin.ok("GET", "/v1/tickets", params=[("state", "new"), ("state", "closed")])


@pytest.mark.parametrize("service", SERVICES)
async def test_route_open_to_anybody_tells_nothing_of_a_desk(house: House, desk: DeskUnderTest, service: str):
    for rule in rules_of(routes.services()[service]):
        if rule.reason is not None:
            answer = await house.client().request(rule.method, f"/{service.replace('_', '-')}{rule.path}")
            assert answer.status_code < 500, rule
            assert str(desk.desk_id) not in answer.text, rule


async def test_scopes_narrow_what_a_role_may_do(house: House, desk: DeskUnderTest):
    reader = await desk.key("administrator", scopes=["tickets:read", "billing:write"])
    await reader.ok("GET", "/v1/tickets")
    problem = await reader.refused(403, "POST", "/v1/keys", json={"role": "agent", "label": "x"})
    assert "tickets:write" in problem["detail"]
    await reader.ok("GET", "/v1/accounts")  # who may write may read
    await reader.refused(422, "POST", f"/v1/accounts/{uuid4()}/grants", json={})
    for path in ("/v1/clocks", "/v1/escalations", "/sla-clock/v1/audit"):
        await reader.refused(403, "GET", path)
    for scopes in ([], ["tickets"], ["tickets:delete"], ["x:read"]):
        await desk.admin.refused(422, "POST", "/v1/keys", json={"role": "agent", "label": "x", "scopes": scopes})
