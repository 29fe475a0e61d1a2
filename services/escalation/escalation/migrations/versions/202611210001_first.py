"""The tables of the runtime and of escalation."""

from collections.abc import Sequence

from alembic import op

from plazo.runtime.migrations import protect, runtime_tables_v1, statements

revision: str = "202611210001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

_TABLES = """
CREATE TABLE ticket (
  ticket_id uuid CONSTRAINT ticket_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  number text NOT NULL,
  subject text NOT NULL,
  description text NOT NULL,
  customer_id uuid NOT NULL,
  customer_name text NOT NULL,
  contact_name text,
  contact_email text,
  policy text NOT NULL,
  policy_version text NOT NULL,
  language text NOT NULL,
  customer_timezone text,
  customer_region text,
  facts jsonb NOT NULL,
  opened_at timestamptz NOT NULL,
  state text NOT NULL CONSTRAINT ticket_state_check CHECK (state IN ('open', 'held', 'resolved', 'closed')),
  held_for text,
  route text,
  team text,
  level integer NOT NULL,
  agent_id uuid
);
CREATE INDEX ticket_agent_idx ON ticket (agent_id) WHERE state IN ('open', 'held');
CREATE INDEX ticket_team_idx ON ticket (desk_id, team) WHERE state IN ('open', 'held');

CREATE TABLE agent (
  agent_id uuid CONSTRAINT agent_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  name text NOT NULL,
  email text NOT NULL,
  teams text[] NOT NULL DEFAULT '{}',
  levels integer[] NOT NULL DEFAULT '{}',
  languages text[] NOT NULL DEFAULT '{}',
  roles text[] NOT NULL DEFAULT '{}',
  active boolean NOT NULL,
  absent boolean NOT NULL,
  version integer NOT NULL,
  last_assigned_at timestamptz,
  CONSTRAINT agent_email_key UNIQUE (desk_id, email)
);

CREATE TABLE assignment (
  ticket_id uuid NOT NULL,
  number integer NOT NULL,
  desk_id uuid NOT NULL,
  team text,
  level integer NOT NULL,
  agent_id uuid,
  agent_name text,
  reason text NOT NULL,
  note text,
  clauses text[] NOT NULL DEFAULT '{}',
  escalation_id uuid,
  assigned_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  CONSTRAINT assignment_pkey PRIMARY KEY (ticket_id, number)
);
CREATE INDEX assignment_escalation_idx ON assignment (escalation_id);

CREATE TABLE escalation (
  escalation_id uuid CONSTRAINT escalation_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  trigger text NOT NULL,
  kind text,
  threshold text,
  cause_id uuid,
  clock_due_at timestamptz,
  rule integer,
  on_request boolean NOT NULL,
  clauses text[] NOT NULL DEFAULT '{}',
  reason text,
  requested_by text,
  state text NOT NULL CONSTRAINT escalation_state_check CHECK (state IN ('running', 'completed', 'stopped')),
  raised_at timestamptz NOT NULL,
  ended_at timestamptz,
  end_reason text,
  acknowledged_at timestamptz,
  acknowledged_by text
);
CREATE INDEX escalation_ticket_id_idx ON escalation (ticket_id);
CREATE INDEX escalation_page_idx ON escalation (desk_id, raised_at, escalation_id);
CREATE INDEX escalation_cause_idx ON escalation (cause_id);

CREATE TABLE escalation_step (
  escalation_id uuid NOT NULL
    CONSTRAINT escalation_step_escalation_id_fkey REFERENCES escalation (escalation_id),
  position integer NOT NULL,
  desk_id uuid NOT NULL,
  step integer NOT NULL,
  turn integer NOT NULL,
  after text NOT NULL,
  calendar text,
  to_level integer,
  to_team text,
  to_role text,
  notify text[] NOT NULL DEFAULT '{}',
  template text,
  requires_assessment boolean NOT NULL,
  requires_reason boolean NOT NULL,
  reason text,
  due_at timestamptz,
  state text NOT NULL
    CONSTRAINT escalation_step_state_check CHECK (state IN ('planned', 'armed', 'fired', 'skipped')),
  timer_id uuid,
  fired_at timestamptz,
  recorded_at timestamptz,
  CONSTRAINT escalation_step_pkey PRIMARY KEY (escalation_id, position),
  CONSTRAINT escalation_step_fired_check CHECK ((state = 'fired') = (fired_at IS NOT NULL))
);

CREATE TABLE message (
  message_id uuid CONSTRAINT message_pkey PRIMARY KEY,
  seq bigint GENERATED ALWAYS AS IDENTITY,
  desk_id uuid NOT NULL,
  ticket_id uuid,
  customer_id uuid,
  escalation_id uuid,
  position integer,
  event text NOT NULL,
  template text NOT NULL,
  role text NOT NULL,
  channel text NOT NULL,
  address text,
  language text NOT NULL,
  subject text NOT NULL,
  body text NOT NULL,
  clauses text[] NOT NULL DEFAULT '{}',
  state text NOT NULL CONSTRAINT message_state_check CHECK (state IN ('queued', 'sent', 'failed')),
  failure text,
  dedupe_key text NOT NULL,
  queued_at timestamptz NOT NULL,
  sent_at timestamptz,
  CONSTRAINT message_dedupe_key_key UNIQUE (desk_id, dedupe_key)
);
CREATE INDEX message_ticket_id_idx ON message (ticket_id);
CREATE INDEX message_escalation_idx ON message (escalation_id, position);
CREATE INDEX message_page_idx ON message (desk_id, seq);

CREATE TABLE customer (
  customer_id uuid CONSTRAINT customer_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  name text NOT NULL,
  language text NOT NULL,
  email text
);

CREATE TABLE contract (
  contract_id uuid CONSTRAINT contract_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  policy text NOT NULL,
  valid_until date
);
CREATE INDEX contract_policy_idx ON contract (desk_id, policy)
"""

# History is added to, never changed.
_RIGHTS = {
    "ticket": "SELECT, INSERT, UPDATE",
    "agent": "SELECT, INSERT, UPDATE",
    "assignment": "SELECT, INSERT",
    "escalation": "SELECT, INSERT, UPDATE",
    "escalation_step": "SELECT, INSERT, UPDATE",
    "message": "SELECT, INSERT, UPDATE",
    "customer": "SELECT, INSERT, UPDATE",
    "contract": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    """Make the tables, walled off by desk."""
    for statement in (*runtime_tables_v1("escalation"), *statements(_TABLES)):
        op.execute(statement)
    for table, rights in _RIGHTS.items():
        for statement in protect("escalation", table, rights=rights):
            op.execute(statement)
