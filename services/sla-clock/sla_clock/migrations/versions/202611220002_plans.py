"""What a timer will bring is written beforehand."""

from alembic import op

revision = "202611220002"
down_revision = "202611220001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give timers room for their plan; those that are armed are planned as their instants come near."""
    op.execute("ALTER TABLE timer ADD COLUMN plan jsonb")
    op.execute("DROP INDEX timer_due_idx")
    op.execute("DROP INDEX timer_desk_due_idx")
    op.execute("CREATE INDEX timer_due_idx ON timer (due_at, timer_id) WHERE state = 'armed' AND live")
    op.execute("CREATE INDEX timer_desk_due_idx ON timer (desk_id, due_at) WHERE state = 'armed' AND NOT live")
    op.execute(
        "CREATE INDEX timer_unplanned_idx ON timer (due_at) "
        "WHERE state = 'armed' AND live AND purpose = 'clocks' AND plan IS NULL"
    )
