"""A change and what it announces are one: both are kept, or neither is and the caller hears of it."""

from collections.abc import AsyncIterator
from contextlib import suppress
from uuid import uuid4

import asyncpg
import pytest
from harness import DeskUnderTest, House
from integration.runtime.annex import NOW, Annex, note

from plazo.events.tickets import CustomerReplied
from plazo.policies import policy_text
from plazo.runtime import outbox as outbox_module
from plazo.runtime.outbox import LARGEST_EVENT, EventTooLarge
from plazo.runtime.unit_of_work import CommitFailed, Transaction


def announce(tx: Transaction, *, by: str) -> None:
    """Announce a reply about an aggregate that has the desk's id."""
    tx.emit(CustomerReplied(channel="email", by=by), about=tx.desk_id, occurred_at=NOW)


async def outbox(annex: Annex, desk_id: object) -> list[tuple[int, str]]:
    rows = await annex.database.system.fetch(
        "SELECT aggregate_version, data->>'by' AS by FROM outbox WHERE desk_id = $1 ORDER BY seq", desk_id
    )
    return [tuple(row) for row in rows]


@pytest.fixture
async def failing_commit(house: House) -> AsyncIterator[str]:
    """A customer's name at which PostgreSQL refuses the commit itself."""
    name = f"Imposible {uuid4()}"
    connection = await asyncpg.connect(house.postgres.dsn("plazo_tickets"))
    try:
        await connection.execute(
            f"""
            CREATE FUNCTION refuse_commit() RETURNS trigger LANGUAGE plpgsql AS
              $$ BEGIN RAISE EXCEPTION 'refused at the commit' USING ERRCODE = 'check_violation'; END $$;
            CREATE CONSTRAINT TRIGGER refuse_commit AFTER INSERT ON customer DEFERRABLE INITIALLY DEFERRED
              FOR EACH ROW WHEN (NEW.name = '{name}') EXECUTE FUNCTION refuse_commit();
            """
        )
        yield name
    finally:
        await connection.execute("DROP TRIGGER refuse_commit ON customer; DROP FUNCTION refuse_commit()")
        await connection.close()


async def test_failed_commit_is_an_error_and_leaves_nothing(house: House, desk: DeskUnderTest, failing_commit: str):
    before = await house.events("tickets", desk.desk_id)

    problem = await desk.admin.refused(500, "POST", "/v1/customers", json={"name": failing_commit})

    assert "refused at the commit" not in str(problem), "what the database says stays inside"
    assert await house.events("tickets", desk.desk_id) == before
    assert not await house.fetch("tickets", "SELECT FROM customer WHERE name = $1", failing_commit)
    assert (await desk.admin.ok("GET", "/v1/customers"))["items"] == []
    await desk.admin.ok("POST", "/v1/customers", json={"name": "Posible"})


async def test_failed_commit_does_not_use_up_the_idempotency_key(desk: DeskUnderTest, failing_commit: str):
    headers = {"Idempotency-Key": "once"}
    await desk.admin.refused(500, "POST", "/v1/customers", json={"name": failing_commit}, headers=headers)
    await desk.admin.ok("POST", "/v1/customers", json={"name": "Otro"}, headers=headers)


async def test_error_swallowed_inside_does_not_commit_in_silence(annex: Annex):
    desk_id = uuid4()

    async def swallow() -> None:
        async with annex.unit_of_work(desk_id).begin() as tx:
            announce(tx, by="nobody")
            with suppress(asyncpg.DivisionByZeroError):
                await tx.connection.execute("SELECT 1 / 0")

    with pytest.raises((CommitFailed, asyncpg.InFailedSQLTransactionError)):
        await swallow()
    assert await outbox(annex, desk_id) == []


async def test_error_swallowed_where_nothing_is_announced_does_not_commit_either(annex: Annex):
    ticket_id = uuid4()

    async def swallow() -> None:
        async with annex.unit_of_work(uuid4()).begin() as tx:
            await note(tx, ticket_id, "never")
            with suppress(asyncpg.DivisionByZeroError):
                await tx.connection.execute("SELECT 1 / 0")

    with pytest.raises(CommitFailed):
        await swallow()
    assert await annex.lines(ticket_id) == []


async def test_error_in_the_block_rolls_back(annex: Annex):
    desk_id = uuid4()

    async def fail() -> None:
        async with annex.unit_of_work(desk_id).begin() as tx:
            await note(tx, desk_id, "never")
            announce(tx, by="nobody")
            raise LookupError("the use case gives up")

    with pytest.raises(LookupError):
        await fail()
    assert await outbox(annex, desk_id) == []
    assert await annex.lines(desk_id) == []


async def test_connection_goes_back_clean_after_an_error(annex: Annex):
    for _ in range(2 * annex.settings.database_connections):
        with pytest.raises(asyncpg.DivisionByZeroError):
            async with annex.unit_of_work(uuid4()).begin() as tx:
                await tx.connection.execute("SELECT 1 / 0")
    async with annex.database.desk.acquire() as connection:
        assert not connection.is_in_transaction()
        assert await connection.fetchval("SELECT current_setting('plazo.desk', true)") in (None, "")


async def test_events_of_an_aggregate_are_numbered_in_the_order_of_commits(annex: Annex):
    desk_id = uuid4()
    for first in (1, 3, 5):
        async with annex.unit_of_work(desk_id).begin() as tx:
            announce(tx, by=str(first))
            announce(tx, by=str(first + 1))
    assert await outbox(annex, desk_id) == [(number, str(number)) for number in range(1, 7)]


async def test_rolled_back_events_leave_no_gap(annex: Annex):
    desk_id = uuid4()
    for by in ("1", None, "2"):
        try:
            async with annex.unit_of_work(desk_id).begin() as tx:
                announce(tx, by=by or "lost")
                if by is None:
                    raise LookupError
        except LookupError:
            pass
    assert await outbox(annex, desk_id) == [(1, "1"), (2, "2")]


async def test_read_sees_one_snapshot_and_may_not_write(annex: Annex):
    desk_id = uuid4()
    async with annex.unit_of_work(desk_id).read() as connection:
        assert await connection.fetchval("SELECT count(*) FROM timeline_entry") == 0
        async with annex.unit_of_work(desk_id).begin() as tx:
            await note(tx, desk_id, "meanwhile")
        assert await connection.fetchval("SELECT count(*) FROM timeline_entry") == 0
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await connection.execute("DELETE FROM inbox_waiting")
    assert await annex.lines(desk_id) == ["meanwhile"]


async def test_an_event_that_nats_would_not_carry_is_refused_with_what_it_announces(annex: Annex):
    unit = annex.unit_of_work(uuid4())
    with pytest.raises(EventTooLarge, match=rf"customer_replied.* bytes; expected {LARGEST_EVENT} at most"):
        async with unit.begin() as tx:
            announce(tx, by="1" * LARGEST_EVENT)
    assert await outbox(annex, unit.desk_id) == []


async def test_a_request_that_would_announce_too_much_is_refused_and_leaves_nothing(
    house: House, desk: DeskUnderTest, monkeypatch: pytest.MonkeyPatch
):
    before = await house.events("tickets", desk.desk_id)
    with monkeypatch.context() as patched:
        patched.setattr(outbox_module, "LARGEST_EVENT", 5000)  # a policy has more
        problem = await desk.admin.refused(413, "POST", "/v1/policies", json={"document": policy_text("ireo")})

    assert problem["type"] == "urn:plazo:problem:event-too-large"
    assert await house.events("tickets", desk.desk_id) == before
    assert await desk.admin.ok("GET", "/v1/policies") == []
