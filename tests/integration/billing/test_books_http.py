"""The books over HTTP, and by the command that verifies them."""

import asyncio
import csv
import io
import json
import re
from datetime import UTC, datetime
from uuid import UUID

import pytest
from harness import environment_of
from typer.testing import CliRunner

from billing.usecases.statement_page import content_security_policy
from plazo.cli import app
from plazo.events.tickets import TicketAnswered
from plazo.policies import policy_text

CREDITS = """
  service_credits:
    - {when: {kind: first_response}, percent: 10, cap_percent: 15, clause: PRO-14}
"""


async def signed(desk):
    """Sign a contract under Prodequa's policy, which here credits 10 % of 4500.00 PEN for a late first response."""
    text = policy_text("prodequa")
    text = text.replace("\nbilling:\n", f"\nbilling:{CREDITS}", 1)
    await desk.admin.ok("POST", "/v1/policies", json={"document": text})
    agreed = {"reference": "anexo 1", "monthly_fee": {"minor": 450_000, "currency": "PEN"}}
    return await desk.customer("prodequa", plan="basic", valid_from="2026-05-01", products=["erp"], agreed=agreed)


async def test_a_broken_guarantee_is_credited_until_it_turns_out_to_have_been_kept(desk):
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract, facts={"product": "erp"})
    await desk.advance(to="2026-05-06T13:00:00Z")
    path = f"/v1/service-credits?ticket={ticket['ticket_id']}"

    owed = (await desk.admin.ok("GET", path))["items"]
    called = TicketAnswered(activity="call", channel="phone", by="agent")
    tickets = desk.house.runtime("tickets").unit_of_work(desk_id=desk.desk_id, now=datetime(2026, 5, 6, 13, tzinfo=UTC))
    async with tickets.begin() as tx:  # nobody had written it down
        tx.emit(called, about=UUID(ticket["ticket_id"]), occurred_at=datetime(2026, 5, 4, 14, 20, tzinfo=UTC))
    await desk.settled()
    again = (await desk.admin.ok("GET", path))["items"]

    assert [(one["kind"], one["amount"], one["counted_in"]) for one in owed] == [("first_response", 45_000, "PEN")]
    assert "45" in owed[0]["explanation"]["es"]
    assert owed[0]["clauses"] == ["PRO-14"]
    assert [(one["amount"], one["reason"]) for one in again] == [(0, "retracted")]
    verified = await desk.admin.ok("GET", "/v1/ledger/verification")
    assert verified["faults"] == []


async def test_statements_in_every_form(desk):
    contract = await signed(desk)
    other = await desk.customer("prodequa", plan="basic", products=["erp"])
    ticket = await desk.open_ticket(contract, facts={"product": "erp"})
    work = {"ticket_id": ticket["ticket_id"], "started_at": "2026-05-04T12:00:00Z", "description": "x"}
    await desk.admin.ok("POST", "/v1/work", json=work | {"minutes": 60})
    await desk.admin.ok("POST", "/v1/work", json=work | {"minutes": 1200, "started_at": "2026-05-04T12:30:00Z"})
    requester = await desk.key("requester", customer_id=contract["customer_id"])
    stranger = await desk.key("requester", customer_id=other["customer_id"])
    base = f"/v1/statements/{contract['contract_id']}"

    await desk.admin.refused(409, "POST", f"{base}/2026-05/close")
    await requester.refused(403, "POST", f"{base}/2026-05/close")
    await stranger.refused(404, "GET", f"{base}/2026-05")
    await desk.admin.refused(422, "GET", f"{base}/2026-13")
    await desk.advance(to="2026-06-02T13:00:00Z")
    once = {"Idempotency-Key": "cierre-mayo"}
    closed = await desk.admin.ok("POST", f"{base}/2026-05/close", headers=once)
    assert await desk.admin.ok("POST", f"{base}/2026-05/close", headers=once) == closed
    assert await requester.ok("GET", f"{base}/2026-05") == closed
    assert (await requester.ok("GET", base))["items"][0]["hash"] == closed["hash"]

    page = await requester.get(f"{base}/2026-05/page")
    assert page.headers["content-type"].startswith("text/html")
    assert page.headers["content-security-policy"] == content_security_policy()
    assert "script" not in page.headers["content-security-policy"]
    assert "onload" not in page.text
    assert "<svg" in page.text
    assert "1 de mayo de 2026" in page.text

    table = await requester.get(f"{base}/2026-05/table.csv")
    rows = list(csv.DictReader(io.StringIO(table.text)))
    assert [(one["account"], one["kind"], one["quantity"]) for one in rows if one["account"] == "main"] == [
        ("main", "opening", "0"),
        ("main", "granted", "1200"),
        ("main", "used", "1200"),
        ("main", "closing", "0"),
    ]
    lines = (await requester.ok("GET", f"{base}/2026-05/lines.json"))["items"]
    # 60 over 1200: one started hour; and nobody answered the ticket
    assert [(one["kind"], one["quantity"], one["ticket"]) for one in lines if one["billable"]] == [
        ("used", 60, ticket["number"]),
        ("credited", 45_000, ticket["number"]),
    ]
    assert (await requester.get(f"{base}/2026-05/lines.csv")).headers["content-type"].startswith("text/csv")

    main = next(one["account_id"] for one in closed["accounts"] if one["name"] == "main")
    then = await requester.ok("GET", f"/v1/accounts/{main}/balance?at=2026-05-04T12:10:00Z")
    assert (then["balance"], then["balance_text"]["es"]) == (1140, "19 h")
    await stranger.refused(404, "GET", f"/v1/accounts/{main}/balance")


@pytest.fixture
def command(house, monkeypatch):
    """Run `plazo ledger …` against the database of the house, as in a container of billing."""
    for name, value in environment_of(house.settings["billing"]).items():
        monkeypatch.setenv(name, value)

    async def run(*arguments):
        return await asyncio.to_thread(CliRunner().invoke, app, ["ledger", *map(str, arguments)])

    return run


async def test_the_command_verifies_desks_and_files(desk, command, tmp_path):
    contract = await signed(desk)
    ticket = await desk.open_ticket(contract, facts={"product": "erp"})
    work = {"ticket_id": ticket["ticket_id"], "started_at": "2026-05-04T12:00:00Z", "minutes": 60, "description": "x"}
    await desk.admin.ok("POST", "/v1/work", json=work)
    await desk.admin.ok("POST", "/v1/ledger/seals")
    file = tmp_path / "ledger.jsonl"

    here = await command("verify", "--desk", desk.desk_id, "--json")
    written = await command("export", desk.desk_id, "-o", file)
    good = await command("verify", file)
    file.write_text(re.sub(r'"amount":60\b', '"amount":61', file.read_text("utf-8"), count=1), "utf-8")
    bad = await command("verify", file)

    (report,) = json.loads(here.output)
    assert (here.exit_code, report["agrees"], report["faults"]) == (0, True, [])
    assert report["sealed"] == report["transactions"] >= 2
    assert written.exit_code == 0, written.output
    assert (good.exit_code, "agrees" in good.output) == (0, True), good.output
    assert bad.exit_code == 1
    assert re.search(r"entry \d+ of transaction", bad.output)
    assert (await command("verify", "--desk", contract["contract_id"])).exit_code == 1
    assert (await command("verify")).exit_code == 2
