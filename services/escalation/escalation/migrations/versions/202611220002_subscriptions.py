"""Webhook subscriptions of partners."""

revision = "202611220002"
down_revision = "202611220001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
