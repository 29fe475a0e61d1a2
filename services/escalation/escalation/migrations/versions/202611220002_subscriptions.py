"""Webhook subscriptions of partners; calendars and absences of agents; what the matrix counts."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220002"
down_revision = "202611220001"
branch_labels = None
depends_on = None

_TABLES = """
CREATE TABLE subscription (
  subscription_id uuid CONSTRAINT subscription_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  name text NOT NULL,
  url text NOT NULL,
  events text[] NOT NULL DEFAULT '{}',
  customers uuid[] NOT NULL DEFAULT '{}',
  contact text,
  secret text NOT NULL,
  previous_secret text,
  previous_until timestamptz,
  state text NOT NULL
    CONSTRAINT subscription_state_check CHECK (state IN ('active', 'paused', 'off', 'deleted')),
  state_reason text,
  failures integer NOT NULL DEFAULT 0,
  failing_since timestamptz,
  version integer NOT NULL,
  created_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL
);
CREATE INDEX subscription_desk_id_subscription_id_idx ON subscription (desk_id, subscription_id);

CREATE TABLE webhook_lane (
  subscription_id uuid NOT NULL
    CONSTRAINT webhook_lane_subscription_id_fkey REFERENCES subscription (subscription_id),
  aggregate_id uuid NOT NULL,
  desk_id uuid NOT NULL,
  next_attempt_at timestamptz,
  busy_until timestamptz,
  CONSTRAINT webhook_lane_pkey PRIMARY KEY (subscription_id, aggregate_id)
);
CREATE INDEX webhook_lane_due_idx ON webhook_lane (next_attempt_at) WHERE next_attempt_at IS NOT NULL;

CREATE TABLE webhook_delivery (
  delivery_id bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT webhook_delivery_pkey PRIMARY KEY,
  subscription_id uuid NOT NULL
    CONSTRAINT webhook_delivery_subscription_id_fkey REFERENCES subscription (subscription_id),
  desk_id uuid NOT NULL,
  event_id uuid NOT NULL,
  producer text NOT NULL,
  type text NOT NULL,
  aggregate_id uuid NOT NULL,
  occurred_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  data jsonb NOT NULL,
  state text NOT NULL
    CONSTRAINT webhook_delivery_state_check CHECK (state IN ('queued', 'delivered', 'dead')),
  tries integer NOT NULL DEFAULT 0,
  queued_at timestamptz NOT NULL DEFAULT now(),
  delivered_at timestamptz
);
CREATE UNIQUE INDEX webhook_delivery_event_idx ON webhook_delivery (subscription_id, event_id);
CREATE INDEX webhook_delivery_queued_at_idx ON webhook_delivery (queued_at);
CREATE INDEX webhook_delivery_page_idx ON webhook_delivery (subscription_id, delivery_id);
CREATE INDEX webhook_delivery_queue_idx ON webhook_delivery (subscription_id, aggregate_id, delivery_id)
  WHERE state = 'queued';

CREATE TABLE webhook_attempt (
  delivery_id bigint NOT NULL
    CONSTRAINT webhook_attempt_delivery_id_fkey REFERENCES webhook_delivery (delivery_id) ON DELETE CASCADE,
  number integer NOT NULL,
  desk_id uuid NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  status integer,
  milliseconds integer,
  excerpt text,
  failure text,
  CONSTRAINT webhook_attempt_pkey PRIMARY KEY (delivery_id, number)
);

ALTER TABLE agent
  ADD COLUMN skills text[] NOT NULL DEFAULT '{}',
  ADD COLUMN calendar jsonb,
  ADD COLUMN capacity integer;

CREATE TABLE agent_absence (
  absence_id uuid CONSTRAINT agent_absence_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  agent_id uuid NOT NULL CONSTRAINT agent_absence_agent_id_fkey REFERENCES agent (agent_id),
  starts_at timestamptz NOT NULL,
  ends_at timestamptz,
  reason text,
  recorded_at timestamptz NOT NULL
);
CREATE INDEX agent_absence_agent_id_idx ON agent_absence (agent_id);

CREATE TABLE ticket_clock (
  clock_id uuid CONSTRAINT ticket_clock_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  kind text NOT NULL,
  state text NOT NULL,
  due_at timestamptz,
  breached_at timestamptz
);
CREATE INDEX ticket_clock_ticket_id_idx ON ticket_clock (ticket_id)
"""

# What was sent and answered is written by the system role, and never changed by a request.
_RIGHTS = {
    "subscription": "SELECT, INSERT, UPDATE",
    "webhook_lane": "SELECT, INSERT, UPDATE",
    "webhook_delivery": "SELECT, INSERT, UPDATE",
    "webhook_attempt": "SELECT",
    "agent_absence": "SELECT, INSERT, UPDATE",
    "ticket_clock": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    """Make the tables."""
    for statement in statements(_TABLES):
        op.execute(statement)
    for table, rights in _RIGHTS.items():
        for statement in protect("escalation", table, rights=rights):
            op.execute(statement)
