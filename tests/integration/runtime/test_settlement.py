"""`Prefer: wait` and the tests' own waiting: a desk is at rest when every service has taken in all there is."""

import asyncio

from harness import DeskUnderTest, House
from integration.runtime.annex import replies

from plazo.runtime import inbox
from plazo.runtime.unit_of_work import Cause, UnitOfWork


async def test_is_at_rest_only_when_all_is_taken_in(house: House, desk: DeskUnderTest):
    settlement = house.runtime("tickets").settlement
    assert await settlement.wait(desk_id=desk.desk_id, seconds=5)

    # An announcement that the relay has not brought out yet, because somebody holds its lock.
    async with house.runtime("tickets").database.system.acquire() as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock($1)", 0x706C617A6F)
        await desk.admin.ok("POST", "/v1/customers", json={"name": "Una"})
        assert not await settlement.wait(desk_id=desk.desk_id, seconds=0.2)

    assert await settlement.wait(desk_id=desk.desk_id, seconds=10)


async def test_waits_for_one_ticket_and_not_for_another(house: House, desk: DeskUnderTest):
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    quiet, stuck = await desk.open_ticket(contract), await desk.open_ticket(contract)
    settlement = house.runtime("tickets").settlement
    version = await house.fetch(
        "billing",
        "SELECT version FROM inbox_position WHERE producer = 'tickets' AND aggregate_id = $1",
        stuck["ticket_id"],
    )
    await house.runtime("billing").database.system.execute(
        "UPDATE inbox_position SET version = version - 1 WHERE producer = 'tickets' AND aggregate_id = $1",
        stuck["ticket_id"],
    )
    try:
        assert await settlement.wait(desk_id=desk.desk_id, about=quiet["ticket_id"], seconds=5)
        assert not await settlement.wait(desk_id=desk.desk_id, about=stuck["ticket_id"], seconds=0.2)
        assert not await settlement.wait(desk_id=desk.desk_id, seconds=0.2)
    finally:
        await house.runtime("billing").database.system.execute(
            "UPDATE inbox_position SET version = $2 WHERE producer = 'tickets' AND aggregate_id = $1",
            stuck["ticket_id"],
            version[0]["version"],
        )


async def test_prefer_wait_is_applied_and_said(desk: DeskUnderTest):
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b", "channel": "email"}

    waited = await desk.admin.post("/v1/tickets", json=body, headers={"Prefer": "respond-async, wait=10"})
    assert (waited.status_code, waited.headers.get("preference-applied")) == (201, "wait=10")
    assert waited.json()["clocks"]

    at_once = await desk.admin.post("/v1/tickets", json=body)
    assert (at_once.status_code, at_once.headers.get("preference-applied")) == (201, None)


async def test_counts_dead_letters_apart(house: House, desk: DeskUnderTest):
    [event] = replies(1, desk_id=desk.desk_id)
    runtime = house.runtime("billing")
    work = UnitOfWork(
        database=runtime.database, producer="billing", desk_id=desk.desk_id, now=event.occurred_at, cause=Cause()
    )
    async with work.begin() as tx:
        await inbox.bury(tx.connection, event, reason="a test")
    counts = await asyncio.gather(
        *(house.runtime(name).settlement.counts(desk_id=desk.desk_id, about=None) for name in ("billing", "tickets"))
    )
    assert [count.dead_letters for count in counts] == [1, 0]
