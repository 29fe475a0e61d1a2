"""Rings for those who read the stream: the timeline of some ticket has grown.

A ring reaches the readers of this process at once, and those of the other replicas by a notification of PostgreSQL
that is sent after the commit, so that commits do not queue for it.
"""

from plazo.runtime.unit_of_work import Transaction
from plazo.runtime.wake import Wake

CHANNEL = "plazo_timeline"

_to_announce: Wake = Wake()


def bell() -> Wake:
    """Return what rings after each commit of this process that made a timeline grow."""
    return _to_announce


def ring_after_commit(tx: Transaction) -> None:
    """Ring once the transaction has committed."""
    tx.after_commit(_to_announce.set)
