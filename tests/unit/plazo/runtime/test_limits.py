"""Token buckets: how much at once, how much in the long run, and when to come back."""

from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plazo.runtime.limits import Buckets


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
