"""How promises were kept in a period, and what was done about those that were not. EXP-02, IRE-19"""

import csv
import io
from collections import defaultdict
from datetime import date, datetime, time
from uuid import UUID

from plazo.calendar.zone import load_zone
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.runtime.unit_of_work import UnitOfWork
from sla_clock.repository import clocks, compliance, desks
from sla_clock.repository.compliance import Counts, GroupKey
from sla_clock.schemas import Compliance, ComplianceGroup, Miss, Review, ReviewInput

_DENOMINATOR = "promises that began in the period and were met or missed by now"
_LONGEST_DAYS = 366


class NotBroken(PlazoError):
    """Only a broken promise has a cause and a corrective action."""

    kind = Kind.CONFLICT
    code = "clock-not-broken"


async def report_compliance(uow: UnitOfWork, *, desk_id: UUID, start: date, until: date) -> Compliance:
    """Count the promises that began on the dates `[start, until)` of the desk's zone.

    :raises InvalidInput: if the period is empty or longer than a year
    """
    if not 0 < (until - start).days <= _LONGEST_DAYS:
        message = f"expected `until` 1 to {_LONGEST_DAYS} days after `from`"
        raise InvalidInput(message, faults=[Fault("", f"until: {message}")])
    async with uow.read() as connection:
        desk = await desks.read_desk(connection, desk_id)
        zone = load_zone(desk.timezone)
        begins, ends = (datetime.combine(day, time(), tzinfo=zone) for day in (start, until))
        counted = await compliance.count_clocks(connection, start=begins, until=ends)
        misses: dict[GroupKey, list[Miss]] = defaultdict(list)
        for key, row in await compliance.list_misses(connection, start=begins, until=ends):
            misses[key].append(Miss.model_validate(row))
    groups = [_group(counts, misses[counts.key]) for counts in counted]
    return Compliance(start=start, until=until, timezone=desk.timezone, denominator=_DENOMINATOR, groups=groups)


def _group(counts: Counts, misses: list[Miss]) -> ComplianceGroup:
    plan, severity, kind, commitment = counts.key
    decided = counts.met + counts.missed
    return ComplianceGroup(
        plan=plan,
        severity=severity,
        kind=kind,
        commitment=commitment,
        met=counts.met,
        missed=counts.missed,
        running=counts.running,
        cancelled=counts.cancelled,
        percentage=round(100 * counts.met / decided, 2) if decided else None,
        misses=misses,
    )


def compliance_csv(report: Compliance) -> str:
    """Write a report as CSV: one line for each group."""
    text = io.StringIO()
    columns = [name for name in ComplianceGroup.model_fields if name != "misses"]
    writer = csv.DictWriter(text, ["from", "until", *columns])
    writer.writeheader()
    for group in report.groups:
        writer.writerow({"from": report.start, "until": report.until, **group.model_dump(include=set(columns))})
    return text.getvalue()


async def review_miss(uow: UnitOfWork, *, clock_id: UUID, body: ReviewInput, reviewed_by: str) -> Review:
    """Keep the cause of a broken promise and the measure taken; the newest review holds.

    :raises NotFound: if there is no such clock
    :raises NotBroken: if its promise is not broken
    """
    async with uow.begin() as tx:
        listed = await clocks.find_clock(tx.connection, clock_id, customer_id=None)
        if listed is None:
            raise NotFound(f"there is no clock {clock_id} here")
        if listed.clock.breached_at is None:
            raise NotBroken(f"the clock is {listed.clock.state}: expected one whose promise was broken")
        view = Review(
            clock_id=clock_id,
            cause=body.cause,
            corrective_action=body.corrective_action,
            reviewed_by=reviewed_by,
            reviewed_at=tx.now,
        )
        await compliance.save_review(tx.connection, desk_id=tx.desk_id, **view.model_dump())
        tx.answer = view.model_dump(mode="json")
    return view
