"""The first tables of billing. The ledger's rules are PostgreSQL's: they hold for every writer, also by mistake."""

from alembic import op

from plazo.runtime.migrations import protect, runtime_tables_v1, statements

revision = "202611210001"
down_revision = None
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE contract (
  contract_id uuid CONSTRAINT contract_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  policy text NOT NULL,
  plan text,
  arrangement text NOT NULL,
  valid_from date NOT NULL,
  valid_until date,
  warranty_until date
);
CREATE INDEX contract_desk_id_customer_id_idx ON contract (desk_id, customer_id);

CREATE TABLE standing_change (
  change_id uuid CONSTRAINT standing_change_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  contract_id uuid NOT NULL,
  standing text NOT NULL CONSTRAINT standing_change_standing_check CHECK (standing IN ('good', 'overdue', 'blocked')),
  reason text NOT NULL,
  effective_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL
);
CREATE INDEX standing_change_contract_id_effective_at_idx ON standing_change (contract_id, effective_at);

CREATE TABLE ticket (
  ticket_id uuid CONSTRAINT ticket_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  number text NOT NULL,
  customer_id uuid NOT NULL,
  contract_id uuid,
  policy text NOT NULL,
  policy_version text NOT NULL,
  facts jsonb NOT NULL,
  opened_at timestamptz NOT NULL,
  closed_at timestamptz,
  admission text NOT NULL CONSTRAINT ticket_admission_check
    CHECK (admission IN ('not_required', 'granted', 'withheld')),
  admitted_at timestamptz,
  held_for text,
  held_clauses text[] NOT NULL
);
CREATE INDEX ticket_withheld_idx ON ticket (contract_id, opened_at) WHERE admission = 'withheld';

CREATE TABLE work (
  work_id uuid CONSTRAINT work_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  kind text NOT NULL CONSTRAINT work_kind_check CHECK (kind IN ('work', 'no_show')),
  started_at timestamptz NOT NULL,
  minutes bigint NOT NULL CONSTRAINT work_minutes_check CHECK (minutes >= 0),
  description text NOT NULL,
  facts jsonb NOT NULL,
  appointment text,
  logged_by text NOT NULL,
  recorded_at timestamptz NOT NULL,
  voided_at timestamptz,
  void_reason text
);
CREATE INDEX work_ticket_id_started_at_work_id_idx ON work (ticket_id, started_at, work_id);

CREATE TABLE account (
  account_id uuid CONSTRAINT account_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  contract_id uuid NOT NULL,
  name text NOT NULL,
  kind text NOT NULL CONSTRAINT account_kind_check
    CHECK (kind IN ('prepaid', 'owed', 'income', 'funding', 'reserved', 'expired')),
  unit text NOT NULL CONSTRAINT account_unit_check CHECK (unit IN ('credit_unit', 'hour', 'workday', 'currency')),
  counted_in text NOT NULL,
  unit_minutes integer NOT NULL,
  lower_limit bigint,
  balance bigint NOT NULL DEFAULT 0 CONSTRAINT account_limit_check CHECK (balance >= lower_limit),
  CONSTRAINT account_contract_id_name_counted_in_key UNIQUE (contract_id, name, counted_in)
);

CREATE TABLE lot (
  lot_id uuid CONSTRAINT lot_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  account_id uuid NOT NULL CONSTRAINT lot_account_id_fkey REFERENCES account,
  cause text NOT NULL CONSTRAINT lot_cause_check CHECK (cause IN ('grant', 'allotment')),
  reason text NOT NULL,
  effective_from timestamptz NOT NULL,
  expires_at timestamptz,
  granted bigint NOT NULL CONSTRAINT lot_granted_check CHECK (granted > 0),
  remaining bigint NOT NULL DEFAULT 0 CONSTRAINT lot_remaining_check CHECK (remaining BETWEEN 0 AND granted)
);
CREATE INDEX lot_account_id_effective_from_idx ON lot (account_id, effective_from);

CREATE TABLE draw (
  draw_id uuid CONSTRAINT draw_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  contract_id uuid NOT NULL,
  account_id uuid,
  ticket_id uuid,
  kind text NOT NULL CONSTRAINT draw_kind_check CHECK (kind IN ('expiry', 'hold', 'work', 'no_show')),
  at timestamptz NOT NULL,
  quantity bigint NOT NULL CONSTRAINT draw_quantity_check CHECK (quantity >= 0),
  counted_in text NOT NULL,
  unit_minutes integer NOT NULL,
  overage jsonb,
  line jsonb,
  clauses text[] NOT NULL,
  funding jsonb NOT NULL,
  owed bigint NOT NULL
);
CREATE INDEX draw_account_id_at_idx ON draw (account_id, at);
CREATE INDEX draw_ticket_id_idx ON draw (ticket_id);
CREATE INDEX draw_owed_idx ON draw (account_id, at) WHERE owed > 0;

CREATE TABLE ledger_transaction (
  transaction_id uuid CONSTRAINT ledger_transaction_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  contract_id uuid NOT NULL,
  cause text NOT NULL CONSTRAINT ledger_transaction_cause_check
    CHECK (cause IN ('grant', 'post', 'reserve', 'expire', 'correct')),
  reason text NOT NULL,
  clauses text[] NOT NULL,
  ticket_id uuid,
  work_id uuid,
  effective_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL,
  idempotency_key text NOT NULL,
  CONSTRAINT ledger_transaction_desk_id_idempotency_key_key UNIQUE (desk_id, idempotency_key)
);
CREATE INDEX ledger_transaction_ticket_id_idx ON ledger_transaction (ticket_id);

CREATE TABLE ledger_entry (
  seq bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT ledger_entry_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  transaction_id uuid NOT NULL CONSTRAINT ledger_entry_transaction_id_fkey REFERENCES ledger_transaction,
  account_id uuid NOT NULL CONSTRAINT ledger_entry_account_id_fkey REFERENCES account,
  lot_id uuid CONSTRAINT ledger_entry_lot_id_fkey REFERENCES lot,
  counted_in text NOT NULL,
  amount bigint NOT NULL CONSTRAINT ledger_entry_amount_check CHECK (amount <> 0),
  effective_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL
);
CREATE INDEX ledger_entry_transaction_id_idx ON ledger_entry (transaction_id);
CREATE INDEX ledger_entry_account_id_effective_at_idx ON ledger_entry (account_id, effective_at);
CREATE INDEX ledger_entry_account_id_recorded_at_idx ON ledger_entry (account_id, recorded_at);
CREATE INDEX ledger_entry_lot_id_effective_at_idx ON ledger_entry (lot_id, effective_at);

CREATE TABLE charge (
  charge_id uuid CONSTRAINT charge_pkey PRIMARY KEY,
  seq bigint GENERATED ALWAYS AS IDENTITY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  contract_id uuid,
  account_id uuid,
  cause text NOT NULL,
  unit text NOT NULL,
  quantity bigint NOT NULL,
  total bigint NOT NULL,
  worked_minutes bigint NOT NULL,
  rounded_minutes bigint NOT NULL,
  charged_minutes bigint NOT NULL,
  reason text,
  clauses text[] NOT NULL,
  explanation jsonb NOT NULL,
  lines jsonb NOT NULL,
  charged_at timestamptz NOT NULL,
  recorded_at timestamptz NOT NULL
);
CREATE INDEX charge_ticket_id_seq_idx ON charge (ticket_id, seq);

CREATE TABLE seal (
  desk_id uuid NOT NULL,
  number bigint NOT NULL,
  transactions bigint NOT NULL,
  previous_hash text NOT NULL,
  hash text NOT NULL,
  sealed_at timestamptz NOT NULL,
  CONSTRAINT seal_pkey PRIMARY KEY (desk_id, number)
);

CREATE TABLE sealed_transaction (
  transaction_id uuid CONSTRAINT sealed_transaction_pkey PRIMARY KEY
    CONSTRAINT sealed_transaction_transaction_id_fkey REFERENCES ledger_transaction,
  desk_id uuid NOT NULL,
  number bigint NOT NULL,
  place integer NOT NULL
);
CREATE INDEX sealed_transaction_desk_id_number_place_idx ON sealed_transaction (desk_id, number, place)
"""

# Balances are moved by the owner of the tables, whoever writes the entries: no role has the right to set one.
FUNCTIONS = (
    """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'rows of % are never changed or removed: post a compensating transaction', TG_TABLE_NAME
    USING ERRCODE = 'integrity_constraint_violation';
END $$
""",
    """
CREATE FUNCTION start_empty() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_TABLE_NAME = 'account' THEN NEW.balance := 0; ELSE NEW.remaining := 0; END IF;
  RETURN NEW;
END $$
""",
    """
CREATE FUNCTION refuse_direct_balance() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF pg_trigger_depth() < 2 THEN
    RAISE EXCEPTION 'a balance of % follows from its entries and is never set', TG_TABLE_NAME
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$
""",
    """
CREATE FUNCTION move_balances() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  stray uuid;
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
CREATE FUNCTION require_balance() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
  wrong record;
BEGIN
  SELECT e.counted_in, sum(e.amount) AS amount INTO wrong FROM ledger_entry e
  WHERE e.transaction_id = NEW.transaction_id GROUP BY e.counted_in HAVING sum(e.amount) <> 0 LIMIT 1;
  IF FOUND THEN
    RAISE EXCEPTION 'transaction % is off by % %', NEW.transaction_id, wrong.amount, wrong.counted_in
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF NOT EXISTS (SELECT FROM ledger_entry WHERE transaction_id = NEW.transaction_id) THEN
    RAISE EXCEPTION 'transaction % has no entries', NEW.transaction_id
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NULL;
END $$
""",
)

TRIGGERS = (
    "CREATE TRIGGER start_empty BEFORE INSERT ON account FOR EACH ROW EXECUTE FUNCTION start_empty()",
    "CREATE TRIGGER start_empty BEFORE INSERT ON lot FOR EACH ROW EXECUTE FUNCTION start_empty()",
    """CREATE TRIGGER refuse_direct_balance BEFORE UPDATE OF balance, lower_limit ON account
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_direct_balance()""",
    """CREATE TRIGGER refuse_direct_balance BEFORE UPDATE ON lot
       FOR EACH STATEMENT EXECUTE FUNCTION refuse_direct_balance()""",
    """CREATE TRIGGER move_balances AFTER INSERT ON ledger_entry REFERENCING NEW TABLE AS new_entry
       FOR EACH STATEMENT EXECUTE FUNCTION move_balances()""",
    """CREATE CONSTRAINT TRIGGER require_balance AFTER INSERT ON ledger_transaction DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW EXECUTE FUNCTION require_balance()""",
    """CREATE CONSTRAINT TRIGGER require_balance AFTER INSERT ON ledger_entry DEFERRABLE INITIALLY DEFERRED
       FOR EACH ROW EXECUTE FUNCTION require_balance()""",
    *(
        f"""CREATE TRIGGER refuse_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"""
        for table in ("ledger_transaction", "ledger_entry", "charge", "standing_change", "seal", "sealed_transaction")
    ),
    *(
        f"""CREATE TRIGGER refuse_removal BEFORE DELETE OR TRUNCATE ON {table}
            FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"""
        for table in ("account", "lot", "work")
    ),
)

RIGHTS = {
    "contract": "SELECT, INSERT, UPDATE",
    "standing_change": "SELECT, INSERT",
    "ticket": "SELECT, INSERT, UPDATE",
    "work": "SELECT, INSERT, UPDATE (voided_at, void_reason)",
    "account": "SELECT, INSERT",
    "lot": "SELECT, INSERT",
    "draw": "SELECT, INSERT, UPDATE, DELETE",
    "ledger_transaction": "SELECT, INSERT",
    "ledger_entry": "SELECT, INSERT",
    "charge": "SELECT, INSERT",
    "seal": "SELECT, INSERT",
    "sealed_transaction": "SELECT, INSERT",
}


def upgrade() -> None:
    """Make the tables, and the rules of the ledger."""
    for statement in (*runtime_tables_v1("billing"), *statements(TABLES), *FUNCTIONS, *TRIGGERS):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        for statement in protect("billing", table, rights=rights):
            op.execute(statement)
