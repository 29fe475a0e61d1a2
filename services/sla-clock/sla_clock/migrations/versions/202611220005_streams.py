"""The streams that are written and read, as they are known."""

from alembic import op

from plazo.runtime.migrations import runtime_tables_v3

revision = "202611220005"
down_revision = "202611220004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the two tables."""
    for statement in runtime_tables_v3("sla_clock"):
        op.execute(statement)
