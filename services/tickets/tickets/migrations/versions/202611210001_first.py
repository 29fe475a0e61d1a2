"""The first tables of tickets."""

from alembic import op

from plazo.runtime.migrations import protect, runtime_tables_v1, statements

revision = "202611210001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE ticket_number (
  desk_id uuid CONSTRAINT ticket_number_pkey PRIMARY KEY,
  last_number bigint NOT NULL
);

CREATE TABLE customer (
  customer_id uuid CONSTRAINT customer_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  name text NOT NULL,
  segment text,
  language text NOT NULL,
  timezone text,
  region text,
  email text,
  created_at timestamptz NOT NULL
);
CREATE INDEX customer_desk_id_created_at_customer_id_idx ON customer (desk_id, created_at, customer_id);

CREATE TABLE contract (
  contract_id uuid CONSTRAINT contract_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  policy text NOT NULL,
  plan text,
  arrangement text NOT NULL CONSTRAINT contract_arrangement_check
    CHECK (arrangement IN ('plan', 'monthly', 'warranty', 'per_event')),
  products text[] NOT NULL,
  valid_from date NOT NULL,
  valid_until date,
  warranty_until date,
  created_at timestamptz NOT NULL
);
CREATE INDEX contract_desk_id_customer_id_idx ON contract (desk_id, customer_id);
CREATE INDEX contract_desk_id_created_at_contract_id_idx ON contract (desk_id, created_at, contract_id);

CREATE TABLE ticket (
  ticket_id uuid CONSTRAINT ticket_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  number text NOT NULL,
  version integer NOT NULL,
  state text NOT NULL CONSTRAINT ticket_state_check
    CHECK (state IN ('new', 'in_progress', 'waiting', 'held', 'resolved', 'closed')),
  cycle smallint NOT NULL,
  subject text NOT NULL,
  description text NOT NULL,
  channel text NOT NULL,
  customer_id uuid NOT NULL,
  customer_name text NOT NULL,
  contact_name text,
  contact_email text,
  contract_id uuid,
  policy text NOT NULL,
  policy_version text NOT NULL,
  language text NOT NULL,
  given jsonb NOT NULL,
  facts jsonb NOT NULL,
  covered boolean NOT NULL,
  clocks boolean NOT NULL,
  admission text NOT NULL CONSTRAINT ticket_admission_check
    CHECK (admission IN ('not_required', 'pending', 'granted', 'withheld')),
  waits text[] NOT NULL,
  held_for text,
  held_clause text,
  team text,
  level smallint NOT NULL,
  assignee text,
  resolution_kind text,
  resolution_text text,
  opened_at timestamptz NOT NULL,
  resolved_at timestamptz,
  closed_at timestamptz,
  closed_for text
);
CREATE UNIQUE INDEX ticket_desk_id_number_key ON ticket (desk_id, number);
CREATE INDEX ticket_list_idx ON ticket (desk_id, opened_at DESC, ticket_id DESC);
CREATE INDEX ticket_customer_idx ON ticket (desk_id, customer_id, opened_at DESC, ticket_id DESC);

CREATE TABLE ticket_decision (
  ticket_id uuid NOT NULL,
  version integer NOT NULL,
  about text NOT NULL,
  desk_id uuid NOT NULL,
  value text NOT NULL,
  rule integer,
  clauses text[] NOT NULL,
  decided_at timestamptz NOT NULL,
  CONSTRAINT ticket_decision_pkey PRIMARY KEY (ticket_id, version, about)
);

CREATE TABLE timeline_entry (
  seq bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT timeline_entry_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  kind text NOT NULL,
  actor text NOT NULL,
  internal boolean NOT NULL,
  text text,
  data jsonb NOT NULL
);
CREATE INDEX timeline_entry_ticket_id_occurred_at_seq_idx ON timeline_entry (ticket_id, occurred_at, seq);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation'; END $$;
CREATE TRIGGER timeline_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON timeline_entry
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE kept_request (
  request_id uuid CONSTRAINT kept_request_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  outcome text NOT NULL CONSTRAINT kept_request_outcome_check CHECK (outcome IN ('refused', 'quarantined')),
  reason text NOT NULL,
  clauses text[] NOT NULL,
  body jsonb NOT NULL,
  received_at timestamptz NOT NULL
);
CREATE INDEX kept_request_desk_id_received_at_request_id_idx ON kept_request (desk_id, received_at, request_id);

CREATE TABLE ticket_clock (
  clock_id uuid CONSTRAINT ticket_clock_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  clock jsonb NOT NULL
);
CREATE INDEX ticket_clock_ticket_id_idx ON ticket_clock (ticket_id);

CREATE TABLE ticket_charge (
  charge_id uuid CONSTRAINT ticket_charge_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  charged_at timestamptz NOT NULL,
  written_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  charge jsonb NOT NULL
);
CREATE INDEX ticket_charge_ticket_id_idx ON ticket_charge (ticket_id);

CREATE TABLE ticket_escalation (
  escalation_id uuid CONSTRAINT ticket_escalation_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  raised_at timestamptz NOT NULL,
  escalation jsonb NOT NULL
);
CREATE INDEX ticket_escalation_ticket_id_idx ON ticket_escalation (ticket_id)
"""

RIGHTS = {
    "ticket_number": "SELECT, INSERT, UPDATE",
    "customer": "SELECT, INSERT, UPDATE",
    "contract": "SELECT, INSERT, UPDATE",
    "ticket": "SELECT, INSERT, UPDATE",
    "ticket_decision": "SELECT, INSERT",
    "timeline_entry": "SELECT, INSERT",
    "kept_request": "SELECT, INSERT",
    "ticket_clock": "SELECT, INSERT, UPDATE",
    "ticket_charge": "SELECT, INSERT",
    "ticket_escalation": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    """Make the tables."""
    for statement in (*runtime_tables_v1("tickets"), *statements(TABLES)):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        for statement in protect("tickets", table, rights=rights):
            op.execute(statement)
