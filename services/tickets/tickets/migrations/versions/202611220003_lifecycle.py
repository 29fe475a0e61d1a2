"""Attempts, appointments, links and the rest of a ticket's life."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220003"
down_revision = "202611220002"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE ticket DROP CONSTRAINT ticket_state_check;
ALTER TABLE ticket ADD CONSTRAINT ticket_state_check
  CHECK (state IN ('new', 'acknowledged', 'in_progress', 'waiting', 'held', 'resolved', 'closed'));
ALTER TABLE ticket
  ADD COLUMN waiting jsonb NOT NULL DEFAULT '[]',
  ADD COLUMN acknowledged_at timestamptz,
  ADD COLUMN attempts jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN merged_into uuid;
UPDATE ticket SET waiting = (
  SELECT jsonb_agg(jsonb_build_object('cause', w.cause, 'reason', coalesce(e.text, w.cause),
                                      'since', coalesce(e.occurred_at, ticket.opened_at),
                                      'started_by', coalesce(e.actor, 'unknown')) ORDER BY w.place)
  FROM unnest(ticket.waits) WITH ORDINALITY AS w (cause, place)
  LEFT JOIN LATERAL (
    SELECT text, occurred_at, actor FROM timeline_entry
    WHERE ticket_id = ticket.ticket_id AND kind = 'wait_started' AND data->>'cause' = w.cause
    ORDER BY seq DESC LIMIT 1) AS e ON true)
WHERE cardinality(waits) > 0;

CREATE TABLE contact_attempt (
  attempt_id uuid CONSTRAINT contact_attempt_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  round smallint NOT NULL,
  made_at timestamptz NOT NULL,
  made_by text NOT NULL,
  channel text NOT NULL,
  result text NOT NULL CONSTRAINT contact_attempt_result_check
    CHECK (result IN ('no_answer', 'left_message', 'sent', 'reached')),
  text text,
  number smallint,
  not_counted_for text,
  closes_at timestamptz
);
CREATE INDEX contact_attempt_ticket_id_round_made_at_idx ON contact_attempt (ticket_id, round, made_at);

CREATE TABLE appointment (
  appointment_id uuid CONSTRAINT appointment_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  starts_at timestamptz NOT NULL,
  ends_at timestamptz NOT NULL,
  place text NOT NULL CONSTRAINT appointment_place_check CHECK (place IN ('remote', 'on_site')),
  attendee text,
  scheduled_by text NOT NULL,
  scheduled_at timestamptz NOT NULL,
  is_awaited boolean NOT NULL,
  state text NOT NULL CONSTRAINT appointment_state_check
    CHECK (state IN ('scheduled', 'kept', 'missed', 'cancelled')),
  settled_at timestamptz,
  settled_by text,
  late boolean,
  reason text
);
CREATE INDEX appointment_ticket_id_starts_at_idx ON appointment (ticket_id, starts_at);

CREATE TABLE ticket_link (
  ticket_id uuid NOT NULL,
  other_id uuid NOT NULL,
  kind text NOT NULL,
  desk_id uuid NOT NULL,
  linked_by text NOT NULL,
  linked_at timestamptz NOT NULL,
  CONSTRAINT ticket_link_pkey PRIMARY KEY (ticket_id, other_id, kind)
);
CREATE INDEX ticket_link_other_id_idx ON ticket_link (other_id);

CREATE TABLE vendor_reference (
  ticket_id uuid NOT NULL,
  vendor text NOT NULL,
  desk_id uuid NOT NULL,
  reference text NOT NULL,
  referred_at timestamptz NOT NULL,
  answer text,
  answered_at timestamptz,
  released_version text,
  released_at timestamptz,
  CONSTRAINT vendor_reference_pkey PRIMARY KEY (ticket_id, vendor)
);

CREATE TABLE playbook_tick (
  ticket_id uuid NOT NULL,
  playbook text NOT NULL,
  step text NOT NULL,
  desk_id uuid NOT NULL,
  result text NOT NULL CONSTRAINT playbook_tick_result_check CHECK (result IN ('done', 'solved', 'not_solved')),
  text text,
  ticked_by text NOT NULL,
  ticked_at timestamptz NOT NULL,
  CONSTRAINT playbook_tick_pkey PRIMARY KEY (ticket_id, playbook, step)
);

CREATE TABLE assessment (
  assessment_id uuid CONSTRAINT assessment_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  assessed_at timestamptz NOT NULL,
  assessed_by text NOT NULL,
  level smallint NOT NULL,
  solvable boolean NOT NULL,
  due_at timestamptz,
  missing text,
  design text
);
CREATE INDEX assessment_ticket_id_assessed_at_idx ON assessment (ticket_id, assessed_at)
"""

RIGHTS = {
    "contact_attempt": "SELECT, INSERT, UPDATE",
    "appointment": "SELECT, INSERT, UPDATE",
    "ticket_link": "SELECT, INSERT",
    "vendor_reference": "SELECT, INSERT, UPDATE",
    "playbook_tick": "SELECT, INSERT, UPDATE",
    "assessment": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    """Make the tables."""
    for statement in statements(TABLES):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        for statement in protect("tickets", table, rights=rights):
            op.execute(statement)
