"""What becomes of a webhook by what the partner's system answers: pure, so that a week of outages is a table.

Back-off counts in machine time: how long a partner's system is away is no matter of a contract.
"""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

_S, _M, _H = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
# The first eight come to 15 h 36 min; with ten of twelve hours an event is tried for five and a half days.
_PAUSES = (10 * _S, _M, 5 * _M, 30 * _M, _H, 2 * _H, 4 * _H, 8 * _H, *(12 * _H,) * 10)
MAX_TRIES = len(_PAUSES) + 1
_JITTER_PERCENT = 20
#: A subscription that nothing got through to for so long, and so often, is switched off.
LONGEST_FAILURE = timedelta(days=5)
LEAST_FAILURES = 10
GONE = 410


@dataclass(frozen=True, slots=True)
class Answer:
    """What a partner's system answered, `failure` where it did not; `excerpt` is the beginning of the body."""

    status: int | None
    milliseconds: int
    excerpt: str = ""
    failure: str | None = None

    @property
    def is_taken(self) -> bool:
        """Whether the event has been taken: any 2xx. A redirection is not followed."""
        return self.failure is None and self.status is not None and 200 <= self.status < 300

    @property
    def words(self) -> str:
        """Say in a few words what came of it."""
        return self.failure or (f"answered {self.status}" if self.status is not None else "no answer")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What an event is after an attempt; one that is `queued` is due again at `next_attempt_at`."""

    state: str
    next_attempt_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Health:
    """How many attempts of a subscription failed in a row, and since when."""

    failures: int = 0
    failing_since: datetime | None = None


def judge(answer: Answer, *, tries: int, delivery_id: int, subscription_id: UUID, now: datetime) -> Verdict:
    """Decide what an event is after its `tries`-th attempt."""
    if answer.is_taken:
        return Verdict("delivered")
    if tries >= MAX_TRIES:
        return Verdict("dead")
    return Verdict("queued", now + pause_after(tries, key=f"{subscription_id}:{delivery_id}"))


def pause_after(tries: int, *, key: str) -> timedelta:
    """Return how long an event waits after so many attempts, scattered by a fifth.

    The scatter follows from the key, so that what failed together does not come back together.
    """
    digest = hashlib.sha256(f"{key}:{tries}".encode()).digest()
    percent = 100 - _JITTER_PERCENT + int.from_bytes(digest[:4]) % (2 * _JITTER_PERCENT + 1)
    return _PAUSES[min(tries, len(_PAUSES)) - 1] * percent // 100


def health_after(health: Health, answer: Answer, *, now: datetime) -> Health:
    """Return how a subscription is after an answer."""
    if answer.is_taken:
        return Health()
    return Health(health.failures + 1, health.failing_since or now)


def reason_to_stop(health: Health, answer: Answer, *, now: datetime) -> str | None:
    """Say why a subscription is switched off after an answer; None if it is not."""
    if answer.status == GONE:
        return "the endpoint answered 410 Gone"
    if health.failing_since is None or health.failures < LEAST_FAILURES:
        return None
    if now - health.failing_since < LONGEST_FAILURE:
        return None
    days = (now - health.failing_since).days
    return f"nothing got through for {days} days, {health.failures} times in a row; the last time: {answer.words}"
