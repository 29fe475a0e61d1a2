"""What only grows does so for the system role too."""

from alembic import op

from plazo.runtime.migrations import only_grows

revision = "202611220007"
down_revision = "202611220006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take rights away that nothing uses."""
    for statement in only_grows("sla_clock"):
        op.execute(statement)
