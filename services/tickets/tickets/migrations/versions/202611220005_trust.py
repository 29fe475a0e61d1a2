"""Keys that rotate and have scopes; administrative acts."""

from alembic import op

from plazo.runtime.migrations import runtime_tables_v2

revision = "202611220005"
down_revision = "202611220004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Extend the copy of keys, and begin the record of administrative acts."""
    for statement in runtime_tables_v2("tickets"):
        op.execute(statement)
