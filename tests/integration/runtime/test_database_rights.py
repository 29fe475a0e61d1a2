"""What each role of a service may do in PostgreSQL: exactly what is stated here."""

import asyncpg
import pytest
from harness import House

from plazo.events.envelope import SERVICES

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
    "escalation": {"outbox": OUTBOX, "assignment": GROWS, "administrative_act": GROWS},
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
