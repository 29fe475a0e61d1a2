"""What the provider owes for guarantees that were not kept."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.domain.service_credits import Breach, decide_credits
from plazo.policy.agreed import Fee
from plazo.policy.charging import ServiceCreditRule

MAY = datetime(2026, 5, 4, 13, tzinfo=UTC)
FEE = Fee(minor=450_000, currency="PEN")


def rule(percent, *, cap=100, clause="AAA-01", **when):
    return ServiceCreditRule(when=when, percent=percent, cap_percent=cap, clause=clause)


def breach(number, *, kind="resolution", retracted=False, rules=None, fee=FEE, **facts):
    return Breach(
        credit_id=UUID(int=number),
        kind=kind,
        breached_at=MAY + timedelta(hours=number),
        is_retracted=retracted,
        facts=facts,
        rules=(rule(10),) if rules is None else tuple(rules),
        fee=fee,
        zone="America/Lima",
    )


def owed(*breaches):
    """Return what is owed for each, and why not all."""
    return [(one.percent, one.amount, one.counted_in, one.reason) for one in decide_credits(breaches).values()]


@pytest.mark.parametrize(
    ("breaches", "expected"),
    [
        # 10 % of 4500.00
        pytest.param([breach(1)], [(10, 45_000, "PEN", None)], id="a share of the fee"),
        pytest.param([breach(1, fee=None)], [(10, 10, "percent", None)], id="no fee known: the share itself"),
        # 3 % of 0.50 = 1.5 cents
        pytest.param(
            [breach(1, rules=[rule(3)], fee=Fee(minor=50, currency="PEN"))], [(3, 2, "PEN", None)], id="half rounds up"
        ),
        pytest.param([breach(1, rules=[])], [(0, 0, "PEN", "no_rule")], id="no rule, no credit"),
        pytest.param(
            [breach(1, rules=[rule(0, commitment="objective"), rule(10)])], [(10, 45_000, "PEN", None)], id="guarantee"
        ),
        pytest.param(
            [breach(1, rules=[rule(0, cause="customer"), rule(10)], cause="customer")],
            [(0, 0, "PEN", "excluded")],
            id="excluded by its cause",
        ),
        pytest.param(
            [breach(1, rules=[rule(5, kind="first_response"), rule(20)])], [(20, 90_000, "PEN", None)], id="by kind"
        ),
        # 10 + 10 of at most 15 in the month
        pytest.param(
            [breach(1, rules=[rule(10, cap=15)]), breach(2, rules=[rule(10, cap=15)])],
            [(10, 45_000, "PEN", None), (5, 22_500, "PEN", "cap")],
            id="the month's cap",
        ),
        pytest.param(
            [breach(1, rules=[rule(10, cap=10)], retracted=True), breach(2, rules=[rule(10, cap=10)])],
            [(0, 0, "PEN", "retracted"), (10, 45_000, "PEN", None)],
            id="what is retracted leaves room under the cap",
        ),
        pytest.param(
            [breach(number, rules=[rule(20, breaches_in_month="> 2"), rule(5)]) for number in (1, 2, 3)],
            [(5, 22_500, "PEN", None), (5, 22_500, "PEN", None), (20, 90_000, "PEN", None)],
            id="more from the third on",
        ),
        pytest.param(
            [
                breach(1, rules=[rule(0, cause="customer"), rule(5, breaches_in_month=1), rule(9)], cause="customer"),
                breach(2, rules=[rule(5, breaches_in_month=1), rule(9)]),
            ],
            [(0, 0, "PEN", "excluded"), (5, 22_500, "PEN", None)],
            id="what is excluded does not count",
        ),
    ],
)
def test_what_is_owed(breaches, expected):
    assert owed(*breaches) == expected


@given(st.permutations([breach(number, rules=[rule(7, cap=20)]) for number in range(5)]))
def test_the_order_in_which_breaches_are_learnt_does_not_matter(breaches):
    decided = decide_credits(breaches)
    assert [decided[UUID(int=number)].percent for number in range(5)] == [7, 7, 6, 0, 0]


def test_it_explains_itself():
    decided = decide_credits([breach(1, rules=[rule(10, cap=15)]), breach(2, rules=[rule(10, cap=15)])])
    assert decided[UUID(int=2)].explanation == {
        "es": (
            "Garantía de resolución incumplida el 2026-05-04 → 5 % de la cuota mensual de 4500.00 PEN = 225.00 PEN "
            "según AAA-01, hasta el tope del mes de 15 %"
        ),
        "en": (
            "Guarantee of resolution breached on 2026-05-04 → 5 % of the monthly fee of 4500.00 PEN = 225.00 PEN "
            "by AAA-01, up to the month's cap of 15 %"
        ),
    }
