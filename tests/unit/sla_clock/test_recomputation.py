"""Another version of the terms: what is owed is counted by it, what has ended stays, and back again is as before."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plazo.policy import load_policy
from sla_clock.domain import facts as f
from sla_clock.domain.clock import Clock
from sla_clock.domain.difference import copy_of
from sla_clock.domain.fold import fold
from sla_clock.domain.recomputation import recount, terms_change
from sla_clock.domain.terms import Terms

TICKET = UUID(int=1)
MONDAY = datetime(2026, 5, 4, 9, tzinfo=UTC)
DOCUMENT = """
policy: hours
version: "{version}"
effective_from: 2020-01-01
timezone: UTC
language: en
provider: {{name: Test}}
clauses: SMA
calendars: {{office: {{hours: {{mon-fri: ["09:00-17:00"]}}, holidays: [{holidays}]}}}}
severities:
  - {{name: 1, text: {{es: uno, en: one}}, clause: SMA-08}}
  - {{name: 2, text: {{es: dos, en: two}}, clause: SMA-08}}
targets:
  - when: {{severity: 1}}
    first_response: {target}
    resolution: 10h
    calendar: office
    warn_at: ["50%"]
    on_change: carry_over
    clause: SMA-10
  - when: {{severity: 2}}
    first_response: 7h
    resolution: 21h
    calendar: office
    on_change: carry_over
    clause: SMA-10
pauses:
  - {{when: {{waiting: {waiting}}}, kinds: [resolution], clause: SMA-04}}
"""


def version(name: str, *, holidays: str = "", target: str = "4h", waiting: str = "customer") -> Terms:
    text = DOCUMENT.format(version=name, holidays=holidays, target=target, waiting=waiting)
    return Terms(load_policy(text))


OLD = version("1")
LATER = {
    "1": OLD,
    "holiday": version("holiday", holidays="2026-05-05"),
    "elsewhere": version("elsewhere", holidays="2026-12-24"),
    "short": version("short", target="1h"),
    "vendor": version("vendor", waiting="vendor"),
}
OPENED = f.Opened({"severity": 1}, True, False)


def hour(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


def story(*happened) -> list[f.Fact]:
    """Facts from (hours after Monday 09:00, what); a name of terms changes to them."""
    facts: list[f.Fact] = []
    for hours, what in happened:
        if isinstance(what, str):
            facts.append(terms_change(facts, version=what, at=hour(hours)))
        else:
            facts.append(f.Fact(hour(hours), len([fact for fact in facts if not fact.part]) + 1, what))
    return facts


def clocks_at(facts: list[f.Fact], at: float) -> dict[str, Clock]:
    return {clock.kind: clock for clock in fold(TICKET, facts, OLD, at=hour(at), later=LATER)}


def test_a_holiday_moves_what_is_owed_and_keeps_the_old_due():
    facts = story((0, OPENED), (1, "holiday"))
    # 10 h: 8 h on Monday, Tuesday is a holiday, 2 h on Wednesday
    after = clocks_at(facts, 1)["resolution"]
    assert after.due_at == hour(50)
    assert [(one.due_at, one.because) for one in after.history] == [(hour(26), "started"), (hour(50), "terms_changed")]
    assert (after.terms.policy.version, after.version) == ("holiday", 2)
    # before the change it stood as it did
    assert clocks_at(facts, 0.9)["resolution"].due_at == hour(26)


def test_a_change_elsewhere_is_no_news():
    before, after = clocks_at(story((0, OPENED)), 1), clocks_at(story((0, OPENED), (1, "elsewhere")), 1)
    assert [(one.version, one.changed_at, copy_of(one)) for one in before.values()] == [
        (one.version, one.changed_at, copy_of(one)) for one in after.values()
    ]


@pytest.mark.parametrize("at", [pytest.param(2, id="later"), pytest.param(1, id="at the same instant")])
def test_what_has_ended_stays(at):
    facts = story((0, OPENED), (1, f.Answered("reply", "email")), (at, "short"))
    first = clocks_at(facts, 3)["first_response"]
    assert (first.state, first.promise.target, first.due_at) == ("met", "4h", hour(4))
    assert first.terms.policy.version == "1"


def test_a_shorter_target_is_broken_at_its_own_instant():
    first = clocks_at(story((0, OPENED), (2, "short")), 2)["first_response"]
    assert (first.state, first.breached_at) == ("breached", hour(1))


def test_what_begins_later_is_under_the_new_terms():
    facts = story((0, OPENED), (1, "holiday"), (2, f.Resolved()), (3, f.Reopened(2)))
    second = clocks_at(facts, 3)["resolution"]
    # 12:00: 5 h on Monday, 5 h on Wednesday
    assert (second.cycle, second.due_at) == (2, hour(53))


def test_a_wait_pauses_as_the_new_terms_say():
    facts = story((0, OPENED), (1, f.WaitStarted("customer")), (2, "vendor"))
    assert clocks_at(facts, 1.5)["resolution"].state == "paused"
    after = clocks_at(facts, 2)["resolution"]
    # the hour that was left out stays left out: 10 h and that one
    assert (after.state, after.due_at) == ("running", hour(27))


def test_the_share_that_was_carried_over_is_kept():
    # 3 h of 10 h are used when the severity changes: 30% of 21 h are taken as used, 14.7 h are left from 12:00 on:
    # 5 h on Monday, 8 h on Tuesday, 1.7 h on Wednesday
    facts = story((0, OPENED), (3, f.FactsChanged({"severity": 2})))
    assert clocks_at(facts, 3)["resolution"].due_at == hour(49.7)
    moved = clocks_at([*facts, terms_change(facts, version="holiday", at=hour(4))], 4)["resolution"]
    # Tuesday is a holiday: 8 h on Wednesday, 1.7 h on Thursday
    assert moved.due_at == hour(73.7)
    assert moved.course.carried == (3, 10) or moved.course.carried[0] * 10 == moved.course.carried[1] * 3


def test_dry_run_shows_what_is_owed_before_or_after():
    facts = story((0, OPENED), (1, f.Answered("reply", "email")))
    change = terms_change(facts, version="holiday", at=hour(2))
    (one,) = recount(TICKET, facts, change, terms=OLD, later=LATER, at=hour(2))
    assert one.is_change
    assert one.before is not None
    assert one.after is not None
    assert (one.before.due_at, one.after.due_at) == (hour(26), hour(50))


HAPPENINGS = st.sampled_from(
    [
        f.Answered("reply", "email"), f.CustomerReplied(), f.WaitStarted("customer"), f.WaitEnded("customer"),
        f.WaitStarted("vendor"), f.FactsChanged({"severity": 2}), f.FactsChanged({"severity": 1}),
    ]
)  # fmt: skip
STORIES = st.lists(st.tuples(st.integers(0, 60), HAPPENINGS), max_size=6)


@given(STORIES, st.integers(0, 60), st.sampled_from(["holiday", "elsewhere", "short"]), st.integers(0, 80))
def test_there_and_back_is_as_if_nothing_had_been(happened, at, name, until):
    """Undone at once, every clock is due when it was, and stands as it stood."""
    plain = story((0, OPENED), *sorted(happened, key=lambda one: one[0]))
    there = terms_change(plain, version=name, at=hour(at))
    back = terms_change([*plain, there], version="1", at=hour(at))
    kept = fold(TICKET, plain, OLD, at=hour(until))
    undone = fold(TICKET, [*plain, there, back], OLD, at=hour(until), later=LATER)
    assert [copy_of(clock) for clock in undone] == [copy_of(clock) for clock in kept]


@given(STORIES, st.integers(0, 60), st.sampled_from(sorted(LATER)), st.randoms())
def test_order_of_learning_changes_nothing(happened, at, name, random):
    facts = story((0, OPENED), *sorted(happened, key=lambda one: one[0]))
    facts.append(terms_change(facts, version=name, at=hour(at)))
    shuffled = list(facts)
    random.shuffle(shuffled)
    assert clocks_at(shuffled, 90) == clocks_at(facts, 90)
