"""Terms agreed in a contract, above the policy."""

from alembic import op

revision = "202611220001"
down_revision = "202611210001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add what a ticket keeps of its contract's own terms; those that are open keep having none."""
    op.execute("ALTER TABLE ticket ADD COLUMN agreed text")
