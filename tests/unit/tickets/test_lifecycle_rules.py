"""The rules of a ticket's life: attempts and abandonment, appointments, resolving, reopening, playbooks."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from plazo.calendar import compile_calendar, parse_calendar
from plazo.kernel.errors import InvalidInput
from plazo.policies import policy_text
from plazo.policy.decide import calendar_of
from plazo.policy.document import Policy
from plazo.policy.load import load_policy
from plazo.policy.promises import Abandonment
from tickets.domain.appointments import (
    Appointment,
    AppointmentSettled,
    AppointmentState,
    TooEarly,
    is_late,
    require_begun,
    require_missed,
    require_open,
)
from tickets.domain.attempts import (
    Attempt,
    NotAwaitingCustomer,
    TooFewAttempts,
    closing_of,
    reason_not_to_count,
    require_abandoned,
    require_awaited,
)
from tickets.domain.lifecycle import State
from tickets.domain.playbook import NoPlaybook, Tick, playbook_of, playbook_state, require_step
from tickets.domain.resolving import (
    ConfirmationMissing,
    ReopeningOver,
    ResolvingForbidden,
    ResolvingRefused,
    require_confirmed,
    require_kind,
    require_reopenable,
    require_resolvable,
)
from tickets.domain.ticket import Attempts, Ticket, Wait

PRODEQUA = load_policy(policy_text("prodequa"))
SMARTCLOUD = load_policy(policy_text("smartcloud"))
SKEDU = load_policy(policy_text("skedu"))


def at(text: str) -> datetime:
    """Return an instant of May 2026: `04T13:00`."""
    return datetime.fromisoformat(f"2026-05-{text}:00+00:00")


def ticket(**values: object) -> Ticket:
    """Return a ticket that waits for its customer."""
    known = Ticket(
        ticket_id=UUID(int=1),
        number="PRO-1",
        version=3,
        state=State.WAITING,
        cycle=1,
        subject="a",
        description="b",
        channel="email",
        customer_id=UUID(int=2),
        customer_name="c",
        contact_name=None,
        contact_email=None,
        contract_id=None,
        policy="prodequa",
        policy_version="2017-01",
        language="es",
        given={},
        facts={},
        covered=True,
        clocks=True,
        admission="granted",
        opened_at=at("04T13:00"),
        waiting=(Wait(cause="customer", reason="d", since=at("04T13:00"), started_by="e"),),
    )
    return replace(known, **values)


def rule_of(policy: Policy, **changes: object) -> Abandonment:
    """Return a policy's rule of abandonment."""
    assert policy.lifecycle
    assert policy.lifecycle.abandonment
    return policy.lifecycle.abandonment.model_copy(update=changes)


def made(when: datetime, *, number: int | None = 1, closes_at: datetime | None = None) -> Attempt:
    """Return an attempt by phone that nobody answered."""
    return Attempt(
        attempt_id=uuid4(),
        round=1,
        made_at=when,
        made_by="agent: Luis",
        channel="phone",
        result="no_answer",
        text=None,
        number=number,
        not_counted_for=None if number else "closed_day",
        closes_at=closes_at,
    )


SERVICE = compile_calendar(calendar_of(PRODEQUA, "service"))  # Monday to Friday, 08-12 and 14-18 in Lima, UTC-5

PAST = compile_calendar(parse_calendar({"timezone": "UTC", "hours": {}, "days": {"2025-12-24": ["10:00-11:00"]}}))


class TestAttempt:
    @pytest.mark.parametrize(
        ("when", "changes", "reason"),
        [
            pytest.param("04T14:00", {}, None, id="Monday, 09:00"),
            pytest.param("04T18:00", {}, None, id="Monday, 13:00, the lunch gap: the day counts"),
            pytest.param("09T04:59", {}, None, id="Friday, 23:59 in Lima"),
            pytest.param("11T04:59", {}, "closed_day", id="Sunday, 23:59 in Lima"),
            pytest.param("02T15:00", {}, "closed_day", id="Saturday"),
            pytest.param("09T05:00", {}, "closed_day", id="Saturday, 00:00 in Lima"),
            pytest.param("01T15:00", {}, "closed_day", id="Friday 1 May, a holiday"),
            pytest.param("04T18:00", {"within": "hours"}, "closed_hours", id="the lunch gap, where hours count"),
            pytest.param("04T19:00", {"within": "hours"}, None, id="14:00, where hours count"),
        ],
    )
    def test_counts_on_open_days_alone(self, when: str, changes: dict[str, object], reason: str | None):
        rule = rule_of(PRODEQUA, **changes)
        found = reason_not_to_count(rule, SERVICE, earlier=(), channel="phone", result="no_answer", at=at(when))
        assert found == reason

    def test_counts_only_where_the_policy_has_a_rule(self):
        found = reason_not_to_count(None, None, earlier=(), channel="phone", result="sent", at=at("04T14:00"))
        assert found == "no_rule"

    @pytest.mark.parametrize(
        ("channel", "result", "reason"),
        [
            ("phone", "left_message", None),
            ("email", "sent", None),
            ("chat", "sent", "channel"),
            ("phone", "reached", "reached"),
        ],
    )
    def test_counts_unanswered_ones_by_the_policy_s_channels(self, channel: str, result: str, reason: str | None):
        # PRO-20: by phone or e-mail
        found = reason_not_to_count(
            rule_of(PRODEQUA), SERVICE, earlier=(), channel=channel, result=result, at=at("04T14:00")
        )
        assert found == reason

    @pytest.mark.parametrize(
        ("when", "reason"),
        [
            # 09:00 + 4 h of service: 3 h until 12:00, 1 h from 14:00 = 15:00
            pytest.param("04T19:59", "too_soon", id="14:59"),
            pytest.param("04T20:00", None, id="15:00"),
        ],
    )
    def test_keeps_the_spacing_from_the_last_one_that_counts(self, when: str, reason: str | None):
        rule = rule_of(PRODEQUA, spacing="4h")
        earlier = [made(at("04T14:00")), made(at("04T19:00"), number=None)]
        found = reason_not_to_count(rule, SERVICE, earlier=earlier, channel="phone", result="no_answer", at=at(when))
        assert found == reason


class TestAbandonment:
    def test_is_two_business_days_after_the_third(self):
        counted = [made(at(day), number=n) for n, day in enumerate(("04T14:00", "05T14:00", "06T14:00"), 1)]
        assert closing_of(rule_of(PRODEQUA), SERVICE, counted[:2]) is None
        # Wednesday 6 May + 2 business days: the end of service on Friday, 18:00 in Lima
        assert closing_of(rule_of(PRODEQUA), SERVICE, counted) == at("08T23:00")
        # A fourth does not prolong it.
        assert closing_of(rule_of(PRODEQUA), SERVICE, [*counted, made(at("07T14:00"), number=4)]) == at("08T23:00")

    def test_is_never_where_the_wait_does_not_end(self):
        counted = [made(at(day), number=n) for n, day in enumerate(("04T14:00", "05T14:00", "06T14:00"), 1)]
        assert (
            closing_of(rule_of(PRODEQUA), PAST, [*counted[:2], made(counted[2].made_at, closes_at=at("20T23:00"))])
            is None
        )
        with pytest.raises(TooFewAttempts, match="never ends"):
            require_abandoned(rule_of(PRODEQUA), ticket(attempts=Attempts(made=3)), at=at("20T00:00"))

    def test_is_never_before_an_instant_the_customer_was_told(self):
        told = at("20T23:00")
        counted = [made(at("04T14:00"), closes_at=told), *(made(at(f"0{day}T14:00"), number=2) for day in (5, 6))]
        assert closing_of(rule_of(PRODEQUA), SERVICE, counted) == told

    @pytest.mark.parametrize(
        ("attempts", "now", "words"),
        [
            pytest.param(Attempts(made=2), "20T00:00", "2 of the 3 unanswered attempts that PRO-20", id="too few"),
            pytest.param(Attempts(made=3, closes_at=at("08T23:00")), "08T22:59", "lasts until", id="too early"),
        ],
    )
    def test_is_refused_before_its_time_naming_count_and_clause(self, attempts: Attempts, now: str, words: str):
        with pytest.raises(TooFewAttempts, match=words) as refused:
            require_abandoned(rule_of(PRODEQUA), ticket(attempts=attempts), at=at(now))
        assert refused.value.clause == "PRO-20"
        assert refused.value.details["required"] == 3

    def test_is_allowed_when_the_wait_is_over(self):
        attempts = Attempts(made=3, closes_at=at("08T23:00"))
        require_abandoned(rule_of(PRODEQUA), ticket(attempts=attempts), at=at("08T23:00"))

    def test_needs_a_rule(self):
        with pytest.raises(TooFewAttempts, match="no rule"):
            require_abandoned(None, ticket(), at=at("08T23:00"))

    def test_needs_a_ticket_that_waits_for_the_customer(self):
        require_awaited(ticket())
        require_awaited(ticket(state=State.RESOLVED, waiting=()))
        wait = Wait(cause="vendor", reason="d", since=at("04T13:00"), started_by="e")
        with pytest.raises(NotAwaitingCustomer, match="vendor"):
            require_awaited(ticket(waiting=(wait,)))


class TestAppointment:
    appointment = Appointment(
        appointment_id=UUID(int=3),
        ticket_id=UUID(int=1),
        starts_at=at("04T15:00"),
        ends_at=at("04T16:00"),
        place="remote",
        attendee=None,
        scheduled_by="a",
        scheduled_at=at("04T13:00"),
    )

    def policy(self, **no_show: object) -> Policy:
        """Return the policy of smartcloud with another rule for absent customers."""
        assert SMARTCLOUD.billing.no_show
        rule = SMARTCLOUD.billing.no_show.model_copy(update=no_show)
        return SMARTCLOUD.model_copy(update={"billing": SMARTCLOUD.billing.model_copy(update={"no_show": rule})})

    def test_is_missed_after_the_grace(self):
        policy = self.policy(grace="15m")
        with pytest.raises(TooEarly, match="15:15") as refused:
            require_missed(policy, self.appointment, at=at("04T15:14"))
        assert refused.value.clause == "SMA-19"
        require_missed(policy, self.appointment, at=at("04T15:15"))

    def test_is_kept_once_it_began(self):
        with pytest.raises(TooEarly):
            require_begun(self.appointment, at=at("04T14:59"))
        require_begun(self.appointment, at=at("04T15:00"))

    def test_is_settled_once(self):
        require_open(self.appointment)
        with pytest.raises(AppointmentSettled, match="missed"):
            require_open(replace(self.appointment, state=AppointmentState.MISSED))

    @pytest.mark.parametrize(
        ("now", "by_customer", "late"),
        [
            pytest.param("04T13:00", True, False, id="two hours before"),
            pytest.param("04T13:01", True, True, id="a minute less"),
            pytest.param("04T14:59", False, False, id="the desk, a minute before"),
        ],
    )
    def test_is_cancelled_late_by_the_customer_within_the_notice(self, now: str, by_customer: bool, late: bool):
        policy = self.policy(notice="2h")
        assert is_late(policy, self.appointment, by_customer=by_customer, at=at(now)) is late

    def test_without_a_rule_no_cancellation_is_late(self):
        assert not is_late(PRODEQUA, self.appointment, by_customer=True, at=at("04T15:30"))


class TestResolving:
    @pytest.mark.parametrize(
        ("facts", "role", "refused", "clause"),
        [
            pytest.param({"level": 1, "playbook": "exhausted"}, "manager", ResolvingRefused, "SKE-03", id="exhausted"),
            pytest.param({"level": 2, "playbook": "exhausted"}, "agent", None, None, id="exhausted, at level 2"),
            pytest.param({"level": 1, "category": "payments"}, "agent", ResolvingForbidden, "SKE-07", id="executive"),
            pytest.param({"level": 1, "category": "payments"}, "manager", None, None, id="manager"),
            pytest.param({"level": 1, "category": "prices"}, "agent", None, None, id="executive, prices"),
        ],
    )
    def test_follows_the_policy_s_rules(
        self, facts: dict[str, bool | int | str], role: str, refused: type[Exception] | None, clause: str | None
    ):
        if refused is None:
            require_resolvable(SKEDU, facts, role=role, language="es")
            return
        with pytest.raises(refused) as found:
            require_resolvable(SKEDU, facts, role=role, language="es")
        assert found.value.clause == clause

    def test_kind_is_one_the_policy_names(self):
        require_kind(SMARTCLOUD, "instructions")
        require_kind(PRODEQUA, "fix")
        with pytest.raises(InvalidInput) as refused:
            require_kind(SMARTCLOUD, "fix")
        assert [(fault.pointer, fault.clause) for fault in refused.value.faults] == [("/kind", "SMA-11")]

    def test_confirmation_is_the_customer_s(self):
        require_confirmed(PRODEQUA, is_customer=True, confirmed_by=None)
        require_confirmed(PRODEQUA, is_customer=False, confirmed_by="Ana")
        require_confirmed(SMARTCLOUD, is_customer=False, confirmed_by=None)
        with pytest.raises(ConfirmationMissing) as refused:
            require_confirmed(PRODEQUA, is_customer=False, confirmed_by=None)
        assert refused.value.clause == "PRO-19"

    def test_reopening_is_within_the_window(self):
        closed = ticket(state=State.CLOSED, closed_at=at("04T13:00"), waiting=())
        assert SMARTCLOUD.lifecycle
        assert SMARTCLOUD.lifecycle.reopening
        require_reopenable(SMARTCLOUD, closed, at=at("30T00:00"))
        window = SMARTCLOUD.lifecycle.reopening.model_copy(update={"window": "2 days"})
        lifecycle = SMARTCLOUD.lifecycle.model_copy(update={"reopening": window})
        policy = SMARTCLOUD.model_copy(update={"lifecycle": lifecycle})
        require_reopenable(policy, closed, at=at("06T13:00"))
        with pytest.raises(ReopeningOver, match="additional-requests") as refused:
            require_reopenable(policy, closed, at=at("06T13:00") + timedelta(microseconds=1))
        assert refused.value.clause == "SMA-13"
        assert refused.value.details == {"until": "2026-05-06T13:00:00+00:00"}


class TestPlaybook:
    playbook = SKEDU.escalation.playbooks[0]

    def tick(self, step: str, result: str) -> Tick:
        """Return a step that was taken."""
        return Tick(self.playbook.name, step, result, None, "a", datetime(2026, 5, 4, tzinfo=UTC))

    @pytest.mark.parametrize(
        ("results", "state"),
        [
            pytest.param([], "open", id="none taken"),
            pytest.param(["done", "done", "done"], "open", id="one left"),
            pytest.param(["done", "done", "done", "not_solved"], "exhausted", id="all taken"),
            pytest.param(["done", "solved"], "solved", id="solved on the way"),
        ],
    )
    def test_is_exhausted_when_all_was_taken_in_vain(self, results: list[str], state: str):
        ticks = [self.tick(step.name, result) for step, result in zip(self.playbook.steps, results, strict=False)]
        assert playbook_state(self.playbook, ticks) == state

    def test_belongs_to_level_1_and_its_topics(self):
        assert playbook_of(SKEDU, {"level": 1, "category": "login"}) == self.playbook
        with pytest.raises(NoPlaybook):
            playbook_of(SKEDU, {"level": 2, "category": "login"})

    def test_has_its_own_steps_alone(self):
        require_step(self.playbook, "priority_set")
        with pytest.raises(NoPlaybook, match="information_gathered, priority_set"):
            require_step(self.playbook, "reboot")
