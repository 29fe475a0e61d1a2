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
  opened_at timestamptz NOT NULL,
  terms_version text,
  is_closed boolean NOT NULL DEFAULT false
);
CREATE INDEX ticket_open_idx ON ticket (desk_id, policy, ticket_id) WHERE NOT is_closed;

CREATE TABLE ticket_fact (
  ticket_id uuid NOT NULL,
  version bigint NOT NULL,
  desk_id uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  fact jsonb NOT NULL,
  part integer NOT NULL DEFAULT 0,
  CONSTRAINT ticket_fact_pkey PRIMARY KEY (ticket_id, version, part)
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
CREATE INDEX timer_failed_idx ON timer (due_at) WHERE state = 'failed' AND live;

CREATE TABLE desk_advance (
  desk_id uuid NOT NULL,
  caller text NOT NULL,
  request_key text NOT NULL,
  request_hash text NOT NULL,
  target_at timestamptz NOT NULL,
  fired bigint NOT NULL,
  done boolean NOT NULL,
  CONSTRAINT desk_advance_pkey PRIMARY KEY (desk_id, caller, request_key)
);

CREATE TABLE recomputation (
  recomputation_id uuid CONSTRAINT recomputation_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  policy text NOT NULL,
  from_version text,
  to_version text NOT NULL,
  reason text NOT NULL,
  requested_by text NOT NULL,
  requested_at timestamptz NOT NULL,
  state text NOT NULL CONSTRAINT recomputation_state_check CHECK (state IN ('running', 'done', 'undoing', 'undone')),
  finished_at timestamptz
);
CREATE INDEX recomputation_list_idx ON recomputation (desk_id, recomputation_id);
CREATE UNIQUE INDEX recomputation_unfinished_idx ON recomputation (desk_id, policy)
  WHERE state IN ('running', 'undoing');

CREATE TABLE recomputed_ticket (
  recomputation_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  desk_id uuid NOT NULL,
  state text NOT NULL CONSTRAINT recomputed_ticket_state_check CHECK (
    state IN ('waiting', 'applied', 'skipped', 'undoing', 'undone', 'kept', 'failed')),
  before_version text,
  changes jsonb NOT NULL DEFAULT '[]',
  CONSTRAINT recomputed_ticket_pkey PRIMARY KEY (recomputation_id, ticket_id)
);
CREATE INDEX recomputed_ticket_waiting_idx ON recomputed_ticket (recomputation_id, ticket_id)
  WHERE state IN ('waiting', 'undoing');

CREATE TABLE contract (
  contract_id uuid CONSTRAINT contract_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  policy text NOT NULL,
  valid_from date NOT NULL
);
CREATE INDEX contract_desk_id_idx ON contract (desk_id);

CREATE TABLE availability_agreement (
  contract_id uuid NOT NULL,
  component text NOT NULL,
  since date NOT NULL,
  desk_id uuid NOT NULL,
  agreed_percent numeric NOT NULL CONSTRAINT availability_agreement_percent_check
    CHECK (agreed_percent > 0 AND agreed_percent <= 100),
  agreed_by text NOT NULL,
  agreed_at timestamptz NOT NULL,
  CONSTRAINT availability_agreement_pkey PRIMARY KEY (contract_id, component, since)
);
CREATE INDEX availability_agreement_desk_id_idx ON availability_agreement (desk_id);

CREATE TABLE outage (
  outage_id uuid CONSTRAINT outage_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  contract_id uuid,
  component text,
  cause text,
  planned boolean NOT NULL,
  summary text,
  fingerprint text,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  reported_by text NOT NULL,
  recorded_at timestamptz NOT NULL,
  revision integer NOT NULL,
  CONSTRAINT outage_place_check CHECK (contract_id IS NOT NULL OR component IS NOT NULL),
  CONSTRAINT outage_span_check CHECK (ended_at >= started_at)
);
CREATE INDEX outage_list_idx ON outage (desk_id, started_at, outage_id);
CREATE INDEX outage_fingerprint_idx ON outage (desk_id, fingerprint) WHERE ended_at IS NULL
"""

RIGHTS = {
    "ticket": "SELECT, INSERT, UPDATE",
    "ticket_fact": "SELECT, INSERT",
    "clock": "SELECT, INSERT, UPDATE",
    "clock_review": "SELECT, INSERT, UPDATE",
    "timer": "SELECT, INSERT, UPDATE",
    "desk_advance": "SELECT, INSERT, UPDATE",
    "recomputation": "SELECT, INSERT, UPDATE",
    "recomputed_ticket": "SELECT, INSERT, UPDATE",
    "contract": "SELECT, INSERT, UPDATE",
    "availability_agreement": "SELECT, INSERT, UPDATE",
    "outage": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    """Make the tables."""
    for statement in (*runtime_tables_v1("sla_clock"), *statements(TABLES)):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        for statement in protect("sla_clock", table, rights=rights):
            op.execute(statement)
