"""What the next instant of a ticket will bring is written beforehand, so that on the instant it only has to be said.

A plan is what the fold gives for that instant if nothing happens until then. Whatever does happen folds the ticket anew
and arms its timer, which removes the plan. A ticket of which a later fact is known already is folded on its instant.
"""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from plazo.events.envelope import Envelope
from plazo.kernel.ids import new_id
from plazo.runtime.database import OUTAGE
from plazo.runtime.unit_of_work import SystemWork
from sla_clock.repository import clocks, timers
from sla_clock.repository.timers import DueTimer, Plan
from sla_clock.usecases.announce_changes import Changes, find_changes

log = structlog.get_logger(__name__)

# Tickets opened out of hours fall due together, thousands at one instant, but that is known for hours.
HORIZON = timedelta(minutes=15)
# Planning holds a ticket for some milliseconds: not when it is about to be fired.
_AT_LEAST = timedelta(seconds=1)


async def plan_ahead(work: SystemWork, *, passed_over: dict[UUID, datetime]) -> bool:
    """Plan some timers of live desks that will be due soon; false when there is none left to plan.

    What time alone does not decide, and what cannot be folded, is left to its instant: those timers and their instants
    are added to `passed_over`, which the caller keeps, so that they do not stand before the others.
    """
    now = work.clock.now()
    for timer_id in [timer_id for timer_id, due_at in passed_over.items() if due_at <= now]:
        del passed_over[timer_id]
    return await _plan_some(work, passed_over, at_most=timers.PLANNED_AT_ONCE)


async def _plan_some(work: SystemWork, passed_over: dict[UUID, datetime], *, at_most: int) -> bool:
    due: list[DueTimer] = []
    plans: list[Plan] = []
    try:
        async with work.begin() as tx:
            due = await timers.claim_unplanned(
                tx.connection,
                after=tx.now + _AT_LEAST,
                until=tx.now + HORIZON,
                but=passed_over,
                at_most=at_most,
            )
            asked = [(timer.ticket, timer.due_at) for timer in due]
            found = await find_changes(tx.connection, asked, detected_at=tx.now)
            plans = [
                _plan(work, timer, changes) for timer, changes in zip(due, found, strict=True) if changes.is_by_time
            ]
            await timers.save_plans(tx.connection, plans)
    except OUTAGE:
        raise
    except Exception:
        log.exception("planning_failed", timers=[str(timer.timer_id) for timer in due])
        if at_most > 1 and due:
            return any([await _plan_some(work, passed_over, at_most=1) for _ in due])
        plans = []
    planned = {plan.timer_id for plan in plans}
    passed_over.update({timer.timer_id: timer.due_at for timer in due if timer.timer_id not in planned})
    return len(due) == at_most


def _plan(work: SystemWork, timer: DueTimer, changes: Changes) -> Plan:
    correlation_id = new_id()
    return Plan(
        timer_id=timer.timer_id,
        clocks=[clocks.plan_of(row) for row in changes.rows],
        events=[
            Envelope(
                id=one.event_id,
                producer=work.producer,
                type=one.event.type(),
                desk_id=timer.ticket.desk_id,
                aggregate_id=timer.ticket.ticket_id,
                aggregate_version=0,  # given by the database as the row is written
                occurred_at=one.occurred_at,
                recorded_at=timer.due_at,  # replaced by the present of the firing
                correlation_id=correlation_id,
                data=one.event.model_dump(mode="json"),
            )
            for one in changes.news
        ],
        next_due_at=changes.next_due_at,
    )
