"""The customers' own people; a step may change the severity; whose contract a ticket is under."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220004"
down_revision = "202611220003"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE contact (
  contact_id uuid CONSTRAINT contact_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  email text NOT NULL,
  language text
);
CREATE INDEX contact_customer_id_idx ON contact (customer_id);
ALTER TABLE escalation_step ADD COLUMN to_severity text;
ALTER TABLE ticket ADD COLUMN contract_id uuid;
CREATE INDEX ticket_contract_id_idx ON ticket (contract_id) WHERE state IN ('open', 'held')
"""


def upgrade() -> None:
    """Make the table and the columns."""
    for statement in statements(_TABLES):
        op.execute(statement)
    for statement in protect("escalation", "contact", rights="SELECT, INSERT, UPDATE, DELETE"):
        op.execute(statement)
