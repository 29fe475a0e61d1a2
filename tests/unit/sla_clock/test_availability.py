"""Availability: outages merged, what is excluded left out, and the exact quotient compared."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plazo.calendar import ELAPSED, compile_calendar, parse_calendar
from plazo.kernel.time import SECOND, parse_instant
from sla_clock.domain.availability import Measured, Outage, agreed_for, measure, month_bounds

ELAPSED_TIME = compile_calendar(ELAPSED)
OFFICE = compile_calendar(parse_calendar({"timezone": "UTC", "hours": {"mon-fri": ["09:00-17:00"]}}))
DAY = datetime(2026, 5, 4, tzinfo=UTC)  # a Monday


def outage(start: float, end: float | None, *, cause: str | None = None, planned: bool = False) -> Outage:
    """An outage between hours after Monday midnight."""
    return Outage(
        outage_id=UUID(int=1), contract_id=UUID(int=2), component=None, cause=cause, planned=planned, summary=None,
        fingerprint=None, started_at=DAY + timedelta(hours=start),
        ended_at=None if end is None else DAY + timedelta(hours=end), reported_by="x", recorded_at=DAY, revision=1,
    )  # fmt: skip


def measured(*outages: Outage, working=ELAPSED_TIME) -> Measured:
    return measure(outages, working, start=DAY, until=DAY + timedelta(days=1), excluded_causes=["provider_decision"])


@pytest.mark.parametrize(
    ("outages", "down"),
    [
        pytest.param([], 0, id="none"),
        pytest.param([outage(1, 2)], 1, id="one"),
        pytest.param([outage(1, 3), outage(2, 4)], 3, id="two that overlap: 1 to 4"),
        pytest.param([outage(1, 2), outage(2, 3)], 2, id="two that touch"),
        pytest.param([outage(-5, 1)], 1, id="begun before: from midnight"),
        pytest.param([outage(20, None)], 4, id="one that lasts: to the end"),
        pytest.param([outage(1, 3, planned=True)], 0, id="planned"),
        pytest.param([outage(1, 4), outage(2, 3, planned=True)], 2, id="planned within another: 3 - 1"),
        pytest.param([outage(1, 3, cause="provider_decision")], 0, id="an excluded cause"),
        pytest.param([outage(1, 3, cause="network")], 2, id="another cause"),
        pytest.param([outage(30, 31)], 0, id="another day"),
    ],
)
def test_time_down_in_hours(outages, down):
    found = measured(*outages)
    assert found.down == down * 3600 * SECOND
    assert found.up + found.down == found.total == 24 * 3600 * SECOND


def test_only_service_time_counts():
    # 16:00 to 10:00 of the next day: one hour of Monday's service, none of the night
    found = measured(outage(16, 34), working=OFFICE)
    assert (found.down, found.total) == (3600 * SECOND, 8 * 3600 * SECOND)


def test_what_is_excluded_is_said():
    found = measured(outage(1, 2, planned=True), outage(3, 4, cause="provider_decision"), outage(5, 6))
    assert [one.excluded for one in found.considered] == ["planned", "cause provider_decision", None]
    assert found.excluded == 2 * 3600 * SECOND


@pytest.mark.parametrize(
    ("total", "down", "percentage", "agreed", "met"),
    [
        pytest.param(100, 0, "100.0000", "100", True, id="all of it"),
        pytest.param(10_000, 5, "99.9500", "99.95", True, id="exactly what was agreed"),
        pytest.param(10**12, 5 * 10**8 + 1, "99.9499", "99.95", False, id="a microsecond too much does not round up"),
        pytest.param(3, 1, "66.6666", "66.6666", True, id="a third, rounded down"),
        pytest.param(100, 100, "0.0000", "99", False, id="nothing"),
    ],
)
def test_percentage_never_flatters(total, down, percentage, agreed, met):
    found = Measured(total, down, 0, ())
    assert (str(found.percentage), found.has_met(Decimal(agreed))) == (percentage, met)


def test_no_service_has_no_percentage():
    found = Measured(0, 0, 0, ())
    assert (found.percentage, found.has_met(Decimal(99))) == (None, None)


@pytest.mark.parametrize(
    ("month", "zone", "start", "end"),
    [
        # Madrid is UTC+2 in May, UTC+1 in winter; its clocks change within March
        (date(2026, 5, 1), "Europe/Madrid", "2026-04-30T22:00:00Z", "2026-05-31T22:00:00Z"),
        (date(2026, 3, 1), "Europe/Madrid", "2026-02-28T23:00:00Z", "2026-03-31T22:00:00Z"),
        (date(2026, 12, 1), "America/Lima", "2026-12-01T05:00:00Z", "2027-01-01T05:00:00Z"),
    ],
)
def test_month_in_its_zone(month, zone, start, end):
    assert month_bounds(month, zone) == (parse_instant(start), parse_instant(end))


def test_newest_agreement_that_has_begun_holds():
    agreed = [(date(2026, 1, 1), Decimal("99.5")), (date(2026, 5, 1), Decimal("99.9"))]
    assert [agreed_for(date(2026, month, 1), agreed) for month in (4, 5, 6)] == [
        Decimal("99.5"), Decimal("99.9"), Decimal("99.9"),
    ]  # fmt: skip
    assert agreed_for(date(2025, 12, 1), agreed) is None


spans = st.tuples(st.integers(-10, 30), st.integers(0, 20), st.booleans())


@given(st.lists(spans, max_size=8), st.randoms())
def test_order_and_repetition_change_nothing(spans, random):
    outages = [outage(start, start + length, planned=planned) for start, length, planned in spans]
    shuffled = [*outages, *outages]
    random.shuffle(shuffled)
    once, twice = measured(*outages), measured(*shuffled)
    assert (once.down, once.excluded) == (twice.down, twice.excluded)
    # hour by hour: down is every hour of an outage that no planned one has
    hours = [
        hour for hour in range(24)
        if any(not planned and start <= hour < start + length for start, length, planned in spans)
        and not any(planned and start <= hour < start + length for start, length, planned in spans)
    ]  # fmt: skip
    assert once.down == len(hours) * 3600 * SECOND
