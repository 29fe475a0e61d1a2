"""Delivery of messages: states, attempts, digests, templates of the desk."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220001"
down_revision = "202611210001"
branch_labels = None
depends_on = None

_TABLES = """
ALTER TABLE message
  ADD COLUMN sender text,
  ADD COLUMN html text,
  ADD COLUMN note text,
  ADD COLUMN tries integer NOT NULL DEFAULT 0,
  ADD COLUMN next_attempt_at timestamptz,
  ADD COLUMN delivered_at timestamptz,
  ADD COLUMN window_id uuid,
  ADD COLUMN digest_id uuid,
  DROP CONSTRAINT message_state_check,
  ADD CONSTRAINT message_state_check
    CHECK (state IN ('queued', 'sent', 'delivered', 'digested', 'failed', 'dead'));
UPDATE message SET state = 'delivered', delivered_at = sent_at WHERE state = 'sent';
CREATE INDEX message_due_idx ON message (next_attempt_at) WHERE state = 'queued' AND next_attempt_at IS NOT NULL;
CREATE INDEX message_window_id_idx ON message (window_id);
CREATE INDEX message_digest_id_idx ON message (digest_id);

CREATE TABLE message_attempt (
  message_id uuid NOT NULL
    CONSTRAINT message_attempt_message_id_fkey REFERENCES message (message_id),
  number integer NOT NULL,
  desk_id uuid NOT NULL,
  started_at timestamptz NOT NULL,
  ended_at timestamptz,
  outcome text
    CONSTRAINT message_attempt_outcome_check CHECK (outcome IN ('delivered', 'accepted', 'deferred', 'refused')),
  reply text,
  CONSTRAINT message_attempt_pkey PRIMARY KEY (message_id, number)
);

CREATE TABLE message_window (
  desk_id uuid NOT NULL,
  channel text NOT NULL,
  address text NOT NULL,
  window_id uuid NOT NULL,
  opened_at timestamptz NOT NULL,
  closes_at timestamptz NOT NULL,
  release_at timestamptz,
  told integer NOT NULL,
  held integer NOT NULL,
  CONSTRAINT message_window_pkey PRIMARY KEY (desk_id, channel, address)
);
CREATE UNIQUE INDEX message_window_window_id_idx ON message_window (window_id);

CREATE TABLE channel_setting (
  desk_id uuid NOT NULL,
  channel text NOT NULL,
  digest_every text NOT NULL,
  digest_above integer NOT NULL,
  changed_at timestamptz NOT NULL,
  changed_by text NOT NULL,
  CONSTRAINT channel_setting_pkey PRIMARY KEY (desk_id, channel)
);

CREATE TABLE message_template (
  desk_id uuid NOT NULL,
  name text NOT NULL,
  version integer NOT NULL,
  words jsonb,
  published_at timestamptz NOT NULL,
  published_by text NOT NULL,
  CONSTRAINT message_template_pkey PRIMARY KEY (desk_id, name, version)
)
"""

# Versions of a template are added to, never changed; null words give the name back to the policy.
_RIGHTS = {
    "message_attempt": "SELECT",
    "message_window": "SELECT, INSERT, UPDATE",
    "channel_setting": "SELECT, INSERT, UPDATE",
    "message_template": "SELECT, INSERT",
}


def upgrade() -> None:
    """Make the tables. Whatever was sent before was captured, and so delivered."""
    for statement in statements(_TABLES):
        op.execute(statement)
    for table, rights in _RIGHTS.items():
        for statement in protect("escalation", table, rights=rights):
            op.execute(statement)
