"""Quotes, holds, work timers and what they need."""

revision = "202611220001"
down_revision = "202611210001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
