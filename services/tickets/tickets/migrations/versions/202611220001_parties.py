"""Contacts, products, agreed terms, what is kept of requests."""

revision = "202611220001"
down_revision = "202611210001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
