"""Every administrative act there is, done once: each leaves exactly one record of who did what, and from where.

A route that is one by its roles, and that is not done here, fails the test; so does one that says it is none.
"""

import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from harness import OPERATOR_KEY, Client, DeskUnderTest, House, eventually
from integration.runtime.annex import NOW

from plazo.events.envelope import SERVICES, Envelope
from plazo.policies import policy_text
from plazo.runtime import routes

FROM = "203.0.113.7"

# What only managers and administrators, or machines beside them, may do, and is not recorded nevertheless.
NOT_RECORDED = {
    ("sla_clock", "move_desk_clock"): "the time of a sandbox, moved at every step of a trial",
    ("sla_clock", "take_alerts"): "monitoring says so, all day; the outage itself says who",
    ("escalation", "report_arrival"): "the mail server says so, of each message",
    ("escalation", "report_bounce"): "the mail server says so, of each message",
    ("escalation", "reply_to_message"): "the mail server says so, of each message",
}


class Acting:
    """An administrator, and the count of what is on record."""

    def __init__(self, desk: DeskUnderTest, caller: Client, operator: Client) -> None:
        self.desk = desk
        self.house = desk.house
        self.caller = caller
        self.operator = operator
        self.done: set[tuple[str, str]] = set()

    async def acts(self, service: str) -> list[dict[str, Any]]:
        """Return what is on record at a service, oldest first."""
        sql = "SELECT * FROM administrative_act WHERE desk_id = $1 ORDER BY seq"
        return [dict(row) for row in await self.house.fetch(service, sql, self.desk.desk_id)]

    async def act(
        self, service: str, name: str, method: str, path: str, *, by: Client | None = None, **options: Any
    ) -> Any:
        """Do something once, and find it on record once."""
        before = await self.acts(service)
        answer = await (by or self.caller).ok(method, f"/{service.replace('_', '-')}{path}", **options)
        new = (await self.acts(service))[len(before) :]
        assert [row["action"] for row in new] == [name], (name, new)
        [row] = new
        role = "operator" if by is self.operator else "administrator"
        assert (row["role"], row["address"], row["request_id"] is not None) == (role, FROM, True)
        assert row["request"] == f"{method} {path.partition('?')[0]}"
        assert row["fields"] == sorted(options.get("json") or {}), name
        assert row["at"] is not None
        assert self.desk.admin.headers["authorization"].rpartition("_")[2] not in str(row)
        self.done.add((service, name))
        return answer


@pytest.fixture
async def acting(house: House) -> AsyncIterator[Acting]:
    """An administrator who calls from somewhere."""
    desk = await house.new_desk()
    transport = httpx.ASGITransport(app=house, raise_app_exceptions=False, client=(FROM, 7))
    async with (
        Client(transport=transport, base_url="http://house", headers=desk.admin.headers, timeout=60) as caller,
        Client(
            transport=transport, base_url="http://house", headers={"Authorization": f"Bearer {OPERATOR_KEY}"}
        ) as operator,
    ):
        yield Acting(desk, caller, operator)


async def test_every_act_is_on_record_once(acting: Acting):
    contract, ticket = await sign(acting)
    await keys_and_desks(acting)
    await ways_in(acting, contract)
    await quarantine(acting, contract)
    await time(acting, contract)
    await people_and_messages(acting, ticket)
    await books(acting, contract, ticket)
    await terms(acting, contract)
    for service in SERVICES:
        await dead_letters(acting, service)

    acts = {
        (name, rule.name) for name, one in routes.services().items() for rule in routes.rules_of(one) if rule.is_act
    }
    assert acting.done == acts, "a new administrative act: do it here once"


def test_what_is_not_recorded_is_known():
    """Every change that agents may not make is recorded, or stands above with the reason."""
    above_agents = {
        (name, rule.name)
        for name, one in routes.services().items()
        for rule in routes.rules_of(one)
        if rule.method != "GET"
        and not rule.is_act
        and rule.reason is None
        and not {"requester", "agent", "signature", "link"} & set(rule.roles)
    }
    assert above_agents == NOT_RECORDED.keys()


async def sign(acting: Acting) -> tuple[dict[str, Any], dict[str, Any]]:
    act, desk = acting.act, acting.desk
    await act("tickets", "publish_policy", "POST", "/v1/policies", json={"document": policy_text("smartcloud")})
    await desk.publish("ireo")
    customer = await desk.admin.ok("POST", "/v1/customers", json={"name": "Una", "email": "una@example.com"})
    body = {"customer_id": customer["customer_id"], "policy": "smartcloud", "plan": "dedicated"}
    contract = await act("tickets", "sign_contract", "POST", "/v1/contracts", json=body | {"valid_from": "2020-01-01"})
    await desk.settled()
    ticket = await desk.open_ticket(contract, facts={"business_impact": "material"})
    return contract, ticket


async def keys_and_desks(acting: Acting) -> None:
    act, desk, operator = acting.act, acting.desk, acting.operator
    key = await act("tickets", "issue_key", "POST", "/v1/keys", json={"role": "agent", "label": "x"})
    path = f"/v1/keys/{key['key_id']}"
    await act("tickets", "rotate_key", "POST", f"{path}/rotate", json={"overlap_minutes": 5})
    await act("tickets", "revoke_key", "POST", f"{path}/revoke")
    made = await act(
        "tickets", "issue_administrator_key", "POST", f"/v1/desks/{desk.desk_id}/keys", json={"label": "x"}, by=operator
    )
    await act(
        "tickets",
        "revoke_keys_of_desk",
        "POST",
        f"/v1/desks/{desk.desk_id}/revocations",
        json={"key_id": made["key_id"]},
        by=operator,
    )
    created = await operator.ok("POST", "/v1/desks", json={"name": "Otra", "sandbox": True})
    sql = "SELECT action, role, address FROM administrative_act WHERE desk_id = $1"
    [row] = await acting.house.fetch("tickets", sql, created["desk_id"])
    assert tuple(row) == ("create_desk", "operator", FROM)
    acting.done.add(("tickets", "create_desk"))


async def ways_in(acting: Acting, contract: dict[str, Any]) -> None:
    act = acting.act
    hook = await act("tickets", "create_hook", "POST", "/v1/hooks", json={"name": "x", "kind": "alertmanager"})
    path = f"/v1/hooks/{hook['hook_id']}"
    await act("tickets", "change_hook", "PATCH", path, json={"disabled": True})
    await act("tickets", "rotate_secret", "POST", f"{path}/rotations", json={"overlap_hours": 1})
    address = f"help-{uuid4().hex[:8]}@example.com"
    await act("tickets", "add_address", "POST", "/v1/intake/addresses", json={"address": address})
    await act("tickets", "remove_address", "DELETE", f"/v1/intake/addresses/{address}")
    line = {"reference": "A", "subject": "Caso", "opened_at": "2026-05-04T08:00:00Z"}
    await act(
        "tickets",
        "start_import",
        "POST",
        f"/v1/imports?source=old&contract_id={contract['contract_id']}",
        content=json.dumps(line),
        headers={"Content-Type": "application/x-ndjson"},
    )
    await act("tickets", "add_product", "POST", "/v1/products", json={"name": "sage", "title": "Sage"})
    contact = await acting.desk.admin.ok(
        "POST", "/v1/contacts", json={"customer_id": contract["customer_id"], "name": "Una"}
    )
    await act("tickets", "erase_contact", "POST", f"/v1/contacts/{contact['contact_id']}/erasure", json={"reason": "x"})


async def quarantine(acting: Acting, contract: dict[str, Any]) -> None:
    desk = acting.desk
    await desk.publish("expande")
    strict = await desk.customer("expande", plan="basic")
    boss = {"customer_id": strict["customer_id"], "name": "Jefa", "role": "administrator"}
    await desk.admin.ok("POST", "/v1/contacts", json=boss | {"emails": ["jefa@example.com"]})
    for number in (1, 2):
        asked = {"contract_id": strict["contract_id"], "subject": "x", "description": "x", "channel": "email"}
        await desk.admin.refused(
            403, "POST", "/v1/tickets", json=asked | {"contact_email": f"luis{number}@example.com"}
        )
    first, second = [one["request_id"] for one in (await desk.admin.ok("GET", "/v1/quarantine"))["items"]]
    act = acting.act
    await act("tickets", "release_request", "POST", f"/v1/quarantine/{first}/release", json={"authorize": True})
    await act("tickets", "dismiss_request", "POST", f"/v1/quarantine/{second}/dismiss", json={"reason": "x"})


async def time(acting: Acting, contract: dict[str, Any]) -> None:
    act, desk = acting.act, acting.desk
    agreed = {"contract_id": contract["contract_id"], "agreed_percent": "99.9"}
    await act("sla_clock", "agree_availability", "PUT", "/v1/availability/agreements", json=agreed)
    [known] = [one for one in (await desk.admin.ok("GET", "/v1/policies")) if one["policy"] == "smartcloud"]
    text = policy_text("smartcloud").replace(f"version: {known['version']}", "version: 2027-01", 1)
    text = text.replace(f'version: "{known["version"]}"', 'version: "2027-01"', 1)
    await desk.admin.ok("POST", "/v1/policies", json={"document": text})
    await desk.settled()
    asked = {"policy": "smartcloud", "from_version": known["version"], "to_version": "2027-01", "reason": "x"}
    started = await act("sla_clock", "recompute_tickets", "POST", "/v1/recomputations", json=asked)
    path = f"/v1/recomputations/{started['recomputation_id']}"

    async def is_done() -> bool:
        return bool((await desk.admin.ok("GET", path))["state"] == "done")

    await eventually(is_done)
    await act("sla_clock", "undo_recomputation", "POST", f"{path}/undo")


async def people_and_messages(acting: Acting, ticket: dict[str, Any]) -> None:
    act = acting.act
    agent = await act(
        "escalation", "create_agent", "POST", "/v1/agents", json={"name": "eva", "email": "eva@example.com"}
    )
    path = f"/v1/agents/{agent['agent_id']}"
    await act("escalation", "change_agent", "PATCH", path, json={"absent": True})
    await act("escalation", "leave", "POST", f"{path}/leave")
    await act("escalation", "set_channel", "PUT", "/v1/channels/email", json={"every": "15m", "above": 0})
    messages = (await acting.desk.admin.ok("GET", "/v1/messages"))["items"]
    message = next(one for one in messages if one["to"])
    failed = "UPDATE message SET state = 'failed', failure = 'x' WHERE message_id = $1"
    await acting.house.fetch("escalation", failed, message["message_id"])
    await act("escalation", "resend_message", "POST", f"/v1/messages/{message['message_id']}/resend")
    body = {"url": "https://partner.example.com/x", "events": ["ticket.*"]}
    made = await act("escalation", "create_subscription", "POST", "/v1/subscriptions", json=body)
    path = f"/v1/subscriptions/{made['subscription_id']}"
    await act("escalation", "change_subscription", "PATCH", path, json={"name": "ERP"})
    await act("escalation", "rotate_secret", "POST", f"{path}/rotate", json={"overlap_hours": 1})
    await act("escalation", "try_out", "POST", f"{path}/test")
    await act("escalation", "replay", "POST", f"{path}/replay", json={"from": "2026-05-04T12:00:00Z"})
    await act("escalation", "delete_subscription", "DELETE", path)
    words = {"es": "x", "en": "x"}
    name = (await acting.desk.admin.ok("GET", "/v1/templates"))["items"][0]["name"]
    await act("escalation", "publish_template", "PUT", f"/v1/templates/{name}", json={"subject": words, "body": words})
    await act("escalation", "withdraw_template", "DELETE", f"/v1/templates/{name}")


async def books(acting: Acting, contract: dict[str, Any], ticket: dict[str, Any]) -> None:
    act, desk = acting.act, acting.desk
    query = {"contract": contract["contract_id"]}
    [account, *_] = (await desk.admin.ok("GET", "/v1/accounts", params=query))["items"]
    grants = f"/v1/accounts/{account['account_id']}/grants"
    await act("billing", "grant", "POST", grants, json={"quantity": 9, "reason": "x"})
    await act("billing", "seal_ledger", "POST", "/v1/ledger/seals")
    standing = {"contract_id": contract["contract_id"], "standing": "good", "reason": "x"}
    await act("billing", "change_standing", "POST", "/v1/standings", json=standing)
    work = {"ticket_id": ticket["ticket_id"], "started_at": "2026-05-04T12:00:00Z", "minutes": 5, "description": "x"}
    await act(
        "billing",
        "begin_import",
        "POST",
        "/v1/work/imports",
        json={"format": "jsonl", "content": json.dumps(work)},
    )
    await desk.advance(to="2026-06-02T13:00:00Z")
    await act("billing", "close_statement", "POST", f"/v1/statements/{contract['contract_id']}/2026-05/close")


async def dead_letters(acting: Acting, service: str) -> None:
    for name, way in (("replay_dead_letter", "replay"), ("discard_dead_letter", "discard")):
        event = Envelope(
            id=uuid4(),
            producer=next(iter(acting.house.runtime(service).consumers)),
            type="nothing.happened.v1",
            desk_id=acting.desk.desk_id,
            aggregate_id=uuid4(),
            aggregate_version=1,
            occurred_at=NOW,
            recorded_at=NOW,
            correlation_id=uuid4(),
            data={},
        )
        await acting.house.fetch(
            service,
            "INSERT INTO dead_letter (event_id, desk_id, producer, aggregate_id, aggregate_version, type, envelope, "
            "reason) VALUES ($1, $2, $3, $4, 1, $5, $6, 'x')",
            event.id,
            event.desk_id,
            event.producer,
            event.aggregate_id,
            event.type,
            event.model_dump(mode="json"),
        )
        await acting.act(service, name, "POST", f"/v1/dead-letters/{event.id}/{way}")


async def terms(acting: Acting, contract: dict[str, Any]) -> None:
    act, desk = acting.act, acting.desk
    path = f"/v1/contracts/{contract['contract_id']}"
    await act("tickets", "change_contract", "PATCH", path, json={"valid_until": "2027-01-01"})
    await act("tickets", "renew_contract", "POST", f"{path}/renewals", json={"valid_until": "2028-01-01"})
    bought = await desk.customer("ireo", plan="standard", products=["sage"])
    path = f"/v1/contracts/{bought['contract_id']}/voids"
    void = {"product": "sage", "from": "2026-06-04", "reason": "x"}
    made = await act("tickets", "void_support", "POST", path, json=void)
    lift = {"from": "2026-06-04", "reason": "x"}
    await act("tickets", "lift_void", "POST", f"{path}/{made['void_id']}/lift", json=lift)
