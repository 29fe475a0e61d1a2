"""The first tables of sla-clock."""

from alembic import op

from plazo.runtime.migrations import protect, runtime_tables_v1, statements

revision = "202611210001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE ticket (
  ticket_id uuid CONSTRAINT ticket_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  number text NOT NULL,
  customer_id uuid NOT NULL,
  policy text NOT NULL,
  policy_version text NOT NULL,
  timezone text,
  region text,
  live boolean NOT NULL,
  opened_at timestamptz NOT NULL
);
CREATE INDEX ticket_desk_id_idx ON ticket (desk_id);

CREATE TABLE ticket_fact (
  ticket_id uuid NOT NULL,
  version bigint NOT NULL,
  desk_id uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  fact jsonb NOT NULL,
  CONSTRAINT ticket_fact_pkey PRIMARY KEY (ticket_id, version)
);

CREATE TABLE clock (
  clock_id uuid CONSTRAINT clock_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  kind text NOT NULL CONSTRAINT clock_kind_check CHECK (
    kind IN ('acknowledgement', 'first_response', 'next_reply', 'periodic_update', 'resolution', 'agreed')),
  cycle smallint NOT NULL,
  state text NOT NULL CONSTRAINT clock_state_check CHECK (
    state IN ('running', 'paused', 'breached', 'met', 'missed', 'cancelled')),
  commitment text NOT NULL CONSTRAINT clock_commitment_check CHECK (commitment IN ('objective', 'guarantee')),
  target text,
  calendar text,
  clauses text[] NOT NULL,
  started_at timestamptz NOT NULL,
  due_at timestamptz,
  stopped_at timestamptz,
  breached_at timestamptz,
  detected_at timestamptz,
  version integer NOT NULL,
  revision integer NOT NULL,
  warned text[] NOT NULL,
  plan text,
  severity text
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX clock_ticket_id_kind_cycle_key ON clock (ticket_id, kind, cycle);
CREATE INDEX clock_list_idx ON clock (desk_id, started_at, clock_id);

CREATE TABLE clock_review (
  clock_id uuid CONSTRAINT clock_review_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  cause text NOT NULL,
  corrective_action text NOT NULL,
  reviewed_by text NOT NULL,
  reviewed_at timestamptz NOT NULL
);
CREATE INDEX clock_review_desk_id_idx ON clock_review (desk_id);

CREATE TABLE timer (
  timer_id uuid CONSTRAINT timer_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  purpose text NOT NULL CONSTRAINT timer_purpose_check CHECK (purpose IN ('clocks', 'request')),
  due_at timestamptz NOT NULL,
  live boolean NOT NULL,
  state text NOT NULL CONSTRAINT timer_state_check CHECK (state IN ('armed', 'fired', 'withdrawn', 'failed')),
  requested_by text,
  context jsonb
);
CREATE INDEX timer_due_idx ON timer (due_at) WHERE state = 'armed' AND live;
CREATE INDEX timer_desk_due_idx ON timer (desk_id, due_at) WHERE state = 'armed';

CREATE TABLE desk_advance (
  desk_id uuid NOT NULL,
  caller text NOT NULL,
  request_key text NOT NULL,
  request_hash text NOT NULL,
  target_at timestamptz NOT NULL,
  fired bigint NOT NULL,
  done boolean NOT NULL,
  CONSTRAINT desk_advance_pkey PRIMARY KEY (desk_id, caller, request_key)
)
"""

RIGHTS = {
    "ticket": "SELECT, INSERT, UPDATE",
    "ticket_fact": "SELECT, INSERT",
    "clock": "SELECT, INSERT, UPDATE",
    "clock_review": "SELECT, INSERT, UPDATE",
    "timer": "SELECT, INSERT, UPDATE",
    "desk_advance": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    """Make the tables."""
    for statement in (*runtime_tables_v1("sla_clock"), *statements(TABLES)):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        for statement in protect("sla_clock", table, rights=rights):
            op.execute(statement)
