"""What the five contracts decide about a request as it comes in."""

from dataclasses import replace
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import pytest

from plazo.policies import policy_text
from plazo.policy.document import Policy
from plazo.policy.load import load_policy
from tickets.domain.opening import Opening, decide, stated_faults
from tickets.domain.terms import Terms

MONDAY = datetime(2026, 5, 4, 13, tzinfo=UTC)  # 15:00 in Madrid, 08:00 in Lima
TERMS = Terms(
    plan=None,
    arrangement="plan",
    products=(),
    valid_from=date(2020, 1, 1),
    valid_until=None,
    warranty_until=None,
)


@cache
def policy(name: str) -> Policy:
    return load_policy(policy_text(name))


def opened(name: str, facts: dict[str, Any], *, at: datetime = MONDAY, **terms: Any) -> Opening:
    given = {"channel": "email", "authorized": True} | facts
    return decide(policy(name), given=given, terms=replace(TERMS, **terms), at=at)


def decided(opening: Opening, about: str) -> tuple[str, int | None, tuple[str, ...]]:
    [one] = [decision for decision in opening.decisions if decision.about == about]
    return one.value, one.rule, one.clauses


class TestSeverity:
    @pytest.mark.parametrize(
        ("facts", "severity", "rule"),
        [
            # EXP-03: "over 45 minutes", so 45 is not.
            pytest.param({"partial_interruption_minutes": 45}, "minor", 7, id="45 minutes are not over 45"),
            pytest.param({"partial_interruption_minutes": 46}, "semi_critical", 5, id="46 minutes are"),
            pytest.param({"blocked_process_minutes": 45}, "minor", 7, id="blocked for 45"),
            pytest.param({"blocked_process_minutes": 46}, "semi_critical", 6, id="blocked for 46"),
            pytest.param({"sales_impossible": True}, "critical", 0, id="no sales"),
            pytest.param({"sales_impossible": False}, "minor", 7, id="sales go on"),
            pytest.param({"server_down": True, "random_errors": True}, "critical", 1, id="the first rule wins"),
            pytest.param({}, "minor", 7, id="the rest"),
        ],
    )
    def test_expande_classifies_by_reported_facts(self, facts: dict[str, Any], severity: str, rule: int):
        opening = opened("expande", facts, plan="basic")
        assert opening.facts["severity"] == severity
        assert decided(opening, "severity") == (severity, rule, ("EXP-03",))

    def test_ireo_derives_the_priority_from_plan_and_severity(self):
        # IRE-09: severity 2 by its impact, plan Plus
        opening = opened("ireo", {"impact": "degraded"}, plan="plus")
        assert (opening.facts["severity"], opening.facts["priority"]) == ("2", "2-plus")
        assert decided(opening, "priority")[2] == ("IRE-09",)


class TestPriority:
    @pytest.mark.parametrize(
        ("facts", "priority", "clauses"),
        [
            pytest.param({"business_impact": "material"}, "P1", ("SMA-06", "SMA-08"), id="material"),
            pytest.param({"business_impact": "important"}, "P2", ("SMA-06", "SMA-08"), id="important"),
            pytest.param({"business_impact": "moderate"}, "P3", ("SMA-06", "SMA-08"), id="moderate"),
            pytest.param({"business_impact": "slight"}, "P4", ("SMA-06", "SMA-08"), id="slight"),
            pytest.param(
                {"business_impact": "slight", "suggested_priority": "P1"},
                "P4",
                ("SMA-06", "SMA-08"),
                id="a suggestion is verified against the definitions",
            ),
            pytest.param({"suggested_priority": "P2"}, "P2", ("SMA-06",), id="suggested, nothing else known"),
            pytest.param({}, "agreed", ("SMA-09",), id="agreed is the default"),
            pytest.param(
                {"business_impact": "material", "shared_responsibility": True},
                "agreed",
                ("SMA-09",),
                id="shared responsibility is agreed, whatever the impact",
            ),
        ],
    )
    def test_smartcloud_verifies_what_is_suggested(
        self, facts: dict[str, Any], priority: str, clauses: tuple[str, ...]
    ):
        opening = opened("smartcloud", facts, plan="dedicated")
        assert opening.facts["priority"] == priority
        assert decided(opening, "priority")[::2] == (priority, clauses)


class TestAcceptance:
    @pytest.mark.parametrize(
        ("plan", "facts", "at", "refusal"),
        [
            # 2026-05-04 is a Monday; standard hours are 09:00-17:30 in Madrid (UTC+2).
            pytest.param("standard", {"impact": "limited"}, "04T13:00", ("phone_not_included", "IRE-15"), id="std 3"),
            pytest.param("standard", {"impact": "degraded"}, "04T13:00", None, id="standard 2 in hours"),
            pytest.param(
                "standard", {"impact": "stopped"}, "04T15:30", ("outside_hours", "IRE-01"), id="std 1 at close"
            ),
            pytest.param("standard", {"impact": "stopped"}, "04T15:29", None, id="standard 1 a minute before"),
            pytest.param("plus", {"impact": "limited"}, "04T13:00", None, id="plus 3 in hours"),
            pytest.param("plus", {"impact": "limited"}, "04T20:00", ("outside_hours", "IRE-02"), id="plus 3 at night"),
            pytest.param("plus", {"impact": "degraded"}, "04T20:00", None, id="plus 2 at night"),
            pytest.param("vip", {"impact": "stopped"}, "03T02:00", None, id="vip 1 on a Sunday night"),
            pytest.param(
                "vip", {"impact": "question"}, "03T02:00", ("outside_hours", "IRE-02"), id="vip 4 on a Sunday"
            ),
        ],
    )
    def test_ireo_takes_calls_by_plan_severity_and_hours(
        self, plan: str, facts: dict[str, Any], at: str, refusal: tuple[str, str] | None
    ):
        instant = datetime.fromisoformat(f"2026-05-{at}:00+00:00")
        opening = opened("ireo", {"channel": "phone"} | facts, at=instant, plan=plan)
        if refusal is None:
            assert opening.refusal is None
        else:
            assert opening.refusal is not None
            assert opening.refusal.outcome == "refused"
            assert (opening.refusal.reason, opening.refusal.clauses[0]) == refusal
            assert set(opening.refusal.note) >= {"es", "en"}

    @pytest.mark.parametrize("channel", ["email", "portal"])
    def test_ireo_takes_mail_and_portal_at_any_hour(self, channel: str):
        night = datetime(2026, 5, 3, 2, tzinfo=UTC)
        assert opened("ireo", {"channel": channel}, at=night, plan="standard").refusal is None

    @pytest.mark.parametrize(
        ("facts", "terms", "refusal"),
        [
            pytest.param({}, {"plan": "basic"}, None, id="e-mail"),
            pytest.param({"channel": "phone"}, {"plan": "basic"}, ("email_first", "PRO-11"), id="phone before e-mail"),
            pytest.param({"channel": "phone", "existing_ticket": True}, {"plan": "basic"}, None, id="phone after it"),
            pytest.param({"channel": "chat"}, {"plan": "basic"}, ("channel_not_offered", "PRO-10"), id="chat"),
            pytest.param(
                {"channel": "chat", "email_failure": True}, {"plan": "basic"}, None, id="chat as e-mail fails"
            ),
            pytest.param({}, {"plan": "per_event"}, ("purchase_order_required", "PRO-05"), id="per event, no order"),
            pytest.param(
                {"purchase_order": False},
                {"plan": "per_event"},
                ("purchase_order_required", "PRO-05"),
                id="no order yet",
            ),
            pytest.param({"purchase_order": True}, {"plan": "per_event"}, None, id="per event with an order"),
            # The warranty ends at the start of its exclusive last date in Lima: 5 May 00:00 there is 05:00 UTC.
            pytest.param({}, {"plan": "per_event", "warranty_until": date(2026, 5, 5)}, None, id="in warranty"),
            pytest.param(
                {},
                {"plan": "per_event", "warranty_until": date(2026, 5, 4)},
                ("purchase_order_required", "PRO-05"),
                id="a day after the warranty",
            ),
        ],
    )
    def test_prodequa_wants_mail_first_and_an_order(
        self, facts: dict[str, Any], terms: dict[str, Any], refusal: tuple[str, str] | None
    ):
        found = opened("prodequa", facts, **terms).refusal
        assert (found and (found.reason, found.clauses[0])) == refusal

    def test_expande_keeps_mail_of_a_stranger_and_refuses_its_call(self):
        mail = opened("expande", {"authorized": False}, plan="basic").refusal
        call = opened("expande", {"authorized": False, "channel": "phone"}, plan="basic").refusal
        assert mail is not None
        assert call is not None
        assert (mail.outcome, call.outcome) == ("quarantined", "refused")  # EXP-01


class TestContractFacts:
    # The policy's zone decides what day it is: 5 May 2026 begins in Lima (UTC-5) at 05:00 UTC.
    @pytest.mark.parametrize(
        ("at", "in_force"),
        [
            pytest.param(datetime(2026, 5, 5, 4, 59, 59, 999_999, tzinfo=UTC), True, id="the last instant"),
            pytest.param(datetime(2026, 5, 5, 5, tzinfo=UTC), False, id="the end is exclusive"),
        ],
    )
    def test_plan_ends_with_the_day_where_the_policy_is(self, at: datetime, in_force: bool):
        opening = opened("prodequa", {}, at=at, plan="basic", valid_until=date(2026, 5, 5))
        assert opening.facts["plan_in_force"] is in_force

    def test_plan_begins_with_the_day_where_the_policy_is(self):
        before = opened("prodequa", {}, at=datetime(2026, 5, 4, 4, 59, tzinfo=UTC), valid_from=date(2026, 5, 4))
        after = opened("prodequa", {}, at=datetime(2026, 5, 4, 5, tzinfo=UTC), valid_from=date(2026, 5, 4))
        assert (before.facts["plan_in_force"], after.facts["plan_in_force"]) == (False, True)

    @pytest.mark.parametrize(
        ("product", "covered"),
        [pytest.param("erp", True, id="contracted"), pytest.param("other", False, id="not supplied (PRO-08)")],
    )
    def test_covers_contracted_products(self, product: str, covered: bool):
        opening = opened("prodequa", {"product": product}, plan="basic", products=("erp",))
        assert (opening.covered, opening.clocks) == (covered, covered)

    def test_no_contract_is_no_plan_in_force(self):
        opening = decide(policy("prodequa"), given={"channel": "email"}, terms=None, at=MONDAY)
        assert opening.facts["plan_in_force"] is False


class TestCoverage:
    @pytest.mark.parametrize(
        ("name", "facts", "clause"),
        [
            pytest.param("expande", {"cause": "provider_decision"}, "EXP-04", id="EXP-04"),
            pytest.param("expande", {"category": "third_party_integration"}, "EXP-09", id="EXP-09"),
            pytest.param("expande", {"category": "peripherals"}, "EXP-15", id="EXP-15"),
            pytest.param("ireo", {"category": "audit"}, "IRE-16", id="IRE-16"),
            pytest.param("prodequa", {"category": "training"}, "PRO-12", id="PRO-12"),
            pytest.param("smartcloud", {"category": "project"}, "SMA-01", id="SMA-01"),
        ],
    )
    def test_names_the_clause_that_excludes(self, name: str, facts: dict[str, Any], clause: str):
        opening = opened(name, facts)
        value, rule, clauses = decided(opening, "coverage")
        assert (opening.covered, opening.clocks, value, clauses) == (False, False, "out_of_coverage", (clause,))
        assert rule is not None

    def test_silence_covers(self):
        assert decided(opened("expande", {}), "coverage") == ("covered", None, ())


@pytest.mark.parametrize(
    ("name", "admission"),
    [("expande", "not_required"), ("smartcloud", "pending"), ("prodequa", "pending"), ("ireo", "not_required")],
)
def test_only_a_contract_with_gates_waits_for_billing(name: str, admission: str):
    assert opened(name, {}).admission == admission


def test_the_same_request_is_decided_alike():
    facts = {"impact": "degraded", "channel": "phone"}
    assert opened("ireo", facts, plan="plus") == opened("ireo", dict(reversed(facts.items())), plan="plus")


class TestStatedFacts:
    @pytest.mark.parametrize(
        ("stated", "pointers"),
        [
            pytest.param({"partial_interruption_minutes": 46, "sales_impossible": True}, [], id="declared ones"),
            pytest.param({"suggested_severity": "minor", "language": "en"}, [], id="built-in ones"),
            pytest.param({"sales_impossible": "yes"}, ["/facts/sales_impossible"], id="text for a boolean"),
            pytest.param({"sales_impossible": 1}, ["/facts/sales_impossible"], id="a number for a boolean"),
            pytest.param({"blocked_process_minutes": True}, ["/facts/blocked_process_minutes"], id="true is no number"),
            pytest.param({"blocked_process_minutes": "46"}, ["/facts/blocked_process_minutes"], id="text for a number"),
            pytest.param({"suggested_severity": "huge"}, ["/facts/suggested_severity"], id="a severity not listed"),
            pytest.param({"checklist": "partly"}, ["/facts/checklist"], id="a value not listed"),
            pytest.param({"severity": "critical"}, ["/facts/severity"], id="decided, not stated"),
            pytest.param({"plan": "enterprise_premium"}, ["/facts/plan"], id="EXP-06: known from the contract"),
            pytest.param({"authorized": True}, ["/facts/authorized"], id="nobody authorizes itself"),
            pytest.param({"a": 1, "b": 2, "c": 3}, ["/facts/a", "/facts/b", "/facts/c"], id="all at once"),
        ],
    )
    def test_points_at_each_that_cannot_be(self, stated: dict[str, Any], pointers: list[str]):
        assert [fault.pointer for fault in stated_faults(policy("expande"), stated)] == pointers

    def test_names_what_is_known(self):
        [fault] = stated_faults(policy("expande"), {"sales_imposible": True})
        assert "sales_impossible" in fault.message
