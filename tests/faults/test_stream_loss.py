"""NATS loses everything it had, while the house is at work: nothing is lost, and nothing happens twice."""

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from harness import DeskUnderTest, House

from plazo.runtime import consumer


async def lose_everything(house: House) -> None:
    """Kill NATS and remove its folder. It stays away."""
    house.nats.kill()
    await house.nats.ended()
    shutil.rmtree(Path(json.loads(house.nats.environment["PLAZO_NATS_STORE"])))


async def work_on(desk: DeskUnderTest, contract: dict[str, Any], *, tickets: int) -> list[dict[str, Any]]:
    """Open tickets, each with a reply."""
    body = {"contract_id": contract["contract_id"], "subject": "s", "description": "d", "channel": "email"}
    opened = []
    for _ in range(tickets):
        ticket = await desk.admin.ok("POST", "/v1/tickets", json=body)
        await desk.admin.ok("POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "Hola"})
        opened.append(ticket)
    return opened


async def effects(desk: DeskUnderTest, ticket: dict[str, Any]) -> dict[str, Any]:
    """Return what became of a ticket in all services, without what differs between two tickets anyway."""
    read = await desk.ticket(ticket)
    about = {"ticket": ticket["ticket_id"]}
    escalations = (await desk.admin.ok("GET", "/v1/escalations", params=about))["items"]
    messages = (await desk.admin.ok("GET", "/v1/messages", params=about))["items"]
    timeline = (await desk.admin.ok("GET", f"/v1/tickets/{ticket['ticket_id']}/timeline"))["items"]
    return {
        "state": read["state"],
        "clocks": [(clock["kind"], clock["cycle"], clock["state"], clock["due_at"]) for clock in read["clocks"]],
        "escalations": sorted(
            (one["trigger"], one["kind"], one["raised_at"], len(one["steps"])) for one in escalations
        ),
        "messages": sorted(one["template"] for one in messages),
        # How many are told of it in one digest depends on what else there was to tell.
        "timeline": sorted((one["kind"], one["occurred_at"]) for one in timeline if one["kind"] != "notice_sent"),
    }


async def test_the_loss_of_all_streams_changes_nothing(
    house: House, desk: DeskUnderTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tickets from before, from the moment it happens, and from the time without NATS end as one in calm does."""
    monkeypatch.setattr(consumer, "_SWEEP_SECONDS", 0.2)
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    before = await work_on(desk, contract, tickets=2)
    await desk.settled()

    working = [asyncio.create_task(work_on(desk, contract, tickets=3)) for _ in range(2)]
    await asyncio.wait(working, return_when=asyncio.FIRST_COMPLETED, timeout=0.5)
    await lose_everything(house)
    meanwhile = [ticket for task in working for ticket in await task]
    without = await work_on(desk, contract, tickets=2)
    await house.nats.start()
    await house.settled(desk.desk_id, seconds=40)
    after = await work_on(desk, contract, tickets=1)
    await desk.settled()
    await desk.advance(to="2026-05-15T12:30:00Z")

    expected = await effects(desk, after[0])
    assert "breached" in {clock[2] for clock in expected["clocks"]}, expected
    assert expected["escalations"]
    for ticket in (*before, *meanwhile, *without):
        assert await effects(desk, ticket) == expected
    for service in ("tickets", "sla_clock", "escalation", "billing"):
        letters = await house.fetch(service, "SELECT type, reason FROM dead_letter WHERE desk_id = $1", desk.desk_id)
        assert letters == []
