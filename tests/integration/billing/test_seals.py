"""Sealing the ledger and verifying it, also against whoever has the database's keys."""

import asyncio

import asyncpg
import pytest
from harness import eventually

from billing.domain import chain, export
from billing.usecases import sealing, verification


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


async def seal(ledgers):
    """Seal what waits, unless the loop of the service did so a moment ago."""
    await sealing.seal_ledger(ledgers.uow())
    return (await sealing.list_seals(ledgers.uow(), cursor=None, limit=50)).items


async def test_a_chain_of_seals_verifies_here_and_elsewhere(ledgers, worked):
    first = (await seal(ledgers))[-1]
    assert (await sealing.seal_ledger(ledgers.uow())).seal is None
    await ledgers.log(worked, 121)
    seals = await seal(ledgers)

    verified = await verification.verify_ledger(ledgers.uow())

    assert verified.agrees, verified.faults
    assert verified.transactions == verified.sealed == sum(one.transactions for one in seals)
    assert (verified.waiting, verified.last_hash) == (0, seals[-1].hash)
    assert [one.previous_hash for one in seals] == [chain.GENESIS, *(one.hash for one in seals[:-1])]
    second = await sealing.show_seal(ledgers.uow(), number=first.number + 1)
    content = [{name: value for name, value in one.items() if name != "links"} for one in second.content]
    assert chain.seal_hash(first.hash, content)[0] == second.hash


async def test_what_is_written_is_sealed_without_being_asked(ledgers, worked):
    async def sealed():
        found = await verification.verify_ledger(ledgers.uow())
        assert found.agrees, found.faults
        return found.waiting == 0

    assert await eventually(sealed)


async def test_several_who_seal_at_once(ledgers, worked):
    def open_desk(_):
        return ledgers.uow()

    work = ledgers.house.runtime("billing").system_work()
    await asyncio.gather(*(sealing.seal_behind_writers(work, open_desk) for _ in range(3)), seal(ledgers))
    await seal(ledgers)
    verified = await verification.verify_ledger(ledgers.uow())
    assert (verified.agrees, verified.waiting) == (True, 0), verified.faults


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        pytest.param(
            "UPDATE ledger_entry SET amount = amount * 2 WHERE desk_id = $1 AND seq = {entry}",
            "entry {entry} of transaction",
            id="an amount",
        ),
        pytest.param(
            "UPDATE ledger_entry SET effective_at = effective_at - interval '1 day' WHERE desk_id = $1 "
            "AND seq = {entry}",
            "entry {entry} of transaction",
            id="an instant",
        ),
        pytest.param(
            "WITH two AS (SELECT * FROM sealed_transaction WHERE desk_id = $1 ORDER BY number, place LIMIT 2) "
            "UPDATE sealed_transaction s SET number = other.number, place = other.place FROM two, two AS other "
            "WHERE s.transaction_id = two.transaction_id AND other.transaction_id <> two.transaction_id",
            "it was changed or moved",
            id="the order",
        ),
        pytest.param(
            "UPDATE sealed_transaction SET place = place + 1 WHERE desk_id = $1 AND number = 1",
            "are not in the places 1 to",
            id="the places",
        ),
        pytest.param("DELETE FROM ledger_entry WHERE desk_id = $1 AND seq = {entry}", "was sealed with", id="an entry"),
        pytest.param("UPDATE account SET balance = balance + 1 WHERE desk_id = $1", "its entries", id="balances"),
        pytest.param("UPDATE lot SET remaining = remaining - 1 WHERE desk_id = $1", "its entries", id="lots"),
        pytest.param("UPDATE draw SET funding = '[]' WHERE desk_id = $1", "its entries say", id="what work paid"),
        pytest.param("DELETE FROM seal WHERE desk_id = $1 AND number = 1", "does not follow", id="a seal"),
        pytest.param(
            "WITH gone AS (DELETE FROM sealed_transaction WHERE desk_id = $1 AND number = 2 RETURNING 1) SELECT 1",
            "is under no seal and does not wait for one",
            id="what is under a seal",
        ),
    ],
)
async def test_tampering_by_a_superuser_who_switches_the_rules_off(ledgers, house, worked, tampering, fault):
    await seal(ledgers)
    await ledgers.log(worked, 121)
    await seal(ledgers)
    entry = await house.fetch(
        "billing", "SELECT max(seq) FROM ledger_entry WHERE desk_id = $1 AND amount < 0", ledgers.desk_id
    )
    superuser = await asyncpg.connect(house.postgres.dsn("plazo_billing"))
    try:
        await superuser.execute("SET session_replication_role = replica")
        await superuser.execute(tampering.format(entry=entry[0]["max"]), ledgers.desk_id)
    finally:
        await superuser.close()

    verified = await verification.verify_ledger(ledgers.uow())

    assert not verified.agrees
    assert any(fault.format(entry=entry[0]["max"]) in one for one in verified.faults), verified.faults


async def test_an_export_verifies_without_a_database(ledgers, worked):
    await seal(ledgers)
    await ledgers.log(worked, 5)
    lines = [line async for line in verification.export_ledger(ledgers.uow())]

    audit = export.verify_lines(lines)

    here = await verification.verify_ledger(ledgers.uow())
    assert audit.faults == []
    assert (audit.transactions, audit.entries) == (here.transactions, here.entries)
    place = next(n for n, line in enumerate(lines) if line.startswith('{"transaction"'))
    assert not export.verify_lines(
        [*lines[:place], lines[place].replace('"paid"', '"gift"'), *lines[place + 1 :]]
    ).agrees


async def test_sealing_over_http(desk):
    assert await desk.admin.ok("POST", "/v1/ledger/seals") == {"seal": None}
    assert (await desk.admin.ok("GET", "/v1/ledger/verification"))["agrees"] is True
    assert await desk.admin.ok("GET", "/v1/ledger/seals") == {"items": [], "next_cursor": None}
    await desk.admin.refused(404, "GET", "/v1/ledger/seals/1")
    exported = await desk.admin.get("/v1/ledger/export")
    assert exported.headers["content-type"] == "application/jsonl"
    assert export.verify_lines(exported.text.splitlines(keepends=True)).agrees
