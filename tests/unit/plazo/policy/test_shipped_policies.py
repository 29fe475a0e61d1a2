"""The five contracts: they load, they hold together, and they decide what the clauses say."""

from datetime import UTC, datetime

import pytest

from plazo.calendar import compile_calendar, parse_target
from plazo.policies import policy_names, policy_text
from plazo.policy import (
    CLAUSES,
    Place,
    Policy,
    calendar_of,
    check_text,
    clauses_of,
    first_for_kind,
    first_match,
    load_policy,
    policy_from_json,
    target_for,
    target_rule,
)

NOW = datetime(2026, 5, 4, tzinfo=UTC)
POLICIES = {name: load_policy(policy_text(name), source=f"{name}.yaml") for name in policy_names()}


def due(policy: str, facts: dict, kind: str, start: str, *, customer: Place | None = None) -> str:
    decision = target_for(POLICIES[policy], kind, facts)
    calendar = compile_calendar(calendar_of(POLICIES[policy], decision.calendar, customer=customer))
    return calendar.due(datetime.fromisoformat(start), parse_target(decision.target)).isoformat()


def test_there_are_the_five_contracts():
    assert policy_names() == ("expande", "ireo", "prodequa", "skedu", "smartcloud")


def test_an_unknown_document_is_named():
    with pytest.raises(KeyError, match="expected one of expande"):
        policy_text("nobody")


@pytest.mark.parametrize("name", policy_names())
class TestEachContract:
    def test_has_neither_errors_nor_warnings(self, name):
        found = [one for one in check_text(policy_text(name), now=NOW) if one.severity != "info"]

        assert found == []

    def test_cites_every_clause_that_is_its_matter(self, name):
        text = policy_text(name)
        uncited = [one.id for one in clauses_of(POLICIES[name].clauses) if one.id not in text]

        assert [one for one in uncited if CLAUSES[one].matter == "document"] == []

    def test_travels_as_json(self, name):
        document = POLICIES[name].model_dump(mode="json")

        assert Policy.model_validate(document) == POLICIES[name]
        assert policy_from_json(document) == POLICIES[name]

    def test_has_calendars_that_open(self, name):
        now = datetime(2026, 5, 4, tzinfo=UTC)

        for calendar in POLICIES[name].calendars:
            assert compile_calendar(calendar_of(POLICIES[name], calendar)).next_opening(now) >= now

    def test_has_only_example_addresses(self, name):
        words = policy_text(name).replace(",", " ").replace("}", " ").split()

        assert [one for one in words if "@" in one and not one.endswith(".example.com")] == []


@pytest.mark.parametrize(
    ("facts", "severity"),
    [
        pytest.param({}, "minor", id="nothing reported"),
        pytest.param({"sales_impossible": True}, "critical", id="sales impossible"),
        pytest.param({"sales_impossible": False}, "minor", id="sales possible"),
        pytest.param({"server_down": True, "random_errors": True}, "critical", id="the graver one first"),
        pytest.param({"random_errors": True}, "semi_critical", id="random errors"),
        pytest.param({"partial_interruption_minutes": 45}, "minor", id="45 is not over 45"),
        pytest.param({"partial_interruption_minutes": 46}, "semi_critical", id="46 is over 45"),
        pytest.param({"blocked_process_minutes": 46}, "semi_critical", id="blocked for 46"),
        pytest.param({"partial_interruption_minutes": None}, "minor", id="unknown is no match"),
    ],
)
def test_exp_03_classifies_severity(facts, severity):
    match = first_match(POLICIES["expande"].severity, facts)

    assert (match.rule.value, match.rule.clause) == (severity, ("EXP-03",))


@pytest.mark.parametrize(
    ("facts", "calendar"),
    [
        pytest.param({"language": "en"}, "around_the_clock", id="EXP-11 in English"),
        pytest.param({"language": "es"}, "level_1_spanish", id="EXP-11 in Spanish"),
        pytest.param({"language": "es", "component": "cloud"}, "around_the_clock", id="EXP-12 cloud"),
        pytest.param(
            {"plan": "enterprise_premium", "component": "cloud"}, "around_the_clock", id="EXP-12 whatever the plan"
        ),
        pytest.param({"language": "en", "level": 3}, "level_3", id="EXP-13 level 3"),
        pytest.param({"language": "es", "level": 3, "sales_impossible": True}, "level_3_sales", id="EXP-14 no sales"),
        pytest.param(
            {"plan": "basic", "category": "customer_success"}, "level_1_spanish", id="EXP-16 not without the plan"
        ),
        pytest.param(
            {"plan": "enterprise_premium", "category": "customer_success"}, "customer_success", id="EXP-16 with it"
        ),
    ],
)
def test_expande_chooses_the_calendar(facts, calendar):
    assert target_for(
        POLICIES["expande"], "resolution", {"plan": "basic", "severity": "critical"} | facts
    ).calendar == (calendar)


@pytest.mark.parametrize(
    ("customer", "expected"),
    [
        # 15:00Z is 16:00 in Madrid: 2 h until 18:00 on Friday, and 6 h more on Monday from 09:30, to 15:30 (14:30Z)
        pytest.param(None, "2026-01-12T14:30:00+00:00", id="without a place the provider's"),
        # 15:00Z is 10:00 in Lima: 8 h, to 18:00 (23:00Z)
        pytest.param(Place("America/Lima"), "2026-01-09T23:00:00+00:00", id="in Lima"),
    ],
)
def test_exp_16_counts_in_the_customer_s_place(customer, expected):
    facts = {"plan": "enterprise_premium", "category": "customer_success", "severity": "minor"}

    assert due("expande", facts, "first_response", "2026-01-09T15:00:00+00:00", customer=customer) == expected


def test_exp_16_counts_without_the_customer_s_holidays():
    # 2 May 2025 is a Friday and a holiday in Madrid: 09:00Z is 11:00 there; 8 h from Monday 09:30, to 17:30 (15:30Z)
    facts = {"plan": "enterprise_premium", "category": "customer_success", "severity": "minor"}
    madrid = Place("Europe/Madrid", "es-md")

    assert due("expande", facts, "first_response", "2025-05-02T09:00:00+00:00", customer=madrid) == (
        "2025-05-05T15:30:00+00:00"
    )


@pytest.mark.parametrize(
    ("plan", "severity", "priority"),
    [
        pytest.param("vip", 1, "1-vip", id="VIP first"),
        pytest.param("plus", "2", "2-plus", id="a severity may be text"),
        pytest.param("standard", 4, "4-standard", id="Standard last"),
    ],
)
def test_ire_09_assigns_priority_from_plan_and_severity(plan, severity, priority):
    facts = {"plan": plan, "severity": severity}

    assert first_match(POLICIES["ireo"].priority, facts).rule.value == priority


def test_ire_03_orders_the_queue_by_severity_then_plan():
    names = [grade.name for grade in POLICIES["ireo"].priorities]

    assert names == [f"{severity}-{plan}" for severity in range(1, 5) for plan in ("vip", "plus", "standard")]


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param(
            {"plan": "plus", "severity": 3, "hours": "out"}, ("refuse", "outside_hours"), id="IRE-02 severity 3"
        ),
        pytest.param({"plan": "plus", "severity": 2, "hours": "out"}, (True, None), id="IRE-02 severity 2"),
        pytest.param({"plan": "standard", "severity": 3, "hours": "in"}, ("refuse", "phone_not_included"), id="IRE-15"),
        pytest.param({"plan": "standard", "severity": 1, "hours": "in"}, (True, None), id="IRE-15 severity 1"),
        pytest.param({"plan": "vip", "severity": 1, "hours": "out"}, (True, None), id="IRE-04 at any hour"),
    ],
)
def test_ireo_takes_calls(facts, expected):
    rule = first_match(POLICIES["ireo"].intake.acceptance, {"channel": "phone"} | facts).rule

    assert (rule.accept, rule.reason) == expected


@pytest.mark.parametrize(
    ("start", "facts", "expected"),
    [
        # Thursday 30 April 16:00 (14:00Z): 1.5 h; 1 and 2 May are holidays; Monday 4 May 2.5 h, to 11:30 (09:30Z)
        pytest.param("2026-04-30T14:00:00+00:00", {"plan": "standard"}, "2026-05-04T09:30:00+00:00", id="IRE-01 2 May"),
        # Thursday 14 May 16:30 (14:30Z): 1 h; Friday 15 is San Isidro; Monday 3 h, to 12:00 (10:00Z)
        pytest.param("2026-05-14T14:30:00+00:00", {"plan": "standard"}, "2026-05-18T10:00:00+00:00", id="IRE-01 local"),
        # 25 December 10:00Z and 4 h
        pytest.param("2026-12-25T10:00:00+00:00", {"plan": "vip"}, "2026-12-25T14:00:00+00:00", id="IRE-04 Christmas"),
    ],
)
def test_ireo_resolves_severity_1_in_4_hours(start, facts, expected):
    decision = target_for(POLICIES["ireo"], "resolution", {"severity": 1} | facts)

    assert (decision.target, decision.commitment) == ("4h", "objective")
    assert due("ireo", {"severity": 1} | facts, "resolution", start) == expected


def test_ire_17_promises_no_resolution_of_a_feature_request():
    facts = {"plan": "vip", "severity": 2, "type": "feature_request"}

    assert target_for(POLICIES["ireo"], "resolution", facts) is None
    assert target_rule(POLICIES["ireo"], "resolution", facts).rule.clause == ("IRE-17",)
    assert target_for(POLICIES["ireo"], "first_response", facts).target == "4h"


@pytest.mark.parametrize(
    ("severity", "target", "expected"),
    [
        # Friday 16 January 2026 18:00 in Lima (23:00Z): 6 h to midnight (05:00Z)
        pytest.param(1, "6h", "2026-01-17T05:00:00+00:00", id="severity 1"),
        # the same and 2 h of Monday
        pytest.param(2, "8h", "2026-01-19T07:00:00+00:00", id="severity 2"),
        # 18 h of Monday
        pytest.param(3, "24h", "2026-01-19T23:00:00+00:00", id="severity 3"),
        # 24 h of Monday and 6 h of Tuesday
        pytest.param(4, "36h", "2026-01-20T11:00:00+00:00", id="severity 4"),
    ],
)
def test_pro_14_responds_by_severity(severity, target, expected):
    decision = target_for(POLICIES["prodequa"], "first_response", {"severity": severity})

    assert (decision.target, decision.on_change) == (target, "retroactive")
    assert "PRO-14" in decision.clause
    assert due("prodequa", {"severity": severity}, "first_response", "2026-01-16T23:00:00+00:00") == expected
    assert target_for(POLICIES["prodequa"], "resolution", {"severity": severity}) is None


def test_pro_14_has_its_other_reading_one_line_away():
    text = policy_text("prodequa")
    other = load_policy(text.replace("use: business_days ", "use: service "))

    # Friday 08:00 in Lima (13:00Z): 4 h to noon, 2 h from 14:00, to 16:00 (21:00Z)
    calendar = compile_calendar(calendar_of(other, "response"))
    assert calendar.due(datetime(2026, 1, 16, 13, tzinfo=UTC), parse_target("6h")) == datetime(
        2026, 1, 16, 21, tzinfo=UTC
    )


def test_exp_11_has_its_other_reading_one_line_away():
    text = policy_text("expande")
    other = load_policy(text.replace("timezone: Europe/Madrid    ", 'timezone: "+01:00"    '))

    # 08:00 at +01:00 is 07:00Z in July too; in Madrid it was 06:00Z
    night = datetime(2026, 7, 6, 3, tzinfo=UTC)
    opens = [
        compile_calendar(calendar_of(one, "level_1_spanish")).next_opening(night).hour
        for one in (POLICIES["expande"], other)
    ]
    assert opens == [6, 7]


@pytest.mark.parametrize(
    ("warranty", "cause", "charge"),
    [
        pytest.param(True, "defect", False, id="PRO-03 within the warranty"),
        pytest.param(False, "defect", True, id="PRO-04 after it"),
        pytest.param(True, "misuse", True, id="PRO-04 misuse within"),
        pytest.param(False, "third_party_change", True, id="PRO-04 changes by others"),
    ],
)
def test_prodequa_charges(warranty, cause, charge):
    facts = {"plan": "basic", "warranty": warranty, "cause": cause}

    assert first_match(POLICIES["prodequa"].billing.work, facts).rule.charge is charge


def test_pro_15_is_not_met_by_an_internal_note():
    stops = POLICIES["prodequa"].stops

    assert first_for_kind(stops, "first_response", {"activity": "internal_note"}) is None
    assert first_for_kind(stops, "first_response", {"activity": "call"}).rule.clause == ("PRO-15",)


@pytest.mark.parametrize(
    ("urgency", "row"),
    [
        pytest.param("high", ["urgent", "high", "high"], id="high urgency"),
        pytest.param("medium", ["high", "normal", "normal"], id="medium urgency"),
        pytest.param("low", ["normal", "low", "low"], id="low urgency"),
    ],
)
def test_ske_09_takes_priority_from_complexity_and_urgency(urgency, row):
    facts = [{"urgency": urgency, "complexity": complexity} for complexity in ("high", "medium", "low")]

    assert [first_match(POLICIES["skedu"].priority, one).rule.value for one in facts] == row


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        # Tuesday 10:00 at -04:00: the end of service on Wednesday, 18:00 (22:00Z)
        pytest.param("2026-05-05T14:00:00+00:00", "2026-05-06T22:00:00+00:00", id="in hours"),
        # Friday 20:00 starts on Monday: Tuesday 18:00
        pytest.param("2026-05-09T00:00:00+00:00", "2026-05-12T22:00:00+00:00", id="out of hours"),
        # 18 September is a holiday, a Friday: Thursday 17 leads to Monday 21
        pytest.param("2026-09-17T14:00:00+00:00", "2026-09-21T22:00:00+00:00", id="over the holidays"),
    ],
)
def test_ske_11_replies_within_a_business_day(start, expected):
    assert due("skedu", {}, "first_response", start) == expected


@pytest.mark.parametrize(
    ("priority", "first_response", "resolution"),
    [
        pytest.param("P1", "4h", "24h", id="P1"),
        pytest.param("P2", "24h", "48h", id="P2"),
        pytest.param("P3", "48h", "72h", id="P3"),
        pytest.param("P4", "48h", "72h", id="P4"),
    ],
)
def test_sma_10_promises_by_priority(priority, first_response, resolution):
    decisions = [
        target_for(POLICIES["smartcloud"], kind, {"priority": priority}) for kind in ("first_response", "resolution")
    ]

    assert [(one.target, one.calendar, one.clause) for one in decisions] == [
        (first_response, "elapsed", ("SMA-10",)),
        (resolution, "elapsed", ("SMA-10",)),
    ]


def test_sma_09_promises_nothing_for_the_agreed_priority():
    assert first_match(POLICIES["smartcloud"].priority, {}).rule.value == "agreed"
    assert target_for(POLICIES["smartcloud"], "resolution", {"priority": "agreed"}) is None
    assert target_rule(POLICIES["smartcloud"], "resolution", {"priority": "agreed"}).rule.clause == ("SMA-09",)


def test_a_reading_comes_with_the_target():
    decision = target_for(POLICIES["ireo"], "resolution", {"plan": "plus", "severity": 1})

    assert decision.reading.why.startswith("The tables are images")
