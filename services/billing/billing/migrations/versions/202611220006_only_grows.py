"""What only grows does so for the system role too."""

from alembic import op

from plazo.runtime.migrations import only_grows

revision = "202611220006"
down_revision = "202611220005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Take rights away that nothing uses."""
    for statement in only_grows("billing", "ledger_entry", "ledger_transaction", "seal", "sealed_transaction"):
        op.execute(statement)
