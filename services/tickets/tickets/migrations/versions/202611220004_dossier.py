"""Attachments, secrets, the chain of the timeline, queue and search."""

revision = "202611220004"
down_revision = "202611220003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
