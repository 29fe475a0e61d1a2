"""Clocks as folds over what happened: each due instant is a sum that stands beside it."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from plazo.calendar import NeverDue
from plazo.kernel.time import parse_instant
from plazo.policy import Place
from sla_clock.domain import facts as f
from sla_clock.domain.explanation import explain, explanation_text
from sla_clock.domain.fold import fold, next_instant
from sla_clock.domain.preview import forecast
from sla_clock.domain.terms import Terms

TICKET = UUID(int=1)
MONDAY = datetime(2026, 5, 4, 9, tzinfo=UTC)
LATER = timedelta(days=400)


def hour(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


def story(*happened):
    """Facts from (hours after Monday 09:00 UTC, what), announced in that order."""
    return [f.Fact(hour(hours), version, what) for version, (hours, what) in enumerate(happened, 1)]


def opened(*, clocks=True, pending=False, **facts):
    return f.Opened(facts, clocks, pending)


def clocks_at(facts, terms, at):
    return {(clock.kind, clock.cycle): clock for clock in fold(TICKET, facts, terms, at=at)}


@pytest.fixture
def terms(everything):
    return Terms(everything)


# --- the five contracts ----------------------------------------------------------------------------------------------

FIRST_RESPONSES = [
    # 08–17 on weekdays: 16:30–17:00 on Friday is 30 min, Monday 08:00–08:30 the other 30; Madrid is UTC+2 in May
    (
        "expande",
        {"severity": "critical", "language": "es", "plan": "basic"},
        "2026-05-08T14:30:00Z",
        "2026-05-11T06:30:00Z",
    ),
    # English is served around the clock: 14:30 + 1 h
    (
        "expande",
        {"severity": "critical", "language": "en", "plan": "basic"},
        "2026-05-08T14:30:00Z",
        "2026-05-08T15:30:00Z",
    ),
    # Thursday 30 April 17:00–17:30 is 30 min; 1 May holiday, weekend; Monday 4 May 09:00–09:30 the other 30
    ("ireo", {"plan": "standard", "severity": 1}, "2026-04-30T15:00:00Z", "2026-05-04T07:30:00Z"),
    # VIP, severity 1: around the clock, on 25 December as well
    ("ireo", {"plan": "vip", "severity": 1}, "2026-12-25T03:00:00Z", "2026-12-25T04:00:00Z"),
    # Lima is UTC-5: Friday 20:00–24:00 is 4 h, Monday 00:00–04:00 the other 4 of 8
    ("prodequa", {"severity": 2}, "2026-05-09T01:00:00Z", "2026-05-11T09:00:00Z"),
    # Friday 10:00 (-04:00); the next business day is Monday, service ends at 18:00
    ("skedu", {}, "2026-05-08T14:00:00Z", "2026-05-11T22:00:00Z"),
    # Friday 18:30 is after hours: starts on Monday, so due at the end of Tuesday
    ("skedu", {}, "2026-05-08T22:30:00Z", "2026-05-12T22:00:00Z"),
    # elapsed time: Saturday 03:00 + 4 h
    ("smartcloud", {"priority": "P1"}, "2026-05-09T03:00:00Z", "2026-05-09T07:00:00Z"),
    # + 48 h
    ("smartcloud", {"priority": "P4"}, "2026-05-09T03:00:00Z", "2026-05-11T03:00:00Z"),
]


@pytest.mark.parametrize(
    ("policy", "facts", "start", "due"),
    FIRST_RESPONSES,
    ids=[f"{one[0]}-{one[2]}-{n}" for n, one in enumerate(FIRST_RESPONSES)],
)
def test_first_response_is_due(shipped, policy, facts, start, due):
    at = parse_instant(start)
    clocks = clocks_at([f.Fact(at, 1, f.Opened(facts, True, False))], Terms(shipped[policy]), at)
    assert clocks["first_response", 1].due_at == parse_instant(due)


def test_agreed_priority_promises_nothing(shipped):
    facts = [f.Fact(MONDAY, 1, opened(priority="agreed"))]
    assert clocks_at(facts, Terms(shipped["smartcloud"]), MONDAY) == {}


def test_customer_success_is_counted_where_the_customer_is(shipped):
    facts = [f.Fact(MONDAY, 1, opened(category="customer_success", plan="enterprise_premium", severity="minor"))]
    lima = Terms(shipped["expande"], Place("America/Lima"))
    # 09:30–18:00 in Lima is 14:30–23:00 UTC: 8 h from the opening of service at 14:30
    assert clocks_at(facts, lima, MONDAY)["first_response", 1].due_at == parse_instant("2026-05-04T22:30:00Z")


# --- stopping --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answers", "state"),
    [
        pytest.param([], "breached", id="nobody answers: due 2 h after the opening"),
        pytest.param([(1, "internal_note")], "breached", id="a note is no answer"),
        pytest.param([(1, "receipt")], "breached", id="a receipt is none either"),
        pytest.param([(1, "reply")], "met", id="a reply in time"),
        pytest.param([(2, "call")], "met", id="a call at the due instant is in time"),
        pytest.param([(2.001, "call")], "missed", id="a call after it is not"),
        pytest.param([(3, "reply"), (1, "reply")], "met", id="the earlier reply counts, whenever it was learnt"),
    ],
)
def test_first_response_ends(terms, answers, state):
    facts = story((0, opened(severity=1)), *((at, f.Answered(activity, "email")) for at, activity in answers))
    clock = clocks_at(facts, terms, hour(9))["first_response", 1]
    assert clock.state == state
    assert clock.breached_at == (None if state == "met" else hour(2))


def test_breach_begins_at_the_due_instant(terms):
    facts = story((0, opened(severity=1)))
    just_before = hour(2) - timedelta(microseconds=1)
    assert clocks_at(facts, terms, just_before)["first_response", 1].state == "running"
    assert clocks_at(facts, terms, hour(2))["first_response", 1].state == "breached"


def test_next_reply_is_owed_from_the_first_unanswered_message(terms):
    facts = story(
        (0, opened(severity=1)),
        (0.5, f.CustomerReplied()),  # belongs to the first response, still owed
        (1, f.Answered("reply", "email")),
        (3, f.CustomerReplied()),
        (4, f.CustomerReplied()),
        (4.5, f.Answered("reply", "email")),
        (6, f.CustomerReplied()),
    )
    clocks = clocks_at(facts, terms, hour(7))
    assert (clocks["next_reply", 1].started_at, clocks["next_reply", 1].due_at) == (hour(3), hour(5))  # 3 h + 2 h
    assert clocks["next_reply", 1].state == "met"
    assert clocks["next_reply", 2].due_at == hour(8)  # 6 h + 2 h
    assert ("next_reply", 3) not in clocks


def test_periodic_update_begins_anew_with_every_answer(terms):
    facts = story((0, opened(severity=1)), (3, f.Answered("reply", "email")), (8, f.Answered("call", "phone")))
    clocks = clocks_at(facts, terms, hour(8))
    states = [(clocks["periodic_update", n].due_at, clocks["periodic_update", n].state) for n in (1, 2, 3)]
    assert states == [(hour(4), "met"), (hour(7), "missed"), (hour(12), "running")]  # each 4 h


def test_reopening_begins_the_next_cycle_and_keeps_the_first(terms):
    facts = story((0, opened(severity=1)), (9, f.Resolved()), (20, f.Reopened(2)), (21, f.Resolved()))
    clocks = clocks_at(facts, terms, hour(30))
    assert (clocks["resolution", 1].state, clocks["resolution", 1].breached_at) == ("missed", hour(8))
    assert (clocks["resolution", 2].state, clocks["resolution", 2].due_at) == ("met", hour(28))  # 20 h + 8 h


def test_reopening_gives_clocks_to_what_was_over_when_it_came(terms):
    facts = story((0, opened(clocks=False, severity=1)), (9, f.Resolved()), (20, f.Reopened(2, clocks=True)))
    changed = [*facts, f.Fact(hour(21), 4, f.FactsChanged({"severity": 1, "category": "x"}, ("category",)))]
    for known in (facts, changed):
        clocks = clocks_at(known, terms, hour(22))
        assert ("resolution", 1) not in clocks
        assert (clocks["resolution", 2].state, clocks["resolution", 2].due_at) == ("running", hour(28))  # 20 h + 8 h
    silent = story((0, opened(clocks=False, severity=1)), (9, f.Resolved()), (20, f.Reopened(2)))
    assert clocks_at(silent, terms, hour(22)) == {}


@pytest.mark.parametrize(
    ("closed", "state"), [(7, "cancelled"), (9, "missed")], ids=["before it is due", "after it was broken"]
)
def test_abandoned_ticket(terms, closed, state):
    facts = story((0, opened(severity=1)), (closed, f.Closed("abandoned")))
    assert clocks_at(facts, terms, hour(30))["resolution", 1].state == state


# --- pauses ----------------------------------------------------------------------------------------------------------


def test_waits_that_overlap_are_left_out_once(terms):
    facts = story(
        (0, opened(severity=1)),
        (2, f.WaitStarted("customer")),
        (3, f.WaitStarted("vendor")),
        (5, f.WaitEnded("customer")),
        (6, f.WaitEnded("vendor")),
    )
    assert clocks_at(facts, terms, hour(4))["resolution", 1].due_at is None
    assert clocks_at(facts, terms, hour(5))["resolution", 1].state == "paused"
    clock = clocks_at(facts, terms, hour(6))["resolution", 1]
    assert clock.due_at == hour(12)  # 8 h + the 4 h from 2 to 6
    assert [(change.due_at, change.because) for change in clock.history] == [
        (hour(8), "started"),
        (None, "wait_started"),
        (hour(12), "wait_ended"),
    ]
    assert clocks_at(facts, terms, hour(6))["first_response", 1].due_at == hour(2)  # the policy pauses it for nothing


def test_wait_that_begins_after_the_breach_changes_nothing(terms):
    facts = story((0, opened(severity=1)), (9, f.WaitStarted("customer")))
    clock = clocks_at(facts, terms, hour(10))["resolution", 1]
    assert (clock.state, clock.due_at) == ("breached", hour(8))


def test_warnings_move_with_the_pauses(terms):
    facts = story((0, opened(severity=1)), (5, f.WaitStarted("customer")), (6, f.WaitEnded("customer")))
    clock = clocks_at(facts, terms, hour(6))["resolution", 1]
    # half of 8 h was used at 4 h, before the pause; an hour before the end is 7 h of work, 8 h with the pause
    assert [(warned.threshold, warned.at) for warned in clock.warnings] == [("50%", hour(4)), ("1h before", hour(8))]


# --- changes ---------------------------------------------------------------------------------------------------------


def test_change_counts_from_the_original_start(terms):
    facts = story((0, opened(severity=2)), (3, f.FactsChanged({"severity": 1}, ("severity",))))
    clock = clocks_at(facts, terms, hour(3))["resolution", 1]
    assert (clock.due_at, clock.version) == (hour(8), 2)  # 8 h from the opening, not from the change
    assert [change.due_at for change in clock.history] == [hour(16), hour(8)]
    assert clocks_at(facts, terms, hour(3))["first_response", 1].breached_at == hour(2)


def test_change_carries_the_share_over(terms):
    facts = story((0, opened(severity=1)), (4, f.FactsChanged({"severity": 3}, ("severity",))))
    clock = clocks_at(facts, terms, hour(4))["resolution", 1]
    # 4 of 8 h is half; of 40 office hours 20 are left: 4 on Monday (13–17), 8 on Tuesday, 8 on Wednesday until 17:00
    assert clock.due_at == parse_instant("2026-05-06T17:00:00Z")


def test_a_severity_that_an_escalation_raised_leaves_what_is_broken_as_it_was(terms):
    """First response: 4 h for severity 2, 2 h for severity 1; the escalation comes with the breach."""
    raised = f.FactsChanged({"severity": 1}, ("severity",), corrects=False)
    clocks = clocks_at(story((0, opened(severity=2)), (4, raised)), terms, hour(4))
    assert clocks["first_response", 1].breached_at == hour(4)
    assert clocks["resolution", 1].due_at == hour(8)  # not broken yet: counts as that severity does


def test_moving_up_a_level_does_not_mend_a_broken_promise(shipped):
    """Monday 07:00 UTC is 09:00 in Valencia; 1 h is over at 10:00; level 3 would count from 09:30 on, until 10:30."""
    start = hour(-2)
    asked = {"severity": "critical", "language": "es", "plan": "basic", "level": 1}
    facts = [
        f.Fact(start, 1, f.Opened(asked, clocks=True, pending=False)),
        f.Fact(hour(-1), 2, f.FactsChanged(asked | {"level": 3})),
    ]

    clock = clocks_at(facts, Terms(shipped["expande"]), hour(0))["first_response", 1]

    assert (clock.state, clock.breached_at) == ("breached", hour(-1))
    # What is not broken yet is counted in the hours of level 3: 4 h from 09:30.
    resolution = clocks_at(facts, Terms(shipped["expande"]), hour(0))["resolution", 1]
    assert resolution.due_at == start + timedelta(minutes=30, hours=4)


def test_promise_that_lapses_and_comes_back(terms):
    facts = story(
        (0, opened(severity=1)),
        (1, f.FactsChanged({"severity": 4}, ("severity",))),
        (3, f.FactsChanged({"severity": 2}, ("severity",))),
    )
    assert clocks_at(facts, terms, hour(2))["resolution", 1].state == "cancelled"
    clock = clocks_at(facts, terms, hour(3))["resolution", 1]
    assert (clock.state, clock.due_at, clock.started_at) == ("running", hour(16), hour(0))


def test_coverage_lost_and_regained(terms):
    facts = story(
        (0, opened(severity=1)),
        (1, f.FactsChanged({"severity": 1, "cause": "excluded"}, ("cause",))),
        (3, f.FactsChanged({"severity": 1}, ("cause",))),
    )
    lost = clocks_at(facts, terms, hour(1))["resolution", 1]
    assert (lost.state, lost.because) == ("cancelled", "coverage")
    assert clocks_at(facts, terms, hour(3))["resolution", 1].due_at == hour(8)


def test_agreed_date_moves_until_it_is_broken(terms):
    facts = story(
        (0, opened(severity=4)),
        (1, f.DateAgreed(hour(10))),
        (2, f.DateAgreed(hour(20))),
        (21, f.DateAgreed(hour(30))),
        (22, f.WaitStarted("customer")),
        (24, f.WaitEnded("customer")),
        (25, f.Resolved()),
    )
    first = clocks_at(facts, terms, hour(3))["agreed", 1]
    assert [change.due_at for change in first.history] == [hour(10), hour(20)]
    clocks = clocks_at(facts, terms, hour(40))
    assert (clocks["agreed", 1].state, clocks["agreed", 1].breached_at) == ("missed", hour(20))
    assert (clocks["agreed", 2].state, clocks["agreed", 2].due_at) == ("met", hour(32))  # 30 h + 2 h of waiting


# --- admission -------------------------------------------------------------------------------------------------------


def test_release_of_what_was_withdrawn_meanwhile_promises_nothing(terms):
    facts = story(
        (0, opened(severity=1, pending=True)),
        (0, f.Held("awaiting_credit")),
        (4, f.Closed("withdrawn")),
        (5, f.Admitted(hour(5))),
    )
    assert clocks_at(facts, terms, hour(100)) == {}


def test_held_ticket_counts_from_its_release(terms):
    facts = story((0, opened(severity=1, pending=True)), (0, f.Held("awaiting_credit")), (5, f.Admitted(hour(5))))
    assert clocks_at(facts, terms, hour(4)) == {}
    assert clocks_at(facts, terms, hour(5))["first_response", 1].due_at == hour(7)


def test_admission_counts_from_the_opening_though_a_receipt_came_between(terms):
    facts = story(
        (0, opened(severity=1, pending=True)), (0.1, f.Answered("receipt", "email")), (0.2, f.Admitted(hour(0)))
    )
    clocks = clocks_at(facts, terms, hour(0.2))
    assert (clocks["acknowledgement", 1].state, clocks["acknowledgement", 1].stopped_at) == ("met", hour(0.1))
    assert clocks["first_response", 1].due_at == hour(2)


def test_ticket_without_clocks_has_none(terms):
    assert clocks_at(story((0, opened(severity=1, clocks=False)), (1, f.CustomerReplied())), terms, hour(9)) == {}


def test_next_instant(terms):
    facts = story((0, opened(severity=2)))
    clocks = fold(TICKET, facts, terms, at=hour(0))
    # half of the first 4 h, their end, half of 16 h, their end
    instants = [hour(0)]
    while (instant := next_instant(clocks, facts, after=instants[-1])) is not None:
        instants.append(instant)
    assert instants[1:] == [hour(2), hour(4), hour(8), hour(16)]


# --- what is never due -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("severity", "target"), [(3, "900h"), (2, "20000 business_days")])
def test_promise_that_is_never_due_runs_beside_the_others(rare, severity, target):
    happened = story((0, opened(severity=severity)))
    clocks = clocks_at(happened, Terms(rare), hour(24))
    never, other = clocks["resolution", 1], clocks["first_response", 1]
    assert (never.state, never.due_at, never.promise.target, never.warnings) == ("running", None, target, ())
    assert other.due_at is not None
    assert next_instant([never], happened, after=hour(24)) is None
    said = {language: explanation_text(explain(never, at=hour(24)), language) for language in ("es", "en")}
    assert "Vencimiento: nunca; el calendario no tiene tanto tiempo" in said["es"]
    assert "Due: never; the calendar does not have that much time of service before the year 2200" in said["en"]


def test_promise_that_is_never_due_pauses_changes_and_is_kept(rare):
    happened = story(
        (0, opened(severity=3)),
        (1, f.WaitStarted("customer")),
        (2, f.WaitEnded("customer")),
        (3, f.FactsChanged({"severity": 1}, ("severity",))),
        (4, f.FactsChanged({"severity": 3}, ("severity",))),
        (5, f.Resolved()),
    )
    states = [(clock.state, clock.due_at) for clock in (
        clocks_at(happened, Terms(rare), hour(hours))["resolution", 1] for hours in (0.5, 1.5, 2.5, 3.5, 4.5, 5.5)
    )]  # fmt: skip
    # under severity 1 it is 8 h of elapsed time and an hour of waiting
    assert states == [
        ("running", None), ("paused", None), ("running", None), ("running", hour(9)), ("running", None), ("met", None),
    ]  # fmt: skip


def test_preview_of_what_is_never_due_is_refused(rare):
    with pytest.raises(NeverDue, match="resolution: office has less than 900h before 2200"):
        forecast(Terms(rare), {"severity": 3}, opened_at=MONDAY)
