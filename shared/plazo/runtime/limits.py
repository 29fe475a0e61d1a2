"""How much one caller may ask for: token buckets, kept by each process for itself.

A bucket holds at most `burst` requests and is filled by `per_second`. With N replicas a caller may have N times as
much; what is protected is the process. A restart fills all buckets.
"""

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic
from uuid import UUID

from plazo.kernel.errors import Kind, PlazoError
from plazo.runtime.identity import Principal
from plazo.runtime.settings import Settings

_MOST_BUCKETS = 20_000  # the one not used for longest goes first; it is the fullest


class TooManyRequests(PlazoError):
    """The caller asks faster than it may; `retry_after_seconds` says when to come back."""

    kind = Kind.TOO_MANY
    code = "too-many-requests"


class Buckets:
    """A bucket for each name."""

    def __init__(self, *, per_second: float, burst: float) -> None:
        self._per_second = per_second
        self._burst = burst
        self._levels: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def wait(self, name: object, *, now: float) -> float:
        """Return 0, or in how many seconds there will be a request to take from a bucket."""
        level = self._level(name, now=now)
        return 0.0 if level >= 1 else (1 - level) / self._per_second

    def _level(self, name: object, *, now: float) -> float:
        level, at = self._levels.get(name, (self._burst, now))
        return min(self._burst, level + max(0.0, now - at) * self._per_second)

    def take(self, name: object, *, now: float) -> float:
        """Take one request from a bucket; return 0, or in how many seconds there will be one to take."""
        level = self._level(name, now=now)
        self._levels.pop(name, None)
        has_one = level >= 1
        self._levels[name] = (level - 1 if has_one else level, now)
        if len(self._levels) > _MOST_BUCKETS:
            self._levels.popitem(last=False)
        return 0.0 if has_one else (1 - level) / self._per_second


class Shares:
    """How much of a process each name holds at once, `most` at the most."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._held: dict[object, int] = {}

    def is_full(self, name: object) -> bool:
        """Tell whether a name holds all it may."""
        return self._held.get(name, 0) >= self._most

    def enter(self, name: object) -> None:
        """Hold one more."""
        self._held[name] = self._held.get(name, 0) + 1

    def leave(self, name: object) -> None:
        """Hold one less."""
        left = self._held.pop(name) - 1
        if left:
            self._held[name] = left


class RequestLimits:
    """The limits of a process: of each caller, and of each desk."""

    def __init__(self, settings: Settings, *, seconds: Callable[[], float] = monotonic) -> None:
        of_key, of_desk = settings.requests_per_second_of_key, settings.requests_per_second_of_desk
        burst = settings.request_burst_seconds
        self._keys = Buckets(per_second=of_key, burst=of_key * burst)
        self._desks = Buckets(per_second=of_desk, burst=of_desk * burst)
        self._at_once = Shares(settings.concurrent_requests_of_one)
        self._seconds = seconds

    def hold(self, desk_id: UUID) -> Callable[[], None]:
        """Count a request of a desk as being answered, until what is returned is called.

        :raises TooManyRequests: if the desk has as many under way as it may, streams included
        """
        if self._at_once.is_full(desk_id):
            raise TooManyRequests(
                "as many requests of this desk are being answered as may be at once; come back in 1 s",
                details={"retry_after_seconds": 1},
            )
        self._at_once.enter(desk_id)
        return lambda: self._at_once.leave(desk_id)

    def take(self, principal: Principal) -> None:
        """Count a request. :raises TooManyRequests: saying when to come back"""
        now = self._seconds()
        wait = self._keys.take((principal.desk_id, principal.key_id), now=now)
        whose = "this key"
        if not wait:
            wait = self._desks.take(principal.desk_id, now=now)
            whose = "this desk"
        if wait:
            raise TooManyRequests(
                f"more requests of {whose} than are answered; come back in {ceil(wait)} s",
                details={"retry_after_seconds": ceil(wait)},
            )
