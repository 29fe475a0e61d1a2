"""An event says what its announcer had taken in about its aggregate."""

from alembic import op

from plazo.runtime.migrations import runtime_tables_v5

revision = "202611220008"
down_revision = "202611220007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Extend the outbox; for events of before nothing is waited."""
    for statement in runtime_tables_v5("sla_clock"):
        op.execute(statement)
