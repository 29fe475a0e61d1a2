"""How much one caller may ask for: token buckets, kept by each process for itself.

A bucket holds at most `burst` requests and is filled by `per_second`. With N replicas a caller may have N times as
much; what is protected is the process. A restart fills all buckets.
"""

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic

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

    def take(self, name: object, *, now: float) -> float:
        """Take one request from a bucket; return 0, or in how many seconds there will be one to take."""
        level, at = self._levels.pop(name, (self._burst, now))
        level = min(self._burst, level + max(0.0, now - at) * self._per_second)
        has_one = level >= 1
        self._levels[name] = (level - 1 if has_one else level, now)
        if len(self._levels) > _MOST_BUCKETS:
            self._levels.popitem(last=False)
        return 0.0 if has_one else (1 - level) / self._per_second


class RequestLimits:
    """The limits of a process: of each caller, and of each desk."""

    def __init__(self, settings: Settings, *, seconds: Callable[[], float] = monotonic) -> None:
        of_key, of_desk = settings.requests_per_second_of_key, settings.requests_per_second_of_desk
        burst = settings.request_burst_seconds
        self._keys = Buckets(per_second=of_key, burst=of_key * burst)
        self._desks = Buckets(per_second=of_desk, burst=of_desk * burst)
        self._seconds = seconds

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
