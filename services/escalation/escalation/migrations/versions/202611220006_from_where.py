"""Administrative acts say from where."""

from alembic import op

from plazo.runtime.migrations import runtime_tables_v4

revision = "202611220006"
down_revision = "202611220005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Extend the record; what was recorded before does not say."""
    for statement in runtime_tables_v4("escalation"):
        op.execute(statement)
