"""Quotes, holds, work timers and what they need; a cheaper way to see that every transaction adds up."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220001"
down_revision = "202611210001"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE ticket ADD COLUMN agreed jsonb;
ALTER TABLE work ADD COLUMN quote_id uuid;
ALTER TABLE work ADD COLUMN reference text;
CREATE UNIQUE INDEX work_desk_id_reference_key ON work (desk_id, reference) WHERE reference IS NOT NULL;
ALTER TABLE work DROP CONSTRAINT work_kind_check;
ALTER TABLE work ADD CONSTRAINT work_kind_check CHECK (kind IN ('work', 'no_show', 'late_cancellation'));
ALTER TABLE draw DROP CONSTRAINT draw_kind_check;
ALTER TABLE draw ADD CONSTRAINT draw_kind_check CHECK (kind IN ('expiry', 'cap', 'hold', 'work', 'no_show'));

CREATE TABLE quote (
  quote_id uuid CONSTRAINT quote_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  contract_id uuid NOT NULL,
  ticket_id uuid,
  state text NOT NULL CONSTRAINT quote_state_check
    CHECK (state IN ('offered', 'accepted', 'declined', 'released', 'expired')),
  description text NOT NULL,
  at timestamptz NOT NULL,
  minutes bigint NOT NULL,
  facts jsonb NOT NULL,
  account text,
  counted_in text NOT NULL,
  quantity bigint NOT NULL CONSTRAINT quote_quantity_check CHECK (quantity >= 0),
  extra_minor bigint CONSTRAINT quote_extra_minor_check CHECK (extra_minor > 0),
  extra_currency text,
  charges jsonb NOT NULL,
  clauses text[] NOT NULL,
  explanation jsonb NOT NULL,
  valid_until timestamptz NOT NULL,
  quoted_at timestamptz NOT NULL,
  quoted_by text NOT NULL,
  decided_at timestamptz,
  decided_by text
);
CREATE INDEX quote_ticket_id_idx ON quote (ticket_id);
CREATE INDEX quote_contract_id_quoted_at_idx ON quote (contract_id, quoted_at);

CREATE TABLE work_timer (
  timer_id uuid CONSTRAINT work_timer_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  agent text NOT NULL,
  note text,
  started_at timestamptz NOT NULL,
  stopped_at timestamptz,
  work_id uuid
);
CREATE UNIQUE INDEX work_timer_running_key ON work_timer (desk_id, agent, ticket_id) WHERE stopped_at IS NULL;

CREATE TABLE work_import (
  import_id uuid CONSTRAINT work_import_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  total integer NOT NULL,
  logged integer NOT NULL,
  known integer NOT NULL,
  refusals jsonb NOT NULL,
  imported_by text NOT NULL,
  begun_at timestamptz NOT NULL,
  ended_at timestamptz
);

CREATE TABLE work_import_line (
  import_id uuid NOT NULL,
  number integer NOT NULL,
  desk_id uuid NOT NULL,
  content jsonb NOT NULL,
  fault text,
  CONSTRAINT work_import_line_pkey PRIMARY KEY (import_id, number)
)
"""

RIGHTS = {
    "quote": "SELECT, INSERT, UPDATE (ticket_id, state, decided_at, decided_by)",
    "work_timer": "SELECT, INSERT, UPDATE (stopped_at, work_id)",
    "work_import": "SELECT, INSERT, UPDATE (logged, known, refusals, ended_at)",
    "work_import_line": "SELECT, INSERT, UPDATE, DELETE",
}

# The entries of a transaction are written by one statement, so its sum is known at the end of that statement. What was
# asked of each entry again at the commit is asked of all of them once.
FUNCTIONS = (
    """
CREATE OR REPLACE FUNCTION move_balances() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  stray uuid;
  wrong record;
BEGIN
  SELECT n.transaction_id INTO stray
  FROM new_entry n JOIN account a USING (account_id) JOIN ledger_transaction t USING (transaction_id)
    LEFT JOIN lot l USING (lot_id)
  WHERE a.counted_in <> n.counted_in OR a.desk_id <> n.desk_id OR a.contract_id <> t.contract_id
    OR t.effective_at <> n.effective_at OR t.recorded_at <> n.recorded_at
    OR (a.kind = 'prepaid') <> (n.lot_id IS NOT NULL) OR l.account_id <> n.account_id
  LIMIT 1;
  IF stray IS NOT NULL THEN
    RAISE EXCEPTION 'an entry of transaction % does not fit its account, lot or transaction', stray
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  SELECT e.transaction_id, e.counted_in, sum(e.amount) AS amount INTO wrong FROM ledger_entry e
  WHERE e.transaction_id IN (SELECT transaction_id FROM new_entry)
  GROUP BY e.transaction_id, e.counted_in HAVING sum(e.amount) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'transaction % is off by % %', wrong.transaction_id, wrong.amount, wrong.counted_in
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  PERFORM FROM account WHERE account_id IN (SELECT account_id FROM new_entry) ORDER BY account_id FOR NO KEY UPDATE;
  UPDATE lot l SET remaining = l.remaining + s.amount
  FROM (SELECT lot_id, sum(amount) AS amount FROM new_entry WHERE lot_id IS NOT NULL GROUP BY lot_id) s
  WHERE l.lot_id = s.lot_id;
  UPDATE account a SET balance = a.balance + s.amount
  FROM (SELECT account_id, sum(amount) AS amount FROM new_entry GROUP BY account_id) s
  WHERE a.account_id = s.account_id;
  RETURN NULL;
END $$
""",
    """
CREATE OR REPLACE FUNCTION require_balance() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF NOT EXISTS (SELECT FROM ledger_entry WHERE transaction_id = NEW.transaction_id) THEN
    RAISE EXCEPTION 'transaction % has no entries', NEW.transaction_id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$
""",
    "DROP TRIGGER require_balance ON ledger_entry",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in (*statements(TABLES), *FUNCTIONS):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        for statement in protect("billing", table, rights=rights):
            op.execute(statement)
