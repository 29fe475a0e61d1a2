"""Recomputations name their tickets as they go."""

from alembic import op

revision = "202611220003"
down_revision = "202611220002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Keep how far a recomputation has looked for its tickets; those of before had named all at once."""
    op.execute("ALTER TABLE recomputation ADD COLUMN is_named boolean NOT NULL DEFAULT true")
    op.execute("ALTER TABLE recomputation ADD COLUMN named_up_to uuid")
