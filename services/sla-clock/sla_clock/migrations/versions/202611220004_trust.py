"""Keys that rotate and have scopes; administrative acts."""

from alembic import op

from plazo.runtime.migrations import runtime_tables_v2

revision = "202611220004"
down_revision = "202611220003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Extend the copy of keys, and begin the record of administrative acts."""
    for statement in runtime_tables_v2("sla_clock"):
        op.execute(statement)
