"""How promises were kept in a period, and what was done about those that were not. EXP-02, IRE-19"""

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from plazo.calendar.zone import first_reading, load_zone
from plazo.kernel.cells import inert
from plazo.kernel.errors import Fault, InvalidInput, Kind, NotFound, PlazoError
from plazo.kernel.time import from_micros
from plazo.runtime.unit_of_work import UnitOfWork
from sla_clock.domain.explanation import seconds_of
from sla_clock.repository import clocks, compliance, desks
from sla_clock.repository.compliance import OUTCOMES, Counts, GroupKey, Wanted
from sla_clock.schemas.compliance import (
    Compliance,
    ComplianceGroup,
    CountedPromise,
    Miss,
    Review,
    ReviewInput,
)

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
    _check_period(start, until)
    async with uow.read() as connection:
        desk = await desks.read_desk(connection, desk_id)
        begins, ends = _bounds(start, until, desk.timezone)
        counted = await compliance.count_clocks(connection, start=begins, until=ends)
        misses: dict[GroupKey, list[Miss]] = defaultdict(list)
        for key, row in await compliance.list_misses(connection, start=begins, until=ends):
            misses[key].append(Miss.model_validate(row))
    groups = [_group(counts, misses[counts.key], start=start, until=until) for counts in counted]
    return Compliance(start=start, until=until, timezone=desk.timezone, denominator=_DENOMINATOR, groups=groups)


def _group(counts: Counts, misses: list[Miss], *, start: date, until: date) -> ComplianceGroup:
    plan, severity, kind, commitment = counts.key
    about = {"from": start, "until": until, "plan": plan or "", "severity": severity or "", "kind": kind}
    about["commitment"] = commitment
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
        decided=decided,
        percentage=round(100 * counts.met / decided, 2) if decided else None,
        average_seconds=None if counts.average is None else seconds_of(counts.average),
        longest_seconds=None if counts.longest is None else seconds_of(counts.longest),
        promises={
            outcome: f"/v1/compliance/promises?{urlencode({**about, 'outcome': outcome})}" for outcome in OUTCOMES
        },
        misses=misses,
    )


async def list_promises(
    uow: UnitOfWork,
    *,
    desk_id: UUID,
    start: date,
    until: date,
    wanted: Wanted,
    after: tuple[datetime, UUID] | None,
    limit: int,
) -> list[CountedPromise]:
    """Return the promises behind a number of a report, by start. :raises InvalidInput: as :func:`report_compliance`"""
    _check_period(start, until)
    async with uow.read() as connection:
        desk = await desks.read_desk(connection, desk_id)
        begins, ends = _bounds(start, until, desk.timezone)
        found = await compliance.list_promises(
            connection, start=begins, until=ends, wanted=wanted, after=after, limit=limit
        )
    return [CountedPromise.model_validate(row) for row in found]


def compliance_csv(report: Compliance) -> str:
    """Write a report as CSV: one line for each group."""
    columns = [name for name in ComplianceGroup.model_fields if name not in {"misses", "promises"}]
    period = {"from": report.start, "until": report.until}
    return _csv([*period, *columns], [period | group.model_dump(include=set(columns)) for group in report.groups])


def promises_csv(promises: Sequence[CountedPromise]) -> str:
    """Write promises as CSV: one line for each."""
    return _csv(
        list(CountedPromise.model_fields),
        [one.model_dump(mode="json") | {"clauses": " ".join(one.clauses)} for one in promises],
    )


def _csv(columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    for row in rows:
        writer.writerow({name: inert(value) for name, value in row.items()})
    return text.getvalue()


def _check_period(start: date, until: date) -> None:
    if not 0 < (until - start).days <= _LONGEST_DAYS:
        message = f"expected `until` 1 to {_LONGEST_DAYS} days after `from`"
        raise InvalidInput(message, faults=[Fault("", f"until: {message}")])


def _bounds(start: date, until: date, timezone: str) -> tuple[datetime, datetime]:
    """Return the instants at which two dates begin in a zone."""
    zone = load_zone(timezone)
    return from_micros(first_reading(zone, start)), from_micros(first_reading(zone, until))


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
