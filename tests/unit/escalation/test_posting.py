"""What becomes of a webhook, and of a subscription, over days; who is told of what."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from escalation.domain.posting import (
    MAX_TRIES,
    Answer,
    Health,
    health_after,
    judge,
    pause_after,
    reason_to_stop,
)
from escalation.domain.sealing import SecretUnreadable, read_keys, seal, unseal
from escalation.domain.subscriptions import check_patterns, is_customer_wanted, is_event_wanted

NOW = datetime(2026, 5, 4, 13, 0, tzinfo=UTC)
PARTNER = UUID(int=7)
OTHER = UUID(int=8)


def verdict(answer: Answer, *, tries: int = 1):
    return judge(answer, tries=tries, delivery_id=1, subscription_id=PARTNER, now=NOW)


@pytest.mark.parametrize("status", [200, 202, 204])
def test_any_success_is_taken(status: int) -> None:
    assert verdict(Answer(status, 5)).state == "delivered"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(302, 5), id="a redirection is not followed"),
        pytest.param(Answer(400, 5), id="refused"),
        pytest.param(Answer(500, 5), id="broken"),
        pytest.param(Answer(None, 15_000, failure="no answer"), id="silent"),
    ],
)
def test_all_else_is_tried_again(answer: Answer) -> None:
    decided = verdict(answer)

    # 10 s, scattered by a fifth
    assert decided.state == "queued"
    assert decided.next_attempt_at is not None
    assert timedelta(seconds=8) <= decided.next_attempt_at - NOW <= timedelta(seconds=12)


def test_an_event_is_tried_for_days_and_then_given_up() -> None:
    waited = sum((pause_after(tries, key="x") for tries in range(1, MAX_TRIES)), timedelta())

    # 15 h 36 min and ten times 12 h are 135 h 36 min, less or more a fifth
    assert timedelta(hours=108) < waited < timedelta(hours=163)
    assert verdict(Answer(500, 5), tries=MAX_TRIES - 1).state == "queued"
    assert verdict(Answer(500, 5), tries=MAX_TRIES).state == "dead"


def test_what_failed_together_does_not_come_back_together() -> None:
    assert len({pause_after(5, key=f"{number}") for number in range(20)}) > 10


def test_a_subscription_is_switched_off_after_five_days_in_which_nothing_got_through() -> None:
    health, at, stopped = Health(), NOW, []
    for tries in range(1, MAX_TRIES + 1):
        health = health_after(health, Answer(500, 5), now=at)
        if reason := reason_to_stop(health, Answer(500, 5), now=at):
            stopped.append((at - NOW, reason))
            break
        at += pause_after(tries, key="x")

    ((after, reason),) = stopped
    assert timedelta(days=5) <= after < timedelta(days=5, hours=15)
    assert reason.startswith("nothing got through for 5 days")
    assert reason.endswith("answered 500")


def test_one_success_begins_anew() -> None:
    failing = Health(500, NOW - timedelta(days=9))

    assert health_after(failing, Answer(200, 5), now=NOW) == Health()


def test_a_few_failures_over_a_long_time_are_none() -> None:
    rare = Health(3, NOW - timedelta(days=30))

    assert reason_to_stop(rare, Answer(500, 5), now=NOW) is None


def test_gone_is_gone() -> None:
    assert reason_to_stop(Health(1, NOW), Answer(410, 5), now=NOW) == "the endpoint answered 410 Gone"


@pytest.mark.parametrize(
    ("patterns", "is_wanted"),
    [
        (("*",), True),
        (("ticket.*",), True),
        (("ticket.opened",), True),
        (("ticket.closed", "ticket.opened"), True),
        (("ticket.closed",), False),
        (("clock.*",), False),
        ((), False),
    ],
)
def test_events_by_name_or_family(patterns: tuple[str, ...], *, is_wanted: bool) -> None:
    assert is_event_wanted(patterns, "ticket.opened") is is_wanted


def test_events_of_some_customers() -> None:
    assert is_customer_wanted((), {PARTNER, OTHER})
    assert is_customer_wanted((), ())
    assert is_customer_wanted((PARTNER,), {PARTNER})
    assert not is_customer_wanted((PARTNER,), {OTHER})
    assert not is_customer_wanted((PARTNER,), ())


def test_what_tells_of_two_customers_is_for_whoever_may_know_of_both() -> None:
    assert not is_customer_wanted((PARTNER,), {PARTNER, OTHER})
    assert is_customer_wanted((PARTNER, OTHER), {PARTNER, OTHER})


def test_names_that_no_event_has_are_faults_each() -> None:
    faults = check_patterns(("ticket.*", "tickets.*", "*", "key.issued"), names=("ticket.opened", "clock.breached"))

    assert [fault.pointer for fault in faults] == ["/events/1", "/events/3"]
    assert "expected *, one of clock.*, ticket.*, or a name" in faults[0].message


def test_a_secret_is_read_where_it_was_sealed_with_any_of_the_keys() -> None:
    old = read_keys("a:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=")
    both = {"b": b"x" * 32} | old
    sealed = seal("whsec_abc", keys=old, place=PARTNER)

    assert unseal(sealed, keys=both, place=PARTNER) == "whsec_abc"
    assert "abc" not in sealed
    with pytest.raises(SecretUnreadable):
        unseal(sealed, keys=both, place=OTHER)
    with pytest.raises(SecretUnreadable, match="rotate the secret"):
        unseal(sealed, keys={"b": b"x" * 32}, place=PARTNER)
