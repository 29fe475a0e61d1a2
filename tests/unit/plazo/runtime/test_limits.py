"""Token buckets: how much at once, how much in the long run, and when to come back."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plazo.runtime.identity import Principal, Role
from plazo.runtime.limits import Buckets, RequestLimits, TooManyRequests
from plazo.runtime.settings import Settings

DESK = UUID(int=1)


def test_burst_then_rate():
    buckets = Buckets(per_second=2, burst=3)
    assert [buckets.take("a", now=0) for _ in range(4)] == [0, 0, 0, 0.5]  # 3 at once; one more in 1/2 s
    assert buckets.take("a", now=0.25) == pytest.approx(0.25)  # 0.25 s x 2/s = half of one
    assert buckets.take("a", now=0.5) == 0
    assert buckets.take("a", now=100) == 0  # 199 s would fill 398, it holds 3
    assert [buckets.take("a", now=100) for _ in range(3)] == [0, 0, 0.5]


def test_each_name_has_its_own():
    buckets = Buckets(per_second=1, burst=1)
    assert [buckets.take(name, now=0) for name in ("a", "b", "a")] == [0, 0, 1]


def test_clock_that_goes_back_gives_nothing_away():
    buckets = Buckets(per_second=1, burst=1)
    buckets.take("a", now=10)
    assert buckets.take("a", now=5) == 1


def test_memory_is_bounded():
    buckets = Buckets(per_second=1, burst=1)
    for _ in range(20_100):
        buckets.take(uuid4(), now=0)
    assert len(buckets._levels) == 20_000


def limits(**settings: int) -> RequestLimits:
    urls = {"database_url": "postgresql://x", "system_database_url": "postgresql://x", "nats_url": "nats://x"}
    return RequestLimits(Settings(operator_key="x" * 16, **urls, **settings))


def caller(key_id: str, *, desk_id: UUID = DESK) -> Principal:
    about = {"customer_id": None, "contact_id": None, "sandbox": False, "clock_at": None}
    return Principal(desk_id=desk_id, key_id=key_id, role=Role.REQUESTER, label="x", **about)


@pytest.mark.parametrize(
    ("way", "settings", "seconds"),
    [
        ("hold", {"concurrent_requests_of_key": 2, "concurrent_requests_of_one": 3}, 1),
        ("hold_stream", {"streams_of_key": 2, "streams_of_desk": 3}, 10),
    ],
)
def test_key_has_a_share_of_its_desk_s(way: str, settings: dict[str, int], seconds: int):
    hold = getattr(limits(**settings), way)
    leave = [hold(caller("a")), hold(caller("a"))]
    with pytest.raises(TooManyRequests, match="this key") as refused:
        hold(caller("a"))
    assert refused.value.details == {"retry_after_seconds": seconds}
    leave.append(hold(caller("b")))
    with pytest.raises(TooManyRequests, match="this desk"):
        hold(caller("c"))
    hold(caller("a", desk_id=uuid4()))
    leave[0]()
    hold(caller("a"))
    for one in leave[1:]:
        one()
    for _ in range(2):
        hold(caller("b"))


@given(
    st.integers(1, 20),
    st.integers(1, 20),
    st.lists(st.floats(0, 1, allow_nan=False, allow_infinity=False), max_size=100),
)
def test_never_more_than_burst_and_rate(per_second: int, burst: int, gaps: list[float]):
    buckets, now, taken = Buckets(per_second=per_second, burst=burst), 0.0, 0
    for gap in gaps:
        now += gap
        taken += buckets.take("a", now=now) == 0
    assert taken <= burst + now * per_second + 1e-6
