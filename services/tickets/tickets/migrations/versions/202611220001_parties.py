"""Contacts, products, agreed terms, what is kept of requests."""

from alembic import op

from plazo.runtime.migrations import protect, statements

revision = "202611220001"
down_revision = "202611210001"
branch_labels = None
depends_on = None

TABLES = """
CREATE TABLE contact (
  contact_id uuid CONSTRAINT contact_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  customer_id uuid NOT NULL,
  version integer NOT NULL,
  name text NOT NULL,
  phone text,
  language text,
  role text NOT NULL CONSTRAINT contact_role_check CHECK (role IN ('administrator', 'member')),
  authorized boolean NOT NULL,
  decided_by text,
  decided_by_contact uuid,
  decided_at timestamptz,
  created_at timestamptz NOT NULL
);
CREATE INDEX contact_desk_id_created_at_contact_id_idx ON contact (desk_id, created_at, contact_id);
CREATE INDEX contact_customer_id_created_at_contact_id_idx ON contact (customer_id, created_at, contact_id);

CREATE TABLE contact_email (
  desk_id uuid NOT NULL,
  address text NOT NULL CONSTRAINT contact_email_address_check CHECK (address = lower(address)),
  contact_id uuid NOT NULL,
  place smallint NOT NULL,
  CONSTRAINT contact_email_pkey PRIMARY KEY (desk_id, address)
);
CREATE INDEX contact_email_contact_id_place_idx ON contact_email (contact_id, place);

CREATE TABLE product (
  desk_id uuid NOT NULL,
  name text NOT NULL,
  title text NOT NULL,
  created_at timestamptz NOT NULL,
  CONSTRAINT product_pkey PRIMARY KEY (desk_id, name)
);

ALTER TABLE contract ADD COLUMN account text, ADD COLUMN agreed jsonb;

CREATE TABLE contract_period (
  contract_id uuid NOT NULL,
  valid_from date NOT NULL,
  valid_until date NOT NULL,
  desk_id uuid NOT NULL,
  renewed_by text NOT NULL,
  renewed_at timestamptz NOT NULL,
  CONSTRAINT contract_period_pkey PRIMARY KEY (contract_id, valid_from)
);

CREATE TABLE contract_acceptance (
  contract_id uuid NOT NULL,
  name text NOT NULL,
  desk_id uuid NOT NULL,
  accepted_by text NOT NULL,
  accepted_at timestamptz NOT NULL,
  recorded_by text NOT NULL,
  CONSTRAINT contract_acceptance_pkey PRIMARY KEY (contract_id, name)
);

CREATE TABLE contract_void (
  void_id uuid CONSTRAINT contract_void_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  contract_id uuid NOT NULL,
  product text NOT NULL,
  valid_from date NOT NULL,
  valid_until date,
  reason text NOT NULL,
  recorded_by text NOT NULL,
  recorded_at timestamptz NOT NULL,
  lifted_for text,
  lifted_by text
);
CREATE INDEX contract_void_contract_id_recorded_at_idx ON contract_void (contract_id, recorded_at);

CREATE TABLE purchase_order (
  contract_id uuid NOT NULL,
  number text NOT NULL,
  desk_id uuid NOT NULL,
  valid_from date NOT NULL,
  valid_until date,
  events integer CONSTRAINT purchase_order_events_check CHECK (events > 0),
  used integer NOT NULL CONSTRAINT purchase_order_used_check CHECK (used >= 0 AND (events IS NULL OR used <= events)),
  recorded_by text NOT NULL,
  recorded_at timestamptz NOT NULL,
  CONSTRAINT purchase_order_pkey PRIMARY KEY (contract_id, number)
);

ALTER TABLE ticket
  ADD COLUMN contact_id uuid,
  ADD COLUMN received_at timestamptz,
  ADD COLUMN answers jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN flags text[] NOT NULL DEFAULT '{}',
  ADD COLUMN severity_confirmed boolean,
  ADD COLUMN coverage jsonb NOT NULL DEFAULT '{}';
CREATE INDEX ticket_open_contract_idx ON ticket (contract_id) WHERE state NOT IN ('resolved', 'closed');

ALTER TABLE kept_request
  ADD COLUMN state text NOT NULL DEFAULT 'kept'
    CONSTRAINT kept_request_state_check CHECK (state IN ('kept', 'released', 'dismissed')),
  ADD COLUMN channel text NOT NULL DEFAULT 'api',
  ADD COLUMN sender text,
  ADD COLUMN customer_id uuid,
  ADD COLUMN contact_id uuid,
  ADD COLUMN note jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN original jsonb NOT NULL DEFAULT '{}',
  ADD COLUMN ticket_id uuid,
  ADD COLUMN settled_by text,
  ADD COLUMN settled_for text,
  ADD COLUMN settled_at timestamptz;
UPDATE kept_request SET channel = body->>'channel', sender = body->>'contact_email' WHERE body ? 'channel';
CREATE INDEX kept_request_state_idx ON kept_request (desk_id, state, received_at, request_id);
GRANT UPDATE ON kept_request TO tickets
"""

RIGHTS = {
    "contact": "SELECT, INSERT, UPDATE",
    "contact_email": "SELECT, INSERT, DELETE",
    "product": "SELECT, INSERT, UPDATE",
    "contract_period": "SELECT, INSERT",
    "contract_acceptance": "SELECT, INSERT",
    "contract_void": "SELECT, INSERT, UPDATE",
    "purchase_order": "SELECT, INSERT, UPDATE",
}


def upgrade() -> None:
    """Make the tables."""
    for statement in statements(TABLES):
        op.execute(statement)
    for table, rights in RIGHTS.items():
        for statement in protect("tickets", table, rights=rights):
            op.execute(statement)
