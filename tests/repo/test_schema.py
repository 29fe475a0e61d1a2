"""Migrations make exactly the tables that the models declare, in one line of history."""

import importlib

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from harness import House
from sqlalchemy import Connection, MetaData

from plazo.events.envelope import SERVICES
from plazo.runtime.migrations import configuration, run_with_connection
from plazo.runtime.tables import RuntimeTable


def metadata_of(service: str) -> MetaData:
    """Return the models of a service."""
    metadata: MetaData = importlib.import_module(f"{service}.models").METADATA
    return metadata


@pytest.mark.parametrize("service", SERVICES)
def test_history_has_one_head_and_no_branch(service: str):
    script = ScriptDirectory.from_config(configuration(service))
    assert len(script.get_heads()) == 1
    assert [revision.revision for revision in script.walk_revisions() if revision.is_branch_point] == []


@pytest.mark.parametrize("service", SERVICES)
async def test_migrations_make_what_the_models_declare(house: House, service: str):
    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, [RuntimeTable.metadata, metadata_of(service)]))  # type: ignore[arg-type]

    dsn = house.postgres.dsn(f"plazo_{service}")
    assert await run_with_connection(dsn, differences) == []


@pytest.mark.parametrize("service", SERVICES)
async def test_checks_are_declared_too(house: House, service: str):
    """Alembic does not compare CHECK constraints; they are compared here by name."""
    declared = {
        constraint.name
        for metadata in (RuntimeTable.metadata, metadata_of(service))
        for table in metadata.tables.values()
        for constraint in table.constraints
        if type(constraint).__name__ == "CheckConstraint"
    }
    made = await house.fetch(
        service,
        "SELECT conname FROM pg_constraint WHERE contype = 'c' AND connamespace = 'public'::regnamespace",
    )
    assert {row["conname"] for row in made} == {str(name) for name in declared}
