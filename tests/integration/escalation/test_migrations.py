"""Models and migrations say the same."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from integration.escalation.alone import Alone
from sqlalchemy import Connection

from escalation.models import METADATA
from plazo.runtime.migrations import run_with_connection
from plazo.runtime.tables import RuntimeTable


async def test_the_models_are_what_the_migrations_made(alone: Alone) -> None:
    def compare(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        return list(compare_metadata(context, [RuntimeTable.metadata, METADATA]))

    assert await run_with_connection(alone.owner_url, compare) == []


async def test_every_table_is_walled_off_by_desk(alone: Alone) -> None:
    tables = await alone.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace "
        "AND NOT relrowsecurity ORDER BY 1"
    )

    assert [row["relname"] for row in tables] == [
        "alembic_version",
        "inbox_stream",
        "malformed_message",
        "outbox_stream",
    ]
