"""What becomes of a message by what the receiving side says: pure, so that a day of outages is a table.

Back-off counts in machine time: how long a mail server is away is no matter of a contract.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

# 1, 2, 4, … 256 minutes, then six hours: sixteen tries take about two days.
MAX_TRIES = 16
_FIRST_PAUSE = timedelta(minutes=1)
_LONGEST_PAUSE = timedelta(hours=6)
_JITTER_PERCENT = 20


class Outcome(StrEnum):
    """What one attempt came to."""

    DELIVERED = "delivered"  # it lies in the mailbox
    ACCEPTED = "accepted"  # the receiving server answers for it now
    DEFERRED = "deferred"  # not now
    REFUSED = "refused"  # never


class Stage(StrEnum):
    """How far a conversation by SMTP had come."""

    GREETING = "greeting"
    SENDER = "sender"
    RECIPIENT = "recipient"
    CONTENT = "content"


@dataclass(frozen=True, slots=True)
class Reply:
    """What the receiving side said. `is_away`: it could not be spoken to at all, so others need not try now."""

    outcome: Outcome
    text: str
    is_away: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a message is after an attempt; a queued one is due again at `next_attempt_at`."""

    state: str
    next_attempt_at: datetime | None = None
    failure: str | None = None


def read_reply(code: int, text: str, *, stage: Stage) -> Reply:
    """Read a refusal by SMTP (RFC 5321).

    5xx about the recipient or the content is final. About the greeting, the login or the sender it is our own side
    that is not set up right: that is mended, and the message must not be lost meanwhile.
    """
    words = f"{code} {' '.join(text.split())}".strip()[:500]
    if code >= 500 and stage in (Stage.RECIPIENT, Stage.CONTENT):
        return Reply(Outcome.REFUSED, words)
    return Reply(Outcome.DEFERRED, words, is_away=stage in (Stage.GREETING, Stage.SENDER))


def pause_after(tries: int, *, message_id: UUID) -> timedelta:
    """Return how long a message waits after so many tries: doubling, up to six hours, scattered by a fifth.

    The scatter follows from the message, so that many that failed together do not come back together.
    """
    pause = min(_FIRST_PAUSE * (1 << min(tries - 1, 20)), _LONGEST_PAUSE)
    digest = hashlib.sha256(f"{message_id}:{tries}".encode()).digest()
    percent = 100 - _JITTER_PERCENT + int.from_bytes(digest[:4]) % (2 * _JITTER_PERCENT + 1)
    return pause * percent // 100


def judge(reply: Reply, *, tries: int, message_id: UUID, now: datetime) -> Verdict:
    """Decide what a message is after its `tries`-th try was answered with `reply`."""
    match reply.outcome:
        case Outcome.DELIVERED:
            return Verdict("delivered")
        case Outcome.ACCEPTED:
            return Verdict("sent")
        case Outcome.REFUSED:
            return Verdict("failed", failure=reply.text)
    if tries >= MAX_TRIES:
        return Verdict("dead", failure=f"given up after {tries} tries: {reply.text}")
    return Verdict("queued", now + pause_after(tries, message_id=message_id), reply.text)
