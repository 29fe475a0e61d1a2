"""Which agents are there at an instant, and when the next one is: their absences, and the hours of their calendar."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from escalation.domain.presence import is_present, next_presence
from escalation.domain.ticket import Agent
from plazo.calendar import WorkingTime, compile_calendar, parse_calendar
from plazo.kernel.errors import Fault, InvalidInput, PlazoError
from plazo.policy.decide import calendar_of
from plazo.runtime.database import Connection
from plazo.runtime.policies import policy_in_force


async def hours_of(connection: Connection, calendar: Mapping[str, Any] | None, *, at: datetime) -> WorkingTime | None:
    """Return the hours that a calendar names or lists; None for always, and for a policy that is gone."""
    if calendar is None:
        return None
    if "policy" not in calendar:
        return compile_calendar(parse_calendar(dict(calendar)))
    policy = await policy_in_force(connection, policy=calendar["policy"], at=at)
    if policy is None or calendar["calendar"] not in policy.calendars:
        return None
    return compile_calendar(calendar_of(policy, calendar["calendar"]))


async def check_calendar(connection: Connection, calendar: Mapping[str, Any] | None, *, at: datetime) -> None:
    """Refuse a calendar that is none. :raises InvalidInput: naming what is wrong with it"""
    if calendar is None:
        return
    try:
        if "policy" not in calendar:
            parse_calendar(dict(calendar))
            return
    except PlazoError as error:
        faults = error.faults if isinstance(error, InvalidInput) else ()
        raise InvalidInput(
            error.message, faults=[Fault(f"/calendar{one.pointer}", one.message) for one in faults]
        ) from error
    policy = await policy_in_force(connection, policy=str(calendar["policy"]), at=at)
    if policy is None:
        raise _unknown("/calendar/policy", f"there is no policy {calendar['policy']!r} in force")
    if calendar.get("calendar") not in policy.calendars or calendar.keys() != {"policy", "calendar"}:
        raise _unknown("/calendar/calendar", f"expected one of {', '.join(sorted(policy.calendars))}, and nothing else")


def _unknown(pointer: str, message: str) -> InvalidInput:
    return InvalidInput(message, faults=[Fault(pointer, message)])


async def present_among(
    connection: Connection, agents: Sequence[Agent], *, at: datetime
) -> tuple[list[Agent], datetime | None]:
    """Return who of some agents is there at an instant, and when the first of the others will be."""
    present, returns = [], []
    for agent in agents:
        hours = await hours_of(connection, agent.calendar, at=at)
        if is_present(agent.absences, hours, at=at):
            present.append(agent)
        elif (back := next_presence(agent.absences, hours, at=at)) is not None:
            returns.append(back)
    return present, min(returns, default=None)
