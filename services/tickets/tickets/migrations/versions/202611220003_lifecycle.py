"""Attempts, appointments, links and the rest of a ticket's life."""

revision = "202611220003"
down_revision = "202611220002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
