"""Addresses that wait to be confirmed, and what a mail says, to tell it from another one under the same id."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220020"
down_revision = "202611220010"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE unconfirmed_email (
  contact_id uuid NOT NULL,
  address text NOT NULL CONSTRAINT unconfirmed_email_address_check CHECK (address = lower(address)),
  desk_id uuid NOT NULL,
  place smallint NOT NULL,
  CONSTRAINT unconfirmed_email_pkey PRIMARY KEY (contact_id, address)
);
ALTER TABLE mail ADD COLUMN digest text
"""


def upgrade() -> None:
    """Make the table and the column; mail of before has no digest, and is known again by its sender."""
    for statement in statements(TABLES):
        op.execute(statement)
    for statement in protect("tickets", "unconfirmed_email", rights="SELECT, INSERT, DELETE"):
        op.execute(statement)
