"""What each role of a service may do in PostgreSQL: exactly what is stated here."""

from contextlib import AsyncExitStack

import asyncpg
import pytest
from harness import House

from plazo.events.envelope import SERVICES
from plazo.runtime.settings import Settings

# What only grows: rights on the table, and columns that may be changed, for the role of requests and for the system's.
# Personal data is erased in place, and the chain of the timeline shows that and nothing else was.
ERASABLE = {"actor", "text", "data", "salt", "erased_at"}
OUTBOX = ({"SELECT", "INSERT"}, set(), {"SELECT", "INSERT"}, {"published_at"})
GROWS = ({"SELECT", "INSERT"}, set(), {"SELECT", "INSERT"}, set())
ONLY_GROW = {
    "tickets": {
        "outbox": (OUTBOX[0], {"data"}, OUTBOX[2], OUTBOX[3]),
        "timeline_entry": (GROWS[0], ERASABLE, GROWS[2], GROWS[3]),
        "ticket_decision": GROWS,
        "contract_acceptance": GROWS,
        "administrative_act": GROWS,
    },
    "sla_clock": {"outbox": OUTBOX, "administrative_act": GROWS},
    "escalation": {
        "outbox": (OUTBOX[0], {"data"}, OUTBOX[2], OUTBOX[3]),
        "assignment": GROWS,
        "administrative_act": GROWS,
    },
    "billing": {
        "outbox": OUTBOX,
        "ledger_entry": GROWS,
        "ledger_transaction": GROWS,
        "seal": GROWS,
        "sealed_transaction": GROWS,
        "administrative_act": GROWS,
    },
}
# From what else a request may delete: lists that people keep, and what waits for somebody and then no longer does.
DELETES = {
    "tickets": {
        "contact_email",
        "inbox_waiting",
        "intake_address",
        "saved_view",
        "unconfirmed_email",
        "unneeded_object",
    },
    "sla_clock": {"inbox_waiting"},
    "escalation": {"contact", "inbox_waiting"},
    "billing": {"draw", "inbox_waiting", "unsealed", "work_import_line"},
}

_RIGHTS = """
SELECT c.relname AS name, acl.grantee::regrole::text AS role, acl.privilege_type AS right
FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) AS acl
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm') AND acl.grantee <> c.relowner
"""
_COLUMNS = """
SELECT c.relname AS name, acl.grantee::regrole::text AS role, acl.privilege_type AS right, a.attname AS column
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid CROSS JOIN LATERAL aclexplode(a.attacl) AS acl
WHERE c.relnamespace = 'public'::regnamespace
"""


@pytest.fixture(params=SERVICES)
def service(request) -> str:
    """Each service in turn."""
    return request.param


async def look(house: House, service: str, query: str, *arguments) -> list[asyncpg.Record]:
    """Ask a service's database as a superuser."""
    connection = await asyncpg.connect(house.postgres.dsn(f"plazo_{service}"))
    try:
        return await connection.fetch(query, *arguments)
    finally:
        await connection.close()


async def test_nobody_else_has_a_right_and_none_has_more_than_to_read_and_write(house: House, service: str):
    rows = [*await look(house, service, _RIGHTS), *await look(house, service, _COLUMNS)]
    assert {row["role"] for row in rows} == {service, f"{service}_system"}
    assert {row["right"] for row in rows} <= {"SELECT", "INSERT", "UPDATE", "DELETE"}


async def test_what_only_grows_can_not_be_changed_or_deleted(house: House, service: str):
    rights = await look(house, service, _RIGHTS)
    columns = await look(house, service, _COLUMNS)

    def of(table, role):
        assert {row["right"] for row in columns if (row["name"], row["role"]) == (table, role)} <= {"UPDATE"}
        return (
            {row["right"] for row in rights if (row["name"], row["role"]) == (table, role)},
            {row["column"] for row in columns if (row["name"], row["role"]) == (table, role)},
        )

    found = {table: (*of(table, service), *of(table, f"{service}_system")) for table in ONLY_GROW[service]}
    assert found == ONLY_GROW[service]


async def test_a_request_deletes_from_these_tables_alone(house: House, service: str):
    rights = await look(house, service, _RIGHTS)
    assert {row["name"] for row in rights if row["role"] == service and row["right"] == "DELETE"} == DELETES[service]


async def test_no_role_of_a_service_makes_anything_or_enters_another_s_database(house: House, service: str):
    rows = await look(
        house,
        service,
        """
        SELECT d.datname AS database, has_database_privilege(r.rolname, d.oid, 'CONNECT') AS connects,
               has_database_privilege(r.rolname, d.oid, 'CREATE, TEMPORARY') AS makes
        FROM pg_roles r CROSS JOIN pg_database d
        WHERE r.rolname IN ($1::text, $1 || '_system') AND d.datname = ANY($2)
        """,
        service,
        [f"plazo_{one}" for one in SERVICES],
    )
    own = f"plazo_{service}"
    assert len(rows) == 2 * len(SERVICES)
    assert {(row["database"], row["connects"]) for row in rows} == {
        *((f"plazo_{one}", False) for one in SERVICES if one != service),
        (own, True),
    }
    assert not any(row["makes"] for row in rows)
    [(are_plain, makes)] = await look(
        house,
        service,
        """
        SELECT bool_and(NOT (rolsuper OR rolbypassrls OR rolcreaterole OR rolcreatedb OR rolreplication)),
               bool_or(rolname <> $1 || '_owner' AND has_schema_privilege(rolname, 'public', 'CREATE'))
        FROM pg_roles WHERE rolname IN ($1::text, $1 || '_system', $1 || '_owner')
        """,
        service,
    )
    assert are_plain
    assert not makes


async def test_another_service_s_password_opens_nothing_here(house: House, service: str):
    other = SERVICES[(SERVICES.index(service) + 1) % len(SERVICES)]
    for role in (other, f"{other}_system", f"{other}_owner"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
            await asyncpg.connect(house.postgres.dsn(f"plazo_{service}", user=role))


def roles_of(service: str) -> tuple[str, str, str]:
    return service, f"{service}_system", f"{service}_owner"


async def test_a_password_of_a_service_opens_its_own_database_alone(house: House, service: str):
    rows = await look(
        house,
        service,
        """
        SELECT r.rolname AS role, d.datname AS database FROM pg_roles r CROSS JOIN pg_database d
        WHERE r.rolname = ANY($1) AND d.datallowconn AND has_database_privilege(r.rolname, d.oid, 'CONNECT')
        """,
        roles_of(service),
    )
    assert [row for row in rows if not row["database"].startswith(f"plazo_{service}")] == []
    assert {(role, f"plazo_{service}") for role in roles_of(service)} <= {tuple(row) for row in rows}
    for role in roles_of(service):
        for database in ("postgres", "template1"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
                await asyncpg.connect(house.postgres.dsn(database, user=role))


async def test_no_role_of_a_service_makes_large_objects(house: House, service: str):
    open_to_all = """
        SELECT oid::regprocedure FROM pg_proc
        WHERE proname ~ '^lo(_|read|write)' AND has_function_privilege('public', oid, 'EXECUTE')
    """
    assert await look(house, service, open_to_all) == []
    for role in roles_of(service):
        connection = await asyncpg.connect(house.postgres.dsn(f"plazo_{service}", user=role))
        try:
            for statement in ("SELECT lo_create(0)", "SELECT lo_from_bytea(0, 'x')", "SELECT lo_creat(-1)"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for function lo_"):
                    await connection.execute(statement)
        finally:
            await connection.close()
    template = await asyncpg.connect(house.postgres.dsn("template1"))
    try:
        assert await template.fetch(open_to_all) == []
    finally:
        await template.close()


async def test_connections_are_for_three_replicas_and_those_a_broken_network_leaves(house: House, service: str):
    rows = await look(
        house, service, "SELECT rolname, rolconnlimit FROM pg_roles WHERE rolname = ANY($1)", roles_of(service)
    )
    limits = dict(map(tuple, rows))
    pool = Settings.model_fields["database_connections"].default
    assert limits == {service: 2 * 3 * pool, f"{service}_system": 2 * 3 * (4 + 1), f"{service}_owner": 10}
    [(whole,)] = await look(house, service, "SELECT current_setting('max_connections')::int")
    needed_by_the_others = (len(SERVICES) - 1) * (3 * (pool + 4 + 1) + 1)
    assert sum(limits.values()) + needed_by_the_others < whole

    async with AsyncExitStack() as stack:
        for _ in range(limits[f"{service}_owner"]):
            connection = await asyncpg.connect(house.postgres.dsn(f"plazo_{service}", user=f"{service}_owner"))
            stack.push_async_callback(connection.close)
        with pytest.raises(asyncpg.TooManyConnectionsError, match="too many connections for role"):
            await asyncpg.connect(house.postgres.dsn(f"plazo_{service}", user=f"{service}_owner"))


async def test_a_query_fills_no_disk(house: House, service: str):
    for role in (service, f"{service}_system"):
        connection = await asyncpg.connect(house.postgres.dsn(f"plazo_{service}", user=role))
        try:
            assert await connection.fetchval("SHOW temp_file_limit") == "1GB"
            with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied to set parameter"):
                await connection.execute("SET temp_file_limit = -1")
        finally:
            await connection.close()
