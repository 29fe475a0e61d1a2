"""The streams that are written and read, as they are known; the stream of timelines goes on in another cluster."""

from alembic import op

from plazo.runtime.migrations import runtime_tables_v3

revision = "202611220006"
down_revision = "202611220005"
branch_labels = None
depends_on = None

# A cluster numbers its transactions from the beginning: rows that are loaded into another one would be of its future,
# and cursors would hide what is new. So numbers go on far behind the greatest that was loaded, and behind the cursors
# of what came after the back-up.
_NUMBERING = (
    "CREATE FUNCTION transaction_offset() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT 0::bigint'",
    """
    ALTER TABLE timeline_entry ALTER COLUMN transaction_id
      SET DEFAULT (pg_current_xact_id()::text)::bigint + transaction_offset()
    """,
    """
    CREATE FUNCTION after_restore() RETURNS void LANGUAGE plpgsql AS $$
    BEGIN
      EXECUTE format(
        'CREATE OR REPLACE FUNCTION transaction_offset() RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE AS %L',
        format('SELECT %s::bigint', (SELECT coalesce(max(transaction_id), 0) + 4294967296 FROM timeline_entry)));
    END $$
    """,
    "REVOKE EXECUTE ON FUNCTION after_restore() FROM PUBLIC",
)


def upgrade() -> None:
    """Make the two tables and the functions."""
    for statement in (*runtime_tables_v3("tickets"), *_NUMBERING):
        op.execute(statement)
