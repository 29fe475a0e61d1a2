"""The clauses of Skedu, seen from outside over HTTP. Its hours are UTC-4 all year."""

import pytest
from harness import DeskUnderTest, House, clock_of


async def signed(desk: DeskUnderTest) -> dict:
    """Publish the policy and sign a contract."""
    await desk.publish("skedu")
    return await desk.customer("skedu")


@pytest.mark.parametrize(
    ("priority", "facts"),
    [
        ("urgent", {"urgency": "high", "complexity": "high"}),
        ("high", {"urgency": "medium", "complexity": "high"}),
        ("normal", {"urgency": "medium", "complexity": "low"}),
        ("low", {"urgency": "low", "complexity": "low"}),
    ],
)
async def test_ske_09_priority_from_complexity_and_urgency(desk: DeskUnderTest, priority: str, facts: dict) -> None:
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="chat", facts=facts)

    assert ticket["priority"] == priority


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        # Chile changed its clocks on 5 April and 6 September 2026; 18:00 is 22:00Z before and after.
        pytest.param("2026-04-02T14:00:00Z", "2026-04-06T22:00:00Z", id="April, over Good Friday"),
        pytest.param("2026-09-04T14:00:00Z", "2026-09-07T22:00:00Z", id="September"),
    ],
)
async def test_ske_10_no_shift_in_april_or_september(house: House, opened: str, due: str) -> None:
    desk = await house.new_desk(at=opened)
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="chat")

    assert clock_of(ticket, "first_response")["due_at"] == due


@pytest.mark.parametrize(
    ("opened", "due"),
    [
        # Monday 10:00: the end of Tuesday.
        pytest.param("2026-05-04T14:00:00Z", "2026-05-05T22:00:00Z", id="in hours"),
        # Monday 20:00 starts on Tuesday: the end of Wednesday.
        pytest.param("2026-05-05T00:00:00Z", "2026-05-06T22:00:00Z", id="in the evening"),
        # Saturday starts on Monday: the end of Tuesday.
        pytest.param("2026-05-09T14:00:00Z", "2026-05-12T22:00:00Z", id="on Saturday"),
        # Thursday 30 April; Friday 1 May is a holiday: the end of Monday.
        pytest.param("2026-04-30T14:00:00Z", "2026-05-04T22:00:00Z", id="before a holiday"),
    ],
)
async def test_ske_11_first_reply_within_one_business_day(house: House, opened: str, due: str) -> None:
    desk = await house.new_desk(at=opened)
    contract = await signed(desk)

    ticket = await desk.open_ticket(contract, channel="chat")

    assert clock_of(ticket, "first_response")["due_at"] == due
    assert "SKE-11" in clock_of(ticket, "first_response")["clauses"]
