"""What a trigger sets off."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.domain.matrix import (
    Plan,
    StepSkipped,
    StepState,
    StepTaken,
    StepUnknown,
    choose_requested_step,
    next_step,
    plan_escalation,
    stop_steps,
    timer_start,
)
from plazo.policy import policy_from_json
from plazo.policy.document import Policy

# Monday, 4 May 2026, 15:00 in Madrid.
AT = datetime(2026, 5, 4, 13, 0, tzinfo=UTC)
Policies = Callable[[str], Policy]


def planned(policy: Policy, facts: dict[str, Any], **trigger: Any) -> Plan:
    plan = plan_escalation(policy, facts, **({"level": 1, "at": AT} | trigger))
    assert plan is not None
    return plan


class TestPlanEscalation:
    """The first rule of the matrix that speaks, its steps dated."""

    def test_raises_a_critical_breach_at_once_and_again_after_an_hour(self, policy_of: Policies) -> None:
        """EXP-17."""
        plan = planned(policy_of("expande"), {"severity": "critical"}, trigger="breach", kind="first_response")

        assert [(step.to_level, step.notify, step.due_at) for step in plan.steps] == [
            (2, ("team_lead",), AT),
            (3, ("manager",), AT + timedelta(hours=1)),
        ]
        assert plan.clauses == ("EXP-17",)

    def test_counts_a_delay_on_the_calendar_of_its_step(self, policy_of: Policies) -> None:
        """EXP-17, the hours of EXP-13: on Fridays level 3 closes at 15:00."""
        friday = datetime(2026, 5, 8, 12, 0, tzinfo=UTC)  # 14:00 in Madrid

        plan = planned(policy_of("expande"), {"severity": "minor"}, trigger="breach", kind="first_response", at=friday)

        # 4 h: Friday 14:00-15:00 is 1 h, Monday from 09:30 the other 3 h, to 12:30 in Madrid, 10:30 UTC.
        assert plan.steps[1].due_at == datetime(2026, 5, 11, 10, 30, tzinfo=UTC)

    def test_repeats_a_step_at_its_interval(self, policy_of: Policies) -> None:
        plan = planned(policy_of("expande"), {"severity": "minor"}, trigger="breach", kind="resolution")

        # At once, then 4 h after each turn: 0, 4, 8 h.
        assert [(step.step, step.turn, step.due_at) for step in plan.steps] == [
            (1, 1, AT),
            (1, 2, AT + timedelta(hours=4)),
            (1, 3, AT + timedelta(hours=8)),
        ]
        assert [step.after for step in plan.steps] == ["0m", "4h", "4h"]
        assert timer_start(plan.steps, plan.steps[2], raised_at=AT) == AT + timedelta(hours=4)

    @pytest.mark.parametrize(
        ("steps", "due"),
        [
            # A hundred years after 2026 is 2126, another hundred is beyond the years there are.
            pytest.param(
                [{"after": "0m", "repeat": "36525 days", "times": 100}],
                [AT, AT + timedelta(days=36525)],
                id="a repetition",
            ),
            pytest.param([{"after": "1h"}, {"after": "20h", "calendar": "rare"}, {"after": "2h"}],
                         [AT + timedelta(hours=1)], id="what comes after it"),
        ],
    )  # fmt: skip
    def test_steps_end_where_one_is_never_due(self, steps: list[dict[str, Any]], due: list[datetime]) -> None:
        assert [step.due_at for step in planned(self.rare(steps), {}, trigger="breach").steps] == due

    def test_a_breach_does_not_pass_unseen_for_want_of_a_step(self) -> None:
        steps = [{"after": "20h", "calendar": "rare"}]
        plan = planned(self.rare(steps), {}, trigger="breach")

        assert (plan.rule, [(step.notify, step.due_at) for step in plan.steps]) == (
            None, [(("assignee", "team_lead"), AT)],
        )  # fmt: skip
        assert plan_escalation(self.rare(steps, trigger="warning"), {}, trigger="warning", level=1, at=AT) is None

    def test_what_is_asked_for_has_no_instant_to_come(self) -> None:
        rare = self.rare([{"after": "20h", "calendar": "rare"}], trigger="customer_request", ordered=True)

        assert [step.due_at for step in planned(rare, {}, trigger="customer_request").steps] == [None]

    def rare(self, steps: list[dict[str, Any]], *, trigger: str = "breach", ordered: bool = False) -> Policy:
        """Return a policy with one rule, and a calendar that was open for an hour in 2025."""
        rule = {"when": {"trigger": trigger}, "ordered": ordered, "clause": "RARE-01",
                "steps": [{"notify": ["manager"]} | step for step in steps]}  # fmt: skip
        return policy_from_json({
            "policy": "rare", "version": "1", "effective_from": "2024-01-01", "timezone": "UTC", "clauses": "RARE",
            "provider": {"name": "Test"}, "escalation": {"matrix": [rule]},
            "calendars": {"rare": {"hours": {}, "days": {"2025-12-24": ["10:00-11:00"]}}},
        })  # fmt: skip

    @pytest.mark.parametrize(
        ("policy", "facts", "trigger", "level", "to_level"),
        [
            pytest.param("expande", {}, "agent_request", 1, 2, id="EXP-17 level 1"),
            pytest.param("expande", {}, "customer_request", 2, 3, id="EXP-17 level 2"),
            pytest.param("skedu", {}, "playbook_exhausted", 1, 2, id="SKE-03"),
            pytest.param("skedu", {}, "agent_request", 2, 3, id="SKE-06"),
        ],
    )
    def test_goes_up_one_level_from_where_the_ticket_is(
        self, policy_of: Policies, policy: str, facts: dict[str, Any], trigger: str, level: int, to_level: int
    ) -> None:
        plan = planned(policy_of(policy), facts, trigger=trigger, level=level)

        assert [step.to_level for step in plan.steps] == [to_level]
        assert plan.steps[0].requires_reason

    def test_asks_level_3_for_an_assessment(self, policy_of: Policies) -> None:
        """SKE-06."""
        assert planned(policy_of("skedu"), {}, trigger="agent_request", level=2).steps[0].requires_assessment

    def test_sends_contracts_private_data_and_payments_to_the_manager(self, policy_of: Policies) -> None:
        """SKE-07."""
        plan = planned(policy_of("skedu"), {"category": "payments"}, trigger="agent_request")

        assert [step.to_team for step in plan.steps] == ["managers"]

    @pytest.mark.parametrize(
        ("policy", "trigger", "level"),
        [
            pytest.param("smartcloud", "warning", 1, id="no matrix"),
            pytest.param("expande", "agent_request", 3, id="no level above"),
            pytest.param("prodequa", "agent_request", 1, id="not that trigger"),
        ],
    )
    def test_sets_nothing_off_where_no_rule_speaks(
        self, policy_of: Policies, policy: str, trigger: str, level: int
    ) -> None:
        assert plan_escalation(policy_of(policy), {}, trigger=trigger, level=level, at=AT) is None

    def test_tells_somebody_of_a_missed_deadline_though_no_rule_speaks(self, policy_of: Policies) -> None:
        plan = planned(policy_of("smartcloud"), {}, trigger="breach")

        assert (plan.rule, plan.clauses) == (None, ())
        assert [step.notify for step in plan.steps] == [("assignee", "team_lead")]

    @given(hours=st.lists(st.integers(0, 400), min_size=1, max_size=6))
    def test_never_puts_a_step_before_the_one_ahead_of_it(self, policy_of: Policies, hours: list[int]) -> None:
        policy = policy_of("expande")
        rule = policy.escalation.matrix[0]
        steps = tuple(rule.steps[0].model_copy(update={"after": f"{count}h"}) for count in hours)
        matrix = (rule.model_copy(update={"steps": steps, "when": {}}),)
        bent = policy.model_copy(update={"escalation": policy.escalation.model_copy(update={"matrix": matrix})})

        due = [step.due_at for step in planned(bent, {}, trigger="breach").steps]

        assert due == sorted(due)  # type: ignore[type-var]
        # The longest delay up to each step decides when it comes.
        assert due == [AT + timedelta(hours=max(hours[: n + 1])) for n in range(len(hours))]


class TestChooseRequestedStep:
    """PRO-18: first the consultant, then the project manager."""

    @pytest.fixture
    def plan(self, policy_of: Policies) -> Plan:
        plan = planned(policy_of("prodequa"), {}, trigger="customer_request")
        assert plan.on_request
        return plan

    def test_is_the_consultant_first(self, plan: Plan) -> None:
        assert choose_requested_step(plan.steps, clauses=plan.clauses).to_role == "consultant"

    def test_refuses_to_skip_the_consultant(self, plan: Plan) -> None:
        with pytest.raises(StepSkipped, match="consultant") as refused:
            choose_requested_step(plan.steps, clauses=plan.clauses, to_role="project_manager")

        assert refused.value.clause == "PRO-18"

    def test_is_the_project_manager_once_the_consultant_was_asked(self, plan: Plan) -> None:
        steps = (replace(plan.steps[0], state=StepState.FIRED, fired_at=AT), plan.steps[1])

        assert choose_requested_step(steps, clauses=plan.clauses).to_role == "project_manager"
        with pytest.raises(StepTaken):
            choose_requested_step(steps, clauses=plan.clauses, to_role="consultant")

    def test_has_an_end(self, plan: Plan) -> None:
        steps = tuple(replace(step, state=StepState.FIRED, fired_at=AT) for step in plan.steps)

        with pytest.raises(StepTaken):
            choose_requested_step(steps, clauses=plan.clauses)

    def test_refuses_a_role_the_contract_does_not_name(self, plan: Plan) -> None:
        with pytest.raises(StepUnknown, match="consultant"):
            choose_requested_step(plan.steps, clauses=plan.clauses, to_role="executive")

    def test_refuses_to_skip_a_level(self, policy_of: Policies) -> None:
        plan = planned(policy_of("skedu"), {}, trigger="agent_request", level=1)

        with pytest.raises(StepSkipped) as refused:
            choose_requested_step(plan.steps, clauses=plan.clauses, to_level=3)

        assert refused.value.clause == "SKE-03"


class TestStopSteps:
    """What was due before the stop is still taken, dated by its due instant."""

    def test_skips_what_comes_after_the_stop(self, policy_of: Policies) -> None:
        plan = planned(policy_of("expande"), {}, trigger="breach", kind="resolution")
        steps = [
            replace(plan.steps[0], state=StepState.FIRED, fired_at=AT),
            replace(plan.steps[1], state=StepState.ARMED, timer_id=UUID(int=1)),
            plan.steps[2],
        ]

        # Turns at 0, 4 and 8 h.
        assert [step.position for step in stop_steps(steps, at=AT + timedelta(hours=3))] == [2, 3]
        assert [step.position for step in stop_steps(steps, at=AT + timedelta(hours=4))] == [3]
        assert [step.position for step in stop_steps(steps, at=None)] == [2, 3]
        following = next_step(steps)
        assert following is not None
        assert following.position == 2
