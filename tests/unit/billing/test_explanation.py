"""A charge in words."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from billing.domain.accounts import Terms, month_of
from billing.domain.admission import Solvency, decide_admission, is_in_force
from billing.domain.explanation import Paid, explain
from billing.domain.funding import Overage, Part
from billing.domain.rating import Line
from plazo.policies import policy_text
from plazo.policy import load_policy

LOT = UUID(int=7)
MAIN = Terms("main", "hour", "minute", 60, 0, "check", ("PRO-05",))


def line(*, worked=125, charged=180, reason=None, clauses=("SMA-17",), kind="work"):
    return Line(
        work_id=UUID(int=1),
        kind=kind,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        worked=worked,
        rounded=charged,
        charged=charged,
        quantity=charged,
        counted_in="minute",
        account=None if reason else "main",
        reason=reason,
        clauses=clauses,
    )


def words(*paid):
    # the lot ends at midnight in Lima: 31 March there, 1 April in UTC would be 04:59 earlier
    expiries = {LOT: datetime(2026, 3, 31, 5, tzinfo=UTC)}
    return explain(paid, accounts={"main": MAIN}, expiries=expiries, zone="America/Lima")


def test_what_was_worked_what_it_was_rounded_to_and_what_paid_for_it():
    funding = (Part("lot", LOT, "minute", 60), Part("overage", None, "PEN", 9000))
    overage = Overage(True, 60, "up", 4500, "PEN", 60, ("PRO-07",))
    assert words(Paid(line(), funding, overage)) == {
        "es": "2 h 05 min trabajados → 3 h según SMA-17 → 1 h de la cuenta (vence el 2026-03-31), "
        "90.00 PEN de exceso a 45.00 PEN por 1 h",
        "en": "2 h 05 min worked → 3 h by SMA-17 → 1 h from the account (expires 2026-03-31), "
        "90.00 PEN overage at 45.00 PEN per 1 h",
    }


@pytest.mark.parametrize(
    ("paid", "text"),
    [
        pytest.param(
            Paid(line(charged=0, reason="warranty", clauses=("PRO-03",)), ()),
            "2 h 05 min worked → no charge by PRO-03: under warranty",
            id="free",
        ),
        pytest.param(
            Paid(line(worked=5, charged=0), ()),
            "5 min worked → 0 min by SMA-17 → within time already charged",
            id="within a started hour",
        ),
        pytest.param(
            Paid(line(worked=0, charged=60, kind="no_show"), (Part("owed", None, "minute", 60),)),
            "customer absent from an appointment → 1 h by SMA-17 → 1 h owed",
            id="no-show",
        ),
    ],
)
def test_what_is_special(paid, text):
    assert words(paid)["en"] == text


def test_nothing_yet():
    assert words()["es"] == "todavía sin trabajo"


@pytest.mark.parametrize(
    ("instant", "name", "start", "end"),
    [
        pytest.param(
            "2026-05-01T04:59:59+00:00",
            "2026-04",
            "2026-04-01T05:00:00+00:00",
            "2026-05-01T05:00:00+00:00",
            id="still April in Lima",
        ),
        pytest.param(
            "2026-05-01T05:00:00+00:00", "2026-05", "2026-05-01T05:00:00+00:00", "2026-06-01T05:00:00+00:00", id="May"
        ),
        pytest.param(
            "2026-12-31T23:00:00+00:00",
            "2026-12",
            "2026-12-01T05:00:00+00:00",
            "2027-01-01T05:00:00+00:00",
            id="December",
        ),
    ],
)
def test_month_of(instant, name, start, end):
    month = month_of(datetime.fromisoformat(instant), "America/Lima")
    assert (month.name, month.start.isoformat(), month.end.isoformat()) == (name, start, end)


@pytest.mark.parametrize(
    ("standing", "below", "held_for", "clause"),
    [
        pytest.param("good", False, None, "SMA-02", id="let in"),
        pytest.param("good", True, "awaiting_credit", "SMA-14", id="too little"),
        pytest.param("overdue", False, "overdue", "SMA-02", id="overdue"),
        pytest.param("blocked", True, "overdue", "SMA-02", id="blocked comes before too little"),
    ],
)
def test_gates(standing, below, held_for, clause):
    billing = load_policy(policy_text("smartcloud")).billing
    verdict = decide_admission(billing, facts={}, solvency=Solvency(standing=standing, below_minimum=below))
    assert (verdict.held_for, verdict.is_granted) == (held_for, held_for is None)
    assert clause in verdict.clauses


def test_a_contract_ends_before_its_last_date():
    first, end = datetime(2026, 1, 1, tzinfo=UTC).date(), datetime(2026, 2, 1, tzinfo=UTC).date()
    inside, outside = datetime(2026, 2, 1, 4, 59, tzinfo=UTC), datetime(2026, 2, 1, 5, tzinfo=UTC)
    assert is_in_force(first, end, at=inside, zone="America/Lima")
    assert not is_in_force(first, end, at=outside, zone="America/Lima")
    assert is_in_force(first, None, at=outside, zone="America/Lima")
