"""The bells between use cases and the loops that work behind them, within one process."""

from datetime import datetime, timedelta

from plazo.runtime.wake import Wake

# Other processes look at least this often, so only an earlier instant is worth ringing for.
SWEEP = timedelta(seconds=1)

ARMED = Wake()
ASKED = Wake()  # a recomputation was asked for


def ring_if_soon(due_at: datetime | None, *, now: datetime) -> None:
    """Wake the loop if `due_at` may come before it looks by itself."""
    if due_at is not None and due_at < now + SWEEP:
        ARMED.set()
