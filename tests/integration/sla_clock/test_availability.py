"""Outages by hand and by webhook, and the availability they leave. EXP-05"""

from typing import Any

import pytest
from harness import Client, DeskUnderTest


@pytest.fixture
async def contract(desk: DeskUnderTest) -> dict[str, Any]:
    """A contract of eXpande, around the clock; the desk stands on 4 May 2026, 13:00 UTC, 15:00 in Madrid."""
    await desk.publish("expande")
    return await desk.customer("expande", plan="basic")


async def report(caller: Client, contract: dict, status: int = 201, **outage: Any) -> Any:
    body = {"contract_id": contract["contract_id"], **outage}
    if status != 201:
        return await caller.refused(status, "POST", "/v1/outages", json=body)
    return await caller.ok("POST", "/v1/outages", json=body)


async def month(caller: Client, contract: dict, month: str = "2026-05", **about: str) -> dict:
    parameters = {"contract": contract["contract_id"], "month": month, **about}
    return await caller.ok("GET", "/v1/availability", params=parameters)


def alert(status: str, contract: dict, *, start: str, end: str = "0001-01-01T00:00:00Z", **labels: str) -> dict:
    return {
        "status": status,
        "labels": {"alertname": "Down", "contract_id": contract["contract_id"], **labels},
        "annotations": {"summary": "the shop does not answer"},
        "startsAt": start,
        "endsAt": end,
        "generatorURL": "http://monitoring.example.com/graph",
        "fingerprint": "c4a1f2b3d5e60718",
    }


def group(*alerts: dict) -> dict:
    return {
        "version": "4", "groupKey": "{}:{}", "truncatedAlerts": 0, "status": "firing", "receiver": "plazo",
        "groupLabels": {}, "commonLabels": {}, "commonAnnotations": {}, "externalURL": "http://monitoring.example.com",
        "alerts": list(alerts),
    }  # fmt: skip


async def test_month_against_what_was_agreed(desk: DeskUnderTest, contract: dict) -> None:
    agreement = {"contract_id": contract["contract_id"], "agreed_percent": "99.9"}
    agreed = await desk.admin.ok("PUT", "/v1/availability/agreements", json=agreement)
    assert (agreed["agreed_percent"], agreed["since"]) == ("99.9", "2020-01")
    await desk.advance(to="2026-06-01T00:00:00Z")
    await report(desk.admin, contract, started_at="2026-05-10T10:00:00Z", ended_at="2026-05-10T10:30:00Z")
    await report(desk.admin, contract, started_at="2026-05-10T10:20:00Z", ended_at="2026-05-10T10:40:00Z")
    await report(desk.admin, contract, started_at="2026-05-11T00:00:00Z", ended_at="2026-05-11T05:00:00Z", planned=True)
    await report(
        desk.admin, contract, started_at="2026-05-12T00:00:00Z", ended_at="2026-05-12T01:00:00Z",
        cause="provider_decision",
    )  # fmt: skip
    view = await month(desk.admin, contract)
    # 31 days; 10:00 to 10:40; the maintenance of 5 h and the deliberate hour do not count
    assert (view["total_seconds"], view["down_seconds"], view["excluded_seconds"]) == (2678400, 2400, 21600)
    assert view["up_seconds"] == 2676000
    assert view["percentage"] == "99.9103"  # 2676000 / 2678400 = 0.999103942...
    assert (view["agreed_percent"], view["met"], view["complete"]) == ("99.9", True, True)
    assert (view["from"], view["until"]) == ("2026-04-30T22:00:00Z", "2026-05-31T22:00:00Z")
    assert view["clauses"] == ["EXP-04", "EXP-05"]
    assert [(one["seconds"], one["excluded"]) for one in view["outages"]] == [
        (1800, None), (1200, None), (18000, "planned"), (3600, "cause provider_decision"),
    ]  # fmt: skip

    await report(desk.admin, contract, started_at="2026-05-20T00:00:00Z", ended_at="2026-05-20T00:04:38.4Z")
    # 0.1% of 2678400 s is 2678.4 s: 2400 + 278.4 are exactly that
    assert (await month(desk.admin, contract))["met"] is True
    await report(desk.admin, contract, started_at="2026-05-20T00:04:38.4Z", ended_at="2026-05-20T00:04:38.400001Z")
    view = await month(desk.admin, contract)
    assert (view["met"], view["percentage"], view["down_seconds"]) == (False, "99.8999", 2678.400001)


async def test_alerts_open_and_close_outages(desk: DeskUnderTest, contract: dict) -> None:
    monitoring = await desk.key("integration")
    firing = alert("firing", contract, start="2026-05-04T12:00:00Z")
    first = await monitoring.ok("POST", "/v1/outages/webhook", json=group(firing))
    again = await monitoring.ok("POST", "/v1/outages/webhook", json=group(firing))
    assert [answer["items"][0]["outcome"] for answer in (first, again)] == ["opened", "known"]
    running = await month(monitoring, contract)
    assert (running["complete"], running["until"], running["down_seconds"]) == (False, "2026-05-04T13:00:00Z", 3600)

    over = alert("resolved", contract, start="2026-05-04T12:00:00Z", end="2026-05-04T12:15:00Z")
    closed = await monitoring.ok("POST", "/v1/outages/webhook", json=group(over))
    late = await monitoring.ok("POST", "/v1/outages/webhook", json=group(firing))
    assert [answer["items"][0]["outcome"] for answer in (closed, late)] == ["closed", "known"]
    (outage,) = (await monitoring.ok("GET", "/v1/outages"))["items"]
    assert (outage["ended_at"], outage["summary"]) == ("2026-05-04T12:15:00Z", "the shop does not answer")
    assert (await month(monitoring, contract))["down_seconds"] == 900


async def test_end_of_an_alert_may_come_first_and_alone(desk: DeskUnderTest, contract: dict) -> None:
    monitoring = await desk.key("integration")
    over = alert("resolved", contract, start="2026-05-04T12:00:00Z", end="2026-05-04T12:15:00Z")
    firing = alert("firing", contract, start="2026-05-04T12:00:00Z")
    answer = await monitoring.ok("POST", "/v1/outages/webhook", json=group(over, firing))
    assert [one["outcome"] for one in answer["items"]] == ["closed", "known"]
    assert (await monitoring.ok("GET", "/v1/outages?open=true"))["items"] == []


async def test_alert_that_cannot_be_read_does_not_stand_before_the_others(desk: DeskUnderTest, contract: dict) -> None:
    monitoring = await desk.key("integration")
    nobody = alert("firing", {"contract_id": str(desk.desk_id)}, start="2026-05-04T12:00:00Z")
    nowhere = {**nobody, "labels": {"alertname": "Down"}}
    good = alert("firing", contract, start="2026-05-04T12:00:00Z")
    answer = await monitoring.ok("POST", "/v1/outages/webhook", json=group(nobody, nowhere, {"status": "x"}, good))
    assert [one["outcome"] for one in answer["items"]] == ["refused", "refused", "refused", "opened"]
    assert "no contract" in answer["items"][0]["problem"]
    assert "expected `contract_id` or `component`" in answer["items"][1]["problem"]
    problem = await monitoring.refused(422, "POST", "/v1/outages/webhook", json=group(nobody, nowhere))
    assert [fault["pointer"] for fault in problem["errors"]] == ["/alerts/0", "/alerts/1"]
    agent = await desk.key("agent")
    await agent.refused(403, "POST", "/v1/outages/webhook", json=group(good))


async def test_components(desk: DeskUnderTest, contract: dict) -> None:
    other = await desk.customer("expande", plan="basic")
    for component, percent in ((None, 99), ("cloud", "99.5")):
        body = {"contract_id": contract["contract_id"], "component": component, "agreed_percent": percent}
        await desk.admin.ok("PUT", "/v1/availability/agreements", json=body)
    # a shared component: of no contract in particular
    shared = {"component": "cloud", "started_at": "2026-05-04T10:00:00Z", "ended_at": "2026-05-04T11:00:00Z"}
    await desk.admin.ok("POST", "/v1/outages", json=shared)
    await report(
        desk.admin, contract, component="shop", started_at="2026-05-04T10:30:00Z", ended_at="2026-05-04T11:30:00Z"
    )
    assert (await month(desk.admin, contract))["down_seconds"] == 5400  # 10:00 to 11:30
    cloud = await month(desk.admin, contract, component="cloud")
    assert (cloud["down_seconds"], cloud["agreed_percent"]) == (3600, "99.5")
    assert (await month(desk.admin, other))["down_seconds"] == 0
    assert (await month(desk.admin, other))["met"] is None
    one = await desk.admin.ok("GET", "/v1/availability/agreements?limit=1")
    two = await desk.admin.ok("GET", f"/v1/availability/agreements?limit=1&cursor={one['next_cursor']}")
    assert [page["items"][0]["component"] for page in (one, two)] == [None, "cloud"]


async def test_outage_is_closed_and_explained(desk: DeskUnderTest, contract: dict) -> None:
    outage = await report(desk.admin, contract)
    assert (outage["started_at"], outage["ended_at"]) == ("2026-05-04T13:00:00Z", None)
    path = f"/v1/outages/{outage['outage_id']}"
    early = await desk.admin.refused(422, "POST", f"{path}/close", json={"ended_at": "2026-05-04T12:59:00Z"})
    assert early["errors"][0]["pointer"] == "/ended_at"
    await desk.advance(to="2026-05-04T14:00:00Z")
    for _ in range(2):
        closed = await desk.admin.ok("POST", f"{path}/close", json={"cause": "network"})
        assert (closed["ended_at"], closed["cause"]) == ("2026-05-04T14:00:00Z", "network")
    problem = await desk.admin.refused(409, "POST", f"{path}/close", json={"ended_at": "2026-05-04T13:30:00Z"})
    assert problem["type"] == "urn:plazo:problem:outage-over"
    assert (await month(desk.admin, contract))["down_seconds"] == 3600
    await desk.admin.refused(412, "PATCH", path, json={"cause": "x"}, headers={"If-Match": '"1"'})
    await desk.admin.ok("PATCH", path, json={"cause": "provider_decision"})
    assert (await month(desk.admin, contract))["down_seconds"] == 0


async def test_agreements_begin_with_a_month(desk: DeskUnderTest, contract: dict) -> None:
    for since, percent in ((None, "99"), ("2026-05", "99.95")):
        body = {"contract_id": contract["contract_id"], "agreed_percent": percent, "since": since}
        await desk.admin.ok("PUT", "/v1/availability/agreements", json=body)
    assert [(await month(desk.admin, contract, one))["agreed_percent"] for one in ("2026-04", "2026-05")] == [
        "99", "99.95",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "percent", ["0", "100.1", "99,9", "99.12345", "-1", "", None, True, "1e2", "9" * 5000], ids=lambda one: str(one)[:9]
)
async def test_percentage_that_is_none(desk: DeskUnderTest, contract: dict, percent: Any) -> None:
    body = {"contract_id": contract["contract_id"], "agreed_percent": percent}
    problem = await desk.admin.refused(422, "PUT", "/v1/availability/agreements", json=body)
    assert "expected a percentage" in problem["errors"][0]["message"]


async def test_bad_questions(desk: DeskUnderTest, contract: dict) -> None:
    of_contract = f"/v1/availability?contract={contract['contract_id']}&month="
    for bad in ("2026-13", "may", "2026-5", "2026-05-01", "2026-06", "9999-12"):
        problem = await desk.admin.refused(422, "GET", of_contract + bad)
        assert "month" in str(problem["errors"])
    await desk.admin.refused(404, "GET", f"/v1/availability?contract={desk.desk_id}&month=2026-05")
    await desk.admin.refused(404, "GET", of_contract + "2019-01")  # the policy was not in force
    await report(desk.admin, contract, 422, started_at="2026-05-04T13:00:00Z", ended_at="2026-05-04T12:00:00Z")
    await report(desk.admin, {"contract_id": str(desk.desk_id)}, 422)
    await desk.admin.refused(422, "POST", "/v1/outages", json={"cause": "network"})
    requester = await desk.key("requester", customer_id=contract["customer_id"])
    assert (await month(requester, contract))["down_seconds"] == 0
    other = await desk.customer("expande", plan="basic")
    await requester.refused(404, "GET", f"/v1/availability?contract={other['contract_id']}&month=2026-05")
    await requester.refused(403, "POST", "/v1/outages", json={"contract_id": contract["contract_id"]})


async def test_policy_that_does_not_measure(desk: DeskUnderTest) -> None:
    await desk.publish("ireo")
    contract = await desk.customer("ireo", plan="vip")
    path = f"/v1/availability?contract={contract['contract_id']}&month=2026-05"
    problem = await desk.admin.refused(409, "GET", path)
    assert problem["type"] == "urn:plazo:problem:availability-not-measured"
