"""When a change has come to rest: a law over two looks."""

import asyncio
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plazo.runtime.settlement import Counts, Settlement, is_at_rest


def look(tickets: int, sla_clock: int, *, by_clock: int, by_tickets: int) -> dict[str, Counts]:
    """Two services that read each other; `by_clock` is what sla_clock has taken in of tickets."""
    return {
        "tickets": Counts(announced=tickets, taken_in={"sla_clock": by_tickets}, dead_letters=0),
        "sla_clock": Counts(announced=sla_clock, taken_in={"tickets": by_clock}, dead_letters=0),
    }


REST = look(3, 2, by_clock=3, by_tickets=2)


@pytest.mark.parametrize(
    ("before", "after", "at_rest"),
    [
        pytest.param(REST, REST, True, id="nothing under way"),
        pytest.param(look(0, 0, by_clock=0, by_tickets=0), look(0, 0, by_clock=0, by_tickets=0), True, id="empty"),
        pytest.param(look(3, 2, by_clock=2, by_tickets=2), REST, False, id="taken in after the first look"),
        pytest.param(REST, look(4, 2, by_clock=3, by_tickets=2), False, id="announced after the first look"),
        pytest.param(REST, look(3, 3, by_clock=3, by_tickets=2), False, id="an answer is under way"),
        # The second wave: sla_clock took the third event in and answered it between the two looks.
        pytest.param(look(3, 1, by_clock=2, by_tickets=1), look(3, 2, by_clock=3, by_tickets=1), False, id="two waves"),
        pytest.param(
            look(3, 2, by_clock=3, by_tickets=1), look(3, 2, by_clock=3, by_tickets=2), False, id="second wave"
        ),
    ],
)
def test_is_at_rest(before: dict[str, Counts], after: dict[str, Counts], at_rest: bool):
    assert is_at_rest(before, after) is at_rest


@given(st.data())
def test_never_says_so_while_an_event_is_under_way(data: st.DataObject):
    """Play a cascade: taking in may announce more, in the same transaction. Look at random moments, twice."""
    announced = {"tickets": data.draw(st.integers(1, 4)), "sla_clock": 0}
    taken = {"tickets": 0, "sla_clock": 0}  # by reader
    other = {"tickets": "sla_clock", "sla_clock": "tickets"}

    def in_flight() -> bool:
        return any(taken[reader] < announced[other[reader]] for reader in taken)

    def look_at_one(reader: str) -> Counts:
        return Counts(announced=announced[reader], taken_in={other[reader]: taken[reader]}, dead_letters=0)

    def work() -> None:
        for _ in range(data.draw(st.integers(0, 3))):
            ready = [reader for reader in taken if taken[reader] < announced[other[reader]]]
            if not ready:
                return
            reader = data.draw(st.sampled_from(ready))
            taken[reader] += 1
            if announced["tickets"] + announced["sla_clock"] < 12:
                announced[reader] += data.draw(st.integers(0, 2))

    def look_around() -> dict[str, Counts]:
        seen = {}
        for reader in data.draw(st.permutations(sorted(taken))):
            seen[reader] = look_at_one(reader)
            work()
        return seen

    work()
    before = look_around()
    was_in_flight = in_flight()
    work()
    after = look_around()

    if is_at_rest(before, after):
        assert not was_in_flight
        assert not in_flight()


async def test_who_waits_is_answered_before_the_process_ends() -> None:
    leaving = asyncio.Event()
    leaving.set()
    settlement = Settlement(database=None, bus=None, service="tickets", reads=(), leaving=leaving)  # type: ignore[arg-type]

    async with asyncio.timeout(1):
        assert await settlement.wait(desk_id=uuid4(), seconds=30) is False
