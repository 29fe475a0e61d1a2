"""Who may ask for a customer."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220009"
down_revision = "202611220008"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE asker (
  contact_id uuid CONSTRAINT asker_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  may_ask boolean NOT NULL
)
"""


def upgrade() -> None:
    """Make the table; the contacts of before are asked for by the service (`recall_contacts`)."""
    for statement in statements(_TABLES):
        op.execute(statement)
    for statement in protect("escalation", "asker", rights="SELECT, INSERT, UPDATE"):
        op.execute(statement)
