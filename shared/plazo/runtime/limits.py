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
        self.most = most
        self._held: dict[object, int] = {}

    def is_full(self, name: object) -> bool:
        """Tell whether a name holds all it may."""
        return self._held.get(name, 0) >= self.most

    def enter(self, name: object) -> None:
        """Hold one more."""
        self._held[name] = self._held.get(name, 0) + 1

    def leave(self, name: object) -> None:
        """Hold one less."""
        left = self._held.pop(name) - 1
        if left:
            self._held[name] = left


class _KeyAndDesk:
    """A share of each key within the share of its desk: one caller does not shut out the others."""

    def __init__(self, what: str, doing: str, *, of_key: int, of_desk: int, retry_after_seconds: int) -> None:
        self._what, self._doing = what, doing
        self._keys, self._desks = Shares(of_key), Shares(of_desk)
        self._retry_after_seconds = retry_after_seconds

    def hold(self, principal: Principal) -> Callable[[], None]:
        """Hold one until what is returned is called. :raises TooManyRequests: where there is none to hold"""
        desk, key = principal.desk_id, (principal.desk_id, principal.key_id)
        for shares, name, whose in ((self._keys, key, "this key"), (self._desks, desk, "this desk")):
            if shares.is_full(name):
                raise TooManyRequests(
                    f"as many {self._what} of {whose} are {self._doing} as may be at once, {shares.most} in a process; "
                    f"come back in {self._retry_after_seconds} s",
                    details={"retry_after_seconds": self._retry_after_seconds},
                )
        self._keys.enter(key)
        self._desks.enter(desk)

        def leave() -> None:
            self._keys.leave(key)
            self._desks.leave(desk)

        return leave


class RequestLimits:
    """The limits of a process: of each caller, and of each desk."""

    def __init__(self, settings: Settings, *, seconds: Callable[[], float] = monotonic) -> None:
        of_key, of_desk = settings.requests_per_second_of_key, settings.requests_per_second_of_desk
        burst = settings.request_burst_seconds
        self._keys = Buckets(per_second=of_key, burst=of_key * burst)
        self._desks = Buckets(per_second=of_desk, burst=of_desk * burst)
        self._at_once = _KeyAndDesk(
            "requests",
            "being answered",
            of_key=settings.concurrent_requests_of_key,
            of_desk=settings.concurrent_requests_of_one,
            retry_after_seconds=1,
        )
        self._streams = _KeyAndDesk(
            "streams",
            "open",
            of_key=settings.streams_of_key,
            of_desk=settings.streams_of_desk,
            retry_after_seconds=10,
        )
        self._seconds = seconds

    def hold(self, principal: Principal) -> Callable[[], None]:
        """Count a request as being answered, until what is returned is called.

        :raises TooManyRequests: if the key or its desk has as many under way as it may, streams included
        """
        return self._at_once.hold(principal)

    def hold_stream(self, principal: Principal) -> Callable[[], None]:
        """Count a stream as open, until what is returned is called. It is a request that is being answered as well.

        :raises TooManyRequests: if the key or its desk has as many open as it may
        """
        return self._streams.hold(principal)

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
