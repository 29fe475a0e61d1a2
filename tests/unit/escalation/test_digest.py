"""When somebody is told: at once, later, or in one message with others."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.domain.digest import STORM, Line, Placement, Window, digest_of, place_message, quiet_until, word_digest
from plazo.kernel.errors import InvalidInput
from plazo.policies import policy_text
from plazo.policy.document import CalendarEntry, Policy
from plazo.policy.handling import Channel, Digest, Quiet
from plazo.policy.load import load_policy

NOW = datetime(2026, 5, 4, 13, 0, tzinfo=UTC)
QUARTER = Digest(every="15m")
Policies = Callable[[str], Policy]


def minutes(count: int) -> datetime:
    return NOW + timedelta(minutes=count)


def place_all(instants: list[datetime], digest: Digest, quiet: datetime | None = None) -> list[Placement]:
    """Place messages one after the other, as one window sees them."""
    window: Window | None = None
    placed = []
    for number, at in enumerate(instants):
        placed.append(place_message(window, new_id=UUID(int=number), at=at, digest=digest, quiet=quiet))
        window = placed[-1].window
    return placed


class TestPlaceMessage:
    """Windows."""

    def test_three_hundred_at_one_instant_are_one_digest(self) -> None:
        placed = place_all([NOW] * 300, QUARTER)

        assert all(one.is_held for one in placed)
        assert {one.window.window_id for one in placed} == {UUID(int=0)}
        assert [one.ask_for for one in placed if one.ask_for] == [minutes(15)]
        assert placed[-1].window.held == 300

    def test_up_to_so_many_go_out_at_once_and_the_rest_together(self) -> None:
        placed = place_all([NOW] * 5, Digest(every="15m", above=2))

        assert [one.is_held for one in placed] == [False, False, True, True, True]
        assert [one.ask_for for one in placed] == [None, None, minutes(15), None, None]

    def test_a_window_that_held_nothing_makes_room(self) -> None:
        """One at 0, one at 14: the second. One at 15 begins the next window, which lasts to 30."""
        placed = place_all([NOW, minutes(14), minutes(15)], Digest(every="15m", above=1))

        assert [one.is_held for one in placed] == [False, True, True]
        assert placed[2].window.window_id == placed[1].window.window_id  # it is still to be told
        apart = place_all([NOW, minutes(15), minutes(16)], Digest(every="15m", above=1))
        assert [one.is_held for one in apart] == [False, False, True]
        assert apart[2].ask_for == minutes(30)

    def test_quiet_hours_hold_even_the_first(self) -> None:
        placed = place_all([NOW, minutes(20)], STORM, quiet=minutes(600))

        assert [(one.is_held, one.ask_for) for one in placed] == [(True, minutes(600)), (True, None)]

    @given(gaps=st.lists(st.integers(0, 40), max_size=40), above=st.integers(0, 5))
    def test_nobody_is_told_more_at_once_than_a_window_allows(self, gaps: list[int], above: int) -> None:
        instants = [minutes(sum(gaps[: index + 1])) for index in range(len(gaps))]

        placed = place_all(instants, Digest(every="15m", above=above))

        for one in {one.window.window_id for one in placed}:
            inside = [each for each in placed if each.window.window_id == one]
            assert sum(not each.is_held for each in inside) <= above
            assert sum(each.ask_for is not None for each in inside) == any(each.is_held for each in inside)


class TestSettings:
    """Where it is said."""

    def with_channel(self, policy: Policy, **channel: object) -> Policy:
        return policy.model_copy(update={"channels": {"email": Channel(**channel)}})

    def test_the_policy_speaks_before_the_desk_and_the_desk_before_the_usual(self, policy_of: Policies) -> None:
        plain = policy_of("ireo")
        own = Digest(every="1h", above=3)

        assert digest_of(plain, "email", of_desk=None) == STORM
        assert digest_of(plain, "email", of_desk=own) == own
        assert digest_of(self.with_channel(plain, digest=QUARTER), "email", of_desk=own) == QUARTER

    @pytest.mark.parametrize(
        ("at", "severity", "until"),
        [
            # Madrid is UTC+2 in May; standard service is 09:00-17:30, Friday to 14:00.
            pytest.param("2026-05-04T13:00:00Z", "3", None, id="in service"),
            pytest.param("2026-05-04T18:00:00Z", "3", "2026-05-05T07:00:00Z", id="in the evening"),
            pytest.param("2026-05-08T13:00:00Z", "3", "2026-05-11T07:00:00Z", id="Friday afternoon"),
            pytest.param("2026-05-08T13:00:00Z", "1", None, id="urgent"),
        ],
    )
    def test_quiet_hours_end_with_the_next_service(
        self, policy_of: Policies, at: str, severity: str, until: str | None
    ) -> None:
        quiet = Quiet(calendar="standard", unless={"severity": ["1", "2"]})
        policy = self.with_channel(policy_of("ireo"), quiet=quiet)

        found = quiet_until(policy, "email", at=datetime.fromisoformat(at), facts={"severity": severity}, place=None)

        assert found == (datetime.fromisoformat(until) if until else None)

    @pytest.mark.parametrize(
        "calendar",
        [
            pytest.param({"hours": {}, "days": {"2025-12-24": ["10:00-11:00"]}}, id="never open again"),
            pytest.param({"hours": "24x7", "effective_from": "2030-01-01"}, id="not in force yet"),
        ],
    )
    def test_quiet_hours_that_do_not_end_keep_nothing_quiet(self, policy_of: Policies, calendar: object) -> None:
        entry = CalendarEntry.model_validate(calendar)
        policy = self.with_channel(policy_of("ireo"), quiet=Quiet(calendar="standard"))
        policy = policy.model_copy(update={"calendars": {"standard": entry}})

        assert quiet_until(policy, "email", at=NOW, facts={}, place=None) is None

    @pytest.mark.parametrize(
        ("channels", "complaint"),
        [
            pytest.param("{email: {digest: {every: 1 business_day}}}", "expected elapsed time", id="no elapsed time"),
            pytest.param("{email: {digest: {every: 0m}}}", "expected elapsed time", id="no time"),
            pytest.param("{email: {quiet: {calendar: moon}}}", "unknown calendar 'moon'", id="unknown calendar"),
            pytest.param(
                "{email: {quiet: {calendar: standard, unless: {severity: 9}}}}", "unknown severity", id="fact"
            ),
            pytest.param("{pigeon: {}}", "", id="unknown channel"),
        ],
    )
    def test_a_document_that_is_wrong_is_told_so(self, channels: str, complaint: str) -> None:
        with pytest.raises(InvalidInput) as caught:
            load_policy(policy_text("ireo") + f"\nchannels: {channels}\n")

        assert any(complaint in fault.message for fault in caught.value.faults)


class TestWordDigest:
    """One message for many."""

    def test_lists_each_ticket_in_text_and_markup(self) -> None:
        words, markup = word_digest([Line("EXP-1", "No <vende>"), Line("EXP-2", "Otro")], language="es")

        assert words.subject == "2 avisos"
        assert words.body == "2 avisos:\n\nEXP-1  No <vende>\nEXP-2  Otro"
        assert "<td>No &lt;vende&gt;</td>" in markup
        assert markup.count("<tr>") == 3

    def test_says_how_many_it_does_not_list(self) -> None:
        words, markup = word_digest([Line("T", "s")] * 1003, language="en")

        assert words.body.endswith("and 3 more")
        assert markup.count("<tr>") == 1001
