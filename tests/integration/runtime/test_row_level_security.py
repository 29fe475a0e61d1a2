"""Every row belongs to a desk, and PostgreSQL itself keeps desks apart."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from harness import DeskUnderTest, House

from plazo.events.envelope import SERVICES
from plazo.runtime.database import Connection

# Of no desk: Alembic's own, and what came from the bus and could not be read.
OF_NO_DESK = {"alembic_version", "inbox_stream", "malformed_message", "outbox_stream"}
# Functions that read past the wall for speed, and how often each asks for the desk itself.
ASKS_FOR_THE_DESK = {"search_tickets": 3}

_TABLES = """
SELECT c.relname AS name, c.relrowsecurity AS walled, c.relkind AS kind,
       EXISTS (SELECT FROM pg_attribute a
               WHERE a.attrelid = c.oid AND a.attname = 'desk_id' AND a.attnotnull) AS of_desk,
       (SELECT coalesce(jsonb_object_agg(p.polname, jsonb_build_array(
                 (SELECT array_agg(r.rolname ORDER BY 1) FROM pg_roles r WHERE r.oid = ANY(p.polroles)),
                 pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid), p.polcmd)), '{}')::text
        FROM pg_policy p WHERE p.polrelid = c.oid) AS policies
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'm', 'v') ORDER BY c.relname
"""


@pytest.fixture(params=SERVICES)
async def service(request: pytest.FixtureRequest, house: House) -> str:
    """Each service in turn."""
    name: str = request.param
    if name not in house.apps:
        pytest.skip(f"{name} is not there")
    return name


@pytest.fixture(scope="module")
async def desk(house: House) -> DeskUnderTest:
    """One desk for all: nothing here changes it."""
    return await house.new_desk()


@pytest.fixture(scope="module")
async def other(house: House) -> DeskUnderTest:
    """Another desk."""
    return await house.new_desk()


@asynccontextmanager
async def superuser(house: House, service: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to a service's database as the role that no wall stops."""
    connection = await asyncpg.connect(house.postgres.dsn(f"plazo_{service}"))
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def as_desk(house: House, service: str, desk: DeskUnderTest | None) -> AsyncIterator[Connection]:
    """Open a transaction as a request does, in a desk or in none; it is undone at the end."""
    async with house.runtime(service).database.desk.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            if desk is not None:
                await connection.execute("SELECT set_config('plazo.desk', $1, true)", str(desk.desk_id))
            yield connection
        finally:
            await transaction.rollback()


class TestSchema:
    async def test_every_table_is_walled_off_by_desk(self, house: House, service: str):
        async with superuser(house, service) as connection:
            tables = await connection.fetch(_TABLES)
        assert {row["name"] for row in tables if not row["of_desk"]} == OF_NO_DESK
        desk_only, all_rows = "(desk_id = current_desk())", "true"
        for row in tables:
            if row["name"] in OF_NO_DESK:
                continue
            assert row["kind"] == b"r", f"{row['name']} is no plain table: row-level security would not hold"
            assert row["walled"], f"{row['name']}: row-level security is off"
            assert json.loads(row["policies"]) == {
                "desk": [[service], desk_only, desk_only, "*"],
                "system": [[f"{service}_system"], all_rows, all_rows, "*"],
            }, row["name"]

    async def test_every_instant_has_a_zone(self, house: House, service: str):
        async with superuser(house, service) as connection:
            naive = await connection.fetch(
                """
                SELECT table_name, column_name, data_type FROM information_schema.columns
                WHERE table_schema = 'public' AND data_type IN (
                  'timestamp without time zone', 'time with time zone', 'interval', 'real', 'double precision')
                """
            )
        assert [tuple(row) for row in naive] == []

    async def test_functions_with_another_s_rights_are_triggers_or_ask_for_the_desk(self, house: House, service: str):
        async with superuser(house, service) as connection:
            functions = await connection.fetch(
                "SELECT proname, prorettype::regtype::text AS returns, proconfig, prosrc FROM pg_proc "
                "WHERE pronamespace = 'public'::regnamespace AND prosecdef"
            )
        for function in functions:
            if function["proname"] in ASKS_FOR_THE_DESK:
                # Each part that reads a table of hits asks for the desk: three do.
                assert function["prosrc"].count("desk_id = current_desk()") == ASKS_FOR_THE_DESK[function["proname"]]
            else:
                assert function["returns"] == "trigger", function["proname"]
            assert "search_path=public, pg_temp" in (function["proconfig"] or []), function["proname"]

    async def test_the_services_roles_have_no_way_around(self, house: House, service: str):
        async with superuser(house, service) as connection:
            roles = await connection.fetch(
                "SELECT rolname, rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles "
                "WHERE rolname IN ($1::text, $1 || '_system')",
                service,
            )
            owned = await connection.fetch(
                "SELECT relname FROM pg_class c JOIN pg_roles r ON r.oid = c.relowner "
                "WHERE r.rolname IN ($1::text, $1 || '_system')",
                service,
            )
            memberships = await connection.fetch(
                "SELECT FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member "
                "WHERE r.rolname IN ($1::text, $1 || '_system')",
                service,
            )
        assert len(roles) == 2
        assert not any(any(list(role.values())[1:]) for role in roles)
        assert (owned, memberships) == ([], [])


class TestRequests:
    """As the role that serves requests."""

    async def test_without_a_desk_nothing_is_there(self, house: House, service: str, desk: DeskUnderTest):
        async with superuser(house, service) as connection:
            tables = [row["name"] for row in await connection.fetch(_TABLES) if row["of_desk"]]
            assert await connection.fetchval("SELECT count(*) FROM desk") > 0
        async with as_desk(house, service, None) as connection:
            for table in tables:
                assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0, table

    async def test_a_desk_sees_its_own_rows_only(
        self, house: House, service: str, desk: DeskUnderTest, other: DeskUnderTest
    ):
        async with as_desk(house, service, desk) as connection:
            assert await connection.fetchval("SELECT array_agg(desk_id) FROM desk") == [desk.desk_id]
            assert not await connection.fetch("SELECT FROM api_key WHERE desk_id = $1", other.desk_id)

    async def test_a_desk_can_not_touch_another_s_rows(
        self, house: House, service: str, desk: DeskUnderTest, other: DeskUnderTest
    ):
        async with as_desk(house, service, desk) as connection:
            assert (
                await connection.execute("UPDATE desk SET name = 'mine' WHERE desk_id = $1", other.desk_id)
                == "UPDATE 0"
            )

    @pytest.mark.parametrize(
        "statement",
        [
            pytest.param(
                "INSERT INTO idempotency_key (desk_id, key_id, idempotency_key, request_hash, status) "
                "VALUES ('{other}', 'k', 'i', 'h', 200)",
                id="write a row of another desk",
            ),
            pytest.param("UPDATE desk SET desk_id = '{other}'", id="give a row away"),
            pytest.param("ALTER TABLE desk DISABLE ROW LEVEL SECURITY", id="take the wall down"),
            pytest.param("DROP POLICY desk ON desk", id="drop the policy"),
            pytest.param("CREATE TABLE mine ()", id="make a table"),
            pytest.param("SET ROLE postgres", id="become the superuser"),
            pytest.param("SET ROLE {service}_system", id="become the system role"),
            pytest.param("SET ROLE {service}_owner", id="become the owner"),
            pytest.param("DELETE FROM desk", id="delete what is never deleted"),
            pytest.param("TRUNCATE outbox", id="empty the ledger of events"),
            pytest.param("UPDATE outbox SET occurred_at = now()", id="rewrite an announcement"),
            pytest.param("UPDATE administrative_act SET label = 'x'", id="rewrite who did something"),
            pytest.param("DELETE FROM administrative_act", id="forget who did something"),
            pytest.param("SELECT * FROM malformed_message", id="read what is of no desk"),
        ],
    )
    async def test_postgres_refuses_to(
        self, house: House, desk: DeskUnderTest, other: DeskUnderTest, service: str, statement: str
    ):
        async with as_desk(house, service, desk) as connection:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement.format(other=other.desk_id, service=service))

    async def test_turning_the_wall_off_for_oneself_is_an_error(self, house: House, service: str, desk: DeskUnderTest):
        async with as_desk(house, service, desk) as connection:
            await connection.execute("SET LOCAL row_security = off")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch("SELECT * FROM desk")

    async def test_the_desk_of_one_transaction_is_forgotten_by_the_next(self, house: House, desk: DeskUnderTest):
        database = house.runtime("tickets").database
        seen: list[Any] = []
        for _ in range(3):
            async with as_desk(house, "tickets", desk) as connection:
                assert await connection.fetchval("SELECT count(*) FROM desk") == 1
            async with database.desk.acquire() as connection:
                seen.append(await connection.fetchval("SELECT count(*) FROM desk"))
        assert seen == [0, 0, 0]


async def test_desks_do_not_see_each_other_over_http(house: House, desk: DeskUnderTest):
    await desk.publish("expande")
    contract = await desk.customer("expande", plan="basic")
    ticket = await desk.open_ticket(contract)
    stranger = await house.new_desk()

    for path in (
        f"/v1/tickets/{ticket['ticket_id']}",
        f"/v1/tickets/{ticket['ticket_id']}/timeline",
        f"/v1/tickets/{ticket['ticket_id']}/decisions",
        f"/v1/contracts/{contract['contract_id']}",
        f"/v1/desks/{desk.desk_id}",
        "/v1/policies/expande/2026-01",
    ):
        await stranger.admin.refused(404, "GET", path)
    for path in ("/v1/tickets", "/v1/customers", "/v1/contracts"):
        assert (await stranger.admin.ok("GET", path))["items"] == []
    await stranger.admin.refused(404, "POST", f"/v1/tickets/{ticket['ticket_id']}/replies", json={"text": "hola"})
    body = {"contract_id": contract["contract_id"], "subject": "a", "description": "b"}
    await stranger.admin.refused(404, "POST", "/v1/tickets", json=body)
