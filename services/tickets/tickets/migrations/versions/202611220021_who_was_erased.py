"""Of an erased contact marks are kept, so that its name and addresses are known where they come again."""

from alembic import op

revision = "202611220021"
down_revision = "202611220020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; of contacts that were erased before, nothing is left to mark."""
    op.execute("ALTER TABLE contact ADD COLUMN known_by text[]")
    op.execute("GRANT UPDATE (envelope) ON inbox_waiting TO tickets")
