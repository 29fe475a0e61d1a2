"""What work costs: a function of all of it, in the order in which it was done."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.accounts import prepaid_terms
from billing.domain.rating import Case, Work, rate
from plazo.calendar import compile_calendar, parse_calendar
from plazo.policies import policy_text
from plazo.policy import load_policy
from plazo.policy.charging import Billing, Rate

T0 = datetime(2026, 5, 4, 9, tzinfo=UTC)
LIMA = "America/Lima"


TICKET = UUID(int=7)


def work(n, minutes, *, at=None, facts=None, kind="work", appointment=None):
    return Work(
        work_id=UUID(int=n),
        kind=kind,
        started_at=at or T0 + timedelta(hours=n),
        minutes=minutes,
        facts=facts or {},
        appointment=appointment,
    )


@cache
def billing_of(policy):
    return load_policy(policy_text(policy)).billing


def one_rule(**rule):
    return Billing.model_validate(
        {
            "account": {"unit": "hour", "clause": "PRO-05"},
            "work": [{"clause": "PRO-05", **rule}],
        }
    )


def charge(billing, pieces, facts=None, zone="UTC"):
    facts = facts or {}
    return charge_cases(billing, Case(TICKET, facts, pieces), zone=zone)[TICKET]


def charge_cases(billing, *cases, **more):
    return rate(billing, cases, **{"accounts": prepaid_terms(billing, cases[0].facts), "zone": "UTC", **more})


@pytest.mark.parametrize(
    ("minutes", "units"),
    [
        pytest.param([5], [1], id="5 → 1"),
        pytest.param([60], [1], id="60 → 1"),
        pytest.param([61], [2], id="61 → 2"),
        pytest.param([119], [2], id="119 → 2"),
        pytest.param([60, 60], [1, 1], id="120 → 2"),
        pytest.param([5, 50, 5], [1, 0, 0], id="within the started hour"),  # 5, 55, 60
        pytest.param([5, 60, 56], [1, 1, 1], id="121 → 3"),  # 5 → 1, 65 → 2, 121 → 3
        pytest.param([1, 1, 1], [1, 0, 0], id="not rounded per entry"),
    ],
)
def test_smartcloud(minutes, units):
    """SMA-16, SMA-17: each piece takes what it adds to the sum over the request."""
    lines = charge(billing_of("smartcloud"), [work(n, some) for n, some in enumerate(minutes)])
    assert [line.quantity for line in lines] == units
    assert {line.clauses for line in lines} == {("SMA-16", "SMA-17")}


@pytest.mark.parametrize(
    ("scope", "charged"),
    [
        # 20 + 20 on Monday 4 May in Lima, 20 on Tuesday, 20 in June; by the started half hour
        pytest.param("entry", [30, 30, 30, 30], id="entry"),
        pytest.param("ticket", [30, 30, 0, 30], id="ticket"),  # 20 → 30, 40 → 60, 60 → 60, 80 → 90
        pytest.param("day", [30, 30, 30, 30], id="day"),  # 20 → 30, 40 → 60; 20 → 30; 20 → 30
        pytest.param("month", [30, 30, 0, 30], id="month"),  # 20 → 30, 40 → 60, 60 → 60; 20 → 30
    ],
)
def test_scopes(scope, charged):
    pieces = [
        work(1, 20, at=datetime(2026, 5, 4, 14, tzinfo=UTC)),
        work(2, 20, at=datetime(2026, 5, 5, 4, 30, tzinfo=UTC)),  # still Monday in Lima
        work(3, 20, at=datetime(2026, 5, 5, 5, tzinfo=UTC)),
        work(4, 20, at=datetime(2026, 6, 1, 5, tzinfo=UTC)),
    ]
    lines = charge(one_rule(increment="30m", scope=scope), pieces, zone=LIMA)
    assert [line.charged for line in lines] == charged


@pytest.mark.parametrize(
    ("scope", "first", "second"),
    [
        # 20 min for one ticket, 20 for another, 20 for the first again, all on one day; by the started half hour
        pytest.param("entry", [30, 30], [30], id="entry"),
        pytest.param("ticket", [30, 30], [30], id="ticket"),  # 20 → 30, 40 → 60; 20 → 30
        pytest.param("day", [30, 0], [30], id="day"),  # 20 → 30, 40 → 60, 60 → 60
        pytest.param("month", [30, 0], [30], id="month"),
    ],
)
def test_a_day_and_a_month_are_the_contracts(scope, first, second):
    billing = one_rule(increment="30m", scope=scope)
    other = UUID(int=8)
    cases = [Case(TICKET, {}, [work(1, 20), work(3, 20)]), Case(other, {}, [work(2, 20)])]
    lines = charge_cases(billing, *cases)
    assert [[line.charged for line in lines[one]] for one in (TICKET, other)] == [first, second]

    beside = charge_cases(billing, cases[0], replace(cases[1], is_beside=True))
    assert [line.charged for line in beside[other]] == (second if scope in {"day", "month"} else [])


def test_worked_rounded_and_charged_are_kept_apart():
    """PRO-05: an update of 40 minutes is an hour by increment and three by minimum."""
    facts = {"plan": "per_event", "type": "update", "warranty": False}
    (line,) = charge(billing_of("prodequa"), [work(1, 40)], facts)
    assert (line.worked, line.rounded, line.charged, line.quantity) == (40, 60, 180, 180)


@pytest.mark.parametrize(
    ("facts", "charged", "reason", "clauses"),
    [
        pytest.param({"warranty": True}, 0, "warranty", ("PRO-03",), id="in warranty"),
        pytest.param({"warranty": False}, 40, None, ("PRO-04", "PRO-05"), id="after it"),
        pytest.param({"warranty": True, "cause": "misuse"}, 40, None, ("PRO-04",), id="misuse in warranty"),
        pytest.param({"warranty": False, "cause": "misuse"}, 40, None, ("PRO-04", "PRO-05"), id="misuse after it"),
        pytest.param({"warranty": True, "cause": "third_party_change"}, 40, None, ("PRO-04",), id="changed by others"),
        pytest.param({"warranty": True, "cause": "question"}, 0, "warranty", ("PRO-03",), id="a question in it"),
    ],
)
def test_warranty_and_cause(facts, charged, reason, clauses):
    (line,) = charge(billing_of("prodequa"), [work(1, 40)], {"plan": "basic", **facts})
    assert (line.charged, line.reason, line.clauses) == (charged, reason, clauses)


@pytest.mark.parametrize(
    ("facts", "charged", "reason"),
    [
        pytest.param(
            {"cause": "customer_configuration", "checklist": "complete"}, 0, "self_diagnosis_complete", id="tried"
        ),
        pytest.param({"cause": "customer_configuration", "checklist": "incomplete"}, 60, None, id="not tried"),
        pytest.param({"cause": "defect"}, 0, "included", id="our defect"),
    ],
)
def test_expande(facts, charged, reason):
    """EXP-08. The contract's price is not known here, so the minutes are owed."""
    (line,) = charge(billing_of("expande"), [work(1, 40)], facts)
    assert (line.charged, line.reason, line.counted_in, line.account) == (charged, reason, "minute", None)


def test_a_no_show_is_charged_once_for_each_appointment():
    """SMA-19: the minimum, whatever else was done."""
    pieces = [
        work(1, 0, kind="no_show", appointment="a"),
        work(2, 30),
        work(3, 0, kind="no_show", appointment="a"),
        work(4, 0, kind="no_show", appointment="b"),
    ]
    lines = charge(billing_of("smartcloud"), pieces)
    assert [(line.quantity, line.reason) for line in lines] == [(1, None), (1, None), (0, "already_charged"), (1, None)]


def test_a_price_is_rounded_once_over_the_scope():
    rule = {"rate": {"minor": 1000, "currency": "EUR", "per": "1h"}, "scope": "ticket", "clause": "EXP-08"}
    billing = Billing.model_validate(
        {"account": {"unit": "currency", "currency": "EUR", "clause": "EXP-08"}, "work": [rule]}
    )
    lines = charge(billing, [work(n, 1) for n in range(3)])
    # 1 min = 16.67 → 17, 2 min = 33.33 → 33, 3 min = 50
    assert [line.quantity for line in lines] == [17, 16, 17]
    assert {(line.account, line.counted_in) for line in lines} == {("main", "EUR")}


def test_a_multiplier_counts_before_rounding():
    multipliers = [{"when": {"hours": "out"}, "percent": 150, "clause": "PRO-06"}]
    lines = charge(
        one_rule(multipliers=multipliers, increment="15m"), [work(1, 45, facts={"hours": "out"}), work(2, 45)]
    )
    # 45 × 1.5 = 67.5 → 68 → 75; 45 → 45
    assert [line.charged for line in lines] == [75, 45]
    assert lines[0].clauses == ("PRO-05", "PRO-06")


def test_work_that_no_rule_charges():
    (line,) = charge(Billing(), [work(1, 40)])
    assert (line.charged, line.reason, line.account) == (0, "not_chargeable", None)


PIECES = st.lists(st.tuples(st.integers(0, 60 * 24 * 40), st.integers(1, 600)), min_size=1, max_size=8).map(
    lambda pieces: [work(n, minutes, at=T0 + timedelta(minutes=offset)) for n, (offset, minutes) in enumerate(pieces)]
)
RULES = st.builds(
    one_rule,
    minimum=st.sampled_from([None, "1h", "3h"]),
    increment=st.sampled_from(["1m", "15m", "1h"]),
    rounding=st.sampled_from(["up", "down", "nearest"]),
    scope=st.sampled_from(["entry", "ticket", "day", "month"]),
)


@given(billing=RULES, pieces=PIECES, data=st.data())
def test_the_order_of_arrival_does_not_matter(billing, pieces, data):
    shuffled = data.draw(st.permutations(pieces))
    assert charge(billing, shuffled) == charge(billing, pieces)


@given(billing=RULES, pieces=PIECES)
def test_lines_add_up(billing, pieces):
    lines = charge(billing, pieces)
    assert sum(line.worked for line in lines) == sum(piece.minutes for piece in pieces)
    assert all(line.charged >= 0 and line.rounded >= 0 for line in lines)
    assert [line.at for line in lines] == sorted(line.at for line in lines)


@given(pieces=PIECES)
def test_the_sum_over_the_request_is_what_is_rounded(pieces):
    total = sum(piece.minutes for piece in pieces)
    assert sum(line.quantity for line in charge(billing_of("smartcloud"), pieces)) == -(-total // 60)


SERVICE = compile_calendar(
    parse_calendar(
        {"timezone": LIMA, "hours": {"mon-fri": ["08:00-12:00", "14:00-18:00"]}, "holidays": ["2026-05-01"]}, layers={}
    )
)
OUT_OF_HOURS = [
    {"when": {"holiday": True}, "percent": 200, "clause": "PRO-06"},
    {"when": {"hours": "out"}, "percent": 150, "clause": "PRO-06"},
]


@pytest.mark.parametrize(
    ("at", "minutes", "multiply", "increment", "charged"),
    [
        # Monday 17:30 to 19:30 in Lima: 30 min in hours, 90 out of them at 150 %
        pytest.param("2026-05-04T22:30:00Z", 120, "before", "1m", 30 + 135, id="over closing time"),
        pytest.param("2026-05-04T22:30:00Z", 120, "before", "1h", 180, id="165 min, rounded after it"),
        # 30 min are a started hour, 90 two at 150 %
        pytest.param("2026-05-04T22:30:00Z", 120, "after", "1h", 60 + 180, id="rounded before it"),
        # 11:00 to 15:00: two hours of lunch at 150 %
        pytest.param("2026-05-04T16:00:00Z", 240, "before", "1m", 120 + 180, id="over lunch"),
        # Friday 1 May is a holiday: 60 min at 200 %
        pytest.param("2026-05-01T15:00:00Z", 60, "before", "1m", 120, id="holiday"),
        # Thursday 23:30 to 00:30: 30 min at 150 %, 30 at 200 %
        pytest.param("2026-05-01T04:30:00Z", 60, "before", "1m", 45 + 60, id="into a holiday"),
        # 17:58:30 to 18:01:30: the minute over the edge belongs to where it ends, 1 + 2 at 150 %
        pytest.param("2026-05-04T22:58:30Z", 3, "before", "1m", 1 + 3, id="within a minute"),
    ],
)
def test_work_is_split_at_the_edge_of_service_hours(at, minutes, multiply, increment, charged):
    billing = one_rule(multipliers=OUT_OF_HOURS, multiply=multiply, increment=increment, calendar="service")
    case = Case(TICKET, {}, [work(1, minutes, at=datetime.fromisoformat(at))])
    (line,) = charge_cases(billing, case, zone=LIMA, calendars={"service": SERVICE})[TICKET]
    assert (line.worked, line.charged) == (minutes, charged)
    assert line.clauses == ("PRO-05", "PRO-06")


@given(offset=st.integers(0, 60 * 24 * 14 * 60), minutes=st.integers(1, 3000))
def test_no_minute_is_lost_at_an_edge(offset, minutes):
    billing = one_rule(multipliers=[{"when": {"hours": "out"}, "percent": 100, "clause": "PRO-06"}], calendar="service")
    case = Case(TICKET, {}, [work(1, minutes, at=T0 + timedelta(seconds=offset))])
    (line,) = charge_cases(billing, case, zone=LIMA, calendars={"service": SERVICE})[TICKET]
    assert line.charged == minutes


def test_a_price_agreed_in_the_contract_goes_before_the_policys():
    policy_rate = {"minor": 1000, "currency": "EUR"}
    billing = Billing.model_validate(
        {
            "account": {"unit": "currency", "currency": "EUR", "clause": "EXP-08"},
            "work": [{"clause": "EXP-08", "rate": policy_rate}],
        }
    )
    agreed = {"work": Rate(minor=3000, currency="EUR")}
    cases = [Case(TICKET, {}, [work(1, 90)], rates) for rates in ({}, agreed)]
    prices = [charge_cases(billing, case)[TICKET][0].quantity for case in cases]
    # an hour and a half at 10.00 and at 30.00 EUR
    assert prices == [1500, 4500]
