"""Windows: what one person was told lately by a channel, and what is held back for a digest."""

from datetime import datetime
from uuid import UUID

from escalation.domain.digest import Window
from escalation.repository.messages import Message, read_message
from plazo.policy.handling import Digest
from plazo.runtime.database import Connection
from plazo.runtime.unit_of_work import Transaction

_WINDOW = "window_id, opened_at, closes_at, told, held, release_at"
# The row is locked even where it did not exist before, so that two messages to one person are counted in turn.
_LOCK = f"""
INSERT INTO message_window AS w (desk_id, channel, address, window_id, opened_at, closes_at, told, held)
VALUES ($1, $2, $3, $4, $5, $5, 0, 0)
ON CONFLICT (desk_id, channel, address) DO UPDATE SET told = w.told
RETURNING {_WINDOW}
"""
_SAVE = """
UPDATE message_window SET window_id = $4, opened_at = $5, closes_at = $6, told = $7, held = $8, release_at = $9
WHERE desk_id = $1 AND channel = $2 AND address = $3
"""
_CLOSE = """
UPDATE message_window SET held = 0, closes_at = least(closes_at, $2), release_at = NULL
WHERE window_id = $1 AND held > 0 RETURNING channel, address
"""
_RELEASE = """
UPDATE message m
SET digest_id = $2, window_id = NULL,
    state = CASE WHEN $2::uuid IS NOT NULL THEN 'digested' WHEN d.sandbox THEN 'delivered' ELSE 'queued' END,
    next_attempt_at = CASE WHEN $2 IS NULL AND NOT d.sandbox THEN $3::timestamptz END,
    sent_at = CASE WHEN $2 IS NULL AND d.sandbox THEN $3::timestamptz END,
    delivered_at = CASE WHEN $2 IS NULL AND d.sandbox THEN $3::timestamptz END
FROM desk d WHERE d.desk_id = m.desk_id AND m.window_id = $1 AND m.state = 'queued'
"""
_PUT_SETTING = """
INSERT INTO channel_setting (desk_id, channel, digest_every, digest_above, changed_at, changed_by)
VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (desk_id, channel) DO UPDATE SET digest_every = excluded.digest_every,
  digest_above = excluded.digest_above, changed_at = excluded.changed_at, changed_by = excluded.changed_by
"""


async def lock_window(tx: Transaction, *, channel: str, address: str, new_id: UUID, at: datetime) -> Window:
    """Return the window of a person, locked; a new one is over at once."""
    row = await tx.connection.fetchrow(_LOCK, tx.desk_id, channel, address, new_id, at)
    assert row is not None
    return Window(**row)


async def save_window(tx: Transaction, window: Window, *, channel: str, address: str) -> None:
    """Write the window of a person."""
    await tx.connection.execute(
        _SAVE,
        tx.desk_id,
        channel,
        address,
        window.window_id,
        window.opened_at,
        window.closes_at,
        window.told,
        window.held,
        window.release_at,
    )


async def close_window(tx: Transaction, window_id: UUID, *, at: datetime) -> list[Message]:
    """End a window and return what it held, oldest first; the second time nothing."""
    if await tx.connection.fetchrow(_CLOSE, window_id, at) is None:
        return []
    rows = await tx.connection.fetch(
        "SELECT * FROM message WHERE window_id = $1 AND state = 'queued' ORDER BY seq FOR UPDATE", window_id
    )
    return [read_message(row) for row in rows]


async def release_held(tx: Transaction, window_id: UUID, *, digest_id: UUID | None) -> None:
    """Let what a window held go out, or be told by the digest that stands for it."""
    await tx.connection.execute(_RELEASE, window_id, digest_id, tx.now)


async def digest_of_desk(connection: Connection, channel: str) -> Digest | None:
    """Return what a desk has a channel do where its policies say nothing."""
    row = await connection.fetchrow(
        "SELECT digest_every, digest_above FROM channel_setting WHERE channel = $1", channel
    )
    return None if row is None else Digest(every=row["digest_every"], above=row["digest_above"])


async def put_channel_setting(tx: Transaction, channel: str, digest: Digest, *, by: str) -> None:
    """Write what a desk has a channel do."""
    await tx.connection.execute(_PUT_SETTING, tx.desk_id, channel, digest.every, digest.above, tx.now, by)
