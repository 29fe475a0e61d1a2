"""Attachments, secrets, the chain of the timeline, queue and search."""

import secrets
from itertools import groupby
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from alembic import op

from plazo.kernel.timeline_chain import SALT_BYTES, Link, Words, chain, first_hash, words_digest
from plazo.runtime.migrations import protect, statements

revision = "202611220004"
down_revision = "202611220003"
branch_labels = None
depends_on = None

CHAIN = """
CREATE TABLE timeline_head (
  ticket_id uuid CONSTRAINT timeline_head_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  position bigint NOT NULL,
  hash bytea NOT NULL
);
ALTER TABLE timeline_entry
  ADD COLUMN position bigint,
  ADD COLUMN salt bytea,
  ADD COLUMN digest bytea,
  ADD COLUMN hash bytea,
  ADD COLUMN erased_at timestamptz,
  ADD COLUMN transaction_id bigint NOT NULL DEFAULT (pg_current_xact_id()::text)::bigint
"""

# The one change that is let through is an erasure, and all it may do is to put tombstones in the place of words.
GUARD = """
ALTER TABLE timeline_entry ALTER COLUMN position SET NOT NULL, ALTER COLUMN digest SET NOT NULL,
  ALTER COLUMN hash SET NOT NULL;
CREATE UNIQUE INDEX timeline_entry_ticket_id_position_idx ON timeline_entry (ticket_id, position);
CREATE INDEX timeline_entry_desk_id_transaction_id_seq_idx ON timeline_entry (desk_id, transaction_id, seq);
DROP TRIGGER timeline_append_only ON timeline_entry;
CREATE TRIGGER timeline_append_only BEFORE DELETE OR TRUNCATE ON timeline_entry
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER timeline_no_update BEFORE UPDATE ON timeline_entry
  FOR EACH STATEMENT WHEN (current_setting('plazo.erasing', true) IS DISTINCT FROM 'words')
  EXECUTE FUNCTION refuse_change();
CREATE FUNCTION refuse_other_than_erasure() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN
  IF (NEW.seq, NEW.desk_id, NEW.ticket_id, NEW.position, NEW.occurred_at, NEW.recorded_at, NEW.kind, NEW.internal,
      NEW.digest, NEW.hash, NEW.transaction_id) IS DISTINCT FROM
     (OLD.seq, OLD.desk_id, OLD.ticket_id, OLD.position, OLD.occurred_at, OLD.recorded_at, OLD.kind, OLD.internal,
      OLD.digest, OLD.hash, OLD.transaction_id)
    OR NEW.erased_at IS NULL OR NEW.salt IS NOT NULL OR NEW.data <> '{}'
    OR NEW.actor NOT IN (OLD.actor, '[erased]')
    OR NEW.text IS DISTINCT FROM (CASE WHEN OLD.text IS NOT NULL THEN '[erased]' END)
  THEN
    RAISE EXCEPTION 'timeline_entry is append-only: only words may be erased'
      USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$;
CREATE TRIGGER timeline_erasure BEFORE UPDATE ON timeline_entry
  FOR EACH ROW EXECUTE FUNCTION refuse_other_than_erasure();
GRANT UPDATE (actor, text, data, salt, erased_at) ON timeline_entry TO tickets
"""

FILES = """
CREATE TABLE attachment (
  attachment_id uuid CONSTRAINT attachment_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  object_key text NOT NULL,
  name text NOT NULL,
  size bigint NOT NULL,
  sha256 text NOT NULL,
  declared_type text NOT NULL,
  found_type text,
  is_suspect boolean NOT NULL,
  internal boolean NOT NULL,
  from_customer boolean NOT NULL,
  contact_id uuid,
  added_by text NOT NULL,
  added_at timestamptz NOT NULL,
  erased_at timestamptz
);
CREATE INDEX attachment_ticket_id_added_at_attachment_id_idx ON attachment (ticket_id, added_at, attachment_id);

CREATE TABLE unneeded_object (
  object_key text CONSTRAINT unneeded_object_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  remove_after timestamptz NOT NULL
);
CREATE INDEX unneeded_object_remove_after_idx ON unneeded_object (remove_after);

CREATE TABLE ticket_secret (
  secret_id uuid CONSTRAINT ticket_secret_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  ticket_id uuid NOT NULL,
  label text NOT NULL,
  key_id text,
  nonce bytea,
  ciphertext bytea,
  mark bytea,
  length integer,
  added_by text NOT NULL,
  added_at timestamptz NOT NULL,
  revealed_at timestamptz,
  revealed_to text,
  erased_at timestamptz
);
CREATE INDEX ticket_secret_ticket_id_added_at_idx ON ticket_secret (ticket_id, added_at);

CREATE TABLE saved_view (
  view_id uuid CONSTRAINT saved_view_pkey PRIMARY KEY,
  desk_id uuid NOT NULL,
  name text NOT NULL,
  filter jsonb NOT NULL,
  made_by text NOT NULL,
  made_at timestamptz NOT NULL
);
CREATE UNIQUE INDEX saved_view_desk_id_name_idx ON saved_view (desk_id, name)
"""

# Where the queue has no due instant it has the far end of time, so that one index gives its order.
QUEUE = """
ALTER TABLE ticket
  ADD COLUMN queue_rank integer NOT NULL DEFAULT 1000,
  ADD COLUMN next_due_at timestamptz NOT NULL DEFAULT '2199-12-31 00:00:00+00',
  ADD COLUMN breached boolean NOT NULL DEFAULT false,
  ADD COLUMN severity text GENERATED ALWAYS AS (facts ->> 'severity') STORED,
  ADD COLUMN priority text GENERATED ALWAYS AS (facts ->> 'priority') STORED,
  ADD COLUMN plan text GENERATED ALWAYS AS (facts ->> 'plan') STORED;
UPDATE ticket t SET
  breached = EXISTS (SELECT FROM ticket_clock c
    WHERE c.ticket_id = t.ticket_id AND c.clock->>'state' IN ('breached', 'missed')),
  next_due_at = coalesce((SELECT min((c.clock->>'due_at')::timestamptz) FROM ticket_clock c
    WHERE c.ticket_id = t.ticket_id AND c.clock->>'state' IN ('running', 'breached')), t.next_due_at),
  queue_rank = coalesce(
    (SELECT g.place::integer FROM policy_version p, jsonb_array_elements(p.document->'priorities') WITH ORDINALITY
       AS g (grade, place)
     WHERE p.desk_id = t.desk_id AND p.policy = t.policy AND p.version = t.policy_version
       AND g.grade->>'name' = t.facts->>'priority'),
    (SELECT g.place::integer FROM policy_version p, jsonb_array_elements(p.document->'severities') WITH ORDINALITY
       AS g (grade, place)
     WHERE p.desk_id = t.desk_id AND p.policy = t.policy AND p.version = t.policy_version
       AND g.grade->>'name' = t.facts->>'severity'),
    1000);
CREATE INDEX ticket_queue_idx ON ticket (desk_id, queue_rank, next_due_at, ticket_id) WHERE closed_at IS NULL;
CREATE INDEX ticket_customer_queue_idx ON ticket (desk_id, customer_id, queue_rank, next_due_at, ticket_id)
  WHERE closed_at IS NULL;
CREATE INDEX ticket_due_idx ON ticket (desk_id, next_due_at, ticket_id) WHERE closed_at IS NULL;
CREATE INDEX ticket_state_idx ON ticket (desk_id, state, opened_at DESC, ticket_id DESC);
CREATE INDEX ticket_customer_state_idx ON ticket (desk_id, customer_id, state, opened_at DESC, ticket_id DESC);
CREATE INDEX ticket_contact_id_idx ON ticket (contact_id)
"""

# `@@` is not leak-proof: below row-level security PostgreSQL would not use the index. So the search is a function of
# the owner that confines itself to the desk.
SEARCH = """
CREATE EXTENSION IF NOT EXISTS unaccent;
CREATE TEXT SEARCH CONFIGURATION plazo_es (COPY = pg_catalog.spanish);
ALTER TEXT SEARCH CONFIGURATION plazo_es ALTER MAPPING FOR hword, hword_part, word WITH unaccent, spanish_stem;
CREATE TEXT SEARCH CONFIGURATION plazo_en (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION plazo_en ALTER MAPPING FOR hword, hword_part, word WITH unaccent, english_stem;
CREATE FUNCTION search_words(said text) RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT to_tsvector('public.plazo_es'::regconfig, left(said, 100000))
       || to_tsvector('public.plazo_en'::regconfig, left(said, 100000)) $$;
CREATE FUNCTION search_query(asked text) RETURNS tsquery LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
$$ SELECT websearch_to_tsquery('public.plazo_es'::regconfig, asked)
       || websearch_to_tsquery('public.plazo_en'::regconfig, asked) $$;
ALTER TABLE ticket ADD COLUMN words tsvector
  GENERATED ALWAYS AS (search_words((number || ' ' || subject || ' ') || description)) STORED;
ALTER TABLE timeline_entry ADD COLUMN words tsvector GENERATED ALWAYS AS (search_words(text)) STORED;
CREATE INDEX ticket_words_idx ON ticket USING gin (words);
CREATE INDEX timeline_entry_words_idx ON timeline_entry USING gin (words);
CREATE FUNCTION search_tickets(asked text, of_customer uuid, with_internal boolean, at_most integer)
  RETURNS TABLE (ticket_id uuid, rank real, snippet text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS
$$
  WITH question AS (SELECT search_query(asked) AS q, upper(btrim(asked)) AS number),
  hit AS (
    (SELECT t.ticket_id, (1000 - length(t.number))::real AS rank, t.subject AS said
     FROM ticket t, question
     WHERE t.desk_id = current_desk() AND t.number >= question.number AND t.number < question.number || chr(65533)
       AND (of_customer IS NULL OR t.customer_id = of_customer)
     ORDER BY length(t.number), t.number LIMIT at_most)
    UNION ALL
    (SELECT t.ticket_id, ts_rank_cd(t.words, q) * 2, t.subject || E'\\n' || t.description
     FROM ticket t, question WHERE t.words @@ q AND t.desk_id = current_desk()
       AND (of_customer IS NULL OR t.customer_id = of_customer)
     LIMIT 2000)
    UNION ALL
    (SELECT e.ticket_id, ts_rank_cd(e.words, q), e.text
     FROM timeline_entry e, question WHERE e.words @@ q AND e.desk_id = current_desk()
       AND (with_internal OR NOT e.internal)
       AND (of_customer IS NULL OR EXISTS (SELECT FROM ticket t WHERE t.ticket_id = e.ticket_id
                                             AND t.customer_id = of_customer))
     LIMIT 2000)
  ), best AS (
    SELECT DISTINCT ON (h.ticket_id) h.ticket_id, h.rank, h.said FROM hit h ORDER BY h.ticket_id, h.rank DESC
  )
  SELECT b.ticket_id, b.rank,
    ts_headline('public.plazo_es', left(b.said, 20000), q, 'StartSel=«, StopSel=», MaxWords=30, MinWords=12')
  FROM (SELECT * FROM best ORDER BY rank DESC, ticket_id DESC LIMIT at_most) b, question
  ORDER BY b.rank DESC, b.ticket_id DESC
$$;
REVOKE ALL ON FUNCTION search_tickets FROM PUBLIC;
GRANT EXECUTE ON FUNCTION search_tickets TO tickets
"""

RIGHTS = {
    "timeline_head": "SELECT, INSERT, UPDATE",
    "attachment": "SELECT, INSERT, UPDATE",
    "unneeded_object": "SELECT, INSERT, DELETE",
    "ticket_secret": "SELECT, INSERT, UPDATE",
    "saved_view": "SELECT, INSERT, UPDATE, DELETE",
}

# An erased contact leaves no copy here: neither in what was announced, nor in answers kept for a repetition.
ERASURE = """
GRANT UPDATE (data) ON outbox TO tickets
"""

_BATCH = 1000


def upgrade() -> None:
    """Make the tables; entries there are already are chained in the order of their recording."""
    _execute(CHAIN)
    op.execute("ALTER TABLE timeline_entry DISABLE TRIGGER timeline_append_only")
    _chain_what_there_is()
    op.execute("ALTER TABLE timeline_entry ENABLE TRIGGER timeline_append_only")
    for script in (GUARD, FILES, QUEUE, SEARCH, ERASURE):
        _execute(script)
    for table, rights in RIGHTS.items():
        for statement in protect("tickets", table, rights=rights):
            op.execute(statement)


def _execute(script: str) -> None:
    for statement in statements(script):
        op.execute(statement)


def _chain_what_there_is() -> None:
    connection = op.get_bind()
    after = UUID(int=0)
    while rows := connection.execute(
        sa.text(
            "SELECT seq, desk_id, ticket_id, occurred_at, recorded_at, kind, actor, internal, text, data "
            "FROM timeline_entry WHERE ticket_id IN (SELECT DISTINCT ticket_id FROM timeline_entry "
            "WHERE ticket_id > :after ORDER BY ticket_id LIMIT :batch) ORDER BY ticket_id, seq"
        ),
        {"after": after, "batch": _BATCH},
    ).all():
        after = rows[-1].ticket_id
        for _, entries in groupby(rows, key=lambda row: row.ticket_id):
            _chain_ticket(connection, list(entries))


def _chain_ticket(connection: sa.Connection, rows: list[Any]) -> None:
    salts = [secrets.token_bytes(SALT_BYTES) for _ in rows]
    links = [
        Link(
            position=position,
            occurred_at=row.occurred_at,
            recorded_at=row.recorded_at,
            kind=row.kind,
            internal=row.internal,
            digest=words_digest(Words(actor=row.actor, text=row.text, data=row.data), salt=salt),
        )
        for position, (row, salt) in enumerate(zip(rows, salts, strict=True), start=1)
    ]
    hashes = chain(first_hash(rows[0].ticket_id), links)
    connection.execute(
        sa.text(
            "UPDATE timeline_entry SET position = :position, salt = :salt, digest = :digest, hash = :hash "
            "WHERE seq = :seq"
        ),
        [
            {"seq": row.seq, "position": link.position, "salt": salt, "digest": link.digest, "hash": hash_}
            for row, link, salt, hash_ in zip(rows, links, salts, hashes, strict=True)
        ],
    )
    connection.execute(
        sa.text(
            "INSERT INTO timeline_head (ticket_id, desk_id, position, hash) VALUES (:ticket, :desk, :position, :hash)"
        ),
        {"ticket": rows[0].ticket_id, "desk": rows[0].desk_id, "position": len(rows), "hash": hashes[-1]},
    )
