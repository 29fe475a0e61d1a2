"""Service credits, closed months, seals."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220002"
down_revision = "202611220001"
branch_labels = None
depends_on = None

TABLES = """
ALTER TABLE contract ADD COLUMN agreed jsonb;
ALTER TABLE sealed_transaction ADD COLUMN links bytea;

CREATE TABLE unsealed (
  desk_id uuid NOT NULL,
  transaction_id uuid NOT NULL,
  CONSTRAINT unsealed_pkey PRIMARY KEY (desk_id, transaction_id)
);
INSERT INTO unsealed (desk_id, transaction_id)
SELECT desk_id, transaction_id FROM ledger_transaction t
WHERE NOT EXISTS (SELECT FROM sealed_transaction s WHERE s.transaction_id = t.transaction_id);

CREATE TABLE statement (
  contract_id uuid NOT NULL,
  month text NOT NULL,
  desk_id uuid NOT NULL,
  number bigint NOT NULL,
  through bigint NOT NULL,
  closed_at timestamptz NOT NULL,
  previous_hash text NOT NULL,
  hash text NOT NULL,
  document jsonb NOT NULL,
  CONSTRAINT statement_pkey PRIMARY KEY (contract_id, month),
  CONSTRAINT statement_contract_id_number_key UNIQUE (contract_id, number)
);

GRANT SELECT ON SEQUENCE ledger_entry_seq_seq TO billing;

CREATE TABLE service_credit (
  credit_id uuid CONSTRAINT service_credit_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  contract_id uuid NOT NULL,
  kind text NOT NULL,
  month text NOT NULL,
  breached_at timestamptz NOT NULL,
  retracted_at timestamptz,
  fee jsonb,
  counted_in text NOT NULL,
  percent integer NOT NULL,
  amount bigint NOT NULL CONSTRAINT service_credit_amount_check CHECK (amount >= 0),
  reason text,
  clauses text[] NOT NULL,
  explanation jsonb NOT NULL,
  revision integer NOT NULL
);
CREATE INDEX service_credit_contract_id_month_idx ON service_credit (contract_id, month);
CREATE INDEX service_credit_ticket_id_idx ON service_credit (ticket_id);

ALTER TABLE account DROP CONSTRAINT account_kind_check;
ALTER TABLE account ADD CONSTRAINT account_kind_check
  CHECK (kind IN ('prepaid', 'owed', 'income', 'funding', 'reserved', 'expired', 'credited', 'penalty'));
ALTER TABLE account DROP CONSTRAINT account_unit_check;
ALTER TABLE account ADD CONSTRAINT account_unit_check
  CHECK (unit IN ('credit_unit', 'hour', 'workday', 'currency', 'percent'));
ALTER TABLE ledger_transaction DROP CONSTRAINT ledger_transaction_cause_check;
ALTER TABLE ledger_transaction ADD CONSTRAINT ledger_transaction_cause_check
  CHECK (cause IN ('grant', 'post', 'reserve', 'expire', 'correct', 'penalty', 'reversal'))
"""

# What is to be sealed is found without reading all that is sealed.
RULES = (
    """
CREATE FUNCTION await_seal() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
  INSERT INTO unsealed (desk_id, transaction_id) SELECT desk_id, transaction_id FROM new_transaction;
  RETURN NULL;
END $$
""",
    """CREATE TRIGGER await_seal AFTER INSERT ON ledger_transaction REFERENCING NEW TABLE AS new_transaction
       FOR EACH STATEMENT EXECUTE FUNCTION await_seal()""",
    """CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON statement
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER refuse_change BEFORE UPDATE OR TRUNCATE ON unsealed
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON service_credit
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
    """CREATE TRIGGER refuse_change BEFORE UPDATE OF account_id, desk_id, contract_id, kind, counted_in ON account
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()""",
)

RIGHTS = {
    "unsealed": "SELECT, DELETE",
    "statement": "SELECT, INSERT",
    "service_credit": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    """Make the tables, and the rules they add."""
    for statement in (*statements(TABLES), *RULES):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        for statement in protect("billing", table, rights=rights):
            op.execute(statement)
