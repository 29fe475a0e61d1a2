"""A person is forgotten in what waits, too."""

from alembic import op

revision = "202611220010"
down_revision = "202611220009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the service take a person out of events that wait, and of quotes."""
    op.execute("GRANT UPDATE (envelope) ON inbox_waiting TO billing")
    op.execute("GRANT UPDATE (description) ON quote TO billing")
