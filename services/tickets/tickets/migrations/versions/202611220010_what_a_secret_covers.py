"""A secret says whose words it is taken out of, and is found in a long text at little cost."""

from alembic import op

revision = "202611220010"
down_revision = "202611220009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what is known of a secret that is entrusted from now on; earlier ones say neither."""
    op.execute("ALTER TABLE ticket_secret ADD COLUMN trace integer")
    op.execute("ALTER TABLE ticket_secret ADD COLUMN covers_desk boolean")
