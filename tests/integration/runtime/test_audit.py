"""What needs more than everyday rights is on record, in every service, and stays there."""

import asyncpg
import pytest
import structlog.testing
from harness import DeskUnderTest, House


async def test_acts_are_recorded_with_who_and_what(desk: DeskUnderTest):
    issued = await desk.admin.ok("POST", "/v1/keys", json={"role": "manager", "label": "Rosa"})
    await desk.settled()
    rosa = desk.house.client(issued["api_key"])
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    await rosa.ok("PATCH", f"/v1/contracts/{contract['contract_id']}", json={"valid_until": "2030-01-01"})
    await desk.admin.ok("POST", f"/v1/keys/{issued['key_id']}/revoke")

    acts = (await desk.admin.ok("GET", "/tickets/v1/audit"))["items"]
    assert [act["action"] for act in acts][:3] == ["revoke_key", "change_contract", "sign_contract"]
    assert [act["action"] for act in acts][-1] == "create_desk"
    changed = acts[1]
    assert (changed["role"], changed["label"], changed["key_id"]) == ("manager", "Rosa", issued["key_id"])
    assert changed["subject"]["contract_id"] == contract["contract_id"]
    assert changed["request"] == f"PATCH /v1/contracts/{contract['contract_id']}"
    assert changed["fields"] == ["valid_until"]
    assert changed["at"] == "2026-05-04T13:00:00Z", "the desk's present"
    [first] = [act for act in acts if act["action"] == "issue_key"]
    assert first["subject"]["key_id"] == issued["key_id"]
    everything = (await desk.admin.get("/tickets/v1/audit")).text
    assert issued["api_key"].split("_", 2)[2] not in everything


async def test_what_did_not_happen_is_not_recorded(desk: DeskUnderTest):
    key = {"json": {"role": "agent", "label": "x"}, "headers": {"Idempotency-Key": "one"}}
    await desk.admin.ok("POST", "/v1/keys", **key)
    await desk.admin.ok("POST", "/v1/keys", **key)  # a repetition
    await desk.admin.refused(404, "POST", "/v1/keys/none/revoke")
    await desk.admin.refused(422, "POST", "/v1/keys", json={"role": "king", "label": "x"})
    await desk.admin.ok("POST", "/v1/customers", json={"name": "Una"})  # agents do that every day
    acts = (await desk.admin.ok("GET", "/tickets/v1/audit"))["items"]
    assert [act["action"] for act in acts] == ["issue_key", "create_desk"]


async def test_list_is_paged_and_filtered_and_its_own_desk_s(house: House, desk: DeskUnderTest):
    for label in ("a", "b", "c"):
        await desk.admin.ok("POST", "/v1/keys", json={"role": "agent", "label": label})
    first = await desk.admin.ok("GET", "/tickets/v1/audit", params={"limit": 2, "action": "issue_key"})
    rest = await desk.admin.ok(
        "GET", "/tickets/v1/audit", params={"limit": 2, "action": "issue_key", "cursor": first["next_cursor"]}
    )
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (2, 1, None)
    assert (await desk.admin.ok("GET", "/tickets/v1/audit", params={"key": "none"}))["items"] == []
    stranger = await house.new_desk()
    mine = await stranger.admin.ok("GET", "/tickets/v1/audit", params={"cursor": first["next_cursor"]})
    assert mine["items"] == []


@pytest.mark.parametrize(
    ("service", "method", "path", "body", "action"),
    [
        ("sla-clock", "PUT", "/v1/availability/agreements", {"agreed_percent": "99.9"}, "agree_availability"),
        ("escalation", "PUT", "/v1/channels/email", {"every": "15m", "above": 0}, "set_channel"),
        ("billing", "POST", "/v1/standings", {"standing": "good", "reason": "x"}, "change_standing"),
    ],
)
async def test_every_service_keeps_its_own(
    desk: DeskUnderTest, service: str, method: str, path: str, body: dict[str, object], action: str
):
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    about = {} if service == "escalation" else {"contract_id": contract["contract_id"]}
    await desk.admin.ok(method, path, json=about | body)
    [act] = (await desk.admin.ok("GET", f"/{service}/v1/audit"))["items"]
    assert (act["action"], act["fields"]) == (action, sorted(about | body))


async def test_not_even_the_system_rewrites_it(house: House, desk: DeskUnderTest):
    for statement in ("UPDATE administrative_act SET label = 'x'", "DELETE FROM administrative_act"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await house.runtime("tickets").database.system.execute(statement)


async def test_what_was_refused_is_in_the_log_with_who_asked(house: House, desk: DeskUnderTest):
    issued = await desk.admin.ok("POST", "/v1/keys", json={"role": "agent", "label": "x"})
    with structlog.testing.capture_logs() as lines:
        asked = {"role": "administrator", "label": "x"}
        await house.client(issued["api_key"]).refused(403, "POST", "/v1/keys", json=asked)
        await house.client("plz_none_none").refused(401, "POST", "/v1/keys", json=asked)
    refused, unknown = [line for line in lines if line["event"] == "request"]
    assert (refused["status"], refused["desk"], refused["key"]) == (403, str(desk.desk_id), issued["key_id"])
    assert (unknown["status"], unknown.get("key")) == (401, None)
    assert issued["api_key"].split("_", 2)[2] not in str(lines)
