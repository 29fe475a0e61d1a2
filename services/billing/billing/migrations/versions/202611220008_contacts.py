"""Who may answer for a customer."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220008"
down_revision = "202611220007"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE contact (
  contact_id uuid CONSTRAINT contact_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  may_ask boolean NOT NULL
)
"""


def upgrade() -> None:
    """Make the table; the contacts of before are asked for by the service (`recall_contacts`)."""
    for statement in statements(_TABLES):
        op.execute(statement)
    for statement in protect("billing", "contact", rights="SELECT, INSERT, UPDATE"):
        op.execute(statement)
