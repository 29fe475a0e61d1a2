"""What pays for a charge: lots, in the order in which work was done."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from billing.domain.funding import Draw, Lot, Overage, Part, difference, fund, fund_in_place

T0 = datetime(2026, 5, 1, tzinfo=UTC)
STARTED_HOUR = Overage(
    is_allowed=True, increment=60, rounding="up", minor=4500, currency="PEN", per_minutes=60, clauses=("PRO-07",)
)


def day(n):
    return T0 + timedelta(days=n)


def lot(n, remaining, *, since=0, until=None):
    return Lot(UUID(int=n), day(since), None if until is None else day(until), remaining)


def draw(n, quantity, *, at=1, kind="work", overage=None, counted_in="minute"):
    return Draw(draw_id=UUID(int=n), kind=kind, at=day(at), quantity=quantity, counted_in=counted_in, overage=overage)


def paid(lots, draws):
    """Return what pays for each draw: (number of the lot or the kind of debt, quantity)."""
    return {
        key.int: [(part.lot_id.int if part.lot_id else part.source, part.quantity) for part in parts]
        for key, parts in fund(lots, draws).items()
    }


def test_the_soonest_to_expire_pays_first():
    lots = [lot(1, 50), lot(2, 50, until=30), lot(3, 50, until=20)]
    assert paid(lots, [draw(9, 120)]) == {9: [(3, 50), (2, 50), (1, 20)]}


def test_a_lot_pays_only_while_it_is_valid():
    lots = [lot(1, 50, since=2, until=5)]
    draws = [draw(8, 10, at=1, overage=STARTED_HOUR), draw(9, 10, at=5, overage=STARTED_HOUR), draw(7, 10, at=2)]
    # overage: 10 minutes are a started hour at 45.00
    assert paid(lots, draws) == {8: [("overage", 4500)], 7: [(1, 10)], 9: [("overage", 4500)]}


def test_what_is_owed_is_paid_by_the_next_grant_and_overage_is_not():
    lots = [lot(1, 50, since=3)]
    assert paid(lots, [draw(9, 10, at=1)]) == {9: [(1, 10)]}
    assert paid([], [draw(9, 10, at=1)]) == {9: [("owed", 10)]}
    assert paid(lots, [draw(9, 10, at=1, overage=STARTED_HOUR)]) == {9: [("overage", 4500)]}


def test_expiry_takes_the_rest_and_late_work_takes_it_back():
    lots = [lot(1, 100, until=10)]
    expiry = draw(1, 0, at=10, kind="expiry")
    assert paid(lots, [expiry]) == {1: [(1, 100)]}
    assert paid(lots, [expiry, draw(9, 30, at=9)]) == {9: [(1, 30)], 1: [(1, 70)]}


def test_a_hold_takes_what_there_is_and_owes_nothing():
    assert paid([lot(1, 1)], [draw(9, 2, kind="hold")]) == {9: [(1, 1)]}


def test_overage_that_is_refused():
    refusing = Overage(
        is_allowed=False, increment=60, rounding="up", minor=None, currency=None, per_minutes=60, clauses=()
    )
    assert paid([lot(1, 5)], [draw(9, 7, overage=refusing)]) == {9: [(1, 5), ("refused", 2)]}


def test_difference():
    one, other = UUID(int=1), UUID(int=2)
    posted = (Part("lot", one, "minute", 10), Part("owed", None, "minute", 5))
    wanted = (Part("lot", one, "minute", 4), Part("lot", other, "minute", 11))
    changes = {(change.lot_id, change.quantity) for change in difference(posted, wanted)}
    assert changes == {(one, -6), (None, -5), (other, 11)}
    assert difference(posted, posted) == ()


LOTS = st.lists(st.tuples(st.integers(1, 200), st.integers(0, 20), st.none() | st.integers(1, 20)), max_size=5).map(
    lambda lots: [
        lot(n + 1, size, since=since, until=None if length is None else since + length)
        for n, (size, since, length) in enumerate(lots)
    ]
)
DRAWS = st.lists(
    st.tuples(
        st.integers(0, 150),
        st.integers(0, 40),
        st.sampled_from([None, STARTED_HOUR]),
        st.sampled_from(["work", "hold"]),
    ),
    max_size=8,
).map(
    lambda draws: [
        draw(100 + n, quantity, at=at, overage=overage if kind == "work" else None, kind=kind)
        for n, (quantity, at, overage, kind) in enumerate(draws)
    ]
)


def with_expiries(lots, draws):
    return draws + [
        Draw(draw_id=one.lot_id, kind="expiry", at=one.expires_at, quantity=0, counted_in="minute")
        for one in lots
        if one.expires_at
    ]


@given(lots=LOTS, draws=DRAWS, data=st.data())
def test_laws_of_funding(lots, draws, data):
    """No lot pays more than it has nor outside its time, every draw is paid in full, order of arrival is nothing."""
    everything = with_expiries(lots, draws)
    funding = fund(lots, everything)
    assert fund(data.draw(st.permutations(lots)), data.draw(st.permutations(everything))) == funding
    taken = {}
    for one in everything:
        for part in funding[one.draw_id]:
            if part.lot_id is not None:
                taken[part.lot_id] = taken.get(part.lot_id, 0) + part.quantity
                holder = next(held for held in lots if held.lot_id == part.lot_id)
                assert one.kind == "expiry" or holder.expires_at is None or one.at < holder.expires_at
        if one.kind == "work" and one.overage is None:
            assert sum(part.quantity for part in funding[one.draw_id]) == one.quantity
    for one in lots:
        assert taken.get(one.lot_id, 0) <= one.remaining
        if one.expires_at:
            assert taken.get(one.lot_id, 0) == one.remaining  # what is not used expires


@given(lots=LOTS, draws=DRAWS, since=st.integers(0, 40))
def test_the_tail_can_be_paid_for_alone(lots, draws, since):
    """What was drawn before an instant stands: paying for the rest from what is left is paying for all anew.

    It holds where no earlier draw waits for a later lot; such draws are part of the tail.
    """
    everything = with_expiries(lots, draws)
    whole = fund(lots, everything)
    owing = [one.at for one in everything if any(part.source == "owed" for part in whole[one.draw_id])]
    cut = min([day(since), *owing])
    head = [one for one in everything if one.at < cut]
    spent = {}
    for one in head:
        for part in whole[one.draw_id]:
            if part.lot_id:
                spent[part.lot_id] = spent.get(part.lot_id, 0) + part.quantity
    left = [
        Lot(one.lot_id, one.effective_from, one.expires_at, one.remaining - spent.get(one.lot_id, 0)) for one in lots
    ]
    tail = fund(left, [one for one in everything if one.at >= cut])
    assert tail == {key: parts for key, parts in whole.items() if key not in {one.draw_id for one in head}}


@given(lots=LOTS, draws=DRAWS, data=st.data())
def test_paying_in_place_is_paying_for_all_anew(lots, draws, data):
    """Where some draws are paid for without looking at the others, nothing else is paid for otherwise than before."""
    everything = {one.draw_id: one for one in with_expiries(lots, draws)}
    changed = data.draw(st.sets(st.sampled_from([one.draw_id for one in draws]), max_size=2)) if draws else set()
    new = {
        draw_id: replace(everything[draw_id], quantity=quantity)
        for draw_id in changed
        if (quantity := data.draw(st.none() | st.integers(0, 150))) is not None
    }
    added = draw(200, data.draw(st.integers(0, 150)), at=data.draw(st.integers(0, 40)))
    new[added.draw_id] = added
    before = fund(lots, everything.values())
    wanted = fund(lots, ({key: one for key, one in everything.items() if key not in changed} | new).values())
    since = min(one.at for one in (*(everything[key] for key in changed), *new.values()))
    spent, taken_since = {}, set()
    for key, parts in before.items():
        for part in parts:
            spent[part.lot_id] = spent.get(part.lot_id, 0) + part.quantity
            if everything[key].at >= since:
                taken_since.add(part.lot_id)
    left = [replace(one, remaining=one.remaining - spent.get(one.lot_id, 0)) for one in lots]

    paid = fund_in_place(left, taken_since, paid=[before[key] for key in changed], draws=new.values())

    if paid is not None:
        assert {key: parts for key, parts in before.items() if key not in changed} | paid == wanted


def test_what_can_be_paid_in_place():
    dry, full = lot(1, 0, until=20), lot(2, 50)
    assert fund_in_place([dry, full], set(), paid=[], draws=[draw(9, 30)]) == {
        UUID(int=9): (Part("lot", UUID(int=2), "minute", 30),)
    }
    # the dry lot may have had something at the time of this draw
    assert fund_in_place([dry, full], {UUID(int=1)}, paid=[], draws=[draw(9, 30)]) is None
    assert fund_in_place([full], set(), paid=[], draws=[draw(9, 60)]) is None
    assert fund_in_place([dry], set(), paid=[], draws=[draw(9, 30)]) == {
        UUID(int=9): (Part("owed", None, "minute", 30),)
    }


def test_a_cap_takes_what_rolled_over_beyond_it():
    lots = [lot(1, 40, since=0), lot(2, 40, since=10)]
    cap = draw(50, 60, at=10, kind="cap")
    # 80 are there on day 10, 60 may stay; late work leaves 65, and 5 go
    assert paid(lots, [cap])[50] == [(1, 20)]
    assert paid(lots, [cap, draw(9, 15, at=9)])[50] == [(1, 5)]
    assert paid(lots, [cap, draw(9, 30, at=9)])[50] == []
