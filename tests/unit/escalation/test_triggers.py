"""What sets the matrix off beside a breach or a request."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from escalation.domain.matrix import Promise, asks_for_notice, is_raised, plan_escalation, warned_percent
from plazo.policy.document import Policy
from plazo.policy.handling import EscalationRule

# Friday, 8 May 2026, 14:00 in Madrid; level 3 of Expande closes at 15:00 and opens on Monday at 09:30.
FRIDAY = datetime(2026, 5, 8, 12, 0, tzinfo=UTC)
Policies = Callable[[str], Policy]


def with_rule(policy: Policy, **rule: Any) -> Policy:
    """Put a rule before all others of the matrix."""
    first = EscalationRule.model_validate({"clause": ["EXP-17"]} | rule)
    return policy.model_copy(
        update={"escalation": policy.escalation.model_copy(update={"matrix": (first, *policy.escalation.matrix)})}
    )


@pytest.mark.parametrize(
    ("promise", "after", "due"),
    [
        # half of 4 h: 1 h on Friday, 1 h on Monday from 09:30 in Madrid, 07:30 UTC
        pytest.param(("4h", "level_3"), "2h", datetime(2026, 5, 11, 8, 30, tzinfo=UTC), id="hours of a calendar"),
        pytest.param(("2 days", None), "24h", FRIDAY + timedelta(days=1), id="days"),
        # what has no length of its own took 4 h of elapsed time
        pytest.param(("1 business_day", None), "2h", FRIDAY + timedelta(hours=2), id="business days"),
        pytest.param((None, None), "2h", FRIDAY + timedelta(hours=2), id="an agreed date"),
    ],
)
def test_an_overrun_is_a_share_of_what_was_promised(
    policy_of: Policies, promise: tuple[str | None, str | None], after: str, due: datetime
) -> None:
    policy = with_rule(
        policy_of("expande"), when={"trigger": "breach"}, steps=[{"overrun_percent": 50, "notify": ["manager"]}]
    )

    plan = plan_escalation(
        policy,
        {},
        trigger="breach",
        level=1,
        at=FRIDAY,
        promise=Promise(*promise, started_at=FRIDAY - timedelta(hours=4), due_at=FRIDAY),
    )

    assert plan is not None
    (step,) = plan.steps
    assert (step.after, step.calendar, step.due_at) == (after, promise[1], due)


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(
            {"when": {"trigger": "warning"}, "steps": [{"overrun_percent": 50, "notify": ["manager"]}]}, id="no breach"
        ),
        pytest.param(
            {
                "when": {"trigger": "breach"},
                "steps": [{"overrun_percent": 50, "after": "1h", "notify": ["manager"]}],
            },
            id="two delays",
        ),
    ],
)
def test_an_overrun_is_refused_where_it_means_nothing(rule: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="overrun_percent"):
        EscalationRule.model_validate({"clause": ["EXP-17"]} | rule)


@pytest.mark.parametrize(
    ("policy", "before", "after", "is_more"),
    [
        pytest.param("expande", {"severity": "minor"}, {"severity": "critical"}, True, id="raised"),
        pytest.param("expande", {"severity": "critical"}, {"severity": "minor"}, False, id="lowered"),
        pytest.param("ireo", {"severity": 3}, {"severity": "1"}, True, id="number or text"),
        pytest.param("expande", {}, {"severity": "critical"}, False, id="first decided"),
        pytest.param("skedu", {"priority": "low"}, {"priority": "urgent"}, True, id="priority, without severities"),
    ],
)
def test_severity_raised(
    policy_of: Policies, policy: str, before: dict[str, Any], after: dict[str, Any], *, is_more: bool
) -> None:
    assert is_raised(policy_of(policy), before, after) is is_more


@pytest.mark.parametrize(
    ("reopenings", "is_set_off"), [pytest.param(1, False, id="once"), pytest.param(2, True, id="twice")]
)
def test_reopened_so_many_times(policy_of: Policies, reopenings: int, *, is_set_off: bool) -> None:
    policy = with_rule(
        policy_of("expande"), when={"trigger": "reopened", "reopenings": ">= 2"}, steps=[{"notify": ["manager"]}]
    )

    plan = plan_escalation(policy, {"reopenings": reopenings}, trigger="reopened", level=1, at=FRIDAY)

    assert (plan is not None) is is_set_off


@pytest.mark.parametrize(("threshold", "percent"), [("80%", 80), ("1h before", None), (None, None)])
def test_the_share_of_a_warning(threshold: str | None, percent: int | None) -> None:
    assert warned_percent(threshold) == percent


def test_somebody_is_waited_for_where_steps_repeat(policy_of: Policies) -> None:
    repeated = plan_escalation(policy_of("expande"), {}, trigger="breach", kind="resolution", level=1, at=FRIDAY)
    told = plan_escalation(policy_of("expande"), {}, trigger="warning", level=1, at=FRIDAY)

    assert repeated is not None
    assert told is not None
    assert asks_for_notice(repeated.steps, trigger="breach")
    assert not asks_for_notice(told.steps, trigger="warning")
    assert asks_for_notice(told.steps, trigger="not_acknowledged")


def test_a_passed_estimate_is_a_breach_that_is_never_unseen(policy_of: Policies) -> None:
    """SKE-06: the date that level 3 gave arms an agreed clock."""
    plan = plan_escalation(policy_of("prodequa"), {}, trigger="breach", kind="agreed", level=3, at=FRIDAY)

    assert plan is not None
    assert [step.notify for step in plan.steps] == [("assignee", "team_lead")]
