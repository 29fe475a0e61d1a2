"""A person is forgotten in what waits, too."""

from alembic import op

revision = "202611220010"
down_revision = "202611220009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let the service take a person out of events that wait, of what it announced, and of what it was answered."""
    op.execute("GRANT UPDATE (envelope) ON inbox_waiting TO escalation")
    op.execute("GRANT UPDATE (data) ON outbox TO escalation")
    op.execute("GRANT UPDATE (excerpt) ON webhook_attempt TO escalation")
    op.execute("GRANT UPDATE (reply) ON message_attempt TO escalation")
