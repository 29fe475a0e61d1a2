"""A person is forgotten in what waits, too."""

from alembic import op

revision = "202611220009"
down_revision = "202611220008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the service take a person out of events that wait."""
    op.execute("GRANT UPDATE (envelope) ON inbox_waiting TO sla_clock")
