"""When an agent is there."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from escalation.domain.presence import is_present, next_absence, next_presence
from escalation.domain.ticket import Absence, Agent
from plazo.calendar import compile_calendar, parse_calendar

ANA = UUID(int=1)
# Monday to Friday, 09:00 to 17:00 UTC.
HOURS = compile_calendar(parse_calendar({"timezone": "UTC", "hours": {"mon-fri": ["09:00-17:00"]}}))
MONDAY_10 = datetime(2026, 5, 4, 10, 0, tzinfo=UTC)


def away(start: datetime, end: datetime | None) -> Absence:
    return Absence(UUID(int=9), ANA, start, end)


def day(number: int, hour: int) -> datetime:
    return datetime(2026, 5, number, hour, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("absences", "hours", "at", "expected"),
    [
        pytest.param((), None, day(9, 3), day(9, 3), id="always there"),
        pytest.param((), HOURS, MONDAY_10, MONDAY_10, id="in hours"),
        pytest.param((), HOURS, day(8, 17), day(11, 9), id="Friday at closing: Monday"),
        pytest.param((away(day(4, 9), day(4, 12)),), HOURS, MONDAY_10, day(4, 12), id="back at noon"),
        pytest.param((away(day(4, 9), day(4, 20)),), HOURS, MONDAY_10, day(5, 9), id="back after hours: next morning"),
        pytest.param(
            (away(day(4, 9), day(4, 20)), away(day(5, 0), day(8, 0))),
            HOURS,
            MONDAY_10,
            day(8, 9),
            id="one after another",
        ),
        pytest.param((away(day(4, 9), None),), HOURS, MONDAY_10, None, id="until further notice"),
        pytest.param((away(day(5, 9), None),), HOURS, MONDAY_10, MONDAY_10, id="away later only"),
    ],
)
def test_the_next_instant_somebody_is_there(
    absences: tuple[Absence, ...], hours: object, at: datetime, expected: datetime | None
) -> None:
    found = next_presence(absences, hours, at=at)  # type: ignore[arg-type]

    assert found == expected
    assert is_present(absences, hours, at=at) == (found == at)  # type: ignore[arg-type]
    if found is not None:
        assert is_present(absences, hours, at=found)  # type: ignore[arg-type]


def test_an_absence_ends_with_its_end() -> None:
    absence = away(day(4, 9), day(4, 12))

    assert [absence.covers(at) for at in (day(4, 8), day(4, 9), day(4, 12))] == [False, True, False]
    assert next_absence((absence,), after=day(4, 8)) == day(4, 9)
    assert next_absence((absence,), after=day(4, 9)) is None


def test_teams_of_two_policies_with_one_name_are_two() -> None:
    agent = Agent(ANA, "Ana", "ana@example.com", teams=("prodequa/support", "level_2"))

    assert agent.serves("prodequa", "support")
    assert not agent.serves("ireo", "support")
    assert agent.serves("ireo", "level_2")
    assert not agent.serves("ireo", None)


def test_nobody_takes_more_than_they_can() -> None:
    agent = Agent(ANA, "Ana", "ana@example.com", capacity=2, open_tickets=1)

    assert agent.has_room
    assert not Agent(ANA, "Ana", "ana@example.com", capacity=2, open_tickets=2).has_room
    assert not agent.is_away(MONDAY_10 + timedelta(days=1))
