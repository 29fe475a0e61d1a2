"""What becomes of a message by what the receiving side says."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.domain.delivery import MAX_TRIES, Outcome, Reply, Stage, judge, pause_after, read_reply

NOW = datetime(2026, 5, 4, 13, 0, tzinfo=UTC)
ONE = UUID(int=1)


@pytest.mark.parametrize(
    ("code", "stage", "outcome", "is_away"),
    [
        pytest.param(550, Stage.RECIPIENT, Outcome.REFUSED, False, id="no such mailbox"),
        pytest.param(554, Stage.CONTENT, Outcome.REFUSED, False, id="content refused"),
        pytest.param(450, Stage.RECIPIENT, Outcome.DEFERRED, False, id="mailbox busy"),
        pytest.param(451, Stage.CONTENT, Outcome.DEFERRED, False, id="try later"),
        pytest.param(421, Stage.GREETING, Outcome.DEFERRED, True, id="server shuts down"),
        pytest.param(535, Stage.GREETING, Outcome.DEFERRED, True, id="our password is wrong"),
        pytest.param(550, Stage.SENDER, Outcome.DEFERRED, True, id="our sender is not allowed"),
    ],
)
def test_a_refusal_is_final_only_where_it_is_about_the_recipient_or_the_content(
    code: int, stage: Stage, outcome: Outcome, is_away: bool
) -> None:
    reply = read_reply(code, "some\nreason", stage=stage)

    assert (reply.outcome, reply.is_away, reply.text) == (outcome, is_away, f"{code} some reason")


class TestJudge:
    """States."""

    @pytest.mark.parametrize(
        ("outcome", "state"),
        [
            pytest.param(Outcome.ACCEPTED, "sent", id="taken on"),
            pytest.param(Outcome.DELIVERED, "delivered", id="in the mailbox"),
            pytest.param(Outcome.REFUSED, "failed", id="refused at the first try"),
            pytest.param(Outcome.DEFERRED, "queued", id="later"),
        ],
    )
    def test_a_first_try(self, outcome: Outcome, state: str) -> None:
        verdict = judge(Reply(outcome, "why"), tries=1, message_id=ONE, now=NOW)

        assert verdict.state == state
        assert (verdict.next_attempt_at is not None) == (state == "queued")
        assert verdict.failure == (None if state in ("sent", "delivered") else "why")

    def test_an_hour_without_a_server_is_six_tries(self) -> None:
        """1 + 2 + 4 + 8 + 16 + 32 minutes, each a fifth more or less, is between 50 and 76 minutes."""
        at, tries = NOW, 0
        while at < NOW + timedelta(hours=1):
            tries += 1
            verdict = judge(Reply(Outcome.DEFERRED, "away"), tries=tries, message_id=ONE, now=at)
            assert verdict.next_attempt_at is not None
            at = verdict.next_attempt_at
        assert tries in (6, 7)
        assert at < NOW + timedelta(hours=2)

    def test_gives_up_after_two_days(self) -> None:
        """511 min + 6 * 6 h = 44.5 h, a fifth more or less."""
        waited = sum((pause_after(tries, message_id=ONE) for tries in range(1, MAX_TRIES)), timedelta())
        assert timedelta(hours=35) < waited < timedelta(hours=54)

        verdict = judge(Reply(Outcome.DEFERRED, "421 busy"), tries=MAX_TRIES, message_id=ONE, now=NOW)

        assert (verdict.state, verdict.failure) == ("dead", "given up after 16 tries: 421 busy")

    @given(number=st.integers(0, 2**64), tries=st.integers(1, 1000))
    def test_every_pause_is_bounded_and_the_same_each_time(self, number: int, tries: int) -> None:
        pause = pause_after(tries, message_id=UUID(int=number))

        assert timedelta(seconds=48) <= pause <= timedelta(hours=7.2)
        assert pause == pause_after(tries, message_id=UUID(int=number))

    def test_messages_that_failed_together_do_not_come_back_together(self) -> None:
        pauses = {pause_after(5, message_id=UUID(int=number)) for number in range(200)}

        assert len(pauses) > 30
