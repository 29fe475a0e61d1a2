"""Whose people the contacts are; of one of before that is learnt when it is announced again."""

from alembic import op

revision = "202611220009"
down_revision = "202611220008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    op.execute("ALTER TABLE contact ADD COLUMN customer_id uuid")
