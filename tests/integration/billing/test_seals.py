"""Sealing the ledger and verifying it, also against whoever has the database's keys."""

import asyncio

import asyncpg
import pytest

from billing.domain import chain
from billing.usecases import ledger


@pytest.fixture
async def worked(ledgers):
    """A desk with a grant, work, a correction and an expiry behind it."""
    await ledgers.publish("smartcloud")
    contract = await ledgers.sign()
    await ledgers.top_up(contract, 10)
    ticket = await ledgers.open_ticket(contract)
    first = await ledgers.log(ticket, 61, hours_ago=2)
    await ledgers.log(ticket, 5, hours_ago=1)
    await ledgers.void(first)
    return ticket


async def test_a_chain_of_seals_verifies_here_and_elsewhere(ledgers, worked):
    assert (await ledger.verify_ledger(ledgers.uow())).sealed == 0
    first = (await ledger.seal_ledger(ledgers.uow())).seal
    assert (await ledger.seal_ledger(ledgers.uow())).seal is None
    await ledgers.log(worked, 121)
    second = (await ledger.seal_ledger(ledgers.uow())).seal

    verified = await ledger.verify_ledger(ledgers.uow())

    assert verified.agrees, verified.faults
    assert verified.transactions == verified.sealed == first.transactions + second.transactions
    assert (first.previous_hash, second.previous_hash) == (chain.GENESIS, first.hash)
    export = await ledger.export_seal(ledgers.uow(), number=2)
    assert chain.seal_hash(first.hash, export.content) == second.hash


async def test_two_who_seal_at_once(ledgers, worked):
    sealed = await asyncio.gather(*(ledger.seal_ledger(ledgers.uow()) for _ in range(3)))
    assert [one.seal is None for one in sealed].count(False) == 1
    assert (await ledger.verify_ledger(ledgers.uow())).agrees


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        pytest.param(
            "UPDATE ledger_entry SET amount = amount * 2 WHERE desk_id = $1", "was not made over", id="amounts"
        ),
        pytest.param(
            "UPDATE ledger_transaction SET effective_at = effective_at - interval '1 day' WHERE desk_id = $1",
            "was not made over",
            id="instants",
        ),
        pytest.param("UPDATE account SET balance = balance + 1 WHERE desk_id = $1", "its entries", id="balances"),
        pytest.param("UPDATE lot SET remaining = remaining - 1 WHERE desk_id = $1", "its entries", id="lots"),
        pytest.param("UPDATE draw SET funding = '[]' WHERE desk_id = $1", "its entries say", id="what work paid"),
        pytest.param("DELETE FROM seal WHERE desk_id = $1 AND number = 1", "does not follow", id="a seal"),
    ],
)
async def test_tampering_by_a_superuser_who_switches_the_rules_off(ledgers, house, worked, tampering, fault):
    await ledger.seal_ledger(ledgers.uow())
    await ledgers.log(worked, 121)
    await ledger.seal_ledger(ledgers.uow())
    superuser = await asyncpg.connect(house.postgres.dsn("plazo_billing"))
    try:
        await superuser.execute("SET session_replication_role = replica")
        await superuser.execute(tampering, ledgers.desk_id)
    finally:
        await superuser.close()

    verified = await ledger.verify_ledger(ledgers.uow())

    assert not verified.agrees
    assert any(fault in one for one in verified.faults)


async def test_sealing_over_http(desk):
    assert await desk.admin.ok("POST", "/v1/ledger/seals") == {"seal": None}
    assert (await desk.admin.ok("GET", "/v1/ledger/verification"))["agrees"] is True
    assert await desk.admin.ok("GET", "/v1/ledger/seals") == {"items": [], "next_cursor": None}
    await desk.admin.refused(404, "GET", "/v1/ledger/seals/1")
