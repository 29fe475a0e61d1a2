"""Who may ask by which channel, what a request lacks, and the terms of a contract on a day."""

from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from plazo.kernel.errors import InvalidInput
from plazo.policies import policy_text
from plazo.policy.decide import rule_against_unauthorized
from plazo.policy.document import Policy
from plazo.policy.load import load_policy
from tickets.domain.acceptance import (
    Request,
    is_authorized,
    level_refusal,
    own_refusal,
    refusal_of,
    stated_by_address,
)
from tickets.domain.completeness import answer_faults, clauses_of, completeness
from tickets.domain.opening import decide
from tickets.domain.terms import (
    NothingToRenew,
    Period,
    PurchaseOrder,
    Terms,
    Void,
    contract_faults,
    missing_acceptances,
    renew,
    unstated_terms,
)
from tickets.domain.ticket import Answers

MONDAY = datetime(2026, 5, 4, 13, tzinfo=UTC)


@cache
def policy(name: str) -> Policy:
    return load_policy(policy_text(name))


class TestAuthorized:
    @pytest.mark.parametrize(
        ("contact", "unknown", "has_contacts", "vouched", "authorized"),
        [
            pytest.param(True, False, True, True, True, id="a contact that may ask"),
            pytest.param(True, False, True, False, True, id="also by mail, without a key"),
            pytest.param(False, False, True, True, False, id="one that may not, whatever the key"),
            pytest.param(None, False, True, True, True, id="nobody named: the key stands for it"),
            pytest.param(None, True, True, True, False, id="a name the customer did not give"),
            pytest.param(None, True, False, True, True, id="a customer that gave no names"),
            pytest.param(None, True, False, False, False, id="a stranger's mail to such a customer"),
            pytest.param(None, False, False, False, False, id="mail of nobody"),
        ],
    )
    def test_is_the_right_of_who_asks(
        self, contact: bool | None, unknown: bool, has_contacts: bool, vouched: bool, authorized: bool
    ):
        decided = is_authorized(
            contact_may_ask=contact,
            names_unknown_sender=unknown,
            customer_has_contacts=has_contacts,
            is_vouched_for=vouched,
        )
        assert decided is authorized


class TestLevel:
    @pytest.mark.parametrize(
        ("name", "facts", "channel", "refused"),
        [
            pytest.param("skedu", {"level": 1}, "phone", "not_referred", id="SKE-05: a call at level 1"),
            pytest.param("skedu", {"level": 1}, "video", "not_referred", id="SKE-05: a video call at level 1"),
            pytest.param("skedu", {"level": 2}, "phone", None, id="a call at level 2"),
            pytest.param("skedu", {"level": 3}, "video", None, id="a video call at level 3"),
            pytest.param("skedu", {"level": 1}, "chat", None, id="SKE-04: the chat is for level 1"),
            pytest.param("skedu", {"level": 1}, "email", None, id="no level offers mail: not the level's business"),
            pytest.param(
                "smartcloud", {"level": 1, "authorized": True}, "phone", None, id="nor a policy without levels"
            ),
            pytest.param("prodequa", {"level": 1}, "phone", None, id="PRO-11: there is a ticket"),
        ],
    )
    def test_refuses_a_call_that_only_a_higher_level_takes(
        self, name: str, facts: dict[str, Any], channel: str, refused: str | None
    ):
        found = level_refusal(policy(name), facts, channel=channel)
        assert (found and found.reason) == refused


class TestAnswering:
    @pytest.mark.parametrize(
        ("name", "facts", "clauses"),
        [
            pytest.param("expande", {"channel": "portal"}, ("EXP-01",), id="EXP-01: only who is authorized"),
            pytest.param("smartcloud", {"channel": "portal"}, ("SMA-02",), id="SMA-02: the same"),
            pytest.param("ireo", {"channel": "portal"}, None, id="a policy that does not ask who"),
            pytest.param(
                "smartcloud", {"channel": "chat"}, ("SMA-02",), id="a channel that is not offered is no right"
            ),
            pytest.param("expande", {"channel": "webhook"}, ("EXP-01",), id="nor one that monitoring uses"),
            pytest.param("prodequa", {"channel": "email"}, None, id="mail that anybody may send"),
        ],
    )
    def test_needs_authorization_where_the_policy_asks_for_it(
        self, name: str, facts: dict[str, Any], clauses: tuple[str, ...] | None
    ):
        found = refusal_of(rule_against_unauthorized(policy(name), facts))
        assert (found and found.clauses) == clauses

    @pytest.mark.parametrize(
        ("facts", "clauses"),
        [
            pytest.param({"plan": "per_event", "channel": "email"}, ("PRO-05",), id="PRO-05: an event needs an order"),
            pytest.param({"plan": "per_event", "channel": "api"}, ("PRO-05",), id="by whatever channel"),
            pytest.param(
                {"plan": "per_event", "channel": "phone", "existing_ticket": True},
                ("PRO-05",),
                id="with a ticket already",
            ),
            pytest.param(
                {"plan": "per_event", "channel": "chat", "email_failure": True}, ("PRO-05",), id="without mail"
            ),
            pytest.param({"plan": "per_event", "channel": "api", "purchase_order": True}, None, id="there is one"),
            pytest.param({"plan": "per_event", "channel": "phone", "warranty": True}, None, id="PRO-03: in warranty"),
            pytest.param({"plan": "basic", "channel": "api", "existing_ticket": True}, None, id="another plan"),
        ],
    )
    def test_needs_an_order_where_the_policy_asks_for_one(self, facts: dict[str, Any], clauses: tuple[str, ...] | None):
        found = own_refusal(policy("prodequa"), facts, by_contact=True)
        assert (found and found.clauses) == clauses

    @pytest.mark.parametrize(("by_contact", "clauses"), [(True, ("EXP-01",)), (False, None)])
    def test_is_asked_of_the_contact_whose_key_it_is(self, by_contact: bool, clauses: tuple[str, ...] | None):
        facts = {"channel": "webhook", "authorized": False}
        found = own_refusal(policy("expande"), facts, by_contact=by_contact)
        assert (found and found.clauses) == clauses
        assert own_refusal(policy("expande"), facts | {"authorized": True}, by_contact=by_contact) is None


class TestAddress:
    @pytest.mark.parametrize(
        ("name", "address", "facts"),
        [
            pytest.param("skedu", "Contracts@Skedu.example.com", {"category": "contracts"}, id="SKE-08"),
            pytest.param("expande", "cloud@expande.example.com", {"component": "cloud"}, id="EXP-12"),
            pytest.param("expande", "other@expande.example.com", {}, id="another"),
            pytest.param("expande", None, {}, id="none"),
        ],
    )
    def test_states_facts(self, name: str, address: str | None, facts: dict[str, Any]):
        assert stated_by_address(policy(name), address) == facts


STEPS = ("affected_users", "knowledge_base", "recreated", "network_checked")


class TestCompleteness:
    @pytest.mark.parametrize(
        ("answers", "stated", "missing"),
        [
            pytest.param({}, {}, STEPS, id="EXP-10: nothing answered"),
            pytest.param(dict.fromkeys(STEPS, True), {}, (), id="all four tried"),
            pytest.param(dict.fromkeys(STEPS, True) | {"recreated": False}, {}, ("recreated",), id="one not tried"),
            pytest.param({}, {"checklist": "complete"}, (), id="stated as a whole"),
            pytest.param({"recreated": True}, {"checklist": "complete"}, (*STEPS[:2], STEPS[3]), id="answers win"),
        ],
    )
    def test_checklist_names_the_steps_not_tried(
        self, answers: dict[str, bool], stated: dict[str, Any], missing: tuple[str, ...]
    ):
        found = completeness(policy("expande"), answers=Answers(checklist=answers), facts=stated)
        assert tuple(one.name for one in found.missing_steps) == missing
        assert found.checklist == ("incomplete" if missing else "complete")
        assert found.flags == (("checklist_incomplete",) if missing else ())
        assert clauses_of(found.missing_steps) == (("EXP-10",) if missing else ())

    @pytest.mark.parametrize(
        ("facts", "parts", "missing"),
        [
            pytest.param(
                {"channel": "email"},
                {},
                ["expected_result", "suggested_priority", "category", "business_impact"],
                id="SMA-04: an e-mail states the impact too",
            ),
            pytest.param({"channel": "portal"}, {}, ["expected_result", "suggested_priority", "category"], id="portal"),
            pytest.param(
                {"channel": "portal", "suggested_priority": "P2", "category": "mail"},
                {"expected_result": "Que salga"},
                [],
                id="known facts and given texts are there",
            ),
        ],
    )
    def test_parts_are_asked_for_by_channel(self, facts: dict[str, Any], parts: dict[str, str], missing: list[str]):
        found = completeness(policy("smartcloud"), answers=Answers(parts=parts), facts=facts)
        assert [one.name for one in found.missing_parts] == missing

    def test_answers_to_what_nobody_asked_are_faults(self):
        faults = answer_faults(policy("expande"), Answers(parts={"image": "x"}, checklist={"rebooted": True}))
        assert [fault.pointer for fault in faults] == ["/checklist/rebooted", "/parts/image"]

    @given(st.dictionaries(st.sampled_from(STEPS), st.booleans()))
    def test_trying_more_never_lacks_more(self, checklist: dict[str, bool]):
        before = completeness(policy("expande"), answers=Answers(checklist=checklist), facts={})
        after = completeness(policy("expande"), answers=Answers(checklist=checklist | {"recreated": True}), facts={})
        names = [{one.name for one in found.missing_steps} for found in (before, after)]
        assert names[1] == names[0] - {"recreated"}


class TestProvisional:
    @pytest.mark.parametrize(
        ("facts", "provisional"),
        [
            pytest.param({"channel": "email", "impact": "stopped"}, True, id="IRE-14: severity 1 by mail"),
            pytest.param({"channel": "portal", "impact": "degraded"}, True, id="severity 2 by the portal"),
            pytest.param({"channel": "email", "impact": "limited"}, False, id="severity 3"),
            pytest.param({"channel": "phone", "impact": "stopped"}, False, id="by phone at once"),
        ],
    )
    def test_severity_of_a_written_report_waits_for_the_call(self, facts: dict[str, Any], provisional: bool):
        decided = decide(policy("ireo"), given={"plan": "vip"} | facts, terms=None, at=MONDAY)
        assert decided.is_provisional is provisional


DAY = date(2026, 5, 4)
ENDED = Period(date(2025, 5, 4), DAY)


class TestRenewal:
    @pytest.mark.parametrize(
        ("valid_from", "valid_until", "expected"),
        [
            pytest.param(None, date(2027, 5, 4), (Period(date(2025, 5, 4), date(2027, 5, 4)), None), id="prolonged"),
            pytest.param(None, None, (Period(date(2025, 5, 4), None), None), id="without an end"),
            pytest.param(DAY, None, (Period(date(2025, 5, 4), None), None), id="from the very end: no gap"),
            pytest.param(
                date(2026, 6, 1),
                date(2027, 6, 1),
                (Period(date(2026, 6, 1), date(2027, 6, 1)), ENDED),
                id="after a gap the first is kept",
            ),
        ],
    )
    def test_gives_the_next_validity(
        self, valid_from: date | None, valid_until: date | None, expected: tuple[Any, Any]
    ):
        assert renew(ENDED, valid_from=valid_from, valid_until=valid_until) == expected

    @pytest.mark.parametrize(
        ("valid_from", "valid_until"),
        [
            pytest.param(None, DAY, id="no further"),
            pytest.param(date(2026, 6, 1), date(2026, 6, 1), id="no day long"),
            pytest.param(date(2025, 6, 1), date(2026, 5, 3), id="shorter"),
        ],
    )
    def test_must_reach_further(self, valid_from: date | None, valid_until: date):
        with pytest.raises(InvalidInput):
            renew(ENDED, valid_from=valid_from, valid_until=valid_until)

    def test_of_a_contract_without_an_end_is_none(self):
        with pytest.raises(NothingToRenew):
            renew(Period(DAY, None), valid_from=None, valid_until=None)

    @given(st.dates(), st.dates(), st.none() | st.dates(), st.none() | st.dates())
    def test_never_loses_a_valid_day(self, begin: date, end: date, valid_from: date | None, valid_until: date | None):
        current = Period(begin, end)
        try:
            period, ended = renew(current, valid_from=valid_from, valid_until=valid_until)
        except InvalidInput:
            return
        for day in (begin, end, valid_from or begin):
            if current.contains(day):
                assert period.contains(day) or (ended is not None and ended.contains(day))


@pytest.mark.parametrize(
    ("order", "is_open"),
    [
        pytest.param(PurchaseOrder("1", Period(DAY, None), None, 99), True, id="any number of events"),
        pytest.param(PurchaseOrder("1", Period(DAY, None), 2, 1), True, id="one event left"),
        pytest.param(PurchaseOrder("1", Period(DAY, None), 2, 2), False, id="used up"),
        pytest.param(PurchaseOrder("1", Period(date(2026, 5, 5), None), 2, 0), False, id="not begun"),
        pytest.param(PurchaseOrder("1", Period(date(2026, 1, 1), DAY), 2, 0), False, id="the end is exclusive"),
    ],
)
def test_order_is_open_within_its_days_and_events(order: PurchaseOrder, is_open: bool):
    assert order.is_open(DAY) is is_open


class TestVoid:
    @pytest.mark.parametrize(
        ("product", "begin", "end", "covered"),
        [
            pytest.param("sage", DAY, None, False, id="IRE-18: voided on the day of the opening"),
            pytest.param("sage", date(2026, 5, 5), None, True, id="voided from the next day on"),
            pytest.param("sage", date(2026, 5, 1), DAY, True, id="lifted from the day on"),
            pytest.param("sage", DAY, DAY, True, id="a void that was a mistake"),
            pytest.param("netsuite", DAY, None, True, id="another product"),
        ],
    )
    def test_counts_on_its_days_for_its_product(self, product: str, begin: date, end: date | None, covered: bool):
        terms = Terms("plus", "plan", ("sage",), DAY, None, None, voids=(Void(product, Period(begin, end)),))
        decided = decide(policy("ireo"), given={"channel": "email", "product": "sage"}, terms=terms, at=MONDAY)
        assert (decided.covered, decided.clocks) == (covered, covered)
        assert decided.coverage.clauses == (() if covered else ("IRE-18",))


class TestContract:
    def test_faults_come_all_at_once(self):
        faults = contract_faults(
            policy("prodequa"),
            plan="gold",
            arrangement="lease",
            products=["erp", "crm"],
            period=Period(DAY, DAY),
            catalog={"erp"},
        )
        assert [fault.pointer for fault in faults] == ["/plan", "/arrangement", "/valid_until", "/products/1"]
        assert faults[1].clause == "PRO-02, PRO-21"

    def test_says_what_it_does_not_state(self):
        assert unstated_terms(policy("prodequa"), plan=None, products=[], account=None) == ["plan", "products"]
        assert unstated_terms(policy("skedu"), plan=None, products=[], account=None) == ["account"]  # SKE-01

    def test_says_what_nobody_accepted(self):
        assert missing_acceptances(policy("smartcloud"), ()) == ["scope_of_change"]  # SMA-20
        assert missing_acceptances(policy("smartcloud"), {"scope_of_change"}) == []
        assert missing_acceptances(policy("expande"), ()) == []


def test_kept_request_is_read_as_it_was_written():
    adapter = TypeAdapter(Request)
    request = Request(
        subject="a",
        description="b",
        channel="email",
        facts={"a": True, "b": 46, "c": "x"},
        received_at=MONDAY,
        checklist={"recreated": True},
        source={"message_id": "<1@example.com>"},
    )
    assert adapter.validate_python(adapter.dump_python(request, mode="json")) == request
