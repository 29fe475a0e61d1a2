"""E-mail, webhooks and imports."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220002"
down_revision = "202611220001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE mail (
  mail_id uuid CONSTRAINT mail_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  message_id text NOT NULL,
  direction text NOT NULL CONSTRAINT mail_direction_check CHECK (direction IN ('in', 'out')),
  sender text,
  subject text,
  text text,
  outcome text NOT NULL,
  reason text,
  clauses text[] NOT NULL,
  ticket_id uuid,
  request_id uuid,
  answer jsonb,
  received_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX mail_desk_id_message_id_key ON mail (desk_id, message_id);
CREATE INDEX mail_desk_id_received_at_mail_id_idx ON mail (desk_id, received_at, mail_id);
CREATE INDEX mail_ticket_id_idx ON mail (ticket_id);

CREATE TABLE intake_address (
  address text CONSTRAINT intake_address_pkey PRIMARY KEY
    CONSTRAINT intake_address_address_check CHECK (address = lower(address)),
  desk_id uuid NOT NULL,
  contract_id uuid,
  created_at timestamptz NOT NULL
);
CREATE INDEX intake_address_desk_id_address_idx ON intake_address (desk_id, address);

CREATE TABLE hook (
  hook_id uuid CONSTRAINT hook_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  name text NOT NULL,
  kind text NOT NULL,
  scheme text NOT NULL,
  mapping jsonb NOT NULL,
  contract_id uuid,
  tolerance_seconds integer NOT NULL,
  secrets jsonb NOT NULL,
  disabled_at timestamptz,
  created_at timestamptz NOT NULL
);
CREATE INDEX hook_desk_id_created_at_hook_id_idx ON hook (desk_id, created_at, hook_id);

CREATE TABLE hook_delivery (
  hook_id uuid NOT NULL,
  delivery_id text NOT NULL,
  desk_id uuid NOT NULL,
  answer jsonb,
  received_at timestamptz NOT NULL,
  CONSTRAINT hook_delivery_pkey PRIMARY KEY (hook_id, delivery_id)
);

CREATE TABLE foreign_ticket (
  desk_id uuid NOT NULL,
  source text NOT NULL,
  reference text NOT NULL,
  ticket_id uuid,
  request_id uuid,
  known_at timestamptz NOT NULL,
  CONSTRAINT foreign_ticket_pkey PRIMARY KEY (desk_id, source, reference)
);
CREATE INDEX foreign_ticket_ticket_id_idx ON foreign_ticket (ticket_id);

CREATE TABLE import_job (
  import_id uuid CONSTRAINT import_job_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  source text NOT NULL,
  format text NOT NULL CONSTRAINT import_job_format_check CHECK (format IN ('csv', 'jsonl')),
  contract_id uuid,
  total integer NOT NULL,
  started_by text NOT NULL,
  started_at timestamptz NOT NULL
);
CREATE INDEX import_job_desk_id_started_at_import_id_idx ON import_job (desk_id, started_at, import_id);

CREATE TABLE import_line (
  import_id uuid NOT NULL,
  line integer NOT NULL,
  desk_id uuid NOT NULL,
  reference text,
  body jsonb,
  state text NOT NULL CONSTRAINT import_line_state_check CHECK (state IN ('waiting', 'created', 'known', 'refused')),
  faults jsonb NOT NULL,
  ticket_id uuid,
  CONSTRAINT import_line_pkey PRIMARY KEY (import_id, line)
);
CREATE INDEX import_line_waiting_idx ON import_line (import_id, line) WHERE state = 'waiting';
CREATE INDEX import_line_import_id_state_line_idx ON import_line (import_id, state, line)
"""

RIGHTS = {
    "mail": "SELECT, INSERT, UPDATE",
    "intake_address": "SELECT, INSERT, DELETE",
    "hook": "SELECT, INSERT, UPDATE",
    "hook_delivery": "SELECT, INSERT, UPDATE",
    "foreign_ticket": "SELECT, INSERT, UPDATE",
    "import_job": "SELECT, INSERT",
    "import_line": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    """Make the tables."""
    for statement in statements(TABLES):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        for statement in protect("tickets", table, rights=rights):
            op.execute(statement)
