"""What is told about clocks, and the laws of the fold for any story in any order."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sla_clock.domain import facts as f
from sla_clock.domain.difference import Announced, copy_of, difference, reached_warnings, vanished
from sla_clock.domain.fold import fold, next_instant
from sla_clock.domain.terms import Terms

TICKET = UUID(int=1)
MONDAY = datetime(2026, 5, 4, 9, tzinfo=UTC)


def hour(hours: float) -> datetime:
    return MONDAY + timedelta(hours=hours)


class Desk:
    """Keeps what was announced, as the service does."""

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self.facts: list[f.Fact] = []
        self.known: dict[UUID, Announced] = {}
        self.told: list[tuple[str, str, datetime]] = []

    def learn(self, *facts: f.Fact, at: datetime) -> None:
        self.facts += facts
        clocks = fold(TICKET, self.facts, self.terms, at=at)
        for clock in clocks:
            before = self.known.get(clock.clock_id)
            news = difference(before, clock, at=at)
            self.told += [(one.news, clock.kind, one.occurred_at) for one in news]
            if news:
                warned = {warned.key for warned in reached_warnings(clock, at=at)}
                revision = before.revision + 1 if before else 1
                self.known[clock.clock_id] = Announced(
                    copy_of(news[-1].clock), clock.version, frozenset(warned), revision
                )
            if clock.clock_id in self.known:
                assert self.known[clock.clock_id].clock == copy_of(clock), "what was told last is how it stands"
        for clock_id in self.known.keys() - {clock.clock_id for clock in clocks}:
            gone = vanished(self.known[clock_id])
            if gone is not None:
                before = self.known[clock_id]
                self.known[clock_id] = Announced(gone, before.version, before.warned, before.revision + 1)
                self.told.append(("cancelled", gone.kind, at))


@pytest.fixture
def desk(everything):
    return Desk(Terms(everything))


def of_kind(desk: Desk, kind: str) -> list[tuple[str, datetime]]:
    return [(news, at) for news, of, at in desk.told if of == kind]


def opening(severity: int) -> f.Fact:
    return f.Fact(hour(0), 1, f.Opened({"severity": severity}, True, False))


def test_life_of_a_promise_kept(desk):
    desk.learn(opening(1), at=hour(0))
    desk.learn(at=hour(1))
    desk.learn(f.Fact(hour(1.5), 2, f.Answered("reply", "email")), at=hour(1.5))
    # 2 h: half of it and an hour before it are the same instant
    assert of_kind(desk, "first_response") == [
        ("started", hour(0)),
        ("warned", hour(1)),
        ("warned", hour(1)),
        ("stopped", hour(1.5)),
    ]


def test_breach_is_told_once_and_dated_at_the_due_instant(desk):
    desk.learn(opening(2), at=hour(0))
    desk.learn(at=hour(7))
    desk.learn(at=hour(8))
    assert of_kind(desk, "first_response") == [("started", hour(0)), ("warned", hour(2)), ("breached", hour(4))]


def test_late_reply_retracts_the_breach(desk):
    desk.learn(opening(2), at=hour(0))
    desk.learn(at=hour(5))
    desk.learn(f.Fact(hour(3), 2, f.Answered("call", "phone")), at=hour(6))
    assert of_kind(desk, "first_response")[2:] == [
        ("breached", hour(4)),
        ("breach_retracted", hour(3)),
        ("stopped", hour(3)),
    ]


def test_late_wait_turns_missed_into_met(desk):
    resolved = f.Fact(hour(9), 2, f.Resolved())
    waits = [f.Fact(hour(1), 3, f.WaitStarted("customer")), f.Fact(hour(4), 4, f.WaitEnded("customer"))]
    desk.learn(opening(1), at=hour(0))
    desk.learn(resolved, at=hour(9))
    desk.learn(*waits, at=hour(10))
    # due at 8 h, then at 8 h + 3 h of waiting
    assert [news for news, _ in of_kind(desk, "resolution")][-4:] == [
        "breached",
        "stopped",
        "breach_retracted",
        "stopped",
    ]


def test_change_that_proves_the_breach_false(desk):
    desk.learn(opening(1), at=hour(0))
    desk.learn(at=hour(3))
    desk.learn(f.Fact(hour(3), 2, f.FactsChanged({"severity": 2}, ("severity",))), at=hour(3))
    # 2 h became 4 h from the original start; half of that has passed again
    assert of_kind(desk, "first_response")[-3:] == [
        ("breach_retracted", hour(3)),
        ("rescheduled", hour(3)),
        ("warned", hour(2)),
    ]


def test_end_of_a_pause_is_told_of_a_promise_that_is_never_due(rare):
    desk = Desk(Terms(rare))
    desk.learn(opening(3), at=hour(0))
    desk.learn(f.Fact(hour(1), 2, f.WaitStarted("customer")), at=hour(1))
    desk.learn(f.Fact(hour(2), 3, f.WaitEnded("customer")), at=hour(2))
    desk.learn(f.Fact(hour(3), 4, f.Resolved()), at=hour(3))
    assert of_kind(desk, "resolution") == [
        ("started", hour(0)),
        ("rescheduled", hour(1)),
        ("rescheduled", hour(2)),
        ("stopped", hour(3)),
    ]


def test_change_learnt_after_the_end_warns_of_nothing(desk):
    desk.learn(opening(1), at=hour(0))
    desk.learn(f.Fact(hour(1.5), 2, f.FactsChanged({"severity": 1}, ("severity",))), at=hour(1.5))
    desk.learn(f.Fact(hour(1.5), 3, f.Resolved()), at=hour(1.5))
    before = of_kind(desk, "first_response")
    # 1 became 2 and 1 again before the end: a third promise, as long as the first, and nothing to warn of any more
    desk.learn(f.Fact(hour(0.5), 4, f.FactsChanged({"severity": 2}, ("severity",))), at=hour(3))
    assert of_kind(desk, "first_response") == before


whats = st.one_of(
    st.sampled_from(["reply", "call", "receipt", "internal_note"]).map(lambda act: f.Answered(act, "email")),
    st.just(f.CustomerReplied()),
    st.sampled_from(["customer", "vendor"]).map(f.WaitStarted),
    st.sampled_from(["customer", "vendor"]).map(f.WaitEnded),
    st.integers(1, 4).map(lambda severity: f.FactsChanged({"severity": severity}, ("severity",))),
    st.sampled_from(["excluded", "other"]).map(
        lambda cause: f.FactsChanged({"severity": 1, "cause": cause}, ("cause",))
    ),
    st.integers(0, 60).map(lambda hours: f.DateAgreed(hour(hours))),
    st.just(f.Resolved()),
    st.integers(2, 4).map(f.Reopened),
    st.sampled_from(["confirmed", "abandoned"]).map(f.Closed),
    st.just(f.Held("overdue")),
    st.integers(0, 40).map(lambda hours: f.Admitted(hour(hours))),
)


@st.composite
def stories(draw):
    """Facts about one ticket; some fall on the same instant, as they do while a test clock stands still."""
    first = f.Opened({"severity": draw(st.integers(1, 4))}, draw(st.booleans()), draw(st.booleans()))
    happened = draw(st.lists(st.tuples(st.integers(0, 30), whats), max_size=10))
    return [f.Fact(hour(0), 1, first)] + [
        f.Fact(what.counts_from if isinstance(what, f.Admitted) else hour(at), version, what)
        for version, (at, what) in enumerate(happened, 2)
    ]


@settings(max_examples=150, deadline=None)
@given(facts=stories(), data=st.data())
def test_any_order_of_arrival_ends_alike(everything, rare, facts, data):
    at, terms = hour(80), Terms(data.draw(st.sampled_from([everything, rare])))
    arrived = data.draw(st.permutations(facts))
    assert fold(TICKET, arrived, terms, at=at) == fold(TICKET, facts, terms, at=at)
    step_by_step, at_once = Desk(terms), Desk(terms)
    for fact in arrived:
        step_by_step.learn(fact, at=at)
    at_once.learn(*facts, at=at)
    standing = {clock_id: one.clock for clock_id, one in step_by_step.known.items()}
    expected = {clock_id: one.clock for clock_id, one in at_once.known.items()}
    assert {clock_id: standing.get(clock_id) for clock_id in expected} == expected
    assert all(clock.state == "cancelled" for clock_id, clock in standing.items() if clock_id not in expected)


@settings(max_examples=150, deadline=None)
@given(facts=stories(), is_rare=st.booleans())
def test_living_through_it_ends_as_knowing_it_all(everything, rare, facts, is_rare):
    """Timers at every instant that matters, facts as they happen: the end is the fold of all."""
    terms, at = Terms(rare if is_rare else everything), hour(0)
    lived = Desk(terms)
    coming = sorted(facts, key=lambda fact: (fact.occurred_at, fact.version))
    while at < hour(200):
        now = [fact for fact in coming if fact.occurred_at <= at]
        coming = coming[len(now) :]
        lived.learn(*now, at=at)
        clocks = fold(TICKET, lived.facts, terms, at=at)
        upcoming = [coming[0].occurred_at] if coming else []
        instant = next_instant(clocks, lived.facts, after=at)
        at = min([*upcoming, *([instant] if instant else [])], default=hour(200))
    told = [one for one in lived.told if one[0] in {"warned", "breached"}]
    assert all(was <= hour(200) for _, _, was in told)
    for clock in fold(TICKET, facts, terms, at=hour(199)):
        if clock.clock_id in lived.known:
            assert lived.known[clock.clock_id].clock == copy_of(clock)
        else:
            assert clock.state == "cancelled"
